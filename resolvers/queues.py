"""Fields of queues that are computed from their jobs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import Select, func, literal_column, select
from sqlalchemy.orm import aliased

from agentdata.engine.fields import Cost
from agentdata.engine.sql.links import keys_table
from agentdata.engine.sql.tenancy import owned
from models import Job
from models.enums import JobState

if TYPE_CHECKING:
    from collections.abc import Callable

COST_OF_COUNTS = Cost(parent_points=50)
"""A count reads an entry of an index for each job of the state; some 100,000 entries take 5 ms."""


def counts() -> Select[Any]:
    """Count the jobs of each queue by their state."""
    keys = keys_table()

    def count(state: JobState) -> Any:
        job = aliased(Job)
        in_state = job.state == literal_column(f"'{state.value}'")
        counted = select(func.count()).select_from(job)
        return counted.where(owned(job), job.queue_id == keys.c.key, in_state).scalar_subquery()

    return select(keys.c.key, *[count(state).label(state.lower()) for state in JobState])


def oldest_waiting_at() -> Select[Any]:
    """Select since when the job of each queue that has waited longest has been waiting."""
    keys = keys_table()

    def first(time: str, state: JobState, condition: Callable[[Any], Any] | None = None) -> Any:
        job = aliased(Job)
        found = select(func.min(getattr(job, time))).where(
            owned(job), job.queue_id == keys.c.key, job.stored_state == literal_column(f"'{state.value}'")
        )
        return (found if condition is None else found.where(condition(job))).scalar_subquery()

    oldest = func.least(
        first("run_at", JobState.WAITING),
        first("run_at", JobState.DELAYED, lambda job: job.run_at <= func.now()),
        first(
            "lease_expires_at",
            JobState.ACTIVE,
            lambda job: (job.lease_expires_at <= func.now()) & (job.attempts < job.max_attempts),
        ),
        type_=Job.run_at.type,
    )
    return select(keys.c.key, oldest.label("value"))
