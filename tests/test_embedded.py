"""The embedded server starts from whatever state it finds, and never outlives its program."""

import asyncio
import os
import pwd
import signal
import socket
import struct
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import asyncpg
import psutil
import pytest
from sqlalchemy.exc import DBAPIError

from agentdata.embedded import EmbeddedServer, bound_log, connect_or_start, place, running
from agentdata.embedded.lifeline import lifeline
from agentdata.embedded.lock import DataFolderInUseError
from agentdata.embedded.place import LONGEST_SOCKET
from agentdata.setup_error import SetupError
from models.base import END_USER_ROLE, REQUEST_ROLE
from tests.databases import copy, reachable_folder, run

PROGRAM = """
import sys, threading
from pathlib import Path
from agentdata.embedded import running
with running(Path(sys.argv[1])) as server:
    print(server.socket_folder, flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def empty() -> Iterator[Path]:
    """Provide the name of a new data folder."""
    with reachable_folder() as folder:
        yield folder / "data"


@pytest.fixture(scope="module")
def made() -> Iterator[Path]:
    """Provide a data folder as a first start leaves it, created once; tests get copies of it."""
    with reachable_folder() as folder:
        with running(folder / "data"):
            pass
        yield folder / "data"


@pytest.fixture
def data_dir(made: Path, empty: Path) -> Path:
    """Provide a data folder for the test, as a first start leaves it."""
    copy(made, empty)
    return empty


def servers(data_dir: Path) -> list[psutil.Process]:
    """Return the processes whose working folder is in the data folder."""
    found = []
    for process in psutil.process_iter():
        try:
            if Path(process.cwd()).is_relative_to(data_dir.resolve()):
                found.append(process)
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return found


@contextmanager
def program(data_dir: Path) -> Iterator[subprocess.Popen[str]]:
    """Run another program, which runs the server."""
    with subprocess.Popen(  # noqa: S603 a program of ours
        [sys.executable, "-c", PROGRAM, data_dir],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        assert process.stdout
        process.socket_folder = Path(process.stdout.readline().strip())  # type: ignore[attr-defined]  # for the test
        # Leaving the block closes its input, and so it ends in order.
        yield process


def execute(server: EmbeddedServer, statement: str, url: str | None = None) -> object:
    async def run() -> object:
        connection = await asyncpg.connect(url or server.owner_url)
        try:
            return await connection.fetchval(statement)
        finally:
            await connection.close()

    return asyncio.run(run())


def test_the_server_keeps_data_and_ends_with_the_block(empty: Path) -> None:
    with running(empty) as server:
        execute(server, "CREATE TABLE kept AS SELECT 1 AS x")
    assert servers(empty) == []
    with running(empty) as server:
        assert execute(server, "SELECT x FROM kept") == 1


def test_requests_run_as_a_role_that_owns_nothing(data_dir: Path) -> None:
    with running(data_dir) as server:
        roles = "SELECT rolname || rolsuper || rolbypassrls FROM pg_roles WHERE rolname = current_user"
        assert execute(server, roles) == "agentdatafalsefalse"
        assert execute(server, roles, server.request_url) == "agentdata_appfalsefalse"
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            execute(server, "CREATE TABLE mine (x int)", server.request_url)


def test_the_server_is_durable_and_has_only_a_private_socket(empty: Path) -> None:
    with running(empty) as server:
        for setting, value in {
            "fsync": "on",
            "synchronous_commit": "on",
            "full_page_writes": "on",
            "data_checksums": "on",
            "listen_addresses": "",
            "server_encoding": "UTF8",
        }.items():
            assert execute(server, f"SHOW {setting}") == value
        locale = "SELECT datlocprovider::text || datlocale FROM pg_database WHERE datname = 'agentdata'"
        assert execute(server, locale) == "bC.UTF-8"
        assert server.socket_folder.stat().st_mode & 0o077 == 0


def test_a_second_server_on_the_data_folder_is_refused(data_dir: Path) -> None:
    with program(data_dir) as first, pytest.raises(DataFolderInUseError) as error, running(data_dir):
        pass
    assert str(data_dir) in str(error.value)
    assert f"process {first.pid}" in str(error.value)


def test_a_command_uses_a_running_server(data_dir: Path) -> None:
    with program(data_dir) as other:
        with connect_or_start(data_dir) as server:
            assert server.socket_folder == other.socket_folder  # type: ignore[attr-defined]  # for the test
            assert execute(server, "SELECT 1") == 1
        assert servers(data_dir)
    with connect_or_start(data_dir) as server:
        assert execute(server, "SELECT 1") == 1
    assert servers(data_dir) == []


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_the_server_ends_with_its_program_and_starts_again(data_dir: Path, how: signal.Signals) -> None:
    with program(data_dir) as process:
        with connect_or_start(data_dir) as server:
            execute(server, "CREATE TABLE kept AS SELECT 1 AS x")
        left = servers(data_dir)
        assert left
        process.send_signal(how)
        process.wait()
        # At once, while the old server may still be ending.
        with running(data_dir) as server:
            assert execute(server, "SELECT x FROM kept") == 1
    _, alive = psutil.wait_procs(left, timeout=10)
    assert alive == []
    assert servers(data_dir) == []


def test_a_killed_server_recovers(data_dir: Path) -> None:
    with running(data_dir) as server:
        execute(server, "CREATE TABLE kept AS SELECT 1 AS x")
        for process in servers(data_dir):
            process.kill()
    with running(data_dir) as server:
        assert execute(server, "SELECT x FROM kept") == 1


def test_an_orphaned_server_is_stopped(data_dir: Path) -> None:
    with program(data_dir) as process:
        # Stopped, it cannot follow the signal that tells it of its program's death.
        [postmaster] = [p for p in servers(data_dir) if p.ppid() == process.pid]
        postmaster.suspend()
        process.kill()
        process.wait()
        resumed = threading.Timer(0.5, postmaster.resume)
        resumed.start()
        with running(data_dir) as server:
            assert execute(server, "SELECT 1") == 1
        resumed.join()
    assert not postmaster.is_running()


def test_a_stale_pid_of_another_process_is_ignored(data_dir: Path) -> None:
    with running(data_dir):
        cluster = data_dir / "postgres" / "cluster"
        claim = (cluster / "postmaster.pid").read_text().splitlines()
    owner = cluster.stat()
    # Of the server's own user, because PostgreSQL minds no other's.
    whom: dict[str, Any] = {"user": owner.st_uid, "group": owner.st_gid, "extra_groups": []}
    with subprocess.Popen(["/bin/sleep", "600"], **(whom if os.geteuid() == 0 else {})) as other:
        try:
            (cluster / "postmaster.pid").write_text("\n".join([str(other.pid), *claim[1:]]) + "\n")
            os.chown(cluster / "postmaster.pid", owner.st_uid, owner.st_gid)
            with running(data_dir) as server:
                assert execute(server, "SELECT 1") == 1
            assert other.poll() is None
        finally:
            other.kill()


def test_an_interrupted_creation_of_the_cluster_is_started_over(empty: Path) -> None:
    unfinished = empty / "postgres" / "unfinished-1"
    unfinished.mkdir(parents=True)
    (unfinished / "PG_VERSION").write_text("18\n")
    empty.chmod(0o711)
    with running(empty) as server:
        assert execute(server, "SELECT 1") == 1
    assert not unfinished.exists()


def test_the_socket_is_in_a_temporary_folder_if_the_path_is_too_long(empty: Path) -> None:
    long = empty.joinpath(*["a folder with a long name, 'quotes' and \"more\" 100%"] * 3)
    long.mkdir(parents=True)
    with running(long) as server:
        assert len(str(server.socket_folder)) < LONGEST_SOCKET < len(str(long))
        assert server.socket_folder.stat().st_mode & 0o077 == 0
        assert execute(server, "SELECT 1") == 1
        with connect_or_start(long) as same:
            assert same == server
    assert not server.socket_folder.exists()


@pytest.mark.slow
def test_an_error_of_the_cluster_is_reported(data_dir: Path) -> None:
    with running(data_dir, durable=False):
        pass
    (data_dir / "postgres" / "cluster" / "PG_VERSION").write_text("12\n")
    with (
        pytest.raises(SetupError, match=r"does not start, see .*/log: FATAL: .* version 12") as error,
        running(data_dir),
    ):
        pass
    assert "\n" not in str(error.value)


def test_a_data_folder_that_cannot_be_created_is_reported(empty: Path) -> None:
    empty.write_text("a file")
    with pytest.raises(SetupError, match="cannot write in the data folder"), running(empty):
        pass


def test_a_broken_link_is_not_taken_for_an_empty_database(empty: Path) -> None:
    empty.mkdir()
    (empty / "postgres").symlink_to(empty / "gone")
    with pytest.raises(SetupError, match="gone, which does not exist"), running(empty):
        pass


def test_the_watchdog_ends_the_server_without_the_kernel() -> None:
    sleep = subprocess.Popen(["/bin/sleep", "600"])
    code = textwrap.dedent(f"""
        import os, signal
        from agentdata.embedded.lifeline import lifeline
        with lifeline(by_kernel=False) as tied:
            tied.hold({sleep.pid})
            os.kill(os.getpid(), signal.SIGKILL)
    """)
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == -signal.SIGKILL  # noqa: S603 a program of ours
    assert sleep.wait(timeout=10) == -signal.SIGINT


def test_the_watchdog_ends_with_the_server() -> None:
    with subprocess.Popen(["/bin/sleep", "600"]) as sleep:
        with lifeline(by_kernel=False) as tied:
            tied.hold(sleep.pid)
        assert tied.watchdog
        assert tied.watchdog.returncode is not None
        assert sleep.poll() is None
        sleep.kill()


RULES = "SELECT string_agg(concat_ws(' ', type, database, user_name, auth_method, options), '; ') FROM {}"
"""Selects the rules by which the server admits clients."""


def test_clients_prove_who_they_are_and_an_older_data_folder_learns_it(made: Path, empty: Path) -> None:
    copy(made, empty)
    rules = RULES.format("pg_hba_file_rules")
    with running(empty, durable=False) as server:
        assert run(server.url("postgres"), rules) == ["local {all} {all} peer {map=agentdata}"]
    cluster = empty / "postgres" / "cluster"
    # As versions before this one left it.
    (cluster / "pg_hba.conf").write_text("local all all trust\n")
    (cluster / "pg_ident.conf").write_text("agentdata nobody all\n")
    (empty / "postgres" / "trusted").unlink()
    with running(empty, durable=False) as server:
        admitted = "SELECT array_agg(sys_name ORDER BY sys_name) FROM pg_ident_file_mappings"
        names = sorted({"root", pwd.getpwuid(os.geteuid()).pw_name})
        assert run(server.url("postgres"), rules, admitted) == [
            "local {all} {all} peer {map=agentdata}",
            names,
        ]
        role = f"SELECT pg_has_role('{REQUEST_ROLE}', '{END_USER_ROLE}', 'SET')"
        assert run(server.request_url, role) == [True]
        for name in ("pg_hba.conf", "pg_ident.conf"):
            assert (cluster / name).stat().st_mode & 0o077 == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
@pytest.mark.parametrize("role", ["postgres", "agentdata", REQUEST_ROLE])
def test_the_user_that_roots_server_runs_as_cannot_connect(made: Path, empty: Path, role: str) -> None:
    copy(made, empty)
    with running(empty, durable=False) as server:
        assert run(server.url(role), "SELECT 1") == [1]
        account = pwd.getpwuid(server.socket_folder.stat().st_uid)
        assert account.pw_uid != 0
        # The folder of the socket lets this user in, and the server must not.
        parameters = b"\0\3\0\0user\0" + role.encode() + b"\0database\0agentdata\0\0"
        with socket.socket(socket.AF_UNIX) as client:
            os.seteuid(account.pw_uid)
            try:
                client.connect(str(server.socket_folder / place.SOCKET))
            finally:
                os.seteuid(0)
            client.sendall(struct.pack("!I", len(parameters) + 4) + parameters)
            assert b"Peer authentication failed" in client.recv(1000)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root's server runs as another user")
def test_root_can_use_a_data_folder_in_a_closed_folder(empty: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reachable = empty.parent / "reachable"
    monkeypatch.setattr(place, "ROOT_FOLDER", reachable)
    closed = empty / "closed"
    closed.mkdir(parents=True)
    closed.chmod(0o700)
    for _ in range(2):
        with running(closed, durable=False) as server:
            assert execute(server, "SELECT 1") == 1
            assert server.socket_folder.is_relative_to(reachable)
            with connect_or_start(closed) as same:
                assert same == server
    assert closed.stat().st_uid == 0
    assert closed.stat().st_mode & 0o777 == 0o700


def test_the_log_has_no_statements_and_no_values(data_dir: Path) -> None:
    with running(data_dir) as server:
        for statement in ("SELECT 'the secret'::uuid", "SELECT the_secret"):
            with pytest.raises(DBAPIError):
                run(server.request_url, statement)
    log = (data_dir / "postgres" / "log").read_text()
    assert "ready to accept connections" in log
    assert "secret" not in log


def test_the_log_is_bounded_while_the_server_runs(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = data_dir / "postgres" / "log"
    with running(data_dir) as server:
        monkeypatch.setattr("agentdata.embedded.server.LARGEST_LOG_BYTES", 100)
        assert log.stat().st_size > 100
        bound_log(data_dir)
        assert log.read_bytes() == b""
        assert run(server.request_url, "SELECT 1") == [1]
    # The server goes on writing to the same file.
    assert "database system is shut down" in log.read_text()
    assert "ready to accept connections" in log.with_suffix(".old").read_text()
