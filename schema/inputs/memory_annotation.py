"""What clients say of annotations on memories."""

from __future__ import annotations

from datetime import datetime
from enum import Enum
from typing import TYPE_CHECKING, Annotated

import strawberry
from strawberry import UNSET

from models import Memory
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


@strawberry.input(description="Selects annotations on memories. All conditions that are given must hold.")
class MemoryAnnotationFilter:
    """Selects annotations on memories. All conditions that are given must hold."""

    id: IDFilter | None = strawberry.field(default=UNSET, description="By their ids.")
    memory_id: IDFilter | None = strawberry.field(default=UNSET, description="By the ids of their memories.")
    annotation_type: StringFilter | None = strawberry.field(
        default=UNSET, description="By what kind of annotation they are."
    )
    verification_status: VerificationStatusFilter | None = strawberry.field(
        default=UNSET, description="By what verifications found."
    )
    is_applied: BooleanFilter | None = strawberry.field(
        default=UNSET, description="By whether they were applied."
    )
    applied_at: DateTimeFilter | None = strawberry.field(
        default=UNSET, description="By when they were applied."
    )
    created_at: DateTimeFilter | None = strawberry.field(
        default=UNSET, description="By when they were recorded."
    )
    updated_at: DateTimeFilter | None = strawberry.field(
        default=UNSET, description="By when they last changed."
    )
    memory: Annotated["MemoryFilter", strawberry.lazy("schema.inputs.memory")] | None = linked(
        Memory, "By their memories.", local="memory_id"
    )
    and_: list[MemoryAnnotationFilter] | None = strawberry.field(
        default=UNSET, name="and", description="All of these filters must hold."
    )
    or_: list[MemoryAnnotationFilter] | None = strawberry.field(
        default=UNSET, name="or", description="At least one of these filters must hold."
    )
    not_: MemoryAnnotationFilter | None = strawberry.field(
        default=UNSET, name="not", description="This filter must not hold."
    )


@strawberry.input(description="Conditions on the annotations behind a relation to many.")
class MemoryAnnotationsFilter(ToMany):
    """Conditions on the annotations behind a relation to many."""

    some: MemoryAnnotationFilter | None = strawberry.field(
        default=UNSET, description="At least one of them meets this filter."
    )
    none: MemoryAnnotationFilter | None = strawberry.field(
        default=UNSET, description="None of them meets this filter."
    )


@strawberry.enum(description="The fields that annotations on memories can be ordered by.")
class MemoryAnnotationOrderField(Enum):
    """The fields that annotations on memories can be ordered by."""

    CREATED_AT = strawberry.enum_value("created_at", description="When they were recorded.")
    UPDATED_AT = strawberry.enum_value("updated_at", description="When they last changed.")
    APPLIED_AT = strawberry.enum_value("applied_at", description="When they were applied.")


@strawberry.input(description="A field to order annotations on memories by, and the direction.")
class MemoryAnnotationOrder:
    """A field to order annotations on memories by, and the direction."""

    field: MemoryAnnotationOrderField = strawberry.field(description="The field to order by.")
    direction: OrderDirection = strawberry.field(description="The direction of the order.")


@strawberry.input(description="An annotation to put on a memory.")
class AnnotateMemoryInput:
    """An annotation to put on a memory."""

    memory_id: strawberry.ID = strawberry.field(description="The id of the memory.")
    annotation_type: str = strawberry.field(
        description=(
            "What kind of annotation it is: `correction`, `enhancement`, `verification`, or another, which"
            " cannot be applied; at most 255 characters."
        )
    )
    content: str = strawberry.field(
        description=(
            "What it says: for a `correction` the new content of the memory, for an `enhancement` what is"
            " to be appended to it."
        )
    )
    verification_status: VerificationStatus | None = strawberry.field(
        default=UNSET,
        description="What a `verification` found, VERIFIED by default; with nothing but a verification.",
    )
    created_by_user_id: strawberry.ID | None = strawberry.field(
        default=UNSET, description="The id of the user who made it."
    )
    created_by_agent_id: strawberry.ID | None = strawberry.field(
        default=UNSET, description="The id of the agent that made it; not together with `createdByUserId`."
    )
    created_at: datetime | None = strawberry.field(
        default=UNSET, description="When it was made; now by default."
    )
