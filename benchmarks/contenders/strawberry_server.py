"""Serves plain Strawberry: a session of the ORM for each request, and the schema of its types."""

from __future__ import annotations

import os
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import orjson
import strawberry
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from starlette.applications import Starlette
from starlette.routing import Route
from strawberry.asgi import GraphQL
from strawberry.extensions import SchemaExtension
from strawberry.schema.config import StrawberryConfig

from agentdata.database_url import parse
from benchmarks.contenders.serving import serve
from benchmarks.contenders.strawberry_dashboards import Query
from benchmarks.contenders.strawberry_orm import BigInt, Database, Loaders, Mutation
from benchmarks.dataset import API_KEY

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.websockets import WebSocket


class _OneSession(SchemaExtension):
    """Opens a session for each operation, with the loaders for it."""

    async def on_operation(self) -> AsyncIterator[None]:
        context: Any = self.execution_context.context
        async with context["sessions"]() as session:
            context["loaders"] = Loaders(Database(session))
            yield


class _GraphQL(GraphQL[Any, None]):
    def __init__(self, schema: strawberry.Schema, sessions: Callable[[], AsyncSession]) -> None:
        super().__init__(schema)
        self._sessions = sessions

    async def get_context(self, request: Request | WebSocket, response: Response | WebSocket) -> Any:
        if request.headers.get("authorization") != f"Bearer {API_KEY}":
            raise PermissionError("the API key is not known")
        return {"request": request, "response": response, "sessions": self._sessions}


def make_schema() -> strawberry.Schema:
    """Return the schema, with a session of the ORM for each operation."""
    scalars: dict[object, Any] = {BigInt: strawberry.scalar(name="BigInt", serialize=int)}
    config = StrawberryConfig(scalar_map=scalars)
    return strawberry.Schema(Query, Mutation, extensions=[_OneSession], config=config)


def main() -> None:
    """Serve until the process is terminated."""
    target = parse(os.environ["DATABASE_URL"])
    size = int(os.environ["POOL_SIZE"])
    engine = create_async_engine(
        target.url,
        connect_args=target.connect_args,
        pool_size=size,
        max_overflow=0,
        json_serializer=lambda value: orjson.dumps(value).decode(),
        json_deserializer=orjson.loads,
    )
    sessions = async_sessionmaker(engine, expire_on_commit=False)

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        yield
        await engine.dispose()

    serve(Starlette(routes=[Route("/graphql", _GraphQL(make_schema(), sessions))], lifespan=lifespan))


if __name__ == "__main__":
    main()
