"""Deadlines of many short waits, with one timer for all: a timer of its own would cost each of them 2 µs."""

from __future__ import annotations

import asyncio
from contextvars import Context, copy_context
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

_INTERVAL_S = 0.01
"""How often the deadlines are checked, in seconds, while there are any: a call may be this late."""


class Deadlines:
    """Calls a function for each thing that is still there at its deadline, in the context of its request."""

    def __init__(self) -> None:
        self._calls: dict[Any, tuple[float, Callable[[Any], None], Context]] = {}
        self._watching: asyncio.AbstractEventLoop | None = None
        """The event loop with the timer; None while nothing is watched."""

    def add(self, thing: Any, deadline: float, call: Callable[[Any], None]) -> None:
        """Call ``call(thing)`` at a time of the event loop's clock, unless the thing is removed before.

        A thing that is removed at its deadline may still be called.
        """
        loop = asyncio.get_running_loop()
        if self._watching is not loop:
            # What an event loop watched that was closed since is lost with it.
            self._calls.clear()
            self._watching = loop
            loop.call_later(_INTERVAL_S, self._check, loop, context=Context())
        self._calls[thing] = deadline, call, copy_context()

    def remove(self, thing: Any) -> None:
        """Remove a thing; it may have been called or removed before."""
        self._calls.pop(thing, None)

    def _check(self, loop: asyncio.AbstractEventLoop) -> None:
        now = loop.time()
        due = [(thing, *rest) for thing, (deadline, *rest) in self._calls.items() if deadline <= now]
        for thing, call, context in due:
            del self._calls[thing]
            # An error of one must not keep the others from being called.
            loop.call_soon(call, thing, context=context)
        self._watching = loop if self._calls else None
        if self._watching is not None:
            loop.call_later(_INTERVAL_S, self._check, loop, context=Context())
