"""Memories and their revisions."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import strawberry

from agentdata.engine.fields import Cost, Gives, Ordering, Via, batch, column, page, relation
from models import Agent as AgentRow
from models import Memory as MemoryRow
from models import MemoryAccess as MemoryAccessRow
from models import MemoryAnnotation as MemoryAnnotationRow
from models import MemoryLink, MemorySource
from models import MemoryRevision as MemoryRevisionRow
from models import Message as MessageRow
from models import Session as SessionRow
from models import User as UserRow
from resolvers import embeddings
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


_NUMBERS = Cost(parent_points=0.5)
"""A vector of 1,536 numbers is read and written in some 50 µs."""


@object_type(model=MemoryRow)
class Memory(Node):
    """Something that is remembered."""

    created_at: datetime = column(
        "When the memory was formed: the time that its writer gave or, without one, when it was recorded."
    )
    external_id: str | None = column(
        "The id of the memory in another system, unique among the project's memories."
    )
    name: str | None = column("The name of the memory.")
    description: str | None = column("What the memory is about, in words.")
    content: str = column("What is remembered, as plain text.")
    data: JSON = column("What is remembered, in structured form: a JSON object.")
    memory_type: str | None = column(
        "The kind of memory: `fact`, `preference`, `interaction` or another value."
    )
    user: Annotated["User", strawberry.lazy("schema.types.user")] | None = relation(
        UserRow, "The user whom the memory is about.", local="user_id"
    )
    agent: Annotated["Agent", strawberry.lazy("schema.types.agent")] | None = relation(
        AgentRow, "The agent that keeps the memory.", local="agent_id"
    )
    session: Annotated["Session", strawberry.lazy("schema.types.session")] | None = relation(
        SessionRow, "The session that the memory comes from.", local="session_id"
    )
    importance: float = column(
        "How important the memory is, at least 0, on a scale of the writer's choice; 1 by default."
    )
    confidence: float | None = column("How certain the memory is, from 0 to 1.")
    source_type: str | None = column(
        "Where the memory comes from: `user_input`, `agent_inference`, `external` or another value."
    )
    verification_status: VerificationStatus = column("Whether the memory has been verified.")
    topics: list[str] = column("The topics of the memory, in the order in which they were given.")
    read_mode: str | None = column("How the memory is meant to be read, such as `always` or `on_demand`.")
    expires_at: datetime | None = column(
        "When the memory expires and should no longer be used; null if never."
    )
    last_accessed_at: datetime | None = column(
        "When the memory was last accessed; null if never. Maintained automatically."
    )
    access_count: int = column("The number of recorded accesses to the memory. Maintained automatically.")
    rated_count: int = column("The number of accesses that report a usefulness. Maintained automatically.")
    usefulness: float | None = column(
        "The mean usefulness over the accesses that report one, from 0 to 1; null if none does."
    )
    metadata_: JSON = column("Any other data: a JSON object.", name="metadata")
    updated_at: datetime = column("When the memory last changed; accesses do not count as changes.")
    embedding: list[float] | None = batch(
        embeddings.of_memories,
        "A vector of the memory, of the model that is given or else the latest; null if there is none.",
        Gives.VALUE,
        arguments=[embeddings.MODEL],
        bind=embeddings.bind_model,
        cost=_NUMBERS,
    )
    embedded_at: datetime | None = batch(
        embeddings.times_of_memories,
        "When the vector was written that `embedding` gives; null if there is none.",
        Gives.VALUE,
        arguments=[embeddings.MODEL],
        bind=embeddings.bind_model,
    )
    embedding_model: str | None = batch(
        embeddings.models_of_memories,
        "The model of the vector that came last; null if there is none.",
        Gives.VALUE,
    )
    related_memories: Connection[Annotated["Memory", strawberry.lazy("schema.types.memory")]] = page(
        MemoryRow,
        "The memories linked with this one, newest first. Links go both ways.",
        filter_=MemoryFilter,
        order=MemoryOrder,
        via=Via(MemoryLink, "memory_id", "related_id"),
    )
    source_messages: Connection[Annotated["Message", strawberry.lazy("schema.types.message")]] = page(
        MessageRow,
        "The messages that the memory was made from, earliest first.",
        filter_=MessageFilter,
        order=MessageOrder,
        via=Via(MemorySource, "memory_id", "message_id"),
        default=(Ordering("created_at"),),
    )
    accesses: Connection[Annotated["MemoryAccess", strawberry.lazy("schema.types.memory_access")]] = page(
        MemoryAccessRow,
        "The accesses to the memory, latest first.",
        filter_=MemoryAccessFilter,
        order=MemoryAccessOrder,
        remote="memory_id",
    )
    annotations: Connection[
        Annotated["MemoryAnnotation", strawberry.lazy("schema.types.memory_annotation")]
    ] = page(
        MemoryAnnotationRow,
        "The annotations on the memory, newest first.",
        filter_=MemoryAnnotationFilter,
        order=MemoryAnnotationOrder,
        remote="memory_id",
    )
    history: Connection[Annotated["MemoryRevision", strawberry.lazy("schema.types.memory")]] = page(
        MemoryRevisionRow,
        "The revisions of the memory: the contents it had before the present one, latest first.",
        filter_=MemoryRevisionFilter,
        order=MemoryRevisionOrder,
        remote="memory_id",
        default=(Ordering("sequence", descending=True),),
    )


@object_type(model=MemoryRevisionRow)
class MemoryRevision(Node):
    """A former content of a memory, recorded when it was replaced."""

    created_at: datetime = column("When the content was replaced.")
    memory: Annotated["Memory", strawberry.lazy("schema.types.memory")] = relation(
        MemoryRow, "The memory that had the content.", local="memory_id"
    )
    sequence: int = column("The position among the contents that the memory has had: 1, 2, 3 and so on.")
    content: str = column("What was remembered, as plain text.")
    annotation: Annotated["MemoryAnnotation", strawberry.lazy("schema.types.memory_annotation")] | None = (
        relation(
            MemoryAnnotationRow,
            "The annotation whose application replaced the content; null if `updateMemory` replaced it, or"
            " if the annotation was deleted.",
            local="annotation_id",
        )
    )
