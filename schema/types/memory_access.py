"""One use of a memory."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import strawberry

from models import Memory as MemoryRow
from models import MemoryAccess as MemoryAccessRow
from resolvers.fields import column, relation
from schema.declarations import object_type
from schema.enums import AccessorType
from schema.scalars import JSON
from schema.types.node import Node

if TYPE_CHECKING:
    from schema.types.memory import Memory


@object_type(model=MemoryAccessRow)
class MemoryAccess(Node):
    """One use of a memory."""

    created_at: datetime = column("When the memory was accessed.")
    memory: Annotated["Memory", strawberry.lazy("schema.types.memory")] = relation(
        MemoryRow, "The memory that was accessed.", by="memory_id"
    )
    access_type: str = column("What was done with it: `read`, `update`, `reference` or another.")
    accessed_by: str = column("Who accessed it: the id of the agent or user, or a name.")
    accessor_type: AccessorType = column("What kind of party accessed it.")
    context: JSON = column("In which context it was accessed: a JSON object.")
    usefulness: float | None = column("How useful it was, from 0 to 1; null if that is unknown.")
