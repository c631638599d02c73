"""Headers are read in linear time, guesses and connections are bounded, and refusals share a line."""

from __future__ import annotations

import asyncio
import logging
import time

import pytest

from agentdata import refusals
from agentdata.addresses import client_of, is_within, networks
from agentdata.door import Door, Limits
from agentdata.endpoint import _headers
from agentdata.guesses import Guesses
from agentdata.protocol import MediaType, is_json, negotiate
from agentdata.settings import load_settings
from agentdata.setup_error import SetupError


def seconds(began: float) -> float:
    """Return the seconds of CPU time since then."""
    return time.process_time() - began


def test_equal_lines_are_joined_in_linear_time() -> None:
    began = time.process_time()
    headers = _headers({"headers": [(b"accept", b"a" * 100), *[(b"accept", b"b")] * 200_000, (b"x", b"c")]})
    assert headers.keys() == {b"accept"}
    assert headers[b"accept"] == "a" * 100 + ", b" * 200_000
    assert seconds(began) < 1


def test_only_the_first_ranges_of_a_long_accept_header_are_read() -> None:
    began = time.process_time()
    assert negotiate("application/json, " + "a," * 5_000_000) is MediaType.JSON
    assert negotiate("a/b;" + ";" * 5_000_000) is None
    assert negotiate("a," * 5_000_000 + "application/json") is None
    assert not is_json("application/json;" + "a;" * 5_000_000)
    assert seconds(began) < 1


@pytest.mark.parametrize(
    ("address", "client"),
    [
        ("10.1.2.3", "10.1.2.3"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::9", "2001:db8:1:2::/64"),
        ("::ffff:10.1.2.3", "10.1.2.3"),
        ("a:proxy:wrote:this", "a:proxy:wrote:this"),
        ("x" * 1000, "x" * 64),
        ("", ""),
    ],
)
def test_addresses_of_one_ipv6_network_are_one_client(address: str, client: str) -> None:
    assert client_of(address) == client


def test_only_declared_networks_are_trusted() -> None:
    trusted = networks("10.0.0.0/8, ::1,")
    assert [is_within(host, trusted) for host in ("10.9.9.9", "::1", "11.0.0.1", "::2", "", "x")] == [
        *(True, True),
        *(False, False, False, False),
    ]
    assert not is_within("127.0.0.1", networks(""))


@pytest.mark.parametrize("text", ["*", "10.0.0.1/8", "proxy.example.com"])
def test_a_proxy_that_is_no_address_is_refused(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("AGENTDATA_TRUSTED_PROXIES", text)
    with pytest.raises(SetupError, match="AGENTDATA_TRUSTED_PROXIES: "):
        load_settings()


def test_guesses_run_out_and_come_back() -> None:
    guesses = Guesses(burst=3, per_s=0.5)
    assert [guesses.take("a") for _ in range(3)] == [0, 0, 0]
    assert guesses.take("a") == 2
    assert guesses.take("b") == 0
    guesses.give_back("a")
    assert guesses.take("a") == 0
    assert Guesses(burst=1, per_s=1e9).take("a") == 0


def test_guesses_of_many_clients_take_bounded_memory() -> None:
    guesses = Guesses(burst=2, per_s=0.001, max_clients=10)
    for number in range(1000):
        assert guesses.take(f"client {number}") == 0
    assert len(guesses.buckets) == 10


class _Lines(logging.Handler):
    """The lines of a log about one kind of refusal, and an event that tells of the second.

    What other tests had refused may be logged at any time.
    """

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.addFilter(lambda record: f"refused: {kind}," in record.getMessage())
        self.lines: list[str] = []
        self.second = asyncio.Event()

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())
        if len(self.lines) == 2:
            self.second.set()


async def test_refusals_of_a_kind_share_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    log = _Lines("tests")
    monkeypatch.setattr(logging.getLogger("agentdata.refusals"), "handlers", [log])
    monkeypatch.setattr(refusals, "_INTERVAL_S", 0.05)
    before = refusals.counts().get("tests", 0)
    for number in range(100):
        refusals.count("tests", f"10.0.0.{number}")
    assert refusals.counts()["tests"] == before + 100
    async with asyncio.timeout(5):
        await log.second.wait()
    assert log.lines == ["refused: tests, from 10.0.0.0", "refused: tests, 99 more in 0 s"]


class _Connection:
    """A connection that waits since a time, or does not wait."""

    def __init__(self, host: str, since: tuple[int, float] | None = (0, 0.0)) -> None:
        self.host = host
        self.since = since
        self.turned_away = False

    def waiting_since(self, now: float) -> tuple[int, float] | None:
        assert now > 0
        return self.since

    def check(self, now: float) -> None:
        assert now > 0

    def turn_away(self) -> None:
        self.turned_away = True


async def test_connections_that_wait_longest_go_first_and_those_at_work_stay() -> None:
    door = Door(Limits(600, 600, 600, 4, 3, networks("10.0.0.9")))
    working = [_Connection("10.0.0.1", None), _Connection("10.0.0.9", None)]
    waiting = [_Connection("10.0.0.9", (0, 2.0)), _Connection("10.0.0.9", (0, 1.0))]
    for connection in (*working, *waiting):
        door.admit(connection)
    more = [_Connection("10.0.0.2", None) for _ in range(4)]
    door.admit(more[0])
    assert [each.turned_away for each in waiting] == [False, True]
    door.admit(more[1])
    assert [each.turned_away for each in (*working, *waiting)] == [False, False, True, True]
    door.admit(more[2])
    assert [each.turned_away for each in more[:3]] == [False, False, True]
    for connection in (*working, *more[:2]):
        door.leave(connection)
    door.admit(more[3])
    assert not more[3].turned_away
    door.leave(more[3])
