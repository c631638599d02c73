"""Plans: an operation compiled once into statements and into functions that make rows into the response.

A step answers one field for all of its parents: it gives a value for each of their keys, by as many
statements as for one. Steps know the SQL and the columns that the operation selects, and hold no data.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import orjson
from sqlalchemy import ARRAY, Numeric, Text, Uuid, cast
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.dialects.postgresql.asyncpg import dialect as asyncpg_dialect

from agentdata.execution.links import KEYS, PROJECT

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Hashable, Iterable, Mapping, Sequence
    from uuid import UUID

    from graphql import FragmentDefinitionNode, GraphQLError, OperationDefinitionNode
    from graphql.execution.values import VariableValues
    from sqlalchemy import Select
    from sqlalchemy.types import TypeEngine

    Key = Any
    Record = Sequence[Any]

DIALECT = asyncpg_dialect(json_serializer=lambda value: orjson.dumps(value).decode())  # type: ignore[no-untyped-call]  # SQLAlchemy's
"""How statements are written for the driver."""

_MOST_SHAPES = 8
"""How many forms of one statement a step keeps; clients decide how many there are."""


class UnplannedError(Exception):
    """A plan cannot hold the operation, or not with these values: it runs the plain way."""


class Statement:
    """A statement as the driver takes it: text, and how its parameters come out of values by name."""

    def __init__(self, select: Select[Any]) -> None:
        # JSON goes from the database into the response as text; only SQLAlchemy's own results are parsed.
        columns = [*select.selected_columns]
        texts = [cast(column, Text) if isinstance(column.type, JSONB) else column for column in columns]
        if any(isinstance(column.type, JSONB) for column in columns):
            select = select.with_only_columns(*texts)
        compiled = select.compile(dialect=DIALECT)
        self.text = str(compiled)
        fixed = compiled.params
        self._parameters: list[tuple[str, Any, Callable[[Any], Any] | None]] = []
        for name in compiled.positiontup or ():
            type_ = compiled.binds[name].type
            self._parameters.append((name, fixed[name], type_.dialect_impl(DIALECT).bind_processor(DIALECT)))

    def parameters(self, values: Mapping[str, Any]) -> list[Any]:
        """Give the parameters in the driver's order; what has no value is part of the statement."""
        return [
            process(value) if process is not None and value is not None else value
            for name, fixed, process in self._parameters
            for value in (values.get(name, fixed),)
        ]


class Driver(Protocol):
    """A connection of asyncpg."""

    async def fetch(self, query: str, *args: Any) -> list[Record]:
        """Run a statement and give its rows."""


@dataclass
class Run:
    """One execution of a plan: whose data it reads, and what was asked."""

    open: Callable[[], Awaitable[Driver]]
    project_id: UUID
    given: dict[int, Any]
    errors: list[GraphQLError] = field(default_factory=list)
    _driver: Driver | None = None

    async def fetch(
        self, statement: Statement, keys: Sequence[Key] | None, values: Mapping[str, Any]
    ) -> list[Record]:
        """Run a statement for keys of parents; the transaction begins with the first."""
        if self._driver is None:
            self._driver = await self.open()
        return await self._driver.fetch(
            statement.text, *statement.parameters({PROJECT: self.project_id, KEYS: keys, **values})
        )


class Plan(Protocol):
    """A compiled operation. It belongs to a document, not to a project or a key, and holds no data."""

    async def answer(self, context: Any, variables: VariableValues) -> tuple[Any, list[GraphQLError]]:
        """Run the plan for a request and give its data and errors.

        Raises:
            UnplannedError: Something of it is wrong; the plain way says what, and where. Nothing has run.

        """


class Planner(Protocol):
    """What compiles operations."""

    def plan(
        self,
        operation: OperationDefinitionNode,
        fragments: Mapping[str, FragmentDefinitionNode],
        variables: VariableValues,
    ) -> Plan:
        """Compile an operation for the values that its @skip and @include have with these variables.

        Raises:
            UnplannedError: A plan cannot hold it.

        """


class Step(Protocol):
    """What answers a field for all of its parents."""

    async def values(self, run: Run, keys: list[Key]) -> Mapping[Key, Any]:
        """Give the value of each key; a key without one is null."""


class Shapes:
    """The statements of one step: one for each form of what is asked."""

    def __init__(self, build: Callable[[Any], Select[Any]]) -> None:
        self._build = build
        self._statements: dict[Hashable, Statement] = {}

    def __call__(self, shape: Hashable = None) -> Statement:
        """Give the statement of a form."""
        statement = self._statements.get(shape)
        if statement is None:
            if len(self._statements) >= _MOST_SHAPES:
                self._statements.clear()
            statement = self._statements[shape] = Statement(self._build(shape))
        return statement


_READERS: tuple[tuple[type[TypeEngine[Any]], str], ...] = (
    (Uuid, "str({0})"),
    (JSONB, "Fragment({0})"),
    (Numeric, "float({0})"),
)
"""How a column's value is written into the response, where not as it is. Float is a Numeric as well."""


def written(type_: TypeEngine[Any], value: str) -> str:
    """Give the expression that writes a column's value, given as an expression."""
    if isinstance(type_, ARRAY):
        return value
    for kind, expression in _READERS:
        if isinstance(type_, kind):
            return f"(None if {value} is None else {expression.format(value)})"
    return value


@dataclass
class Rows:
    """The selected fields of rows: which columns are read, and how a row becomes its part of the response.

    Position 0 of a record is the key of the parent; columns follow in the order of ``names``.
    """

    types: Mapping[str, TypeEngine[Any]]
    names: list[str] = field(default_factory=list)
    steps: list[tuple[Step, str]] = field(default_factory=list)
    _parts: list[tuple[str, str]] = field(default_factory=list)
    _make: Callable[..., dict[str, Any]] | None = None
    _read: Callable[..., dict[str, Any]] | None = None

    def position(self, name: str) -> int:
        """Give where a column stands in a record, and read it."""
        if name not in self.names:
            self.names.append(name)
        return self.names.index(name) + 1

    def constant(self, key: str, value: str) -> None:
        """Answer a key with the same for all rows."""
        self._parts.append((key, repr(value)))

    def column(self, key: str, name: str) -> None:
        """Answer a key with a column."""
        self.position(name)
        self._parts.append((key, f"\0{name}\0"))

    def step(self, key: str, *steps: tuple[Step, str]) -> None:
        """Answer a key with what a step gives for a column; of several, for the first that is not null."""
        calls = []
        for step, by in steps:
            self.position(by)
            calls.append(f"m{len(self.steps)}(\1{by}\1)")
            self.steps.append((step, by))
        # What a step gives may be an object without fields, which is not nothing.
        pairs = zip(calls[:-1], steps, strict=False)
        chosen = "".join(f"{call} if \1{by}\1 is not None else " for call, (_, by) in pairs)
        self._parts.append((key, chosen + calls[-1]))

    async def objects(self, run: Run, records: Sequence[Record]) -> list[dict[str, Any]]:
        """Make records into their parts of the response, in their order."""
        maps = await self._maps(run, {by: {r[self.position(by)] for r in records} for _, by in self.steps})
        if self._make is None:
            self._make = self._compiled(lambda name: f"r[{self.position(name)}]", written)
        make = self._make
        return [make(record, *maps) for record in records]

    async def read(self, run: Run, rows: Sequence[Any]) -> list[dict[str, Any]]:
        """Make rows that a write gave, with values as Python has them, into their parts of the response."""
        maps = await self._maps(run, {by: {getattr(row, by) for row in rows} for _, by in self.steps})
        return self.made(rows, *maps)

    async def _maps(self, run: Run, keys: Mapping[str, set[Key]]) -> list[Callable[[Key], Any]]:
        """Give what each step has for the keys that its column holds."""
        maps: list[Callable[[Key], Any]] = []
        for step, by in self.steps:
            known = [key for key in keys[by] if key is not None]
            maps.append((await step.values(run, known) if known else {}).get)
        return maps

    def made(self, rows: Sequence[Any], *maps: Callable[[Key], Any]) -> list[dict[str, Any]]:
        """Make rows that a write gave into the response, with what steps gave, if there are any."""
        if self._read is None:
            self._read = self._compiled(lambda name: f"r.{name}", _as_python)
        make = self._read
        return [make(row, *maps) for row in rows]

    def _compiled(
        self, access: Callable[[str], str], write: Callable[[TypeEngine[Any], str], str]
    ) -> Callable[..., dict[str, Any]]:
        entries = []
        for key, expression in self._parts:
            if expression.startswith("\0"):
                name = expression.strip("\0")
                entries.append(f"{key!r}: {write(self.types[name], access(name))}")
            else:
                reads = re.sub("\1(.*?)\1", lambda match: access(match[1]), expression)
                entries.append(f"{key!r}: {reads}")
        maps = "".join(f", m{index}" for index in range(len(self.steps)))
        scope: dict[str, Any] = {"Fragment": orjson.Fragment}
        # Columns are named by the models, keys are written as literals: nothing of a client is run.
        exec(f"def make(r{maps}): return {{{', '.join(entries)}}}", scope)  # noqa: S102  # see above
        return scope["make"]  # type: ignore[no-any-return]  # made by the line above


def _as_python(type_: TypeEngine[Any], value: str) -> str:
    return f"(None if {value} is None else str({value}))" if isinstance(type_, Uuid) else value


def groups(records: Iterable[Record], keys: Iterable[Key]) -> dict[Key, list[Record]]:
    """Give each key the records that begin with it, in their order."""
    found: dict[Key, list[Record]] = {key: [] for key in keys}
    for record in records:
        found[record[0]].append(record)
    return found
