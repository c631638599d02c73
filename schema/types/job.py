"""A piece of work that waits in a queue until a worker claims it."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import strawberry

from agentdata.engine.fields import column, relation
from models import Job as JobRow
from models import Queue as QueueRow
from models import Schedule as ScheduleRow
from schema.declarations import object_type
from schema.enums import JobBackoff, JobState
from schema.scalars import JSON
from schema.types.node import Node

if TYPE_CHECKING:
    from schema.types.queue import Queue
    from schema.types.schedule import Schedule


@object_type(model=JobRow)
class Job(Node):
    """A piece of work that waits in a queue until a worker claims it."""

    queue: Annotated["Queue", strawberry.lazy("schema.types.queue")] = relation(
        QueueRow, "The queue of the job; the job is deleted with it.", local="queue_id"
    )
    schedule: Annotated["Schedule", strawberry.lazy("schema.types.schedule")] | None = relation(
        ScheduleRow, "The schedule that enqueued the job; null if a client did.", local="schedule_id"
    )
    external_id: str | None = column("The id of the job in another system, unique among the project's jobs.")
    name: str | None = column("What kind of work it is, such as `sync`.")
    state: JobState = column("The state of the job at the time of the answer.")
    data: JSON = column("What the worker needs to know: a JSON object, as it was sent.")
    result: JSON | None = column("What the worker returned when it completed the job, as it was sent.")
    error: str | None = column(
        "Why the latest attempt that ended without success did so; null after a success."
    )
    attempts: int = column("How often workers have claimed the job since it was enqueued or retried.")
    max_attempts: int = column("How many attempts the job has before it is FAILED.")
    priority: int = column("The priority: workers get jobs of a higher one first.")
    run_at: datetime = column(
        "When the job comes due, or came due last: not before its first attempt, and after a failure not"
        " before the next one."
    )
    backoff: JobBackoff = column("How the pause before a further attempt grows.")
    backoff_ms: int = column("The pause before the second attempt, in milliseconds.")
    progress: float | None = column("How far the work is, from 0 to 1, as the worker reported it.")
    worker: str | None = column("The worker that holds the job or held it last; null if none claimed it yet.")
    lease: strawberry.ID | None = column(
        "The lease under which a worker holds the job: the worker names it to extend, complete or fail the"
        " job. Null if no worker holds the job."
    )
    lease_expires_at: datetime | None = column(
        "When the lease runs out, after which the next worker gets the job; null if no worker holds it."
    )
    started_at: datetime | None = column("When a worker claimed the job last; null if none has.")
    finished_at: datetime | None = column("When the job ended; null if it has not.")
    updated_at: datetime = column("When the job was last written to.")
