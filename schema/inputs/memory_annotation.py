"""What clients say of annotations on memories."""

from __future__ import annotations

from datetime import datetime
from enum import Enum
from typing import TYPE_CHECKING, Annotated

import strawberry

from models import Memory
from schema.declarations import enum_type, enum_value, input_type, optional, required
from schema.enums import OrderDirection, VerificationStatus
from schema.inputs.filters import (
    BooleanFilter,
    DateTimeFilter,
    IDFilter,
    StringFilter,
    ToMany,
    VerificationStatusFilter,
)
from schema.inputs.linked import linked

if TYPE_CHECKING:
    from schema.inputs.memory import MemoryFilter


@input_type
class MemoryAnnotationFilter:
    """Selects annotations on memories. All conditions that are given must hold."""

    id: IDFilter | None = optional("By their ids.")
    memory_id: IDFilter | None = optional("By the ids of their memories.")
    annotation_type: StringFilter | None = optional("By what kind of annotation they are.")
    verification_status: VerificationStatusFilter | None = optional("By what verifications found.")
    is_applied: BooleanFilter | None = optional("By whether they were applied.")
    applied_at: DateTimeFilter | None = optional("By when they were applied.")
    created_at: DateTimeFilter | None = optional("By when they were recorded.")
    updated_at: DateTimeFilter | None = optional("By when they last changed.")
    memory: Annotated["MemoryFilter", strawberry.lazy("schema.inputs.memory")] | None = linked(
        Memory, "By their memories.", local="memory_id"
    )
    and_: list[MemoryAnnotationFilter] | None = optional("All of these filters must hold.", name="and")
    or_: list[MemoryAnnotationFilter] | None = optional("At least one of these filters must hold.", name="or")
    not_: MemoryAnnotationFilter | None = optional("This filter must not hold.", name="not")


@input_type
class MemoryAnnotationsFilter(ToMany):
    """Conditions on the annotations behind a relation to many."""

    some: MemoryAnnotationFilter | None = optional("At least one of them meets this filter.")
    none: MemoryAnnotationFilter | None = optional("None of them meets this filter.")


@enum_type
class MemoryAnnotationOrderField(Enum):
    """The fields that annotations on memories can be ordered by."""

    CREATED_AT = enum_value("created_at", "When they were recorded.")
    UPDATED_AT = enum_value("updated_at", "When they last changed.")
    APPLIED_AT = enum_value("applied_at", "When they were applied.")


@input_type
class MemoryAnnotationOrder:
    """A field to order annotations on memories by, and the direction."""

    field: MemoryAnnotationOrderField = required("The field to order by.")
    direction: OrderDirection = required("The direction of the order.")


@input_type
class AnnotateMemoryInput:
    """An annotation to put on a memory."""

    memory_id: strawberry.ID = required("The id of the memory.")
    annotation_type: str = required(
        "What kind of annotation it is: `correction`, `enhancement`, `verification`, or another, which"
        " cannot be applied; at most 255 characters."
    )
    content: str = required(
        "What it says: for a `correction` the new content of the memory, for an `enhancement` what is"
        " to be appended to it."
    )
    verification_status: VerificationStatus | None = optional(
        "What a `verification` found, VERIFIED by default; with nothing but a verification."
    )
    created_by_user_id: strawberry.ID | None = optional("The id of the user who made it.")
    created_by_agent_id: strawberry.ID | None = optional(
        "The id of the agent that made it; not together with `createdByUserId`."
    )
    created_at: datetime | None = optional("When it was made; now by default.")
