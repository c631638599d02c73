"""What clients say of sessions."""

from __future__ import annotations

from datetime import datetime
from enum import Enum
from typing import TYPE_CHECKING, Annotated

import strawberry

from models import (
    Agent,
    AgentVersion,
    Memory,
    Message,
    ModuleState,
    Sandbox,
    Session,
    SessionEvent,
    SessionMetric,
    StateTransition,
    Team,
    ToolCall,
    UsageRecord,
    User,
)
from schema.declarations import enum_type, enum_value, input_type, optional, required
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
    from schema.inputs.session_metric import SessionMetricsFilter
    from schema.inputs.state_transition import StateTransitionsFilter
    from schema.inputs.team import TeamFilter
    from schema.inputs.tool_call import ToolCallsFilter
    from schema.inputs.usage_record import UsageRecordsFilter
    from schema.inputs.user import UserFilter


@input_type
class SessionFilter:
    """Selects sessions. All conditions that are given must hold."""

    id: IDFilter | None = optional("By their ids.")
    user_id: IDFilter | None = optional("By the ids of their users.")
    agent_id: IDFilter | None = optional("By the ids of their agents.")
    agent_version_id: IDFilter | None = optional("By the ids of the versions that their agents ran on.")
    team_id: IDFilter | None = optional("By the ids of their teams.")
    parent_id: IDFilter | None = optional("By the ids of their parents; null for roots.")
    external_id: StringFilter | None = optional("By their ids in another system.")
    title: StringFilter | None = optional("By their titles.")
    status: SessionStatusFilter | None = optional("By their statuses.")
    is_active: BooleanFilter | None = optional("By whether they are open: active or paused.")
    platform: StringFilter | None = optional("By where they take place.")
    provider: StringFilter | None = optional("By who serves the model.")
    source: StringFilter | None = optional("By what set them off.")
    tags: ListFilter | None = optional("By their tags.")
    quality_score: FloatFilter | None = optional("By how good they were, from 0 to 1.")
    user_satisfaction: FloatFilter | None = optional("By how satisfied the user was, from 0 to 1.")
    message_count: IntFilter | None = optional("By how many messages they have.")
    interaction_count: IntFilter | None = optional("By how many turns the user had.")
    prompt_tokens: BigIntFilter | None = optional("By how many prompt tokens models read.")
    completion_tokens: BigIntFilter | None = optional("By how many completion tokens models wrote.")
    cost_usd: FloatFilter | None = optional("By what they cost, in US dollars.")
    started_at: DateTimeFilter | None = optional("By when they began.")
    ended_at: DateTimeFilter | None = optional("By when they ended.")
    last_activity_at: DateTimeFilter | None = optional("By when something last happened.")
    created_at: DateTimeFilter | None = optional("By when they were recorded.")
    updated_at: DateTimeFilter | None = optional("By when they last changed.")
    depth: IntFilter | None = optional("By how deep they are in their trees; a root has 0.")
    root_id: IDFilter | None = optional("By the root of their tree.")
    metadata_: JSONFilter | None = optional("By their `metadata`.", name="metadata")
    state: JSONFilter | None = optional("By their `state`.")
    context: JSONFilter | None = optional("By their `context`.")
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
    metrics: Annotated["SessionMetricsFilter", strawberry.lazy("schema.inputs.session_metric")] | None = (
        linked(SessionMetric, "By how they were measured.", remote="session_id")
    )
    memories: Annotated["MemoriesFilter", strawberry.lazy("schema.inputs.memory")] | None = linked(
        Memory, "By their memories.", remote="session_id"
    )
    and_: list[SessionFilter] | None = optional("All of these filters must hold.", name="and")
    or_: list[SessionFilter] | None = optional("At least one of these filters must hold.", name="or")
    not_: SessionFilter | None = optional("This filter must not hold.", name="not")


@input_type
class SessionsFilter(ToMany):
    """Conditions on the sessions behind a relation to many."""

    some: SessionFilter | None = optional("At least one of them meets this filter.")
    none: SessionFilter | None = optional("None of them meets this filter.")


@enum_type
class SessionOrderField(Enum):
    """The fields that sessions can be ordered by."""

    CREATED_AT = enum_value("created_at", "When they were recorded.")
    UPDATED_AT = enum_value("updated_at", "When they last changed.")
    STARTED_AT = enum_value("started_at", "When they began.")
    ENDED_AT = enum_value("ended_at", "When they ended.")
    LAST_ACTIVITY_AT = enum_value("last_activity_at", "When something last happened.")
    QUALITY_SCORE = enum_value("quality_score", "How good they were.")
    USER_SATISFACTION = enum_value("user_satisfaction", "How satisfied the user was.")
    MESSAGE_COUNT = enum_value("message_count", "How many messages they have.")
    INTERACTION_COUNT = enum_value("interaction_count", "How many turns the user had.")
    PROMPT_TOKENS = enum_value("prompt_tokens", "How many prompt tokens models read.")
    COMPLETION_TOKENS = enum_value("completion_tokens", "How many completion tokens models wrote.")
    COST_USD = enum_value("cost_usd", "What they cost; unknown comes before nothing.")


@input_type
class SessionOrder:
    """A field to order sessions by, and the direction."""

    field: SessionOrderField = required("The field to order by.")
    direction: OrderDirection = required("The direction of the order.")


@input_type
class SessionValues:
    """What may be said of a session."""

    title: str | None = optional("What it is called; at most 1,000 characters.")
    user_id: strawberry.ID | None = optional("The id of the user whom it is with.")
    agent_id: strawberry.ID | None = optional("The id of the agent that holds it.")
    agent_version_id: strawberry.ID | None = optional(
        "The id of the version that the agent ran on, one of the agent's own; a new session takes the"
        " active one by default."
    )
    team_id: strawberry.ID | None = optional("The id of the team that holds it.")
    platform: str | None = optional("Where it takes place, such as `web`, `slack` or `whatsapp`.")
    provider: str | None = optional("Who serves the model, such as `openai` or `anthropic`.")
    purpose: str | None = optional("What it is for.")
    business_context: JSON | None = optional(
        "The business context that it belongs to: a JSON object; on creation `{}` by default."
    )
    tags: list[str] | None = optional(
        "Its tags: at most 100, each of at most 255 characters; repetitions are dropped."
    )
    quality_score: float | None = optional("How good it was, from 0 to 1.")
    user_satisfaction: float | None = optional("How satisfied the user was, from 0 to 1.")
    learning_outcomes: JSON | None = optional(
        "What was learned from it: a JSON object; on creation `{}` by default."
    )
    source: str | None = optional(
        "What set it off: `user`, `webhook`, `scheduled_job`, `agent`, `api` or another."
    )
    context: JSON | None = optional(
        "What the agent was given to know: a JSON object; on creation `{}` by default."
    )
    state: JSON | None = optional(
        "What the agent keeps in it between turns: a JSON object; on creation `{}` by default."
    )
    metadata_: JSON | None = optional(
        "Anything else: a JSON object; on creation `{}` by default.", name="metadata"
    )
    cost_usd: float | None = optional(
        "What it cost, in US dollars, from 0 to 999,999,999; null if unknown. It replaces what usage"
        " records have added so far; later ones add to it."
    )


@input_type
class CreateSessionInput(SessionValues):
    """A session to record, in any status."""

    external_id: str | None = optional(
        "Its id in another system, unique among the project's sessions; at most 255 characters."
    )
    parent_id: strawberry.ID | None = optional(
        "The id of the session directly above it; it cannot be changed later."
    )
    status: SessionStatus | None = optional(
        "Its status; one that ends the session sets `endedAt`, and one that reopens it clears that."
    )
    started_at: datetime | None = optional("When it began; now by default.")
    ended_at: datetime | None = optional(
        "When it ended, not before `startedAt`; only with a status that ends it."
    )


@input_type
class StartSessionInput(SessionValues):
    """A session that begins now."""

    external_id: str | None = optional(
        "Its id in another system, unique among the project's sessions; at most 255 characters."
    )
    parent_id: strawberry.ID | None = optional(
        "The id of the session directly above it; it cannot be changed later."
    )


@input_type
class UpdateSessionInput(SessionValues):
    """The changes to a session. What is left out stays as it is; null clears what may be null."""

    external_id: str | None = optional(
        "Its id in another system, unique among the project's sessions; at most 255 characters."
    )
    status: SessionStatus | None = optional(
        "Its status; one that ends the session sets `endedAt`, and one that reopens it clears that."
    )
    started_at: datetime | None = optional("When it began; it cannot be cleared.")
    ended_at: datetime | None = optional(
        "When it ended, not before `startedAt`; only with a status that ends it."
    )


@input_type
class EndSessionInput:
    """How a session ended."""

    status: SessionStatus | None = optional("How it ended: COMPLETED (by default), FAILED or CANCELLED.")
    ended_at: datetime | None = optional("When it ended; now by default.")
    quality_score: float | None = optional("How good it was, from 0 to 1.")
    user_satisfaction: float | None = optional("How satisfied the user was, from 0 to 1.")
    learning_outcomes: JSON | None = optional("What was learned from it: a JSON object.")
    cost_usd: float | None = optional(
        "What it cost, in US dollars, from 0 to 999,999,999; null if unknown. It replaces what usage"
        " records have added so far; later ones add to it."
    )
