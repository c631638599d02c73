"""Runs the fuzz against a server, and tallies the answers."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING

from tests.fuzz.hostile import HostileMaker, HostileRequest

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.engine.operations import Facts

DESIGNED = {503, 504}
"""The statuses above 499 that a server may answer by design: it is busy, or an operation took too long."""

_ANSWER_S = 60.0
_CLIENTS = 8
_PROBE_INTERVAL_S = 0.2
_UUIDS = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_STATUS = re.compile(rb"HTTP/1\.1 (\d{3})")


@dataclass
class Tally:
    """What the server answered."""

    requests: int = 0
    statuses: Counter[str] = field(default_factory=Counter)
    codes: Counter[str] = field(default_factory=Counter)
    faults: list[tuple[str, HostileRequest]] = field(default_factory=list)
    """What was wrong with an answer, and the request."""
    slowest_s: float = 0.0
    probes: int = 0
    slowest_probe_s: float = 0.0
    """The longest wait of another project's small query meanwhile."""

    def __str__(self) -> str:
        """Show the figures."""
        return (
            f"{self.requests} requests, statuses {dict(self.statuses)}, codes {dict(self.codes)},"
            f" slowest {self.slowest_s:.2f} s; {self.probes} probes, slowest {self.slowest_probe_s:.2f} s;"
            f" {len(self.faults)} faults"
        )


@dataclass(frozen=True)
class Target:
    """The server, what the fuzz knows of one project, and a key of another project for probes."""

    host: str
    port: int
    facts: Facts
    secret: str
    cursors: tuple[str, ...]
    probe_secret: str


async def run(
    target: Target, *, seconds: float, seed: int, say: Callable[[str], None] = lambda _: None
) -> Tally:
    """Send hostile requests for a number of seconds, and meanwhile probes with the other project's key."""
    tally = Tally()
    end = time.monotonic() + seconds
    clients = [
        _client(target, tally, Random(f"{seed} {number}"), end)  # noqa: S311  # made-up requests
        for number in range(_CLIENTS)
    ]
    probing = asyncio.create_task(_probe(target, tally))
    reporting = asyncio.create_task(_report(tally, say))
    try:
        await asyncio.gather(*clients)
    finally:
        probing.cancel()
        reporting.cancel()
    return tally


async def _client(target: Target, tally: Tally, random: Random, end: float) -> None:
    maker = HostileMaker(random, target.facts, target.secret, target.cursors)
    foreign = frozenset(target.facts.foreign)
    while time.monotonic() < end:
        request = maker.request()
        began = time.monotonic()
        try:
            answer = await asyncio.wait_for(_exchange(target, request.content), _ANSWER_S)
        except TimeoutError:
            tally.faults.append((f"no answer in {_ANSWER_S} s", request))
            continue
        tally.slowest_s = max(tally.slowest_s, time.monotonic() - began)
        tally.requests += 1
        for fault in _judge(request, answer, foreign, tally):
            tally.faults.append((fault, request))


async def _exchange(target: Target, content: bytes) -> bytes:
    """Send bytes on a new connection, end the sending side, and return all that comes back."""
    reader, writer = await asyncio.open_connection(target.host, target.port)
    answer = bytearray()
    try:
        with suppress(ConnectionError):
            writer.write(content)
            await _until_answered(reader, writer, content, answer)
    finally:
        writer.close()
    return bytes(answer)


async def _until_answered(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, content: bytes, answer: bytearray
) -> None:
    """Read one answer; a malformed request may leave the server waiting for more, so no more is promised."""
    await writer.drain()
    head = bytearray()
    malformed = not _is_complete(content)
    while b"\r\n\r\n" not in head:
        # A client that sends half a request and ends is answered or cut off.
        if malformed:
            with suppress(OSError):
                writer.write_eof()
            malformed = False
        part = await reader.read(65_536)
        if not part:
            answer += head
            return
        head += part
    answer += head
    if content.startswith(b"HEAD"):
        return
    at = head.index(b"\r\n\r\n") + 4
    length = re.search(rb"(?i)content-length: *(\d+)", head[:at])
    left = int(length[1]) - (len(head) - at) if length else 0
    while left > 0:
        part = await reader.read(65_536)
        if not part:
            return
        answer += part
        left -= len(part)


def _is_complete(content: bytes) -> bool:
    """Return whether a request says its length and has that many bytes."""
    head, _, body = content.partition(b"\r\n\r\n")
    lengths = re.findall(rb"(?i)content-length: *(\d+)\r?\n?", head)
    return content.startswith(b"GET ") or (len(lengths) == 1 and int(lengths[0]) <= len(body))


def _judge(request: HostileRequest, answer: bytes, foreign: frozenset[str], tally: Tally) -> list[str]:
    """Count an answer, and return what is wrong with it."""
    status = _STATUS.match(answer)
    if status is None:
        tally.statuses["none"] += 1
        # Only bytes that are no request may be cut off without an answer.
        return [] if request.kind in {"changed_bytes", "by_get"} else ["no answer to a well-formed request"]
    code = int(status[1])
    tally.statuses[str(code)] += 1
    faults = [f"status {code}"] if code >= 500 and code not in DESIGNED else []
    _, _, body = answer.partition(b"\r\n\r\n")
    text = body.decode(errors="replace")
    sent = set(_UUIDS.findall(request.content.decode(errors="replace")))
    if leaked := foreign & set(_UUIDS.findall(text)) - sent:
        faults.append(f"ids of another project: {sorted(leaked)[:3]}")
    if b"application/" not in answer[: -len(body) or None] or request.content.startswith(b"HEAD"):
        return faults
    try:
        answered = json.loads(body)
    except ValueError:
        return [*faults, "the answer is not JSON"]
    for error in answered.get("errors", ()) if isinstance(answered, dict) else ():
        code_ = error.get("extensions", {}).get("code", "none")
        tally.codes[code_] += 1
        if code_ in {"INTERNAL", "none"}:
            faults.append(f"an error with the code {code_}: {error['message'][:200]}")
    return faults


async def _probe(target: Target, tally: Tally) -> None:
    content = json.dumps({"query": "{ project { id } }"}).encode()
    request = (
        f"POST /graphql HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {target.probe_secret}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n"
    ).encode() + content
    while True:
        began = time.monotonic()
        answer = await _exchange(target, request)
        tally.probes += 1
        tally.slowest_probe_s = max(tally.slowest_probe_s, time.monotonic() - began)
        if not answer.startswith(b"HTTP/1.1 200") or b'"errors"' in answer:
            tally.faults.append((f"a probe failed: {answer[:300]!r}", HostileRequest("probe", request)))
        await asyncio.sleep(_PROBE_INTERVAL_S)


async def _report(tally: Tally, say: Callable[[str], None]) -> None:
    while True:
        await asyncio.sleep(30)
        say(str(tally))
