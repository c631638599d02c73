"""Splits documents into chunks: by headings first, then by paragraphs, sentences or the syntax of code."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import orjson
import tree_sitter_go
import tree_sitter_java
import tree_sitter_javascript
import tree_sitter_python
import tree_sitter_rust
import tree_sitter_typescript
from semantic_text_splitter import CodeSplitter, MarkdownSplitter, TextSplitter

from agentdata.errors import BadUserInputError
from agentdata.knowledge.reading import CODE, MARKDOWN

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agentdata.knowledge.reading import Document, Section

_FORMAT = 2
"""Part of the hash of each document: the next sync reads all files again if it grows.

It grows if files are read or split in another way.
"""

_SIZES = (200, 20_000)

_PIECE = 100_000
"""How many characters are split at a time."""

_HEADING, _HEADINGS = 200, 8
"""How many characters of a heading, and how many headings, stand above each chunk."""

_GRAMMARS = {
    "go": tree_sitter_go.language,
    "java": tree_sitter_java.language,
    "javascript": tree_sitter_javascript.language,
    "python": tree_sitter_python.language,
    "rust": tree_sitter_rust.language,
    "tsx": tree_sitter_typescript.language_tsx,
    "typescript": tree_sitter_typescript.language_typescript,
}


@dataclass(frozen=True)
class Splitting:
    """How long chunks are, in characters without the headings above them."""

    size: int = 1_600
    overlap: int = 200
    """How many characters at the end of a chunk the next chunk of the same section repeats, at most."""

    def check(self) -> None:
        """Refuse sizes that cannot be used.

        Raises:
            BadUserInputError: A size is out of range.

        """
        low, high = _SIZES
        if not low <= self.size <= high:
            raise BadUserInputError(
                f"chunkSize must be from {low:,} to {high:,} characters, not {self.size:,}", field="chunkSize"
            )
        if not 0 <= self.overlap <= self.size // 2:
            raise BadUserInputError(
                f"chunkOverlap must be from 0 to half of chunkSize, {self.size // 2:,}, not {self.overlap:,}",
                field="chunkOverlap",
            )

    @property
    def digest(self) -> str:
        """A text that is another one for other options."""
        return hashlib.sha256(orjson.dumps([_FORMAT, self.size, self.overlap])).hexdigest()[:16]


def chunks(document: Document, splitting: Splitting) -> Iterator[dict[str, Any]]:
    """Yield the chunks of a document as values to put.

    Each begins with the headings above it: searches find a passage by them, and a reader sees where it
    stands.
    """
    for section in document.sections:
        headings = [heading[:_HEADING] for heading in section.headings[:_HEADINGS]]
        above = " > ".join(headings)
        if not section.text:
            yield {"content": above, "metadata_": {"headings": headings}}
        line, counted = section.line, 0
        for offset, text in _split(document, section, splitting):
            metadata: dict[str, Any] = {"headings": headings}
            if line is not None:
                line += section.text.count("\n", counted, offset)
                counted = offset
                metadata |= {"firstLine": line, "lastLine": line + text.count("\n")}
            if section.page is not None:
                metadata["page"] = section.page
            yield {"content": f"{above}\n\n{text}", "metadata_": metadata}


def _split(document: Document, section: Section, splitting: Splitting) -> Iterator[tuple[int, str]]:
    """Yield the passages of a section, each with the place of its first character."""
    splitter = _splitter(document.form, document.language, splitting)
    for start, text in _pieces(section.text):
        for offset, passage in splitter.chunk_indices(text):
            yield start + offset, passage


def _pieces(text: str) -> Iterator[tuple[int, str]]:
    """Yield a text in pieces, each with its place: the time of the splitters grows with the square of it.

    A long text is cut between paragraphs, or else between lines, where there is one in the second half of a
    piece.
    """
    start = 0
    while len(text) - start > _PIECE:
        middle, last = start + _PIECE // 2, start + _PIECE
        places = (text.rfind(mark, middle, last) + len(mark) for mark in ("\n\n", "\n"))
        end = next((place for place in places if place > middle), last)
        yield start, text[start:end]
        start = end
    yield start, text[start:]


@cache
def _splitter(form: str, language: str | None, splitting: Splitting) -> Any:
    if form == MARKDOWN:
        return MarkdownSplitter(splitting.size, splitting.overlap)
    if form == CODE and language is not None:
        return CodeSplitter(_GRAMMARS[language](), splitting.size, splitting.overlap)
    return TextSplitter(splitting.size, splitting.overlap)
