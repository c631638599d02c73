"""Processes of agentdata, which a test may kill and start again, and a load on them."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from contextlib import ExitStack, asynccontextmanager
from types import MappingProxyType
from typing import TYPE_CHECKING

import psutil

from agentdata.database_urls import DatabaseUrls
from tests.faults.appends import Appends
from tests.serving import make_key
from tests.test_cli import AGENTDATA, serving

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from tests.faults.clusters import Cluster
    from tests.test_cli import Serving

_NOTHING: Mapping[str, str] = MappingProxyType({})


class Servers:
    """The process of agentdata, which a test may kill and start again on the same port."""

    def __init__(self, database_url: str, workers: int = 1, more: Mapping[str, str] = _NOTHING) -> None:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("AGENTDATA_")}
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self._environment = kept | {
            "DATABASE_URL": database_url,
            "AGENTDATA_PORT": str(port),
            "AGENTDATA_WORKERS": str(workers),
            # An outage would fill the output of the tests.
            "AGENTDATA_LOG_LEVEL": "error",
            **more,
        }
        self._stack = ExitStack()
        self.current: Serving

    async def start(self) -> None:
        """Start the server, and wait until it is ready."""
        self.current = await asyncio.to_thread(
            self._stack.enter_context, serving(self._environment, AGENTDATA)
        )

    async def kill(self) -> None:
        """Kill the server."""
        await asyncio.to_thread(self.current.end, signal.SIGKILL)

    def workers(self) -> list[psutil.Process]:
        """Return the worker processes."""
        return psutil.Process(self.current.process.pid).children()

    async def close(self) -> None:
        """End the server."""
        await asyncio.to_thread(self._stack.close)


@asynccontextmanager
async def load(
    postgres: Cluster,
    total: int,
    *,
    url: str | None = None,
    workers: int = 1,
    size: int = 0,
    disturbs: bool | None = True,
    more: Mapping[str, str] = _NOTHING,
) -> AsyncIterator[tuple[Appends, Servers]]:
    """Run appends during the block and wait for their end; ``disturbs`` says whether clients notice.

    None means that they may.
    """
    key = await make_key(DatabaseUrls(postgres.url(), postgres.url()))
    servers = Servers(url or postgres.url(), workers, more)
    await servers.start()
    try:
        appends = Appends(servers.current.url, key.secret, total, size=size)
        async with asyncio.timeout(900), asyncio.TaskGroup() as tasks:
            tasks.create_task(appends.run())
            yield appends, servers
    finally:
        await servers.close()
    # Without a fault that clients noticed, a test of one proves nothing.
    assert disturbs is None or bool(appends.refused) is disturbs, appends.refused
