"""A server on a free port, in the event loop of the tests, and API keys for it."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import UUID, uuid4

import httpx
import uvicorn

from agentdata.administration import acting_in, create_project
from agentdata.app import create_app
from agentdata.door import Door, limits_of
from agentdata.http_protocol import http_protocol
from agentdata.operations import api_keys
from agentdata.settings import Settings
from models.enums import ApiKeyScope

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.types import ASGIApp

    from agentdata.database_urls import DatabaseUrls


class Key(NamedTuple):
    """A key and its project."""

    secret: str
    id: UUID
    project_id: UUID
    slug: str


async def make_key(urls: DatabaseUrls, *scopes: ApiKeyScope) -> Key:
    """Create a project with a key that has the given scopes, or all."""
    slug = f"test-{uuid4().hex}"
    project = await create_project(urls.owner, "Test", slug)
    async with acting_in(urls.owner, slug) as write:
        key, secret = await api_keys.create(write, "Test", scopes or ApiKeyScope)
    return Key(secret, key.id, project.id, slug)


class _Server(uvicorn.Server):
    """A server that does not handle signals and sets an event when it listens."""

    def __init__(self, app: ASGIApp, protocol: type[asyncio.Protocol]) -> None:
        # By uvicorn's default, the server could close an idle connection just when a client uses it again.
        keep_alive_s = Settings().keep_alive_s
        super().__init__(
            uvicorn.Config(
                app,
                port=0,
                http=protocol,
                timeout_keep_alive=keep_alive_s,
                log_config=None,
                access_log=False,
                server_header=False,
            )
        )
        self.is_listening = asyncio.Event()

    async def startup(self, sockets: list[object] | None = None) -> None:  # type: ignore[override]
        await super().startup(sockets)  # type: ignore[arg-type]
        self.is_listening.set()


@asynccontextmanager
async def serving(
    app: ASGIApp, protocol: type[asyncio.Protocol] | None = None
) -> AsyncIterator[tuple[str, int]]:
    """Serve an application, by our protocol or another, and provide the address that it listens on."""
    server = _Server(app, protocol or http_protocol(Door(limits_of(Settings()))))
    task = asyncio.create_task(server._serve())  # noqa: SLF001 - `serve` would handle the signals of the whole process
    await server.is_listening.wait()
    host, port = server.servers[0].sockets[0].getsockname()[:2]
    try:
        yield host, port
    finally:
        server.should_exit = True
        await task


@asynccontextmanager
async def client_of(url: str, key: str, **settings: Any) -> AsyncIterator[httpx.AsyncClient]:
    """Provide a client of a server with these settings."""
    app = create_app(Settings(**settings), url)
    headers = {"Authorization": f"Bearer {key}", "Accept": "application/graphql-response+json"}
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(
            transport=httpx.ASGITransport(app), base_url="http://test", headers=headers
        ) as client,
    ):
        yield client
