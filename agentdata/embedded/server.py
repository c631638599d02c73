"""Starts, finds and stops the server of a data folder."""

import os
import pwd
import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from agentdata.embedded.lifeline import lifeline
from agentdata.embedded.lock import DataFolderInUseError, locked
from agentdata.embedded.place import Place, find_place, socket_folder
from agentdata.embedded.processor import runs_vectors
from agentdata.setup_error import SetupError
from models.base import END_USER_ROLE, INDEXED_FUNCTIONS, REQUEST_ROLE

OWNER = DATABASE = "agentdata"
SUPERUSER = "postgres"

SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "timezone": "UTC",
    "log_timezone": "UTC",
    # Statements are short: compiling them costs more than it saves.
    "jit": "off",
    # The defaults describe a spinning disk, but pages are nearly always in memory. With them PostgreSQL reads
    # 50,000 entries of a GIN index (12 ms) to avoid reading 2,000 rows (1 ms).
    "seq_page_cost": "0.2",
    "random_page_cost": "0.22",
    "shared_buffers": "256MB",
    # Analyze new rows soon: until then PostgreSQL plans for a small table.
    "autovacuum_naptime": "10s",
    # The log holds no errors of statements, because PostgreSQL quotes values in them: the client that caused
    # one gets it. Starts, ends, crashes and refused connections are logged.
    "log_min_messages": "log",
    "log_min_error_statement": "panic",
    "log_statement": "none",
    "log_min_duration_statement": "-1",
    "log_parameter_max_length": "0",
    "log_parameter_max_length_on_error": "0",
    "log_checkpoints": "off",
}

# Without these, initdb chooses by the locale of the system.
INITDB = ("--encoding=UTF8", "--no-locale", "--locale-provider=builtin", "--builtin-locale=C.UTF-8")
ROLES = f"""
CREATE ROLE {OWNER} LOGIN;
CREATE ROLE {REQUEST_ROLE} LOGIN;
GRANT {REQUEST_ROLE} TO {OWNER} WITH INHERIT FALSE, SET TRUE;
CREATE DATABASE {DATABASE} OWNER {OWNER};
"""
# Each statement is a line, and runs again on data folders of earlier versions.
END_USERS = f"""
DO $$ BEGIN IF to_regrole('{END_USER_ROLE}') IS NULL THEN CREATE ROLE {END_USER_ROLE} NOLOGIN; END IF; END $$;
GRANT {END_USER_ROLE} TO {OWNER}, {REQUEST_ROLE} WITH INHERIT FALSE, SET TRUE;
"""

# The numbers of vectors stand in tables, so no data goes with the extension.
VECTORS = {
    True: "CREATE EXTENSION IF NOT EXISTS vector;\n",
    False: "DROP EXTENSION IF EXISTS vector CASCADE;\n",
}
"""By whether the processor can run the extension for vectors: it would end the server if it could not."""

# Runs in the template, for every new database, and in the database that exists already.
TRUST = END_USERS + "".join(f"ALTER FUNCTION {function} LEAKPROOF;\n" for function in INDEXED_FUNCTIONS)

START_TIMEOUT_S = 300  # after a crash the server may have much to recover
RETRY_S = 5  # how long a start is retried, which may fail because of what a killed server left behind
STOP_TIMEOUT_S = 15
POLL_S = 0.02
LARGEST_LOG_BYTES = 10 * 1024 * 1024


@dataclass(frozen=True)
class EmbeddedServer:
    """A running server; its URLs use a Unix socket, where it admits the user of this process and root."""

    socket_folder: Path

    @property
    def owner_url(self) -> str:
        """Return the URL of the role that owns the database, for migrations."""
        return self.url(OWNER)

    @property
    def request_url(self) -> str:
        """Return the URL of the role for requests, which owns nothing and is under row-level security."""
        return self.url(REQUEST_ROLE)

    def url(self, user: str, database: str = DATABASE) -> str:
        """Return the URL of a role and a database; `postgres` is the superuser."""
        return f"postgresql://{user}@/{database}?host={quote(str(self.socket_folder), safe='/')}"


@contextmanager
def running(data_dir: Path, *, durable: bool = True) -> Iterator[EmbeddedServer]:
    """Run the server of the data folder until the block or this process ends; create it on the first use.

    On Linux the server ends with the thread that started it, so call this in the main thread. With
    `durable=False`, which is for tests, a crash of the machine may destroy the data.

    Raises SetupError, and DataFolderInUseError if another program runs the server.
    """
    data_dir = _make_data_dir(data_dir)
    with ExitStack() as stack:
        stack.enter_context(locked(data_dir))
        place = find_place(data_dir)
        _end_orphan(place)
        if not place.cluster.exists():
            _create(place, durable=durable)
        _trust(place)
        _admit_owner(place)
        sockets = socket_folder(place)
        stack.callback(shutil.rmtree, sockets, ignore_errors=True)
        settings = SETTINGS | {"unix_socket_directories": f'"{sockets}"'}
        if not durable:
            settings |= {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
        stack.enter_context(_started(place, settings))
        yield EmbeddedServer(sockets)


@contextmanager
def connect_or_start(data_dir: Path) -> Iterator[EmbeddedServer]:
    """Use the server that another program runs on the data folder, or run it as `running` does."""
    with ExitStack() as stack:
        deadline = time.monotonic() + START_TIMEOUT_S
        while True:
            try:
                server = stack.enter_context(running(data_dir))
                break
            except DataFolderInUseError:
                found = _ready_socket_folder(data_dir.resolve() / "postgres" / "cluster")
                if found:
                    server = EmbeddedServer(found)
                    break
                # The other program is starting or stopping its server.
                if time.monotonic() > deadline:
                    raise
                time.sleep(POLL_S)
        yield server


def bound_log(data_dir: Path) -> None:
    """Keep the log of a data folder's server within its bound, while the server writes it or not."""
    with suppress(OSError):
        _bound(data_dir.resolve() / "postgres" / "log")


def _bound(log: Path) -> None:
    """Move the lines of a log that is too long to the file beside it, in place of those moved before.

    The server appends to the file that it has open, so the file is emptied and not replaced.
    """
    if log.exists() and log.stat().st_size > LARGEST_LOG_BYTES:
        shutil.copyfile(log, log.with_suffix(".old"))
        os.truncate(log, 0)


def _make_data_dir(data_dir: Path) -> Path:
    # If this is root, the server runs as another user, who must be able to enter this folder.
    mode = 0o711 if os.geteuid() == 0 else 0o700
    try:
        if not data_dir.exists():
            data_dir.mkdir(parents=True)
            data_dir.chmod(mode)
        (data_dir / "lock").touch(mode=0o600)
    except OSError as error:
        raise SetupError(
            f"cannot write in the data folder {data_dir} ({error.strerror}): make it writable for this user, "
            "or set AGENTDATA_DATA_DIR to another folder"
        ) from None
    return data_dir.resolve()


def _create(place: Place, *, durable: bool) -> None:
    """Create the cluster with its roles and its database; the complete cluster is renamed into place."""
    for interrupted in place.folder.glob("unfinished-*"):
        shutil.rmtree(interrupted, ignore_errors=True)
    # A new name, because the initdb of a killed program may still be writing to another folder.
    unfinished = Path(tempfile.mkdtemp(prefix="unfinished-", dir=place.folder))
    place.own(unfinished)
    sync = () if durable else ("--no-sync",)
    _run(place, "initdb", "-D", str(unfinished), "-U", SUPERUSER, "--auth=peer", *INITDB, *sync)
    _run(place, "postgres", "--single", "-D", str(unfinished), "postgres", given=ROLES)
    unfinished.rename(place.cluster)
    if durable:
        _sync(place.folder)


def _admit_owner(place: Place) -> None:
    """Let only the user of this process and root connect, as any role; the kernel tells the server who it is.

    If this is root, the server runs as another user, whose programs must not get in.
    """
    names = {"root", pwd.getpwuid(os.geteuid()).pw_name}
    identities = "".join(f'agentdata "{name}" all\n' for name in sorted(names))
    for name, lines in (("pg_hba.conf", "local all all peer map=agentdata\n"), ("pg_ident.conf", identities)):
        descriptor, unfinished = tempfile.mkstemp(prefix=f"{name}.", dir=place.cluster)
        with os.fdopen(descriptor, "w") as file:
            file.write(lines)
        place.own(Path(unfinished))
        Path(unfinished).replace(place.cluster / name)


def _trust(place: Place) -> None:
    """Create the role for end users, mark the functions of indexes as LEAKPROOF, and add vectors.

    This runs once for each data folder, list of functions, and kind of processor.
    """
    mark = place.folder / "trusted"
    wanted = TRUST + VECTORS[runs_vectors()]
    if mark.exists() and mark.read_text() == wanted:
        return
    for database in ("template1", DATABASE):
        _run(place, "postgres", "--single", "-D", str(place.cluster), database, given=wanted)
    mark.write_text(wanted)


def _sync(folder: Path) -> None:
    """Flush a folder to disk, so that the names in it survive a crash."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _run(place: Place, program: str, *args: str, given: str = "") -> None:
    with lifeline() as tied:
        done = subprocess.run(  # noqa: S603 programs and arguments of ours
            [place.binaries / program, *args],
            input=given,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
            start_new_session=True,
            **tied.arguments,
            **place.identity,
        )
    if done.returncode or "ERROR:" in done.stdout:
        raise SetupError(f"cannot create the embedded PostgreSQL in {place.folder}: {_reason(done.stdout)}")


def _reason(log: str) -> str:
    """Return the error lines of a log as one line."""
    telling = re.findall(r"\b(?:FATAL|PANIC|DETAIL|HINT|error): .*", log)
    return " ".join(telling or log.splitlines()[-1:])


@contextmanager
def _started(place: Place, settings: dict[str, str]) -> Iterator[None]:
    """Start the server, wait until it is ready, and stop it when the block ends."""
    log = place.folder / "log"
    _bound(log)
    deadline = time.monotonic() + RETRY_S
    while True:
        written = log.stat().st_size if log.exists() else 0
        with _process(place, log, settings) as server:
            if _wait_until_ready(place, server):
                yield
                return
        if time.monotonic() > deadline:
            reason = _reason(log.read_bytes()[written:].decode(errors="replace"))
            raise SetupError(f"the embedded PostgreSQL does not start, see {log}: {reason}")
        # After a crash, starts may fail for about two seconds.
        time.sleep(0.2)


@contextmanager
def _process(place: Place, log: Path, settings: dict[str, str]) -> Iterator["subprocess.Popen[bytes]"]:
    args = [argument for name, value in settings.items() for argument in ("-c", f"{name}={value}")]
    with log.open("ab") as output, lifeline() as tied:
        server = subprocess.Popen(  # noqa: S603 programs and arguments of ours
            [place.binaries / "postgres", "-D", place.cluster, *args],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            # Ctrl-C at a terminal signals every process of the session, but the server must be stopped last.
            start_new_session=True,
            **tied.arguments,
            **place.identity,
        )
        try:
            tied.hold(server.pid)
            yield server
        finally:
            _stop(server.poll, server.send_signal)


def _wait_until_ready(place: Place, server: "subprocess.Popen[bytes]") -> bool:
    """Wait until the server accepts connections; return False if it ended instead."""
    deadline = time.monotonic() + START_TIMEOUT_S
    while server.poll() is None:
        if _pid(place.cluster) == server.pid and _ready_socket_folder(place.cluster):
            return True
        if time.monotonic() > deadline:
            raise SetupError(
                f"the embedded PostgreSQL is not ready after {START_TIMEOUT_S} s, see {place.folder / 'log'}"
            )
        time.sleep(POLL_S)
    return False


def _stop(poll: Callable[[], object], send: Callable[[int], None]) -> None:
    """Stop a server cleanly (SIGINT), or else at once (SIGQUIT, which loses no data but needs a recovery)."""
    for how in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
        deadline = time.monotonic() + STOP_TIMEOUT_S
        if poll() is None:
            send(how)
        while poll() is None and time.monotonic() < deadline:
            time.sleep(POLL_S)


def _postmaster_file(cluster: Path) -> list[str]:
    """Return the lines of postmaster.pid: pid, folder, start, port, folder of the socket, …, status."""
    with suppress(OSError):
        return (cluster / "postmaster.pid").read_text().splitlines()
    return []


def _pid(cluster: Path) -> int | None:
    lines = _postmaster_file(cluster)
    return int(lines[0]) if lines and lines[0].isdigit() else None


def _ready_socket_folder(cluster: Path) -> Path | None:
    match _postmaster_file(cluster):
        case [_pid, _folder, _start, _port, socket, _address, _memory, status, *_] if "ready" in status:
            return Path(socket)
    return None


def _end_orphan(place: Place) -> None:
    """Stop a server that a killed program left running, or remove the file that falsely says one runs.

    This process holds the lock, so no other program uses a server on this folder.
    """
    pid = _pid(place.cluster)
    if pid is None:
        return
    import psutil  # noqa: PLC0415 only after a crash

    try:
        process = psutil.Process(pid)
        if Path(process.cwd()) == place.cluster:
            _stop(lambda: None if process.is_running() else 0, process.send_signal)
        else:
            # After a restart of a container another process may have the pid: PostgreSQL would not start.
            (place.cluster / "postmaster.pid").unlink()
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        # PostgreSQL itself detects that this process is not a server of its user.
        return
