"""PgBouncer in transaction mode, in front of the database of the tests."""

from __future__ import annotations

import os
import pwd
import re
import shutil
import socket
import subprocess
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from agentdata.database_url import parse
from agentdata.database_urls import DatabaseUrls
from agentdata.embedded.lifeline import lifeline
from tests.databases import reachable_folder

if TYPE_CHECKING:
    from collections.abc import Iterator

# Debian installs it in /usr/sbin, which is not in the PATH of users.
PROGRAM = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/usr/local/sbin")
PORT = 6432
WAIT_S = 20

# `make test` also runs on machines without PgBouncer; CI installs it.
needs_pgbouncer = pytest.mark.skipif(
    PROGRAM is None, reason="PgBouncer is not installed (Debian and Ubuntu: apt install pgbouncer)"
)


def version() -> tuple[int, int]:
    """Return the version of the program, such as (1, 24)."""
    assert PROGRAM
    printed = subprocess.run([PROGRAM, "--version"], capture_output=True, text=True, check=True)  # noqa: S603 found above
    found = re.search(r"(\d+)\.(\d+)", printed.stdout)
    assert found
    return int(found[1]), int(found[2])


@contextmanager
def pgbouncer(urls: DatabaseUrls, *, sessions: int, prepared_statements: int = 0) -> Iterator[DatabaseUrls]:
    """Run PgBouncer with ``sessions`` for each user, and provide the URLs of the database through it.

    It keeps up to ``prepared_statements`` for each session, which needs version 1.21 or newer.
    """
    assert PROGRAM
    settings = {
        "listen_addr": "",
        "listen_port": PORT,
        "auth_type": "any",
        "pool_mode": "transaction",
        "default_pool_size": sessions,
        "max_client_conn": 200,
    }
    if version() >= (1, 21):
        settings["max_prepared_statements"] = prepared_statements
    with reachable_folder() as folder:
        user_arguments = _user_arguments(urls)
        if user_arguments:
            os.chown(folder, user_arguments["user"], user_arguments["group"])
        settings["unix_socket_dir"] = folder
        lines = ["[databases]"]
        lines += [f"owner = {_connection_string(urls.owner)}"]
        lines += [f"request = {_connection_string(urls.request)}"]
        lines += ["[pgbouncer]", *(f"{name} = {value}" for name, value in settings.items())]
        configuration = folder / "pgbouncer.ini"
        configuration.write_text("\n".join(lines) + "\n")
        with lifeline() as process_guard:
            process = subprocess.Popen(  # noqa: S603 found above
                [PROGRAM, "-q", configuration], cwd="/", **process_guard.arguments, **user_arguments
            )
            try:
                process_guard.hold(process.pid)
                _wait_until_listening(process, folder / f".s.PGSQL.{PORT}")
                yield DatabaseUrls(
                    *(
                        f"postgresql://{parse(url).url.username or 'any'}@/{name}?host={folder}&port={PORT}"
                        for name, url in (("owner", urls.owner), ("request", urls.request))
                    )
                )
            finally:
                process.terminate()
                process.wait(WAIT_S)


def _user_arguments(urls: DatabaseUrls) -> dict[str, Any]:
    """Return the user to run as: PgBouncer refuses root, and only its owner can use the server's socket."""
    if os.geteuid() != 0:
        return {}
    sockets = parse(urls.owner).url.query.get("host")
    user = Path(str(sockets)).stat().st_uid if sockets else 0
    user = user or pwd.getpwnam("nobody").pw_uid
    return {"user": user, "group": pwd.getpwuid(user).pw_gid, "extra_groups": []}


def _connection_string(url: str) -> str:
    """Return the connection string of a database in PgBouncer's syntax."""
    target = parse(url).url
    parts = {
        "host": target.query.get("host") or target.host or "127.0.0.1",
        "port": target.query.get("port") or target.port or 5432,
        "dbname": target.database,
        "user": target.username,
        "password": target.password,
    }
    quoted = {name: str(value).replace("'", "''") for name, value in parts.items() if value is not None}
    return " ".join(f"{name}='{value}'" for name, value in quoted.items())


def _wait_until_listening(process: subprocess.Popen[bytes], path: Path) -> None:
    """Wait until PgBouncer accepts connections."""
    deadline = time.monotonic() + WAIT_S
    while time.monotonic() < deadline:
        assert process.poll() is None, "PgBouncer exited; its output says why"
        with suppress(FileNotFoundError, ConnectionRefusedError), socket.socket(socket.AF_UNIX) as client:
            client.connect(str(path))
            return
        time.sleep(0.01)  # PgBouncer does not tell when it listens, so it is asked until the deadline
    raise TimeoutError("PgBouncer does not accept connections")
