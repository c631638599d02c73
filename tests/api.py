"""The API as a client with a key sees it, called in this process: documents in, data and errors out."""

from __future__ import annotations

import json
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple
from unittest.mock import patch
from uuid import UUID, uuid4

import orjson
from sqlalchemy import event, text
from uuid_utils.compat import uuid7

from agentdata.context import Context
from agentdata.engine.plans.compiler import Compiler
from agentdata.engine.reporting import field_errors, request_errors
from agentdata.engine.requests.documents import InvalidRequestError
from agentdata.engine.requests.executor import Executor
from agentdata.operations.unit_of_work import run
from agentdata.principal import Principal
from models.enums import ApiKeyScope
from schema.root import schema

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Sequence

    import asyncpg
    from sqlalchemy.ext.asyncio import AsyncEngine

    from agentdata.database import Database
    from agentdata.pool import Connection

EXECUTOR = Executor(schema, compiler=Compiler(schema))
"""One executor for all tests, as a server has one for all requests."""

REFERENCE_EXECUTOR = Executor(schema)
"""Runs every operation the reference way, by graphql-core."""


class Answer(NamedTuple):
    """A response as a client receives it: data, decoded from JSON, and errors."""

    data: Any
    errors: list[dict[str, Any]]

    @property
    def codes(self) -> list[str]:
        """The codes of the errors."""
        return [error["extensions"]["code"] for error in self.errors]


@dataclass(frozen=True)
class Api:
    """A project and a key to it."""

    database: Database
    principal: Principal
    executor: Executor = EXECUTOR

    @property
    def project_id(self) -> UUID:
        """The project."""
        return self.principal.project_id

    async def ask(self, document: str, /, **variables: Any) -> Any:
        """Run an operation, check that it has no errors, and return its data."""
        answer = await self.answer(document, **variables)
        assert not answer.errors, answer.errors
        return answer.data

    async def error(self, document: str, /, **variables: Any) -> dict[str, Any]:
        """Run an operation, check that it has exactly one error, and return that error."""
        [error] = (await self.answer(document, **variables)).errors
        return error

    async def answer(self, document: str, /, **variables: Any) -> Answer:
        """Run an operation and return its data and errors."""
        context = Context(self.database, self.principal)
        try:
            operation = self.executor.operation(document, None)
            # Variables and data go through JSON, as they do over HTTP.
            sent = json.loads(json.dumps(variables, default=str))
            result = await self.executor.execute(operation, sent, context)
        except InvalidRequestError as error:
            return Answer(None, request_errors(error.errors))
        finally:
            with suppress(Exception):  # like the endpoint: only the error of the operation matters
                await context.close()
        return Answer(
            orjson.loads(orjson.dumps(result.data, option=orjson.OPT_UTC_Z)),
            field_errors(result.errors or []),
        )

    async def run(self, operation: Callable[..., Awaitable[Any]], **arguments: Any) -> Any:
        """Run a write of `agentdata.operations` and return its rows."""
        return await run(self.database, self.project_id, operation, arguments)

    def with_scopes(self, *scopes: ApiKeyScope) -> Api:
        """Return another key to the same project, with these scopes."""
        return replace(self, principal=Principal(self.project_id, uuid7(), frozenset(scopes)))

    def as_user(self, user_id: UUID) -> Api:
        """Return a token of an end user of the same project."""
        principal = Principal(self.project_id, None, frozenset({ApiKeyScope.READ}), user_id)
        return replace(self, principal=principal)

    def by_reference(self) -> Api:
        """Return the same key, but run its operations the reference way."""
        return replace(self, executor=REFERENCE_EXECUTOR)


async def make_api(database: Database, owner: AsyncEngine) -> Api:
    """Create a project for a test, or for the tests of a module, and return a key to it with all scopes."""
    id_ = uuid7()
    async with owner.begin() as connection:
        await connection.execute(
            text("INSERT INTO projects (id, name, slug) VALUES (:id, 'Test', :slug)"),
            {"id": id_, "slug": f"test-{uuid4().hex}"},
        )
    return Api(database, Principal(id_, uuid7(), frozenset(ApiKeyScope)))


@dataclass(frozen=True)
class Traffic:
    """The statements that requests sent to the database, and the connections that they took."""

    statements: list[str]
    """The statements that read or write, in order."""
    transactions: list[str]
    """The statements that open and end transactions, or set the role or project."""
    connections: list[Any]
    """One entry each time a connection was taken from the pool."""


@contextmanager
def traffic(database: Database) -> Iterator[Traffic]:
    """Record what requests send to the database during the block."""
    seen = Traffic([], [], [])

    def log_statement(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        seen.statements.append(statement)

    def log_query(record: asyncpg.connection.LoggedQuery) -> None:
        # The driver reports statements that bypass SQLAlchemy, and its own queries for types.
        if "set_config('jit'" in record.query or "typeinfo" in record.query or record.query in logged_already:
            return
        word = record.query.split(None, 1)[0]
        around = word in {"BEGIN", "COMMIT", "ROLLBACK", "SET"}
        (seen.transactions if around else seen.statements).append(record.query)

    take, give_back, statement = database.pool.take, database.pool.give_back, database.statement
    logged_already: set[str] = set()

    async def logged_statement(
        project_id: UUID, text: str, arguments: Sequence[Any], **how: Any
    ) -> list[Any]:
        # The driver logs a statement only after returning its rows, which may be too late here.
        logged_already.add(text)
        seen.statements.append(text)
        return await statement(project_id, text, arguments, **how)

    async def logged_take(project_id: UUID | None, user_id: UUID | None = None) -> Connection:
        connection = await take(project_id, user_id)
        seen.connections.append(connection)
        connection.driver.add_query_logger(log_query)
        return connection

    def logged_give_back(connection: Connection) -> None:
        connection.driver.remove_query_logger(log_query)
        give_back(connection)

    engine = database.pool.engine.sync_engine
    event.listen(engine, "before_cursor_execute", log_statement)
    with (
        patch.object(database.pool, "take", logged_take),
        patch.object(database.pool, "give_back", logged_give_back),
        patch.object(database, "statement", logged_statement),
    ):
        yield seen
    event.remove(engine, "before_cursor_execute", log_statement)
