"""One access to a memory."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import strawberry

from agentdata.engine.fields import column, relation
from models import Memory as MemoryRow
from models import MemoryAccess as MemoryAccessRow
from schema.declarations import object_type
from schema.enums import AccessorType
from schema.scalars import JSON
from schema.types.node import Node

if TYPE_CHECKING:
    from schema.types.memory import Memory


@object_type(model=MemoryAccessRow)
class MemoryAccess(Node):
    """One access to a memory."""

    created_at: datetime = column("When the memory was accessed.")
    memory: Annotated["Memory", strawberry.lazy("schema.types.memory")] = relation(
        MemoryRow, "The memory that was accessed.", local="memory_id"
    )
    access_type: str = column("The kind of access: `read`, `update`, `reference` or another value.")
    accessed_by: str = column("Who accessed the memory: the id of an agent or user, or a name.")
    accessor_type: AccessorType = column("The kind of party that accessed the memory.")
    context: JSON = column("The context of the access: a JSON object.")
    usefulness: float | None = column(
        "How useful the memory was in this access, from 0 to 1; null if unknown."
    )
