"""Queries: all that an operation reads, as one statement.

Each field that leads to other rows is a **read**: a row set with a key in each row, by which the field's
parents find theirs. The keys of a read come out of the read above it, inside the database, so that all reads
of an operation are one statement, one round trip and one snapshot, however deep it is:

    WITH r0 AS MATERIALIZED (sessions …), r1 AS MATERIALIZED (messages … of ARRAY(SELECT id FROM r0))
    SELECT 0, … FROM r0 UNION ALL SELECT 1, … FROM r1 UNION ALL SELECT 2, … FROM (calls … of r1)

What belongs to the document is compiled once; only which form a read has (its filter, order, cursor) and the
parameters come with each request.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson
from sqlalchemy import ARRAY, Boolean, DateTime, Float, Integer, Numeric, String, Uuid
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.dialects.postgresql.asyncpg import dialect as asyncpg_dialect

from agentdata.execution.kept import Kept
from agentdata.execution.links import KEYS, PROJECT
from agentdata.execution.plan import UnplannedError

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence

    from sqlalchemy import Select
    from sqlalchemy.types import TypeEngine

    from agentdata.execution.plan import Run

DIALECT = asyncpg_dialect(json_serializer=lambda value: orjson.dumps(value).decode())  # type: ignore[no-untyped-call]  # SQLAlchemy's
"""How statements are written for the driver."""

LIMIT = "limit"
"""The parameter that is written into the statement: PostgreSQL plans a page by its size."""

KEY = "key"
"""What the key of a read is called among its columns."""

_PARAMETER = re.compile(r"\$(\d+)")
_KEPT_CHARACTERS = 2_000_000
"""How many characters of SQL are kept of each kind: statements of single reads, and of whole operations."""


class Ask(NamedTuple):
    """What a request asks of a read: all that the SQL depends on, and the parameters."""

    shape: Hashable = None
    values: Mapping[str, Any] = {}
    limit: int | None = None
    beside: tuple[str, ...] = ()
    """Columns that are read beside those that the operation selects."""


NOTHING = Ask()


class GivenKeys(NamedTuple):
    """Keys that come with the request: one, or a list."""

    of: Callable[[Run], Any]
    many: bool = False


class Above(NamedTuple):
    """Keys that are a column of another read, of all of its rows or of those that a condition holds for."""

    read: Read
    column: str
    where: str = ""

    def sql(self, *, distinct: bool = False) -> str:
        """Give the statement of the keys."""
        column = self.read.column(self.column)
        select = "SELECT DISTINCT" if distinct else "SELECT"
        where = f"{column} IS NOT NULL" + (f" AND {self.where}" if self.where else "")
        return f"{select} {column} FROM r{self.read.place} WHERE {where}"


@dataclass(eq=False)
class Read:
    """One row set of a plan: how it is selected, and by which keys."""

    what: Hashable
    """What it reads. Reads of the same have the same SQL."""
    select: Callable[[Any, list[str]], Select[Any]]
    """Builds its statement, of its shape and columns: the key comes first."""
    types: Mapping[str, TypeEngine[Any]]
    keys: GivenKeys | list[Above] | None
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
            # The SQL of the reads is there twice: as part of the text, and by itself.
            self._texts.statements.put(key, statement, 2 * len(statement.text))
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
            case GivenKeys(of, many):
                number = self._number(("keys", read.place), lambda run, _: of(run), None)
                # Its length in sight, or out of sight: so that the plan is the same for any keys, and kept.
                if many:
                    return f"ARRAY(SELECT unnest({number}::{piece.key_type}[]))"
                return f"ARRAY[{number}::{piece.key_type}]"
            case [keys]:
                return f"ARRAY({keys.sql(distinct=True)})"
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
    # As text no digit is lost, which a cursor needs.
    ((Numeric,), _TEXT._replace(written="float({0})")),
    ((Float,), Sent("float8", "{0}::float8")),
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
