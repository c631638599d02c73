"""Compares the points of each shape with the time that it takes: `python -m benchmarks.costs`.

The time is processor time of the server and of PostgreSQL, so other work on the machine disturbs it little.
PostgreSQL must run on this machine. Run it after a change of a cost, and copy the table to docs/security.md.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated, Any

import orjson
import psutil
import typer
import uvloop
from rich.console import Console

from benchmarks import database, dataset, measure, shapes
from benchmarks.contenders.run import Running, alone
from benchmarks.load import Client, Sample, request, run

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.dataset import Size

POINT_MS = 0.1
"""The time that a point stands for."""

OTHERS = {
    "count": ("how many messages there are", "{ messages(first: 1) { totalCount nodes { id } } }"),
    "ranking": ("the ten best agents", "{ topAgents(first: 10) { nodes { sessionCount successRate } } }"),
    "tools": ("the ten tools that fail most", "{ topTools { nodes { name callCount p95DurationMs } } }"),
    "statistics": (
        "statistics of the project, with tools and models",
        (
            "{ project { statistics { sessionCount errorCount latency { p95Ms } tools { name }"
            " models { name } } } }"
        ),
    ),
    "search": (
        "the ten best messages for two words",
        '{ searchMessages(query: "invoice warehouse", first: 10) { nodes { message { content } } } }',
    ),
}
"""Shapes beside those of the benchmark, whose work depends on how much a project has."""

console = Console(width=200)


def main(
    size: Annotated[str, typer.Option(help="How much data.")] = "small",
    seconds: Annotated[float, typer.Option(help="Seconds for each shape.")] = 2.0,
) -> None:
    """Print the points, the milliseconds and their ratio for each shape."""
    chosen = dataset.SIZES[size]
    with alone(chosen) as (server, urls):
        uvloop.run(_print_all(server, urls, chosen, seconds))
        asyncio.run(database.reset_writers(urls, chosen))


async def _print_all(server: Running, urls: database.Urls, size: Size, seconds: float) -> None:
    async with database.connect(urls.owner) as connection:
        postmaster = psutil.Process(await connection.fetchval("SELECT pg_backend_pid()")).parent()
        assert postmaster is not None  # noqa: S101  # a backend has one
        console.print(
            "| Shape | | Points | Estimated ms | Measured ms | Ratio |\n| --- | --- | --: | --: | --: | --: |"
        )
        for name, about, payload, makers in await _requests(server, size):
            points = await _points(server, payload)
            measured = await _measured_ms(server, postmaster, makers, seconds)
            estimated = points * POINT_MS
            ratio = estimated / measured
            console.print(
                f"| {name} | {about} | {points:,} | {estimated:.1f} | {measured:.2f} | {ratio:.1f} |"
            )


async def _requests(
    server: Running, size: Size
) -> list[tuple[str, str, bytes, Callable[[int], Callable[[], bytes]]]]:
    """Return the name, the description, a request and a maker of requests of each shape."""
    found: list[Any] = []

    def same(payload: bytes) -> Callable[[int], Callable[[], bytes]]:
        return lambda _client: lambda: payload

    for shape in shapes.CORE:
        payload = await measure.read_request(server, shape, size)
        found.append((shape.name, shape.about, payload, same(payload)))
    for name, (about, document) in OTHERS.items():
        payload = request("/graphql", {"query": document})
        found.append((name, about, payload, same(payload)))
    sequences = iter(range(100_000, 10**9))
    for write in shapes.WRITES:

        def maker(client: int, write: shapes.Write = write) -> Callable[[], bytes]:
            session = dataset.session_id(size, client)
            return lambda: measure.write_request(server, write, session, next(sequences))

        found.append((write.name, write.about, maker(0)(), maker))
    return found


async def _points(server: Running, payload: bytes) -> int:
    """Return the points of a request, as the server says them."""
    body = orjson.loads(payload.partition(b"\r\n\r\n")[2])
    client = await Client.connect(server.port)
    content = orjson.loads(await client.send(request("/graphql", body | {"extensions": {"cost": True}})))
    client.close()
    if content.get("errors"):
        raise SystemExit(f"the server answers with errors: {str(content)[:2000]}")
    return int(content["extensions"]["cost"]["points"])


async def _measured_ms(
    server: Running, postmaster: psutil.Process, makers: Callable[[int], Callable[[], bytes]], seconds: float
) -> float:
    """Return the processor time of a request, in the server and in PostgreSQL."""
    await run(server.port, 1, measure.WARM_UP_S, makers, Sample())
    sample = Sample()
    before = server.cpu_s() + _database_cpu_s(postmaster)
    await run(server.port, 1, seconds, makers, sample)
    return (server.cpu_s() + _database_cpu_s(postmaster) - before) / len(sample.latencies) * 1000


def _database_cpu_s(postmaster: psutil.Process) -> float:
    times = [postmaster.cpu_times(), *[child.cpu_times() for child in postmaster.children()]]
    ended = times[0].children_user + times[0].children_system
    return float(ended + sum(each.user + each.system for each in times))


if __name__ == "__main__":
    typer.run(main)
