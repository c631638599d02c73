"""Reads the contents of files as sections of text, each with the headings above it and its place."""

from __future__ import annotations

import codecs
import logging
import re
from dataclasses import dataclass
from io import BytesIO
from mimetypes import MimeTypes
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from bs4 import BeautifulSoup, Comment
from bs4.dammit import UnicodeDammit
from charset_normalizer import from_bytes
from markdown_it import MarkdownIt
from markdownify import MarkdownConverter
from pypdf import PdfReader

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MARKDOWN, TEXT, CODE = "markdown", "text", "code"
"""How a section is split. Code is split by the grammar of its language."""

_MARKDOWN = {".md", ".markdown", ".mdown", ".mkd", ".mdx"}
_HTML = {".html", ".htm", ".xhtml"}
_LANGUAGES = {
    ".py": "python",
    ".pyi": "python",
    ".js": "javascript",
    ".mjs": "javascript",
    ".cjs": "javascript",
    ".jsx": "javascript",
    ".ts": "typescript",
    ".mts": "typescript",
    ".cts": "typescript",
    ".tsx": "tsx",
    ".go": "go",
    ".rs": "rust",
    ".java": "java",
}
_PICTURES = {".svg", ".eps", ".ps"}
"""Files that are text, but whose words are not for readers."""

_TYPES = MimeTypes(filenames=())
"""The types of files by their suffixes, without those of the machine's own list."""

_BOMS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
"""Byte order marks. That of UTF-32 begins with that of UTF-16, and stands before it."""

_FRONT_MATTER = re.compile(r"\A---\n(?P<values>.*?)^(?:---|\.\.\.)[ \t]*(?:\n|\Z)", re.DOTALL | re.MULTILINE)
_FRONT_TITLE = re.compile(r"^title:[ \t]*(?P<title>.+)$", re.MULTILINE)

_BLOCKS = MarkdownIt("commonmark").enable("table").disable("inline")
"""Parses the blocks of a document alone, whose headings are all that is wanted of it."""
_INLINE = MarkdownIt("commonmark")

_NO_TEXT = ("script", "style", "noscript", "template", "svg", "nav", "iframe", "object", "form", "button")
"""Elements of a page that are not its text."""

logging.getLogger("pypdf").setLevel(logging.CRITICAL)  # it warns of each flaw that it has mended


class UnreadableError(Exception):
    """A file whose text cannot be read; the message says why."""


@dataclass(frozen=True)
class Section:
    """A passage under one heading, or of one page."""

    text: str
    headings: tuple[str, ...]
    """The title of the document and the headings above the passage, the highest first."""
    line: int | None = None
    """The line of the file where the text begins, from 1."""
    page: int | None = None
    """The page of a PDF, from 1."""


@dataclass(frozen=True)
class Document:
    """The text of a file, in sections."""

    title: str
    type: str
    form: str
    """How its sections are split: ``MARKDOWN``, ``TEXT`` or ``CODE``."""
    language: str | None
    """The language of code."""
    sections: list[Section]


def read(name: str, data: bytes) -> Document | None:
    """Return the text of a file, or None if it is binary. ``name`` is its path in the source.

    Raises:
        UnreadableError: The file is broken, encrypted, or in an unknown encoding.

    """
    path = PurePosixPath(name)
    suffix = path.suffix.lower()
    if suffix == ".pdf" or data.startswith(b"%PDF-"):
        return _guarded("a PDF", lambda: _pdf(path, data))
    if suffix in _PICTURES:
        return None
    if suffix in _HTML:
        return _guarded("HTML", lambda: _html(path, data))
    text = _decode(data)
    return None if text is None else _text(path, text)


def _text(path: PurePosixPath, text: str) -> Document:
    """Return a document of a text file."""
    suffix = path.suffix.lower()
    if suffix in _MARKDOWN:
        title, sections = _markdown(path.stem, text)
        return Document(title, "text/markdown", MARKDOWN, None, sections)
    sections = [Section(text, (str(path),), line=1)]
    if (language := _LANGUAGES.get(suffix)) is not None:
        return Document(path.name, f"text/x-{language}", CODE, language, sections)
    return Document(path.name, _TYPES.guess_type(path.name)[0] or "text/plain", TEXT, None, sections)


def _guarded(kind: str, read: Callable[[], Document | None]) -> Document | None:
    """Return what a reader returns; a broken file may make its library raise anything."""
    try:
        return read()
    except UnreadableError:
        raise
    except Exception as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise UnreadableError(f"cannot be read as {kind}: {clean(reason)[:500]}") from error


def clean(text: str) -> str:
    """Return a text without the characters that cannot be stored: NUL and unpaired surrogates."""
    return text.replace("\0", "").encode(errors="replace").decode()


def _decode(data: bytes) -> str | None:
    """Return the text of a file with Unix's ends of lines, or None if the file is binary.

    Raises:
        UnreadableError: The encoding is unknown.

    """
    encoding = next((each for mark, each in _BOMS.items() if data.startswith(mark)), None)
    if encoding is None and b"\0" in data:
        return None
    try:
        text = data.decode(encoding or "utf-8")
    except UnicodeDecodeError:
        best = None if encoding else from_bytes(data).best()
        if best is None:
            raise UnreadableError("is in an unknown encoding; save it in UTF-8") from None
        text = str(best)
    return clean(text.replace("\r\n", "\n").replace("\r", "\n"))


def _markdown(title: str, text: str) -> tuple[str, list[Section]]:
    """Return the title of a Markdown text and its sections, one for each heading that has text below it."""
    before = 0
    if (front := _FRONT_MATTER.match(text)) is not None:
        if (found := _FRONT_TITLE.search(front["values"])) is not None:
            title = found["title"].strip().strip("\"'") or title
        before = front[0].count("\n")
        text = text[front.end() :]
    lines = text.split("\n")
    headings = list(_headings(text))
    title = next((heading for level, heading, _, _ in headings if level == 1 and heading), title)
    above: list[tuple[int, str]] = [(0, title)]
    sections = []
    starts = [first for _, _, first, _ in headings] + [len(lines)]
    spans = [(0, above, starts[0])]
    for (level, heading, _, first), last in zip(headings, starts[1:], strict=True):
        above = [each for each in above if each[0] < level] + [(level, heading)]
        spans.append((first, above, last))
    for first, path, last in spans:
        body = "\n".join(lines[first:last])
        if body.strip():
            names = [heading for _, heading in path if heading]
            # The title is not repeated above the heading that it is taken from.
            unique = names[1:] if names[1:2] == [title] else names
            sections.append(Section(body, tuple(unique), line=before + first + 1))
    if not sections:
        sections.append(Section("", (title,), line=1))
    return title, sections


def _headings(text: str) -> Iterator[tuple[int, str, int, int]]:
    """Yield the headings of a Markdown text: level, words, first line, and the line after; lines from 0."""
    tokens = _BLOCKS.parse(text)
    for place, token in enumerate(tokens):
        if token.type == "heading_open" and token.level == 0 and token.map:
            [inline] = _INLINE.parseInline(tokens[place + 1].content)
            words = "".join(
                " " if child.type in ("softbreak", "hardbreak") else child.content
                for child in inline.children or ()
                if child.type != "html_inline"
            )
            first, after = token.map
            yield int(token.tag[1:]), " ".join(words.split()), first, after


def _html(path: PurePosixPath, data: bytes) -> Document:
    """Return the text of a web page, as Markdown."""
    text = UnicodeDammit(data, is_html=True).unicode_markup
    if text is None:
        raise UnreadableError("is in an unknown encoding; save it in UTF-8")
    # Behind a comment, no text looks like the name of a file or like XML, of which Beautiful Soup warns.
    page = BeautifulSoup(f"<!---->{text}", "html.parser")
    title = page.title.get_text(" ", strip=True) if page.title else ""
    for element in page.find_all(_NO_TEXT):
        element.decompose()
    for comment in page.find_all(string=lambda text: isinstance(text, Comment)):
        comment.extract()
    body: Any = page.find("main") or page.find("article") or page.body or page
    converter = MarkdownConverter(
        heading_style="atx", escape_asterisks=False, escape_underscores=False, strip=["img"]
    )
    markdown = clean(converter.convert_soup(body)).replace("\r", "")
    found, sections = _markdown(" ".join(title.split()) or path.stem, markdown)
    # The lines are those of the converted text, which nobody sees.
    sections = [Section(section.text, section.headings) for section in sections]
    return Document(found, "text/html", MARKDOWN, None, sections)


def _pdf(path: PurePosixPath, data: bytes) -> Document:
    """Return the text of a PDF, a section for each page, under the headings of its outline."""
    reader = PdfReader(BytesIO(data))
    if reader.is_encrypted and not reader.decrypt(""):
        raise UnreadableError("is encrypted; store it without a password")
    title = " ".join(clean(reader.metadata.title or "").split()) if reader.metadata else ""
    title = title or path.stem
    outline = _outline(reader)
    sections = []
    headings: tuple[str, ...] = ()
    for number, page in enumerate(reader.pages, start=1):
        headings = outline.get(number, headings)
        text = clean(page.extract_text()).strip()
        if text:
            sections.append(Section(text, (title, *headings), page=number))
    if not sections:
        raise UnreadableError("has no text; a scan needs text recognition first")
    return Document(title, "application/pdf", TEXT, None, sections)


def _outline(reader: PdfReader) -> dict[int, tuple[str, ...]]:
    """Return the headings of an outline by the page on which they begin; the last one of a page counts."""
    found: dict[int, tuple[str, ...]] = {}

    def walk(entries: list[Any], above: tuple[str, ...]) -> None:
        last = above
        for entry in entries:
            if isinstance(entry, list):
                walk(entry, last)
                continue
            last = (*above, " ".join(clean(str(entry.title)).split()))
            number = reader.get_destination_page_number(entry)
            if number is not None and number >= 0:
                found[number + 1] = last

    walk(reader.outline, ())
    return found
