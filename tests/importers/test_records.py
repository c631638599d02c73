"""Records are read one at a time, each with its place, from files of every layout."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest

from agentdata.importers.message import is_message
from agentdata.importers.records import Unreadable, records

A, B = {"messages": [{"role": "user", "content": "a"}]}, {"messages": [{"role": "user", "content": "b"}]}
SAID = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]


def read(text: str | bytes, name: str = "f.json") -> list[tuple[str, Any]]:
    data = text.encode() if isinstance(text, str) else text
    return list(records(io.BytesIO(data), name, is_message))


@pytest.mark.parametrize(
    ("text", "name", "found"),
    [
        (f"{json.dumps(A)}\n\r\n{json.dumps(B)}", "f.jsonl", [("f.jsonl:1", A), ("f.jsonl:3", B)]),
        (f"{json.dumps(A)}\n{json.dumps(SAID)}\n", "f.txt", [("f.txt:1", A), ("f.txt:2", SAID)]),
        (json.dumps([A, B]), "f.json", [("f.json[0]", A), ("f.json[1]", B)]),
        (json.dumps([A, B], indent=2), "f.json", [("f.json[0]", A), ("f.json[1]", B)]),
        (json.dumps(SAID), "f.json", [("f.json", SAID)]),
        (json.dumps(A, indent=2), "f.json", [("f.json", A)]),
        (
            f"{json.dumps(A, indent=2)}\n{json.dumps([B], indent=2)}",
            "f.json",
            [("f.json", A), ("f.json, value 2[0]", B)],
        ),
        ("\ufeff[1, null]", "f.json", [("f.json[0]", 1), ("f.json[1]", None)]),
        ("[]", "f.json", []),
        (" \n", "f.json", []),
        ("", "f.jsonl", []),
        ("12", "f.json", [("f.json", 12)]),
    ],
)
def test_records_are_found_in_every_layout(text: str, name: str, found: list[tuple[str, Any]]) -> None:
    assert read(text, name) == found


def test_the_lines_after_a_bad_line_are_read() -> None:
    first, bad, deep, last = read('{"a": 1}\n{"a": }\n' + "[" * 100_000 + '\n{"b": 2}\n', "f.jsonl")
    assert (first, last) == (("f.jsonl:1", {"a": 1}), ("f.jsonl:4", {"b": 2}))
    assert bad == ("f.jsonl:2", Unreadable("not JSON: Expecting value at column 7"))
    assert deep == ("f.jsonl:3", Unreadable("nests too deep"))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (
            '[{"a": 1},\n{"b" 2},\n{"c": 3}]',
            "not JSON: Expecting ':' delimiter at line 2; what follows was not read",
        ),
        ('[{"a": 1},\n', "not JSON: the array has no end at line 2; what follows was not read"),
        (
            '[{"a": 1}, {"b": "x',
            "not JSON: Unterminated string starting at at line 1; what follows was not read",
        ),
        ('[{"a": 1}, ' + "9" * 5000 + "]", "holds a number with too many digits; what follows was not read"),
    ],
)
def test_the_items_before_an_error_in_an_array_are_read(text: str, reason: str) -> None:
    assert read(text) == [("f.json[0]", {"a": 1}), ("f.json", Unreadable(reason))]


def test_values_larger_than_one_chunk_are_read() -> None:
    large = [{"text": letter * 3_000_000, "number": 10**15} for letter in "aéz"]
    assert [value for _, value in read(json.dumps(large, ensure_ascii=False))] == large
    assert [value for _, value in read(json.dumps(list(range(700_000)), indent=0))] == list(range(700_000))


def test_memory_does_not_grow_with_the_file() -> None:
    class Endless(io.RawIOBase):
        """An array without an end."""

        begun = False
        given = 0

        def readable(self) -> bool:
            return True

        def readinto(self, buffer: Any) -> int:
            piece = b'{"a": 1},\n' * (len(buffer) // 10) if self.begun else b"[\n"
            self.begun = True
            self.given += len(piece)
            buffer[: len(piece)] = piece
            return len(piece)

    file = Endless()
    found = records(file, "f.json", is_message)  # type: ignore[arg-type]  # it is read only
    for index in range(100_000):
        assert next(found) == (f"f.json[{index}]", {"a": 1})
    assert file.given < 40 * 1024 * 1024
