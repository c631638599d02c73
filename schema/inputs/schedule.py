"""Inputs of schedules."""

from __future__ import annotations

from enum import Enum

from agentdata.engine.fields import filter_on
from models import Queue
from schema.declarations import enum_type, enum_value, input_type, optional, required
from schema.enums import JobBackoff, OrderDirection
from schema.inputs.filters import BooleanFilter, DateTimeFilter, IDFilter, StringFilter
from schema.inputs.queue import QueueFilter
from schema.scalars import JSON


@input_type
class ScheduleFilter:
    """Selects schedules. All given conditions must hold."""

    id: IDFilter | None = optional("The id of the schedule.")
    queue_id: IDFilter | None = optional("The id of the queue that gets the jobs.")
    name: StringFilter | None = optional("The name of the schedule.")
    is_active: BooleanFilter | None = optional("Whether the schedule enqueues jobs.")
    next_run_at: DateTimeFilter | None = optional("The next time of the schedule.")
    created_at: DateTimeFilter | None = optional("When the schedule was added.")
    queue: QueueFilter | None = filter_on(
        Queue, "Conditions on the queue that gets the jobs.", local="queue_id"
    )
    and_: list[ScheduleFilter] | None = optional("All of these filters must hold.", name="and")
    or_: list[ScheduleFilter] | None = optional("At least one of these filters must hold.", name="or")
    not_: ScheduleFilter | None = optional("This filter must not hold.", name="not")


@enum_type
class ScheduleOrderField(Enum):
    """The fields that schedules can be ordered by."""

    NAME = enum_value("name", "The name of the schedule.")
    NEXT_RUN_AT = enum_value("next_run_at", "The next time of the schedule.")
    CREATED_AT = enum_value("created_at", "When the schedule was added.")


@input_type
class ScheduleOrder:
    """A field to order schedules by, and the direction."""

    field: ScheduleOrderField = required("The field to order by.")
    direction: OrderDirection = required("The direction of the order.")


@input_type
class PutScheduleInput:
    """A schedule to add, or the changes to the schedule of this name.

    Fields that are left out stay as they are, or take their defaults if the schedule is added.
    """

    name: str = required("The name of the schedule, at most 255 characters.")
    queue: str = required(
        "The name of the queue that gets the jobs, at most 255 characters. A queue that does not exist is"
        " created."
    )
    cron: str = required(
        "The times as a cron expression of five fields: minute, hour, day of month, month, day of week."
    )
    time_zone: str | None = optional(
        "The IANA time zone by whose clock the times are, such as `Europe/Berlin`; `UTC` by default."
    )
    is_active: bool | None = optional("Whether the schedule enqueues jobs; true by default.")
    job_name: str | None = optional(
        "The name of the jobs, at most 255 characters; null for the name of the schedule."
    )
    data: JSON | None = optional("The data of the jobs: a JSON object; `{}` by default.")
    priority: int | None = optional("The priority of the jobs; 0 by default.")
    max_attempts: int | None = optional(
        "How many attempts each job has before it is FAILED, from 1 to 1,000; 5 by default."
    )
    backoff: JobBackoff | None = optional(
        "How the pause before a further attempt of a job grows; EXPONENTIAL by default."
    )
    backoff_ms: int | None = optional(
        "The pause before the second attempt of a job, in milliseconds, from 0 to 86,400,000 (a day); 1,000"
        " by default."
    )
