"""Turns: each key has a limited number of holders at a time; the others wait in order of arrival."""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from agentdata import refusals
from agentdata.deadlines import Deadlines
from agentdata.errors import OverloadedError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Hashable, Sequence

    Limits = Sequence[tuple[Hashable, int]]
    """Each key with the number of its holders. All callers must list keys in the same order: no deadlocks."""


class _Line:
    """The holders and waiters of one key. If anyone waits, no turn is free."""

    __slots__ = ("free", "limit", "waiting")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.free = limit
        self.waiting: deque[asyncio.Future[None]] = deque()


class Turns:
    """Limits the number of concurrent holders of each key, and of those that wait for one.

    ``busy`` is the message for those who waited for too long or found too many waiting, and ``kind`` the name
    under which they are counted.
    """

    def __init__(
        self,
        timeout_s: float | None,
        *,
        max_waiting: int | None = None,
        busy: str = (
            "too many requests for the same data, or of the same API key or project, are waiting; try again"
            " shortly"
        ),
        kind: str = "turns",
    ) -> None:
        self._timeout_s = timeout_s
        self._max_waiting = max_waiting
        self._busy = busy
        self._kind = kind
        self._deadlines = Deadlines()
        # A key has a line while it has holders.
        self._lines: dict[Hashable, _Line] = {}
        self.waiting = 0
        """How many callers wait for their turn."""

    @asynccontextmanager
    async def take(self, limits: Limits, *, most_s: float | None = None) -> AsyncIterator[None]:
        """Run the block once every key has a free turn.

        Raises:
            OverloadedError: As ``wait`` does.

        """
        if not self.take_now(limits):
            await self.wait(limits, most_s=most_s)
        try:
            yield
        finally:
            self.give_back(limits)

    def take_now(self, limits: Limits) -> bool:
        """Take a turn of every key if all have one free, and return whether they had."""
        lines = self._lines
        for key, _ in limits:
            line = lines.get(key)
            if line is not None and not line.free:
                return False
        for key, limit in limits:
            line = lines.get(key)
            if line is None:
                line = lines[key] = _Line(limit)
            line.free -= 1
        return True

    def held(self, key: Hashable) -> int:
        """Return how many turns of a key are held."""
        line = self._lines.get(key)
        return 0 if line is None else line.limit - line.free

    async def wait(self, limits: Limits, *, most_s: float | None = None) -> None:
        """Wait until every key has given a turn, and for at most ``most_s`` if that is less than usual.

        Raises:
            OverloadedError: A key had no free turn for as long as a request may wait, or too many wait.

        """
        timeouts = [each for each in (self._timeout_s, most_s) if each is not None]
        deadline = asyncio.get_running_loop().time() + min(timeouts) if timeouts else None
        self.waiting += 1
        held = 0
        try:
            for each in limits:
                if not self.take_now((each,)):
                    await self._wait_in(self._lines[each[0]], each, deadline)
                held += 1
        except BaseException as error:
            self.give_back(limits[:held])
            if isinstance(error, TimeoutError):
                raise self._refusal() from None
            raise
        finally:
            self.waiting -= 1

    def _refusal(self) -> OverloadedError:
        refusals.count(self._kind)
        return OverloadedError(self._busy)

    def give_back(self, limits: Limits) -> None:
        """Release a turn of every key; the caller that waits longest for one receives it."""
        for key, _ in limits:
            line = self._lines[key]
            while line.waiting:
                waiter = line.waiting.popleft()
                if not waiter.done():
                    waiter.set_result(None)
                    break
            else:
                line.free += 1
                if line.free == line.limit:
                    del self._lines[key]

    async def _wait_in(self, line: _Line, each: tuple[Hashable, int], deadline: float | None) -> None:
        if self._max_waiting is not None and len(line.waiting) >= self._max_waiting:
            raise self._refusal()
        waiter = asyncio.get_running_loop().create_future()
        line.waiting.append(waiter)
        if deadline is not None:
            self._deadlines.add(waiter, deadline, _time_out)
        try:
            await waiter
        except BaseException:
            if waiter in line.waiting:
                line.waiting.remove(waiter)
            elif waiter.done() and not waiter.cancelled() and waiter.exception() is None:
                # The turn was given in the same moment in which the wait was cancelled.
                self.give_back([each])
            raise
        finally:
            self._deadlines.remove(waiter)


def _time_out(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_exception(TimeoutError())
