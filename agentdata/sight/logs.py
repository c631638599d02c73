"""How lines of the log are written: as text or JSON, with the request's id, without texts of exceptions."""

from __future__ import annotations

import logging
import time
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal, TextIO

import orjson

from agentdata.sight.failures import describe, trace
from agentdata.sight.request import current

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Hashable, Mapping

_log = logging.getLogger(__name__)

_REPEATS = 5
_INTERVAL_S = 60.0
"""So many warnings and errors of one kind are written in so many seconds; the next one counts the others."""

_MOST_KINDS = 1_000
"""How many kinds of warnings and errors are counted; beyond it, counting starts again."""

_SHORT = 300
"""Longer texts of libraries are cut, in characters."""


class Event:
    """A message with fields: `head name=value …` in the text format, members of the object in JSON."""

    def __init__(self, head: str, fields: Mapping[str, Any]) -> None:
        self.head = head
        self.fields = fields

    def __str__(self) -> str:
        return self.head + "".join([f" {name}={value}" for name, value in self.fields.items()])


class Tree(list[dict[str, Any]]):
    """A field of an event that is JSON in the text format, too."""

    def __str__(self) -> str:
        return orjson.dumps(self).decode()


def log_quickly(logger: logging.Logger, level: int, event: Event) -> None:
    """Log an event as ``logger.log`` would, without its costly search for the caller."""
    if logger.isEnabledFor(level):
        logger.handle(logging.LogRecord(logger.name, level, __file__, 0, event, None, None))


@lru_cache(maxsize=1)
def _second(timestamp: int) -> str:
    """Return a second in local time; many lines are written in each."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(timestamp))


class RepeatFilter(logging.Filter):
    """Bounds how often a kind of warning or error is written; the rest is counted and reported.

    A kind is the place in the code that logs it, or the attribute ``kind`` of the record. A record with
    ``details`` is written without them beyond the bound; any other record is not written.
    """

    def __init__(self, repeats: int = _REPEATS, interval_s: float = _INTERVAL_S) -> None:
        super().__init__()
        self._repeats = repeats
        self._interval_s = interval_s
        self._written: dict[Hashable, tuple[float, int, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether a record is written."""
        if record.levelno < logging.WARNING:
            return True
        kind = getattr(record, "kind", None) or (record.pathname, record.lineno)
        now = time.monotonic()
        since, written, left_out = self._written.get(kind, (now, 0, 0))
        if now - since >= self._interval_s:
            if left_out:
                record.repeated = left_out
            since, written, left_out = now, 0, 0
        within = written < self._repeats
        if len(self._written) >= _MOST_KINDS:
            self._written.clear()
        self._written[kind] = (since, written + within, left_out + (not within))
        if within:
            return True
        if getattr(record, "details", None):
            record.details = None
            return True
        return False


class TextFormatter(logging.Formatter):
    """Lines such as `2026-01-01 10:00:00,000 WARNING agentdata.health: the message request=0190…`."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")

    def format(self, record: logging.LogRecord) -> str:
        """Return the lines of a record: its message, and below it the places that an exception passed."""
        # The library's way would cache the text of an exception in the record, or take it from there.
        record.message = record.getMessage()
        record.asctime = f"{_second(int(record.created))},{int(record.msecs):03d}"
        line = self.formatMessage(record)
        for name, value in _context(record).items():
            line += f" {name}={value}"
        details = _details(record)
        return f"{line}\n{details}" if details else line


class JsonFormatter(logging.Formatter):
    """Lines of JSON: time, level, logger, message, and the fields of the event."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line of a record."""
        event = record.msg if isinstance(record.msg, Event) else None
        content: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": event.head if event else record.getMessage(),
        }
        content |= event.fields if event else {}
        content |= _context(record)
        if details := _details(record):
            content["details"] = details
        return orjson.dumps(content, default=str, option=orjson.OPT_UTC_Z).decode()


def _details(record: logging.LogRecord) -> str | None:
    """Return the details of a record, or those of an exception that another library logs."""
    if record.exc_info and record.exc_info[1] is not None:
        return trace(record.exc_info[1])
    return getattr(record, "details", None)


def _context(record: logging.LogRecord) -> dict[str, Any]:
    """Return the fields that any line may have: its request, and how many like it were left out before."""
    context: dict[str, Any] = {}
    request = current.get()
    if request.id and not (isinstance(record.msg, Event) and "request" in record.msg.fields):
        context["request"] = request.id
    if repeated := getattr(record, "repeated", None):
        context["repeated"] = repeated
    return context


def writer(format_: Literal["text", "json"], stream: TextIO | None = None) -> logging.Handler:
    """Return what writes lines to a stream, by default to standard error, in a format."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonFormatter() if format_ == "json" else TextFormatter())
    handler.addFilter(RepeatFilter())
    return handler


def configure(level: str, format_: Literal["text", "json"]) -> None:
    """Write the log of this process to standard error."""
    logging.basicConfig(level=level.upper(), handlers=[writer(format_)], force=True)
    for secretive in ("httpx", "httpcore"):
        # They log addresses whole, which may hold keys.
        logging.getLogger(secretive).setLevel(max(logging.WARNING, logging.root.level))
    if level == "info":
        for talkative in ("alembic", "uvicorn"):
            logging.getLogger(talkative).setLevel(logging.WARNING)


def log_unhandled(_loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Log an exception that nothing awaited; the event loop's own text would hold the exception's."""
    error = context.get("exception")
    text = str(context.get("message", "")).partition("\n")[0][:_SHORT]
    if error is None:
        _log.error("%s", text)
    else:
        _log.error("%s: %s", text, describe(error), extra={"details": trace(error)})
