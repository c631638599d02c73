"""The loop of a worker: it claims jobs, keeps their leases while it works, and settles them.

A worker that is killed loses nothing: its leases run out, and the next claim gets the jobs. One that is asked
to end lets its jobs come to a point where they can go on later, and returns those that have not ended.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from contextlib import suppress
from dataclasses import dataclass, field
from time import monotonic
from typing import TYPE_CHECKING, Any, Protocol

from agentdata.engine.reporting import client_error
from agentdata.errors import (
    BadUserInputError,
    ConflictError,
    NotFoundError,
    OverloadedError,
    TimedOutError,
)
from agentdata.operations import jobs
from agentdata.operations.unit_of_work import run
from agentdata.sight.counts import COUNTS
from agentdata.sight.failures import describe, trace

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from uuid import UUID

    from agentdata.database import Database
    from agentdata.worker.finding import Due, Finder
    from models import Job

_log = logging.getLogger(__name__)

LEASE_MS = 60_000
"""How long a job belongs to a worker that has died, at most."""

_INTERVAL_S = 1.0
"""How often a worker looks for jobs."""

_POLL_SHARE = 20
"""Looking may take a twentieth of the time: with many projects, a worker looks less often."""

_TURN_S = 60.0
"""How long a job may be done while others wait for its place."""

_RETRY_S = 0.5
"""The pause after an error of the database."""


class StoppedError(Exception):
    """A handler stops before the end of its work, as the worker ends or others wait; the job is returned."""


class LeaseLostError(Exception):
    """Another worker may have the job by now, or it was cancelled; this one leaves it alone."""


@dataclass(eq=False)
class Work:
    """A job that a worker holds, for the handler that does it."""

    database: Database
    project_id: UUID
    job: Job
    stopping: asyncio.Event
    until: float
    """When the lease runs out, by the clock of this process."""
    progress: float | None = None
    """How far the work is, from 0 to 1, which the next extension of the lease stores."""

    began: float = field(default_factory=monotonic)
    others_wait: bool = False
    """Whether the turn of this job is over: others wait for its place."""

    def check(self) -> None:
        """Stop here if the worker ends, or if it is the turn of other jobs.

        Raises:
            StoppedError: The worker ends, or others wait.

        """
        if self.stopping.is_set() or self.others_wait:
            raise StoppedError


class Kind(Protocol):
    """A kind of work: its name, the queue that its jobs wait in, and how they are done."""

    name: str
    queue: str

    async def work(self, work: Work) -> Any:
        """Do a job, and return its result; the job may have been done in part before.

        Raises:
            AgentDataError: It cannot be done; the message is stored with the job.
            StoppedError: The worker ends.

        """

    async def look(self) -> None:
        """Look for work that nobody has enqueued; called again and again."""

    def ended(self, project_id: UUID) -> None:
        """Take notice that a job of a project was completed."""


class Worker:
    """Claims and does the jobs of some queues, a few at a time, and one at a time of each queue.

    Projects take turns: of those with jobs that are due, the ones come first that have waited longest. A job
    that takes long is returned while others wait, if its kind can go on later. No queue takes all places.
    """

    def __init__(
        self,
        database: Database,
        finder: Finder,
        kinds: Sequence[Kind],
        *,
        slots: int = 4,
        grace_s: float = 3,
        interval_s: float = _INTERVAL_S,
        lease_ms: int = LEASE_MS,
    ) -> None:
        self.name = f"agentdata@{socket.gethostname()[:100]}:{os.getpid()}"
        self._database = database
        self._finder = finder
        self._kinds = {kind.queue: kind for kind in kinds}
        self._slots = slots
        self._grace_s = grace_s
        self._interval_s = interval_s
        self._lease_ms = lease_ms
        self._stopping = asyncio.Event()
        self._done = asyncio.Event()
        self._running: dict[Due, asyncio.Task[None]] = {}
        self._works: dict[Due, Work] = {}
        self._turns: dict[Due, float] = {}

    def stop(self) -> None:
        """Let ``run`` end: no further job is claimed."""
        self._stopping.set()
        self._done.set()

    async def run(self) -> None:
        """Work until ``stop`` is called; then let the jobs that are being done end, or return them."""
        looking = asyncio.create_task(self._repeat(self._look, asyncio.sleep))
        try:
            await self._repeat(self._round, self._pause)
        finally:
            looking.cancel()
            await asyncio.gather(looking, return_exceptions=True)
            await self._end()

    async def _repeat(
        self, part: Callable[[], Awaitable[None]], pause: Callable[[float], Awaitable[None]]
    ) -> None:
        """Do a part of the work again and again, also after the database was lost."""
        while not self._stopping.is_set():
            started = monotonic()
            try:
                await part()
            except Exception as error:  # noqa: BLE001  # whatever it is, jobs are to be done when it has passed
                if _may_pass(error):
                    _log.warning("the worker cannot look for jobs: %s", describe(error))
                else:
                    _log.error(
                        "the worker cannot look for jobs: %s",
                        describe(error),
                        extra={"details": trace(error)},
                    )
            await pause(max(self._interval_s, (monotonic() - started) * _POLL_SHARE))

    async def _look(self) -> None:
        for kind in self._kinds.values():
            await kind.look()

    async def _round(self) -> None:
        """Claim a job of each queue that has one, as far as there are free slots."""
        self._done.clear()
        found = await self._finder.due([*self._kinds])
        # A job that is being done keeps its turn, and comes behind all others when it is returned.
        self._turns = {due: self._turns.get(due, 0) for due in {*found, *self._running}}
        for due in sorted(found, key=self._turns.__getitem__):
            if self._stopping.is_set():
                return
            if due in self._running:
                continue
            if (in_the_way := self._in_the_way(due)) is not None:
                for work in in_the_way:
                    work.others_wait |= monotonic() - work.began >= _TURN_S
                continue
            self._turns[due] = monotonic()
            job = await self._claim(due)
            if job is not None:
                task = asyncio.create_task(self._work(due, job))
                self._running[due] = task
                task.add_done_callback(lambda _, due=due: self._free(due))  # type: ignore[misc]  # bound at once

    def _in_the_way(self, due: Due) -> list[Work] | None:
        """Return the work of which some has to end before a job of a queue may begin; None if none has to."""
        of_queue = [other for other in self._running if other.queue == due.queue]
        most = self._slots - 1 if len(self._kinds) > 1 else self._slots
        if len(of_queue) < max(most, 1):
            of_queue = [*self._running]
            if len(of_queue) < self._slots:
                return None
        return [self._works[other] for other in of_queue if other in self._works]

    async def _claim(self, due: Due) -> Job | None:
        claimed = await run(
            self._database,
            due.project_id,
            jobs.claim,
            {"queue": due.queue, "worker": self.name, "lease_ms": self._lease_ms},
        )
        return claimed[0] if claimed else None

    def _free(self, due: Due) -> None:
        """Let the loop look again at once: the queue may have another job."""
        del self._running[due]
        self._done.set()

    async def _pause(self, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._done.wait()

    async def _end(self) -> None:
        """Wait a little for the jobs that are being done, and then break them off."""
        self._stopping.set()
        if self._running:
            await asyncio.wait([*self._running.values()], timeout=self._grace_s)
        tasks = [*self._running.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _work(self, due: Due, job: Job) -> None:
        """Do a job and settle it, whatever comes out."""
        kind, outcome = self._kinds[due.queue], "lost"
        until = monotonic() + self._lease_ms / 1_000
        work = self._works[due] = Work(self._database, due.project_id, job, self._stopping, until)
        try:
            try:
                result = await self._held(work, kind.work(work))
            except (StoppedError, asyncio.CancelledError):
                await self._settle(work, jobs.release)
                outcome = "returned"
            except LeaseLostError:
                _log.warning("the job %s is left to others", job.id)
            except Exception as error:  # noqa: BLE001  # a fault of one job is not to end the others
                await self._settle(work, jobs.fail, **_failure(job, error))
                outcome = "failed"
            else:
                await self._settle(work, jobs.complete, result=result)
                kind.ended(due.project_id)
                outcome = "completed"
        except ConflictError:
            _log.warning("the job %s was settled by someone else", job.id)
        except Exception as error:  # noqa: BLE001  # as above
            _log.warning("the job %s was not settled, and comes back: %s", job.id, describe(error))
        finally:
            del self._works[due]
            COUNTS.worked[f"{kind.name}:{outcome}"] += 1

    async def _held(self, work: Work, doing: Awaitable[Any]) -> Any:
        """Await work while the lease of its job is extended.

        Raises:
            LeaseLostError: The lease was lost.

        """
        task = asyncio.ensure_future(doing)
        keeping = asyncio.create_task(self._keep(work))
        try:
            await asyncio.wait({task, keeping}, return_when=asyncio.FIRST_COMPLETED)
            if task.done():
                return task.result()
            raise LeaseLostError
        finally:
            keeping.cancel()
            task.cancel()
            await asyncio.gather(task, keeping, return_exceptions=True)

    async def _keep(self, work: Work) -> None:
        """Extend the lease of a job, and return when it is lost."""
        while True:
            await asyncio.sleep(self._lease_ms / 3_000)
            try:
                extended = monotonic()
                await self._write(work, jobs.extend, lease_ms=self._lease_ms, progress=work.progress)
                work.until = extended + self._lease_ms / 1_000
            except Exception as error:  # noqa: BLE001  # without the lease the work has to end
                _log.warning("the lease of the job %s was lost: %s", work.job.id, describe(error))
                return

    async def _settle(self, work: Work, operation: Callable[..., Awaitable[Any]], **values: Any) -> None:
        with suppress(NotFoundError):  # the job was deleted meanwhile
            await self._write(work, operation, **values)

    async def _write(self, work: Work, operation: Callable[..., Awaitable[Any]], **values: Any) -> None:
        """Write under the lease of a job, again and again while the database restarts and the lease holds."""
        arguments = {"id_": work.job.id, "lease": work.job.lease, **values}
        while True:
            try:
                await run(self._database, work.project_id, operation, arguments)
            except Exception as error:
                late = self._stopping.is_set() or monotonic() + _RETRY_S >= work.until
                if late or not _may_pass(error):
                    raise
                await asyncio.sleep(_RETRY_S)
            else:
                return


def _may_pass(error: Exception) -> bool:
    """Return whether an error is that of a database that restarts, or has too much to do."""
    return isinstance(client_error(error), OverloadedError | TimedOutError)


def _failure(job: Job, error: Exception) -> dict[str, Any]:
    """Return how to fail a job after an error: what its project may know, and whether to try again."""
    known = client_error(error)
    if known is not None:
        retry = not isinstance(error, BadUserInputError | NotFoundError)
        return {"error": known.message, "retry": retry}
    # The texts of other exceptions may hold contents.
    described = describe(error)
    _log.error("the job %s failed: %s", job.id, described, extra={"details": trace(error)})
    return {"error": f"the worker ran into an error: {described}"}
