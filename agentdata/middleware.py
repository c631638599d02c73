"""Middleware for every response: headers for browsers, the access log, and the rest of unread bodies."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING
from urllib.parse import quote

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

_log = logging.getLogger("agentdata.access")

NOTES = "agentdata.notes"
"""The key of the scope under which a handler adds short texts, by name, to its line in the access log."""

_HEADERS = (
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
                headers += [header for header in _HEADERS if header[0] not in names]
                message["headers"] = headers
            await send(message)

        await self._app(scope, receive, send_with_headers)


class AccessLog:
    """Writes a line for each request, without query string, headers and body, which may hold secrets."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http" or not _log.isEnabledFor(logging.INFO):
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()
        status = 0
        notes: dict[str, str] = {}
        scope[NOTES] = notes

        async def send_and_see(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, send_and_see)
        finally:
            _log.info(
                "%s %s status=%s ms=%.1f%s",
                scope["method"],
                quote(scope["path"][:200]),
                status or "none",
                (time.perf_counter() - began) * 1000,
                "".join(f" {name}={text}" for name, text in notes.items()),
            )


_SMALL_BYTES = 64 * 1024
_SMALL_S = 1.0
"""How much of a body is read before the answer, and for how long, so that the connection can be kept."""

_DIGITS = 19
"""A length of more digits is none."""

_PAUSE_S = 2.0
"""How long a client may pause while the rest of its body is read."""


class UnreadBodies:
    """Reads what is left of a request's body when it is answered, so that the client gets to see the answer.

    Closing a connection with unread bytes resets it, and the client loses an answer that is on its way. Many
    clients look for one only when they have sent everything. So the answer goes out first, and then the rest
    of the body is thrown away, up to a number of bytes and for a number of seconds.
    """

    def __init__(self, app: ASGIApp, *, most_bytes: int, most_s: float = 30.0) -> None:
        self._app = app
        self._most_bytes = most_bytes
        self._most_s = most_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        length = _announced_bytes(scope) if scope["type"] == "http" else 0
        if length == 0:
            await self._app(scope, receive, send)
            return
        body = _Body(receive)

        async def send_and_read(message: Message) -> None:
            if body.complete:
                await send(message)
            elif message["type"] == "http.response.start":
                if length is not None and length <= _SMALL_BYTES:
                    await body.read_rest(length, _SMALL_S)
                if not body.complete:
                    # Whatever is still to come of the body stands where the next request would begin.
                    others = [header for header in message.get("headers", ()) if header[0] != b"connection"]
                    message["headers"] = [*others, (b"connection", b"close")]
                await send(message)
            elif message.get("more_body"):
                await send(message)
            else:
                await send({**message, "more_body": True})
                await body.read_rest(self._most_bytes, self._most_s)
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

    async def read_rest(self, most_bytes: int, most_s: float) -> None:
        """Throw away what is still to come, up to a number of bytes, and while the client does not pause."""
        now = asyncio.get_running_loop().time
        end = now() + most_s
        try:
            async with asyncio.timeout_at(min(end, now() + _PAUSE_S)) as limit:
                while not self.complete and most_bytes >= 0:
                    most_bytes -= len((await self.receive()).get("body", b""))
                    limit.reschedule(min(end, now() + _PAUSE_S))
        except TimeoutError:
            return


def _announced_bytes(scope: Scope) -> int | None:
    """Return how long a request's body is said to be, or None where that is not said."""
    length: int | None = 0
    for name, value in scope["headers"]:
        if name == b"transfer-encoding":
            return None
        if name == b"content-length":
            length = int(value) if value.isdigit() and len(value) < _DIGITS else None
    return length
