"""Inputs of memories."""

from __future__ import annotations

from datetime import datetime
from enum import Enum
from typing import TYPE_CHECKING, Annotated

import strawberry

from agentdata.engine.fields import ToMany, Via, filter_on
from agentdata.vectors import Vector
from models import (
    Agent,
    Memory,
    MemoryAccess,
    MemoryAnnotation,
    MemoryLink,
    MemorySource,
    Message,
    Session,
    User,
)
from schema.declarations import enum_type, enum_value, input_type, optional, required
from schema.enums import OrderDirection, VerificationStatus
from schema.inputs.filters import (
    DateTimeFilter,
    FloatFilter,
    IDFilter,
    IntFilter,
    JSONFilter,
    ListFilter,
    StringFilter,
    VerificationStatusFilter,
)
from schema.scalars import JSON

if TYPE_CHECKING:
    from schema.inputs.agent import AgentFilter
    from schema.inputs.memory_access import MemoryAccessesFilter
    from schema.inputs.memory_annotation import MemoryAnnotationsFilter
    from schema.inputs.message import MessagesFilter
    from schema.inputs.session import SessionFilter
    from schema.inputs.user import UserFilter


@input_type
class MemoryFilter:
    """Selects memories. All given conditions must hold."""

    id: IDFilter | None = optional("The id of the memory.")
    user_id: IDFilter | None = optional("The id of the user whom the memory is about.")
    agent_id: IDFilter | None = optional("The id of the agent that keeps the memory.")
    session_id: IDFilter | None = optional("The id of the session that the memory comes from.")
    external_id: StringFilter | None = optional("The id of the memory in another system.")
    name: StringFilter | None = optional("The name of the memory.")
    memory_type: StringFilter | None = optional("The kind of memory.")
    source_type: StringFilter | None = optional("Where the memory comes from.")
    verification_status: VerificationStatusFilter | None = optional("Whether the memory has been verified.")
    read_mode: StringFilter | None = optional("How the memory is meant to be read.")
    topics: ListFilter | None = optional("The topics of the memory.")
    importance: FloatFilter | None = optional("How important the memory is.")
    confidence: FloatFilter | None = optional("How certain the memory is, from 0 to 1.")
    access_count: IntFilter | None = optional("The number of recorded accesses to the memory.")
    rated_count: IntFilter | None = optional("The number of accesses that report a usefulness.")
    usefulness: FloatFilter | None = optional("The mean usefulness of the memory, from 0 to 1.")
    last_accessed_at: DateTimeFilter | None = optional("When the memory was last accessed.")
    expires_at: DateTimeFilter | None = optional("When the memory expires.")
    created_at: DateTimeFilter | None = optional("When the memory was formed.")
    updated_at: DateTimeFilter | None = optional("When the memory last changed.")
    data: JSONFilter | None = optional("What is remembered, in structured form.")
    metadata_: JSONFilter | None = optional("Any other data.", name="metadata")
    user: Annotated["UserFilter", strawberry.lazy("schema.inputs.user")] | None = filter_on(
        User, "Conditions on the user whom the memory is about.", local="user_id"
    )
    agent: Annotated["AgentFilter", strawberry.lazy("schema.inputs.agent")] | None = filter_on(
        Agent, "Conditions on the agent that keeps the memory.", local="agent_id"
    )
    session: Annotated["SessionFilter", strawberry.lazy("schema.inputs.session")] | None = filter_on(
        Session, "Conditions on the session that the memory comes from.", local="session_id"
    )
    related_memories: MemoriesFilter | None = filter_on(
        Memory,
        "Conditions on the memories linked with this one.",
        via=Via(MemoryLink, "memory_id", "related_id"),
    )
    source_messages: Annotated["MessagesFilter", strawberry.lazy("schema.inputs.message")] | None = filter_on(
        Message,
        "Conditions on the messages that the memory was made from.",
        via=Via(MemorySource, "memory_id", "message_id"),
    )
    accesses: Annotated["MemoryAccessesFilter", strawberry.lazy("schema.inputs.memory_access")] | None = (
        filter_on(MemoryAccess, "Conditions on the accesses to the memory.", remote="memory_id")
    )
    annotations: (
        Annotated["MemoryAnnotationsFilter", strawberry.lazy("schema.inputs.memory_annotation")] | None
    ) = filter_on(MemoryAnnotation, "Conditions on the annotations on the memory.", remote="memory_id")
    and_: list[MemoryFilter] | None = optional("All of these filters must hold.", name="and")
    or_: list[MemoryFilter] | None = optional("At least one of these filters must hold.", name="or")
    not_: MemoryFilter | None = optional("This filter must not hold.", name="not")


@input_type
class MemoriesFilter(ToMany):
    """Conditions on related memories."""

    some: MemoryFilter | None = optional("At least one related object meets this filter.")
    none: MemoryFilter | None = optional("No related object meets this filter.")


@enum_type
class MemoryOrderField(Enum):
    """The fields that memories can be ordered by."""

    CREATED_AT = enum_value("created_at", "When the memory was formed.")
    UPDATED_AT = enum_value("updated_at", "When the memory last changed.")
    NAME = enum_value("name", "The name of the memory, by code point.")
    IMPORTANCE = enum_value("importance", "How important the memory is.")
    CONFIDENCE = enum_value("confidence", "How certain the memory is, from 0 to 1.")
    ACCESS_COUNT = enum_value("access_count", "The number of recorded accesses to the memory.")
    RATED_COUNT = enum_value("rated_count", "The number of accesses that report a usefulness.")
    USEFULNESS = enum_value(
        "usefulness",
        "The mean usefulness of the memory, from 0 to 1; an unknown one counts as less than any.",
    )
    LAST_ACCESSED_AT = enum_value("last_accessed_at", "When the memory was last accessed.")
    EXPIRES_AT = enum_value("expires_at", "When the memory expires.")


@input_type
class MemoryOrder:
    """A field to order memories by, and the direction."""

    field: MemoryOrderField = required("The field to order by.")
    direction: OrderDirection = required("The direction of the order.")


@input_type
class MemoryValues:
    """The values of a memory."""

    external_id: str | None = optional(
        "The id of the memory in another system, unique among the project's memories; at most 255 characters."
    )
    name: str | None = optional("The name of the memory; at most 255 characters.")
    description: str | None = optional("What the memory is about, in words.")
    data: JSON | None = optional(
        "What is remembered, in structured form: a JSON object; `{}` by default on creation."
    )
    memory_type: str | None = optional(
        "The kind of memory: `fact`, `preference`, `interaction` or another value; at most 255 characters."
    )
    user_id: strawberry.ID | None = optional("The id of the user whom the memory is about.")
    agent_id: strawberry.ID | None = optional("The id of the agent that keeps the memory.")
    session_id: strawberry.ID | None = optional("The id of the session that the memory comes from.")
    importance: float | None = optional(
        "How important the memory is, at least 0, on a scale of your choice; 1 by default on creation."
    )
    confidence: float | None = optional("How certain the memory is, from 0 to 1.")
    source_type: str | None = optional(
        "Where the memory comes from: `user_input`, `agent_inference`, `external` or another value; at most"
        " 255 characters."
    )
    verification_status: VerificationStatus | None = optional(
        "Whether the memory has been verified; UNVERIFIED by default on creation."
    )
    topics: list[str] | None = optional(
        "The topics of the memory; duplicates are dropped; none by default on creation."
    )
    read_mode: str | None = optional(
        "How the memory is meant to be read, such as `always` or `on_demand`; at most 255 characters."
    )
    expires_at: datetime | None = optional(
        "When the memory expires and should no longer be used; null if never."
    )
    metadata_: JSON | None = optional(
        "Any other data: a JSON object; `{}` by default on creation.", name="metadata"
    )
    embedding: Vector | None = optional(
        "The vector of the memory, which replaces that of the same model. On a change, null deletes the"
        " vector of the `embeddingModel`, or all without one. A change of the name, the description or the"
        " content deletes all other vectors, because they were made of the text before."
    )
    embedding_model: str | None = optional(
        "The name of the model that made the `embedding`, which needs it; at most 255 characters."
    )


@input_type
class CreateMemoryInput(MemoryValues):
    """A memory to add."""

    content: str = required("What is remembered, as plain text.")
    created_at: datetime | None = optional("When the memory was formed; now by default.")
    source_message_ids: list[strawberry.ID] | None = optional(
        "The ids of the messages that the memory was made from; at most 1,000."
    )


@input_type
class UpdateMemoryInput(MemoryValues):
    """The changes to a memory.

    Fields that are left out stay as they are; null clears a field that may be null.
    """

    content: str | None = optional(
        "What is remembered, as plain text. The replaced content stays in `history`."
    )
    source_message_ids: list[strawberry.ID] | None = optional(
        "The ids of all messages that the memory was made from, which replace the present ones; at most"
        " 1,000."
    )
