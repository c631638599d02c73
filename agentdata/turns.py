"""Turns: a bounded number of holders at a time under each key; the others wait, in the order they came."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING
from weakref import WeakValueDictionary

from agentdata.errors import OverloadedError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Hashable, Sequence


class Turns:
    """Bounds the number of concurrent holders under each of several keys."""

    def __init__(self, timeout_s: float | None) -> None:
        self._timeout_s = timeout_s
        # Holders and waiters of a key keep its semaphore alive; without them it is forgotten.
        self._semaphores: WeakValueDictionary[Hashable, asyncio.Semaphore] = WeakValueDictionary()

    @asynccontextmanager
    async def take(self, shares: Sequence[tuple[Hashable, int]]) -> AsyncIterator[None]:
        """Run the block when each key has room; a key comes with the number of holders that may share it.

        All callers name keys in one order, so that no two wait for each other.

        Raises:
            OverloadedError: A key had no room for as long as a request may wait.

        """
        semaphores = [self._semaphore(key, most) for key, most in shares]
        held: list[asyncio.Semaphore] = []
        try:
            if any(semaphore.locked() for semaphore in semaphores):
                try:
                    async with asyncio.timeout(self._timeout_s):
                        await _acquire(semaphores, held)
                except TimeoutError:
                    raise OverloadedError(
                        "too many writes to the same data wait for each other; try again shortly"
                    ) from None
            else:
                # Nothing waits here, so a timer would be waste.
                await _acquire(semaphores, held)
            yield
        finally:
            for semaphore in held:
                semaphore.release()

    def _semaphore(self, key: Hashable, most: int) -> asyncio.Semaphore:
        semaphore = self._semaphores.get(key)
        if semaphore is None:
            semaphore = self._semaphores[key] = asyncio.Semaphore(most)
        return semaphore


async def _acquire(semaphores: list[asyncio.Semaphore], held: list[asyncio.Semaphore]) -> None:
    for semaphore in semaphores:
        await semaphore.acquire()
        held.append(semaphore)
