"""The access log: one line for each request, its record, and the id that the client gets back."""

from __future__ import annotations

import logging
import re
from functools import lru_cache
from time import perf_counter
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from uuid_utils import uuid7

from agentdata.sight.counts import COUNTS
from agentdata.sight.logs import Event, Tree, log_quickly
from agentdata.sight.request import RequestRecord, current

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from agentdata.sight.tracing import Tracing

_log = logging.getLogger("agentdata.access")
_slow_log = logging.getLogger("agentdata.slow")

_ID = re.compile(rb"[A-Za-z0-9._:/+=@-]{1,64}")
"""The ids of requests that are taken over: they go into the log and into a header."""

_TRACE_PARENT = re.compile(rb"[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}")
"""The header `traceparent` of W3C Trace Context; its second part is the id of the trace."""

_LONGEST_TRACE_PARENT = 55
_LONGEST_PATH = 200
_LONGEST_ADDRESS = 64


class AccessLog:
    """Writes a line for each request, without query string, headers and body, which may hold secrets.

    It also keeps the record of the request, counts and traces it, and logs the plan of a slow operation.
    """

    def __init__(self, app: ASGIApp, *, slow_ms: int = 0, tracing: Tracing | None = None) -> None:
        self._app = app
        self._tracing = tracing
        self._slow_s = slow_ms / 1000 or float("inf")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = perf_counter()
        request = RequestRecord(_id(scope["headers"]))
        COUNTS.running += 1

        async def send_and_note(message: Message) -> None:
            if message["type"] == "http.response.start":
                request.status = message["status"]
                message["headers"] = [*message["headers"], (b"x-request-id", request.id.encode())]
            else:
                request.bytes_out += len(message.get("body", b""))
            await send(message)

        if self._tracing is not None and scope["path"] == "/graphql":
            request.span = self._tracing.start(scope)
        outside = current.set(request)
        try:
            await self._app(scope, receive, send_and_note)
        finally:
            seconds = perf_counter() - started
            COUNTS.finish(request, seconds)
            if _log.isEnabledFor(logging.INFO):
                path = _quoted(scope["path"][:_LONGEST_PATH], "/")
                event = Event(f"{scope['method']} {path}", _fields(scope, request, seconds))
                log_quickly(_log, logging.INFO, event)
            if seconds >= self._slow_s and request.operation:
                _log_slow(request, seconds)
            if request.span is not None:
                request.span.end(request, scope.get("client"))
            current.reset(outside)


def _id(headers: list[tuple[bytes, bytes]]) -> str:
    """Return the id that a request brings along, or that of its trace, or a new one."""
    trace = None
    for name, value in headers:
        if name == b"x-request-id":
            if _ID.fullmatch(value):
                return value.decode()
        elif name == b"traceparent" and len(value) == _LONGEST_TRACE_PARENT:
            trace = _TRACE_PARENT.fullmatch(value)
    return trace[1].decode() if trace else str(uuid7())


@lru_cache(maxsize=1_000)
def _quoted(text: str, safe: str) -> str:
    """Return a text that a client or a proxy chose so that it cannot look like a part of the line."""
    return quote(text, safe=safe)


def _fields(scope: Scope, request: RequestRecord, seconds: float) -> dict[str, Any]:
    """Return the fields of a line; what is unknown is left out."""
    client = scope.get("client")
    fields: dict[str, Any] = {
        "status": request.status or "none",
        "ms": round(seconds * 1000, 1),
        "request": request.id,
    }
    if client:
        fields["client"] = _quoted(client[0][:_LONGEST_ADDRESS], ":.")
    if request.operation:
        fields["operation"] = request.operation
    if request.key:
        fields["key"] = str(request.key)
        fields["project"] = str(request.project)
    if request.cost:
        fields["cost"] = request.cost
    if request.statements:
        fields["statements"] = request.statements
        fields["statement_ms"] = round(request.statement_s * 1000, 1)
    fields["in"] = request.bytes_in
    fields["out"] = request.bytes_out
    if request.codes:
        fields["errors"] = ",".join(request.codes)
    if request.reference_runs is not None:
        fields["way"] = "reference"
        fields["reference_runs"] = request.reference_runs
    return fields


def _log_slow(request: RequestRecord, seconds: float) -> None:
    """Log an operation that was slow, with the tree of its reads."""
    COUNTS.slow += 1
    fields: dict[str, Any] = {
        "operation": request.operation,
        "ms": round(seconds * 1000, 1),
        "request": request.id,
        "key": str(request.key),
        "cost": request.cost,
        "statements": request.statements,
        "statement_ms": round(request.statement_s * 1000, 1),
        "plan": Tree(request.outline() if request.outline else ()),
    }
    # Slow operations of one name are bounded, and leave room for those of others.
    _slow_log.warning(Event("slow operation", fields), extra={"kind": ("slow", request.operation)})
