"""Inputs of jobs."""

from __future__ import annotations

from datetime import datetime
from enum import Enum

import strawberry

from agentdata.engine.fields import filter_on
from models import Queue, Schedule
from schema.declarations import enum_type, enum_value, input_type, optional, required
from schema.enums import JobBackoff, OrderDirection
from schema.inputs.filters import DateTimeFilter, IDFilter, JobStateFilter, StringFilter
from schema.inputs.queue import QueueFilter
from schema.inputs.schedule import ScheduleFilter
from schema.scalars import JSON


@input_type
class JobFilter:
    """Selects jobs. All given conditions must hold."""

    id: IDFilter | None = optional("The id of the job.")
    queue_id: IDFilter | None = optional("The id of the queue of the job.")
    schedule_id: IDFilter | None = optional("The id of the schedule that enqueued the job.")
    external_id: StringFilter | None = optional("The id of the job in another system.")
    name: StringFilter | None = optional("What kind of work it is.")
    state: JobStateFilter | None = optional("The state of the job at the time of the answer.")
    worker: StringFilter | None = optional("The worker that holds the job or held it last.")
    run_at: DateTimeFilter | None = optional("When the job comes due, or came due last.")
    created_at: DateTimeFilter | None = optional("When the job was enqueued.")
    updated_at: DateTimeFilter | None = optional("When the job was last written to.")
    queue: QueueFilter | None = filter_on(Queue, "Conditions on the queue of the job.", local="queue_id")
    schedule: ScheduleFilter | None = filter_on(
        Schedule, "Conditions on the schedule that enqueued the job.", local="schedule_id"
    )
    and_: list[JobFilter] | None = optional("All of these filters must hold.", name="and")
    or_: list[JobFilter] | None = optional("At least one of these filters must hold.", name="or")
    not_: JobFilter | None = optional("This filter must not hold.", name="not")


@enum_type
class JobOrderField(Enum):
    """The fields that jobs can be ordered by."""

    CREATED_AT = enum_value("created_at", "When the job was enqueued.")
    UPDATED_AT = enum_value(
        "updated_at", "When the job was last written to: for one that ended, when it ended."
    )
    RUN_AT = enum_value("run_at", "When the job comes due, or came due last.")


@input_type
class JobOrder:
    """A field to order jobs by, and the direction."""

    field: JobOrderField = required("The field to order by.")
    direction: OrderDirection = required("The direction of the order.")


@input_type
class EnqueueJobInput:
    """A job to add to a queue.

    If a job has the same `externalId`, that job is returned as it is, and none is added.
    """

    queue: str = required(
        "The name of the queue, at most 255 characters. A queue that does not exist is created."
    )
    name: str | None = optional("What kind of work it is, such as `sync`; at most 255 characters.")
    external_id: str | None = optional(
        "The id of the job in another system, unique among the project's jobs; at most 255 characters."
    )
    data: JSON | None = optional("What the worker needs to know: a JSON object; `{}` by default.")
    priority: int | None = optional("The priority: workers get jobs of a higher one first; 0 by default.")
    run_at: datetime | None = optional("When the job comes due; at once by default, or if it is in the past.")
    max_attempts: int | None = optional(
        "How many attempts the job has before it is FAILED, from 1 to 1,000; 5 by default. A lease that runs"
        " out ends an attempt, too."
    )
    backoff: JobBackoff | None = optional(
        "How the pause before a further attempt grows; EXPONENTIAL by default."
    )
    backoff_ms: int | None = optional(
        "The pause before the second attempt, in milliseconds, from 0 to 86,400,000 (a day); 1,000 by"
        " default."
    )


@input_type
class ExtendJobInput:
    """A job whose lease is to run out later."""

    id: strawberry.ID = required("The id of the job.")
    lease: strawberry.ID = required("The lease under which the worker holds the job.")
    lease_ms: int | None = optional(
        "How long the lease lasts from now, in milliseconds, from 1,000 to 86,400,000 (a day); 30,000 by"
        " default."
    )
    progress: float | None = optional("How far the work is, from 0 to 1; as it was by default.")


@input_type
class CompleteJobInput:
    """A job that a worker has done."""

    id: strawberry.ID = required("The id of the job.")
    lease: strawberry.ID = required("The lease under which the worker holds the job.")
    result: JSON | None = optional("What the work resulted in: any JSON.")


@input_type
class FailJobInput:
    """A job that a worker could not do."""

    id: strawberry.ID = required("The id of the job.")
    lease: strawberry.ID = required("The lease under which the worker holds the job.")
    error: str = required("Why the attempt failed.")
    retry: bool | None = optional(
        "Whether the job may be tried again, if it has attempts left; true by default."
    )
