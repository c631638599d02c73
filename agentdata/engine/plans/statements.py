"""The statement of a plan: everything that an operation reads, in one round trip and one snapshot.

Each field that leads to other rows is a **read**: a set of rows with a key in each, by which the field's
parents find theirs. The keys of a read come out of the read above it, inside the database, so all reads of an
operation are one statement, however deep it is:

    WITH r0 AS MATERIALIZED (sessions …), r1 AS MATERIALIZED (messages … of ARRAY(SELECT id FROM r0))
    SELECT 0, … FROM r0 UNION ALL SELECT 1, … FROM r1 UNION ALL SELECT 2, … FROM (calls … of r1)

A read is compiled once for each shape (its filter, order and cursor) and selection of columns; the size of a
page is written in when the statement is assembled. A request chooses the form of each read and sends the
parameters.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson
from sqlalchemy import ARRAY, JSON, Boolean, DateTime, Float, Integer, Numeric, String, Uuid
from sqlalchemy.dialects.postgresql.asyncpg import dialect as asyncpg_dialect

from agentdata.engine.aside import COMPILING
from agentdata.engine.lru import WeightedLRU
from agentdata.engine.plans.run import UnplannedError
from agentdata.engine.sql.links import KEYS
from agentdata.engine.sql.pages import LIMIT
from agentdata.engine.sql.tenancy import TENANT
from agentdata.errors import LimitExceededError

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence

    from sqlalchemy import Select
    from sqlalchemy.types import TypeEngine

    from agentdata.engine.plans.run import Record, Run

    Process = Callable[[Any], Any] | None
    """Converts a parameter for the driver, or None for values sent as they are."""

DIALECT = asyncpg_dialect(json_serializer=lambda value: orjson.dumps(value).decode())  # type: ignore[no-untyped-call]  # SQLAlchemy's
"""How statements are written for the driver."""

KEY = "key"
"""The name of a read's key among its columns."""

_PLANNED_BY_VALUES = "{} OR (SELECT count(*) > 0 FROM generate_series(1, 1000000000000))"
"""A condition that makes PostgreSQL plan a statement for the values of each execution. Its parameter is true.

After five executions PostgreSQL compares the costs of such plans with those of one for any values. That takes
each value for an ordinary one: a filter that leaves few rows, or none, may then take thousands of times as
long. With this condition the plan for any values seems to cost too much. In all others it is the constant
true, so the subselect is never executed.
"""

_PARAMETER = re.compile(r"\$(\d+)")
_MAX_CHARACTERS = 1_000_000
"""How long the SQL of an operation may be; PostgreSQL takes seconds to read and plan a longer one."""
_MAX_VALUES = 50_000
"""How many values the lists among the parameters may have; the driver encodes them in the event loop."""
_CACHED_CHARACTERS = 2_000_000
"""How many characters of SQL are cached of each kind: of single reads, and of whole operations."""


class ReadForm(NamedTuple):
    """The form of a read in one request: everything that its SQL depends on, and its parameters."""

    shape: Hashable = None
    values: Mapping[str, Any] = {}
    limit: int | None = None
    extra: tuple[str, ...] = ()
    """Columns that are read in addition to the selected ones."""
    by_values: bool = False
    """Whether the best plan depends on the values: on how many rows a filter leaves, for example."""


FIXED = ReadForm()
"""The form of reads that no argument changes."""


class RequestKeys(NamedTuple):
    """Keys that come with the request: one, or a list."""

    get: Callable[[Run], Any]
    many: bool = False


class ReadKeys(NamedTuple):
    """Keys that are a column of another read: of all of its rows, or of those that meet a condition."""

    read: Read
    column: str
    where: str = ""

    def sql(self, *, distinct: bool = False) -> str:
        """Write the SELECT of the keys."""
        column = self.read.column(self.column)
        select = "SELECT DISTINCT" if distinct else "SELECT"
        where = f"{column} IS NOT NULL" + (f" AND {self.where}" if self.where else "")
        return f"{select} {column} FROM r{self.read.position} WHERE {where}"


@dataclass(eq=False)
class Read:
    """One set of rows that a plan reads: how it is selected, and by which keys."""

    identity: Hashable
    """Identifies the rows. Reads of the same rows have the same SQL."""
    select: Callable[[Any, list[str]], Select[Any]]
    """Builds the SELECT of a shape with the named columns behind the key."""
    types: Mapping[str, TypeEngine[Any]]
    keys: RequestKeys | list[ReadKeys] | None
    form: Callable[[Mapping[int, Any]], ReadForm] = lambda _: FIXED
    """Returns the form for the bound arguments of a request."""
    names: list[str] = field(default_factory=list)
    path: str = ""
    """Where in the document the rows are selected."""
    key_type: TypeEngine[Any] | None = field(default_factory=Uuid)
    key_column: str | None = None
    """The column that equals the key, if there is one: the key is not sent twice."""
    position: int = 0
    at: dict[str, int] = field(default_factory=dict)
    """Where in a record each column stands."""

    def need(self, name: str) -> None:
        """Read a column."""
        if name not in self.names and name != KEY:
            self.names.append(name)

    def column(self, name: str, extra: Sequence[str] = ()) -> str:
        """Return the name of a column inside of the statement."""
        return "c0" if name == KEY else f"c{[*self.names, *extra].index(name) + 1}"

    @property
    def above(self) -> list[Read]:
        """The reads that its keys come from."""
        return [keys.read for keys in self.keys] if isinstance(self.keys, list) else []

    def is_below(self, other: Read) -> bool:
        """Return whether its keys come from another read, directly or through others."""
        return any(read is other or read.is_below(other) for read in self.above)

    def type(self, name: str) -> TypeEngine[Any]:
        """Return the type of a column."""
        if name == KEY and self.key_type is not None:
            return self.key_type
        return self.types[name]


class _ReadSql(NamedTuple):
    """The compiled SELECT of a read: the text between its parameters, and the parameters by name."""

    texts: list[str]
    names: list[str]
    parameters: dict[str, tuple[Any, Process]]
    key_type: str


class Statement(NamedTuple):
    """A statement as the driver takes it, and where in the records of each read its columns stand."""

    text: str
    parameters: list[tuple[Callable[[Run, Sequence[ReadForm]], Any], Process]]
    columns: list[dict[str, int]]
    reads: list[str]
    """The SQL of each read, as it stands in the text."""

    def arguments(self, run: Run, forms: Sequence[ReadForm]) -> list[Any]:
        """Return the parameters in the driver's order.

        Raises:
            LimitExceededError: Their lists have too many values.

        """
        arguments = [
            process(value) if process is not None and value is not None else value
            for value, process in ((get(run, forms), process) for get, process in self.parameters)
        ]
        sent = sum([len(value) for value in arguments if type(value) is list])
        if sent > _MAX_VALUES:
            raise LimitExceededError(
                f"the operation sends lists of {sent:,} values to the database, above the limit of"
                f" {_MAX_VALUES:,}; choose longer intervals or shorter ranges of series, shorter lists in"
                " filters, or send several requests",
                field="query",
            )
        return arguments


class SqlCache:
    """Caches the SQL of single reads and of whole operations, each kind up to a number of characters."""

    def __init__(self, characters: int = _CACHED_CHARACTERS) -> None:
        self.reads: WeightedLRU[_ReadSql] = WeightedLRU(characters)
        self.statements: WeightedLRU[Statement] = WeightedLRU(characters)

    def read_sql(self, read: Read, form: ReadForm) -> _ReadSql:
        """Return the compiled SELECT of a read in a form."""
        names = [*read.names, *form.extra]
        key = (read.identity, form.shape, tuple(names))
        compiled = self.reads.get(key)
        if compiled is None:
            compiled = _compiled(read.select(form.shape, names))
            self.reads.put(key, compiled, sum(map(len, compiled.texts)))
        return compiled


def _compiled(select: Select[Any]) -> _ReadSql:
    compiled = select.compile(dialect=DIALECT)
    order = compiled.positiontup or []
    texts = _PARAMETER.split(str(compiled))
    parameters: dict[str, tuple[Any, Process]] = {}
    for name in order:
        type_ = compiled.binds[name].type
        parameters[name] = (
            compiled.params[name],
            type_.dialect_impl(DIALECT).bind_processor(DIALECT),
        )
    keys = compiled.binds.get(KEYS)
    key_type = "" if keys is None else keys.type.item_type.compile(DIALECT)  # type: ignore[attr-defined]  # an ARRAY
    return _ReadSql(texts[::2], [order[int(number) - 1] for number in texts[1::2]], parameters, key_type)


class ReadSet:
    """The reads of a plan. Together they are one statement."""

    def __init__(self, cache: SqlCache) -> None:
        self.reads: list[Read] = []
        self._cache = cache
        self._slot_types: list[str] = []
        """The type of each column of a record, which all reads share."""

    def add(self, read: Read) -> Read:
        """Add a read."""
        self.reads.append(read)
        return read

    def lay_out(self) -> None:
        """Assign positions to the reads, and to their columns in the records, once all columns are known."""
        self.reads = _ordered(self.reads)
        for position, read in enumerate(self.reads):
            read.position = position
        for read in self.reads:
            self._assign(read, read.names, read.at, self._slot_types)
            if read.key_type is not None:
                if read.key_column in read.at:
                    read.at[KEY] = read.at[read.key_column]
                else:
                    self._assign(read, [KEY], read.at, self._slot_types)

    def _assign(self, read: Read, names: Iterable[str], at: dict[str, int], slots: list[str]) -> None:
        """Assign to each column the first slot of its type that the read's records still have free."""
        tag = int(self.tagged)
        taken = {position - tag for position in at.values()}
        for name in names:
            kind = wire_format(read.type(name)).type
            free = (slot for slot, of in enumerate(slots) if of == kind and slot not in taken)
            slot = next(free, len(slots))
            if slot == len(slots):
                slots.append(kind)
            taken.add(slot)
            at[name] = slot + tag

    @property
    def tagged(self) -> bool:
        """Whether the first column of a record holds the position of its read."""
        return len(self.reads) > 1

    async def fetch(self, run: Run) -> None:
        """Read everything in one statement, and distribute the records over the reads.

        Raises:
            LimitExceededError: The statement would be too long.

        """
        forms = [read.form(run.bindings) for read in self.reads]
        key = self._key(forms)
        statement = self._cache.statements.get(key)
        if statement is None:
            statement = await COMPILING.run(self._assembled, key, forms)
        run.columns = statement.columns
        self.distribute(run, await run.context.fetch(statement.text, statement.arguments(run, forms)))

    def prepare(self, run: Run) -> tuple[Statement, list[Any]]:
        """Return the statement for the bound arguments of a run, and its parameters.

        Raises:
            LimitExceededError: The statement would be too long.

        """
        forms = [read.form(run.bindings) for read in self.reads]
        statement = self.statement(forms)
        run.columns = statement.columns
        return statement, statement.arguments(run, forms)

    def statement(self, forms: Sequence[ReadForm]) -> Statement:
        """Return the statement for one form of each read."""
        key = self._key(forms)
        return self._cache.statements.get(key) or self._assembled(key, forms)

    def compile(self, bindings: Mapping[int, Any]) -> None:
        """Compile the statement for bound arguments, ahead of the requests that have such.

        Raises:
            LimitExceededError: The statement would be too long.

        """
        if self.reads:
            self.statement([read.form(bindings) for read in self.reads])

    def _key(self, forms: Sequence[ReadForm]) -> Hashable:
        return (self, *[(form.shape, form.limit, form.extra) for form in forms])

    def _assembled(self, key: Hashable, forms: Sequence[ReadForm]) -> Statement:
        statement = _Assembly(self, forms, self._cache).statement()
        # The SQL of each read is stored twice: as part of the text, and on its own.
        self._cache.statements.put(key, statement, 2 * len(statement.text))
        return statement

    def layout(self, forms: Sequence[ReadForm]) -> tuple[list[str], list[dict[str, int]]]:
        """Return the types of a record's columns, and where the columns of each read stand in it."""
        slots = [*self._slot_types]
        columns = [{**read.at} for read in self.reads]
        for read, form, at in zip(self.reads, forms, columns, strict=True):
            self._assign(read, form.extra, at, slots)
        return slots, columns

    def distribute(self, run: Run, records: list[Record]) -> None:
        """Distribute the records of the statement over their reads."""
        if len(self.reads) == 1:
            run.records = [records]
            return
        run.records = [[] for _ in self.reads]
        for position, found in groupby(records, itemgetter(0)):
            run.records[position] += found


def _ordered(reads: Sequence[Read]) -> list[Read]:
    """Order reads so that each comes behind those that its keys come from."""
    ordered: dict[Read, None] = {}
    stack = [*reversed(reads)]
    while stack:
        missing = [above for above in stack[-1].above if above not in ordered]
        if missing:
            stack += reversed(missing)
        else:
            ordered.setdefault(stack.pop())
    return [*ordered]


class _Assembly:
    """Assembles the SELECTs of reads into one statement."""

    def __init__(self, reads: ReadSet, forms: Sequence[ReadForm], cache: SqlCache) -> None:
        self._reads = reads
        self._forms = forms
        self._cache = cache
        self._numbers: dict[Hashable, int] = {}
        self._parameters: list[Any] = []

    def statement(self) -> Statement:
        reads = self._reads.reads
        slots, columns_of = self._reads.layout(self._forms)
        shared = {above for read in reads for above in read.above}
        tables, branches, selects = [], [], []
        length = 0
        for read, form, at in zip(reads, self._forms, columns_of, strict=True):
            columns = ", ".join(f"c{number}" for number in range(len(read.names) + len(form.extra) + 1))
            select, table = self._select(read, form), f"r{read.position}"
            selects.append(select)
            length += len(select)
            if length > _MAX_CHARACTERS:
                raise LimitExceededError(
                    f"the SQL of the operation is longer than {_MAX_CHARACTERS:,} characters; select fewer"
                    " lists and computed fields, filter them less, or send several requests",
                    field="query",
                )
            source = f"(\n{select}\n) AS {table} ({columns})"
            if read in shared:
                tables.append(f"{table} ({columns}) AS MATERIALIZED (\n{select}\n)")
                source = table
            branches.append(f"SELECT {self._select_list(read, form, slots, at)} FROM {source}")  # noqa: S608  # compiled parts
        if any(form.by_values for form in self._forms):
            planned = self._number(_PLANNED_BY_VALUES, lambda *_: True, None)
            branches[0] += f" WHERE {_PLANNED_BY_VALUES.format(planned)}"
        head = "WITH " + ",\n".join(tables) + "\n" if tables else ""
        return Statement(head + "\nUNION ALL\n".join(branches), self._parameters, columns_of, selects)

    def _select(self, read: Read, form: ReadForm) -> str:
        """Write the SELECT of a read, with the numbers or expressions that stand for its parameters."""
        compiled = self._cache.read_sql(read, form)
        parts = [compiled.texts[0]]
        for name, text in zip(compiled.names, compiled.texts[1:], strict=True):
            parts += [self._parameter(read, form, name, compiled), text]
        return "".join(parts)

    def _parameter(self, read: Read, form: ReadForm, name: str, compiled: _ReadSql) -> str:
        """Write what stands for a parameter of a read."""
        if name == KEYS:
            return self._keys(read, compiled)
        if name == TENANT:
            return self._number(TENANT, lambda run, _: run.context.tenant_id, None)
        if name == LIMIT and form.limit is not None:
            return str(form.limit)
        fixed, process = compiled.parameters[name]
        position = read.position
        if name in form.values:
            return self._number((position, name), lambda _, forms: forms[position].values[name], process)
        return self._number((position, name), lambda *_: fixed, process)

    def _keys(self, read: Read, compiled: _ReadSql) -> str:
        match read.keys:
            case RequestKeys(get, many):
                number = self._number(("keys", read.position), lambda run, _: get(run), None)
                # One key is written as ARRAY[$1] and many via unnest, so that PostgreSQL's cached plan does
                # not depend on the number of keys.
                if many:
                    return f"ARRAY(SELECT unnest({number}::{compiled.key_type}[]))"
                return f"ARRAY[{number}::{compiled.key_type}]"
            case [keys]:
                return f"ARRAY({keys.sql(distinct=True)})"
            case [*several]:
                return f"ARRAY({' UNION '.join(keys.sql() for keys in several)})"
        raise AssertionError("a read without keys has no parameter for them")

    def _number(self, key: Hashable, get: Any, process: Process) -> str:
        if key not in self._numbers:
            self._numbers[key] = len(self._numbers) + 1
            self._parameters.append((get, process))
        return f"${self._numbers[key]}"

    def _select_list(self, read: Read, form: ReadForm, slots: list[str], at: Mapping[str, int]) -> str:
        """Build the SELECT list of one UNION branch; missing columns are NULL."""
        tag = int(self._reads.tagged)
        columns = [f"NULL::{kind}" for kind in slots]
        for name, position in at.items():
            column = read.column(name, form.extra)
            columns[position - tag] = wire_format(read.type(name)).column.format(column)
        return ", ".join([*([str(read.position)] if tag else []), *(columns or ["NULL"])])


class WireFormat(NamedTuple):
    """How a column travels: its type in the record, and its expressions in the SELECT list and response."""

    type: str
    column: str
    response: str = "{0}"


_TEXT = WireFormat("text", "{0}::text")
_WIRE_FORMATS: tuple[tuple[tuple[Any, ...], WireFormat], ...] = (
    ((Uuid, String), _TEXT),
    ((JSON,), _TEXT._replace(response="Fragment({0})")),
    ((DateTime,), WireFormat("text", "({0} AT TIME ZONE 'UTC')::text", "time({0})")),
    ((ARRAY,), WireFormat("text[]", "{0}::text[]")),
    ((Integer,), WireFormat("int8", "{0}::int8")),
    # As text, a decimal keeps all digits, which cursors need.
    ((Numeric,), _TEXT._replace(response="float({0})")),
    ((Float,), WireFormat("float8", "{0}::float8")),
    ((Boolean,), WireFormat("bool", "{0}")),
)


def wire_format(type_: TypeEngine[Any]) -> WireFormat:
    """Return how a column of a type travels.

    Ids, JSON and times are sent as text, as the response has them or nearly so: the objects that the driver
    would make of them cost more than all the rest of a row.

    Raises:
        UnplannedError: No column of the contract has had this type so far.

    """
    for types, how in _WIRE_FORMATS:
        if isinstance(type_, types):
            return how
    raise UnplannedError
