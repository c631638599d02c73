"""Something that is remembered, and the contents that it had before."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import strawberry

from agentdata.execution.links import Via
from models import Agent as AgentRow
from models import Memory as MemoryRow
from models import MemoryAccess as MemoryAccessRow
from models import MemoryAnnotation as MemoryAnnotationRow
from models import MemoryLink, MemorySource
from models import MemoryRevision as MemoryRevisionRow
from models import Message as MessageRow
from models import Session as SessionRow
from models import User as UserRow
from resolvers import memories
from resolvers.batches import Gives
from resolvers.fields import batch, column, page, relation
from resolvers.paging import Ordering
from schema.declarations import object_type
from schema.enums import VerificationStatus
from schema.inputs.memory import MemoryFilter, MemoryOrder
from schema.inputs.memory_access import MemoryAccessFilter, MemoryAccessOrder
from schema.inputs.memory_annotation import MemoryAnnotationFilter, MemoryAnnotationOrder
from schema.inputs.memory_revision import MemoryRevisionFilter, MemoryRevisionOrder
from schema.inputs.message import MessageFilter, MessageOrder
from schema.scalars import JSON
from schema.types.connection import Connection
from schema.types.node import Node

if TYPE_CHECKING:
    from schema.types.agent import Agent
    from schema.types.memory_access import MemoryAccess
    from schema.types.memory_annotation import MemoryAnnotation
    from schema.types.message import Message
    from schema.types.session import Session
    from schema.types.user import User


@object_type(model=MemoryRow)
class Memory(Node):
    """Something that is remembered."""

    created_at: datetime = column(
        "When it was first remembered, as its writer gave it, or else when it was recorded."
    )
    external_id: str | None = column("Its id in another system, unique among the project's memories.")
    name: str | None = column("What it is called.")
    description: str | None = column("What it is about, in words.")
    content: str = column("What is remembered, as plain text.")
    data: JSON = column("What is remembered, in structured form: a JSON object.")
    memory_type: str | None = column(
        "What kind of memory it is: `fact`, `preference`, `interaction` or another."
    )
    user: Annotated["User", strawberry.lazy("schema.types.user")] | None = relation(
        UserRow, "The user whom it is about.", by="user_id"
    )
    agent: Annotated["Agent", strawberry.lazy("schema.types.agent")] | None = relation(
        AgentRow, "The agent that remembers it.", by="agent_id"
    )
    session: Annotated["Session", strawberry.lazy("schema.types.session")] | None = relation(
        SessionRow, "The session that it comes from.", by="session_id"
    )
    importance: float = column(
        "How important it is: 1 unless its writer said otherwise, at least 0, on a scale of the writer's own."
    )
    confidence: float | None = column("How sure one can be of it, from 0 to 1.")
    source_type: str | None = column(
        "What it comes from: `user_input`, `agent_inference`, `external` or another."
    )
    verification_status: VerificationStatus = column("Whether someone has made sure of it.")
    topics: list[str] = column("What it touches on, in the order in which that was given.")
    read_mode: str | None = column("How it is meant to be read, such as `always` or `on_demand`.")
    expires_at: datetime | None = column("From when on it should no longer be used; null if never.")
    last_accessed_at: datetime | None = column(
        "When it was last accessed; null if it never was. Kept by the system."
    )
    access_count: int = column("How many accesses to it were recorded. Kept by the system.")
    metadata_: JSON = column("Anything else: a JSON object.", name="metadata")
    updated_at: datetime = column("When it last changed; accesses do not count as changes.")
    usefulness: float | None = batch(
        memories.usefulness,
        "How useful it was, from 0 to 1: the mean over the accesses that say so; null if none does.",
        Gives.VALUE,
    )
    related_memories: Connection[Annotated["Memory", strawberry.lazy("schema.types.memory")]] = page(
        MemoryRow,
        "The memories that it is linked with, the newest first. A link leads both ways.",
        filter_=MemoryFilter,
        order=MemoryOrder,
        via=Via(MemoryLink, "memory_id", "related_id"),
    )
    source_messages: Connection[Annotated["Message", strawberry.lazy("schema.types.message")]] = page(
        MessageRow,
        "The messages that it was made from, the earliest first.",
        filter_=MessageFilter,
        order=MessageOrder,
        via=Via(MemorySource, "memory_id", "message_id"),
        default=(Ordering("created_at"),),
    )
    accesses: Connection[Annotated["MemoryAccess", strawberry.lazy("schema.types.memory_access")]] = page(
        MemoryAccessRow,
        "The accesses to it, the latest first.",
        filter_=MemoryAccessFilter,
        order=MemoryAccessOrder,
        by="memory_id",
    )
    annotations: Connection[
        Annotated["MemoryAnnotation", strawberry.lazy("schema.types.memory_annotation")]
    ] = page(
        MemoryAnnotationRow,
        "The annotations on it, the newest first.",
        filter_=MemoryAnnotationFilter,
        order=MemoryAnnotationOrder,
        by="memory_id",
    )
    history: Connection[Annotated["MemoryRevision", strawberry.lazy("schema.types.memory")]] = page(
        MemoryRevisionRow,
        "The contents that it had before the present one, the last one first.",
        filter_=MemoryRevisionFilter,
        order=MemoryRevisionOrder,
        by="memory_id",
        default=(Ordering("sequence", descending=True),),
    )


@object_type(model=MemoryRevisionRow)
class MemoryRevision(Node):
    """A content that a memory had until it was replaced."""

    created_at: datetime = column("When it was replaced.")
    memory: Annotated["Memory", strawberry.lazy("schema.types.memory")] = relation(
        MemoryRow, "The memory that had it.", by="memory_id"
    )
    sequence: int = column("Its place among the contents that the memory has had: 1, 2, 3 and so on.")
    content: str = column("What was remembered, as plain text.")
    annotation: Annotated["MemoryAnnotation", strawberry.lazy("schema.types.memory_annotation")] | None = (
        relation(
            MemoryAnnotationRow,
            "The annotation whose application replaced it; null if `updateMemory` did, or if it was deleted.",
            by="annotation_id",
        )
    )
