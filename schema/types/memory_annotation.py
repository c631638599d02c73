"""A note on a memory."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import strawberry

from agentdata.engine.fields import column, either, relation
from models import Agent as AgentRow
from models import Memory as MemoryRow
from models import MemoryAnnotation as MemoryAnnotationRow
from models import MemoryRevision as MemoryRevisionRow
from models import User as UserRow
from schema.declarations import object_type
from schema.enums import VerificationStatus
from schema.types.node import Node

if TYPE_CHECKING:
    from schema.types.actor import Actor
    from schema.types.memory import Memory, MemoryRevision


@object_type(model=MemoryAnnotationRow)
class MemoryAnnotation(Node):
    """A note on a memory, which can be applied to the memory once."""

    memory: Annotated["Memory", strawberry.lazy("schema.types.memory")] = relation(
        MemoryRow, "The annotated memory.", local="memory_id"
    )
    annotation_type: str = column(
        "The kind of annotation: `correction`, `enhancement`, `verification` or another value."
    )
    content: str = column("The text of the annotation.")
    verification_status: VerificationStatus | None = column(
        "The finding of a `verification`; null for every other annotation."
    )
    created_by: Annotated["Actor", strawberry.lazy("schema.types.actor")] | None = either(
        "The user or agent who made the annotation.", created_by_user_id=UserRow, created_by_agent_id=AgentRow
    )
    is_applied: bool = column("Whether the annotation was applied to the memory.")
    applied_at: datetime | None = column("When the annotation was applied; null if it was not.")
    updated_at: datetime = column("When the annotation last changed.")
    revision: Annotated["MemoryRevision", strawberry.lazy("schema.types.memory")] | None = relation(
        MemoryRevisionRow,
        "The revision that holds the content it replaced; null if it replaced none.",
        remote="annotation_id",
    )
