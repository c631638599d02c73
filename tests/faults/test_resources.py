"""Full disks, locks, conflicts and wrong clocks refuse requests for a while at most, and lose nothing."""

from __future__ import annotations

import asyncio
import errno
import os
import subprocess
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest
from sqlalchemy import text

from agentdata import migrations, provision
from agentdata.administration import acting_in
from agentdata.app import create_app
from agentdata.connection import transaction
from agentdata.database_urls import DatabaseUrls
from agentdata.operations import api_keys
from agentdata.settings import Settings
from models.enums import ApiKeyScope
from tests.databases import reachable_folder, run
from tests.faults.appends import APPEND, START
from tests.faults.clusters import cluster
from tests.faults.servers import Servers, load
from tests.serving import make_key, serving

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.faults.clusters import Cluster

pytestmark = pytest.mark.slow


DISK_MB = 200


@contextmanager
def small_disk() -> Iterator[Path]:
    """Provide a file system in memory, or skip the test if this process may not mount one."""
    with reachable_folder() as folder:
        made = subprocess.run(  # noqa: S603 the folder is ours
            ["/bin/mount", "-t", "tmpfs", "-o", f"size={DISK_MB}m,mode=711", "none", folder],
            capture_output=True,
            check=False,
        )
        if made.returncode:
            pytest.skip("only root can mount the small disk that this test fills")
        try:
            yield folder
        finally:
            subprocess.run(["/bin/umount", "--lazy", folder], check=True)  # noqa: S603 as above


def fill(disk: Path) -> Path:
    """Fill the disk by one file, and return its path."""
    ballast, size, step = disk / "ballast", 0, 2**20
    with ballast.open("wb") as file:
        # PostgreSQL takes some of the room meanwhile.
        while step >= 2**12:
            try:
                os.posix_fallocate(file.fileno(), size, step)
                size += step
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise
                step //= 2
    return ballast


async def test_a_full_disk_refuses_writes_until_there_is_room() -> None:
    settings = {"min_wal_size": "32MB", "max_wal_size": "32MB"}
    with small_disk() as disk, cluster(settings, at=disk) as postgres:
        await provision.ensure_role(postgres.url())
        await migrations.upgrade(postgres.url())
        async with load(postgres, 300, size=40_000) as (appends, _):
            await appends.reach(0.3)
            ballast = fill(disk)
            await appends.suffer(100)
            ballast.unlink()
            # If it cannot write its log, PostgreSQL ends itself.
            await asyncio.to_thread(postgres.revive)
        assert appends.refused.keys() == {"OVERLOADED"}
        await asyncio.to_thread(appends.check, postgres.url())


CONFLICT = (
    "CREATE SEQUENCE attempts",
    """CREATE FUNCTION conflict() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
      IF nextval('attempts') % 2 = 0 THEN RAISE EXCEPTION 'conflict' USING ERRCODE = TG_ARGV[0]; END IF;
      RETURN NEW;
    END $$""",
    "GRANT USAGE ON SEQUENCE attempts TO agentdata_app",
)
"""A trigger that fails every second attempt: a sequence counts them, because no rollback undoes it."""


@pytest.mark.parametrize("state", ["40001", "40P01"])
async def test_serialization_failures_and_deadlocks_are_retried(postgres: Cluster, state: str) -> None:
    trigger = (
        f"CREATE TRIGGER conflict BEFORE INSERT ON messages FOR EACH ROW EXECUTE FUNCTION conflict('{state}')"
    )
    await asyncio.to_thread(run, postgres.url(), *CONFLICT, trigger)
    try:
        async with load(postgres, 150, disturbs=None) as (appends, _):
            pass
        # A write is tried five times, so only few clients have to repeat theirs.
        assert appends.refused.total() < 150 / 5
        await asyncio.to_thread(appends.check, postgres.url())
        [attempts] = await asyncio.to_thread(run, postgres.url(), "SELECT last_value FROM attempts")
        assert attempts >= 2 * 150 - 1
    finally:
        await asyncio.to_thread(
            run, postgres.url(), "DROP FUNCTION conflict CASCADE", "DROP SEQUENCE attempts"
        )


async def test_a_write_that_waits_too_long_for_a_lock_times_out_and_can_be_repeated(
    postgres: Cluster,
) -> None:
    urls = DatabaseUrls(postgres.url(), postgres.url())
    key = await make_key(urls)
    app = create_app(Settings(statement_timeout_ms=300), urls.request)
    async with (
        app.router.lifespan_context(app),
        serving(app) as (host, port),
        httpx.AsyncClient(headers={"Authorization": f"Bearer {key.secret}"}, timeout=30) as http,
    ):

        async def ask(query: str, **variables: str) -> dict[str, object]:
            sent = {"query": query, "variables": variables}
            answer: dict[str, object] = (await http.post(f"http://{host}:{port}/graphql", json=sent)).json()
            return answer

        started = await ask(START)
        session = started["data"]["startSession"]["id"]  # type: ignore[index]  # an object
        append = {"session": session, "content": "once", "key": "once"}
        async with transaction(postgres.url("postgres")) as blocking:
            await blocking.execute(text("SELECT id FROM sessions WHERE id = :id FOR UPDATE"), {"id": session})
            refused = await ask(APPEND, **append)
        assert refused["errors"][0]["extensions"]["code"] == "TIMEOUT"  # type: ignore[index]  # an object
        first = await ask(APPEND, **append)
        assert "errors" not in first
        assert await ask(APPEND, **append) == first
    stored = f"SELECT count(*) FROM messages WHERE session_id = '{session}'"  # noqa: S608  # an id of the server
    assert await asyncio.to_thread(run, postgres.url("postgres"), stored) == [1]


LIBRARIES = sorted(
    path
    for folder in (*os.environ.get("LD_LIBRARY_PATH", "").split(":"), "/usr/lib", "/usr/local/lib")
    for path in (Path(folder).glob("**/libfaketime.so.1") if folder else ())
)


@pytest.mark.skipif(
    not LIBRARIES, reason="libfaketime is not installed (Debian, Ubuntu: apt install libfaketime)"
)
async def test_a_clock_that_jumps_loses_nothing(postgres: Cluster, tmp_path: Path) -> None:
    clock = tmp_path / "clock"
    clock.write_text("+0")
    more = {
        "LD_PRELOAD": str(LIBRARIES[0]),
        "FAKETIME_TIMESTAMP_FILE": str(clock),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }
    async with load(postgres, 1_500, more=more, disturbs=False) as (appends, servers):
        key = await expiring_key(postgres)
        for share, offset, valid in ((0.2, "+1d", False), (0.4, "-2d", True), (0.6, "+0", True)):
            await appends.reach(share)
            clock.write_text(offset)
            await wait_until(servers, key, valid=valid)
    await asyncio.to_thread(appends.check, postgres.url())
    ahead = "SELECT count(*) FROM sessions WHERE last_activity_at > now()"
    assert await asyncio.to_thread(run, postgres.url("postgres"), ahead) == [0]


async def expiring_key(postgres: Cluster) -> str:
    """Create a key that expires in an hour."""
    key = await make_key(DatabaseUrls(postgres.url(), postgres.url()))
    async with acting_in(postgres.url(), key.slug) as write:
        _, secret = await api_keys.create(
            write, "Short", [ApiKeyScope.READ], expires_at=datetime.now(UTC) + timedelta(hours=1)
        )
    return secret


async def wait_until(servers: Servers, secret: str, *, valid: bool) -> None:
    """Wait until the server takes a key, or refuses it; it judges a key anew after a second at most."""
    async with httpx.AsyncClient(headers={"Authorization": f"Bearer {secret}"}) as http, asyncio.timeout(20):
        while True:
            answer = await http.post(servers.current.url, json={"query": "{ __typename }"})
            if answer.status_code == (200 if valid else 401):
                return
