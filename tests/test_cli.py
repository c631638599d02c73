"""The command line as users meet it: real processes, real signals, real ports."""

import os
import re
import signal
import socket
import stat
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import psutil
import pytest

from tests import commands
from tests.databases import Server, copy, reachable_folder, run

AGENTDATA = [sys.executable, "-m", "agentdata"]


@contextmanager
def new_environment() -> Iterator[dict[str, str]]:
    """Provide an environment with the name of a new data folder, a free port and no DATABASE_URL."""
    with reachable_folder() as folder:
        kept = {k: v for k, v in os.environ.items() if k != "DATABASE_URL" and not k.startswith("AGENTDATA_")}
        yield kept | {"AGENTDATA_DATA_DIR": str(folder / "data"), "AGENTDATA_PORT": "0"}


@pytest.fixture
def empty() -> Iterator[dict[str, str]]:
    """Provide an environment where nothing was started yet."""
    with new_environment() as environment:
        yield environment


@pytest.fixture(scope="session")
def started() -> Iterator[Path]:
    """Provide a data folder as a first start leaves it, created once; tests get copies of it."""
    with new_environment() as environment:
        succeeded(environment, "projects", "list")
        yield Path(environment["AGENTDATA_DATA_DIR"])


@pytest.fixture
def environment(started: Path) -> Iterator[dict[str, str]]:
    """Provide an environment with its own data folder, as a first start leaves it."""
    with new_environment() as environment:
        copy(started, Path(environment["AGENTDATA_DATA_DIR"]))
        yield environment


def agentdata(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return commands.run(environment, arguments)


def succeeded(environment: dict[str, str], *arguments: str) -> str:
    """Run a command that must succeed, and return its output."""
    done = agentdata(environment, *arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout


def refused(environment: dict[str, str], *arguments: str) -> str:
    """Run a command that must fail with one line, and return that line."""
    done = agentdata(environment, *arguments)
    assert done.returncode == 1, done.stderr
    assert re.fullmatch(r"agentdata: [^\n]+\n", done.stderr), done.stderr
    return done.stderr


class Serving:
    """A running server and its output up to when it was ready."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.printed = ""
        assert process.stdout
        for line in process.stdout:
            self.printed += line
            if line.startswith("Try "):
                break
        assert "Try " in self.printed, "the server ended before it was ready"
        self.url = re.search(r"^GraphQL +(\S+)$", self.printed, re.MULTILINE)[1]  # type: ignore[index]  # it is there
        self.processes = [process, *psutil.Process(process.pid).children(recursive=True)]

    def end(self, how: signal.Signals) -> int:
        """Send a signal, and wait until no process is left."""
        self.process.send_signal(how)
        code = self.process.wait(timeout=10)
        _, alive = psutil.wait_procs([p for p in self.processes if isinstance(p, psutil.Process)], timeout=10)
        assert alive == []
        return code


@contextmanager
def serving(environment: dict[str, str], command: Sequence[str] = AGENTDATA) -> Iterator[Serving]:
    """Serve until the end of the block."""
    with subprocess.Popen(  # noqa: S603 a command of ours
        [*command, "serve"], env=environment, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            yield Serving(process)
        finally:
            # In order, so that nothing writes to the data folder when it is removed.
            if process.poll() is None:
                process.terminate()


def answer(server: Serving, key: str, query: str = "{ __typename }") -> httpx.Response:
    """Send a query, by default the smallest one."""
    headers = {"Authorization": f"Bearer {key}"}
    return httpx.post(server.url, json={"query": query}, headers=headers)


def key_file(environment: dict[str, str]) -> Path:
    """Return the path of the file with the first key."""
    return Path(environment["AGENTDATA_DATA_DIR"]) / "api-key"


def test_the_first_start_creates_the_database_a_project_and_a_key(empty: dict[str, str]) -> None:
    with serving(empty) as server:
        key = key_file(empty)
        assert stat.S_IMODE(key.stat().st_mode) == 0o600
        assert str(key) in server.printed
        assert answer(server, key.read_text().strip()).json() == {"data": {"__typename": "Query"}}
        assert answer(server, "ad_wrong").status_code == 401
        [curl] = re.findall(r"^Try +(curl .*)$", server.printed, re.MULTILINE)
        done = subprocess.run(["/bin/sh", "-c", curl], capture_output=True, text=True, check=True)  # noqa: S603 what we tell users to run
        assert '"slug":"default"' in done.stdout.replace(" ", "")
        assert server.end(signal.SIGTERM) == 0


@pytest.mark.parametrize(
    "how",
    [
        pytest.param(signal.SIGTERM, marks=pytest.mark.slow),
        pytest.param(signal.SIGINT, marks=pytest.mark.slow),
        signal.SIGKILL,
    ],
)
def test_a_restart_keeps_the_data_after(environment: dict[str, str], how: signal.Signals) -> None:
    key = key_file(environment).read_text()
    with serving(environment) as server:
        written = answer(server, key.strip(), 'mutation { createUser(input: {name: "Ann"}) { id } }')
        user = written.json()["data"]["createUser"]
        assert server.end(how) == (-signal.SIGKILL if how == signal.SIGKILL else 0)
    with serving(environment) as server:
        assert key_file(environment).read_text() == key
        assert answer(server, key.strip(), "{ users { nodes { id } } }").json() == {
            "data": {"users": {"nodes": [user]}}
        }


def workers(server: Serving) -> set[int]:
    """Return the ids of the worker processes."""
    return {
        child.pid
        for child in psutil.Process(server.process.pid).children()
        if Path(child.exe()).name.startswith("python")
    }


def wait_until_each_answers(server: Serving, key: str) -> None:
    """Open connections, each with an answer, until every worker has one."""
    deadline = time.monotonic() + 30
    port = httpx.URL(server.url).port
    with ExitStack() as stack:
        answering: set[int] = set()
        while len(answering) < 2 or answering != workers(server):
            assert time.monotonic() < deadline
            client = stack.enter_context(httpx.Client(headers={"Authorization": f"Bearer {key}"}))
            assert client.post(server.url, json={"query": "{ project { slug } }"}).status_code == 200
            answering = {
                pid
                for pid in workers(server)
                for each in psutil.Process(pid).net_connections("tcp")
                if each.laddr.port == port and each.status == psutil.CONN_ESTABLISHED
            }


@pytest.mark.parametrize("workers", [pytest.param("1", marks=pytest.mark.slow), "2"])
def test_a_wrong_manifest_ends_the_start_with_a_sentence(environment: dict[str, str], workers: str) -> None:
    manifest = Path(environment["AGENTDATA_DATA_DIR"]) / "manifest.json"
    manifest.write_text('{"a": "{ nope }"}')
    settings = {"AGENTDATA_WORKERS": workers, "AGENTDATA_TRUSTED_DOCUMENTS_FILE": str(manifest)}
    done = subprocess.run(  # noqa: S603 a command of ours
        [*AGENTDATA, "serve"],
        env=environment | settings,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 1
    assert (
        f"agentdata: AGENTDATA_TRUSTED_DOCUMENTS_FILE {manifest}: the document a is not valid" in done.stderr
    )
    assert "Traceback" not in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    ("how", "ends"),
    [
        (signal.SIGTERM, [psutil.Process.kill, psutil.Process.terminate]),
        (signal.SIGINT, [psutil.Process.terminate]),
        (signal.SIGKILL, [psutil.Process.kill]),
    ],
)
def test_two_workers_both_answer_and_stop_together(
    environment: dict[str, str], how: signal.Signals, ends: list[Callable[[psutil.Process], None]]
) -> None:
    with serving(environment | {"AGENTDATA_WORKERS": "2"}) as server:
        key = key_file(environment).read_text().strip()
        wait_until_each_answers(server, key)
        for end in ends:
            ended = psutil.Process(min(workers(server)))
            end(ended)
            ended.wait(10)
            wait_until_each_answers(server, key)
            assert ended.pid not in workers(server)
        server.processes += [psutil.Process(pid) for pid in workers(server)]
        assert server.end(how) == (-signal.SIGKILL if how == signal.SIGKILL else 0)


@pytest.mark.slow
def test_the_server_stops_although_clients_stay_connected(environment: dict[str, str]) -> None:
    with serving(environment) as server:
        url = httpx.URL(server.url)
        with socket.create_connection((url.host, url.port)) as silent, httpx.Client() as client:
            silent.sendall(b"POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n")
            assert client.get(url.copy_with(path="/health")).status_code == 200
            began = time.monotonic()
            assert server.end(signal.SIGTERM) == 0
            assert time.monotonic() - began < 8


@pytest.mark.slow
def test_a_restart_does_not_replace_a_lost_key(environment: dict[str, str]) -> None:
    key_file(environment).unlink()
    with serving(environment) as server:
        assert "agentdata keys create --save" in server.printed
        assert not key_file(environment).exists()
        succeeded(environment, "keys", "create", "--save")
        assert answer(server, key_file(environment).read_text().strip()).status_code == 200


@pytest.mark.slow
def test_keys_can_be_managed_with_and_without_a_running_server(environment: dict[str, str]) -> None:
    with serving(environment) as server:
        secret = succeeded(environment, "keys", "create", "reader", "--scope", "read").strip()
        assert answer(server, secret).status_code == 200
        [row] = [r for r in succeeded(environment, "keys", "list").splitlines() if r.endswith("\treader")]
        id_, prefix, scopes, state, _ = row.split("\t")
        assert (secret.startswith(prefix), scopes, state) == (True, "READ", "valid")
        succeeded(environment, "keys", "revoke", id_)
        server.end(signal.SIGTERM)
    assert f"{prefix}\tREAD\trevoked\treader" in succeeded(environment, "keys", "list")
    assert "scopes may be" in refused(environment, "keys", "create", "--scope", "all")
    assert "no project 'nope'" in refused(environment, "keys", "list", "--project", "nope")


def test_a_key_is_rotated_by_a_command(environment: dict[str, str]) -> None:
    succeeded(environment, "keys", "create", "bot", "--scope", "messages:write", "--scope", "read")
    id_ = succeeded(environment, "keys", "list").splitlines()[-1].partition("\t")[0]
    secret = succeeded(environment, "keys", "rotate", id_, "--overlap", "0").strip()
    [_, old, new] = succeeded(environment, "keys", "list").splitlines()
    assert old.split("\t")[2:] == ["READ,MESSAGES_WRITE", "expired", "bot"]
    assert new.split("\t")[1:] == [secret.rpartition("_")[0], "READ,MESSAGES_WRITE", "valid", "bot"]


def test_names_cannot_act_on_the_terminal(environment: dict[str, str]) -> None:
    name = "\x1b[2J\x1b]0;owned\x07 [bold]\r\u202eevil\n0\tad_forged\x9b31m"
    succeeded(environment, "keys", "create", name)
    succeeded(environment, "projects", "create", "second", "--name", name)
    shown = r"\x1b[2J\x1b]0;owned\x07 [bold]\r\u202eevil\n0\tad_forged\x9b31m"
    assert succeeded(environment, "keys", "list").splitlines()[-1].split("\t")[4:] == [shown]
    assert succeeded(environment, "projects", "list").splitlines()[-1].split("\t")[2:] == [shown]
    assert r"no project '\x1b[2J'" in refused(environment, "keys", "list", "--project", "\x1b[2J")


@pytest.mark.slow
def test_a_project_is_renamed_and_named_by_its_id(environment: dict[str, str]) -> None:
    [row] = succeeded(environment, "projects", "list").splitlines()
    id_ = row.split("\t")[1]
    assert succeeded(environment, "projects", "rename", "default", "first").strip() == id_
    # The key's project is found by its id, whatever its slug is.
    assert len(succeeded(environment, "keys", "list").splitlines()) == 1
    assert len(succeeded(environment, "keys", "list", "--project", id_).splitlines()) == 1
    succeeded(environment, "projects", "create", "default")
    assert succeeded(environment, "keys", "list", "--project", "default") == ""
    assert "already" in refused(environment, "projects", "rename", id_, "default")
    assert "look like the id" in refused(environment, "projects", "create", id_)


@pytest.mark.slow
def test_without_a_project_a_command_uses_the_project_of_the_key(environment: dict[str, str]) -> None:
    def names(environment: dict[str, str], *arguments: str) -> list[str]:
        return [
            row.split("\t")[-1] for row in succeeded(environment, "keys", "list", *arguments).splitlines()
        ]

    def keyed(secret: str) -> dict[str, str]:
        return environment | {"AGENTDATA_API_KEY": secret}

    succeeded(environment, "projects", "create", "second")
    second = keyed(succeeded(environment, "keys", "create", "of second", "--project", "second").strip())
    assert names(environment) == ["First key"]
    assert names(second) == ["of second"]
    assert names(second, "--project", "default") == ["First key"]

    reader = keyed(succeeded(second, "keys", "create", "reader", "--scope", "read").strip())
    message = refused(reader, "keys", "list")
    assert re.search("AGENTDATA_API_KEY: .* scope ADMIN; .* --project", message)
    assert names(reader, "--project", "second") == ["of second", "reader"]

    id_ = succeeded(second, "keys", "list").partition("\t")[0]
    succeeded(second, "keys", "revoke", id_)
    assert re.search("AGENTDATA_API_KEY: .* revoked; .* --project", refused(second, "keys", "list"))
    wrong = keyed("ad_wrong")
    assert re.search("AGENTDATA_API_KEY: .* not known; .* --project", refused(wrong, "keys", "list"))

    succeeded(environment, "keys", "create", "kept", "--project", "second", "--save")
    assert names(environment) == ["of second", "reader", "kept"]


def test_an_invalid_key_in_the_key_file_is_ignored(environment: dict[str, str]) -> None:
    key_file(environment).write_text("ad_stale\n")
    done = agentdata(environment, "keys", "list")
    assert done.stdout.endswith("\tFirst key\n")
    assert re.fullmatch(r"agentdata: \S+/api-key: .* not known; .* project 'default' instead\n", done.stderr)
    succeeded(environment, "keys", "create", "--save")
    assert agentdata(environment, "keys", "list").stderr == ""


def test_projects_are_created_and_listed(environment: dict[str, str]) -> None:
    id_ = succeeded(environment, "projects", "create", "second", "--name", "The second").strip()
    assert f"second\t{id_}\tThe second\n" in succeeded(environment, "projects", "list")
    assert "second" in refused(environment, "projects", "create", "second")
    assert "slug" in refused(environment, "projects", "create", "Not a slug")
    assert succeeded(environment, "keys", "list", "--project", "second") == ""


@pytest.mark.slow
def test_db_upgrades_and_downgrades(empty: dict[str, str]) -> None:
    assert succeeded(empty, "db", "current") == "base\n"
    upgraded = succeeded(empty, "db", "upgrade")
    assert upgraded.endswith(" (head)\n")
    assert succeeded(empty, "db", "current") == upgraded
    assert succeeded(empty, "db", "downgrade", "-1") == succeeded(empty, "db", "current") != upgraded
    assert succeeded(empty, "db", "upgrade", "+1") == upgraded
    assert "from the next start" in succeeded(empty, "db", "new-secret")
    for command in ("upgrade", "downgrade"):
        for revision in ("nope", "-99", "--nope", "0001-9"):
            assert revision in refused(empty, "db", command, revision)
    assert succeeded(empty, "db", "downgrade", "base") == "base\n"
    assert "is ready" in succeeded(empty, "db", "init")


@pytest.mark.slow
def test_the_server_uses_the_database_of_database_url(empty: dict[str, str], database_server: Server) -> None:
    with database_server.fresh_database() as urls:
        environment = empty | {"DATABASE_URL": urls.request, "AGENTDATA_MIGRATION_DATABASE_URL": urls.owner}
        assert "`agentdata db upgrade`" in refused(environment, "projects", "list")
        keyed = environment | {"AGENTDATA_API_KEY": "ad_early"}
        assert "`agentdata db upgrade`" in refused(keyed, "keys", "list")
        succeeded(environment, "db", "init")
        with serving(environment) as server:
            assert answer(server, key_file(environment).read_text().strip()).status_code == 200
            assert len(server.processes) == 1
            assert server.end(signal.SIGTERM) == 0
        assert run(urls.owner, "SELECT slug FROM projects") == ["default"]


@pytest.mark.slow
def test_a_data_folder_in_use_is_refused(environment: dict[str, str]) -> None:
    with serving(environment) as server:
        message = refused(environment, "serve")
        assert environment["AGENTDATA_DATA_DIR"] in message
        assert f"process {server.process.pid}" in message


def test_a_port_in_use_is_refused(empty: dict[str, str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        message = refused(empty | {"AGENTDATA_PORT": port}, "serve")
    assert f"cannot listen on 127.0.0.1 port {port}: " in message


@pytest.mark.parametrize(
    ("variable", "value", "named"),
    [
        ("AGENTDATA_PORT", "http", "AGENTDATA_PORT"),
        ("AGENTDATA_HOST", "no.such.host.invalid", "AGENTDATA_HOST"),
        ("AGENTDATA_LOG_LEVEL", "loud", "AGENTDATA_LOG_LEVEL"),
        ("DATABASE_URL", "mysql://ann:secret@db/data", "mysql://"),
        ("DATABASE_URL", "postgresql://ann:secret@localhost:1/data", "localhost port 1"),
        ("DATABASE_URL", "postgresql://ann:secret@localhost/data?nonsense=1", "nonsense"),
        ("AGENTDATA_DATA_DIR", "/dev/null/data", "AGENTDATA_DATA_DIR"),
    ],
)
def test_a_bad_setting_is_named_without_its_value(
    empty: dict[str, str], variable: str, value: str, named: str
) -> None:
    message = refused(empty | {variable: value}, "serve")
    assert named in message
    assert "secret" not in message


def test_schema_print_prints_the_schema(empty: dict[str, str]) -> None:
    assert "type Query {" in succeeded(empty, "schema", "print")


def test_version_prints_the_version_of_the_project(empty: dict[str, str]) -> None:
    project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())["project"]
    assert succeeded(empty, "--version").strip() == project["version"]


def test_a_command_runs_in_a_fresh_interpreter(environment: dict[str, str]) -> None:
    """Other tests fork commands from a process that has loaded the libraries; a shell does not."""
    done = subprocess.run(  # noqa: S603 a command of ours
        [*AGENTDATA, "keys", "list"], env=environment, capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout == succeeded(environment, "keys", "list")
    assert done.stderr == ""


@pytest.mark.slow
def test_explain_prints_the_plan_of_a_query(environment: dict[str, str]) -> None:
    printed = succeeded(environment, "explain", "--analyze", "{ users { totalCount nodes { name } } }")
    assert "users (r0): 0 rows, " in printed
    assert "users.totalCount (r1): 1 rows, " in printed
    assert "FROM users" in printed
    assert "no plan" in refused(environment, "explain", "{ __schema { __typename } }")
    assert "Cannot query field" in refused(environment, "explain", "{ nothing }")
    assert "--variables" in refused(environment, "explain", "{ users { totalCount } }", "--variables", "[]")


def test_totals_are_rebuilt(environment: dict[str, str]) -> None:
    printed = succeeded(environment, "db", "rebuild-totals", "--project", "default")
    assert "sessions: 0 of 0 corrected\n" in printed
    assert "is no project 'nobody'" in refused(environment, "db", "rebuild-totals", "--project", "nobody")


def test_search_language_is_printed_and_changed(environment: dict[str, str]) -> None:
    assert succeeded(environment, "search-language") == "simple\n"
    assert succeeded(environment, "search-language", "german") == "german\n"
    assert succeeded(environment, "search-language") == "german\n"
    assert "knows no language 'klingon'; it knows arabic," in refused(
        environment, "search-language", "klingon"
    )
