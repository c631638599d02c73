"""Inputs of annotations on memories."""

from __future__ import annotations

from datetime import datetime
from enum import Enum
from typing import TYPE_CHECKING, Annotated

import strawberry

from agentdata.engine.fields import ToMany, filter_on
from models import Memory
from schema.declarations import enum_type, enum_value, input_type, optional, required
from schema.enums import OrderDirection, VerificationStatus
from schema.inputs.filters import (
    BooleanFilter,
    DateTimeFilter,
    IDFilter,
    StringFilter,
    VerificationStatusFilter,
)

if TYPE_CHECKING:
    from schema.inputs.memory import MemoryFilter


@input_type
class MemoryAnnotationFilter:
    """Selects annotations on memories. All given conditions must hold."""

    id: IDFilter | None = optional("The id of the annotation.")
    memory_id: IDFilter | None = optional("The id of the annotated memory.")
    annotation_type: StringFilter | None = optional("The kind of annotation.")
    verification_status: VerificationStatusFilter | None = optional("The finding of a `verification`.")
    is_applied: BooleanFilter | None = optional("Whether the annotation was applied to the memory.")
    applied_at: DateTimeFilter | None = optional("When the annotation was applied.")
    created_at: DateTimeFilter | None = optional("When the annotation was recorded.")
    updated_at: DateTimeFilter | None = optional("When the annotation last changed.")
    memory: Annotated["MemoryFilter", strawberry.lazy("schema.inputs.memory")] | None = filter_on(
        Memory, "Conditions on the annotated memory.", local="memory_id"
    )
    and_: list[MemoryAnnotationFilter] | None = optional("All of these filters must hold.", name="and")
    or_: list[MemoryAnnotationFilter] | None = optional("At least one of these filters must hold.", name="or")
    not_: MemoryAnnotationFilter | None = optional("This filter must not hold.", name="not")


@input_type
class MemoryAnnotationsFilter(ToMany):
    """Conditions on related annotations."""

    some: MemoryAnnotationFilter | None = optional("At least one related object meets this filter.")
    none: MemoryAnnotationFilter | None = optional("No related object meets this filter.")


@enum_type
class MemoryAnnotationOrderField(Enum):
    """The fields that annotations on memories can be ordered by."""

    CREATED_AT = enum_value("created_at", "When the annotation was recorded.")
    UPDATED_AT = enum_value("updated_at", "When the annotation last changed.")
    APPLIED_AT = enum_value("applied_at", "When the annotation was applied.")


@input_type
class MemoryAnnotationOrder:
    """A field to order annotations on memories by, and the direction."""

    field: MemoryAnnotationOrderField = required("The field to order by.")
    direction: OrderDirection = required("The direction of the order.")


@input_type
class AnnotateMemoryInput:
    """An annotation to add to a memory."""

    memory_id: strawberry.ID = required("The id of the memory.")
    annotation_type: str = required(
        "The kind of annotation: `correction`, `enhancement`, `verification`, or another value, which"
        " cannot be applied; at most 255 characters."
    )
    content: str = required(
        "The text of the annotation: for a `correction` the new content of the memory, for an `enhancement`"
        " the text to append to it."
    )
    verification_status: VerificationStatus | None = optional(
        "The finding of a `verification`, VERIFIED by default; not allowed for other annotations."
    )
    created_by_user_id: strawberry.ID | None = optional("The id of the user who made the annotation.")
    created_by_agent_id: strawberry.ID | None = optional(
        "The id of the agent that made the annotation; not together with `createdByUserId`."
    )
    created_at: datetime | None = optional("When the annotation was made; now by default.")
