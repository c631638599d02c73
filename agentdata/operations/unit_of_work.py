"""The unit of work of every write: its transaction, its idempotency, and errors in the client's terms."""

from __future__ import annotations

import hashlib
from contextlib import AsyncExitStack
from dataclasses import dataclass
from decimal import Decimal
from functools import cache, lru_cache, partial
from time import perf_counter
from typing import TYPE_CHECKING, Any, TypeVar, cast
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
from agentdata.operations import access_records
from agentdata.sight.counts import COUNTS
from agentdata.vectors import NoVectorsError
from models import Base, IdempotencyKey, Project
from models.base import hybrids_of
from models.enums import AccessKind

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence

    from asyncpg import Record
    from sqlalchemy import Executable, ScalarResult, Table
    from sqlalchemy import Result as Result_

    from agentdata.database import Database, WriteSession
    from agentdata.operations.access_records import Author
    from agentdata.pool import Driver

Row = TypeVar("Row", bound=Base)
Result = TypeVar("Result")

_ATTEMPTS = 5
RETRYABLE = frozenset({"40P01", "40001"})
"""Deadlock and serialization failure: the same write may succeed when it is retried."""


@dataclass
class UnitOfWork:
    """A write to one project, and the few statements from which all operations are built.

    The transaction begins with the first statement. If an operation consists of a single statement,
    PostgreSQL's implicit transaction is enough, which takes one round trip instead of three.
    """

    project_id: UUID
    _begin: Callable[[], Awaitable[WriteSession]]
    _run_alone: Callable[[str, Sequence[Any]], Awaitable[list[Record]]] | None = None
    _session: WriteSession | None = None
    _finished: bool = False
    _separate: Callable[[AsyncExitStack, Author | None], UnitOfWork] | None = None
    author: Author | None = None
    """Who sent the write; None for a command of the operator, which has no access record."""
    field: str = ""
    """The mutation."""
    embedding_model: str | None = None
    """The model that makes vectors of texts that have none; None if nobody makes any."""

    @classmethod
    def on(
        cls,
        database: Database,
        project_id: UUID,
        stack: AsyncExitStack,
        author: Author | None = None,
        field: str = "",
    ) -> UnitOfWork:
        """Return a unit of work whose transaction ends with ``stack``."""

        def begin() -> Awaitable[WriteSession]:
            return stack.enter_async_context(database.write(project_id))

        def separate(stack: AsyncExitStack, author: Author | None) -> UnitOfWork:
            database.renew_time()
            return cls.on(database, project_id, stack, author, field)

        alone = partial(database.statement, project_id, writes=True)
        return cls(
            project_id,
            begin,
            alone,
            _separate=separate,
            author=author,
            field=field,
            embedding_model=database.embedding_model,
        )

    @classmethod
    def within(cls, session: WriteSession, project_id: UUID) -> UnitOfWork:
        """Return a unit of work in a transaction that has already begun."""

        async def begin() -> WriteSession:  # async only to match the type of `_begin`
            return session

        return cls(project_id, begin, None, session)

    async def session(self) -> WriteSession:
        """Return the session of the transaction; begin the transaction if it has not begun."""
        if self._finished:
            raise RuntimeError("a statement follows one that was declared to be the only one")
        if self._session is None:
            self._session = await self._begin()
        return self._session

    @property
    def has_begun(self) -> bool:
        """Whether the transaction has begun."""
        return self._session is not None

    async def run_separately(
        self, part: Callable[[UnitOfWork], Awaitable[Result]], *, recorded: bool = False
    ) -> Result:
        """Run a part in a transaction of its own, or in the operation's transaction if that has begun.

        A part of its own has the time of a whole operation, so that a write in parts may take longer. A
        marked statement of a part that is ``recorded`` inserts the access record of the write.
        """
        if self._separate is None or self.has_begun:
            return await part(self)
        async with AsyncExitStack() as stack:
            return await part(self._separate(stack, self.author if recorded else None))

    async def execute(self, statement: Executable, **options: Any) -> Result_[*tuple[Any, ...]]:
        """Run a statement and return its result."""
        return await (await self.session()).execute(statement, **options)

    async def scalars(self, statement: Executable, *values: Any, **options: Any) -> ScalarResult[Any]:
        """Run a statement and return the first column of its result."""
        return await (await self.session()).scalars(statement, *values, **options)

    async def record(self, ids: Sequence[UUID], *, by: UnitOfWork | None = None) -> None:
        """Insert an access record of the write, in its transaction or in that of a part of it."""
        if self.author is not None:
            values = access_records.values(self.author, AccessKind.WRITE, [self.field], ids)
            await (by or self).fetch(access_records.RECORD, self.project_id, *values)

    async def record_result(self, result: object) -> None:
        """Insert the access record of the write, unless its only statement has done so, or there was none."""
        if self._session is not None:
            await self.record(access_records.ids_of(result))

    async def fetch(
        self, text: str, *arguments: Any, alone: bool = False, ids: Sequence[UUID] = ()
    ) -> list[Record]:
        """Run a statement on the driver and return its rows.

        ``alone`` declares that the operation writes nothing else: unless a transaction has begun, the
        statement then runs without an explicit one. If it is marked, it then inserts the access record, too,
        which lists ``ids``.

        Raises:
            DBAPIError: The database refuses the statement.

        """
        try:
            if alone and self._run_alone is not None and self._session is None and not self._finished:
                self._finished = True
                if self.author and (recording := access_records.recording(text, len(arguments))):
                    values = access_records.values(self.author, AccessKind.WRITE, [self.field], ids)
                    return await self._run_alone(recording, (*arguments, *values))
                return await self._run_alone(text, arguments)
            driver = await self._driver()
            started = perf_counter()
            try:
                records: list[Record] = await driver.fetch(text, *arguments)
            finally:
                COUNTS.statement(started, text)
        except PostgresError as error:
            # Raised as SQLAlchemy would raise it, so that callers handle one kind of error.
            raise DBAPIError(text, None, error) from error
        return records

    async def accept_vectors(self, field: str) -> None:
        """Let the statements of the transaction take vectors; ``field`` is the input that has them.

        Raises:
            NoVectorsError: The database lacks pgvector.

        """
        if not await (await self._driver()).take_vectors():
            raise NoVectorsError(field)

    async def _driver(self) -> Driver:
        connection = await (await self.session()).connection()
        return cast("Driver", (await connection.get_raw_connection()).driver_connection)

    async def insert(
        self, model: type[Row], rows: Sequence[dict[str, Any]], *, alone: bool = False
    ) -> list[Row]:
        """Insert rows in one statement and return them in the same order."""
        if not rows:
            return []
        new = [{"id": uuid7(), **row} for row in rows]
        text = _insert_statement(model, frozenset().union(*new), alone=alone)
        ids = [row["id"] for row in new]
        records = await self.fetch(text, self.project_id, rows_as_json(new), alone=alone, ids=ids)
        stored = {row.id: row for row in map(row_factory(model), records)}
        return [stored[id_] for id_ in ids]

    async def get(self, model: type[Row], id_: UUID, *, field: str = "id", lock: bool = False) -> Row:
        """Return a row; ``lock`` locks it against other writers.

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
        """Return rows in the order of ``ids``.

        ``lock`` locks them against other writers, ``keep`` against deletion only. Locks are taken in the
        order of keys, so that two writers cannot deadlock. ``field`` names the client's input that holds
        the ids: one field for all, or one for each id.

        Raises:
            NotFoundError: One of the rows is not in this project.

        """
        if not ids:
            return []
        text = _select_statement(model)
        if lock or keep:
            text += " FOR KEY SHARE" if keep else " FOR NO KEY UPDATE"
        records = await self.fetch(text, self.project_id, [*ids])
        rows = {row.id: row for row in map(row_factory(model), records)}
        for id_ in ids:
            if id_ not in rows:
                raise not_found(model, id_, field if isinstance(field, str) else field[id_])
        return [rows[id_] for id_ in ids]

    async def project(self) -> Project:
        """Return the project of this unit of work, locked against other writers."""
        statement = select(Project).where(Project.id == self.project_id).with_for_update()
        project: Project = (await self.scalars(statement)).one()
        return project

    async def update(self, row: Row, values: dict[str, Any]) -> Row:
        """Update a row and its ``updated_at``."""
        if not values:
            return row
        model: type[Row] = getattr(row, "__model__", type(row))
        # The driver would write a float with all the digits of its binary value.
        decimals = {
            name: Decimal(repr(values[name]))
            for name in _decimal_columns(model) & values.keys()
            if values[name] is not None
        }
        owned = [] if model is Project else self.in_project(model)
        statement = (
            update(model)
            .where(*owned, model.__table__.c.id == row.id)  # type: ignore[attr-defined]  # every noun has an id
            .values(values | decimals | {"updated_at": func.clock_timestamp()})
            .returning(model)
        )
        updated: Row = (await self.scalars(statement, execution_options=FRESH)).one()
        return updated

    async def delete(self, model: type[Base], id_: UUID) -> list[UUID]:
        """Delete a row with everything it owns, and return its id.

        Raises:
            NotFoundError: There is no such row in this project.

        """
        key: Any = model.__table__.c.id
        statement = delete(model).where(*self.in_project(model), key == id_).returning(key)
        if (await self.execute(statement)).first() is None:
            raise not_found(model, id_, "id")
        return [id_]

    def in_project(self, *models: type[Base]) -> list[Any]:
        """Return the conditions that restrict each table of a statement to this project."""
        return [model.__table__.c.project_id == self.project_id for model in models]


def plain_row_class(model: type[Row]) -> Callable[[dict[str, Any]], Row]:
    """Return a plain class for rows of a model, made from values by column.

    Its rows belong to no session and are built 30 times faster than instances of the model. The class
    names the model as ``__model__``, from which the GraphQL schema derives the type of a row, and has its
    hybrids.
    """

    def init(self: Any, values: dict[str, Any]) -> None:
        self.__dict__ = values

    members = {
        "__init__": init,
        "__tablename__": model.__tablename__,
        "__model__": model,
        **hybrids_of(model),
    }
    return type(model.__name__, (), members)


def rows_as_json(rows: Sequence[dict[str, Any]] | dict[str, Any]) -> str:
    """Return rows as the JSON that statements read; arrays would take longer to build, send and parse."""
    return orjson.dumps(rows, default=_as_text).decode()


def json_columns(model: type[Base], names: Iterable[str]) -> tuple[str, str, str]:
    """Return the SQL for columns that are read from JSON, whose rows a statement calls ``given``.

    The three texts are the names of the columns, their values, and their names with types for
    ``json_to_recordset``.
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
def _insert_statement(model: type[Base], given: frozenset[str], *, alone: bool) -> str:
    """Return the statement that inserts rows with values for the columns ``given``.

    One that runs alone is marked for its access record.
    """
    names, values, types = json_columns(model, sorted(given))
    statement = (
        f"INSERT INTO {model.__tablename__} (project_id, {names}) SELECT $1, {values}"  # noqa: S608 - names of the models
        f" FROM json_to_recordset($2::json) AS given ({types}) RETURNING {columns_of(model)}"
    )
    if not alone:
        return statement
    return f"WITH made AS ({statement}) {access_records.mark('made')} SELECT * FROM made"  # noqa: S608 - as above


@cache
def _select_statement(model: type[Base]) -> str:
    """Return the statement that selects rows by their ids."""
    return (
        f"SELECT {columns_of(model)} FROM {model.__tablename__}"  # noqa: S608 - names of the models
        " WHERE project_id = $1 AND id = ANY($2) ORDER BY id"
    )


def columns_of(model: type[Base]) -> str:
    """Return the names of a model's columns, in the order that ``row_factory`` expects."""
    return ", ".join(column.name for column in model.__mapper__.columns)


@cache
def row_factory(model: type[Row]) -> Callable[[Iterable[Any]], Row]:
    """Return a function that turns a driver's record, with all of a model's columns, into a row."""
    row_class = plain_row_class(model)
    columns = model.__mapper__.columns
    names = columns.keys()

    def row(record: Iterable[Any]) -> Row:
        return row_class(dict(zip(names, record, strict=True)))

    return row


@cache
def _decimal_columns(model: type[Base]) -> frozenset[str]:
    """Return the names of the columns that hold decimals."""
    return frozenset(
        name for name, column in model.__mapper__.columns.items() if isinstance(column.type, Numeric)
    )


_DIALECT = asyncpg_dialect()  # type: ignore[no-untyped-call]  # SQLAlchemy's


def _as_text(value: object) -> str:
    """Return a value that JSON cannot represent as text that PostgreSQL can read."""
    return f"\\x{value.hex()}" if isinstance(value, bytes) else str(value)


FRESH = {"populate_existing": True}
"""Execution options: the rows that a statement returns replace the session's cached ones."""


_CLAIM = """
INSERT INTO idempotency_keys (project_id, key, input_hash, result_table, result_ids, result_is_list)
VALUES ($1, $2, $3, '', '{}', false) ON CONFLICT DO NOTHING RETURNING key"""
"""Claims a key for a write; returns no row if another write has claimed it."""

_SAVE_RESULT = """
UPDATE idempotency_keys SET result_table = $3, result_ids = $4, result_is_list = $5
WHERE project_id = $1 AND key = $2"""


async def run(
    database: Database,
    project_id: UUID,
    operation: Callable[..., Awaitable[Result]],
    arguments: dict[str, Any],
    idempotency_key: str | None = None,
    author: Author | None = None,
    field: str = "",
) -> Result:
    """Run an operation in one transaction: when this returns, all its writes are durable, or none were made.

    With an idempotency key, repeating the same operation and input returns the first result and writes
    nothing. With an author, the transaction inserts an access record, which names the mutation ``field``.

    Raises:
        ConflictError: The input conflicts with the current data, or the key was used with another input.
        NotFoundError: The input refers to something that is not in the project.

    """
    contended = _contended_keys(arguments, idempotency_key)
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            async with database.turn_to_write(project_id, contended), AsyncExitStack() as stack:
                write = UnitOfWork.on(database, project_id, stack, author, field)
                if idempotency_key is None:
                    result = await operation(write, **arguments)
                    await write.record_result(result)
                    return result
                return await _run_once(write, idempotency_key, operation, arguments)
        except DBAPIError as error:
            if attempt < _ATTEMPTS and (sqlstate(error) in RETRYABLE or _has_new_reference(error)):
                continue
            if (refusal := constraint_error(error)) is not None:
                missing = await _missing_item_error(database, project_id, arguments, error)
                raise (missing or refusal) from error
            raise
    raise AssertionError("the last attempt returns or raises")


def _contended_keys(arguments: dict[str, Any], idempotency_key: str | None) -> set[Any]:
    """Return what a write is likely to lock: the rows it changes, its sessions, its idempotency key."""
    contended: set[Any] = {idempotency_key} - {None}
    for value in arguments.values():
        items = value if isinstance(value, list) else [value]
        contended.update(item for item in items if isinstance(item, UUID))
        contended.update(
            item["session_id"] for item in items if isinstance(item, dict) and item.get("session_id")
        )
    return contended


async def _missing_item_error(
    database: Database, project_id: UUID, arguments: dict[str, Any], error: DBAPIError
) -> NotFoundError | None:
    """Return an error for the first item of a list with a missing reference, if that caused ``error``."""
    if sqlstate(error) != "23503":
        return None
    target, [*_, column] = _reference_target(error)
    for name, items in arguments.items():
        if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
            continue
        ids = [item.get(column) for item in items]
        text = f"SELECT id FROM {target.name} WHERE project_id = $1 AND id = ANY($2)"  # noqa: S608  # a table's name
        parameters = [project_id, [id_ for id_ in ids if id_ is not None]]
        found = {record["id"] for record in await database.statement(project_id, text, parameters)}
        for index, id_ in enumerate(ids):
            if id_ is not None and id_ not in found:
                field = f"{camel(name)}.{index}.{camel(column)}"
                return NotFoundError(f"there is no {noun(target.name)} {id_}", field=field)
    return None


async def _run_once(
    write: UnitOfWork, key: str, operation: Callable[..., Awaitable[Result]], arguments: dict[str, Any]
) -> Result:
    check_text("idempotencyKey", key, 255)
    if not key.strip():
        raise BadUserInputError(
            "idempotencyKey may not be blank; omit it or set it to null", field="idempotencyKey"
        )
    request = [operation.__module__, operation.__name__, arguments]
    try:
        written = orjson.dumps(request, default=_json_default, option=orjson.OPT_SORT_KEYS)
    except orjson.JSONEncodeError:
        # A value that JSON cannot represent cannot be stored either: the operation names it in its error.
        return await operation(write, **arguments)
    input_hash = hashlib.sha256(written).digest()
    # This waits for another request with the same key that has not ended yet.
    if not await write.fetch(_CLAIM, write.project_id, key, input_hash):
        ours = [*write.in_project(IdempotencyKey), IdempotencyKey.key == key]
        done = (await write.scalars(select(IdempotencyKey).where(*ours))).one()
        if done.input_hash != input_hash:
            raise ConflictError(
                "this key was already used with a different input; use a new key for a new write",
                field="idempotencyKey",
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
                "the result of the write with this key has been deleted since; use a new key to write again",
                field="idempotencyKey",
            ) from None
        return replayed if done.result_is_list else replayed[0]  # type: ignore[no-any-return]  # as from the operation
    result: Any = await operation(write, **arguments)
    await write.record_result(result)
    rows = result if isinstance(result, list) else [result]
    ids = [row.id for row in rows]
    await write.fetch(
        _SAVE_RESULT, write.project_id, key, rows[0].__tablename__, ids, isinstance(result, list)
    )
    return result  # type: ignore[no-any-return]  # as from the operation


def _json_default(value: object) -> object:
    return sorted(value) if isinstance(value, set | frozenset) else str(value)


def sqlstate(error: DBAPIError) -> str | None:
    """Return PostgreSQL's code of an error."""
    return getattr(error.orig, "sqlstate", None)


def constraint_error(error: DBAPIError) -> AgentDataError | None:
    """Return the error for the client if a constraint was violated, otherwise None."""
    cause = _driver_error(error)
    name = getattr(cause, "constraint_name", None)
    table = Base.metadata.tables.get(getattr(cause, "table_name", None) or "")
    if name is None or table is None:
        return None
    match sqlstate(error):
        case "23505":
            fields = [camel(column) for column in _constraint_columns(table, name) if column != "project_id"]
            where = " of this project" if "project_id" in table.columns else ""
            return ConflictError(
                f"another {noun(table.name)}{where} has the same {' and '.join(fields)}", field=fields[-1]
            )
        case "23503" if _has_new_reference(error):
            return ConflictError(
                f"another write added a reference to this {noun(table.name)} at the same time; try again"
            )
        case "23503":
            target, [owner, column] = _reference_target(error)
            # PostgreSQL hides the missing key from roles that are subject to row-level security.
            field = camel(column)
            whose = noun(owner.removesuffix("_id"))
            return NotFoundError(
                f"{field} does not refer to any {noun(target.name)} of this {whose}", field=field
            )
        case "23514":
            column = name.removeprefix(f"{table.name}_").removesuffix("_check")
            return BadUserInputError(f"{camel(column)} has a value that is not allowed", field=camel(column))
        case _:
            return None


def _reference_target(error: DBAPIError) -> tuple[Table, list[str]]:
    """Return the table that a violated foreign key refers to, and the last two columns of the key."""
    cause: Any = _driver_error(error)
    table, name = Base.metadata.tables[cause.table_name], cause.constraint_name
    constraints = [each for each in table.foreign_key_constraints if each.name == name]
    [target] = {key.column.table for each in constraints for key in each.elements}
    return target, ["project_id", *_constraint_columns(table, name)][-2:]


def _has_new_reference(error: DBAPIError) -> bool:
    """Return whether a row could not be deleted because a new row refers to it."""
    detail = getattr(_driver_error(error), "detail", None)
    return sqlstate(error) == "23503" and "still referenced" in (detail or "")


def _driver_error(error: DBAPIError) -> Any:
    """Return the driver's error; SQLAlchemy wraps the errors of its own statements once more."""
    return error.orig if isinstance(error.orig, PostgresError) else getattr(error.orig, "__cause__", None)


def _constraint_columns(table: Table, name: str) -> list[str]:
    for constraint in table.constraints:
        if isinstance(constraint, ColumnCollectionConstraint) and constraint.name == name:
            return [column.name for column in constraint.columns]
    # A unique index over an expression is not in the metadata's constraints, but is named by the same rule.
    return [name.removeprefix(f"{table.name}_project_id_").removesuffix("_key")]
