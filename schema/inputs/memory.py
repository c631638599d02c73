"""What clients say of memories."""

from __future__ import annotations

from datetime import datetime
from enum import Enum
from typing import TYPE_CHECKING, Annotated

import strawberry
from strawberry import UNSET

from agentdata.engine.sql.links import Via
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


@strawberry.input(description="Selects memories. All conditions that are given must hold.")
class MemoryFilter:
    """Selects memories. All conditions that are given must hold."""

    id: IDFilter | None = strawberry.field(default=UNSET, description="By their ids.")
    user_id: IDFilter | None = strawberry.field(default=UNSET, description="By the ids of their users.")
    agent_id: IDFilter | None = strawberry.field(default=UNSET, description="By the ids of their agents.")
    session_id: IDFilter | None = strawberry.field(default=UNSET, description="By the ids of their sessions.")
    external_id: StringFilter | None = strawberry.field(
        default=UNSET, description="By their ids in another system."
    )
    name: StringFilter | None = strawberry.field(default=UNSET, description="By their names.")
    memory_type: StringFilter | None = strawberry.field(
        default=UNSET, description="By what kind of memory they are."
    )
    source_type: StringFilter | None = strawberry.field(default=UNSET, description="By what they come from.")
    verification_status: VerificationStatusFilter | None = strawberry.field(
        default=UNSET, description="By whether someone has made sure of them."
    )
    read_mode: StringFilter | None = strawberry.field(
        default=UNSET, description="By how they are meant to be read."
    )
    topics: ListFilter | None = strawberry.field(default=UNSET, description="By their topics.")
    importance: FloatFilter | None = strawberry.field(default=UNSET, description="By how important they are.")
    confidence: FloatFilter | None = strawberry.field(
        default=UNSET, description="By how sure one can be of them, from 0 to 1."
    )
    access_count: IntFilter | None = strawberry.field(
        default=UNSET, description="By how often they were accessed."
    )
    last_accessed_at: DateTimeFilter | None = strawberry.field(
        default=UNSET, description="By when they were last accessed."
    )
    expires_at: DateTimeFilter | None = strawberry.field(default=UNSET, description="By when they expire.")
    created_at: DateTimeFilter | None = strawberry.field(
        default=UNSET, description="By when they were first remembered."
    )
    updated_at: DateTimeFilter | None = strawberry.field(
        default=UNSET, description="By when they last changed."
    )
    data: JSONFilter | None = strawberry.field(default=UNSET, description="By their `data`.")
    metadata_: JSONFilter | None = strawberry.field(
        default=UNSET, name="metadata", description="By their `metadata`."
    )
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
    and_: list[MemoryFilter] | None = strawberry.field(
        default=UNSET, name="and", description="All of these filters must hold."
    )
    or_: list[MemoryFilter] | None = strawberry.field(
        default=UNSET, name="or", description="At least one of these filters must hold."
    )
    not_: MemoryFilter | None = strawberry.field(
        default=UNSET, name="not", description="This filter must not hold."
    )


@strawberry.input(description="Conditions on the memories behind a relation to many.")
class MemoriesFilter(ToMany):
    """Conditions on the memories behind a relation to many."""

    some: MemoryFilter | None = strawberry.field(
        default=UNSET, description="At least one of them meets this filter."
    )
    none: MemoryFilter | None = strawberry.field(default=UNSET, description="None of them meets this filter.")


@strawberry.enum(description="The fields that memories can be ordered by.")
class MemoryOrderField(Enum):
    """The fields that memories can be ordered by."""

    CREATED_AT = strawberry.enum_value("created_at", description="When they were first remembered.")
    UPDATED_AT = strawberry.enum_value("updated_at", description="When they last changed.")
    NAME = strawberry.enum_value("name", description="Their names.")
    IMPORTANCE = strawberry.enum_value("importance", description="How important they are.")
    CONFIDENCE = strawberry.enum_value("confidence", description="How sure one can be of them.")
    ACCESS_COUNT = strawberry.enum_value("access_count", description="How often they were accessed.")
    LAST_ACCESSED_AT = strawberry.enum_value("last_accessed_at", description="When they were last accessed.")
    EXPIRES_AT = strawberry.enum_value("expires_at", description="When they expire.")


@strawberry.input(description="A field to order memories by, and the direction.")
class MemoryOrder:
    """A field to order memories by, and the direction."""

    field: MemoryOrderField = strawberry.field(description="The field to order by.")
    direction: OrderDirection = strawberry.field(description="The direction of the order.")


@strawberry.input(description="What may be said of a memory.")
class MemoryValues:
    """What may be said of a memory."""

    external_id: str | None = strawberry.field(
        default=UNSET,
        description="Its id in another system, unique among the project's memories; at most 255 characters.",
    )
    name: str | None = strawberry.field(
        default=UNSET, description="What it is called; at most 255 characters."
    )
    description: str | None = strawberry.field(default=UNSET, description="What it is about, in words.")
    data: JSON | None = strawberry.field(
        default=UNSET,
        description="What is remembered, in structured form: a JSON object; on creation `{}` by default.",
    )
    memory_type: str | None = strawberry.field(
        default=UNSET,
        description="What kind of memory it is, such as `fact` or `preference`; at most 255 characters.",
    )
    user_id: strawberry.ID | None = strawberry.field(
        default=UNSET, description="The id of the user whom it is about."
    )
    agent_id: strawberry.ID | None = strawberry.field(
        default=UNSET, description="The id of the agent that remembers it."
    )
    session_id: strawberry.ID | None = strawberry.field(
        default=UNSET, description="The id of the session that it comes from."
    )
    importance: float | None = strawberry.field(
        default=UNSET,
        description="How important it is, at least 0, on a scale of your own; on creation 1 by default.",
    )
    confidence: float | None = strawberry.field(
        default=UNSET, description="How sure one can be of it, from 0 to 1."
    )
    source_type: str | None = strawberry.field(
        default=UNSET,
        description=(
            "What it comes from, such as `user_input`, `agent_inference` or `external`; at most 255"
            " characters."
        ),
    )
    verification_status: VerificationStatus | None = strawberry.field(
        default=UNSET,
        description="Whether someone has made sure of it; on creation UNVERIFIED by default.",
    )
    topics: list[str] | None = strawberry.field(
        default=UNSET,
        description="What it touches on; repetitions are dropped; on creation none by default.",
    )
    read_mode: str | None = strawberry.field(
        default=UNSET,
        description="How it is meant to be read, such as `always` or `on_demand`; at most 255 characters.",
    )
    expires_at: datetime | None = strawberry.field(
        default=UNSET, description="From when on it should no longer be used; null if never."
    )
    metadata_: JSON | None = strawberry.field(
        default=UNSET,
        name="metadata",
        description="Anything else: a JSON object; on creation `{}` by default.",
    )


@strawberry.input(description="A memory to add.")
class CreateMemoryInput(MemoryValues):
    """A memory to add."""

    content: str = strawberry.field(description="What is remembered, as plain text.")
    created_at: datetime | None = strawberry.field(
        default=UNSET, description="When it was first remembered; now by default."
    )
    source_message_ids: list[strawberry.ID] | None = strawberry.field(
        default=UNSET, description="The ids of the messages that it was made from; at most 1,000."
    )


@strawberry.input(
    description="The changes to a memory. What is left out stays as it is; null clears what may be null."
)
class UpdateMemoryInput(MemoryValues):
    """The changes to a memory. What is left out stays as it is; null clears what may be null."""

    content: str | None = strawberry.field(
        default=UNSET,
        description="What is remembered, as plain text. The content that it replaces stays in `history`.",
    )
    source_message_ids: list[strawberry.ID] | None = strawberry.field(
        default=UNSET,
        description="The ids of all messages that it was made from, in place of those so far; at most 1,000.",
    )
