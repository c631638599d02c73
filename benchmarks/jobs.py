"""Measures the queue: how many jobs pass through it in a second, and how long a claim takes as it grows.

    python -m benchmarks.jobs --seconds 10 --workers 16 --batch 20

Each worker enqueues jobs, claims as many and completes them, in three requests a batch, against `agentdata
serve` and a PostgreSQL on a new data folder. Then a queue is filled with waiting jobs and as many completed
ones, and one worker claims and completes one job at a time.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import psutil
import typer
import uvloop
from rich.console import Console

from agentdata import migrations, provision
from agentdata.embedded import running
from agentdata.operations.api_keys import hash_secret
from benchmarks.contenders.run import CONTENDERS, serving
from benchmarks.database import Urls, connect
from benchmarks.dataset import API_KEY, PROJECT
from benchmarks.load import Client, request

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.contenders.run import Running

ENQUEUE = "mutation ($jobs: [EnqueueJobInput!]!) { enqueueJobs(jobs: $jobs) { id } }"
CLAIM = """mutation ($queue: String!, $worker: String!, $limit: Int!) {
  claimJobs(queue: $queue, worker: $worker, limit: $limit) { id lease data }
}"""
COMPLETE = "mutation ($jobs: [CompleteJobInput!]!) { completeJobs(jobs: $jobs) { id } }"

SIZES = (1_000, 10_000, 100_000, 1_000_000)
"""How many jobs wait when claims are measured."""

CLAIMS = 300
"""How many claims are measured at each size."""

_PREPARE = """
INSERT INTO projects (id, name, slug) VALUES ($1, 'Jobs', 'jobs')"""
_KEY = """
INSERT INTO api_keys (project_id, id, name, prefix, secret_hash, scopes)
VALUES ($1, gen_random_uuid(), 'Jobs', left($2, 11), $3, '{WRITE}')"""
_QUEUE = "INSERT INTO queues (project_id, id, name) VALUES ($1, gen_random_uuid(), 'full') RETURNING id"
_FILL = """
INSERT INTO jobs (project_id, id, queue_id, name, state, data, finished_at)
SELECT $1, gen_random_uuid(), $2, 'filled', state, '{"n": 1}', CASE WHEN state = 'COMPLETED' THEN now() END
FROM generate_series(1, $3) AS i, unnest(ARRAY['WAITING', 'COMPLETED']) AS state"""


class Worker:
    """One worker, with a connection of its own."""

    def __init__(self, name: str, client: Client, queue: str) -> None:
        self.name = name
        self.queue = queue
        self._client = client

    async def enqueue(self, count: int) -> None:
        """Enqueue jobs."""
        jobs = [{"queue": self.queue, "name": "send", "data": {"number": number}} for number in range(count)]
        await self._ask(ENQUEUE, jobs=jobs)

    async def claim(self, limit: int) -> list[dict[str, Any]]:
        """Claim jobs."""
        data = await self._ask(CLAIM, queue=self.queue, worker=self.name, limit=limit)
        claimed: list[dict[str, Any]] = data["claimJobs"]
        return claimed

    async def complete(self, jobs: Sequence[dict[str, Any]]) -> None:
        """Complete jobs."""
        given = [{"id": job["id"], "lease": job["lease"], "result": {"ok": True}} for job in jobs]
        await self._ask(COMPLETE, jobs=given)

    async def _ask(self, query: str, **variables: Any) -> Any:
        return await self._client.read(request("/graphql", {"query": query, "variables": variables}))


async def throughput(port: int, workers: int, batch: int, seconds: float) -> tuple[int, float]:
    """Enqueue, claim and complete jobs; return how many, and the time in seconds."""
    done: list[str] = []
    end = time.perf_counter() + seconds

    async def work(number: int) -> None:
        client = await Client.connect(port)
        worker = Worker(f"worker {number}", client, "busy")
        while time.perf_counter() < end:
            await worker.enqueue(batch)
            claimed = await worker.claim(batch)
            await worker.complete(claimed)
            done.extend(job["id"] for job in claimed)
        client.close()

    began = time.perf_counter()
    await asyncio.gather(*map(work, range(workers)))
    took = time.perf_counter() - began
    if len(done) != len(set(done)):
        raise SystemExit("a job was claimed twice")
    return len(done), took


async def claim_times(port: int) -> list[float]:
    """Return how long single claims take, in milliseconds, in ascending order."""
    client = await Client.connect(port)
    worker = Worker("measured", client, "full")
    times = []
    for _ in range(CLAIMS):
        began = time.perf_counter()
        claimed = await worker.claim(1)
        times.append((time.perf_counter() - began) * 1000)
        await worker.complete(claimed)
    client.close()
    return sorted(times)


async def _prepare(urls: Urls) -> None:
    await provision.ensure_role(urls.owner, request_url=urls.request)
    await migrations.upgrade(urls.owner)
    async with connect(urls.owner) as connection:
        await connection.execute("DELETE FROM projects")
        await connection.execute(_PREPARE, PROJECT)
        await connection.execute(_KEY, PROJECT, API_KEY, hash_secret(API_KEY))


def _processor_times(server: Running, data: Path) -> dict[str, float]:
    """Return the processor time in seconds that each part has used so far."""
    postmaster = psutil.Process(int(next(data.rglob("postmaster.pid")).read_text().split()[0]))
    times = [each.cpu_times() for each in [postmaster, *postmaster.children()]]
    own = psutil.Process().cpu_times()
    return {
        "the server": server.cpu_s(),
        "PostgreSQL": sum(each.user + each.system for each in times),
        "the workers": own.user + own.system,
    }


async def _measure(
    console: Console, server: Running, urls: Urls, data: Path, options: tuple[int, int, float, int]
) -> None:
    workers, batch, seconds, largest = options
    before = _processor_times(server, data)
    done, took = await throughput(server.port, workers, batch, seconds)
    after = _processor_times(server, data)
    used = ", ".join(f"{part} {(after[part] - before[part]) * 1000 / done:.2f} ms" for part in after)
    console.print(
        f"{workers} workers, batches of {batch}: {done / took:,.0f} jobs/s; of the processor {used} a job",
        soft_wrap=True,
    )
    async with connect(urls.owner) as connection:
        queue = await connection.fetchval(_QUEUE, PROJECT)
        filled = 0
        for size in [size for size in SIZES if size <= largest]:
            await connection.execute(_FILL, PROJECT, queue, size - filled, timeout=600)
            await connection.execute("VACUUM (ANALYZE) jobs", timeout=600)
            filled = size
            times = await claim_times(server.port)
            middle, late = times[len(times) // 2], times[int(len(times) * 0.95)]
            console.print(
                f"{size:9,} waiting and as many completed: a claim takes {middle:.2f} ms, 95 % at most"
                f" {late:.2f} ms",
                soft_wrap=True,
            )


def main(
    workers: Annotated[int, typer.Option(help="How many workers enqueue, claim and complete.")] = 16,
    batch: Annotated[int, typer.Option(help="How many jobs a request enqueues, claims or completes.")] = 20,
    seconds: Annotated[float, typer.Option(help="How long they do so.")] = 10,
    largest: Annotated[
        int, typer.Option(help="The largest queue; a million jobs take minutes to write.")
    ] = SIZES[-1],
) -> None:
    """Measure the queue."""
    console = Console(highlight=False)
    with tempfile.TemporaryDirectory(prefix="agentdata-jobs-") as folder:
        Path(folder).chmod(0o711)
        data = Path(folder) / "data"
        with running(data) as embedded:
            urls = Urls.of(embedded)
            asyncio.run(_prepare(urls))
            with serving(CONTENDERS[0], urls, Path(folder)) as server:
                uvloop.run(_measure(console, server, urls, data, (workers, batch, seconds, largest)))


if __name__ == "__main__":
    typer.run(main)
