"""Rows: how what was read becomes the response, by functions that are made once for each plan."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Protocol

import orjson
from sqlalchemy import Numeric, Uuid

from agentdata.execution.query import sent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from sqlalchemy.types import TypeEngine

    from agentdata.execution.plan import Run
    from agentdata.execution.query import Read

    Key = Any
    Record = Sequence[Any]


class Step(Protocol):
    """What answers a field for all of its parents."""

    @property
    def total(self) -> bool:
        """Whether it answers every key; otherwise a key that it does not know is null."""

    @property
    def inline(self) -> Rows | None:
        """What is made of the key alone, where it needs nothing else."""

    def values(self, run: Run) -> Mapping[Key, Any]:
        """Give the value of each key, out of what was read."""


class Defaults(dict[Any, Any]):
    """Values of keys, and what a key has that is not among them."""

    def __init__(self, values: Mapping[Key, Any], default: Callable[[Key], Any]) -> None:
        super().__init__(values)
        self._default = default

    def __missing__(self, key: Key) -> Any:
        """Give what a key has that is not among them."""
        return self._default(key)


@dataclass
class Rows:
    """The selected fields of rows: how records become their parts of the response."""

    types: Mapping[str, TypeEngine[Any]]
    read: Read | None = None
    """What reads them; none where they are what a write gave."""
    steps: list[Step] = field(default_factory=list)
    _parts: list[tuple[str, str]] = field(default_factory=list)
    _make: Callable[..., list[dict[str, Any]]] | None = None

    def constant(self, key: str, value: str) -> None:
        """Answer a key with the same for all rows."""
        self._parts.append((key, repr(value)))

    def column(self, key: str, name: str) -> None:
        """Answer a key with a column."""
        self._need(name)
        self._parts.append((key, f"\0{name}\0"))

    def step(self, key: str, *steps: tuple[Step, str]) -> None:
        """Answer a key with what a step gives for a column; of several, for the first that is not null."""
        calls = []
        for step, by in steps:
            self._need(by)
            if step.inline is not None:
                calls.append(step.inline.of_key(by))
                continue
            place = f"m{len(self.steps)}"
            calls.append(f"{place}[\1{by}\1]" if step.total else f"{place}.get(\1{by}\1)")
            self.steps.append(step)
        # What a step gives may be an object without fields, which is not nothing.
        pairs = zip(calls[:-1], steps, strict=False)
        chosen = "".join(f"{call} if \1{by}\1 is not None else " for call, (_, by) in pairs)
        self._parts.append((key, chosen + calls[-1]))

    def of_key(self, by: str) -> str:
        """Give the expression for an object of which only the key is selected, by the column that has it."""
        entries = [
            f"{key!r}: {part if part[0] != chr(0) else f'{chr(1)}{by}{chr(1)}'}" for key, part in self._parts
        ]
        return f"(None if \1{by}\1 is None else {{{', '.join(entries)}}})"

    def objects(self, run: Run, records: Sequence[Any]) -> list[dict[str, Any]]:
        """Make records into their parts of the response, in their order."""
        if not records:
            return []
        if self._make is None:
            self._make = self._compiled()
        return self._make(records, *[step.values(run) for step in self.steps])

    def _need(self, name: str) -> None:
        if self.read is not None:
            self.read.need(name)

    def _compiled(self) -> Callable[..., list[dict[str, Any]]]:
        entries = []
        for key, part in self._parts:
            text = re.sub("\0(.*?)\0", lambda found: self._written(found[1]), part)
            entries.append(f"{key!r}: {re.sub(chr(1) + '(.*?)' + chr(1), lambda f: self._key(f[1]), text)}")
        maps = "".join(f", m{index}" for index in range(len(self.steps)))
        source = f"def make(rs{maps}):\n    return [{{{', '.join(entries)}}} for r in rs]"
        scope: dict[str, Any] = {"Fragment": orjson.Fragment, "time": _time}
        # Names of columns are the models' own and keys are written by repr: nothing of a client is code.
        exec(source, scope)  # noqa: S102
        return scope["make"]  # type: ignore[no-any-return]  # made by the line above

    def _written(self, name: str) -> str:
        type_ = self.types[name]
        if self.read is None:
            value = f"r.{name}"
            word = "str" if isinstance(type_, Uuid) else "float" if isinstance(type_, Numeric) else ""
            return f"(None if {value} is None else {word}({value}))" if word else value
        value, how = f"r[{self.read.at[name]}]", sent(type_).written
        return value if how == "{0}" else f"(None if {value} is None else {how.format(value)})"

    def _key(self, name: str) -> str:
        return self._written(name) if self.read is None else f"r[{self.read.at[name]}]"


def records_by_key(records: Iterable[Record], at: int) -> Iterable[tuple[Key, list[Record]]]:
    """Give each key the records that it stands in; those of one key come one after another."""
    for key, found in groupby(records, itemgetter(at)):
        yield key, list(found)


def _time(sent: str) -> str:
    """Write a time that was sent, as `2026-01-31 23:59:59.5`, as every time in a response is written."""
    clock = sent[11:]
    # PostgreSQL leaves out the zeros at the end of a fraction.
    return f"{sent[:10]}T{clock if len(clock) in (8, 15) else clock.ljust(15, '0')}Z"


def moment(sent: str) -> datetime:
    """Give a time that was sent as a time."""
    return datetime.fromisoformat(sent).replace(tzinfo=UTC)
