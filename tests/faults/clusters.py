"""PostgreSQL servers of tests, which a test may stop, kill, restart, copy and promote."""

from __future__ import annotations

import signal
import socket
import subprocess
import time
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from agentdata.embedded.lifeline import lifeline
from agentdata.embedded.place import find_place
from tests.databases import reachable_folder

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from agentdata.embedded.place import Place

WAIT_S = 60
OWNER = "ann"
"""A user who may create roles and databases, but is no superuser."""

SETTINGS = {
    "fsync": "off",  # a killed process loses nothing; only a crash of the machine would
    "shared_buffers": "32MB",
    "max_connections": "30",
    "wal_level": "replica",
    "hot_standby": "on",
    "timezone": "UTC",
    "unix_socket_directories": "",
    "listen_addresses": "127.0.0.1",
}


class Cluster:
    """A server with its own data and port."""

    def __init__(self, place: Place, settings: dict[str, str]) -> None:
        self.place = place
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port: int = free.getsockname()[1]
        self._settings = SETTINGS | settings | {"port": str(self.port)}
        self._process: subprocess.Popen[bytes] | None = None
        self._stack = ExitStack()

    def url(self, user: str = OWNER, database: str = "postgres") -> str:
        """Return the URL of a user, who needs no password."""
        return f"postgresql://{user}@127.0.0.1:{self.port}/{database}"

    def create(self, *options: str) -> None:
        """Create the data, with options of initdb."""
        self.run("initdb", "-U", "postgres", "--auth=trust", "--no-sync", "--encoding=UTF8", *options)
        roles = f"CREATE ROLE {OWNER} LOGIN CREATEROLE CREATEDB;\nGRANT ALL ON SCHEMA public TO {OWNER};\n"
        self.run("postgres", "--single", "-D", str(self.place.cluster), "postgres", given=roles)

    def start(self, *, wait: bool = True) -> None:
        """Start the server, and wait until it accepts connections."""
        assert self._process is None, "the server runs"
        arguments = [each for name, value in self._settings.items() for each in ("-c", f"{name}={value}")]
        deadline = time.monotonic() + WAIT_S
        while time.monotonic() < deadline:
            tied = self._stack.enter_context(lifeline())
            with (self.place.folder / "log").open("ab") as log:
                self._process = subprocess.Popen(  # noqa: S603 programs and arguments of ours
                    [self.place.binaries / "postgres", "-D", self.place.cluster, *arguments],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    **tied.arguments,
                    **self.place.identity,
                )
            tied.hold(self._process.pid)
            if not wait or self._is_ready(deadline):
                return
            # After a kill, processes of the previous server may still use its memory, and PostgreSQL does not
            # tell when they are gone. So the start is tried again until the deadline.
            time.sleep(0.1)
        raise TimeoutError((self.place.folder / "log").read_text())

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """End the server: SIGINT cuts all connections, SIGKILL ends only the process that starts others."""
        assert self._process is not None, "the server does not run"
        self._process.send_signal(how)
        self._process.wait(WAIT_S)
        self._process = None

    def revive(self) -> None:
        """Start the server again if it ended by itself, as an operator would."""
        if self._process is not None and self._process.poll() is not None:
            self._process = None
            self.start()

    def promote(self) -> None:
        """Make a replica the primary, and wait until it is."""
        self.run("pg_ctl", "promote", "--wait", "-D", str(self.place.cluster))

    @contextmanager
    def replica(self) -> Iterator[Cluster]:
        """Provide a running replica."""
        with reachable_folder() as folder:
            copied = Cluster(find_place(folder), {})
            source = ["-h", "127.0.0.1", "-p", str(self.port), "-U", "postgres"]
            copied.run("pg_basebackup", *source, "-D", str(copied.place.cluster), "-R", "--checkpoint=fast")
            with copied.running():
                yield copied

    def run(self, program: str, *arguments: str, given: str = "") -> None:
        """Run a program of PostgreSQL, on the data if it is initdb."""
        folder = ["-D", str(self.place.cluster)] if program == "initdb" else []
        done = subprocess.run(  # noqa: S603 programs and arguments of ours
            [self.place.binaries / program, *folder, *arguments],
            input=given,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
            **self.place.identity,
        )
        assert done.returncode == 0, done.stdout
        assert "ERROR:" not in done.stdout, done.stdout

    def _is_ready(self, deadline: float) -> bool:
        """Return True once the server accepts connections, and False if it ended instead."""
        assert self._process is not None
        ready: list[Path | str] = [
            self.place.binaries / "pg_isready",
            "-q",
            "-h",
            "127.0.0.1",
            "-p",
            str(self.port),
        ]
        while self._process.poll() is None and time.monotonic() < deadline:
            if subprocess.run(ready, check=False, **self.place.identity).returncode == 0:  # noqa: S603 as above
                return True
            time.sleep(0.02)  # PostgreSQL does not tell when it is ready, so it is asked until the deadline
        return False

    @contextmanager
    def running(self) -> Iterator[None]:
        """Run the server until the block ends."""
        self.start()
        try:
            yield
        finally:
            if self._process is not None:
                self.stop(signal.SIGQUIT)
            self._stack.close()


@contextmanager
def cluster(
    settings: dict[str, str] | None = None,
    *,
    options: Sequence[str] = ("--no-locale",),
    at: Path | None = None,
) -> Iterator[Cluster]:
    """Run a new server, by default of the locale C, with its data in a new folder or in ``at``."""
    with ExitStack() as stack:
        folder = at or stack.enter_context(reachable_folder())
        made = Cluster(find_place(folder), settings or {})
        made.create(*options)
        with made.running():
            yield made
