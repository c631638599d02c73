"""What clients say of the contents that memories have had."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Annotated

import strawberry
from strawberry import UNSET

from models import Memory, MemoryAnnotation
from schema.enums import OrderDirection
from schema.inputs.filters import DateTimeFilter, IDFilter
from schema.inputs.linked import linked

if TYPE_CHECKING:
    from schema.inputs.memory import MemoryFilter
    from schema.inputs.memory_annotation import MemoryAnnotationFilter


@strawberry.input(
    description="Selects contents that memories have had. All conditions that are given must hold."
)
class MemoryRevisionFilter:
    """Selects contents that memories have had. All conditions that are given must hold."""

    id: IDFilter | None = strawberry.field(default=UNSET, description="By their ids.")
    memory_id: IDFilter | None = strawberry.field(default=UNSET, description="By the ids of their memories.")
    annotation_id: IDFilter | None = strawberry.field(
        default=UNSET, description="By the ids of the annotations that replaced them."
    )
    created_at: DateTimeFilter | None = strawberry.field(
        default=UNSET, description="By when they were replaced."
    )
    memory: Annotated["MemoryFilter", strawberry.lazy("schema.inputs.memory")] | None = linked(
        Memory, "By their memories.", local="memory_id"
    )
    annotation: (
        Annotated["MemoryAnnotationFilter", strawberry.lazy("schema.inputs.memory_annotation")] | None
    ) = linked(MemoryAnnotation, "By the annotations that replaced them.", local="annotation_id")
    and_: list[MemoryRevisionFilter] | None = strawberry.field(
        default=UNSET, name="and", description="All of these filters must hold."
    )
    or_: list[MemoryRevisionFilter] | None = strawberry.field(
        default=UNSET, name="or", description="At least one of these filters must hold."
    )
    not_: MemoryRevisionFilter | None = strawberry.field(
        default=UNSET, name="not", description="This filter must not hold."
    )


@strawberry.enum(description="The fields that contents of memories can be ordered by.")
class MemoryRevisionOrderField(Enum):
    """The fields that contents of memories can be ordered by."""

    CREATED_AT = strawberry.enum_value("created_at", description="When they were replaced.")
    SEQUENCE = strawberry.enum_value(
        "sequence", description="Their places in the histories of their memories."
    )


@strawberry.input(description="A field to order contents of memories by, and the direction.")
class MemoryRevisionOrder:
    """A field to order contents of memories by, and the direction."""

    field: MemoryRevisionOrderField = strawberry.field(description="The field to order by.")
    direction: OrderDirection = strawberry.field(description="The direction of the order.")
