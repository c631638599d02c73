"""Files become sections of text with their headings, lines and pages; broken ones say what is wrong."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

from agentdata.knowledge.reading import Document, UnreadableError, read
from agentdata.knowledge.splitting import Splitting, chunks
from tests.knowledge.pdfs import pdf


def document(name: str, content: str | bytes) -> Document:
    found = read(name, content.encode() if isinstance(content, str) else content)
    assert found is not None
    return found


def split(name: str, content: str | bytes, size: int = 1_600, overlap: int = 0) -> list[dict[str, Any]]:
    return list(chunks(document(name, content), Splitting(size, overlap)))


MANUAL = """---
title: Ignored, because there is a heading
---
Before all headings.

# The *oven* manual

Read it first.

## Heating

Heat it to 240 °C.

```sh
# no heading
```

### By `gas`

Light it.

## Cleaning

Underlined
----------

With a brush.
"""


def test_markdown_is_split_at_its_headings() -> None:
    found = document("oven.md", MANUAL)
    assert (found.title, found.type) == ("The oven manual", "text/markdown")
    assert [(section.headings, section.line, section.text.strip()[:20]) for section in found.sections] == [
        (("The oven manual",), 4, "Before all headings."),
        (("The oven manual",), 7, "Read it first."),
        (("The oven manual", "Heating"), 11, "Heat it to 240 °C.\n\n"),
        (("The oven manual", "Heating", "By gas"), 19, "Light it."),
        (("The oven manual", "Underlined"), 26, "With a brush."),
    ]


def test_a_chunk_begins_with_the_headings_above_it_and_knows_its_lines() -> None:
    gas = split("oven.md", MANUAL)[3]
    assert gas == {
        "content": "The oven manual > Heating > By gas\n\nLight it.",
        "metadata_": {"headings": ["The oven manual", "Heating", "By gas"], "firstLine": 20, "lastLine": 20},
    }
    lines = MANUAL.split("\n")
    for chunk in split("oven.md", MANUAL):
        first, last = chunk["metadata_"]["firstLine"], chunk["metadata_"]["lastLine"]
        text = "\n".join(lines[first - 1 : last])
        assert chunk["content"].partition("\n\n")[2] in text


def test_a_markdown_file_without_headings_has_the_title_of_its_front_matter_or_its_name() -> None:
    assert document("a.md", '---\ntitle: "Opening hours"\n---\nNine to five.').title == "Opening hours"
    assert split("hours.md", "Nine to five.")[0]["content"] == "hours\n\nNine to five."
    assert split("hours.md", "# Hours\n## Sunday\n")[0]["content"] == "Hours"


def test_long_sections_are_split_with_overlap_within_the_size() -> None:
    sentences = [f"Sentence {number} says something." for number in range(200)]
    made = split("long.md", f"# Long\n\n{' '.join(sentences)}", 500, 100)
    texts = [chunk["content"].partition("\n\n")[2] for chunk in made]
    assert max(map(len, texts)) <= 500
    assert all(any(sentence in text for text in texts) for sentence in sentences)
    for one, following in pairwise(texts):
        assert following[:20] in one


def test_code_is_split_between_its_definitions() -> None:
    functions = "\n\n".join(
        f"def f{number}(a):\n    # ü\n    b = a + {number}\n\n    return b" for number in range(40)
    )
    made = split("tools/sums.py", functions, 200)
    assert document("tools/sums.py", functions).type == "text/x-python"
    assert len(made) == 10
    for chunk in made:
        above, _, text = chunk["content"].partition("\n\n")
        assert above == "tools/sums.py"
        assert text.startswith("def ")
        lines = functions.split("\n")[chunk["metadata_"]["firstLine"] - 1 : chunk["metadata_"]["lastLine"]]
        assert text == "\n".join(lines).strip("\n")


@pytest.mark.parametrize("name", ["a.go", "a.java", "a.js", "a.jsx", "a.py", "a.rs", "a.ts", "a.tsx"])
def test_each_language_has_its_grammar(name: str) -> None:
    assert split(name, "x\n" * 3)[0]["content"].startswith(name)


def test_other_text_is_plain() -> None:
    assert document("notes.txt", "one\n\ntwo").type == "text/plain"
    assert document("Makefile", "all:\n\ttrue").type == "text/plain"
    assert split("a/notes.txt", "one\n\ntwo")[0] == {
        "content": "a/notes.txt\n\none\n\ntwo",
        "metadata_": {"headings": ["a/notes.txt"], "firstLine": 1, "lastLine": 3},
    }


PAGE = """<!doctype html><html><head><title>Our shop &amp; caf\u00e9</title><style>p {}</style></head><body>
<nav><a href="/">Home</a></nav><!-- a comment -->
<main><h1>Opening hours</h1><p>Nine to <b>five</b>.</p>
<script>alert("no")</script>
<h2>Sundays</h2><ul><li>closed</li></ul>
<table><tr><th>Day</th><th>Hours</th></tr><tr><td>Monday</td><td>9-17</td></tr></table></main>
<footer>imprint</footer></body></html>"""


def test_a_web_page_gives_its_main_text_under_its_headings() -> None:
    found = document("hours.html", PAGE)
    assert (found.title, found.type) == ("Opening hours", "text/html")
    hours, sundays = split("hours.html", PAGE)
    assert hours == {
        "content": "Opening hours\n\nNine to **five**.",
        "metadata_": {"headings": ["Opening hours"]},
    }
    assert sundays["metadata_"] == {"headings": ["Opening hours", "Sundays"]}
    assert "closed" in sundays["content"]
    assert "| Monday | 9-17 |" in sundays["content"]
    everything = hours["content"] + sundays["content"]
    assert not any(word in everything for word in ("Home", "comment", "alert", "imprint"))


def test_a_page_of_another_encoding_is_read_as_it_says() -> None:
    page = '<meta charset="windows-1251"><title>Привет</title><p>мир'
    assert document("a.html", page.encode("windows-1251")).title == "Привет"


def test_a_pdf_gives_a_section_for_each_page_under_its_outline() -> None:
    data = pdf("Cover", "How to heat", "", "How to clean", outline=[("Heating", 1), ("Cleaning", 3)])
    found = document("manual.pdf", data)
    assert (found.title, found.type) == ("manual", "application/pdf")
    assert split("manual.pdf", data) == [
        {"content": "manual\n\nCover", "metadata_": {"headings": ["manual"], "page": 1}},
        {
            "content": "manual > Heating\n\nHow to heat",
            "metadata_": {"headings": ["manual", "Heating"], "page": 2},
        },
        {
            "content": "manual > Cleaning\n\nHow to clean",
            "metadata_": {"headings": ["manual", "Cleaning"], "page": 4},
        },
    ]


@pytest.mark.parametrize(
    ("name", "data", "reason"),
    [
        ("a.pdf", b"%PDF-1.4 cut off", "cannot be read as a PDF: "),
        ("a.pdf", b"no PDF at all", "cannot be read as a PDF: "),
        ("a.pdf", pdf("secret", password="word"), "is encrypted"),
        ("a.pdf", pdf("", ""), "has no text; a scan needs text recognition first"),
        ("a.html", b"<div>" * 50_000, "cannot be read as HTML: "),
        ("a.txt", bytes(range(0x80, 0x100)) * 3, "is in an unknown encoding"),
    ],
)
def test_a_broken_file_says_why(name: str, data: bytes, reason: str) -> None:
    with pytest.raises(UnreadableError, match=f"^{reason}"):
        read(name, data)


@pytest.mark.parametrize(
    "data",
    [
        "Grüße".encode(),
        b"\xef\xbb\xbf" + "Grüße".encode(),
        "Grüße".encode("utf-16"),
        "Grüße".encode("utf-32"),
        "Herzliche Grüße aus Köln, schöne Tage".encode("latin-1"),
    ],
)
def test_text_is_read_in_its_encoding(data: bytes) -> None:
    assert "Grüße" in document("a.txt", data).sections[0].text


@pytest.mark.parametrize(
    ("name", "data"),
    [("a.png", b"\x89PNG\r\n\x1a\n\0\0\0\r"), ("a.svg", b"<svg/>"), ("a.txt", b"text, then\0NUL")],
)
def test_binary_files_and_pictures_have_no_text(name: str, data: bytes) -> None:
    assert read(name, data) is None


def test_ends_of_lines_are_those_of_unix() -> None:
    assert split("a.md", "# A\r\n\r\none\r\ntwo\rthree")[0]["content"] == "A\n\none\ntwo\nthree"


def test_a_heading_of_any_length_does_not_make_chunks_long() -> None:
    [chunk] = split("a.md", f"# {'long ' * 10_000}\n\ntext")
    assert len(chunk["content"]) < 500
