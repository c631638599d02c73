"""Turns: each key has a limited number of holders at a time; the others wait in order of arrival."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING
from weakref import WeakValueDictionary

from agentdata import refusals
from agentdata.errors import OverloadedError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Hashable, Sequence


class Turns:
    """Limits the number of concurrent holders of each key."""

    def __init__(self, timeout_s: float | None) -> None:
        self._timeout_s = timeout_s
        self.waiting = 0
        """How many callers wait for their turn."""
        # Holders and waiters of a key keep its semaphore alive; without any of them it is dropped.
        self._semaphores: WeakValueDictionary[Hashable, asyncio.Semaphore] = WeakValueDictionary()

    @asynccontextmanager
    async def take(self, limits: Sequence[tuple[Hashable, int]]) -> AsyncIterator[None]:
        """Run the block once every key has a free turn; ``limits`` pairs each key with its number of holders.

        All callers must list the keys in the same order; otherwise they could deadlock.

        Raises:
            OverloadedError: A key had no free turn for as long as a request may wait.

        """
        semaphores = [self._semaphore(key, limit) for key, limit in limits]
        held: list[asyncio.Semaphore] = []
        try:
            if any(semaphore.locked() for semaphore in semaphores):
                self.waiting += 1
                try:
                    async with asyncio.timeout(self._timeout_s):
                        await _acquire(semaphores, held)
                except TimeoutError:
                    refusals.count("writes")
                    raise OverloadedError(
                        "too many writes to the same data are waiting for each other; try again shortly"
                    ) from None
                finally:
                    self.waiting -= 1
            else:
                # Nothing has to wait here, so a timer would be wasted work.
                await _acquire(semaphores, held)
            yield
        finally:
            for semaphore in held:
                semaphore.release()

    def _semaphore(self, key: Hashable, limit: int) -> asyncio.Semaphore:
        semaphore = self._semaphores.get(key)
        if semaphore is None:
            semaphore = self._semaphores[key] = asyncio.Semaphore(limit)
        return semaphore


async def _acquire(semaphores: list[asyncio.Semaphore], held: list[asyncio.Semaphore]) -> None:
    for semaphore in semaphores:
        await semaphore.acquire()
        held.append(semaphore)
