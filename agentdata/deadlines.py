"""Deadlines of many short waits, with one timer for all: a timer of its own would cost each of them 2 µs."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

_INTERVAL_S = 0.01
"""How often the deadlines are checked, in seconds, while there are any: so late may a call be."""


class Deadlines:
    """Calls a function for each thing that is still there at its deadline."""

    def __init__(self) -> None:
        self._calls: dict[Any, tuple[float, Callable[[Any], None]]] = {}
        self._is_watching = False

    def add(self, thing: Any, deadline: float, call: Callable[[Any], None]) -> None:
        """Call ``call(thing)`` at a time of the event loop's clock, unless the thing is removed before.

        A thing that is removed at its deadline may still be called.
        """
        self._calls[thing] = deadline, call
        if not self._is_watching:
            self._is_watching = True
            loop = asyncio.get_running_loop()
            loop.call_later(_INTERVAL_S, self._check, loop)

    def remove(self, thing: Any) -> None:
        """Remove a thing; it may have been called or removed before."""
        self._calls.pop(thing, None)

    def _check(self, loop: asyncio.AbstractEventLoop) -> None:
        now = loop.time()
        due = [(thing, call) for thing, (deadline, call) in self._calls.items() if deadline <= now]
        for thing, call in due:
            del self._calls[thing]
            # An error of one must not keep the others from being called.
            loop.call_soon(call, thing)
        self._is_watching = bool(self._calls)
        if self._is_watching:
            loop.call_later(_INTERVAL_S, self._check, loop)
