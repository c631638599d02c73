"""Attacks without a key on a real server with few descriptors are refused, and other clients are served."""

from __future__ import annotations

import re
import select
import socket
import sys
import time
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import httpx
import orjson
import psutil
import pytest

from agentdata import graphiql
from agentdata.door import limits_of
from agentdata.operations import api_keys
from agentdata.settings import Settings
from agentdata.setup_error import SetupError
from tests.databases import copy
from tests.test_cli import key_file, new_environment, serving, started

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["started"]

DESCRIPTORS = 1024
TIMEOUT_S = 1.0
SLACK_S = 6.0
"""How much later than allowed a busy machine may close a connection."""

ELSEWHERE = "127.0.0.2"
"""An address of another client; Linux has all of 127.0.0.0/8."""


class Served(NamedTuple):
    """A running server, its key and its log."""

    address: tuple[str, int]
    key: str
    log: Path
    process: psutil.Process

    @property
    def url(self) -> str:
        """The URL of the server without a path."""
        return "http://{}:{}".format(*self.address)

    def connect(self, sent: bytes = b"", source: str = "127.0.0.1") -> socket.socket:
        """Connect, and send something."""
        client = socket.create_connection(self.address, 10, (source, 0))
        client.sendall(sent)
        return client

    def exchange(self, sent: bytes) -> tuple[int, str]:
        """Send a request, and return the status of the answer and the code of its error."""
        with self.connect(sent) as client:
            return answer_of(read_all(client))

    def health(self) -> int:
        """Return the status of `/health` for a client of another address."""
        with httpx.Client(transport=httpx.HTTPTransport(local_address=ELSEWHERE)) as client:
            return client.get(f"{self.url}/health").status_code

    def query(self, key: str | None = None, source: str = "127.0.0.1") -> httpx.Response:
        """Send a query."""
        with httpx.Client(transport=httpx.HTTPTransport(local_address=source)) as client:
            headers = {"Authorization": f"Bearer {key or self.key}"}
            return client.post(f"{self.url}/graphql", json={"query": "{ project { slug } }"}, headers=headers)

    def logged(self, text: str) -> int:
        """Return how often the log has a text."""
        return self.log.read_text().count(text)


def read_all(client: socket.socket) -> bytes:
    """Return what a client receives until the server closes the connection."""
    received = b""
    while data := client.recv(65536):
        received += data
    return received


def answer_of(received: bytes) -> tuple[int, str]:
    """Return the status and the code of the error of an answer."""
    head, _, body = received.partition(b"\r\n\r\n")
    assert b"\r\nconnection: close" in head
    [error] = orjson.loads(body)["errors"]
    return int(head.split()[1]), error["extensions"]["code"]


@contextmanager
def served(started: Path, **settings: str) -> Iterator[Served]:
    """Serve with settings, as a process that may open few files."""
    with new_environment() as environment:
        folder = Path(environment["AGENTDATA_DATA_DIR"])
        copy(started, folder)
        log = folder / "log"
        script = f'ulimit -n {DESCRIPTORS} && exec "$0" "$@" 2>{log}'
        command = ["/bin/sh", "-c", script, sys.executable, "-m", "agentdata"]
        with serving(environment | settings, command) as server:
            found = re.search(r"http://(.+):(\d+)/", server.url)
            assert found
            key = key_file(environment).read_text().strip()
            yield Served((found[1], int(found[2])), key, log, psutil.Process(server.process.pid))


@pytest.fixture(scope="module")
def server(started: Path) -> Iterator[Served]:
    """Provide a server that waits for clients only for a second."""
    with served(
        started,
        AGENTDATA_HEADER_TIMEOUT_S=str(TIMEOUT_S),
        AGENTDATA_CLIENT_PAUSE_S=str(TIMEOUT_S),
        AGENTDATA_KEEP_ALIVE_S="2",
        AGENTDATA_BODY_TIMEOUT_S=str(2 * TIMEOUT_S),
    ) as server:
        yield server


def test_a_header_of_millions_of_ranges_is_refused_at_once(server: Served) -> None:
    began = time.monotonic()
    with server.connect(b"GET /graphql HTTP/1.1\r\nAccept: ") as client:
        for _ in range(10):
            client.sendall(b"a," * 500_000)
        assert answer_of(read_all(client)) == (431, "LIMIT_EXCEEDED")
    assert time.monotonic() - began < SLACK_S
    assert server.logged("refused: header_bytes, from 127.0.0.1") == 1


def test_headers_without_an_end_are_refused_and_not_kept(server: Served) -> None:
    line = b"X-A: " + b"a" * 1000 + b"\r\n"
    sent = 0
    with server.connect(b"GET /graphql HTTP/1.1\r\n") as client, suppress(ConnectionError):
        while sent < 1024**3:
            client.sendall(line * 100)
            sent += 100 * len(line)
    assert sent < 100 * 1024**2


@pytest.mark.parametrize(
    ("head", "status", "code"),
    [
        (b"GET /health HTTP/1.1\r\nHost: a\r\n" + b"X: a\r\n" * 100, 431, "LIMIT_EXCEEDED"),
        (b"GET /health HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 16_384 + b"\r\n", 431, "LIMIT_EXCEEDED"),
        (b"GET /health?" + b"a" * 8_200 + b" HTTP/1.1\r\nHost: a\r\n", 414, "LIMIT_EXCEEDED"),
        (b"GET /health?" + b"a" * 20_000 + b" HTTP/1.1\r\nHost: a\r\n", 414, "LIMIT_EXCEEDED"),
        (b"nonsense\r\n", 400, "BAD_USER_INPUT"),
    ],
)
def test_a_large_or_malformed_head_is_refused_with_an_error_in_json(
    server: Served, head: bytes, status: int, code: str
) -> None:
    assert server.exchange(head + b"\r\n") == (status, code)


def test_a_head_just_within_the_limits_is_answered(server: Served) -> None:
    lines = b"".join(b"X-%d: %s\r\n" % (number, b"a" * 140) for number in range(97))
    with server.connect(
        b"GET /health HTTP/1.1\r\nHost: a\r\nConnection: close\r\n" + lines + b"\r\n"
    ) as client:
        assert read_all(client).startswith(b"HTTP/1.1 200 ")


def test_pipelined_requests_beyond_the_limit_are_not_answered(server: Served) -> None:
    with server.connect(b"GET /health HTTP/1.1\r\nHost: a\r\n\r\n" * 5000) as client:
        received = read_all(client)
    assert 1 <= received.count(b"HTTP/1.1 200 ") <= 20
    assert server.logged("refused: pipelined_requests") == 1


def test_pipelined_requests_within_the_limit_are_answered(server: Served) -> None:
    last = b"GET /health HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
    with server.connect(b"GET /health HTTP/1.1\r\nHost: a\r\n\r\n" * 9 + last) as client:
        assert read_all(client).count(b"HTTP/1.1 200 ") == 10


@pytest.mark.parametrize(
    "extra", [b"a;x=" + b"y" * 60_000, b"1\r\na\r\n" * 20_000, b"0\r\nX: " + b"a" * 60_000]
)
def test_a_body_with_more_framing_than_contents_is_refused(server: Served, extra: bytes) -> None:
    head = f"POST /graphql HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {server.key}\r\n"
    head += "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    assert server.exchange(head.encode() + extra) == (400, "LIMIT_EXCEEDED")


def test_five_hundred_slow_clients_are_closed_and_hold_up_nobody(server: Served) -> None:
    began = time.monotonic()
    with ExitStack() as stack:
        slow = [stack.enter_context(server.connect(b"GET /graphql HTTP/1.1\r\nX-")) for _ in range(500)]
        assert server.health() == 200
        assert server.query(source=ELSEWHERE).status_code == 200
        for client in slow[::100]:
            client.sendall(b"a")
        # The log has one line for all of them.
        answers = [answer_of(read_all(client)) for client in slow]
    assert {status for status, _ in answers} <= {408, 503}
    assert (408, "TIMEOUT") in answers
    assert time.monotonic() - began < TIMEOUT_S + SLACK_S
    assert server.logged("refused: slow_headers, from") == 1


def test_a_client_that_sends_nothing_is_closed_without_an_answer(server: Served) -> None:
    with server.connect() as client:
        assert read_all(client) == b""


def test_a_connection_without_a_request_is_closed_after_the_time_to_keep_it(server: Served) -> None:
    with server.connect(b"GET /health HTTP/1.1\r\nHost: a\r\n\r\n") as client:
        began = time.monotonic()
        assert read_all(client).startswith(b"HTTP/1.1 200 ")
    assert 2 <= time.monotonic() - began < 2 + SLACK_S


@pytest.mark.parametrize("drip", [b"", b" "])
def test_a_body_that_does_not_arrive_in_time_is_refused(server: Served, drip: bytes) -> None:
    head = f"POST /graphql HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {server.key}\r\n"
    head += "Content-Type: application/json\r\nContent-Length: 1000\r\n\r\n"
    began = time.monotonic()
    with server.connect(head.encode()) as client:
        client.settimeout(TIMEOUT_S / 4)
        received = b""
        while time.monotonic() - began < 2 * TIMEOUT_S + SLACK_S:
            try:
                received = client.recv(65536)
                break
            except TimeoutError:
                client.sendall(drip)
    assert answer_of(received) == (408, "TIMEOUT")
    if drip:
        assert time.monotonic() - began >= 2 * TIMEOUT_S


def test_a_client_that_pauses_in_a_body_within_the_limits_is_answered(server: Served) -> None:
    body = b'{"query": "{ project { slug } }"}'
    head = f"POST /graphql HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {server.key}\r\nConnection: close\r\n"
    head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    with server.connect(head.encode() + body[:10]) as client:
        client.settimeout(TIMEOUT_S / 2)
        with pytest.raises(TimeoutError):
            client.recv(1)
        client.settimeout(10)
        client.sendall(body[10:])
        assert read_all(client).startswith(b"HTTP/1.1 200 ")


def test_a_client_that_does_not_read_its_answers_is_disconnected(server: Served) -> None:
    [asset] = (Path(graphiql.__file__).parent / "assets").glob("main-*.js")
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.connect(server.address)
        client.sendall(f"GET /graphiql/{asset.name} HTTP/1.1\r\nHost: a\r\n\r\n".encode() * 10)
        disconnected = select.poll()
        disconnected.register(client, 0)
        assert disconnected.poll((TIMEOUT_S + SLACK_S) * 1000)
    assert server.logged("refused: slow_readers, from 127.0.0.1") == 1
    assert server.health() == 200


def test_half_requests_beyond_the_descriptors_leave_others_alone(server: Served) -> None:
    with ExitStack() as stack:
        keep = stack.enter_context(
            httpx.Client(transport=httpx.HTTPTransport(local_address=ELSEWHERE), base_url=server.url)
        )
        assert keep.get("/health").status_code == 200
        for number in range(1100):
            stack.enter_context(server.connect(b"GET /health HTTP/1.1\r\nX-", source=f"127.0.1.{number % 3}"))
            if number % 100 == 0:
                assert server.health() == 200
                assert keep.get("/health").status_code == 200
        assert server.process.num_fds() < DESCRIPTORS
        assert server.health() == 200
        assert server.query(source=ELSEWHERE).status_code == 200
    assert server.logged("Too many open files") == 0
    assert server.logged("refused: client_connections, from") == 1


def test_one_address_cannot_take_all_connections(started: Path) -> None:
    with (
        served(started, AGENTDATA_MAX_CONNECTIONS="20", AGENTDATA_MAX_CONNECTIONS_PER_ADDRESS="10") as server,
        ExitStack() as stack,
    ):
        clients = [stack.enter_context(server.connect(b"GET / HTTP/1.1\r\nX")) for _ in range(11)]
        # Of one address the connection that waits longest goes.
        assert answer_of(read_all(clients[0])) == (503, "OVERLOADED")
        assert server.logged("refused: client_connections_of_address, from 127.0.0.1") == 1
        assert server.logged("refused: client_connections, ") == 0
        assert server.health() == 200


def test_too_few_descriptors_are_an_error_that_says_how_many(started: Path) -> None:
    with (
        pytest.raises(AssertionError, match="the server ended before"),
        served(started, AGENTDATA_POOL_SIZE="1000") as server,
    ):
        raise AssertionError(server)


def test_the_connections_of_the_database_url_count_as_descriptors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("resource.getrlimit", lambda _which: (1_024, 1_024))
    monkeypatch.setenv("DATABASE_URL", "postgresql://agentdata@host/agentdata?pool_size=600")
    assert limits_of(Settings()).connections == 1_024 - 600 - 100
    monkeypatch.setenv("DATABASE_URL", "postgresql://agentdata@host/agentdata?pool_size=1000&max_overflow=5")
    with pytest.raises(SetupError, match="too few for 1005 database connections"):
        limits_of(Settings())


def test_made_up_keys_are_throttled_and_valid_ones_of_the_same_address_are_not(server: Served) -> None:
    assert server.query().status_code == 200
    statuses: list[int] = []
    with httpx.Client(base_url=server.url) as client:
        while 429 not in statuses:
            assert len(statuses) < 1000
            headers = {"Authorization": f"Bearer {api_keys.new_secret()}"}
            answer = client.post("/graphql", json={"query": "{ a }"}, headers=headers)
            statuses.append(answer.status_code)
    assert set(statuses) == {401, 429}
    assert len(statuses) > 100
    assert answer.json()["errors"][0]["extensions"] == {"code": "RATE_LIMITED"}
    assert int(answer.headers["Retry-After"]) >= 1
    assert server.query().status_code == 200
    assert server.query(source=ELSEWHERE).status_code == 200
    assert server.query(api_keys.new_secret(), source=ELSEWHERE).status_code == 401
    assert server.logged("refused: unknown_keys, from 127.0.0.1") == 1
