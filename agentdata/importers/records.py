"""Reads JSON records, each with its place, from files that may be larger than memory."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from io import TextIOWrapper
from itertools import chain, islice
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, BinaryIO

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

LINE_SUFFIXES = (".jsonl", ".ndjson")

_CHUNK = 1024 * 1024
_LONGEST_FIRST_LINE = 16 * _CHUNK
# Decoding a value that is cut off fails this close to the end of the text, because no number, word or escape
# is longer. Decoding a string without an end fails at its beginning.
_BROKEN_OFF = 32
_UNTERMINATED = "Unterminated string"
_SPACE = re.compile(r"[ \t\n\r,]*")
_DECODER = json.JSONDecoder()


@dataclass(frozen=True)
class Unreadable:
    """Takes the place of a record that cannot be read, and says why it cannot."""

    reason: str


def records(file: BinaryIO, name: str, is_part: Callable[[object], bool]) -> Iterator[tuple[str, Any]]:
    """Yield the records of a file, each after its place, such as `chats.jsonl:17`.

    A file has a record on each line, or is a JSON array of records, or JSON values one after another. An
    array whose first item ``is_part`` of a record is a record itself. A line that is not JSON yields
    Unreadable, and the next lines follow. Any other file ends at such an error, because the next record
    cannot be found.
    """
    # Bytes that are not UTF-8 become surrogates, which no record may hold: only their record is refused.
    text = TextIOWrapper(file, encoding="utf-8-sig", errors="surrogateescape")
    if PurePath(name).suffix.lower() in LINE_SUFFIXES:
        yield from _lines(text, name)
        return
    first = text.readline(_LONGEST_FIRST_LINE)
    rest = text.readline(_LONGEST_FIRST_LINE)
    if rest.strip() and not isinstance(_decoded(first), Unreadable):
        yield from _lines(chain([first, rest], text), name)
    else:
        yield from _Stream(text, first + rest).records(name, is_part)


def _lines(lines: Iterator[str] | TextIOWrapper, name: str) -> Iterator[tuple[str, Any]]:
    for number, line in enumerate(lines, 1):
        if line.strip():
            yield f"{name}:{number}", _decoded(line)


def _decoded(text: str) -> Any:
    try:
        return _DECODER.decode(text)
    except json.JSONDecodeError as error:
        return Unreadable(f"not JSON: {error.msg} at column {error.colno}")
    except (ValueError, RecursionError) as error:
        return Unreadable(_unfit(error))


def _unfit(error: Exception) -> str:
    if isinstance(error, RecursionError):
        return "nests too deep"
    return "holds a number with too many digits"


class _Stream:
    """Reads JSON values from a text, and holds no more of it than the value that is being read."""

    def __init__(self, text: TextIOWrapper, begun: str) -> None:
        self._text = text
        self._held = begun
        self._at = 0
        self._lines_gone = 0

    def records(self, name: str, is_part: Callable[[object], bool]) -> Iterator[tuple[str, Any]]:
        place = name
        try:
            number = 1
            while first := self._next():
                place = name if number == 1 else f"{name}, value {number}"
                if first != "[":
                    yield place, self._value()
                else:
                    yield from self._array(place, is_part)
                number += 1
        except json.JSONDecodeError as error:
            line = self._lines_gone + self._held.count("\n", 0, error.pos) + 1
            yield name, Unreadable(f"not JSON: {error.msg} at line {line}; what follows was not read")
        except (ValueError, RecursionError) as error:
            yield name, Unreadable(f"{_unfit(error)}; what follows was not read")

    def _array(self, place: str, is_part: Callable[[object], bool]) -> Iterator[tuple[str, Any]]:
        items = self._items()
        begun = list(islice(items, 1))
        if begun and is_part(begun[0]):
            yield place, [*begun, *items]
            return
        for index, item in enumerate(chain(begun, items)):
            yield f"{place}[{index}]", item

    def _items(self) -> Iterator[Any]:
        self._at += 1
        while (character := self._next()) != "]":
            if not character:
                raise json.JSONDecodeError("the array has no end", self._held, self._at)
            yield self._value()
        self._at += 1

    def _next(self) -> str:
        """Go to the next value and return its first character, or an empty text at the end."""
        while True:
            self._at = _SPACE.match(self._held, self._at).end()  # type: ignore[union-attr]  # it matches nothing too
            if self._at < len(self._held):
                return self._held[self._at]
            if not self._more():
                return ""

    def _value(self) -> Any:
        while True:
            try:
                value, end = _DECODER.raw_decode(self._held, self._at)
            except json.JSONDecodeError as error:
                broken_off = error.pos > len(self._held) - _BROKEN_OFF or error.msg.startswith(_UNTERMINATED)
                if not broken_off or not self._more():
                    raise
            else:
                # A number at the end of the text held so far may continue.
                if end < len(self._held) or not self._more():
                    self._at = end
                    return value

    def _more(self) -> bool:
        # Doubling the text keeps the work for a large value proportional to its size.
        piece = self._text.read(max(_CHUNK, len(self._held) - self._at))
        if piece:
            self._lines_gone += self._held.count("\n", 0, self._at)
            self._held = self._held[self._at :] + piece
            self._at = 0
        return bool(piece)
