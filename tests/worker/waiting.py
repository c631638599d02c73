"""Waits for what another task or process does, of which no event tells."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

Value = TypeVar("Value")


async def until(
    look: Callable[[], Awaitable[Value]], is_there: Callable[[Value], bool] = bool, *, seconds: float = 30
) -> Value:
    """Look again and again until what is wanted is there, and return it.

    Raises:
        TimeoutError: It was not there in time.

    """
    async with asyncio.timeout(seconds):
        while True:
            found = await look()
            if is_there(found):
                return found
            await asyncio.sleep(0.02)
