"""What every write shares: its transaction, idempotency, and refusals in the client's words."""

from __future__ import annotations

import hashlib
from contextlib import AsyncExitStack
from dataclasses import dataclass
from decimal import Decimal
from functools import cache, lru_cache, partial
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import UUID

import orjson
from asyncpg import PostgresError
from sqlalchemy import Numeric, delete, func, select, update
from sqlalchemy.dialects.postgresql.asyncpg import dialect as asyncpg_dialect
from sqlalchemy.exc import DBAPIError
from sqlalchemy.schema import ColumnCollectionConstraint
from uuid_utils.compat import uuid7

from agentdata.checks import check_text
from agentdata.errors import AgentDataError, BadUserInputError, ConflictError, NotFoundError, not_found
from agentdata.naming import camel, noun
from models import Base, IdempotencyKey, Project

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence

    from asyncpg import Record
    from sqlalchemy import Executable, ScalarResult, Table
    from sqlalchemy import Result as Result_

    from agentdata.database import Database, WriteSession

Row = TypeVar("Row", bound=Base)
Result = TypeVar("Result")

_ATTEMPTS = 5
PASSING = frozenset({"40P01", "40001"})
"""Deadlock and serialization failure: tried again, the same write goes through."""


@dataclass
class UnitOfWork:
    """A write to one project, and the few statements that all operations are made of.

    Its transaction begins with the first statement. An operation that is one statement needs no other
    transaction than PostgreSQL's own around it, and so one round trip in the place of three.
    """

    project_id: UUID
    _begin: Callable[[], Awaitable[WriteSession]]
    _alone: Callable[[str, Sequence[Any]], Awaitable[list[Record]]] | None = None
    _session: WriteSession | None = None
    _done: bool = False
    _apart: Callable[[AsyncExitStack], UnitOfWork] | None = None

    @classmethod
    def on(cls, database: Database, project_id: UUID, stack: AsyncExitStack) -> UnitOfWork:
        """Write in a transaction that ends with ``stack``."""

        def begin() -> Awaitable[WriteSession]:
            return stack.enter_async_context(database.write(project_id))

        alone = partial(database.statement, project_id, writes=True)
        return cls(project_id, begin, alone, _apart=partial(cls.on, database, project_id))

    @classmethod
    def within(cls, session: WriteSession, project_id: UUID) -> UnitOfWork:
        """Write in a transaction that has begun already."""

        async def begin() -> WriteSession:  # there is nothing to wait for
            return session

        return cls(project_id, begin, None, session)

    async def session(self) -> WriteSession:
        """Give the session of the transaction, which begins now where it has not."""
        if self._done:
            raise RuntimeError("a statement that was to stand alone is followed by another")
        if self._session is None:
            self._session = await self._begin()
        return self._session

    @property
    def begun(self) -> bool:
        """Whether the transaction has begun."""
        return self._session is not None

    async def apart(self, part: Callable[[UnitOfWork], Awaitable[Result]]) -> Result:
        """Run a part in a transaction of its own, where the operation's has not begun; else within that."""
        if self._apart is None or self.begun:
            return await part(self)
        async with AsyncExitStack() as stack:
            return await part(self._apart(stack))

    async def execute(self, statement: Executable, **options: Any) -> Result_[*tuple[Any, ...]]:
        """Run a statement and give its result."""
        return await (await self.session()).execute(statement, **options)

    async def scalars(self, statement: Executable, *values: Any, **options: Any) -> ScalarResult[Any]:
        """Run a statement and give the first column of its result."""
        return await (await self.session()).scalars(statement, *values, **options)

    async def fetch(self, text: str, *arguments: Any, alone: bool = False) -> list[Record]:
        """Run a statement on the driver and give its rows.

        ``alone`` says that it is all that the operation writes: where no transaction has begun, it is one.

        Raises:
            DBAPIError: The database refuses it.

        """
        try:
            if alone and self._alone is not None and self._session is None and not self._done:
                self._done = True
                return await self._alone(text, arguments)
            connection = await (await self.session()).connection()
            driver: Any = (await connection.get_raw_connection()).driver_connection
            records: list[Record] = await driver.fetch(text, *arguments)
        except PostgresError as error:
            # As SQLAlchemy tells it, so that there is one kind of refusal.
            raise DBAPIError(text, None, error) from error
        return records

    async def insert(
        self, model: type[Row], rows: Sequence[dict[str, Any]], *, alone: bool = False
    ) -> list[Row]:
        """Insert rows, in one statement, and give them back in the same order."""
        if not rows:
            return []
        sent = [{"id": uuid7(), **row} for row in rows]
        text = _insert_statement(model, frozenset().union(*sent))
        made = stored_row(model)
        records = await self.fetch(text, self.project_id, document(sent), alone=alone)
        stored = {row.id: row for row in map(made, records)}
        return [stored[row["id"]] for row in sent]

    async def get(self, model: type[Row], id_: UUID, *, field: str = "id", lock: bool = False) -> Row:
        """Give a row, locked against other writers where asked.

        Raises:
            NotFoundError: There is no such row in this project.

        """
        [row] = await self.get_all(model, [id_], field=field, lock=lock)
        return row

    async def get_all(
        self,
        model: type[Row],
        ids: Sequence[UUID],
        *,
        field: str | Mapping[UUID, str] = "ids",
        lock: bool = False,
        keep: bool = False,
    ) -> list[Row]:
        """Give rows in the order of ``ids``; where asked locked against other writers, or kept from deletion.

        ``field`` is where the client gave them, or where each of them.
        Locks are taken in the order of keys, so that two writers cannot wait for each other.

        Raises:
            NotFoundError: One of them is not in this project.

        """
        if not ids:
            return []
        text = _select_statement(model)
        if lock or keep:
            text += " FOR KEY SHARE" if keep else " FOR NO KEY UPDATE"
        records = await self.fetch(text, self.project_id, [*ids])
        rows = {row.id: row for row in map(stored_row(model), records)}
        for id_ in ids:
            if id_ not in rows:
                raise not_found(model, id_, field if isinstance(field, str) else field[id_])
        return [rows[id_] for id_ in ids]

    async def project(self) -> Project:
        """Give the project that the transaction acts in, locked against other writers."""
        statement = select(Project).where(Project.id == self.project_id).with_for_update()
        project: Project = (await self.scalars(statement)).one()
        return project

    async def update(self, row: Row, values: dict[str, Any]) -> Row:
        """Change a row, and say when."""
        if not values:
            return row
        model: type[Row] = getattr(row, "__model__", type(row))
        # The driver would write a double with all digits that it has in binary.
        decimals = {
            name: Decimal(repr(values[name]))
            for name in _decimals(model) & values.keys()
            if values[name] is not None
        }
        owned = [] if model is Project else self.owns(model)
        statement = (
            update(model)
            .where(*owned, model.__table__.c.id == row.id)  # type: ignore[attr-defined]  # every noun has an id
            .values(values | decimals | {"updated_at": func.clock_timestamp()})
            .returning(model)
        )
        updated: Row = (await self.scalars(statement, execution_options=FRESH)).one()
        return updated

    async def delete(self, model: type[Base], id_: UUID) -> list[UUID]:
        """Delete a row with all that it owns, and give its id.

        Raises:
            NotFoundError: There is no such row in this project.

        """
        key: Any = model.__table__.c.id
        statement = delete(model).where(*self.owns(model), key == id_).returning(key)
        if (await self.execute(statement)).first() is None:
            raise not_found(model, id_, "id")
        return [id_]

    def owns(self, *models: type[Base]) -> list[Any]:
        """Restrict each table that a statement names to this project."""
        return [model.__table__.c.project_id == self.project_id for model in models]


def plain_rows(model: type[Row]) -> Callable[[dict[str, Any]], Row]:
    """Give what makes values by column into a row that no session knows, 30 times faster than one it does.

    Its class names the model as ``__model__``, by which the contract tells the type of a row.
    """

    def init(self: Any, values: dict[str, Any]) -> None:
        self.__dict__ = values

    members = {"__init__": init, "__tablename__": model.__tablename__, "__model__": model}
    return type(model.__name__, (), members)


def document(rows: Sequence[dict[str, Any]] | dict[str, Any]) -> str:
    """Write rows as the JSON that statements take them from: arrays take longer to make, send and read."""
    return orjson.dumps(rows, default=_as_text).decode()


def from_document(model: type[Base], names: Iterable[str]) -> tuple[str, str, str]:
    """Give what a statement says of the columns that ``given``, a row of a document, fills.

    These are their names, their values, and the types by which PostgreSQL reads them from the document.
    """
    columns = {name: model.__mapper__.columns[name] for name in names}
    defaults = {
        name: None if column.nullable else getattr(column.server_default, "arg", None)
        for name, column in columns.items()
    }
    return (
        ", ".join(column.name for column in columns.values()),
        ", ".join(
            f"given.{name}" if default is None else f"coalesce(given.{name}, '{default}')"
            for name, default in defaults.items()
        ),
        ", ".join(f"{name} {column.type.compile(_DIALECT)}" for name, column in columns.items()),
    )


@lru_cache(maxsize=256)
def _insert_statement(model: type[Base], given: frozenset[str]) -> str:
    """Write the statement that inserts rows of which these columns are given."""
    names, values, types = from_document(model, sorted(given))
    return (
        f"INSERT INTO {model.__tablename__} (project_id, {names}) SELECT $1, {values}"  # noqa: S608 - names of the models
        f" FROM json_to_recordset($2::json) AS given ({types}) RETURNING {columns_of(model)}"
    )


@cache
def _select_statement(model: type[Base]) -> str:
    """Write the statement that gives rows by their ids."""
    return (
        f"SELECT {columns_of(model)} FROM {model.__tablename__}"  # noqa: S608 - names of the models
        " WHERE project_id = $1 AND id = ANY($2) ORDER BY id"
    )


def columns_of(model: type[Base]) -> str:
    """Name all columns of a model, in the order in which ``stored_row`` takes them."""
    return ", ".join(column.name for column in model.__mapper__.columns)


@cache
def stored_row(model: type[Row]) -> Callable[[Record], Row]:
    """Give what makes a record of the driver with all of a model's columns into a row."""
    made = plain_rows(model)
    columns = model.__mapper__.columns
    names = columns.keys()

    def row(record: Record) -> Row:
        return made(dict(zip(names, record, strict=True)))

    return row


@cache
def _decimals(model: type[Base]) -> frozenset[str]:
    """Name the columns that hold decimals."""
    return frozenset(
        name for name, column in model.__mapper__.columns.items() if isinstance(column.type, Numeric)
    )


_DIALECT = asyncpg_dialect()  # type: ignore[no-untyped-call]  # SQLAlchemy's


def _as_text(value: object) -> str:
    """Write what JSON has no word for as PostgreSQL reads it."""
    return f"\\x{value.hex()}" if isinstance(value, bytes) else str(value)


FRESH = {"populate_existing": True}
"""What a statement gives replaces what the session remembers of the same rows."""


_CLAIM = """
INSERT INTO idempotency_keys (project_id, key, input_hash, result_table, result_ids, result_is_list)
VALUES ($1, $2, $3, '', '{}', false) ON CONFLICT DO NOTHING RETURNING key"""
"""Takes a key for a write, and gives no row where another has it."""

_DONE = """
UPDATE idempotency_keys SET result_table = $3, result_ids = $4, result_is_list = $5
WHERE project_id = $1 AND key = $2"""


async def run(
    database: Database,
    project_id: UUID,
    operation: Callable[..., Awaitable[Result]],
    arguments: dict[str, Any],
    idempotency_key: str | None = None,
) -> Result:
    """Run an operation in one transaction: all that it wrote is durable when this returns, or none of it is.

    With an idempotency key the same operation and input again give the first result and write nothing.

    Raises:
        ConflictError: The input goes against the present data, or the key was used with another input.
        NotFoundError: The input refers to something that is not in the project.

    """
    contended = _contended(arguments, idempotency_key)
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            async with database.turn_to_write(project_id, contended), AsyncExitStack() as stack:
                write = UnitOfWork.on(database, project_id, stack)
                if idempotency_key is None:
                    return await operation(write, **arguments)
                return await _once(write, idempotency_key, operation, arguments)
        except DBAPIError as error:
            if attempt < _ATTEMPTS and (sqlstate(error) in PASSING or _referred_to_meanwhile(error)):
                continue
            if (refusal := refused(error)) is not None:
                placed = await _item_without(database, project_id, arguments, error)
                raise (placed or refusal) from error
            raise
    raise AssertionError("the last attempt returns or raises")


def _contended(arguments: dict[str, Any], idempotency_key: str | None) -> set[Any]:
    """Return what a write is likely to lock: what it changes, sessions that its items name, its key."""
    contended: set[Any] = {idempotency_key} - {None}
    for value in arguments.values():
        items = value if isinstance(value, list) else [value]
        contended.update(item for item in items if isinstance(item, UUID))
        contended.update(
            item["session_id"] for item in items if isinstance(item, dict) and item.get("session_id")
        )
    return contended


async def _item_without(
    database: Database, project_id: UUID, arguments: dict[str, Any], error: DBAPIError
) -> NotFoundError | None:
    """Say which item of a list names something that is not there, where that was refused of one."""
    if sqlstate(error) != "23503":
        return None
    target, [*_, column] = _reference(error)
    for name, items in arguments.items():
        if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
            continue
        ids = [item.get(column) for item in items]
        text = f"SELECT id FROM {target.name} WHERE project_id = $1 AND id = ANY($2)"  # noqa: S608  # a table's name
        given = [project_id, [id_ for id_ in ids if id_ is not None]]
        there = {record["id"] for record in await database.statement(project_id, text, given)}
        for place, id_ in enumerate(ids):
            if id_ is not None and id_ not in there:
                field = f"{camel(name)}.{place}.{camel(column)}"
                return NotFoundError(f"there is no {noun(target.name)} {id_}", field=field)
    return None


async def _once(
    write: UnitOfWork, key: str, operation: Callable[..., Awaitable[Result]], arguments: dict[str, Any]
) -> Result:
    check_text("idempotencyKey", key, 255)
    if not key.strip():
        raise BadUserInputError(
            "idempotencyKey may not be blank; leave it out or null", field="idempotencyKey"
        )
    asked = [operation.__module__, operation.__name__, arguments]
    try:
        written = orjson.dumps(asked, default=_plain, option=orjson.OPT_SORT_KEYS)
    except orjson.JSONEncodeError:
        # What cannot be written as JSON cannot be stored either: the operation says where it is.
        return await operation(write, **arguments)
    input_hash = hashlib.sha256(written).digest()
    # Another request with this key that has not ended yet is waited for here.
    if not await write.fetch(_CLAIM, write.project_id, key, input_hash):
        ours = [*write.owns(IdempotencyKey), IdempotencyKey.key == key]
        done = (await write.scalars(select(IdempotencyKey).where(*ours))).one()
        if done.input_hash != input_hash:
            raise ConflictError(
                "this key was used with another input; use a new key for a new write", field="idempotencyKey"
            )
        [model] = [
            mapper.class_
            for mapper in Base.registry.mappers
            if mapper.class_.__tablename__ == done.result_table
        ]
        try:
            replayed: Any = await write.get_all(model, done.result_ids, field="idempotencyKey")
        except NotFoundError:
            raise NotFoundError(
                "what was written under this key has been deleted since; use a new key to write it again",
                field="idempotencyKey",
            ) from None
        return replayed if done.result_is_list else replayed[0]  # type: ignore[no-any-return]  # what the operation gave
    result: Any = await operation(write, **arguments)
    rows = result if isinstance(result, list) else [result]
    ids = [row.id for row in rows]
    await write.fetch(_DONE, write.project_id, key, rows[0].__tablename__, ids, isinstance(result, list))
    return result  # type: ignore[no-any-return]  # what the operation gave


def _plain(value: object) -> object:
    return sorted(value) if isinstance(value, set | frozenset) else str(value)


def sqlstate(error: DBAPIError) -> str | None:
    """Give PostgreSQL's code of an error."""
    return getattr(error.orig, "sqlstate", None)


def refused(error: DBAPIError) -> AgentDataError | None:
    """Say a constraint's refusal in the client's words, or None where it was not a constraint."""
    cause = _cause(error)
    name = getattr(cause, "constraint_name", None)
    table = Base.metadata.tables.get(getattr(cause, "table_name", None) or "")
    if name is None or table is None:
        return None
    match sqlstate(error):
        case "23505":
            fields = [camel(column) for column in _columns(table, name) if column != "project_id"]
            where = " of this project" if "project_id" in table.columns else ""
            return ConflictError(
                f"another {noun(table.name)}{where} has the same {' and '.join(fields)}", field=fields[-1]
            )
        case "23503" if _referred_to_meanwhile(error):
            return ConflictError(f"other data came to refer to this {noun(table.name)} meanwhile; try again")
        case "23503":
            target, [owner, column] = _reference(error)
            # Which key is missing, PostgreSQL does not say to whom row-level security holds back.
            field = camel(column)
            whose = noun(owner.removesuffix("_id"))
            return NotFoundError(f"{field} names no {noun(target.name)} of this {whose}", field=field)
        case "23514":
            column = name.removeprefix(f"{table.name}_").removesuffix("_check")
            return BadUserInputError(f"{camel(column)} is not allowed to be so", field=camel(column))
        case _:
            return None


def _reference(error: DBAPIError) -> tuple[Table, list[str]]:
    """Give the table that a refused reference leads to, and the last two columns that it is by."""
    cause: Any = _cause(error)
    table, name = Base.metadata.tables[cause.table_name], cause.constraint_name
    constraints = [each for each in table.foreign_key_constraints if each.name == name]
    [target] = {key.column.table for each in constraints for key in each.elements}
    return target, ["project_id", *_columns(table, name)][-2:]


def _referred_to_meanwhile(error: DBAPIError) -> bool:
    """Tell whether a row could not go because one that refers to it came at the same time."""
    detail = getattr(_cause(error), "detail", None)
    return sqlstate(error) == "23503" and "still referenced" in (detail or "")


def _cause(error: DBAPIError) -> Any:
    """Give the driver's own error, which SQLAlchemy's stands for where the statement was its."""
    return error.orig if isinstance(error.orig, PostgresError) else getattr(error.orig, "__cause__", None)


def _columns(table: Table, name: str) -> list[str]:
    for constraint in table.constraints:
        if isinstance(constraint, ColumnCollectionConstraint) and constraint.name == name:
            return [column.name for column in constraint.columns]
    # A unique index over an expression is named as a constraint would be.
    return [name.removeprefix(f"{table.name}_project_id_").removesuffix("_key")]
