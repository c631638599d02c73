"""What clients say of memories."""

from __future__ import annotations

from datetime import datetime
from enum import Enum
from typing import TYPE_CHECKING, Annotated

import strawberry

from agentdata.execution.links import Via
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
    ToMany,
    VerificationStatusFilter,
)
from schema.inputs.linked import linked
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
    """Selects memories. All conditions that are given must hold."""

    id: IDFilter | None = optional("By their ids.")
    user_id: IDFilter | None = optional("By the ids of their users.")
    agent_id: IDFilter | None = optional("By the ids of their agents.")
    session_id: IDFilter | None = optional("By the ids of their sessions.")
    external_id: StringFilter | None = optional("By their ids in another system.")
    name: StringFilter | None = optional("By their names.")
    memory_type: StringFilter | None = optional("By what kind of memory they are.")
    source_type: StringFilter | None = optional("By what they come from.")
    verification_status: VerificationStatusFilter | None = optional(
        "By whether someone has made sure of them."
    )
    read_mode: StringFilter | None = optional("By how they are meant to be read.")
    topics: ListFilter | None = optional("By their topics.")
    importance: FloatFilter | None = optional("By how important they are.")
    confidence: FloatFilter | None = optional("By how sure one can be of them, from 0 to 1.")
    access_count: IntFilter | None = optional("By how often they were accessed.")
    last_accessed_at: DateTimeFilter | None = optional("By when they were last accessed.")
    expires_at: DateTimeFilter | None = optional("By when they expire.")
    created_at: DateTimeFilter | None = optional("By when they were first remembered.")
    updated_at: DateTimeFilter | None = optional("By when they last changed.")
    data: JSONFilter | None = optional("By their `data`.")
    metadata_: JSONFilter | None = optional("By their `metadata`.", name="metadata")
    user: Annotated["UserFilter", strawberry.lazy("schema.inputs.user")] | None = linked(
        User, "By their users.", local="user_id"
    )
    agent: Annotated["AgentFilter", strawberry.lazy("schema.inputs.agent")] | None = linked(
        Agent, "By their agents.", local="agent_id"
    )
    session: Annotated["SessionFilter", strawberry.lazy("schema.inputs.session")] | None = linked(
        Session, "By their sessions.", local="session_id"
    )
    related_memories: MemoriesFilter | None = linked(
        Memory, "By the memories that they are related with.", via=Via(MemoryLink, "memory_id", "related_id")
    )
    source_messages: Annotated["MessagesFilter", strawberry.lazy("schema.inputs.message")] | None = linked(
        Message, "By the messages that they were made from.", via=Via(MemorySource, "memory_id", "message_id")
    )
    accesses: Annotated["MemoryAccessesFilter", strawberry.lazy("schema.inputs.memory_access")] | None = (
        linked(MemoryAccess, "By the accesses to them.", remote="memory_id")
    )
    annotations: (
        Annotated["MemoryAnnotationsFilter", strawberry.lazy("schema.inputs.memory_annotation")] | None
    ) = linked(MemoryAnnotation, "By the annotations on them.", remote="memory_id")
    and_: list[MemoryFilter] | None = optional("All of these filters must hold.", name="and")
    or_: list[MemoryFilter] | None = optional("At least one of these filters must hold.", name="or")
    not_: MemoryFilter | None = optional("This filter must not hold.", name="not")


@input_type
class MemoriesFilter(ToMany):
    """Conditions on the memories behind a relation to many."""

    some: MemoryFilter | None = optional("At least one of them meets this filter.")
    none: MemoryFilter | None = optional("None of them meets this filter.")


@enum_type
class MemoryOrderField(Enum):
    """The fields that memories can be ordered by."""

    CREATED_AT = enum_value("created_at", "When they were first remembered.")
    UPDATED_AT = enum_value("updated_at", "When they last changed.")
    NAME = enum_value("name", "Their names.")
    IMPORTANCE = enum_value("importance", "How important they are.")
    CONFIDENCE = enum_value("confidence", "How sure one can be of them.")
    ACCESS_COUNT = enum_value("access_count", "How often they were accessed.")
    LAST_ACCESSED_AT = enum_value("last_accessed_at", "When they were last accessed.")
    EXPIRES_AT = enum_value("expires_at", "When they expire.")


@input_type
class MemoryOrder:
    """A field to order memories by, and the direction."""

    field: MemoryOrderField = required("The field to order by.")
    direction: OrderDirection = required("The direction of the order.")


@input_type
class MemoryValues:
    """What may be said of a memory."""

    external_id: str | None = optional(
        "Its id in another system, unique among the project's memories; at most 255 characters."
    )
    name: str | None = optional("What it is called; at most 255 characters.")
    description: str | None = optional("What it is about, in words.")
    data: JSON | None = optional(
        "What is remembered, in structured form: a JSON object; on creation `{}` by default."
    )
    memory_type: str | None = optional(
        "What kind of memory it is, such as `fact` or `preference`; at most 255 characters."
    )
    user_id: strawberry.ID | None = optional("The id of the user whom it is about.")
    agent_id: strawberry.ID | None = optional("The id of the agent that remembers it.")
    session_id: strawberry.ID | None = optional("The id of the session that it comes from.")
    importance: float | None = optional(
        "How important it is, at least 0, on a scale of your own; on creation 1 by default."
    )
    confidence: float | None = optional("How sure one can be of it, from 0 to 1.")
    source_type: str | None = optional(
        "What it comes from, such as `user_input`, `agent_inference` or `external`; at most 255 characters."
    )
    verification_status: VerificationStatus | None = optional(
        "Whether someone has made sure of it; on creation UNVERIFIED by default."
    )
    topics: list[str] | None = optional(
        "What it touches on; repetitions are dropped; on creation none by default."
    )
    read_mode: str | None = optional(
        "How it is meant to be read, such as `always` or `on_demand`; at most 255 characters."
    )
    expires_at: datetime | None = optional("From when on it should no longer be used; null if never.")
    metadata_: JSON | None = optional(
        "Anything else: a JSON object; on creation `{}` by default.", name="metadata"
    )


@input_type
class CreateMemoryInput(MemoryValues):
    """A memory to add."""

    content: str = required("What is remembered, as plain text.")
    created_at: datetime | None = optional("When it was first remembered; now by default.")
    source_message_ids: list[strawberry.ID] | None = optional(
        "The ids of the messages that it was made from; at most 1,000."
    )


@input_type
class UpdateMemoryInput(MemoryValues):
    """The changes to a memory. What is left out stays as it is; null clears what may be null."""

    content: str | None = optional(
        "What is remembered, as plain text. The content that it replaces stays in `history`."
    )
    source_message_ids: list[strawberry.ID] | None = optional(
        "The ids of all messages that it was made from, in place of those so far; at most 1,000."
    )
