"""Plans: an operation compiled once into one statement and into functions that make rows into the response.

Each field that leads to other rows is a **read**: a row set with a key in each row, by which the field's
parents find theirs. The keys of a read come out of the read above it, inside the database, so that all reads
of an operation are one statement, one round trip and one snapshot, however deep it is:

    WITH r0 AS MATERIALIZED (sessions …), r1 AS MATERIALIZED (messages … of ARRAY(SELECT id FROM r0))
    SELECT 0, … FROM r0 UNION ALL SELECT 1, … FROM r1 UNION ALL SELECT 2, … FROM (calls … of r1)

What belongs to the document is compiled once; only which form a read has (its filter, order, cursor) and the
parameters come with each request. Plans hold no data.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import orjson
from sqlalchemy import ARRAY, Boolean, DateTime, Float, Integer, Numeric, String, Uuid
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.dialects.postgresql.asyncpg import dialect as asyncpg_dialect

from agentdata.execution.kept import Kept
from agentdata.execution.links import KEYS, PROJECT

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence

    from graphql import FragmentDefinitionNode, GraphQLError, OperationDefinitionNode
    from graphql.execution.values import VariableValues
    from sqlalchemy import Select
    from sqlalchemy.types import TypeEngine

    from agentdata.execution.explain import Explained

    Key = Any
    Record = Sequence[Any]

DIALECT = asyncpg_dialect(json_serializer=lambda value: orjson.dumps(value).decode())  # type: ignore[no-untyped-call]  # SQLAlchemy's
"""How statements are written for the driver."""

LIMIT = "limit"
"""The parameter that is written into the statement: PostgreSQL plans a page by its size."""

KEY = "key"
"""What the key of a read is called among its columns."""

_PARAMETER = re.compile(r"\$(\d+)")
_KEPT_CHARACTERS = 2_000_000
"""How many characters of SQL are kept of each kind: statements of single reads, and of whole operations."""


class UnplannedError(Exception):
    """A plan cannot hold the operation, or not with these values: it runs the plain way."""


class Plan(Protocol):
    """A compiled operation. It belongs to a document, not to a project or a key, and holds no data."""

    async def answer(self, context: Any, variables: VariableValues) -> tuple[Any, list[GraphQLError]]:
        """Run the plan for a request and give its data and errors.

        Raises:
            UnplannedError: Something of it is wrong; the plain way says what, and where. Nothing has run.

        """

    async def explain(self, context: Any, variables: VariableValues, *, analyze: bool) -> Explained:
        """Tell what the plan reads; with ``analyze`` also what each read takes, which runs it.

        Raises:
            UnplannedError: As ``answer`` does, or it is of an operation that writes.

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


class Ask(NamedTuple):
    """What a request asks of a read: all that the SQL depends on, and the parameters."""

    shape: Hashable = None
    values: Mapping[str, Any] = {}
    limit: int | None = None
    beside: tuple[str, ...] = ()
    """Columns that are read beside those that the operation selects."""


NOTHING = Ask()


class Given(NamedTuple):
    """Keys that come with the request: one, or a list."""

    of: Callable[[Run], Any]
    many: bool = False


class Above(NamedTuple):
    """Keys that are a column of another read, of all of its rows or of those that a condition holds for."""

    read: Read
    column: str
    where: str = ""

    def sql(self) -> str:
        """Give the statement of the keys."""
        column = self.read.column(self.column)
        where = f"{column} IS NOT NULL" + (f" AND {self.where}" if self.where else "")
        return f"SELECT {column} FROM r{self.read.place} WHERE {where}"  # noqa: S608  # names of ours


@dataclass(eq=False)
class Read:
    """One row set of a plan: how it is selected, and by which keys."""

    what: Hashable
    """What it reads. Reads of the same have the same SQL."""
    select: Callable[[Any, list[str]], Select[Any]]
    """Builds its statement, of its shape and columns: the key comes first."""
    types: Mapping[str, TypeEngine[Any]]
    keys: Given | list[Above] | None
    ask: Callable[[Mapping[int, Any]], Ask] = lambda _: NOTHING
    names: list[str] = field(default_factory=list)
    path: str = ""
    """Where in the document it is asked for."""
    key_type: TypeEngine[Any] | None = field(default_factory=Uuid)
    same: str | None = None
    """The column that holds the key as well, if there is one."""
    place: int = 0
    at: dict[str, int] = field(default_factory=dict)
    """Where in a record its columns stand."""

    def need(self, name: str) -> None:
        """Read a column."""
        if name not in self.names and name != KEY:
            self.names.append(name)

    def column(self, name: str, beside: Sequence[str] = ()) -> str:
        """Give what a column is called inside of the statement."""
        return "c0" if name == KEY else f"c{[*self.names, *beside].index(name) + 1}"

    @property
    def above(self) -> list[Read]:
        """The reads that its keys come from."""
        return [keys.read for keys in self.keys] if isinstance(self.keys, list) else []

    def is_below(self, other: Read) -> bool:
        """Tell whether its keys come from another read, at whatever distance."""
        return any(read is other or read.is_below(other) for read in self.above)

    def type(self, name: str) -> TypeEngine[Any]:
        """Give the type of a column."""
        if name == KEY and self.key_type is not None:
            return self.key_type
        return self.types[name]


class _Piece(NamedTuple):
    """A read's own statement: text between parameters, and the parameters by name."""

    texts: list[str]
    names: list[str]
    parameters: dict[str, tuple[Any, Callable[[Any], Any] | None]]
    key_type: str


class Statement(NamedTuple):
    """A statement as the driver takes it, and where in the records of each read its columns stand."""

    text: str
    parameters: list[tuple[Callable[[Run, Sequence[Ask]], Any], Callable[[Any], Any] | None]]
    places: list[dict[str, int]]
    reads: list[str]
    """The SQL of each read by itself, as it stands in the text."""

    def arguments(self, run: Run, asks: Sequence[Ask]) -> list[Any]:
        """Give the parameters in the driver's order."""
        return [
            process(value) if process is not None and value is not None else value
            for value, process in ((get(run, asks), process) for get, process in self.parameters)
        ]


class Texts:
    """The SQL of reads and of whole operations, kept while it is in use."""

    def __init__(self, characters: int = _KEPT_CHARACTERS) -> None:
        self.pieces: Kept[_Piece] = Kept(characters)
        self.statements: Kept[Statement] = Kept(characters)

    def piece(self, read: Read, ask: Ask) -> _Piece:
        """Give the statement of a read."""
        names = [*read.names, *ask.beside]
        key = (read.what, ask.shape, tuple(names))
        piece = self.pieces.get(key)
        if piece is None:
            piece = _compiled(read.select(ask.shape, names))
            self.pieces.put(key, piece, sum(map(len, piece.texts)))
        return piece


def _compiled(select: Select[Any]) -> _Piece:
    compiled = select.compile(dialect=DIALECT)
    order = compiled.positiontup or []
    texts = _PARAMETER.split(str(compiled))
    parameters: dict[str, tuple[Any, Callable[[Any], Any] | None]] = {}
    for name in order:
        type_ = compiled.binds[name].type
        parameters[name] = (
            compiled.params[name],
            type_.dialect_impl(DIALECT).bind_processor(DIALECT),
        )
    keys = compiled.binds.get(KEYS)
    key_type = "" if keys is None else keys.type.item_type.compile(DIALECT)  # type: ignore[attr-defined]  # an ARRAY
    return _Piece(texts[::2], [order[int(number) - 1] for number in texts[1::2]], parameters, key_type)


class Query:
    """The reads of a plan. Together they are one statement."""

    def __init__(self, texts: Texts) -> None:
        self.reads: list[Read] = []
        self._texts = texts
        self._slots: list[str] = []

    def add(self, read: Read) -> Read:
        """Add a read."""
        self.reads.append(read)
        return read

    def lay_out(self) -> None:
        """Say where each read and, in its records, each column stands, once it is known what is read."""
        reads, self.reads = self.reads, []
        for read in reads:
            self._place(read)
        for read in self.reads:
            self._stand(read, read.names, read.at, self._slots)
            if read.key_type is not None:
                if read.same in read.at:
                    read.at[KEY] = read.at[read.same]
                else:
                    self._stand(read, [KEY], read.at, self._slots)

    def _place(self, read: Read) -> None:
        """Place a read behind those that its keys come from."""
        if read not in self.reads:
            for above in read.above:
                self._place(above)
            read.place = len(self.reads)
            self.reads.append(read)

    def _stand(self, read: Read, names: Iterable[str], at: dict[str, int], slots: list[str]) -> None:
        """Give columns the first places of their types that are still free in the read's records."""
        tag = int(self.tagged)
        taken = {place - tag for place in at.values()}
        for name in names:
            kind = sent(read.type(name)).type
            free = (place for place, of in enumerate(slots) if of == kind and place not in taken)
            place = next(free, len(slots))
            if place == len(slots):
                slots.append(kind)
            taken.add(place)
            at[name] = place + tag

    @property
    def tagged(self) -> bool:
        """Tell whether the first column of a record says which read it is of."""
        return len(self.reads) > 1

    async def run(self, run: Run) -> None:
        """Read everything, in one statement."""
        if not self.reads:
            return
        statement, arguments = self.prepare(run)
        records = await run.fetch(statement.text, arguments)
        if not self.tagged:
            run.records = [records]
            return
        run.records = [[] for _ in self.reads]
        for place, found in groupby(records, itemgetter(0)):
            run.records[place] += found

    def prepare(self, run: Run) -> tuple[Statement, list[Any]]:
        """Give the statement for what is asked, and its parameters."""
        asks = [read.ask(run.given) for read in self.reads]
        run.statement = self.statement(asks)
        return run.statement, run.statement.arguments(run, asks)

    def statement(self, asks: Sequence[Ask]) -> Statement:
        """Give the statement of a form."""
        key = (self, *[(ask.shape, ask.limit, ask.beside) for ask in asks])
        statement = self._texts.statements.get(key)
        if statement is None:
            statement = _Assembly(self, asks, self._texts).statement()
            self._texts.statements.put(key, statement, len(statement.text))
        return statement

    def places(self, asks: Sequence[Ask]) -> tuple[list[str], list[dict[str, int]]]:
        """Give the types that records hold, and where everything that is read of each read stands."""
        slots = [*self._slots]
        places = [{**read.at} for read in self.reads]
        for read, ask, at in zip(self.reads, asks, places, strict=True):
            self._stand(read, ask.beside, at, slots)
        return slots, places


class _Assembly:
    """Puts the statements of reads together into one."""

    def __init__(self, query: Query, asks: Sequence[Ask], texts: Texts) -> None:
        self._query = query
        self._asks = asks
        self._texts = texts
        self._numbers: dict[Hashable, int] = {}
        self._parameters: list[Any] = []

    def statement(self) -> Statement:
        reads = self._query.reads
        slots, places = self._query.places(self._asks)
        above = {each for read in reads for each in read.above}
        tables, branches, owns = [], [], []
        for read, ask, at in zip(reads, self._asks, places, strict=True):
            columns = ", ".join(f"c{number}" for number in range(len(read.names) + len(ask.beside) + 1))
            own, table = self._own(read, ask), f"r{read.place}"
            owns.append(own)
            source = f"(\n{own}\n) AS {table} ({columns})"
            if read in above:
                tables.append(f"{table} ({columns}) AS MATERIALIZED (\n{own}\n)")
                source = table
            branches.append(f"SELECT {self._sent(read, ask, slots, at)} FROM {source}")  # noqa: S608  # compiled parts
        head = "WITH " + ",\n".join(tables) + "\n" if tables else ""
        return Statement(head + "\nUNION ALL\n".join(branches), self._parameters, places, owns)

    def _own(self, read: Read, ask: Ask) -> str:
        """Give a read's own statement, with what stands for its parameters."""
        piece = self._texts.piece(read, ask)
        filled = [piece.texts[0]]
        for name, text in zip(piece.names, piece.texts[1:], strict=True):
            filled += [self._value(read, ask, name, piece), text]
        return "".join(filled)

    def _value(self, read: Read, ask: Ask, name: str, piece: _Piece) -> str:
        """Give what stands for a parameter of a read's own statement."""
        if name == KEYS:
            return self._keys(read, piece)
        if name == PROJECT:
            return self._number(PROJECT, lambda run, _: run.principal.project_id, None)
        if name == LIMIT and ask.limit is not None:
            return str(ask.limit)
        fixed, process = piece.parameters[name]
        place = read.place
        if name in ask.values:
            return self._number((place, name), lambda _, asks: asks[place].values[name], process)
        return self._number((place, name), lambda *_: fixed, process)

    def _keys(self, read: Read, piece: _Piece) -> str:
        match read.keys:
            case Given(of, many):
                number = self._number(("keys", read.place), lambda run, _: of(run), None)
                # Its length in sight, or out of sight: so that the plan is the same for any keys, and kept.
                if many:
                    return f"ARRAY(SELECT unnest({number}::{piece.key_type}[]))"
                return f"ARRAY[{number}::{piece.key_type}]"
            case [keys]:
                return f"ARRAY({keys.sql().replace('SELECT', 'SELECT DISTINCT', 1)})"
            case [*several]:
                return f"ARRAY({' UNION '.join(keys.sql() for keys in several)})"
        raise AssertionError("a read without keys has no parameter for them")

    def _number(self, key: Hashable, get: Any, process: Any) -> str:
        if key not in self._numbers:
            self._numbers[key] = len(self._numbers) + 1
            self._parameters.append((get, process))
        return f"${self._numbers[key]}"

    def _sent(self, read: Read, ask: Ask, slots: list[str], at: Mapping[str, int]) -> str:
        """Give what is sent of a read's rows: what it has not is null."""
        tag = int(self._query.tagged)
        columns = [f"NULL::{kind}" for kind in slots]
        for name, place in at.items():
            columns[place - tag] = sent(read.type(name)).column.format(read.column(name, ask.beside))
        return ", ".join([*([str(read.place)] if tag else []), *(columns or ["NULL"])])


class Sent(NamedTuple):
    """How a column is sent: the type, what is selected of it, and what is written into the response."""

    type: str
    column: str
    written: str = "{0}"


_TEXT = Sent("text", "{0}::text")
_SENT: tuple[tuple[tuple[Any, ...], Sent], ...] = (
    ((Uuid, String), _TEXT),
    ((JSONB,), _TEXT._replace(written="Fragment({0})")),
    ((DateTime,), Sent("text", "({0} AT TIME ZONE 'UTC')::text", "time({0})")),
    ((ARRAY,), Sent("text[]", "{0}::text[]")),
    ((Integer,), Sent("int8", "{0}::int8")),
    ((Numeric, Float), Sent("float8", "{0}::float8")),
    ((Boolean,), Sent("bool", "{0}")),
)


def sent(type_: TypeEngine[Any]) -> Sent:
    """Tell how a column of a type is sent.

    Ids, JSON and times are sent as text, as they are in the response or nearly so: what the driver would make
    of them costs more than all the rest of a row.

    Raises:
        UnplannedError: No column of the contract has had this type so far.

    """
    for types, how in _SENT:
        if isinstance(type_, types):
            return how
    raise UnplannedError


def _time(sent: str) -> str:
    """Write a time that was sent, as `2026-01-31 23:59:59.5`, as every time in a response is written."""
    clock = sent[11:]
    # PostgreSQL leaves out the zeros at the end of a fraction.
    return f"{sent[:10]}T{clock if len(clock) in (8, 15) else clock.ljust(15, '0')}Z"


def moment(sent: str) -> datetime:
    """Give a time that was sent as a time."""
    return datetime.fromisoformat(sent).replace(tzinfo=UTC)


@dataclass
class Run:
    """One execution of a plan: for whom, what was asked, and what was read."""

    principal: Any
    fetch: Callable[[str, list[Any]], Any]
    given: Mapping[int, Any]
    written: Sequence[Any] = ()
    """The rows that a write gave."""
    errors: list[GraphQLError] = field(default_factory=list)
    records: list[list[Record]] = field(default_factory=list)
    statement: Statement | None = None

    def of(self, read: Read) -> list[Record]:
        """Give the records of a read."""
        return self.records[read.place]

    def places(self, read: Read) -> dict[str, int]:
        """Tell where in the records of a read its columns stand, those beside the selected ones included."""
        return self.statement.places[read.place] if self.statement else {}


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
            return f"(None if {value} is None else str({value}))" if isinstance(type_, Uuid) else value
        value, how = f"r[{self.read.at[name]}]", sent(type_).written
        return value if how == "{0}" else f"(None if {value} is None else {how.format(value)})"

    def _key(self, name: str) -> str:
        return self._written(name) if self.read is None else f"r[{self.read.at[name]}]"


def records_by_key(records: Iterable[Record], at: int) -> Iterable[tuple[Key, list[Record]]]:
    """Give each key the records that it stands in; those of one key come one after another."""
    for key, found in groupby(records, itemgetter(at)):
        yield key, list(found)
