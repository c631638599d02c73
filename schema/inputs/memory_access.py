"""What clients say of accesses to memories."""

from __future__ import annotations

from datetime import datetime
from enum import Enum
from typing import TYPE_CHECKING, Annotated

import strawberry

from models import Memory
from schema.declarations import enum_type, enum_value, input_type, optional, required
from schema.enums import AccessorType, OrderDirection
from schema.inputs.filters import (
    AccessorTypeFilter,
    DateTimeFilter,
    FloatFilter,
    IDFilter,
    StringFilter,
    ToMany,
)
from schema.inputs.linked import linked
from schema.scalars import JSON

if TYPE_CHECKING:
    from schema.inputs.memory import MemoryFilter


@input_type
class MemoryAccessFilter:
    """Selects accesses to memories. All conditions that are given must hold."""

    id: IDFilter | None = optional("By their ids.")
    memory_id: IDFilter | None = optional("By the ids of their memories.")
    access_type: StringFilter | None = optional("By what was done with the memory.")
    accessed_by: StringFilter | None = optional("By who accessed the memory.")
    accessor_type: AccessorTypeFilter | None = optional("By what kind of party accessed the memory.")
    usefulness: FloatFilter | None = optional("By how useful the memory was, from 0 to 1.")
    created_at: DateTimeFilter | None = optional("By when the memory was accessed.")
    memory: Annotated["MemoryFilter", strawberry.lazy("schema.inputs.memory")] | None = linked(
        Memory, "By their memories.", local="memory_id"
    )
    and_: list[MemoryAccessFilter] | None = optional("All of these filters must hold.", name="and")
    or_: list[MemoryAccessFilter] | None = optional("At least one of these filters must hold.", name="or")
    not_: MemoryAccessFilter | None = optional("This filter must not hold.", name="not")


@input_type
class MemoryAccessesFilter(ToMany):
    """Conditions on the accesses behind a relation to many."""

    some: MemoryAccessFilter | None = optional("At least one of them meets this filter.")
    none: MemoryAccessFilter | None = optional("None of them meets this filter.")


@enum_type
class MemoryAccessOrderField(Enum):
    """The fields that accesses to memories can be ordered by."""

    CREATED_AT = enum_value("created_at", "When the memory was accessed.")
    USEFULNESS = enum_value("usefulness", "How useful the memory was.")


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
        "What was done with it, such as `read`, `update` or `reference`; at most 255 characters."
    )
    accessed_by: str = required(
        "Who accessed it: the id of the agent or user, or a name; at most 255 characters."
    )
    accessor_type: AccessorType = required("What kind of party accessed it.")
    context: JSON | None = optional("In which context it was accessed: a JSON object, `{}` by default.")
    usefulness: float | None = optional("How useful it was, from 0 to 1; null if that is unknown.")
    created_at: datetime | None = optional("When it was accessed; now by default.")
