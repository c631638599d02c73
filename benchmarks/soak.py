"""Sends mixed requests at a steady rate, and watches the memory and the open files of the server.

    python -m benchmarks.soak --minutes 30 --rate 200

The server and its PostgreSQL run on a new data folder. The first fifth of the time is a warm-up, in which
caches fill. Afterwards memory and open files of the server must stay flat, and the exit status is 1 if they
grow.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from statistics import mean

import httpx
import psutil
from rich.console import Console

WARM_UP = 0.2
SAMPLES = 60
CLIENTS = 32

MAX_GROWTH = 0.05
"""The share by which the memory of the server may grow from the first third after the warm-up to the last."""
MAX_MORE_FILES = CLIENTS
"""Connections of clients come and go; a leak opens many more in half an hour."""

QUERIES = {
    "start": "mutation($n: String!) { startSession(input: {title: $n, externalId: $n}) { id } }",
    "append": """mutation($id: ID!, $n: String!) {
      appendMessages(sessionId: $id, messages: [{role: USER, content: $n}, {role: ASSISTANT, content: $n}],
        idempotencyKey: $n) { id sequence }
    }""",
    "inbox": """{
      sessions(first: 20) { totalCount nodes { title status messages(last: 1) { nodes { content } } } }
    }""",
    "conversation": """query($id: ID!) {
      session(id: $id) { messages(last: 50) { nodes { role content sequence } } }
    }""",
    "statistics": "{ project { statistics { sessionCount messageCount } } }",
    "wrong": '{ session(id: "none") { title nothing } }',
}
MIX = (
    *("start", "append", "conversation", "append", "inbox", "append", "conversation", "append", "wrong"),
    *("append", "inbox", "append", "conversation", "append", "statistics", "append", "inbox", "append"),
)
"""The kinds of requests, one after another and then from the start."""


@dataclass
class Sample:
    """The resources of the server at one time."""

    seconds: float
    bytes: int
    files: int


@dataclass
class Soak:
    """The result: how many requests were answered, and the samples after the warm-up."""

    requests: Counter[str] = field(default_factory=Counter)
    samples: list[Sample] = field(default_factory=list)

    def growth(self) -> tuple[float, int]:
        """Return the share by which the memory grew, and how many more files are open."""
        third = max(len(self.samples) // 3, 1)
        first, last = self.samples[:third], self.samples[-third:]
        memory = mean(each.bytes for each in last) / mean(each.bytes for each in first) - 1
        files = max(each.files for each in last) - max(each.files for each in first)
        return memory, files

    def is_flat(self) -> bool:
        """Return whether neither grew more than allowed."""
        memory, files = self.growth()
        return memory <= MAX_GROWTH and files <= MAX_MORE_FILES


class _Client:
    def __init__(self, url: str, key: str, soak: Soak) -> None:
        headers = {"Authorization": f"Bearer {key}"}
        # The server closes idle connections after 5 s; the client must not reuse one at that moment.
        self._http = httpx.AsyncClient(
            headers=headers, timeout=60, limits=httpx.Limits(max_connections=CLIENTS, keepalive_expiry=1)
        )
        self._url = url
        self._soak = soak
        self._numbers = count()
        self._sessions: list[str] = []

    async def send(self) -> None:
        """Send the next request of the mix.

        Raises:
            RuntimeError: The server answers with an error, but the query is right, or the other way round.

        """
        number = next(self._numbers)
        kind = MIX[number % len(MIX)]
        variables = {"n": f"{kind} {number}"} if kind in {"start", "append"} else {}
        if kind in {"append", "conversation"}:
            variables["id"] = self._sessions[number % len(self._sessions)]
        sent = {"query": QUERIES[kind], "variables": variables}
        answer = (await self._http.post(self._url, json=sent)).json()
        if ("errors" in answer) is not (kind == "wrong"):
            raise RuntimeError(f"a request {kind!r} was answered by {str(answer)[:1000]}")
        self._soak.requests[kind] += 1
        if kind == "start":
            self._sessions = [*self._sessions[-99:], answer["data"]["startSession"]["id"]]

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()


async def soak(url: str, key: str, pid: int, *, seconds: float, rate: float) -> Soak:
    """Send requests for some time, so many a second, and sample the server's process."""
    made = Soak()
    client, process = _Client(url, key, made), psutil.Process(pid)
    began = time.monotonic()

    async def sample() -> None:
        step = seconds / SAMPLES
        for number in range(1, SAMPLES + 1):
            await asyncio.sleep(max(0, began + number * step - time.monotonic()))
            if number > SAMPLES * WARM_UP:
                at = time.monotonic() - began
                made.samples.append(Sample(at, process.memory_info().rss, process.num_fds()))

    async def work() -> None:
        while (due := next(turns)) < seconds:
            await asyncio.sleep(max(0, began + due - time.monotonic()))
            await client.send()

    turns = (number / rate for number in count())
    try:
        # The first request starts the session that the others use.
        await client.send()
        await asyncio.gather(sample(), *(work() for _ in range(CLIENTS)))
    finally:
        await client.close()
    return made


def main() -> None:
    """Start a server, soak it, and print the result."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--rate", type=float, default=200, help="requests a second")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="agentdata-soak-") as folder:
        Path(folder).chmod(0o711)
        kept = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"}
        data = Path(folder) / "data"
        environment = kept | {
            "AGENTDATA_DATA_DIR": str(data),
            "AGENTDATA_PORT": "0",
            "AGENTDATA_LOG_LEVEL": "error",
        }
        with subprocess.Popen(
            [sys.executable, "-m", "agentdata", "serve"], env=environment, stdout=subprocess.PIPE, text=True
        ) as server:
            try:
                made = _soak_process(server, data, options)
            finally:
                server.terminate()
    console = Console()
    memory, files = made.growth()
    for each in made.samples[:: max(len(made.samples) // 10, 1)]:
        console.print(f"{each.seconds:7.0f} s {each.bytes / 2**20:8.1f} MiB {each.files:5} files")
    console.print(f"{made.requests.total()} requests; memory grew by {memory:.1%}, open files by {files}")
    sys.exit(0 if made.is_flat() else 1)


def _soak_process(server: subprocess.Popen[str], data: Path, options: argparse.Namespace) -> Soak:
    for line in server.stdout or ():
        if line.startswith("GraphQL"):
            url = line.split()[1]
            key = (data / "api-key").read_text().strip()
            seconds = options.minutes * 60
            return asyncio.run(soak(url, key, server.pid, seconds=seconds, rate=options.rate))
    raise SystemExit("the server did not start")


if __name__ == "__main__":
    main()
