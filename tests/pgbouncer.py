"""PgBouncer in transaction mode, in front of a database of the tests."""

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

# Debian keeps it where users do not look for programs.
PROGRAM = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/usr/local/sbin")
PORT = 6432
WAIT_S = 20

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
    """Run PgBouncer with so many sessions for each user, and provide the database's URLs through it.

    `prepared_statements` is how many it keeps for a session; only 1.21 and newer can keep any.
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
        identity = _identity(urls)
        if identity:
            os.chown(folder, identity["user"], identity["group"])
        settings["unix_socket_dir"] = folder
        lines = ["[databases]", f"owner = {_target(urls.owner)}", f"request = {_target(urls.request)}"]
        lines += ["[pgbouncer]", *(f"{name} = {value}" for name, value in settings.items())]
        configuration = folder / "pgbouncer.ini"
        configuration.write_text("\n".join(lines) + "\n")
        with lifeline() as tied:
            process = subprocess.Popen(  # noqa: S603 found above
                [PROGRAM, "-q", configuration], cwd="/", **tied.arguments, **identity
            )
            try:
                tied.hold(process.pid)
                _wait(process, folder / f".s.PGSQL.{PORT}")
                yield DatabaseUrls(
                    *(
                        f"postgresql://{parse(url).url.username or 'any'}@/{name}?host={folder}&port={PORT}"
                        for name, url in (("owner", urls.owner), ("request", urls.request))
                    )
                )
            finally:
                process.terminate()
                process.wait(WAIT_S)


def _identity(urls: DatabaseUrls) -> dict[str, Any]:
    """Say whom to run as: PgBouncer refuses to run as root, and the server's socket is for its user alone."""
    if os.geteuid() != 0:
        return {}
    sockets = parse(urls.owner).url.query.get("host")
    user = Path(str(sockets)).stat().st_uid if sockets else 0
    user = user or pwd.getpwnam("nobody").pw_uid
    return {"user": user, "group": pwd.getpwuid(user).pw_gid, "extra_groups": []}


def _target(url: str) -> str:
    """Write a database as PgBouncer reads it."""
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


def _wait(process: subprocess.Popen[bytes], path: Path) -> None:
    """Wait until the program takes connections."""
    deadline = time.monotonic() + WAIT_S
    while time.monotonic() < deadline:
        assert process.poll() is None, "PgBouncer ended; its output says why"
        with suppress(FileNotFoundError, ConnectionRefusedError), socket.socket(socket.AF_UNIX) as client:
            client.connect(str(path))
            return
        time.sleep(0.01)
    raise TimeoutError("PgBouncer takes no connections")
