"""Inputs of accesses to memories."""

from __future__ import annotations

from datetime import datetime
from enum import Enum
from typing import TYPE_CHECKING, Annotated

import strawberry

from agentdata.engine.fields import ToMany, filter_on
from models import Memory
from schema.declarations import enum_type, enum_value, input_type, optional, required
from schema.enums import AccessorType, OrderDirection
from schema.inputs.filters import AccessorTypeFilter, DateTimeFilter, FloatFilter, IDFilter, StringFilter
from schema.scalars import JSON

if TYPE_CHECKING:
    from schema.inputs.memory import MemoryFilter


@input_type
class MemoryAccessFilter:
    """Selects accesses to memories. All given conditions must hold."""

    id: IDFilter | None = optional("The id of the access.")
    memory_id: IDFilter | None = optional("The id of the memory that was accessed.")
    access_type: StringFilter | None = optional("The kind of access.")
    accessed_by: StringFilter | None = optional("Who accessed the memory.")
    accessor_type: AccessorTypeFilter | None = optional("The kind of party that accessed the memory.")
    usefulness: FloatFilter | None = optional("How useful the memory was in this access, from 0 to 1.")
    created_at: DateTimeFilter | None = optional("When the memory was accessed.")
    memory: Annotated["MemoryFilter", strawberry.lazy("schema.inputs.memory")] | None = filter_on(
        Memory, "Conditions on the memory that was accessed.", local="memory_id"
    )
    and_: list[MemoryAccessFilter] | None = optional("All of these filters must hold.", name="and")
    or_: list[MemoryAccessFilter] | None = optional("At least one of these filters must hold.", name="or")
    not_: MemoryAccessFilter | None = optional("This filter must not hold.", name="not")


@input_type
class MemoryAccessesFilter(ToMany):
    """Conditions on related accesses."""

    some: MemoryAccessFilter | None = optional("At least one related object meets this filter.")
    none: MemoryAccessFilter | None = optional("No related object meets this filter.")


@enum_type
class MemoryAccessOrderField(Enum):
    """The fields that accesses to memories can be ordered by."""

    CREATED_AT = enum_value("created_at", "When the memory was accessed.")
    USEFULNESS = enum_value("usefulness", "How useful the memory was in this access, from 0 to 1.")


@input_type
class MemoryAccessOrder:
    """A field to order accesses to memories by, and the direction."""

    field: MemoryAccessOrderField = required("The field to order by.")
    direction: OrderDirection = required("The direction of the order.")


@input_type
class RecordMemoryAccessInput:
    """An access to a memory."""

    memory_id: strawberry.ID = required("The id of the memory.")
    access_type: str = required(
        "The kind of access: `read`, `update`, `reference` or another value; at most 255 characters."
    )
    accessed_by: str = required(
        "Who accessed the memory: the id of an agent or user, or a name; at most 255 characters."
    )
    accessor_type: AccessorType = required("The kind of party that accessed the memory.")
    context: JSON | None = optional("The context of the access: a JSON object; `{}` by default.")
    usefulness: float | None = optional(
        "How useful the memory was in this access, from 0 to 1; null if unknown."
    )
    created_at: datetime | None = optional("When the memory was accessed; now by default.")
