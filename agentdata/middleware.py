"""Middleware for every response: security headers, and reading of unread request bodies."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

SECURITY_HEADERS = (
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
)


class SecurityHeaders:
    """Adds the security headers that a response has not set itself."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = list(message.get("headers", ()))
                names = {name.lower() for name, _ in headers}
                headers += [header for header in SECURITY_HEADERS if header[0] not in names]
                message["headers"] = headers
            await send(message)

        await self._app(scope, receive, send_with_headers)


_READ_FIRST_BYTES = 64 * 1024
_READ_FIRST_S = 1.0
"""A body up to this size is read before the answer, for at most so long, to keep the connection open."""

_MAX_LENGTH_DIGITS = 19
"""A Content-Length with at least as many digits is ignored."""

_PAUSE_S = 2.0
"""How long a client may pause, in seconds, while the rest of its body is read."""


class UnreadBodies:
    """Reads the rest of a request's body after the answer, so that the client receives the answer.

    Closing a connection with unread bytes resets it, and the client may lose an answer that is still in
    transit. Many clients read the answer only after they have sent everything. So the answer is sent first,
    and then the rest of the body is read and dropped, up to a number of bytes and for a number of seconds.
    """

    def __init__(self, app: ASGIApp, *, max_bytes: int, max_s: float = 30.0) -> None:
        self._app = app
        self._max_bytes = max_bytes
        self._max_s = max_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        length = _declared_length(scope) if scope["type"] == "http" else 0
        if length == 0:
            await self._app(scope, receive, send)
            return
        body = _Body(receive)

        async def send_and_read(message: Message) -> None:
            if body.complete:
                await send(message)
            elif message["type"] == "http.response.start":
                if length is not None and length <= _READ_FIRST_BYTES:
                    await body.read_rest(length, _READ_FIRST_S)
                if not body.complete:
                    # The next request on this connection could not be told from the rest of the body.
                    others = [header for header in message.get("headers", ()) if header[0] != b"connection"]
                    message["headers"] = [*others, (b"connection", b"close")]
                await send(message)
            elif message.get("more_body"):
                await send(message)
            else:
                await send({**message, "more_body": True})
                await body.read_rest(self._max_bytes, self._max_s)
                await send({"type": "http.response.body", "body": b""})

        await self._app(scope, body.receive, send_and_read)


class _Body:
    """The body of a request, and whether all of it was received."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self.complete = False

    async def receive(self) -> Message:
        message = await self._receive()
        if message["type"] == "http.disconnect" or not message.get("more_body"):
            self.complete = True
        return message

    async def read_rest(self, max_bytes: int, max_s: float) -> None:
        """Read and drop the rest of the body, up to a number of bytes, until the client pauses."""
        now = asyncio.get_running_loop().time
        end = now() + max_s
        try:
            async with asyncio.timeout_at(min(end, now() + _PAUSE_S)) as limit:
                while not self.complete and max_bytes >= 0:
                    max_bytes -= len((await self.receive()).get("body", b""))
                    limit.reschedule(min(end, now() + _PAUSE_S))
        except TimeoutError:
            return


def _declared_length(scope: Scope) -> int | None:
    """Return the declared length of a request's body, or None if it is unknown."""
    length: int | None = 0
    for name, value in scope["headers"]:
        if name == b"transfer-encoding":
            return None
        if name == b"content-length":
            length = int(value) if value.isdigit() and len(value) < _MAX_LENGTH_DIGITS else None
    return length
