"""`agentdata serve`: serves the API from the embedded database, or from that of DATABASE_URL."""

import asyncio
import logging
import shlex
import signal
import socket
import sys
from collections.abc import Callable, Coroutine
from contextlib import ExitStack
from functools import partial
from types import FrameType
from typing import Annotated

import typer

from agentdata import __version__
from agentdata.cli import workers as processes
from agentdata.settings import MOST_WORKERS, Settings, load_settings
from agentdata.setup_error import SetupError


def serve(
    workers: Annotated[
        int | None,
        typer.Option(
            min=1, max=MOST_WORKERS, help="Number of server processes; by default AGENTDATA_WORKERS."
        ),
    ] = None,
) -> None:
    """Serve the API until Ctrl-C or SIGTERM; the first start creates a database, a project and an API key."""
    settings = load_settings()
    run(settings if workers is None else settings.model_copy(update={"workers": workers}))


def run(settings: Settings, fill: Callable[[str], Coroutine[None, None, None]] | None = None) -> None:
    """Serve with these settings; call `fill` with the URL of the tables' owner before the first request."""
    for how in (signal.SIGINT, signal.SIGTERM):
        signal.signal(how, _end)
    logging.basicConfig(
        level=settings.log_level.upper(), format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    if settings.log_level == "info":
        for talkative in ("alembic", "uvicorn"):
            logging.getLogger(talkative).setLevel(logging.WARNING)
    with ExitStack() as stack:
        listener = stack.enter_context(_listen(settings.host, settings.port))
        print(f"agentdata {__version__} is starting", flush=True)

        from agentdata.administration import prepare, server_secret
        from agentdata.database_urls import database_urls

        urls = stack.enter_context(database_urls(settings, to_serve=True))
        first = asyncio.run(prepare(settings, urls))
        secret = asyncio.run(server_secret(urls.owner))
        if fill:
            asyncio.run(fill(urls.owner))
        serve_quietly = partial(_serve, settings, urls.request, secret, listener)
        announce = partial(_announce, settings, listener, first=first)
        if settings.workers == 1:
            serve_quietly(announce)
        else:
            # The embedded database and the workers both end with this process.
            processes.run(settings.workers, serve_quietly, partial(serve_quietly, announce))


def _end(_signal: int, _frame: FrameType | None) -> None:
    """Exit through all open blocks, so that the database is stopped cleanly."""
    sys.exit(0)


def _listen(host: str, port: int) -> socket.socket:
    try:
        [(family, kind, protocol, _, address), *_] = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        listener = socket.socket(family, kind, protocol)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
    except OSError as error:
        raise SetupError(
            f"cannot listen on {host} port {port}: {error.strerror}; "
            "set AGENTDATA_HOST and AGENTDATA_PORT to a free address and port"
        ) from None
    return listener


def _serve(
    settings: Settings,
    url: str,
    secret: bytes,
    listener: socket.socket,
    announce: Callable[[], None] | None = None,
) -> None:
    import uvicorn

    from agentdata.app import create_app

    class Server(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            if self.started and announce is not None:
                announce()

    config = uvicorn.Config(
        create_app(settings, url, secret=secret),
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=settings.shutdown_timeout_s,
    )
    server = Server(config)
    server.run(sockets=[listener])
    if not server.started:
        raise SetupError("the server could not start; the log above says why")


def _announce(settings: Settings, listener: socket.socket, *, first: bool) -> None:
    from agentdata.administration import key_file

    host, port = listener.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 compared, not listened on
    url = f"http://{f'[{host}]' if ':' in host else host}:{port}/graphql"
    key = key_file(settings).resolve()
    if key.exists():
        kept = f"{key}{' (new: it opens the project `default`)' if first else ''}"
        secret = f"$(cat {shlex.quote(str(key))})"
    else:
        kept = f"none in {key}; `agentdata keys create --save` creates one there"
        secret = "$AGENTDATA_API_KEY"  # noqa: S105 a variable of the shell
    # The shell runs the command substitution; the quotes around the file name are valid inside it.
    print(
        f"GraphQL  {url}\n"
        f"API key  {kept}\n"
        f"Try      curl -s {url} -H 'Content-Type: application/json'"
        f' -H "Authorization: Bearer {secret}"'
        ' -d \'{"query": "{ project { name slug } }"}\'',
        flush=True,
    )
