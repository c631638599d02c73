"""Inputs of queues."""

from __future__ import annotations

from enum import Enum

from schema.declarations import enum_type, enum_value, input_type, optional, required
from schema.enums import OrderDirection
from schema.inputs.filters import BooleanFilter, DateTimeFilter, IDFilter, StringFilter


@input_type
class QueueFilter:
    """Selects queues. All given conditions must hold."""

    id: IDFilter | None = optional("The id of the queue.")
    name: StringFilter | None = optional("The name of the queue.")
    is_paused: BooleanFilter | None = optional("Whether the queue is paused.")
    created_at: DateTimeFilter | None = optional("When the queue was created.")
    and_: list[QueueFilter] | None = optional("All of these filters must hold.", name="and")
    or_: list[QueueFilter] | None = optional("At least one of these filters must hold.", name="or")
    not_: QueueFilter | None = optional("This filter must not hold.", name="not")


@enum_type
class QueueOrderField(Enum):
    """The fields that queues can be ordered by."""

    NAME = enum_value("name", "The name of the queue.")
    CREATED_AT = enum_value("created_at", "When the queue was created.")


@input_type
class QueueOrder:
    """A field to order queues by, and the direction."""

    field: QueueOrderField = required("The field to order by.")
    direction: OrderDirection = required("The direction of the order.")
