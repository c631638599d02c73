"""A queue of jobs."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import strawberry

from agentdata.engine.fields import Gives, Ordering, batch, column, page
from models import Job as JobRow
from models import Queue as QueueRow
from models import Schedule as ScheduleRow
from resolvers import queues
from schema.declarations import object_type
from schema.inputs.job import JobFilter, JobOrder
from schema.inputs.schedule import ScheduleFilter, ScheduleOrder
from schema.scalars import BigInt
from schema.types.connection import Connection
from schema.types.node import Node

if TYPE_CHECKING:
    from schema.types.job import Job
    from schema.types.schedule import Schedule


@object_type
class JobCounts:
    """How many jobs a queue has in each state, at the time of the answer."""

    waiting: BigInt = column("The number of jobs that are due and wait for a worker.")
    delayed: BigInt = column("The number of jobs that are not due yet.")
    active: BigInt = column("The number of jobs that workers hold.")
    completed: BigInt = column("The number of jobs that were completed.")
    failed: BigInt = column("The number of jobs that failed and have no attempts left.")
    cancelled: BigInt = column("The number of jobs that were cancelled.")


@object_type(model=QueueRow)
class Queue(Node):
    """A queue of jobs. The first job or schedule that names a queue creates it."""

    name: str = column("The name of the queue, unique in the project.")
    is_paused: bool = column("Whether the queue is paused: its jobs stay, and no worker gets one.")
    paused_at: datetime | None = column("When the queue was paused; null if it is not paused.")
    counts: JobCounts = batch(
        queues.counts,
        "The numbers of jobs by their state. Only the selected numbers are counted.",
        Gives.OBJECT,
        cost=queues.COST_OF_COUNTS,
    )
    oldest_waiting_at: datetime | None = batch(
        queues.oldest_waiting_at,
        "Since when the job that has waited longest has been waiting; null if no job waits.",
        Gives.VALUE,
    )
    jobs: Connection[Annotated["Job", strawberry.lazy("schema.types.job")]] = page(
        JobRow, "The jobs of the queue, newest first.", filter_=JobFilter, order=JobOrder, remote="queue_id"
    )
    schedules: Connection[Annotated["Schedule", strawberry.lazy("schema.types.schedule")]] = page(
        ScheduleRow,
        "The schedules of the queue, ordered by name.",
        filter_=ScheduleFilter,
        order=ScheduleOrder,
        remote="queue_id",
        default=(Ordering("name"),),
    )
    updated_at: datetime = column("When the queue was last paused or resumed, or was created.")
