"""Counts of the requests and connections that are refused before they cost much, with a line in the log.

A flood must not fill the log: of each kind, the first refusal is a line, and after that one line a minute
says how many there were.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter

_log = logging.getLogger(__name__)

_INTERVAL_S = 60.0
"""The least number of seconds between two lines about the same kind."""

_counts: Counter[str] = Counter()
_logged: dict[str, int] = {}
"""The count of each kind that the log has, while refusals of this kind are gathered for the next line."""


def count(kind: str, client: str | None = None) -> None:
    """Count a refusal, and log it if it is the first of its kind in a minute.

    ``kind`` is a name from our code, such as ``header_bytes``, never a text of a client. ``client`` is the
    address in the line; of several refusals that share a line, only the first address is written.
    """
    _counts[kind] += 1
    if kind in _logged:
        return
    _warn(kind, f", from {client}" if client else "")
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:  # without a loop nothing can log later, so each refusal is a line
        return
    _gather(kind, loop)


def counts() -> dict[str, int]:
    """Return the number of refusals of each kind since the process started."""
    return dict(_counts)


def _warn(kind: str, more: str) -> None:
    # The log bounds the lines of each kind, and without this all refusals would be one.
    _log.warning("refused: %s%s", kind, more, extra={"kind": f"refused: {kind}"})


def _gather(kind: str, loop: asyncio.AbstractEventLoop) -> None:
    _logged[kind] = _counts[kind]
    loop.call_later(_INTERVAL_S, _report, kind, loop)


def _report(kind: str, loop: asyncio.AbstractEventLoop) -> None:
    """Log how many refusals there were since the last line, and go on while there are any."""
    more = _counts[kind] - _logged.pop(kind)
    if more:
        _warn(kind, f", {more} more in {_INTERVAL_S:.0f} s")
        _gather(kind, loop)
