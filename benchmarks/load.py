"""The load: clients that each keep one connection open and send the next request after each answer.

It uses asyncio transports, because Python's HTTP clients take longer for a request than some of the servers.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

import httptools
import orjson

from benchmarks.dataset import API_KEY

if TYPE_CHECKING:
    from collections.abc import Callable

HOST = "127.0.0.1"
OK = 200


@dataclass
class Sample:
    """The measurements of one server, shape and concurrency, summed over all rounds."""

    seconds: float = 0.0
    cpu_s: float = 0.0
    peak_mb: float = 0.0
    size: int = 0
    """Bytes of the last answer's body."""
    latencies: list[float] = field(default_factory=list)
    """Seconds, one for each request."""

    @property
    def rate(self) -> float:
        """Requests per second."""
        return len(self.latencies) / self.seconds

    def percentile(self, share: float) -> float:
        """Return the latency that this share of the requests does not exceed, in milliseconds."""
        ordered = sorted(self.latencies)
        return ordered[min(int(share * len(ordered)), len(ordered) - 1)] * 1000

    @property
    def cpu_ms(self) -> float:
        """The server's processor time for a request, in milliseconds."""
        return self.cpu_s / len(self.latencies) * 1000


def request(path: str, body: dict[str, Any]) -> bytes:
    """Return the bytes of a POST request."""
    content = orjson.dumps(body)
    return (
        f"POST {path} HTTP/1.1\r\nHost: {HOST}\r\n"
        "Content-Type: application/json\r\nAccept: application/json\r\n"
        f"Authorization: Bearer {API_KEY}\r\nContent-Length: {len(content)}\r\n\r\n"
    ).encode() + content


class Client(asyncio.Protocol):
    """One connection."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._done: asyncio.Future[bytes]
        self._body: list[bytes] = []
        self._parser = httptools.HttpResponseParser(self)
        self._transport: asyncio.Transport

    @classmethod
    async def connect(cls, port: int) -> Client:
        """Open a connection."""
        _, client = await asyncio.get_running_loop().create_connection(cls, HOST, port)
        return client

    def send(self, payload: bytes) -> asyncio.Future[bytes]:
        """Send a request and return a future of the answer's body."""
        self._done = self._loop.create_future()
        self._body = []
        self._transport.write(payload)
        return self._done

    async def read(self, payload: bytes) -> Any:
        """Send a request and return the answer's data; raise SystemExit if it has errors or no data."""
        answer = orjson.loads(await self.send(payload))
        if answer.get("errors") or not answer.get("data"):
            raise SystemExit(f"a server answers with errors: {str(answer)[:2000]}")
        return answer["data"]

    def close(self) -> None:
        """Close the connection."""
        self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:  # noqa: D102 - of asyncio.Protocol
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:  # noqa: D102 - of asyncio.Protocol
        self._parser.feed_data(data)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: D102 - of asyncio.Protocol
        if not self._done.done():
            self._done.set_exception(exc or ConnectionError("the server closed the connection"))

    def on_body(self, body: bytes) -> None:
        """Append a part of the answer's body; the parser calls this."""
        self._body.append(body)

    def on_message_complete(self) -> None:
        """Complete the request; the parser calls this."""
        status = self._parser.get_status_code()
        body = b"".join(self._body)
        self._parser = httptools.HttpResponseParser(self)
        if status == OK:
            self._done.set_result(body)
        else:
            self._done.set_exception(RuntimeError(f"HTTP {status}: {body[:500]!r}"))


async def run(
    port: int,
    clients: int,
    seconds: float,
    request_maker_for: Callable[[int], Callable[[], bytes]],
    sample: Sample,
) -> None:
    """Keep the clients busy for some seconds; each sends the requests of its own request maker."""
    connections = [await Client.connect(port) for _ in range(clients)]
    started = time.perf_counter()
    end = started + seconds

    async def work(number: int, client: Client) -> None:
        next_request = request_maker_for(number)
        latencies = sample.latencies
        body = b""
        while (sent_at := time.perf_counter()) < end:
            body = await client.send(next_request())
            latencies.append(time.perf_counter() - sent_at)
        if b'"errors"' in body[:2000]:
            raise SystemExit(f"a server answers with errors: {body[:2000]!r}")
        sample.size = len(body)

    try:
        await asyncio.gather(*(work(number, client) for number, client in enumerate(connections)))
    finally:
        for client in connections:
            client.close()
    sample.seconds += time.perf_counter() - started
