"""Clients see the answer to a request whose body was not read, and cannot hold the server with it."""

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
"""More bytes than the sockets between client and server hold."""

CHUNK = b"8000\r\n" + b" " * 0x8000 + b"\r\n"
ANSWER = b"\r\n\r\nno"


async def refuse(request: Request) -> Response:  # noqa: ARG001 - a Starlette endpoint takes the request
    """Answer before the body is read."""
    return PlainTextResponse("no", status_code=403)


async def accept(request: Request) -> Response:
    """Answer when the body is read."""
    return PlainTextResponse(str(len(await request.body())))


@asynccontextmanager
async def server(max_bytes: int = 2 * LARGE, max_s: float = 30) -> AsyncIterator[tuple[str, int]]:
    """Serve an application that refuses what comes to `/refuse`."""
    app = Starlette(
        routes=[Route("/refuse", refuse, methods=["POST"]), Route("/accept", accept, methods=["POST"])],
        middleware=[Middleware(UnreadBodies, max_bytes=max_bytes, max_s=max_s)],
    )
    async with serving(app) as address:
        yield address


def head(length: int | None, *more: str, path: str = "/refuse") -> bytes:
    """Write the head of a request, whose body is sent in chunks where it has no length."""
    said = "Transfer-Encoding: chunked" if length is None else f"Content-Length: {length}"
    return "\r\n".join((f"POST {path} HTTP/1.1", "Host: test", said, *more, "", "")).encode()


def send_and_then_read(
    address: tuple[str, int], method: str, path: str, *, chunked: bool, close: bool
) -> int:
    """Send a large body as clients do that look for an answer at the end, and return its status."""
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
async def test_a_client_that_sends_before_it_reads_sees_the_answer(
    method: str, path: str, status: int, *, chunked: bool, close: bool
) -> None:
    async with server() as address:
        seen = await asyncio.to_thread(
            send_and_then_read, address, method, path, chunked=chunked, close=close
        )
    assert seen == status


async def test_a_client_that_looks_for_an_answer_sees_it_at_once() -> None:
    async with server() as address:
        reader, writer = await asyncio.open_connection(*address)
        writer.write(head(LARGE, "Expect: 100-continue"))
        answer = await reader.readuntil(ANSWER)
        writer.close()
    assert answer.startswith(b"HTTP/1.1 403 ")
    assert b"\r\nconnection: close\r\n" in answer


async def test_a_small_body_leaves_the_connection_open() -> None:
    async with server() as address:
        reader, writer = await asyncio.open_connection(*address)
        for _ in range(3):
            writer.write(head(1000))
            await writer.drain()
            writer.write(b" " * 1000)
            answer = await reader.readuntil(ANSWER)
            assert answer.startswith(b"HTTP/1.1 403 ")
            assert b"connection: close" not in answer
        # What is chunked may be of any length, so the connection is given up, but in order.
        writer.write(head(None) + CHUNK)
        answer = await reader.readuntil(ANSWER)
        assert b"\r\nconnection: close\r\n" in answer
        writer.write(b"0\r\n\r\n")
        assert await reader.read() == b""
        writer.close()


@pytest.mark.parametrize("length", [None, 1024 * LARGE])
async def test_a_client_that_sends_without_end_is_cut_off(length: int | None) -> None:
    chunk = CHUNK if length is None else b" " * 0x8000
    async with server(max_bytes=LARGE) as address:
        _, writer = await asyncio.open_connection(*address)
        writer.write(head(length))
        sent = 0
        with suppress(ConnectionError):
            while sent < 100 * LARGE:
                writer.write(chunk)
                await writer.drain()
                sent += len(chunk)
        writer.close()
    assert LARGE <= sent < 3 * LARGE


@pytest.mark.parametrize("length", [None, 1_000, LARGE])
async def test_a_client_that_sends_nothing_more_is_cut_off(length: int | None) -> None:
    async with server() as address:
        reader, writer = await asyncio.open_connection(*address)
        began = time.monotonic()
        writer.write(head(length))
        answer = await reader.read()
        writer.close()
    assert answer.startswith(b"HTTP/1.1 403 ")
    assert time.monotonic() - began < 10


async def test_a_client_that_sends_little_by_little_is_cut_off() -> None:
    async with server(max_s=0.5) as address:
        reader, writer = await asyncio.open_connection(*address)
        began = time.monotonic()
        writer.write(head(LARGE))
        await reader.readuntil(ANSWER)
        end = asyncio.create_task(reader.read())
        while not end.done() and time.monotonic() - began < 20:
            writer.write(b" ")
            await asyncio.wait([end], timeout=0.01)
        with suppress(ConnectionError):
            assert await end == b""
        writer.close()
    assert time.monotonic() - began < 10


async def test_a_client_that_goes_away_ends_the_reading() -> None:
    async with asyncio.timeout(10), server(max_s=600) as address:
        reader, writer = await asyncio.open_connection(*address)
        writer.write(head(LARGE))
        await reader.readuntil(ANSWER)
        writer.close()
