"""The fuzz as a command: `python -m tests.fuzz --minutes 30` on a database and a server of its own."""

from __future__ import annotations

import asyncio
from random import SystemRandom
from typing import Annotated

import typer

from agentdata import migrations, provision
from tests import databases
from tests.fuzz.run import run
from tests.fuzz.target import prepared


def main(
    minutes: Annotated[float, typer.Option(help="How long to send requests.")] = 30.0,
    seed: Annotated[int | None, typer.Option(help="The seed of the requests; random if not given.")] = None,
) -> None:
    """Send hostile requests, print the figures, and exit with 1 if an answer was wrong."""
    chosen = SystemRandom().randrange(10**9) if seed is None else seed
    typer.echo(f"seed {chosen}")
    with databases.server() as server, server.fresh_database() as urls:
        asyncio.run(provision.ensure_role(urls.owner, request_url=urls.request))
        asyncio.run(migrations.upgrade(urls.owner))

        async def fuzz() -> int:
            async with prepared(urls) as target:
                tally = await run(target, seconds=minutes * 60, seed=chosen, say=typer.echo)
            typer.echo(tally)
            for fault, request in tally.faults[:20]:
                typer.echo(f"\n{fault}\n{request.kind}: {request.content[:5_000]!r}")
            return len(tally.faults)

        faults = asyncio.run(fuzz())
    raise SystemExit(bool(faults))


if __name__ == "__main__":
    typer.run(main)
