"""Filters and orders of revisions of memories."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Annotated

import strawberry

from agentdata.engine.fields import filter_on
from models import Memory, MemoryAnnotation
from schema.declarations import enum_type, enum_value, input_type, optional, required
from schema.enums import OrderDirection
from schema.inputs.filters import DateTimeFilter, IDFilter

if TYPE_CHECKING:
    from schema.inputs.memory import MemoryFilter
    from schema.inputs.memory_annotation import MemoryAnnotationFilter


@input_type
class MemoryRevisionFilter:
    """Selects revisions of memories. All given conditions must hold."""

    id: IDFilter | None = optional("The id of the revision.")
    memory_id: IDFilter | None = optional("The id of the memory that had the content.")
    annotation_id: IDFilter | None = optional(
        "The id of the annotation whose application replaced the content."
    )
    created_at: DateTimeFilter | None = optional("When the content was replaced.")
    memory: Annotated["MemoryFilter", strawberry.lazy("schema.inputs.memory")] | None = filter_on(
        Memory, "Conditions on the memory that had the content.", local="memory_id"
    )
    annotation: (
        Annotated["MemoryAnnotationFilter", strawberry.lazy("schema.inputs.memory_annotation")] | None
    ) = filter_on(
        MemoryAnnotation,
        "Conditions on the annotation whose application replaced the content.",
        local="annotation_id",
    )
    and_: list[MemoryRevisionFilter] | None = optional("All of these filters must hold.", name="and")
    or_: list[MemoryRevisionFilter] | None = optional("At least one of these filters must hold.", name="or")
    not_: MemoryRevisionFilter | None = optional("This filter must not hold.", name="not")


@enum_type
class MemoryRevisionOrderField(Enum):
    """The fields that revisions of memories can be ordered by."""

    CREATED_AT = enum_value("created_at", "When the content was replaced.")
    SEQUENCE = enum_value("sequence", "The position among the contents that the memory has had.")


@input_type
class MemoryRevisionOrder:
    """A field to order revisions of memories by, and the direction."""

    field: MemoryRevisionOrderField = required("The field to order by.")
    direction: OrderDirection = required("The direction of the order.")
