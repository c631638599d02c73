"""Answers reach clients as uvicorn's own protocol sends them, whatever their headers and bodies are."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from tests.serving import serving

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

    Messages = list[dict[str, Any]]


def start(*headers: tuple[bytes, bytes], status: int = 200) -> dict[str, Any]:
    """Return the message that begins an answer."""
    return {"type": "http.response.start", "status": status, "headers": [*headers]}


def body(content: bytes = b"", *, more: bool = False) -> dict[str, Any]:
    """Return the message with a part of the body."""
    return {"type": "http.response.body", "body": content, "more_body": more}


JSON = (b"content-type", b"application/json")


def length(number: int) -> tuple[bytes, bytes]:
    """Return the header for the length of a body."""
    return b"content-length", str(number).encode()


ANSWERS: dict[str, Messages] = {
    "usual": [start(JSON, length(4)), body(b"null")],
    "empty": [start(length(0)), body()],
    "error": [start(JSON, length(2), (b"retry-after", b"1"), status=503), body(b"{}")],
    "other header": [start(JSON, (b"X-Other", b"1"), length(2)), body(b"{}")],
    "upper case": [start((b"Content-Type", b"text/plain"), (b"Content-Length", b"2")), body(b"{}")],
    "closed": [start(length(2), (b"connection", b"close")), body(b"{}")],
    "no length": [start(JSON), body(b"{}", more=True), body(b"[]")],
    "chunked": [start((b"transfer-encoding", b"chunked")), body(b"{}", more=True), body()],
    "in parts": [start(JSON, length(4)), body(b"{}", more=True), body(b"[]")],
    "large": [start(JSON, length(300_000)), body(b"x" * 300_000)],
    "no content": [start(status=204), body()],
    "too short": [start(JSON, length(4)), body(b"{}")],
    "too long": [start(JSON, length(1)), body(b"{}")],
    "unfinished": [start(JSON, length(2))],
    "injected value": [start(JSON, (b"retry-after", b"1\r\nx-evil: 1"), length(2)), body(b"{}")],
    "injected zero": [start((b"content-type", b"a\0b"), length(2)), body(b"{}")],
    "control": [start(JSON, (b"vary", b"a\x01b"), length(2)), body(b"{}")],
    "two lengths": [start(length(2), length(4)), body(b"{}")],
    "injected name": [start((b"x-a: 1\r\nx-b", b"1"), length(2)), body(b"{}")],
}


async def app(scope: Scope, _receive: Receive, send: Send) -> None:
    """Answer with the messages that the path names."""
    if scope["type"] == "http":
        for message in ANSWERS[scope["path"].strip("/")]:
            await send({**message})


async def received(address: tuple[str, int], method: bytes, name: str) -> list[bytes]:
    """Return what a client receives that sends the same request twice."""
    reader, writer = await asyncio.open_connection(*address)
    head = b"%b /%b HTTP/1.1\r\nHost: a\r\n" % (method, name.replace(" ", "%20").encode())
    writer.write(head + b"\r\n" + head + b"Connection: close\r\n\r\n")
    data = await reader.read(-1)
    writer.close()
    return [line for line in data.split(b"\r\n") if not line.startswith(b"date:")]


@pytest.mark.parametrize("method", [b"GET", b"HEAD"])
async def test_answers_are_those_of_uvicorn(method: bytes) -> None:
    async with serving(app) as ours, serving(app, HttpToolsProtocol) as theirs:
        for name in ANSWERS:
            of_ours, of_theirs = [await received(each, method, name) for each in (ours, theirs)]
            if name == "unfinished" and method == b"GET":
                # The head waits for the body, so the client sees no answer instead of a part of one.
                assert (of_ours, len(of_theirs) > 1) == ([b""], True)
            else:
                assert of_ours == of_theirs, name
                # An answer with a header that would be two never leaves.
                assert (of_ours == [b""]) == (name.startswith("injected") or name == "control"), name
