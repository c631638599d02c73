"""Threads beside the event loop for slow steps, so that one request does not hold up the others.

Python runs one thread at a time, so a thread makes nothing faster; but the interpreter lets the event loop
run every few milliseconds. Each kind of step has one thread: more would only take the loop's time.
"""

from __future__ import annotations

import asyncio
import gc
from collections import OrderedDict, deque
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from functools import partial
from threading import Lock
from typing import TYPE_CHECKING, Any, NamedTuple, ParamSpec, TypeVar

from agentdata import refusals
from agentdata.errors import OverloadedError
from agentdata.sight.failures import drop_locals
from agentdata.sight.request import current

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

Given = ParamSpec("Given")
Result = TypeVar("Result")

_OLDER_AFTER, _FREEZE_AFTER, _ALL_AFTER = 16, 64, 65_536
"""After how many functions which garbage is collected.

In order: the garbage that outlived its function; all that came since the last time, after which what is in
use, such as cached documents, is not looked at again (`gc.freeze`); and all there is.
"""

SWITCH_S = 0.001
"""How long, in seconds, a thread may run on while the event loop wants to (`sys.setswitchinterval`)."""


class _Job(NamedTuple):
    future: Future[Any]
    work: Callable[[], Any]


class Aside:
    """Runs functions one after another in a thread of its own.

    The projects whose requests wait take turns. If too many wait, the project with most of them loses one: so
    a project that floods the thread holds up its own requests, and nobody else's.
    """

    def __init__(self, name: str, most_waiting: int, *, leaves_cycles: bool = False) -> None:
        self._leaves_cycles = leaves_cycles
        self._collections = 0
        self._threads = ThreadPoolExecutor(1, thread_name_prefix=name)
        self._most_waiting = most_waiting
        self._lock = Lock()
        # What waits for each project, in order of arrival; the project whose turn is next is the first.
        self._lines: OrderedDict[Hashable, deque[_Job]] = OrderedDict()
        self._waiting = 0

    async def run(
        self, function: Callable[Given, Result], *args: Given.args, **kwargs: Given.kwargs
    ) -> Result:
        """Run a function in the thread and return its result.

        Raises:
            OverloadedError: Too many functions wait for the thread.

        """
        job = _Job(Future(), partial(copy_context().run, function, *args, **kwargs))
        self._add(job, current.get().project)
        # For each job that waits the thread looks once for the one whose turn it is.
        self._threads.submit(self._run_next)
        try:
            return await asyncio.wrap_future(job.future)
        finally:
            # The future holds an error, whose traceback holds this frame.
            del job

    def _add(self, job: _Job, project: Hashable) -> None:
        dropped = None
        with self._lock:
            if self._waiting >= self._most_waiting:
                longest = max(self._lines, key=lambda each: len(self._lines[each]), default=project)
                if len(self._lines.get(project, ())) + 1 >= len(self._lines.get(longest, ())):
                    raise self._refusal()
                dropped = self._lines[longest].pop()
                self._waiting -= 1
            self._lines.setdefault(project, deque()).append(job)
            self._waiting += 1
        if dropped is not None and dropped.future.set_running_or_notify_cancel():
            dropped.future.set_exception(self._refusal())

    def _run_next(self) -> None:
        with self._lock:
            if not self._lines:
                return
            project, line = next(iter(self._lines.items()))
            job = line.popleft()
            self._waiting -= 1
            if line:
                self._lines.move_to_end(project)
            else:
                del self._lines[project]
        if not job.future.set_running_or_notify_cancel():
            return
        if self._leaves_cycles:
            self._collect_garbage()
        try:
            result = job.work()
        except BaseException as error:  # noqa: BLE001 - whoever waits gets it
            # Held until the answer is sent, it would outlive the frequent collections.
            drop_locals(error)
            job.future.set_exception(error)
        else:
            job.future.set_result(result)
            del result
        del job  # an error's traceback would hold it, and it the error

    def _collect_garbage(self) -> None:
        """Collect the garbage of the function before, and sometimes that of longer ago.

        It takes the event loop some 2 ms. The garbage of many functions would take 100 ms at a time, and all
        that is in use takes up to half a second to look through once the caches are full: so all of it is
        looked through rarely. What is frozen is still freed once nothing refers to it. Documents and their
        plans have no reference cycles; the little garbage with cycles among what is frozen waits.
        """
        self._collections += 1
        if self._collections % _FREEZE_AFTER == 0:
            if self._collections % _ALL_AFTER == 0:
                gc.unfreeze()
            gc.collect()
            gc.freeze()
        else:
            gc.collect(1 if self._collections % _OLDER_AFTER == 0 else 0)

    def _refusal(self) -> OverloadedError:
        refusals.count("threads")
        return OverloadedError("the server reads too many large or new documents; try again shortly")


COMPILING = Aside("compiling", 100, leaves_cycles=True)
"""Reads, measures and compiles documents that are new, and large variables."""

ANSWERING = Aside("answering", 100)
"""Makes large answers out of the records of the database, and measures them."""
