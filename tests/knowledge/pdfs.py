"""PDF files as small as they can be."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING

from pypdf import PdfReader, PdfWriter

if TYPE_CHECKING:
    from collections.abc import Sequence


def pdf(*pages: str, outline: Sequence[tuple[str, int]] = (), password: str | None = None) -> bytes:
    """Return a PDF with a line of text on each page; ``outline`` has titles with the index of their page."""
    count = len(pages)
    kids = " ".join(f"{4 + 2 * index} 0 R" for index in range(count))
    objects = [
        "<</Type/Catalog/Pages 2 0 R>>",
        f"<</Type/Pages/Kids[{kids}]/Count {count}>>",
        "<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding/WinAnsiEncoding>>",
    ]
    for index, text in enumerate(pages):
        stream = f"BT /F1 12 Tf 72 700 Td ({text}) Tj ET" if text else ""
        resources, contents = "<</Font<</F1 3 0 R>>>>", f"{5 + 2 * index} 0 R"
        objects += [
            f"<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]/Resources{resources}/Contents {contents}>>",
            f"<</Length {len(stream)}>>stream\n{stream}\nendstream",
        ]
    data, places = "%PDF-1.4\n", []
    for number, body in enumerate(objects, start=1):
        places.append(len(data))
        data += f"{number} 0 obj{body}endobj\n"
    table = "".join(f"{place:010} 00000 n \n" for place in places)
    size = len(objects) + 1
    data += f"xref\n0 {size}\n0000000000 65535 f \n{table}trailer<</Size {size}/Root 1 0 R>>\n"
    data += f"startxref\n{data.index('xref')}\n%%EOF\n"
    writer = PdfWriter(clone_from=PdfReader(BytesIO(data.encode("latin-1"))))
    for title, page in outline:
        writer.add_outline_item(title=title, page_number=page)
    if password is not None:
        writer.encrypt(password, algorithm="RC4-128")
    written = BytesIO()
    writer.write(written)
    return written.getvalue()
