"""The API as a key of one project sees it, asked in this process: documents in, data and errors out."""

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

from agentdata.context import Context, Principal
from agentdata.engine.plans.compiler import Compiler
from agentdata.engine.reporting import field_errors, request_errors
from agentdata.engine.requests.documents import InvalidRequestError
from agentdata.engine.requests.executor import Executor
from agentdata.operations.unit_of_work import run
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

PLAIN_EXECUTOR = Executor(schema)
"""Runs every operation the plain way, which is graphql-core's."""


class Answer(NamedTuple):
    """What a client receives: data as it comes out of JSON, and errors."""

    data: Any
    errors: list[dict[str, Any]]

    @property
    def codes(self) -> list[str]:
        """The codes of the errors."""
        return [error["extensions"]["code"] for error in self.errors]


@dataclass(frozen=True)
class Api:
    """One project, and a key to it."""

    database: Database
    principal: Principal
    executor: Executor = EXECUTOR

    @property
    def project_id(self) -> UUID:
        """The project."""
        return self.principal.project_id

    async def ask(self, document: str, /, **variables: Any) -> Any:
        """Run an operation that goes well and give its data."""
        answer = await self.answer(document, **variables)
        assert not answer.errors, answer.errors
        return answer.data

    async def error(self, document: str, /, **variables: Any) -> dict[str, Any]:
        """Run an operation that ends in one error and give it."""
        [error] = (await self.answer(document, **variables)).errors
        return error

    async def answer(self, document: str, /, **variables: Any) -> Answer:
        """Run an operation."""
        context = Context(self.database, self.principal)
        try:
            operation = self.executor.operation(document, None)
            # Variables and data go through JSON, as they do over HTTP.
            sent = json.loads(json.dumps(variables, default=str))
            result = await self.executor.execute(operation, sent, context)
        except InvalidRequestError as error:
            return Answer(None, request_errors(error.errors))
        finally:
            with suppress(Exception):  # as the endpoint does: what ended the operation is what matters
                await context.close()
        return Answer(
            orjson.loads(orjson.dumps(result.data, option=orjson.OPT_UTC_Z)),
            field_errors(result.errors or []),
        )

    async def run(self, operation: Callable[..., Awaitable[Any]], **arguments: Any) -> Any:
        """Run a write of `agentdata.operations` and give its rows."""
        return await run(self.database, self.project_id, operation, arguments)

    def with_scopes(self, *scopes: ApiKeyScope) -> Api:
        """Give another key to the same project."""
        return replace(self, principal=Principal(self.project_id, uuid7(), frozenset(scopes)))

    def plain(self) -> Api:
        """Give the same key, whose operations all run the plain way."""
        return replace(self, executor=PLAIN_EXECUTOR)


async def make_api(database: Database, owner: AsyncEngine) -> Api:
    """Make a project of its own for a test, or for the tests of a module, with a key that may do all."""
    id_ = uuid7()
    async with owner.begin() as connection:
        await connection.execute(
            text("INSERT INTO projects (id, name, slug) VALUES (:id, 'Test', :slug)"),
            {"id": id_, "slug": f"test-{uuid4().hex}"},
        )
    return Api(database, Principal(id_, uuid7(), frozenset(ApiKeyScope)))


@dataclass(frozen=True)
class Traffic:
    """What requests sent to the database."""

    statements: list[str]
    """Those that read or write, in order."""
    transactions: list[str]
    """The statements that open and end transactions, or say whose rows are shown."""
    connections: list[Any]
    """One for each time that a connection was taken from the pool."""


@contextmanager
def traffic(database: Database) -> Iterator[Traffic]:
    """Watch what requests send to the database while the block lasts."""
    seen = Traffic([], [], [])

    def see(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        seen.statements.append(statement)

    def hear(record: asyncpg.connection.LoggedQuery) -> None:
        # Here come the statements that do not pass through SQLAlchemy, and the driver's own about types.
        if "set_config('jit'" in record.query or "typeinfo" in record.query or record.query in alone:
            return
        word = record.query.split(None, 1)[0]
        around = word in {"BEGIN", "COMMIT", "ROLLBACK", "SET"}
        (seen.transactions if around else seen.statements).append(record.query)

    take, give_back, statement = database.pool.take, database.pool.give_back, database.statement
    alone: set[str] = set()

    async def stated(project_id: UUID, text: str, arguments: Sequence[Any], **how: bool) -> list[Any]:
        # The driver tells of a statement only after it has given its rows, which may be too late here.
        alone.add(text)
        seen.statements.append(text)
        return await statement(project_id, text, arguments, **how)

    async def taken(project_id: UUID | None) -> Connection:
        connection = await take(project_id)
        seen.connections.append(connection)
        connection.driver.add_query_logger(hear)
        return connection

    def given_back(connection: Connection) -> None:
        connection.driver.remove_query_logger(hear)
        give_back(connection)

    engine = database.pool.engine.sync_engine
    event.listen(engine, "before_cursor_execute", see)
    with (
        patch.object(database.pool, "take", taken),
        patch.object(database.pool, "give_back", given_back),
        patch.object(database, "statement", stated),
    ):
        yield seen
    event.remove(engine, "before_cursor_execute", see)
