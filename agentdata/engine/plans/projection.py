"""Projections: how records become objects of the response, by functions that are compiled once for each plan.

What a client selected of an object is a list of entries, each a key of the response and an expression.
Expressions are small dataclasses that render Python source; a projection renders them into one function over
all records.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import orjson
from sqlalchemy import Numeric, Uuid

from agentdata.engine.plans.statements import wire_format

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from sqlalchemy.types import TypeEngine

    from agentdata.engine.plans.run import Run
    from agentdata.engine.plans.statements import Read

    Key = Any


class Failed(NamedTuple):
    """Stands in an object for a field that failed, until its error is reported and the field becomes null."""

    slot: int
    """The slot that holds the error."""


class Step(Protocol):
    """Answers a field for all of its parents."""

    @property
    def complete(self) -> bool:
        """Whether it has a value for every key; otherwise a key that it does not have is null."""

    @property
    def inline(self) -> Projection | None:
        """The projection of the key alone, if it needs nothing else."""

    def values(self, run: Run) -> Mapping[Key, Any]:
        """Return the value of each key, out of the records that were read."""


@dataclass(frozen=True)
class _Constant:
    """The same value for all records."""

    value: str

    def render(self, _: Projection) -> str:
        return repr(self.value)


@dataclass(frozen=True)
class _Failure:
    """A field that fails for every record."""

    slot: int

    def render(self, _: Projection) -> str:
        return f"Failed({self.slot})"


@dataclass(frozen=True)
class _Column:
    """A column of the record, as the response has it."""

    name: str

    def render(self, projection: Projection) -> str:
        type_ = projection.types[self.name]
        if projection.read is None:
            value = f"r.{self.name}"
            convert = "str" if isinstance(type_, Uuid) else "float" if isinstance(type_, Numeric) else None
            return value if convert is None else f"(None if {value} is None else {convert}({value}))"
        value, response = f"r[{projection.read.at[self.name]}]", wire_format(type_).response
        return value if response == "{0}" else f"(None if {value} is None else {response.format(value)})"


@dataclass(frozen=True)
class _Key:
    """A column of the record as a key: as the maps of steps and the records hold it."""

    name: str

    def render(self, projection: Projection) -> str:
        if projection.read is None:
            return _Column(self.name).render(projection)
        return f"r[{projection.read.at[self.name]}]"


@dataclass(frozen=True)
class _Lookup:
    """The value that a step has for a key."""

    step: int
    key: _Key
    complete: bool

    def render(self, projection: Projection) -> str:
        key = self.key.render(projection)
        return f"m{self.step}[{key}]" if self.complete else f"m{self.step}.get({key})"


@dataclass(frozen=True)
class _KeyObject:
    """An object of which only the key, and constants, are selected: it needs no step. Null without a key."""

    key: _Key
    projection: Projection

    def render(self, projection: Projection) -> str:
        key = self.key.render(projection)
        entries = ", ".join(
            f"{name!r}: {key if isinstance(entry, _Column) else entry.render(projection)}"
            for name, entry in self.projection.entries
        )
        return f"(None if {key} is None else {{{entries}}})"


@dataclass(frozen=True)
class _FirstPresent:
    """The value of the first key that is not null; of the last one if all are."""

    choices: tuple[tuple[_Key, _Lookup | _KeyObject], ...]

    def render(self, projection: Projection) -> str:
        *firsts, (_, last) = self.choices
        conditions = [
            f"{value.render(projection)} if {key.render(projection)} is not None else "
            for key, value in firsts
        ]
        return "".join(conditions) + last.render(projection)


_Expression = _Constant | _Failure | _Column | _FirstPresent


@dataclass
class Projection:
    """The selected fields of rows, and how records become objects with them."""

    types: Mapping[str, TypeEngine[Any]]
    read: Read | None = None
    """The read that the records come from; None for rows that a write returned."""
    steps: list[Step] = field(default_factory=list)
    entries: list[tuple[str, _Expression]] = field(default_factory=list)
    _function: Callable[..., list[dict[str, Any]]] | None = None

    def constant(self, key: str, value: str) -> None:
        """Answer a key with the same value for all rows."""
        self.entries.append((key, _Constant(value)))

    def failure(self, key: str, slot: int) -> None:
        """Answer a key with ``Failed`` for all rows."""
        self.entries.append((key, _Failure(slot)))

    def column(self, key: str, name: str) -> None:
        """Answer a key with a column."""
        self._need(name)
        self.entries.append((key, _Column(name)))

    def step(self, key: str, *steps: tuple[Step, str]) -> None:
        """Answer a key with a step's value for a column; of several columns, the first not null decides."""
        choices: list[tuple[_Key, _Lookup | _KeyObject]] = []
        for step, by in steps:
            self._need(by)
            column = _Key(by)
            if step.inline is not None:
                choices.append((column, _KeyObject(column, step.inline)))
            else:
                choices.append((column, _Lookup(len(self.steps), column, step.complete)))
                self.steps.append(step)
        # The column decides, not the value: a step may return {}, which must not be treated as null.
        self.entries.append((key, _FirstPresent(tuple(choices))))

    def objects(self, run: Run, records: Sequence[Any]) -> list[dict[str, Any]]:
        """Make each record into its object of the response, in the records' order."""
        if not records:
            return []
        if self._function is None:
            self._function = self._compiled()
        return self._function(records, *[step.values(run) for step in self.steps])

    def _need(self, name: str) -> None:
        if self.read is not None:
            self.read.need(name)

    def _compiled(self) -> Callable[..., list[dict[str, Any]]]:
        entries = ", ".join(f"{key!r}: {expression.render(self)}" for key, expression in self.entries)
        maps = "".join(f", m{index}" for index in range(len(self.steps)))
        source = f"def objects(rs{maps}):\n    return [{{{entries}}} for r in rs]"
        scope: dict[str, Any] = {"Fragment": orjson.Fragment, "time": _time, "Failed": Failed}
        # Column names are the models' own and keys are written by repr: no text of a client is code.
        exec(source, scope)  # noqa: S102
        # The function holds the scope; the scope must not hold the function, or both are never freed by
        # themselves.
        return scope.pop("objects")  # type: ignore[no-any-return]  # defined by the line above


def _time(sent: str) -> str:
    """Write a time that was sent as `2026-01-31 23:59:59.5` as the response has it."""
    clock = sent[11:]
    # PostgreSQL leaves out the zeros at the end of a fraction.
    return f"{sent[:10]}T{clock if len(clock) in (8, 15) else clock.ljust(15, '0')}Z"
