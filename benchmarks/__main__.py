"""The command behind `make bench`."""

from __future__ import annotations

import asyncio
import sys
from contextlib import ExitStack
from typing import Annotated

import orjson
import typer
import uvloop
from rich.console import Console

from benchmarks import database, goals, measure, report, shapes
from benchmarks.contenders.run import CONTENDERS, Running, serving
from benchmarks.dataset import SIZES, Size
from benchmarks.load import Sample

Results = dict[str, dict[int, dict[str, Sample]]]

ALL_CONTENDERS = [contender.name for contender in CONTENDERS]
console = Console(width=110)
app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def main(
    size: Annotated[str, typer.Option(help=f"How much data: {' or '.join(SIZES)}.")] = "small",
    shape: Annotated[
        str,
        typer.Option(help=f"Shapes and groups of shapes ({', '.join(shapes.GROUPS)}), separated by commas."),
    ] = ",".join(shapes.GROUPS),
    contenders: Annotated[str, typer.Option(help="The servers, separated by commas.")] = ",".join(
        ALL_CONTENDERS
    ),
    clients: Annotated[
        str, typer.Option(help="The numbers of concurrent clients, separated by commas.")
    ] = "1,16",
    seconds: Annotated[
        float, typer.Option(help="Seconds for each server, shape and number of clients.")
    ] = 3.0,
    rounds: Annotated[int, typer.Option(help="The number of turns in which the seconds are spent.")] = 3,
) -> None:
    """Measure the servers side by side; the first run of a size creates and loads its data."""
    selected = shapes.select(shape)
    names = _parse_names(contenders, ALL_CONTENDERS, "contender")
    with ExitStack() as stack:
        [chosen] = [SIZES[name] for name in _parse_names(size, list(SIZES), "size")]
        urls = stack.enter_context(database.database(chosen))
        asyncio.run(database.prepare(urls, chosen))
        # This also removes the writes of an earlier run that was stopped.
        asyncio.run(database.reset_writers(urls, chosen))
        logs = database.CACHE / "logs"
        logs.mkdir(parents=True, exist_ok=True)
        servers = [
            stack.enter_context(serving(contender, urls, logs))
            for contender in CONTENDERS
            if contender.name in names
        ]
        concurrency = [int(count) for count in clients.split(",")]
        run = _Run(servers, chosen, urls, concurrency, seconds, rounds)
        results, cold = uvloop.run(run.all(selected))
    path = report.write(size, results, cold, " ".join(["python -m benchmarks", *sys.argv[1:]]))
    missed_goals = goals.missed_goals(orjson.loads(path.read_bytes()))
    console.print(
        "Goals not reached:" if missed_goals else "All goals for the measured shapes were reached.",
        *missed_goals,
        sep="\n  ",
    )
    console.print(f"Written to {path} and {path.with_suffix('.svg').name}")


class _Run:
    """One run over all shapes."""

    def __init__(
        self,
        servers: list[Running],
        size: Size,
        urls: database.Urls,
        concurrency: list[int],
        seconds: float,
        rounds: int,
    ) -> None:
        self._servers = servers
        self._names = [server.contender.name for server in servers]
        self._size = size
        self._urls = urls
        self._concurrency = concurrency
        self._seconds = seconds
        self._rounds = rounds

    async def all(self, selected: list[str]) -> tuple[Results, dict[str, dict[str, float]]]:
        """Check and measure the shapes; reads come first, because writes leave dead rows in the tables."""
        results: Results = {}
        cold: dict[str, dict[str, float]] = {}
        reads = [
            (shape, measure.answering(self._servers, shape))
            for shape in shapes.READS
            if shape.name in selected
        ]
        for shape, servers in reads:
            await measure.check(servers, shape, self._size)
        console.print("All servers give the same answers.")
        for shape, servers in reads:
            results[shape.name] = {
                clients: await measure.measure_read(
                    servers, shape, self._size, clients, self._seconds, self._rounds
                )
                for clients in self._concurrency
            }
            cold[shape.name] = {
                server.contender.name: round(await measure.measure_cold(server, shape, self._size), 2)
                for server in servers
                if server.contender.schema != "floor"
            }
            console.print(report.table(shape.name, shape.about, results[shape.name], names=self._names))
            console.print(
                "first request of a new document, median ms:", cold[shape.name], "\n", soft_wrap=True
            )
        for write in shapes.WRITES:
            if write.name in selected:
                results[write.name] = {}
                for clients in self._concurrency:
                    results[write.name][clients] = await measure.measure_write(
                        self._servers, write, self._size, clients, self._seconds, self._rounds
                    )
                    await database.reset_writers(self._urls, self._size)
                console.print(
                    report.table(
                        write.name,
                        write.about,
                        results[write.name],
                        names=self._names,
                        messages=write.messages,
                    ),
                    "",
                )
        return results, cold


def _parse_names(text: str, known: list[str], what: str) -> list[str]:
    chosen = text.split(",")
    if unknown := [name for name in chosen if name not in known]:
        raise typer.BadParameter(f"there is no {what} {', '.join(unknown)}; there are {', '.join(known)}")
    return chosen


if __name__ == "__main__":
    app()
