"""Starts the servers that are compared, and reads their use of processor time and memory."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from benchmarks import database
from benchmarks.dataset import API_KEY, PROJECT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.database import Urls
    from benchmarks.dataset import Size

POOL_SIZE = 10
"""The number of connections of every server for one project: the default of PostGraphile's driver.

By default agentdata has twice as many, and gives the operations of one project half of them.
"""

TIMEOUT_S = 120
"""The time limit of a statement, an operation, and a wait for a connection or for a client's next request.

The default of agentdata is ten seconds for a statement. The plain ways may take longer for a dashboard of the
large data, and longer still when 16 clients ask for it at once.
"""

POSTGRAPHILE = Path(__file__).parents[1] / "postgraphile"


@dataclass(frozen=True)
class Contender:
    """A server that is measured."""

    name: str
    about: str
    command: tuple[str, ...]
    schema: str = "agentdata"
    """The schema of the documents that it accepts: agentdata's, PostGraphile's, or none (`floor`)."""
    owner: bool = False
    """Whether it logs in as the tables' owner and, if guarded, switches to the role of requests."""
    guarded: bool = True
    """Whether it sets the role and the project for each transaction."""


CONTENDERS = [
    Contender(
        "agentdata",
        "this server, as `agentdata serve` runs it",
        (sys.executable, "-m", "agentdata", "serve"),
    ),
    Contender(
        "floor",
        "a hand-written Starlette handler for each shape, with asyncpg and orjson",
        (sys.executable, "-m", "benchmarks.contenders.floor"),
        schema="floor",
    ),
    Contender(
        "postgraphile",
        "PostGraphile 5 with pgSettings for role and project",
        ("node", "server.mjs"),
        schema="postgraphile",
        owner=True,
    ),
    Contender(
        "postgraphile-open",
        "PostGraphile 5 without pgSettings: no row-level security, no transaction around a read",
        ("node", "server.mjs"),
        schema="postgraphile",
        owner=True,
        guarded=False,
    ),
    Contender(
        "strawberry",
        "plain Strawberry with DataLoaders and the SQLAlchemy ORM",
        (sys.executable, "-m", "benchmarks.contenders.strawberry_server"),
    ),
]  # fmt: skip


class Running:
    """A running server."""

    def __init__(self, contender: Contender, process: psutil.Popen, port: int) -> None:
        self.contender = contender
        self.port = port
        self._process = process

    def path(self, shape: str) -> str:
        """Return the path for requests of a shape."""
        return f"/{shape}" if self.contender.schema == "floor" else "/graphql"

    def cpu_s(self) -> float:
        """Return the processor time that the server has used so far, in seconds."""
        times = self._process.cpu_times()
        return float(times.user + times.system)

    def forget_peak(self) -> None:
        """Reset the peak memory."""
        Path(f"/proc/{self._process.pid}/clear_refs").write_text("5")

    def peak_mb(self) -> float:
        """Return the peak resident memory since the last reset, in MB."""
        status = Path(f"/proc/{self._process.pid}/status").read_text()
        [kilobytes] = re.findall(r"VmHWM:\s+(\d+) kB", status)
        return int(kilobytes) / 1024


@contextmanager
def serving(contender: Contender, urls: Urls, logs: Path) -> Iterator[Running]:
    """Run a server until the block ends."""
    command = list(contender.command)
    postgraphile = contender.schema == "postgraphile"
    if postgraphile:
        command[0] = str(_node())
    environment = os.environ | {
        "AGENTDATA_HOST": "127.0.0.1",
        "AGENTDATA_PORT": "0",
        "AGENTDATA_DATA_DIR": str(logs),
        "AGENTDATA_LOG_LEVEL": "warning",
        "AGENTDATA_POOL_SIZE": str(2 * POOL_SIZE),
        "AGENTDATA_KEEP_ALIVE_S": str(TIMEOUT_S),
        "AGENTDATA_POOL_TIMEOUT_S": str(TIMEOUT_S),
        "AGENTDATA_STATEMENT_TIMEOUT_MS": str(TIMEOUT_S * 1000),
        "AGENTDATA_OPERATION_TIMEOUT_S": str(TIMEOUT_S),
        "AGENTDATA_MIGRATION_DATABASE_URL": urls.owner,
        "DATABASE_URL": urls.owner if contender.owner else urls.request,
        "POOL_SIZE": str(POOL_SIZE),
        "STATEMENT_TIMEOUT_MS": str(TIMEOUT_S * 1000),
        "SCHEMA": "public",
        "API_KEY": API_KEY,
        "PROJECT_ID": str(PROJECT),
        "GUARDED": str(int(contender.guarded)),
        "NODE_ENV": "production",
        "GRAPHILE_ENV": "production",
    }
    with (logs / f"{contender.name}.log").open("wb") as log:
        process = psutil.Popen(
            command,
            env=environment,
            cwd=POSTGRAPHILE if postgraphile else None,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
        try:
            yield Running(contender, process, _port(contender, process, log.name))
        finally:
            process.terminate()
            try:
                process.wait(15)
            except psutil.TimeoutExpired:
                process.kill()
                process.wait()


@contextmanager
def alone(size: Size) -> Iterator[tuple[Running, Urls]]:
    """Run agentdata on the data of a size until the block ends."""
    with database.database(size) as urls:
        asyncio.run(database.prepare(urls, size))
        logs = database.CACHE / "logs"
        logs.mkdir(parents=True, exist_ok=True)
        with serving(CONTENDERS[0], urls, logs) as server:
            yield server, urls


def _node() -> Path:
    """Return the path of the Node.js that npm installed."""
    for found in sorted((POSTGRAPHILE / "node_modules").glob("node-*/bin/node")):
        return found
    raise SystemExit(
        "PostGraphile is not installed: run `npm ci --ignore-scripts` in benchmarks/postgraphile, which"
        " `make bench` does, or leave it out with --contenders"
    )


def _port(contender: Contender, process: psutil.Popen, log: str) -> int:
    """Return the port that a server prints when it listens."""
    for line in process.stdout:
        if found := re.search(r"(?:^|127\.0\.0\.1:)(\d{4,5})\b", line):
            return int(found[1])
    raise SystemExit(f"{contender.name} does not start, see {log}")
