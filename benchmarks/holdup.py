"""Measures how long a small request waits while another client sends what takes the server long.

    python -m benchmarks.holdup

The small request is the shape `point`, sent a hundred times a second by a client of its own. Each kind of
other requests is sent one after another, as fast as the server answers. The machine should do nothing else.
"""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ProcessPoolExecutor
from itertools import count
from multiprocessing import get_context
from typing import TYPE_CHECKING, Annotated, Any

import orjson
import typer
import uvloop
from rich.console import Console

from benchmarks import dataset, measure, shapes
from benchmarks.contenders.run import Running, alone
from benchmarks.load import Client, Sample, request

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.dataset import Size

_INTERVAL_S = 0.01
_NUMBERS = count()
"""Makes each document a new one, so that it is parsed, validated, measured and compiled."""

console = Console(width=200)


def _wide() -> dict[str, Any]:
    """Return a document of 50 lists with a list in each, about 1,600 fields together."""
    lists = " ".join(f"s{number}: sessions(first: 1) {{ nodes {{ ...S }} }}" for number in range(50))
    fragments = (
        "fragment S on Session { id externalId title status platform provider purpose tags qualityScore"
        " source context state metadata lastActivityAt startedAt endedAt isActive interactionCount"
        " messageCount messages(first: 1) { nodes { id sequence role content model createdAt metadata } } }"
    )
    return {"query": f"query Q{next(_NUMBERS)} {{ {lists} }} {fragments}"}


def _chain() -> dict[str, Any]:
    """Return fragments that double the fields 15 times."""
    fragments = " ".join(
        f"fragment f{level} on Session {{ parent {{ ...f{level + 1} }} root {{ ...f{level + 1} }} }}"
        for level in range(15)
    )
    last = "fragment f15 on Session { title }"
    name = f"Q{next(_NUMBERS)}"
    return {"query": f'query {name} {{ session(externalId: "x") {{ ...f0 }} }} {fragments} {last}'}


def _conditions() -> dict[str, Any]:
    """Return a filter of 500 conditions, each in a place of its own."""
    wanted = [{"title": {"eq": f"{next(_NUMBERS)}"}} for _ in range(500)]
    return {"query": "query ($f: SessionFilter) { sessions(filter: $f) { nodes { id } } }"} | {
        "variables": {"f": {"or": wanted}}
    }


def _refused() -> dict[str, Any]:
    """Return a document with 1,600 wrong fields."""
    return {"query": f"query Q{next(_NUMBERS)} {{ {' '.join(f'x{number}' for number in range(1_600))} }}"}


def _values() -> dict[str, Any]:
    """Return variables of 100,000 values, which no list may have."""
    return {
        "query": "query ($ids: [ID!]!) { nodes(ids: $ids) { id } }",
        "variables": {"ids": ["0190aaaa-0000-7000-8000-000000000000"] * 100_000},
    }


def _text() -> dict[str, Any]:
    """Return a variable that is one text of 15 MB."""
    return {"query": "query ($a: String) { agents(filter: {name: {eq: $a}}) { nodes { id } } }"} | {
        "variables": {"a": "x" * 15_000_000}
    }


def _records() -> dict[str, Any]:
    """Return a query whose answer has 25,500 records."""
    return {"query": "{ sessions(first: 51) { nodes { messages(first: 500) { nodes { id sequence } } } } }"}


KINDS: dict[str, tuple[str, Callable[[], dict[str, Any]], set[str]]] = {
    "wide": ("new documents of 1,600 fields and 100 lists", _wide, set()),
    "chain": ("new documents whose fragments double the fields 15 times", _chain, {"LIMIT_EXCEEDED"}),
    "refused": ("new documents with 1,600 unknown fields", _refused, {"BAD_USER_INPUT", "LIMIT_EXCEEDED"}),
    "conditions": ("filters of 500 new conditions", _conditions, set()),
    "values": ("variables of 100,000 values", _values, {"BAD_USER_INPUT"}),
    "text": ("a variable of 15 MB", _text, set()),
    "records": ("answers of up to 25,500 records", _records, set()),
}
"""Each kind: a description, its maker, and the codes of the errors that it gets."""


def main(
    size: Annotated[str, typer.Option(help="How much data.")] = "small",
    seconds: Annotated[float, typer.Option(help="Seconds for each kind.")] = 8.0,
    kinds: Annotated[str, typer.Option(help="The kinds of requests, separated by commas.")] = ",".join(KINDS),
) -> None:
    """Print how long the small request took beside each kind of other requests."""
    chosen = dataset.SIZES[size]
    with alone(chosen) as (server, _):
        uvloop.run(_print_all(server, chosen, seconds, kinds.split(",")))


async def _print_all(server: Running, size: Size, seconds: float, kinds: list[str]) -> None:
    [point] = [shape for shape in shapes.READS if shape.name == "point"]
    small = await measure.read_request(server, point, size)
    await _paced(server, small, seconds / 4)
    console.print("| Beside | Sent | p50 ms | p99 ms | longest ms |\n| --- | --: | --: | --: | --: |")
    console.print(_row("nothing", 0, await _paced(server, small, seconds)))
    loop = asyncio.get_running_loop()
    # A process of its own: the requests must not hold up the client that measures.
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as other:
        for kind in kinds:
            sending = loop.run_in_executor(other, _flood, server.port, kind, seconds)
            sample = await _paced(server, small, seconds)
            console.print(_row(KINDS[kind][0], await sending, sample))


def _flood(port: int, kind: str, seconds: float) -> int:
    """Send requests of a kind, one after another, and return how many were answered."""

    async def send() -> int:
        client = await Client.connect(port)
        end = time.perf_counter() + seconds
        sent = 0
        while time.perf_counter() < end:
            _, make, expected = KINDS[kind]
            answer = orjson.loads(await client.send(request("/graphql", make())))
            if {error["extensions"]["code"] for error in answer.get("errors", ())} != expected:
                raise SystemExit(f"{kind} was answered by {str(answer)[:500]}")
            sent += 1
        client.close()
        return sent

    return asyncio.run(send())


async def _paced(server: Running, payload: bytes, seconds: float) -> Sample:
    """Send a request regularly, and return how long the answers took."""
    client = await Client.connect(server.port)
    sample = Sample()
    end = time.perf_counter() + seconds
    while (began := time.perf_counter()) < end:
        await client.read(payload)
        sample.latencies.append(time.perf_counter() - began)
        await asyncio.sleep(_INTERVAL_S)
    client.close()
    return sample


def _row(about: str, sent: int, sample: Sample) -> str:
    p50, p99, longest = (sample.percentile(share) for share in (0.5, 0.99, 1.0))
    return f"| {about} | {sent:,} | {p50:.1f} | {p99:.1f} | {longest:.1f} |"


if __name__ == "__main__":
    typer.run(main)
