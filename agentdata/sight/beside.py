"""Work beside the API in the same event loop: the port of the metrics, and the bound of PostgreSQL's log."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import uvicorn
from starlette.applications import Starlette
from starlette.routing import Route

from agentdata.door import Door, limits_of
from agentdata.http_protocol import http_protocol
from agentdata.sight.metrics import MetricsEndpoint

if TYPE_CHECKING:
    import socket
    from collections.abc import Coroutine, Iterator

    from agentdata.settings import Settings
    from agentdata.sight.metrics import Metrics

_LOG_INTERVAL_S = 60.0
"""How often the length of PostgreSQL's log is checked, in seconds."""

_MOST_CONNECTIONS = 20
"""How many connections the port of the metrics has at a time; a monitoring system needs one."""


class _MetricsServer(uvicorn.Server):
    """A server that leaves the signals of the process to the API's."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Handle no signals."""
        yield


class Beside:
    """The tasks that run beside the API while it serves.

    The metrics have a server of their own, so that they can be read while the API refuses connections.
    """

    def __init__(
        self, settings: Settings, metrics: Metrics, listener: socket.socket | None, *, first: bool
    ) -> None:
        self._settings = settings
        self._listener = listener
        self._first = first
        self._tasks: list[asyncio.Task[None]] = []
        # Whoever reaches this port could otherwise use up the time and the descriptors of the API.
        limits = limits_of(settings)._replace(
            connections=_MOST_CONNECTIONS, connections_per_address=_MOST_CONNECTIONS
        )
        app = Starlette(routes=[Route("/metrics", MetricsEndpoint(metrics).answer)])
        self._server = _MetricsServer(
            uvicorn.Config(
                app,
                log_config=None,
                access_log=False,
                server_header=False,
                lifespan="off",
                http=http_protocol(Door(limits)),
                ws="none",
                timeout_graceful_shutdown=1,
            )
        )

    def start(self, *tasks: Coroutine[Any, Any, None]) -> None:
        """Start in the running event loop, together with other tasks."""
        if self._listener is not None:
            self._tasks.append(asyncio.create_task(self._server.serve([self._listener])))
        if self._first and not self._settings.database_url:
            self._tasks.append(asyncio.create_task(self._bound_log()))
        self._tasks += map(asyncio.create_task, tasks)

    async def stop(self) -> None:
        """Stop all of it."""
        self._server.should_exit = True
        for task in self._tasks[self._listener is not None :]:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _bound_log(self) -> None:
        # This import fails on systems without the embedded server.
        from agentdata.embedded import bound_log  # noqa: PLC0415

        while True:
            await asyncio.sleep(_LOG_INTERVAL_S)
            await asyncio.to_thread(bound_log, self._settings.data_dir)
