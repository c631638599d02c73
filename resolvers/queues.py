"""Fields of queues that are computed from their jobs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import Select, func, select
from sqlalchemy.orm import aliased

from agentdata.engine.fields import Cost
from agentdata.engine.sql.links import keys_table
from agentdata.engine.sql.tenancy import owned
from models import Job
from models.enums import JobState
from models.job import came_due, has_attempts, is_in, ran_out

if TYPE_CHECKING:
    from collections.abc import Callable

COST_OF_COUNTS = Cost(parent_points=50)
"""A count reads an entry of an index for each job of the state; some 100,000 entries take 5 ms."""


def counts() -> Select[Any]:
    """Count the jobs of each queue by their state."""
    keys = keys_table()

    def count(condition: Callable[[Any], Any]) -> Any:
        job = aliased(Job)
        counted = select(func.count()).select_from(job)
        return counted.where(owned(job), job.queue_id == keys.c.key, condition(job)).scalar_subquery()

    def stored(state: JobState) -> Any:
        return count(lambda job: is_in(job, state))

    # Each part is counted in an index alone but those of active jobs, of which there are as many as workers.
    due, lost, spent = count(came_due), count(_returned), count(lambda job: ran_out(job) & ~has_attempts(job))
    numbers = {
        "waiting": stored(JobState.WAITING) + due + lost,
        "delayed": count(lambda job: is_in(job, JobState.DELAYED) & (job.run_at > func.now())),
        "active": count(lambda job: is_in(job, JobState.ACTIVE) & (job.lease_expires_at > func.now())),
        "completed": stored(JobState.COMPLETED),
        "failed": stored(JobState.FAILED) + spent,
        "cancelled": stored(JobState.CANCELLED),
    }
    return select(keys.c.key, *[number.label(name) for name, number in numbers.items()])


def oldest_waiting_at() -> Select[Any]:
    """Select since when the job of each queue that has waited longest has been waiting."""
    keys = keys_table()

    def first(time: str, condition: Callable[[Any], Any]) -> Any:
        job = aliased(Job)
        found = select(func.min(getattr(job, time)))
        return found.where(owned(job), job.queue_id == keys.c.key, condition(job)).scalar_subquery()

    oldest = func.least(
        first("run_at", lambda job: is_in(job, JobState.WAITING)),
        first("run_at", came_due),
        first("lease_expires_at", _returned),
        type_=Job.run_at.type,
    )
    return select(keys.c.key, oldest.label("value"))


def _returned(job: Any) -> Any:
    """Return the condition that a job waits again because its lease ran out."""
    return ran_out(job) & has_attempts(job)
