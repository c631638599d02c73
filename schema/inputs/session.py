"""What clients say of sessions."""

from __future__ import annotations

from datetime import datetime
from enum import Enum
from typing import TYPE_CHECKING, Annotated

import strawberry
from strawberry import UNSET

from models import (
    Agent,
    AgentVersion,
    Memory,
    Message,
    ModuleState,
    Sandbox,
    Session,
    SessionEvent,
    StateTransition,
    Team,
    ToolCall,
    UsageRecord,
    User,
)
from schema.enums import OrderDirection, SessionStatus
from schema.inputs.filters import (
    BigIntFilter,
    BooleanFilter,
    DateTimeFilter,
    FloatFilter,
    IDFilter,
    IntFilter,
    JSONFilter,
    ListFilter,
    SessionStatusFilter,
    StringFilter,
    ToMany,
)
from schema.inputs.linked import linked
from schema.scalars import JSON

if TYPE_CHECKING:
    from schema.inputs.agent import AgentFilter
    from schema.inputs.agent_version import AgentVersionFilter
    from schema.inputs.memory import MemoriesFilter
    from schema.inputs.message import MessagesFilter
    from schema.inputs.module_state import ModuleStatesFilter
    from schema.inputs.sandbox import SandboxFilter
    from schema.inputs.session_event import SessionEventsFilter
    from schema.inputs.state_transition import StateTransitionsFilter
    from schema.inputs.team import TeamFilter
    from schema.inputs.tool_call import ToolCallsFilter
    from schema.inputs.usage_record import UsageRecordsFilter
    from schema.inputs.user import UserFilter


@strawberry.input(description="Selects sessions. All conditions that are given must hold.")
class SessionFilter:
    """Selects sessions. All conditions that are given must hold."""

    id: IDFilter | None = strawberry.field(default=UNSET, description="By their ids.")
    user_id: IDFilter | None = strawberry.field(default=UNSET, description="By the ids of their users.")
    agent_id: IDFilter | None = strawberry.field(default=UNSET, description="By the ids of their agents.")
    agent_version_id: IDFilter | None = strawberry.field(
        default=UNSET, description="By the ids of the versions that their agents ran on."
    )
    team_id: IDFilter | None = strawberry.field(default=UNSET, description="By the ids of their teams.")
    parent_id: IDFilter | None = strawberry.field(
        default=UNSET, description="By the ids of their parents; null for roots."
    )
    external_id: StringFilter | None = strawberry.field(
        default=UNSET, description="By their ids in another system."
    )
    title: StringFilter | None = strawberry.field(default=UNSET, description="By their titles.")
    status: SessionStatusFilter | None = strawberry.field(default=UNSET, description="By their statuses.")
    is_active: BooleanFilter | None = strawberry.field(
        default=UNSET, description="By whether they are open: active or paused."
    )
    platform: StringFilter | None = strawberry.field(default=UNSET, description="By where they take place.")
    provider: StringFilter | None = strawberry.field(default=UNSET, description="By who serves the model.")
    source: StringFilter | None = strawberry.field(default=UNSET, description="By what set them off.")
    tags: ListFilter | None = strawberry.field(default=UNSET, description="By their tags.")
    quality_score: FloatFilter | None = strawberry.field(
        default=UNSET, description="By how good they were, from 0 to 1."
    )
    user_satisfaction: FloatFilter | None = strawberry.field(
        default=UNSET, description="By how satisfied the user was, from 0 to 1."
    )
    message_count: IntFilter | None = strawberry.field(
        default=UNSET, description="By how many messages they have."
    )
    interaction_count: IntFilter | None = strawberry.field(
        default=UNSET, description="By how many turns the user had."
    )
    prompt_tokens: BigIntFilter | None = strawberry.field(
        default=UNSET, description="By how many prompt tokens models read."
    )
    completion_tokens: BigIntFilter | None = strawberry.field(
        default=UNSET, description="By how many completion tokens models wrote."
    )
    cost_usd: FloatFilter | None = strawberry.field(
        default=UNSET, description="By what they cost, in US dollars."
    )
    started_at: DateTimeFilter | None = strawberry.field(default=UNSET, description="By when they began.")
    ended_at: DateTimeFilter | None = strawberry.field(default=UNSET, description="By when they ended.")
    last_activity_at: DateTimeFilter | None = strawberry.field(
        default=UNSET, description="By when something last happened."
    )
    created_at: DateTimeFilter | None = strawberry.field(
        default=UNSET, description="By when they were recorded."
    )
    updated_at: DateTimeFilter | None = strawberry.field(
        default=UNSET, description="By when they last changed."
    )
    depth: IntFilter | None = strawberry.field(
        default=UNSET, description="By how deep they are in their trees; a root has 0."
    )
    root_id: IDFilter | None = strawberry.field(default=UNSET, description="By the root of their tree.")
    metadata_: JSONFilter | None = strawberry.field(
        default=UNSET, name="metadata", description="By their `metadata`."
    )
    state: JSONFilter | None = strawberry.field(default=UNSET, description="By their `state`.")
    context: JSONFilter | None = strawberry.field(default=UNSET, description="By their `context`.")
    user: Annotated["UserFilter", strawberry.lazy("schema.inputs.user")] | None = linked(
        User, "By their users.", local="user_id"
    )
    agent: Annotated["AgentFilter", strawberry.lazy("schema.inputs.agent")] | None = linked(
        Agent, "By their agents.", local="agent_id"
    )
    agent_version: Annotated["AgentVersionFilter", strawberry.lazy("schema.inputs.agent_version")] | None = (
        linked(AgentVersion, "By the versions that their agents ran on.", local="agent_version_id")
    )
    team: Annotated["TeamFilter", strawberry.lazy("schema.inputs.team")] | None = linked(
        Team, "By their teams.", local="team_id"
    )
    parent: SessionFilter | None = linked(Session, "By their parents.", local="parent_id")
    children: SessionsFilter | None = linked(Session, "By their children.", remote="parent_id")
    messages: Annotated["MessagesFilter", strawberry.lazy("schema.inputs.message")] | None = linked(
        Message, "By their messages.", remote="session_id"
    )
    tool_calls: Annotated["ToolCallsFilter", strawberry.lazy("schema.inputs.tool_call")] | None = linked(
        ToolCall, "By their tool calls.", remote="session_id"
    )
    events: Annotated["SessionEventsFilter", strawberry.lazy("schema.inputs.session_event")] | None = linked(
        SessionEvent, "By what happened in them.", remote="session_id"
    )
    usage: Annotated["UsageRecordsFilter", strawberry.lazy("schema.inputs.usage_record")] | None = linked(
        UsageRecord, "By the uses of models in them.", remote="session_id"
    )
    sandbox: Annotated["SandboxFilter", strawberry.lazy("schema.inputs.sandbox")] | None = linked(
        Sandbox, "By their sandboxes.", remote="session_id"
    )
    module_states: Annotated["ModuleStatesFilter", strawberry.lazy("schema.inputs.module_state")] | None = (
        linked(ModuleState, "By the states that modules had in them.", remote="session_id")
    )
    state_transitions: (
        Annotated["StateTransitionsFilter", strawberry.lazy("schema.inputs.state_transition")] | None
    ) = linked(StateTransition, "By the transitions between states of modules in them.", remote="session_id")
    memories: Annotated["MemoriesFilter", strawberry.lazy("schema.inputs.memory")] | None = linked(
        Memory, "By their memories.", remote="session_id"
    )
    and_: list[SessionFilter] | None = strawberry.field(
        default=UNSET, name="and", description="All of these filters must hold."
    )
    or_: list[SessionFilter] | None = strawberry.field(
        default=UNSET, name="or", description="At least one of these filters must hold."
    )
    not_: SessionFilter | None = strawberry.field(
        default=UNSET, name="not", description="This filter must not hold."
    )


@strawberry.input(description="Conditions on the sessions behind a relation to many.")
class SessionsFilter(ToMany):
    """Conditions on the sessions behind a relation to many."""

    some: SessionFilter | None = strawberry.field(
        default=UNSET, description="At least one of them meets this filter."
    )
    none: SessionFilter | None = strawberry.field(
        default=UNSET, description="None of them meets this filter."
    )


@strawberry.enum(description="The fields that sessions can be ordered by.")
class SessionOrderField(Enum):
    """The fields that sessions can be ordered by."""

    CREATED_AT = strawberry.enum_value("created_at", description="When they were recorded.")
    UPDATED_AT = strawberry.enum_value("updated_at", description="When they last changed.")
    STARTED_AT = strawberry.enum_value("started_at", description="When they began.")
    ENDED_AT = strawberry.enum_value("ended_at", description="When they ended.")
    LAST_ACTIVITY_AT = strawberry.enum_value("last_activity_at", description="When something last happened.")
    QUALITY_SCORE = strawberry.enum_value("quality_score", description="How good they were.")
    USER_SATISFACTION = strawberry.enum_value("user_satisfaction", description="How satisfied the user was.")
    MESSAGE_COUNT = strawberry.enum_value("message_count", description="How many messages they have.")
    INTERACTION_COUNT = strawberry.enum_value("interaction_count", description="How many turns the user had.")
    PROMPT_TOKENS = strawberry.enum_value("prompt_tokens", description="How many prompt tokens models read.")
    COMPLETION_TOKENS = strawberry.enum_value(
        "completion_tokens", description="How many completion tokens models wrote."
    )
    COST_USD = strawberry.enum_value("cost_usd", description="What they cost; unknown comes before nothing.")


@strawberry.input(description="A field to order sessions by, and the direction.")
class SessionOrder:
    """A field to order sessions by, and the direction."""

    field: SessionOrderField = strawberry.field(description="The field to order by.")
    direction: OrderDirection = strawberry.field(description="The direction of the order.")


@strawberry.input(description="What may be said of a session.")
class SessionValues:
    """What may be said of a session."""

    title: str | None = strawberry.field(
        default=UNSET, description="What it is called; at most 1,000 characters."
    )
    user_id: strawberry.ID | None = strawberry.field(
        default=UNSET, description="The id of the user whom it is with."
    )
    agent_id: strawberry.ID | None = strawberry.field(
        default=UNSET, description="The id of the agent that holds it."
    )
    agent_version_id: strawberry.ID | None = strawberry.field(
        default=UNSET,
        description=(
            "The id of the version that the agent ran on, one of the agent's own; a new session takes the"
            " active one by default."
        ),
    )
    team_id: strawberry.ID | None = strawberry.field(
        default=UNSET, description="The id of the team that holds it."
    )
    platform: str | None = strawberry.field(
        default=UNSET, description="Where it takes place, such as `web`, `slack` or `whatsapp`."
    )
    provider: str | None = strawberry.field(
        default=UNSET, description="Who serves the model, such as `openai` or `anthropic`."
    )
    purpose: str | None = strawberry.field(default=UNSET, description="What it is for.")
    business_context: JSON | None = strawberry.field(
        default=UNSET,
        description="The business context that it belongs to: a JSON object; on creation `{}` by default.",
    )
    tags: list[str] | None = strawberry.field(
        default=UNSET,
        description="Its tags: at most 100, each of at most 255 characters; repetitions are dropped.",
    )
    quality_score: float | None = strawberry.field(default=UNSET, description="How good it was, from 0 to 1.")
    user_satisfaction: float | None = strawberry.field(
        default=UNSET, description="How satisfied the user was, from 0 to 1."
    )
    learning_outcomes: JSON | None = strawberry.field(
        default=UNSET, description="What was learned from it: a JSON object; on creation `{}` by default."
    )
    source: str | None = strawberry.field(
        default=UNSET,
        description="What set it off: `user`, `webhook`, `scheduled_job`, `agent`, `api` or another.",
    )
    context: JSON | None = strawberry.field(
        default=UNSET,
        description="What the agent was given to know: a JSON object; on creation `{}` by default.",
    )
    state: JSON | None = strawberry.field(
        default=UNSET,
        description="What the agent keeps in it between turns: a JSON object; on creation `{}` by default.",
    )
    metadata_: JSON | None = strawberry.field(
        default=UNSET,
        description="Anything else: a JSON object; on creation `{}` by default.",
        name="metadata",
    )
    cost_usd: float | None = strawberry.field(
        default=UNSET,
        description=(
            "What it cost, in US dollars, from 0 to 999,999,999; null if unknown. It replaces what usage"
            " records have added so far; later ones add to it."
        ),
    )


@strawberry.input(description="A session to record, in any status.")
class CreateSessionInput(SessionValues):
    """A session to record, in any status."""

    external_id: str | None = strawberry.field(
        default=UNSET,
        description="Its id in another system, unique among the project's sessions; at most 255 characters.",
    )
    parent_id: strawberry.ID | None = strawberry.field(
        default=UNSET, description="The id of the session directly above it; it cannot be changed later."
    )
    status: SessionStatus | None = strawberry.field(
        default=UNSET,
        description=(
            "Its status; one that ends the session sets `endedAt`, and one that reopens it clears that."
        ),
    )
    started_at: datetime | None = strawberry.field(
        default=UNSET, description="When it began; now by default."
    )
    ended_at: datetime | None = strawberry.field(
        default=UNSET, description="When it ended, not before `startedAt`; only with a status that ends it."
    )


@strawberry.input(description="A session that begins now.")
class StartSessionInput(SessionValues):
    """A session that begins now."""

    external_id: str | None = strawberry.field(
        default=UNSET,
        description="Its id in another system, unique among the project's sessions; at most 255 characters.",
    )
    parent_id: strawberry.ID | None = strawberry.field(
        default=UNSET, description="The id of the session directly above it; it cannot be changed later."
    )


@strawberry.input(
    description="The changes to a session. What is left out stays as it is; null clears what may be null."
)
class UpdateSessionInput(SessionValues):
    """The changes to a session. What is left out stays as it is; null clears what may be null."""

    external_id: str | None = strawberry.field(
        default=UNSET,
        description="Its id in another system, unique among the project's sessions; at most 255 characters.",
    )
    status: SessionStatus | None = strawberry.field(
        default=UNSET,
        description=(
            "Its status; one that ends the session sets `endedAt`, and one that reopens it clears that."
        ),
    )
    started_at: datetime | None = strawberry.field(
        default=UNSET, description="When it began; it cannot be cleared."
    )
    ended_at: datetime | None = strawberry.field(
        default=UNSET, description="When it ended, not before `startedAt`; only with a status that ends it."
    )


@strawberry.input(description="How a session ended.")
class EndSessionInput:
    """How a session ended."""

    status: SessionStatus | None = strawberry.field(
        default=UNSET, description="How it ended: COMPLETED (by default), FAILED or CANCELLED."
    )
    ended_at: datetime | None = strawberry.field(default=UNSET, description="When it ended; now by default.")
    quality_score: float | None = strawberry.field(default=UNSET, description="How good it was, from 0 to 1.")
    user_satisfaction: float | None = strawberry.field(
        default=UNSET, description="How satisfied the user was, from 0 to 1."
    )
    learning_outcomes: JSON | None = strawberry.field(
        default=UNSET, description="What was learned from it: a JSON object."
    )
    cost_usd: float | None = strawberry.field(
        default=UNSET,
        description=(
            "What it cost, in US dollars, from 0 to 999,999,999; null if unknown. It replaces what usage"
            " records have added so far; later ones add to it."
        ),
    )
