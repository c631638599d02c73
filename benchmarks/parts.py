"""Says whose the microseconds of each read shape are: PostgreSQL's, the driver's, ours, or HTTP's.

    python -m benchmarks.parts --shape inbox,dashboard

One client sends one request after another. Each part is measured by itself, in turns with the others. The
printed time is that of the fastest tenth, so that other work on the machine disturbs it little:

- PostgreSQL: the server's own durations of binding (which includes planning) and executing the statements
- trip: the round trip to PostgreSQL, which is `SELECT 1` on a connection of our pool without its duration
- driver: the same statements on a connection of our pool, without the two parts above: asyncpg encodes the
  values and decodes the rows
- ours: the whole application in this process, without the time of its statements: reading the request, the
  key, the plan, values, the answer and its JSON
- HTTP: a request to a server that answers as many bytes at once, by the same protocol. It includes the client
- rest: a request to `agentdata serve`, without all of these. It has what the parts do not see, such as
  processors that two processes want at once

PostgreSQL must let us set `log_duration`, as the one that the benchmark starts does.
"""

from __future__ import annotations

import asyncio
import re
import sys
import time
from contextlib import ExitStack, asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import orjson
import typer
import uvloop
from rich.console import Console

from agentdata.administration import server_secret
from agentdata.app import create_app
from agentdata.context import Context
from agentdata.database import Database
from agentdata.engine.plans.compiler import Compiler
from agentdata.engine.requests.executor import Executor
from agentdata.principal import Principal
from agentdata.settings import Settings
from agentdata.sight.counts import COUNTS
from benchmarks import database, dataset, measure, shapes
from benchmarks.contenders.run import CONTENDERS, TIMEOUT_S, Contender, Running, serving
from benchmarks.load import OK, Client, request
from models.base import REQUEST_ROLE
from models.enums import ApiKeyScope
from schema.root import schema

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

    from starlette.types import ASGIApp, Message

    from agentdata.pool import Driver
    from benchmarks.dataset import Size
    from benchmarks.shape import Shape

    Measure = Callable[[], Awaitable[float]]
    Call = tuple[str, tuple[Any, ...]]

CANNED = Contender(
    "canned", "answers without anything behind it", (sys.executable, "-m", "benchmarks.contenders.canned")
)
ROUNDS = 3
SHARE = 0.1
"""The share of the requests that take no longer than the time that is printed."""

LEAST = 2
"""The least number of requests of a part in a round."""

TRIVIAL: Call = ("SELECT 1", ())
WARM_UP = 7
"""Requests before the measurement: with the sixth, PostgreSQL decides whether it plans for each value."""

_DURATION = re.compile(r"duration: ([\d.]+) ms")
console = Console(width=160)


def main(
    size: Annotated[str, typer.Option(help="How much data.")] = "small",
    shape: Annotated[str, typer.Option(help="Shapes and groups of shapes, separated by commas.")] = (
        "core,dashboard"
    ),
    seconds: Annotated[float, typer.Option(help="Seconds for each shape.")] = 5.0,
) -> None:
    """Print the microseconds of each part of a request for each shape."""
    chosen = dataset.SIZES[size]
    names = shapes.select(shape)
    with ExitStack() as stack:
        urls = stack.enter_context(database.database(chosen))
        asyncio.run(database.prepare(urls, chosen))
        logs = database.CACHE / "logs"
        logs.mkdir(parents=True, exist_ok=True)
        ours, canned = (
            stack.enter_context(serving(contender, urls, logs)) for contender in (CONTENDERS[0], CANNED)
        )
        reads = [each for each in shapes.READS if each.name in names]
        uvloop.run(_print_all(ours, canned, urls, chosen, reads, seconds))


async def _print_all(
    ours: Running, canned: Running, urls: database.Urls, size: Size, reads: list[Shape], seconds: float
) -> None:
    console.print(
        "| Shape | Whole µs | PostgreSQL | Trip | Driver | Ours | HTTP | Rest |\n"
        "| --- | --: | --: | --: | --: | --: | --: | --: |"
    )
    secret = await server_secret(urls.owner)
    async with (
        _application(urls, secret) as app,
        _connection(urls.request) as bare,
        _watched(urls) as watched,
    ):
        clients = await Client.connect(ours.port), await Client.connect(canned.port)
        for shape in reads:
            payload = await measure.read_request(ours, shape, size)
            calls = await _calls(urls, secret, payload)
            empty = request(f"/{len(await clients[0].send(payload))}", orjson.loads(_body(payload)))
            samples = await _samples(
                {
                    "whole": partial(_sent, clients[0], payload),
                    "http": partial(_sent, clients[1], empty),
                    "ours": partial(_answered, app, payload),
                    "statements": partial(_fetched, bare, calls),
                    "postgres": partial(watched.durations, calls),
                    "trivial": partial(_fetched, bare, [TRIVIAL]),
                    "trivial postgres": partial(watched.durations, [TRIVIAL]),
                },
                seconds,
            )
            console.print(_row(shape.name, samples, trips=len(calls)))
        for client in clients:
            client.close()


@asynccontextmanager
async def _application(urls: database.Urls, secret: bytes) -> AsyncIterator[ASGIApp]:
    """Run the application of `agentdata serve` in this process."""
    # Lines about slow operations would stand between those of the table.
    settings = Settings(statement_timeout_ms=TIMEOUT_S * 1000, slow_ms=0)
    app = create_app(settings, urls.request, secret=secret)
    async with app.router.lifespan_context(app):
        yield app


@asynccontextmanager
async def _connection(url: str) -> AsyncIterator[Driver]:
    """Open a connection of our pool, whose session shows the project of the benchmark."""
    own = Database(url, statement_timeout_ms=TIMEOUT_S * 1000)
    connection = await own.pool.take(dataset.PROJECT)
    await connection.act_in(dataset.PROJECT)
    try:
        yield connection.driver
    finally:
        own.pool.give_back(connection)
        await own.close()


class _Watched:
    """A connection of which PostgreSQL reports how long it took to bind and to execute each statement."""

    def __init__(self, driver: Driver) -> None:
        self._driver = driver
        self._durations: list[float] = []
        driver.add_log_listener(self._note)

    def _note(self, _connection: object, message: Any) -> None:
        if found := _DURATION.search(message.message):
            self._durations.append(float(found[1]) / 1000)

    async def durations(self, calls: Sequence[Call]) -> float:
        """Run statements, and return how many seconds PostgreSQL took for them."""
        self._durations.clear()
        for text, arguments in calls:
            await self._driver.fetch(text, *arguments)
        # The driver reports messages in the next turn of the event loop.
        await asyncio.sleep(0)
        if len(self._durations) < 2 * len(calls):
            raise SystemExit("PostgreSQL did not report how long it took to bind and to execute a statement")
        return sum(self._durations)


@asynccontextmanager
async def _watched(urls: database.Urls) -> AsyncIterator[_Watched]:
    async with _connection(urls.superuser) as driver:
        await driver.execute(
            "RESET ROLE; SET log_duration = on; SET client_min_messages = log; SET log_min_messages = fatal;"
            f" SET ROLE {REQUEST_ROLE}"
        )
        yield _Watched(driver)


async def _calls(urls: database.Urls, secret: bytes, payload: bytes) -> list[Call]:
    """Return the statements that a request sends to the database, with their arguments."""
    own = Database(urls.request, statement_timeout_ms=TIMEOUT_S * 1000, secret=secret)
    seen: list[Call] = []
    connection = await own.pool.take(dataset.PROJECT)
    await connection.act_in(dataset.PROJECT)
    connection.driver.add_query_logger(lambda query: seen.append((query.query, tuple(query.args))))
    own.pool.give_back(connection)
    sent = orjson.loads(_body(payload))
    context = Context(own, Principal(dataset.PROJECT, None, frozenset({ApiKeyScope.READ})))
    executor = Executor(schema, compiler=Compiler(schema))
    result = await executor.execute(executor.operation(sent["query"], None), sent["variables"], context)
    if result.errors:
        raise SystemExit(f"a query fails: {result.errors}")
    await context.close()
    # The driver reports queries in the next turn of the event loop.
    await asyncio.sleep(0)
    await own.close()
    return seen


async def _samples(parts: dict[str, Measure], seconds: float) -> dict[str, list[float]]:
    """Measure the parts in turns, and return the seconds of each time."""
    for part in parts.values():
        for _ in range(WARM_UP):
            await part()
    samples: dict[str, list[float]] = {name: [] for name in parts}
    for _ in range(ROUNDS):
        for name, part in parts.items():
            end = time.perf_counter() + seconds / ROUNDS / len(parts)
            taken = 0
            while taken < LEAST or time.perf_counter() < end:
                samples[name].append(await part())
                taken += 1
    return samples


def _row(name: str, samples: dict[str, list[float]], trips: int) -> str:
    found = {part: sorted(times)[int(len(times) * SHARE)] * 1e6 for part, times in samples.items()}
    trip = trips * (found["trivial"] - found["trivial postgres"])
    parts = {
        "postgres": found["postgres"],
        "trip": trip,
        "driver": found["statements"] - found["postgres"] - trip,
        "ours": found["ours"],
        "http": found["http"],
    }
    rest = found["whole"] - sum(parts.values())
    return f"| {name} | {' | '.join(f'{each:,.0f}' for each in (found['whole'], *parts.values(), rest))} |"


async def _sent(client: Client, payload: bytes) -> float:
    """Return how long a request over HTTP takes."""
    started = time.perf_counter()
    await client.send(payload)
    return time.perf_counter() - started


async def _fetched(driver: Driver, calls: Sequence[Call]) -> float:
    """Return how long statements take on a connection of our pool."""
    started = time.perf_counter()
    for text, arguments in calls:
        await driver.fetch(text, *arguments)
    return time.perf_counter() - started


async def _answered(app: ASGIApp, payload: bytes) -> float:
    """Return how long the application takes for a request, without its statements."""
    head, _, body = payload.partition(b"\r\n\r\n")
    headers = [line.split(b": ", 1) for line in head.split(b"\r\n")[1:]]
    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": "/graphql",
        "query_string": b"",
        "headers": [(name.lower(), value) for name, value in headers],
        "client": ("127.0.0.1", 1),
    }

    messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> Message:
        # The client stays: the application waits in vain to hear that it left.
        return messages.pop() if messages else await asyncio.get_running_loop().create_future()

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start" and message["status"] != OK:
            raise SystemExit(f"the application answers with {message['status']}")

    before = COUNTS.statements[-1]
    started = time.perf_counter()
    await app(scope, receive, send)
    return time.perf_counter() - started - (COUNTS.statements[-1] - before)


def _body(payload: bytes) -> bytes:
    return payload.partition(b"\r\n\r\n")[2]


if __name__ == "__main__":
    typer.run(main)
