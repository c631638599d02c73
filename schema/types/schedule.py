"""A rule by which jobs are enqueued at certain times."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import strawberry

from agentdata.engine.fields import column, page, relation
from models import Job as JobRow
from models import Queue as QueueRow
from models import Schedule as ScheduleRow
from schema.declarations import object_type
from schema.enums import JobBackoff
from schema.inputs.job import JobFilter, JobOrder
from schema.scalars import JSON
from schema.types.connection import Connection
from schema.types.node import Node

if TYPE_CHECKING:
    from schema.types.job import Job
    from schema.types.queue import Queue


@object_type(model=ScheduleRow)
class Schedule(Node):
    """A rule by which jobs are enqueued at the times of a cron expression."""

    queue: Annotated["Queue", strawberry.lazy("schema.types.queue")] = relation(
        QueueRow, "The queue that gets the jobs; the schedule is deleted with it.", local="queue_id"
    )
    name: str = column("The name of the schedule, unique in the project.")
    cron: str = column(
        "The times as a cron expression of five fields: minute, hour, day of month, month, day of week."
    )
    time_zone: str = column("The IANA time zone by whose clock the times are, such as `Europe/Berlin`.")
    is_active: bool = column("Whether the schedule enqueues jobs.")
    job_name: str | None = column("The name of the jobs; null for the name of the schedule.")
    data: JSON = column("The data of the jobs: a JSON object, as it was sent.")
    priority: int = column("The priority of the jobs: workers get jobs of a higher one first.")
    max_attempts: int = column("How many attempts each job has before it is FAILED.")
    backoff: JobBackoff = column("How the pause before a further attempt of a job grows.")
    backoff_ms: int = column("The pause before the second attempt of a job, in milliseconds.")
    next_run_at: datetime | None = column(
        "The next time of the schedule, for which no job is enqueued yet; it has passed if no worker has"
        " claimed jobs of the queue since. Null if the schedule is not active or has no further time."
    )
    last_run_at: datetime | None = column(
        "The latest time of the schedule for which a job was enqueued; null if there is none yet."
    )
    jobs: Connection[Annotated["Job", strawberry.lazy("schema.types.job")]] = page(
        JobRow,
        "The jobs that the schedule has enqueued, newest first.",
        filter_=JobFilter,
        order=JobOrder,
        remote="schedule_id",
    )
    updated_at: datetime = column("When the schedule was last put.")
