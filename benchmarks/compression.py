"""Measures what the compression of answers costs the server, and from which link on it pays.

    python -m benchmarks.compression

Each shape is asked for by one client after another coding, in turns, over the loopback, which is as fast as
memory. A coding pays if a link takes longer for the bytes that it saves than the server for saving them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer
import uvloop
from rich.console import Console

from agentdata.compression import CODINGS, MIN_BYTES
from benchmarks import dataset, measure, shapes
from benchmarks.contenders.run import Running, alone
from benchmarks.load import Sample, run

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.dataset import Size

PLAIN = "identity"
ROUNDS = 4

console = Console(width=200)


def main(
    size: Annotated[str, typer.Option(help="How much data.")] = "small",
    seconds: Annotated[float, typer.Option(help="Seconds for each shape and coding.")] = 4.0,
) -> None:
    """Print the size of each shape's answer and the server's time for it, by coding."""
    chosen = dataset.SIZES[size]
    with alone(chosen) as (server, _):
        uvloop.run(_print_all(server, chosen, seconds))


async def _print_all(server: Running, size: Size, seconds: float) -> None:
    console.print("| Shape | Coding | Bytes | CPU ms | Pays below Mbit/s |\n| --- | --- | --: | --: | --: |")
    for shape in shapes.READS:
        payload = await measure.read_request(server, shape, size)
        samples = {coding: Sample() for coding in (PLAIN, *(each.name for each in CODINGS))}
        for _ in range(ROUNDS):
            for coding, sample in samples.items():
                asking = payload.replace(b"\r\n", f"\r\nAccept-Encoding: {coding}\r\n".encode(), 1)
                before = server.cpu_s()
                await run(server.port, 1, seconds / ROUNDS, _always(asking), sample)
                sample.cpu_s += server.cpu_s() - before
        plain = samples[PLAIN]
        if plain.size < MIN_BYTES:
            continue
        for coding, sample in samples.items():
            pays = "" if coding == PLAIN else _pays_below(plain, sample)
            console.print(f"| {shape.name} | {coding} | {sample.size:,} | {sample.cpu_ms:.3f} | {pays} |")


def _always(payload: bytes) -> Callable[[int], Callable[[], bytes]]:
    return lambda _client: lambda: payload


def _pays_below(plain: Sample, compressed: Sample) -> str:
    """Return the fastest link, in Mbit/s, on which the saved bytes take longer than the compression."""
    longer_ms = compressed.cpu_ms - plain.cpu_ms
    if longer_ms <= 0:
        return "any"
    return f"{(plain.size - compressed.size) * 8 / longer_ms / 1000:,.0f}"


if __name__ == "__main__":
    typer.run(main)
