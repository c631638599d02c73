"""Whatever is killed, cut or replaced under load: each acknowledged append is stored exactly once.

Clients repeat requests that were refused or lost, with the same idempotencyKey. The server recovers without a
restart of its own.
"""

from __future__ import annotations

import asyncio
import signal
from typing import TYPE_CHECKING, Any

import pytest

from agentdata import migrations, provision
from tests.databases import run
from tests.faults.clusters import OWNER, cluster
from tests.faults.servers import load

if TYPE_CHECKING:
    from tests.faults.clusters import Cluster

pytestmark = pytest.mark.slow

MANY = 10_000
SOME = 2_000


async def test_after_kills_of_the_server(postgres: Cluster) -> None:
    async with load(postgres, MANY) as (appends, servers):
        for share in (0.25, 0.5, 0.75):
            await appends.reach(share)
            await servers.kill()
            await servers.start()
    await asyncio.to_thread(appends.check, postgres.url())


async def test_after_kills_of_a_worker(postgres: Cluster) -> None:
    async with load(postgres, MANY, workers=2) as (appends, servers):
        for share in (0.2, 0.4, 0.6, 0.8):
            await appends.reach(share)
            servers.workers()[0].kill()
    await asyncio.to_thread(appends.check, postgres.url())


async def test_after_kills_of_the_postmaster(postgres: Cluster) -> None:
    async with load(postgres, MANY) as (appends, _):
        for share in (0.25, 0.5, 0.75):
            await appends.reach(share)
            await asyncio.to_thread(postgres.stop, signal.SIGKILL)
            await asyncio.to_thread(postgres.start)
    await asyncio.to_thread(appends.check, postgres.url())


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGQUIT])
async def test_after_restarts_of_postgresql(postgres: Cluster, how: signal.Signals) -> None:
    async with load(postgres, SOME) as (appends, _):
        for share in (0.3, 0.6):
            await appends.reach(share)
            await asyncio.to_thread(postgres.stop, how)
            await appends.suffer(50)
            await asyncio.to_thread(postgres.start)
    assert appends.refused.keys() == {"OVERLOADED"}
    await asyncio.to_thread(appends.check, postgres.url())


CUT = f"SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE usename = '{OWNER}'"  # noqa: S608  # of these tests


async def test_after_all_connections_were_cut(postgres: Cluster) -> None:
    async with load(postgres, SOME) as (appends, _):
        for share in range(1, 9):
            await appends.reach(share / 10)
            assert (await asyncio.to_thread(run, postgres.url("postgres"), CUT))[0] > 0
    assert appends.refused.keys() == {"OVERLOADED"}
    await asyncio.to_thread(appends.check, postgres.url())


async def test_after_a_failover_to_a_replica() -> None:
    with cluster() as primary:
        await provision.ensure_role(primary.url())
        await migrations.upgrade(primary.url())
        with primary.replica() as replica:
            # Otherwise the replica may lack the last writes.
            settings = ("ALTER SYSTEM SET synchronous_standby_names = '*'", "SELECT pg_reload_conf()")
            await asyncio.to_thread(run, primary.url("postgres"), *settings)
            await synchronous(primary)
            hosts = f"127.0.0.1:{primary.port},127.0.0.1:{replica.port}"
            url = f"postgresql://{OWNER}@{hosts}/postgres?target_session_attrs=read-write"
            async with load(primary, SOME, url=url) as (appends, _):
                await appends.reach(0.4)
                await asyncio.to_thread(primary.stop, signal.SIGQUIT)
                undo = ("ALTER SYSTEM RESET synchronous_standby_names", "SELECT pg_reload_conf()")
                await asyncio.to_thread(replica.promote)
                await asyncio.to_thread(run, replica.url("postgres"), *undo)
            assert appends.refused.keys() == {"OVERLOADED"}
            await asyncio.to_thread(appends.check, replica.url())


async def synchronous(primary: Cluster) -> None:
    """Wait until the primary waits for its replica."""
    state: Any = None
    async with asyncio.timeout(30):
        while state != "sync":
            [state] = await asyncio.to_thread(
                run, primary.url("postgres"), "SELECT max(sync_state) FROM pg_stat_replication"
            )
