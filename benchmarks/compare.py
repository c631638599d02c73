"""Compares this checkout with another one, such as a clone of an earlier commit.

    python -m benchmarks.compare ../agentdata-before --shape point,page --clients 1,16

Each checkout serves its own benchmark database. The load goes to one server and then to the other, many
times in short turns: a busy machine slows both turns of a pair alike, so the ratios of the pairs count.
"""

from __future__ import annotations

import json
import statistics
import subprocess
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import psutil
import typer
import uvloop
from rich.console import Console
from rich.table import Table

from benchmarks import dataset, measure, shapes
from benchmarks.contenders.run import CONTENDERS, Running
from benchmarks.load import Sample, run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

HERE = Path(__file__).parents[1]

# The other checkout may be older than this module, so the code that it runs is passed to it.
_SERVE = """
import asyncio, json, sys
from contextlib import ExitStack
from benchmarks import database
from benchmarks.contenders.run import CONTENDERS, serving
from benchmarks.dataset import SIZES

size = SIZES[sys.argv[1]]
with ExitStack() as stack:
    urls = stack.enter_context(database.database(size))
    asyncio.run(database.prepare(urls, size))
    asyncio.run(database.reset_writers(urls, size))
    logs = database.CACHE / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    server = stack.enter_context(serving(CONTENDERS[0], urls, logs))
    print(json.dumps({"port": server.port, "pid": server._process.pid}), flush=True)
    sys.stdin.read()
"""

console = Console(width=110)


def main(
    other: Annotated[Path, typer.Argument(help="The other checkout; its environment is in its `.venv`.")],
    size: Annotated[str, typer.Option(help="How much data.")] = "small",
    shape: Annotated[str, typer.Option(help="Shapes and groups of shapes, separated by commas.")] = ",".join(
        shapes.GROUPS
    ),
    clients: Annotated[str, typer.Option(help="The numbers of concurrent clients.")] = "16,1",
    seconds: Annotated[float, typer.Option(help="Seconds of each turn.")] = 1.0,
    pairs: Annotated[int, typer.Option(help="The number of pairs of turns.")] = 12,
) -> None:
    """Print the rate of this checkout as a multiple of the other's, with the standard error."""
    with ExitStack() as stack:
        others, ours = (stack.enter_context(_serving(root, size)) for root in (other.resolve(), HERE))
        counts = [int(count) for count in clients.split(",")]
        uvloop.run(
            _compare((others, ours), dataset.SIZES[size], shapes.select(shape), counts, seconds, pairs)
        )


@contextmanager
def _serving(root: Path, size: str) -> Iterator[Running]:
    """Run the server of a checkout until the block ends."""
    command = [str(root / ".venv/bin/python"), "-c", _SERVE, size]
    with subprocess.Popen(  # noqa: S603  # the checkout that the developer names
        command, cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as held:
        assert held.stdin is not None and held.stdout is not None  # noqa: PT018, S101  # both are pipes
        try:
            for line in held.stdout:
                if line.startswith("{"):
                    found = json.loads(line)
                    yield Running(CONTENDERS[0], psutil.Process(found["pid"]), found["port"])  # type: ignore[arg-type]  # of a process that runs already
                    return
            raise SystemExit(f"the server of {root} did not start")
        finally:
            held.stdin.close()


async def _compare(
    servers: tuple[Running, Running],
    size: dataset.Size,
    names: list[str],
    counts: list[int],
    seconds: float,
    pairs: int,
) -> None:
    table = Table("shape", "clients", "other/s", "this/s", "this ÷ other", "other CPU ms", "this CPU ms")
    sequences = iter(range(100_000, 10**9))
    for name in names:
        makers = [await _maker(server, name, size, sequences) for server in servers]
        for count in counts:
            table.add_row(name, str(count), *await _pairs(servers, makers, count, seconds, pairs))
    console.print(table)


async def _maker(
    server: Running, name: str, size: dataset.Size, sequences: Iterator[int]
) -> Callable[[int], Callable[[], bytes]]:
    """Return the maker of each client's requests of a shape."""
    for shape in shapes.READS:
        if shape.name == name:
            return partial(_same, await measure.read_request(server, shape, size))
    [write] = [write for write in shapes.WRITES if write.name == name]

    def requests_of(client: int) -> Callable[[], bytes]:
        session = dataset.session_id(size, client)
        return lambda: measure.write_request(server, write, session, next(sequences))

    return requests_of


def _same(payload: bytes, _client: int) -> Callable[[], bytes]:
    return lambda: payload


async def _pairs(
    servers: tuple[Running, Running], makers: list[Any], count: int, seconds: float, pairs: int
) -> list[str]:
    """Measure pairs of turns, and return the cells of their row."""
    for server, maker in zip(servers, makers, strict=True):
        await run(server.port, count, measure.WARM_UP_S, maker, Sample())
    samples = [Sample(), Sample()]
    ratios = []
    for pair in range(pairs):
        rates = [0.0, 0.0]
        # Who comes second may find warmer caches, so they take turns at that, too.
        for at in (0, 1) if pair % 2 else (1, 0):
            turn = Sample()
            before = servers[at].cpu_s()
            await run(servers[at].port, count, seconds, makers[at], turn)
            rates[at] = turn.rate
            samples[at].seconds += turn.seconds
            samples[at].latencies += turn.latencies
            samples[at].cpu_s += servers[at].cpu_s() - before
        ratios.append(rates[1] / rates[0])
    error = statistics.stdev(ratios) / pairs**0.5 if pairs > 1 else float("nan")
    return [
        *(f"{sample.rate:,.0f}" for sample in samples),
        f"{statistics.median(ratios):.3f} ± {error:.3f}",
        *(f"{sample.cpu_ms:.3f}" for sample in samples),
    ]


if __name__ == "__main__":
    typer.run(main)
