"""What clients say of accesses to memories."""

from __future__ import annotations

from datetime import datetime
from enum import Enum
from typing import TYPE_CHECKING, Annotated

import strawberry
from strawberry import UNSET

from models import Memory
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


@strawberry.input(description="Selects accesses to memories. All conditions that are given must hold.")
class MemoryAccessFilter:
    """Selects accesses to memories. All conditions that are given must hold."""

    id: IDFilter | None = strawberry.field(default=UNSET, description="By their ids.")
    memory_id: IDFilter | None = strawberry.field(default=UNSET, description="By the ids of their memories.")
    access_type: StringFilter | None = strawberry.field(
        default=UNSET, description="By what was done with the memory."
    )
    accessed_by: StringFilter | None = strawberry.field(
        default=UNSET, description="By who accessed the memory."
    )
    accessor_type: AccessorTypeFilter | None = strawberry.field(
        default=UNSET, description="By what kind of party accessed the memory."
    )
    usefulness: FloatFilter | None = strawberry.field(
        default=UNSET, description="By how useful the memory was, from 0 to 1."
    )
    created_at: DateTimeFilter | None = strawberry.field(
        default=UNSET, description="By when the memory was accessed."
    )
    memory: Annotated["MemoryFilter", strawberry.lazy("schema.inputs.memory")] | None = linked(
        Memory, "By their memories.", local="memory_id"
    )
    and_: list[MemoryAccessFilter] | None = strawberry.field(
        default=UNSET, name="and", description="All of these filters must hold."
    )
    or_: list[MemoryAccessFilter] | None = strawberry.field(
        default=UNSET, name="or", description="At least one of these filters must hold."
    )
    not_: MemoryAccessFilter | None = strawberry.field(
        default=UNSET, name="not", description="This filter must not hold."
    )


@strawberry.input(description="Conditions on the accesses behind a relation to many.")
class MemoryAccessesFilter(ToMany):
    """Conditions on the accesses behind a relation to many."""

    some: MemoryAccessFilter | None = strawberry.field(
        default=UNSET, description="At least one of them meets this filter."
    )
    none: MemoryAccessFilter | None = strawberry.field(
        default=UNSET, description="None of them meets this filter."
    )


@strawberry.enum(description="The fields that accesses to memories can be ordered by.")
class MemoryAccessOrderField(Enum):
    """The fields that accesses to memories can be ordered by."""

    CREATED_AT = strawberry.enum_value("created_at", description="When the memory was accessed.")
    USEFULNESS = strawberry.enum_value("usefulness", description="How useful the memory was.")


@strawberry.input(description="A field to order accesses to memories by, and the direction.")
class MemoryAccessOrder:
    """A field to order accesses to memories by, and the direction."""

    field: MemoryAccessOrderField = strawberry.field(description="The field to order by.")
    direction: OrderDirection = strawberry.field(description="The direction of the order.")


@strawberry.input(description="An access to a memory.")
class RecordMemoryAccessInput:
    """An access to a memory."""

    memory_id: strawberry.ID = strawberry.field(description="The id of the memory.")
    access_type: str = strawberry.field(
        description="What was done with it, such as `read`, `update` or `reference`; at most 255 characters."
    )
    accessed_by: str = strawberry.field(
        description="Who accessed it: the id of the agent or user, or a name; at most 255 characters."
    )
    accessor_type: AccessorType = strawberry.field(description="What kind of party accessed it.")
    context: JSON | None = strawberry.field(
        default=UNSET, description="In which context it was accessed: a JSON object, `{}` by default."
    )
    usefulness: float | None = strawberry.field(
        default=UNSET, description="How useful it was, from 0 to 1; null if that is unknown."
    )
    created_at: datetime | None = strawberry.field(
        default=UNSET, description="When it was accessed; now by default."
    )
