"""Turns: only so many do a thing at once, in the order in which they came, and the others wait."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING
from weakref import WeakValueDictionary

from agentdata.errors import OverloadedError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Hashable, Sequence


class Turns:
    """Bounds how many do a thing at once under each of several keys."""

    def __init__(self, timeout_s: float | None) -> None:
        self._timeout_s = timeout_s
        # Whoever has a place under a key, or waits for one, holds the semaphore; nobody else does.
        self._places: WeakValueDictionary[Hashable, asyncio.Semaphore] = WeakValueDictionary()

    @asynccontextmanager
    async def take(self, shares: Sequence[tuple[Hashable, int]]) -> AsyncIterator[None]:
        """Run the block when there is room under each key; a key comes with how many may share it.

        All have to name their keys in one order, so that no two wait for each other.

        Raises:
            OverloadedError: There was no room for as long as a request may wait.

        """
        taken: list[asyncio.Semaphore] = []
        try:
            try:
                async with asyncio.timeout(self._timeout_s):
                    for key, most in shares:
                        places = self._places.get(key)
                        if places is None:
                            places = self._places[key] = asyncio.Semaphore(most)
                        await places.acquire()
                        taken.append(places)
            except TimeoutError:
                raise OverloadedError(
                    "too many writes to the same data wait for each other; try again shortly"
                ) from None
            yield
        finally:
            for places in taken:
                places.release()
