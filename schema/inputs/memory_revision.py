"""What clients say of the contents that memories have had."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Annotated

import strawberry

from models import Memory, MemoryAnnotation
from schema.declarations import enum_type, enum_value, input_type, optional, required
from schema.enums import OrderDirection
from schema.inputs.filters import DateTimeFilter, IDFilter
from schema.inputs.linked import linked

if TYPE_CHECKING:
    from schema.inputs.memory import MemoryFilter
    from schema.inputs.memory_annotation import MemoryAnnotationFilter


@input_type
class MemoryRevisionFilter:
    """Selects contents that memories have had. All conditions that are given must hold."""

    id: IDFilter | None = optional("By their ids.")
    memory_id: IDFilter | None = optional("By the ids of their memories.")
    annotation_id: IDFilter | None = optional("By the ids of the annotations that replaced them.")
    created_at: DateTimeFilter | None = optional("By when they were replaced.")
    memory: Annotated["MemoryFilter", strawberry.lazy("schema.inputs.memory")] | None = linked(
        Memory, "By their memories.", local="memory_id"
    )
    annotation: (
        Annotated["MemoryAnnotationFilter", strawberry.lazy("schema.inputs.memory_annotation")] | None
    ) = linked(MemoryAnnotation, "By the annotations that replaced them.", local="annotation_id")
    and_: list[MemoryRevisionFilter] | None = optional("All of these filters must hold.", name="and")
    or_: list[MemoryRevisionFilter] | None = optional("At least one of these filters must hold.", name="or")
    not_: MemoryRevisionFilter | None = optional("This filter must not hold.", name="not")


@enum_type
class MemoryRevisionOrderField(Enum):
    """The fields that contents of memories can be ordered by."""

    CREATED_AT = enum_value("created_at", "When they were replaced.")
    SEQUENCE = enum_value("sequence", "Their places in the histories of their memories.")


@input_type
class MemoryRevisionOrder:
    """A field to order contents of memories by, and the direction."""

    field: MemoryRevisionOrderField = required("The field to order by.")
    direction: OrderDirection = required("The direction of the order.")
