"""The server application: its routes, its middleware, and its lifespan."""

from __future__ import annotations

import asyncio
import gc
import logging
import sys
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import RedirectResponse
from starlette.routing import Route

from agentdata import graphiql, vector_indexes
from agentdata.auth import Authenticator
from agentdata.database import Database
from agentdata.endpoint import GraphQLEndpoint
from agentdata.engine.aside import SWITCH_S
from agentdata.engine.plans.compiler import Compiler
from agentdata.engine.requests.executor import Executor
from agentdata.engine.requests.validation import Visibility
from agentdata.fairness import Fairness
from agentdata.folding import Folder
from agentdata.health import Health
from agentdata.middleware import SecurityHeaders, UnreadBodies
from agentdata.persisted import PersistedDocuments
from agentdata.sight.access import AccessLog
from agentdata.sight.failures import describe
from agentdata.sight.logs import log_unhandled
from agentdata.sight.metrics import Metrics, MetricsEndpoint
from agentdata.sight.tracing import tracing_of
from agentdata.trusted import trusted_documents
from schema import root

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence
    from contextlib import AbstractAsyncContextManager

    import strawberry
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.types import ASGIApp, Receive, Scope, Send

    from agentdata.embeddings import SearchVectors
    from agentdata.settings import Settings
    from agentdata.sight.metrics import Worker
    from agentdata.sight.tracing import Tracing
    from agentdata.tokens import Tokens

_log = logging.getLogger(__name__)

_PREFLIGHT_MAX_AGE_S = 2 * 60 * 60
"""How long browsers cache a CORS preflight, in seconds; Chrome allows no more."""

SUGGESTED = "{ project { name slug } }"
"""The document that a server suggests to try first. With it, much is loaded that all documents need."""

_UNREAD_LIMITS = 4
"""Of a refused body, this many times the allowed size is read."""


def create_app(
    settings: Settings,
    database_url: str,
    *,
    schema: strawberry.Schema = root.schema,
    secret: bytes | None = None,
    worker: Worker | None = None,
    tracing: Tracing | None = None,
    owner_url: str | None = None,
) -> Starlette:
    """Create the server of one database; it connects at the first request and disconnects at shutdown.

    ``secret`` signs cursors; servers of one database share it (`administration.server_secret`). Without one,
    the server accepts only its own cursors. ``worker`` is the place of this process, if several serve
    together. ``tracing`` replaces that of the settings. ``state.metrics`` of the server holds its metrics,
    and ``state.compile_ahead`` compiles known documents beside the requests.
    With ``owner_url``, that of the owner of the tables, the server looks after the indexes of vectors, and
    folds sessions into the totals of their projects.

    Raises:
        SetupError: The manifest of trusted documents is missing or wrong, the extra for traces is missing, or
            the settings of embeddings contradict each other.

    """
    tracing = tracing or tracing_of(settings)
    vectors, tokens = _search_vectors(settings), _tokens(settings)
    database = Database(
        database_url,
        pool_size=settings.pool_size,
        pool_timeout_s=settings.pool_timeout_s,
        statement_timeout_ms=settings.statement_timeout_ms,
        queue_length=settings.queue_length,
        secret=secret,
        embedding_model=settings.embeddings_model,
    )
    visibility = Visibility(introspection=settings.introspection, suggestions=settings.suggestions)
    executor = Executor(schema, compiler=Compiler(schema), visibility=visibility)
    trusted = trusted_documents(settings, executor)
    documents = PersistedDocuments(
        executor,
        automatic=settings.persisted_documents,
        trusted=trusted,
        only_trusted=settings.trusted_documents == "only",
    )
    graphql = GraphQLEndpoint(
        executor,
        database,
        Authenticator(database, tokens),
        documents,
        Fairness.of(settings, database),
        page=graphiql.page if settings.graphiql else None,
        get=settings.get,
        max_body_bytes=settings.max_body_bytes,
        records_reads=settings.audit_reads,
        vectors=vectors,
    )
    metrics, health = Metrics(database, worker), Health(database)
    cross_origin = _cross_origin(settings)
    outside = [
        Middleware(UnreadBodies, max_bytes=_UNREAD_LIMITS * settings.max_body_bytes),
        Middleware(AccessLog, slow_ms=settings.slow_ms, tracing=tracing),
    ]
    # Answers of the endpoint have the security headers; preflights are answered before it.
    inside = [Middleware(SecurityHeaders), *cross_origin] if cross_origin else []
    app = _Server(
        graphql=_wrapped(graphql, [*outside, *inside]),
        routes=[
            Route("/graphql", graphql),
            Route("/health", health.answer),
            Route("/health/ready", health.answer),
            Route("/health/live", health.live),
            *_metrics(metrics, settings),
            *([Route("/", _home), graphiql.assets] if settings.graphiql else []),
        ],
        middleware=[*outside, Middleware(SecurityHeaders), *cross_origin],
        lifespan=_lifespan(database, metrics, tokens, tracing, vectors, owner_url),
    )
    app.state.metrics = metrics
    # More documents than the cache holds would only drive each other out.
    known = [SUGGESTED, *filter(executor.knows, dict.fromkeys(trusted.values()))]
    app.state.compile_ahead = partial(_compile_ahead, executor, known)
    return app


def _search_vectors(settings: Settings) -> SearchVectors | None:
    """Return the maker of the vectors of searches, or None without an endpoint; raises SetupError."""
    if not any(name.startswith("embeddings_") for name in settings.model_fields_set):
        return None
    # The HTTP client takes long to import.
    from agentdata.embeddings import SearchVectors, embedder_of  # noqa: PLC0415 only with an endpoint

    embedder = embedder_of(settings)
    return None if embedder is None else SearchVectors(embedder, settings.embeddings_search_timeout_s)


def _tokens(settings: Settings) -> Tokens | None:
    """Return the verifier of tokens, or None if no key signs any; raises SetupError."""
    if not (settings.jwt_secret or settings.jwt_jwks):
        return None
    # The cryptography takes long to import.
    from agentdata.tokens import Tokens  # noqa: PLC0415 only with a key

    return Tokens(settings)


class _Server(Starlette):
    """Starlette, but requests to `/graphql` bypass its router, which takes as long as a small plan."""

    def __init__(self, *, graphql: ASGIApp, **options: Any) -> None:
        super().__init__(**options)
        self._graphql = graphql

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or run the lifespan."""
        if scope["type"] == "http" and scope["path"] == "/graphql":
            await self._graphql(scope, receive, send)
        else:
            await super().__call__(scope, receive, send)


def _wrapped(app: ASGIApp, middleware: Sequence[Middleware]) -> ASGIApp:
    """Return an application inside of middleware, of which the first is outermost."""
    for each in reversed(middleware):
        app = each.cls(app, *each.args, **each.kwargs)
    return app


def _tune_garbage_collector() -> None:
    """Keep the garbage collector from scanning the server's own objects and every answer.

    Answers have no reference cycles, so they are freed as soon as they are sent. With Python's defaults, an
    answer of 2,000 messages and the whole schema are scanned several times while the answer is built: up to
    60 ms for an answer that takes 14 ms.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 20, 50)
    sys.setswitchinterval(SWITCH_S)


async def _home(request: Request) -> Response:  # noqa: ARG001 - a Starlette endpoint takes the request
    return RedirectResponse("/graphql")


def _cross_origin(settings: Settings) -> list[Middleware]:
    """Return the middleware that lets web pages of the origins in the settings call the API."""
    origins = [origin.strip() for origin in settings.cors_origins.split(",") if origin.strip()]
    if not origins:
        return []
    return [
        Middleware(
            CORSMiddleware,
            allow_origins=origins,
            allow_methods=["GET", "POST"],
            # Tracing tools and GraphQL clients add headers of their own, which the server ignores.
            allow_headers=["*"],
            expose_headers=["Allow", "Retry-After", "WWW-Authenticate", "X-Request-Id"],
            max_age=_PREFLIGHT_MAX_AGE_S,
        )
    ]


def _metrics(metrics: Metrics, settings: Settings) -> list[Route]:
    """Return the route of the metrics, if the settings have a token for it."""
    if settings.metrics_token is None:
        return []
    return [Route("/metrics", MetricsEndpoint(metrics, settings.metrics_token.get_secret_value()).answer)]


def _lifespan(
    database: Database,
    metrics: Metrics,
    tokens: Tokens | None,
    tracing: Tracing | None,
    vectors: SearchVectors | None,
    owner_url: str | None,
) -> Callable[[Starlette], AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        _tune_garbage_collector()
        asyncio.get_running_loop().set_exception_handler(log_unhandled)
        tasks = [asyncio.create_task(metrics.share())]
        if tokens is not None:
            tasks.append(asyncio.create_task(tokens.start()))
        if owner_url is not None:
            tasks.append(asyncio.create_task(vector_indexes.maintain(owner_url)))
            tasks.append(asyncio.create_task(Folder(owner_url).maintain()))
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            if vectors is not None:
                await vectors.close()
            await database.close()
            if tracing is not None:
                await tracing.stop()

    return lifespan


async def _compile_ahead(executor: Executor, documents: Sequence[str], *, after_s: float = 1.0) -> None:
    """Compile known documents ``after_s`` seconds after the start, which is ready at once."""
    await asyncio.sleep(after_s)
    try:
        await executor.compile(documents)
    except Exception as error:  # noqa: BLE001 - the first requests compile them
        _log.warning("documents were not compiled ahead: %s", describe(error))
