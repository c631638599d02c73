"""Deadlines of many short waits, with one timer for all: a timer for each would cost more than the wait."""

from __future__ import annotations

import asyncio
from typing import Any

_INTERVAL_S = 0.02
"""How often the deadlines are checked, in seconds, while anyone waits: so late may a wait end."""


class Deadlines:
    """Ends futures that are not done at their deadlines, by a ``TimeoutError``."""

    def __init__(self) -> None:
        self._waiting: dict[asyncio.Future[Any], float] = {}
        self._timer: asyncio.TimerHandle | None = None

    def add(self, future: asyncio.Future[Any], deadline: float) -> None:
        """Watch a future until its deadline, by the clock of its event loop."""
        self._waiting[future] = deadline
        if self._timer is None:
            self._timer = future.get_loop().call_later(_INTERVAL_S, self._check, future.get_loop())

    def remove(self, future: asyncio.Future[Any]) -> None:
        """Stop watching a future."""
        self._waiting.pop(future, None)

    def _check(self, loop: asyncio.AbstractEventLoop) -> None:
        now = loop.time()
        for future in [future for future, deadline in self._waiting.items() if deadline <= now]:
            del self._waiting[future]
            if not future.done():
                future.set_exception(TimeoutError())
        self._timer = loop.call_later(_INTERVAL_S, self._check, loop) if self._waiting else None
