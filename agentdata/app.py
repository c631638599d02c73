"""The server: its routes, what surrounds them, and its beginning and end."""

from __future__ import annotations

import gc
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import RedirectResponse
from starlette.routing import Route

from agentdata import graphiql
from agentdata.auth import Authenticator
from agentdata.database import Database
from agentdata.endpoint import GraphQLEndpoint
from agentdata.engine.plans.compiler import Compiler
from agentdata.engine.requests.executor import Executor
from agentdata.health import Health
from agentdata.middleware import AccessLog, SecurityHeaders, UnreadBodies
from schema import root

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from contextlib import AbstractAsyncContextManager

    import strawberry
    from starlette.requests import Request
    from starlette.responses import Response

    from agentdata.settings import Settings

_PREFLIGHT_LASTS_S = 2 * 60 * 60
"""For how many seconds browsers remember what a page of another origin may send; Chrome takes no more."""

_UNREAD_LIMITS = 4
"""How many times as much as a body may have is read of one that is refused."""


def create_app(
    settings: Settings, database_url: str, *, schema: strawberry.Schema = root.schema
) -> Starlette:
    """Make the server of one database; it connects with the first request and closes when the server ends."""
    database = Database(
        database_url,
        pool_size=settings.pool_size,
        pool_timeout_s=settings.pool_timeout_s,
        statement_timeout_ms=settings.statement_timeout_ms,
    )
    graphql = GraphQLEndpoint(
        Executor(schema, compiler=Compiler(schema)),
        database,
        Authenticator(database),
        page=graphiql.page,
        max_body_bytes=settings.max_body_bytes,
    )
    return Starlette(
        routes=[
            Route("/graphql", graphql),
            Route("/health", Health(database).answer),
            Route("/", _home),
            graphiql.assets,
        ],
        middleware=[
            Middleware(UnreadBodies, most_bytes=_UNREAD_LIMITS * settings.max_body_bytes),
            Middleware(AccessLog),
            Middleware(SecurityHeaders),
            *_cross_origin(settings),
        ],
        lifespan=_lifespan(database),
    )


def _leave_to_reference_counts() -> None:
    """Keep the garbage collector from walking over all that the server is made of, and over every answer.

    Answers have no cycles: they go when they are sent. With Python's defaults one of 2,000 messages is walked
    over several times while it is made, and the contract with it: 60 ms at times, where the answer takes 14.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 20, 50)


async def _home(request: Request) -> Response:  # noqa: ARG001 - a Starlette endpoint takes the request
    return RedirectResponse("/graphql")


def _cross_origin(settings: Settings) -> list[Middleware]:
    """Let web pages of other origins call the API, where the settings name them."""
    origins = [origin.strip() for origin in settings.cors_origins.split(",") if origin.strip()]
    if not origins:
        return []
    return [
        Middleware(
            CORSMiddleware,
            allow_origins=origins,
            allow_methods=["GET", "POST"],
            # Tracing and clients add headers of their own, which the server ignores.
            allow_headers=["*"],
            expose_headers=["Allow", "Retry-After", "WWW-Authenticate"],
            max_age=_PREFLIGHT_LASTS_S,
        )
    ]


def _lifespan(database: Database) -> Callable[[Starlette], AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        _leave_to_reference_counts()
        try:
            yield
        finally:
            await database.close()

    return lifespan
