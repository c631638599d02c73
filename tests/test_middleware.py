"""Clients get the answer to a request whose body was not read, and cannot keep the server busy with it."""

from __future__ import annotations

import asyncio
import http.client
import time
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from agentdata.middleware import UnreadBodies
from tests.serving import serving

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from starlette.requests import Request
    from starlette.responses import Response

LARGE = 12 * 1024 * 1024
"""More bytes than fit into the buffers of the sockets between client and server."""

CHUNK = b"8000\r\n" + b" " * 0x8000 + b"\r\n"
ANSWER = b"\r\n\r\nno"


async def refuse(request: Request) -> Response:  # noqa: ARG001 - a Starlette endpoint takes the request
    """Answer without reading the body."""
    return PlainTextResponse("no", status_code=403)


async def accept(request: Request) -> Response:
    """Answer after reading the body."""
    return PlainTextResponse(str(len(await request.body())))


@asynccontextmanager
async def server(max_bytes: int = 2 * LARGE, max_s: float = 30) -> AsyncIterator[tuple[str, int]]:
    """Serve an application that refuses requests to `/refuse`."""
    app = Starlette(
        routes=[Route("/refuse", refuse, methods=["POST"]), Route("/accept", accept, methods=["POST"])],
        middleware=[Middleware(UnreadBodies, max_bytes=max_bytes, max_s=max_s)],
    )
    async with serving(app) as address:
        yield address


def head(length: int | None, *more: str, path: str = "/refuse") -> bytes:
    """Return the head of a request; without a length, its body is sent in chunks."""
    body_header = "Transfer-Encoding: chunked" if length is None else f"Content-Length: {length}"
    return "\r\n".join((f"POST {path} HTTP/1.1", "Host: test", body_header, *more, "", "")).encode()


def send_then_read_status(
    address: tuple[str, int], method: str, path: str, *, chunked: bool, close: bool
) -> int:
    """Send a large body, read the answer only then, and return its status."""
    connection = http.client.HTTPConnection(*address, timeout=30)

    def chunks() -> Iterator[bytes]:
        for _ in range(LARGE // 0x8000):
            yield b" " * 0x8000

    headers = {"Connection": "close"} if close else {}
    body = chunks() if chunked else b" " * LARGE
    connection.request(method, path, body=body, headers=headers, encode_chunked=chunked)
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer.status


@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize("close", [False, True])
@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("POST", "/refuse", 403), ("PUT", "/refuse", 405), ("POST", "/nowhere", 404), ("POST", "/accept", 200)],
)
async def test_a_client_that_reads_after_sending_everything_gets_the_answer(
    method: str, path: str, status: int, *, chunked: bool, close: bool
) -> None:
    async with server() as address:
        seen = await asyncio.to_thread(
            send_then_read_status, address, method, path, chunked=chunked, close=close
        )
    assert seen == status


async def test_a_client_that_expects_100_continue_gets_the_answer_at_once() -> None:
    async with server() as address:
        reader, writer = await asyncio.open_connection(*address)
        writer.write(head(LARGE, "Expect: 100-continue"))
        answer = await reader.readuntil(ANSWER)
        writer.close()
    assert answer.startswith(b"HTTP/1.1 403 ")
    assert b"\r\nconnection: close\r\n" in answer


async def test_a_small_unread_body_keeps_the_connection_open() -> None:
    async with server() as address:
        reader, writer = await asyncio.open_connection(*address)
        for _ in range(3):
            writer.write(head(1000))
            await writer.drain()
            writer.write(b" " * 1000)
            answer = await reader.readuntil(ANSWER)
            assert answer.startswith(b"HTTP/1.1 403 ")
            assert b"connection: close" not in answer
        # A chunked body may have any length, so the connection is closed, but gracefully.
        writer.write(head(None) + CHUNK)
        answer = await reader.readuntil(ANSWER)
        assert b"\r\nconnection: close\r\n" in answer
        writer.write(b"0\r\n\r\n")
        assert await reader.read() == b""
        writer.close()


@pytest.mark.parametrize("length", [None, 1024 * LARGE])
async def test_a_client_that_sends_endlessly_is_disconnected(length: int | None) -> None:
    chunk = CHUNK if length is None else b" " * 0x8000
    async with server(max_bytes=LARGE) as address:
        _, writer = await asyncio.open_connection(*address)
        writer.write(head(length))
        total = 0
        with suppress(ConnectionError):
            while total < 100 * LARGE:
                writer.write(chunk)
                await writer.drain()
                total += len(chunk)
        writer.close()
    assert LARGE <= total < 3 * LARGE


@pytest.mark.parametrize("length", [None, 1_000, LARGE])
async def test_a_client_that_stops_sending_is_disconnected(length: int | None) -> None:
    async with server() as address:
        reader, writer = await asyncio.open_connection(*address)
        started = time.monotonic()
        writer.write(head(length))
        answer = await reader.read()
        writer.close()
    assert answer.startswith(b"HTTP/1.1 403 ")
    assert time.monotonic() - started < 10


async def test_a_client_that_sends_slowly_is_disconnected() -> None:
    async with server(max_s=0.5) as address:
        reader, writer = await asyncio.open_connection(*address)
        started = time.monotonic()
        writer.write(head(LARGE))
        await reader.readuntil(ANSWER)
        end = asyncio.create_task(reader.read())
        while not end.done() and time.monotonic() - started < 20:
            writer.write(b" ")
            await asyncio.wait([end], timeout=0.01)
        with suppress(ConnectionError):
            assert await end == b""
        writer.close()
    assert time.monotonic() - started < 10


async def test_reading_ends_when_the_client_disconnects() -> None:
    async with asyncio.timeout(10), server(max_s=600) as address:
        reader, writer = await asyncio.open_connection(*address)
        writer.write(head(LARGE))
        await reader.readuntil(ANSWER)
        writer.close()
