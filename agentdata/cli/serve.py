"""`agentdata serve`: serves the API from the embedded database, or from that of DATABASE_URL."""

import asyncio
import os
import shlex
import signal
import socket
import sys
from collections.abc import Callable, Coroutine
from contextlib import ExitStack
from functools import partial
from types import FrameType
from typing import TYPE_CHECKING, Annotated

import typer

from agentdata import __version__
from agentdata.cli import workers as processes
from agentdata.cli.importing import importing
from agentdata.cli.settings import load_settings
from agentdata.processes import MOST_WORKERS
from agentdata.setup_error import SetupError

if TYPE_CHECKING:
    from agentdata.database_urls import DatabaseUrls
    from agentdata.door import Limits
    from agentdata.settings import Settings
    from agentdata.sight.metrics import Worker
    from agentdata.sight.sharing import SharedCounts


def serve(
    workers: Annotated[
        int | None,
        typer.Option(
            min=1, max=MOST_WORKERS, help="Number of server processes; by default AGENTDATA_WORKERS."
        ),
    ] = None,
    *,
    worker: Annotated[
        bool | None,
        typer.Option(
            "--worker/--no-worker",
            help="Whether a worker runs beside, as `agentdata worker` does; by default AGENTDATA_WORKER.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Serve the API until Ctrl-C or SIGTERM; the first start creates a database, a project and an API key."""
    given = {"workers": workers, "worker": worker}
    changed = {name: value for name, value in given.items() if value is not None}
    run(load_settings().model_copy(update=changed))


def run(settings: "Settings", fill: Callable[[str], Coroutine[None, None, None]] | None = None) -> None:
    """Serve with these settings; call `fill` with the URL of the tables' owner before the first request."""
    with importing():
        from agentdata.door import limits_of
        from agentdata.sight import logs

    for how in (signal.SIGINT, signal.SIGTERM):
        signal.signal(how, _end)
    logs.configure(settings.log_level, settings.log_format)
    limits = limits_of(settings)
    if settings.worker:
        from agentdata.worker import starting

        starting.check(settings)
    with ExitStack() as stack:
        listener = stack.enter_context(listen(settings.host, settings.port))
        scraped = None
        if settings.metrics_port is not None:
            scraped = stack.enter_context(
                listen(settings.metrics_host, settings.metrics_port, variables="AGENTDATA_METRICS_")
            )
        print(f"agentdata {__version__} is starting", flush=True)

        with importing():
            # Here, so that the processes that are forked have it and share its memory.
            import agentdata.app
            import agentdata.sight.beside  # noqa: F401 as above
            from agentdata.administration import prepare, server_secret
            from agentdata.database_urls import database_urls
            from agentdata.sight.tracing import check_extra

        check_extra(settings)
        urls = stack.enter_context(database_urls(settings, to_serve=True))
        first = asyncio.run(prepare(settings, urls))
        secret = asyncio.run(server_secret(urls.owner))
        if fill:
            asyncio.run(fill(urls.owner))
        announce = partial(_announce, settings, listener, scraped, first=first)
        if settings.workers == 1 and not settings.worker:
            _serve(settings, limits, urls, secret, listener, scraped, None, announce)
        else:
            from agentdata.sight.sharing import SharedCounts

            shared = SharedCounts(settings.workers + settings.worker)
            serve_at = partial(_serve_at, settings, limits, urls, secret, listener, scraped, shared)
            beside = partial(_work_at, settings, urls, shared) if settings.worker else None
            # The embedded database and the processes all end with this one.
            processes.run(settings.workers, serve_at, partial(serve_at, announce=announce), beside)


def _end(_signal: int, _frame: FrameType | None) -> None:
    """Exit through all open blocks, so that the database is stopped cleanly."""
    sys.exit(0)


def listen(host: str, port: int, variables: str = "AGENTDATA_") -> socket.socket:
    """Return a socket that is bound to an address; raises SetupError that names the settings of it."""
    try:
        [(family, kind, protocol, _, address), *_] = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        listener = socket.socket(family, kind, protocol)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
    except OSError as error:
        raise SetupError(
            f"cannot listen on {host} port {port}: {error.strerror}; "
            f"set {variables}HOST and {variables}PORT to a free address and port"
        ) from None
    return listener


def _serve_at(
    settings: "Settings",
    limits: "Limits",
    urls: "DatabaseUrls",
    secret: bytes,
    listener: socket.socket,
    scraped: socket.socket | None,
    shared: "SharedCounts",
    place: int,
    announce: Callable[[], None] | None = None,
) -> None:
    """Serve as one of several processes."""
    from agentdata.sight.metrics import Worker

    _serve(settings, limits, urls, secret, listener, scraped, Worker(place, shared), announce)


def _work_at(settings: "Settings", urls: "DatabaseUrls", shared: "SharedCounts", place: int) -> None:
    """Run a worker in a process beside the server's, so that it takes no time of their event loops."""
    from agentdata.sight.metrics import Worker
    from agentdata.worker import starting

    asyncio.run(starting.work(settings, urls, place=Worker(place, shared)))
    # A worker that a signal has ended is replaced, unless the server ends.
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    os.kill(os.getpid(), signal.SIGTERM)


def _serve(
    settings: "Settings",
    limits: "Limits",
    urls: "DatabaseUrls",
    secret: bytes,
    listener: socket.socket,
    scraped: socket.socket | None,
    worker: "Worker | None",
    announce: Callable[[], None] | None,
) -> None:
    import uvicorn

    from agentdata.app import create_app
    from agentdata.door import Door
    from agentdata.http_protocol import http_protocol
    from agentdata.sight.beside import Beside

    first = worker is None or worker.place == 0
    app = create_app(
        settings, urls.request, secret=secret, worker=worker, owner_url=urls.owner if first else None
    )
    beside = Beside(settings, app.state.metrics, scraped, first=first)

    class Server(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            if self.started:
                beside.start(app.state.compile_ahead())
                if announce is not None:
                    announce()

        async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
            await super().shutdown(sockets)
            await beside.stop()

    config = uvicorn.Config(
        app,
        http=http_protocol(Door(limits)),
        ws="none",
        timeout_keep_alive=settings.keep_alive_s,
        # Without a declared proxy, uvicorn would believe what any process on this machine says.
        proxy_headers=bool(limits.trusted_proxies),
        forwarded_allow_ips=[str(network) for network in limits.trusted_proxies],
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=settings.shutdown_timeout_s,
    )
    server = Server(config)
    server.run(sockets=[listener])
    if not server.started:
        raise SetupError("the server could not start; the log above says why")


def _url(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 compared, not listened on
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


def _announce(
    settings: "Settings", listener: socket.socket, scraped: socket.socket | None, *, first: bool
) -> None:
    from agentdata.administration import key_file
    from agentdata.app import SUGGESTED

    url = f"{_url(listener)}/graphql"
    key = key_file(settings).resolve()
    if key.exists():
        kept = f"{key}{' (new: it opens the project `default`)' if first else ''}"
        secret = f"$(cat {shlex.quote(str(key))})"
    else:
        kept = f"none in {key}; `agentdata keys create --save` creates one there"
        secret = "$AGENTDATA_API_KEY"  # noqa: S105 a variable of the shell
    # The shell runs the command substitution; the quotes around the file name are valid inside it.
    if scraped is not None:
        print(f"Metrics  {_url(scraped)}/metrics")
    print(
        f"GraphQL  {url}\n"
        f"API key  {kept}\n"
        f"Try      curl -s {url} -H 'Content-Type: application/json'"
        f' -H "Authorization: Bearer {secret}"'
        f' -d \'{{"query": "{SUGGESTED}"}}\'',
        flush=True,
    )
