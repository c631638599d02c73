"""uvicorn's HTTP protocol with the bounds that it lacks: on the head of a request, on time, on connections.

httptools parses a head of any length, and uvicorn waits for the end of a request for ever. All refusals here
come before a request reaches the application, and are GraphQL errors in JSON like its own.
"""

from __future__ import annotations

import asyncio
import re
import struct
from enum import IntEnum
from http import HTTPStatus
from itertools import chain
from socket import SO_LINGER, SOL_SOCKET
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple
from urllib.parse import unquote

import httptools
import orjson
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from agentdata import refusals
from agentdata.engine.reporting import exception_entry
from agentdata.errors import (
    AgentDataError,
    BadUserInputError,
    LimitExceededError,
    OverloadedError,
    TimedOutError,
)

if TYPE_CHECKING:
    from agentdata.door import Door

MAX_HEAD_BYTES = 16 * 1024
"""The bytes of a request line and its headers, together. uvicorn's h11 allows 64 KiB, nginx 32 KiB."""

MAX_HEADER_LINES = 100
"""The lines of headers; browsers behind several proxies send about 40."""

MAX_URL_BYTES = 8 * 1024
"""The bytes of a URL, as in nginx; RFC 9110 asks for at least 8,000."""

MAX_PIPELINED = 16
"""The requests that a client may send before the first is answered; each takes about 3 kB of memory."""

_MAX_FRAMING_BYTES = MAX_HEAD_BYTES
"""The bytes that a body may have beside its contents, such as sizes of chunks and trailers, if these exceed
the contents."""

_LINGER_S = 2.0
_LINGER_BYTES = 16 * 1024 * 1024
"""After a refusal so much is read and dropped, for so long: closing with unread bytes resets the connection,
and the client could lose the answer."""


_NAMES = frozenset(
    {
        b"access-control-allow-credentials",
        b"access-control-allow-origin",
        b"access-control-expose-headers",
        b"cache-control",
        b"content-length",
        b"content-security-policy",
        b"content-type",
        b"cross-origin-opener-policy",
        b"date",
        b"referrer-policy",
        b"retry-after",
        b"vary",
        b"x-content-type-options",
        b"x-frame-options",
        b"x-request-id",
    }
)
"""The headers of answers whose names need no check; an answer with others is sent in uvicorn's way."""

_CONTROL = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
"""The control characters other than tabs and the ends of lines."""

_JOINED_BYTES = 32 * 1024
"""A body up to this size is sent in one write with its head: less than makes the connection pause."""

_RESET = struct.pack("ii", 1, 0)


class _Refusal(NamedTuple):
    kind: str
    """The name under which it is counted."""
    status: HTTPStatus
    error: AgentDataError
    headers: tuple[tuple[bytes, bytes], ...] = ()


_HEAD_TOO_LARGE = _Refusal(
    "header_bytes",
    HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
    LimitExceededError(f"the headers are larger than the limit of {MAX_HEAD_BYTES} bytes; send fewer"),
)
_TOO_MANY_LINES = _Refusal(
    "header_lines",
    HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
    LimitExceededError(f"there are more than {MAX_HEADER_LINES} headers; send fewer"),
)
_URL_TOO_LONG = _Refusal(
    "url_bytes",
    HTTPStatus.REQUEST_URI_TOO_LONG,
    LimitExceededError(f"the URL is longer than the limit of {MAX_URL_BYTES} bytes; send the query by POST"),
)
_TOO_MUCH_FRAMING = _Refusal(
    "body_framing",
    HTTPStatus.BAD_REQUEST,
    LimitExceededError(
        "the body has more bytes of chunk sizes and trailers than of contents; send longer chunks"
    ),
)
_PIPELINE_TOO_LONG = _Refusal(
    "pipelined_requests",
    HTTPStatus.TOO_MANY_REQUESTS,
    LimitExceededError(f"more than {MAX_PIPELINED} requests were sent before the first was answered"),
)
_MALFORMED = _Refusal(
    "malformed_requests",
    HTTPStatus.BAD_REQUEST,
    BadUserInputError("this is not a valid HTTP/1.1 request; check the request line, headers and lengths"),
)
_SLOW_HEAD = _Refusal(
    "slow_headers",
    HTTPStatus.REQUEST_TIMEOUT,
    TimedOutError("the headers did not arrive in time; send the request again"),
)
_SLOW_BODY = _Refusal(
    "slow_bodies",
    HTTPStatus.REQUEST_TIMEOUT,
    TimedOutError("the body did not arrive in time; send the request again, or in several parts"),
)
_TURNED_AWAY = _Refusal(
    "client_connections",
    HTTPStatus.SERVICE_UNAVAILABLE,
    OverloadedError("there are too many connections; send the request again later"),
    ((b"retry-after", b"1"),),
)


class _RefusedError(Exception):
    """The parser must not go on, because ``_refusal`` was set."""


class _Phase(IntEnum):
    """The phases of a connection, in the order in which connections are closed if there are too many."""

    HEAD = 0
    """The client has yet to send the head of a request, or the rest of it."""
    IDLE = 1
    """The client may send another request."""
    BODY = 2
    """The client has yet to send the rest of a body, which we are ready to read."""
    ANSWER = 3
    """The client waits for us, or has yet to receive the rest of an answer."""
    REFUSED = 4
    """The connection was refused, and is closed soon."""


class _Cycle(RequestResponseCycle):
    """Answers as uvicorn does, but writes head and body at once, and checks the lines of the head at once."""

    _head = b""
    """The head of the answer, until it is sent with the body."""

    @property
    def is_head_unsent(self) -> bool:
        """Whether the answer has begun, but nothing of it was sent."""
        return bool(self._head)

    async def send(self, message: Any) -> None:
        """Send the head or a part of the body."""
        if not self.response_started and message["type"] == "http.response.start":
            self._head = self._plain_head(message)
            if self._head:
                self.response_started = True
                self.waiting_for_100_continue = False
                return
        elif self._head:
            message = await self._send_head(message)
        await super().send(message)

    def _plain_head(self, message: Any) -> bytes:
        """Return the head of a usual answer, or nothing if uvicorn has to check each of its lines."""
        names = set()
        lines = [STATUS_LINE[message["status"]]]
        length = None
        for name, value in chain(self.default_headers, message.get("headers", ())):
            if name in names:
                return b""
            names.add(name)
            lines.append(name + b": " + value + b"\r\n")
            if name == b"content-length":
                length = int(value)
        lines.append(b"\r\n" if self.keep_alive else b"connection: close\r\n\r\n")
        head = b"".join(lines)
        ends = len(lines) + (not self.keep_alive)
        has_usual_lines = head.count(b"\r") == head.count(b"\n") == ends and not _CONTROL.search(head)
        is_usual = names <= _NAMES and has_usual_lines
        if not is_usual or length is None or self.scope["method"] == "HEAD":
            return b""
        self.chunked_encoding = False
        self.expected_content_length = length
        return head

    async def _send_head(self, message: Any) -> Any:
        """Send the head with the first part of the body, and return what is left to send."""
        head, self._head = self._head, b""
        if self.flow.write_paused and not self.disconnected:
            await self.flow.drain()
        body = message.get("body", b"")
        is_whole = not message.get("more_body") and len(body) == self.expected_content_length
        if self.disconnected:
            return message
        if not is_whole or len(body) > _JOINED_BYTES:
            self.transport.write(head)
            return message
        self.transport.write(head + body)
        self.expected_content_length = 0
        return {"type": "http.response.body"}


def http_protocol(door: Door) -> type[asyncio.Protocol]:
    """Return the class of the connections of a server, which share a door."""
    return type("HttpProtocol", (BoundedHttpProtocol,), {"door": door})


class BoundedHttpProtocol(HttpToolsProtocol):
    """A connection whose client cannot make it take more bytes or time than allowed."""

    door: ClassVar[Door]

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.host = ""
        self.url = b""
        self._in_head = True
        self._head_room = MAX_HEAD_BYTES
        """How many more bytes the head may have."""
        self._framing = 0
        """The bytes of the body that are not contents, less the contents."""
        self._messages = 0
        """The number of requests that were received to their end."""
        self._refusal: _Refusal | None = None
        self._refused = False
        self._dropped_bytes = 0
        # The rest is for regular checks, so that neither a connection nor a request needs a timer.
        self._idle = False
        self._received = False
        self._watched: tuple[_Phase, int] = (_Phase.HEAD, 0)
        self._since = 0.0
        self._moved_at = 0.0
        self._unsent = 0
        self._sent_at = 0.0

    # Called by the event loop

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as in uvicorn
        """Start, unless there are too many connections."""
        super().connection_made(transport)
        self.host = self.client[0] if self.client else ""
        self._since = self._moved_at = self._sent_at = self.loop.time()
        self.door.admit(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self.door.leave(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse what was received, in pieces that are not longer than a head may be."""
        self._received = True
        self._idle = False
        if self._refused:
            self._drop(len(data))
        elif len(data) <= self._head_room:
            self._feed(data)
        else:
            start = 0
            while start < len(data) and not self._refused:
                end = start + self._head_room
                self._feed(data[start:end])
                start = end

    def _feed(self, data: bytes) -> None:
        messages = self._messages
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            # The request was answered without the upgrade, and more on this connection cannot be understood.
            pass
        except httptools.HttpParserError:
            self._refuse(self._refusal or _MALFORMED)
            return
        if self._messages != messages:
            self._head_room = MAX_HEAD_BYTES
        elif self._in_head:
            # No request ended in these bytes, so all of them belong to this head.
            self._head_room -= len(data)
            if self._head_room <= 0:
                self._refuse(_URL_TOO_LONG if len(self.url) > MAX_URL_BYTES else _HEAD_TOO_LARGE)
        else:
            self._head_room = MAX_HEAD_BYTES
            self._framing += len(data)
            if self._framing > _MAX_FRAMING_BYTES:
                self._refuse(_TOO_MUCH_FRAMING)

    # Called by the parser

    def on_headers_complete(self) -> None:
        """Start the request, unless its head is too large."""
        if len(self.headers) > MAX_HEADER_LINES:
            self._refusal = _TOO_MANY_LINES
        elif len(self.url) > MAX_URL_BYTES:
            self._refusal = _URL_TOO_LONG
        elif len(self.pipeline) >= MAX_PIPELINED:
            self._refusal = _PIPELINE_TOO_LONG
        else:
            self._in_head = False
            self._framing = -MAX_HEAD_BYTES  # the same bytes may have ended the head
            self._begin_request()
            return
        raise _RefusedError

    def _begin_request(self) -> None:
        """Start the request, or queue it behind those before, as uvicorn does for what this server offers."""
        parser, scope = self.parser, self.scope
        version = parser.get_http_version()
        url = httptools.parse_url(self.url)
        path = url.path.decode("ascii")
        scope["method"] = parser.get_method().decode("ascii")
        scope["http_version"] = version
        scope["path"] = unquote(path) if "%" in path else path
        scope["raw_path"] = url.path
        scope["query_string"] = url.query or b""
        before = self.cycle
        self.cycle = _Cycle(
            scope=scope,
            transport=self.transport,
            flow=self.flow,
            logger=self.logger,
            access_logger=self.access_logger,
            access_log=False,
            default_headers=self.server_state.default_headers,
            message_event=asyncio.Event(),
            expect_100_continue=self.expect_100_continue,
            keep_alive=version != "1.0" and parser.should_keep_alive(),
            on_response=self.on_response_complete,
        )
        if before is None or before.response_complete:
            self._start_asgi_task(self.cycle, self.app)
        else:
            self.flow.pause_reading()
            self.pipeline.appendleft((self.cycle, self.app))

    def on_body(self, body: bytes) -> None:
        """Add to the body."""
        self._framing -= 2 * len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        """End the request; what follows is the head of another."""
        self._messages += 1
        self._in_head = True
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """Start the next request, or wait for it without a timer: the regular check ends the wait."""
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())
        else:
            self._idle = True

    def _unsupported_upgrade_warning(self) -> None:
        """Log nothing: any client can send the header."""

    # Called by the door

    def waiting_since(self, now: float) -> tuple[int, float] | None:
        """Return for how long the connection waits for its client, or None if its client waits for us."""
        phase = self._watch(now)
        return None if phase >= _Phase.ANSWER else (phase, self._since)

    def check(self, now: float) -> None:
        """End the connection if its client is too slow."""
        limits = self.door.limits
        phase = self._watch(now)
        unsent = self.transport.get_write_buffer_size()
        if unsent != self._unsent:
            self._unsent, self._sent_at = unsent, now
        if unsent and now - self._sent_at >= limits.pause_s:
            refusals.count("slow_readers", self.host)
            # A reset, because the kernel would keep what the client does not read.
            self.transport.get_extra_info("socket").setsockopt(SOL_SOCKET, SO_LINGER, _RESET)
            self.transport.abort()
        elif phase is _Phase.HEAD and now - self._since >= limits.header_timeout_s:
            if self._head_room < MAX_HEAD_BYTES:
                self._refuse(_SLOW_HEAD)
            else:  # such as a browser that connects in advance
                self.transport.close()
        elif phase is _Phase.IDLE and now - self._since >= self.timeout_keep_alive:
            self.transport.close()
        elif phase is _Phase.BODY and (
            now - self._since >= limits.body_timeout_s or now - self._moved_at >= limits.pause_s
        ):
            self._refuse(_SLOW_BODY)
        elif phase is _Phase.REFUSED and now - self._since >= _LINGER_S:
            self.transport.close()

    def turn_away(self) -> None:
        """End the connection at once, without reading more of it."""
        if self._watched[0] is not _Phase.IDLE:
            self._answer(_TURNED_AWAY)
        self._refused = True
        self.transport.close()

    def _watch(self, now: float) -> _Phase:
        """Return the phase, and note since when it lasts."""
        phase = self._phase()
        if (phase, self._messages) != self._watched:
            self._watched = phase, self._messages
            self._since = self._moved_at = now
        if self._received:
            self._received = False
            self._moved_at = now
        return phase

    def _phase(self) -> _Phase:
        cycle = self.cycle
        answering = cycle is not None and not cycle.response_complete and not cycle.disconnected
        if self.transport.is_closing() or (self._refused and not answering):
            return _Phase.REFUSED
        if self.transport.get_write_buffer_size():
            return _Phase.ANSWER
        if not answering:
            return _Phase.IDLE if self._idle else _Phase.HEAD
        if cycle.more_body and not self.flow.read_paused and not self.pipeline:
            return _Phase.BODY
        return _Phase.ANSWER

    # Refusals

    def _refuse(self, refusal: _Refusal) -> None:
        """Answer with an error, and read no more requests."""
        refusals.count(refusal.kind, self.host)
        self._refused = True
        cycle = self.cycle
        if not (cycle is None or cycle.response_complete) and (self.pipeline or not cycle.more_body):
            # Complete requests come first, and the connection ends with the answer to the last of them.
            cycle.keep_alive = False
            return
        self._answer(refusal)
        if self.transport.can_write_eof() and not self.transport.is_closing():
            self.transport.write_eof()
        self.flow.resume_reading()

    def _answer(self, refusal: _Refusal) -> None:
        """Write an answer instead of the application, unless it has begun to answer."""
        cycle = self.cycle
        if cycle is not None and not cycle.response_complete:
            cycle.disconnected = True
            cycle.message_event.set()
            if cycle.response_started and not (isinstance(cycle, _Cycle) and cycle.is_head_unsent):
                self.transport.close()
                return
        body = orjson.dumps({"errors": [exception_entry(refusal.error)]})
        headers = [
            *self.server_state.default_headers,
            (b"content-type", b"application/json; charset=utf-8"),
            (b"content-length", str(len(body)).encode()),
            (b"cache-control", b"no-store"),
            (b"connection", b"close"),
            *refusal.headers,
        ]
        lines = [name + b": " + value + b"\r\n" for name, value in headers]
        self.transport.write(b"".join([STATUS_LINE[refusal.status], *lines, b"\r\n", body]))

    def _drop(self, size: int) -> None:
        """Drop what comes after a refusal, until it is too much."""
        self._dropped_bytes += size
        if self._dropped_bytes > _LINGER_BYTES:
            self.transport.abort()
