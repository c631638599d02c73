"""Reads and splits the contents of files in a process of its own.

A library may take hours or gigabytes for a file that is made for it, and a thread cannot be ended. So the
process has a limit of memory, and each file one of time. A file that exceeds it ends the process, and the
next file gets another.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import sys
from concurrent.futures import TimeoutError as TookTooLong
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from pebble import ProcessExpired, ProcessPool

from agentdata.knowledge import reading, splitting
from agentdata.knowledge.reading import UnreadableError

if sys.platform != "win32":
    import resource

if TYPE_CHECKING:
    from types import TracebackType

    from agentdata.knowledge.splitting import Splitting

SECONDS = 120.0
"""How long a file may take."""

MEMORY_BYTES = 4 << 30
"""How much address space the process may have."""


class Parsed(NamedTuple):
    """The text of a file, split into chunks."""

    title: str
    type: str
    chunks: list[dict[str, Any]]
    """The values of each chunk."""


class Parser:
    """Reads and splits contents, one at a time. The process starts with the first one."""

    def __init__(self) -> None:
        self._pool: ProcessPool | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._pool is not None:
            self._pool.stop()  # type: ignore[no-untyped-call]  # of a library
            await asyncio.to_thread(self._pool.join)

    async def parse(self, name: str, data: bytes, how: Splitting) -> Parsed | None:
        """Return the chunks of a content, or None if it is binary. ``name`` is its path in the source.

        Raises:
            UnreadableError: It is broken, encrypted, in an unknown encoding, or takes too much time or
                memory.

        """
        if self._pool is None:
            # A fork would share the connections and locks of this process.
            context = multiprocessing.get_context("spawn")
            self._pool = ProcessPool(
                max_workers=1, context=context, initializer=_limit_memory, initargs=[MEMORY_BYTES]
            )
        try:
            task = self._pool.schedule(_parse, args=[name, data, how], timeout=SECONDS)
            found: Parsed | None = await asyncio.wrap_future(task)
        except TookTooLong:
            raise UnreadableError(
                f"takes longer than {SECONDS:.0f} s to read; split it into several files"
            ) from None
        except (MemoryError, ProcessExpired):
            raise UnreadableError("takes too much memory to read; split it into several files") from None
        return found


def _parse(name: str, data: bytes, how: Splitting) -> Parsed | None:
    document = reading.read(name, data)
    if document is None:
        return None
    return Parsed(document.title, document.type, list(splitting.chunks(document, how)))


def _limit_memory(number: int) -> None:
    """Limit the memory of this process to a number of bytes, where the system can."""
    if sys.platform != "win32":
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_AS, (number, number))
