"""Preparations: fields may wait for something else before the operation reads, such as another service."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from agentdata.errors import LimitExceededError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping

    Arguments = Mapping[str, Any]
    Prepare = Callable[[Arguments, Any], Coroutine[Any, Any, Arguments]]
    """Returns the arguments of a field as it binds them, for those that it was given and the context."""

MAX_PREPARATIONS = 20
"""How many fields of one operation may be prepared."""


class Preparations:
    """The preparations of one operation, which run together, and before it takes a connection.

    Each is known by the place of its field in the response, and runs once: an operation whose plan turns out
    not to fit runs again by another.
    """

    def __init__(self) -> None:
        self._tasks: dict[str, asyncio.Task[Arguments]] = {}

    def begin(self, place: str, prepare: Prepare, arguments: Arguments, context: Any) -> None:
        """Begin the preparation of a field, unless it has begun or there are too many."""
        if place not in self._tasks and len(self._tasks) < MAX_PREPARATIONS:
            self._tasks[place] = asyncio.create_task(prepare(arguments, context))

    async def end(self) -> None:
        """Wait until all preparations have ended, whatever came out."""
        if self._tasks:
            await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    async def arguments(self, place: str) -> Arguments:
        """Wait for one preparation, and return the arguments as ``prepared`` does."""
        if place in self._tasks:
            await self._tasks[place]
        return self.prepared(place)

    def prepared(self, place: str) -> Arguments:
        """Return the arguments that a preparation has made.

        Raises:
            AgentDataError: The preparation failed.
            LimitExceededError: It did not begin, because the operation has too many.

        """
        task = self._tasks.get(place)
        if task is None:
            raise LimitExceededError(
                f"an operation may have at most {MAX_PREPARATIONS} fields that wait for another service, such"
                " as searches for a text by its meaning; send the others in another request"
            )
        return task.result()

    def cancel(self) -> None:
        """End the preparations for which nobody waits any longer."""
        for task in self._tasks.values():
            task.cancel()
