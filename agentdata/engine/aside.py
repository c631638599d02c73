"""Threads beside the event loop for slow steps, so that one request does not hold up the others.

Python runs one thread at a time, so a thread makes nothing faster; but the interpreter lets the event loop
run every few milliseconds. Each kind of step has one thread: more would only take the loop's time.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from functools import partial
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from agentdata.errors import OverloadedError

if TYPE_CHECKING:
    from collections.abc import Callable

Given = ParamSpec("Given")
Result = TypeVar("Result")

SWITCH_S = 0.001
"""How long, in seconds, a thread may run on while the event loop wants to (`sys.setswitchinterval`)."""


class Aside:
    """Runs functions one after another in a thread of its own."""

    def __init__(self, name: str, most_waiting: int) -> None:
        self._threads = ThreadPoolExecutor(1, thread_name_prefix=name)
        self._most_waiting = most_waiting
        self._waiting = 0

    async def run(
        self, function: Callable[Given, Result], *args: Given.args, **kwargs: Given.kwargs
    ) -> Result:
        """Run a function in the thread and return its result.

        Raises:
            OverloadedError: Too many functions wait for the thread.

        """
        if self._waiting >= self._most_waiting:
            raise OverloadedError("the server reads too many large or new documents; try again shortly")
        self._waiting += 1
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(
                self._threads, partial(copy_context().run, function, *args, **kwargs)
            )
        finally:
            self._waiting -= 1


COMPILING = Aside("compiling", 100)
"""Reads, measures and compiles documents that are new, and large variables."""

ANSWERING = Aside("answering", 100)
"""Makes large answers out of the records of the database."""
