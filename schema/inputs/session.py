"""Inputs of sessions."""

from __future__ import annotations

from datetime import datetime
from enum import Enum
from typing import TYPE_CHECKING, Annotated

import strawberry

from agentdata.engine.fields import ToMany, filter_on
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
)
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
    """Selects sessions. All given conditions must hold."""

    id: IDFilter | None = optional("The id of the session.")
    user_id: IDFilter | None = optional("The id of the user whom the session is with.")
    agent_id: IDFilter | None = optional("The id of the agent that holds the session.")
    agent_version_id: IDFilter | None = optional("The id of the version that the agent ran on.")
    team_id: IDFilter | None = optional("The id of the team that holds the session.")
    parent_id: IDFilter | None = optional("The id of the session directly above this one; null for a root.")
    external_id: StringFilter | None = optional("The id of the session in another system.")
    title: StringFilter | None = optional("The title of the session.")
    status: SessionStatusFilter | None = optional("Whether the session is open, and how it ended if not.")
    is_active: BooleanFilter | None = optional("Whether the session is open (ACTIVE or PAUSED).")
    platform: StringFilter | None = optional("Where the session takes place.")
    provider: StringFilter | None = optional("The provider of the model.")
    source: StringFilter | None = optional("What triggered the session.")
    tags: ListFilter | None = optional("The tags of the session.")
    quality_score: FloatFilter | None = optional("How good the session was, from 0 to 1.")
    user_satisfaction: FloatFilter | None = optional("How satisfied the user was, from 0 to 1.")
    message_count: IntFilter | None = optional("The number of messages in the session.")
    interaction_count: IntFilter | None = optional("The number of user turns.")
    error_count: IntFilter | None = optional(
        "The number of errors: failed tool calls, and events of the type `error`."
    )
    prompt_tokens: BigIntFilter | None = optional("The number of prompt tokens that models read.")
    completion_tokens: BigIntFilter | None = optional("The number of completion tokens that models wrote.")
    cost_usd: FloatFilter | None = optional("The cost of the session, in US dollars.")
    started_at: DateTimeFilter | None = optional("When the session started.")
    ended_at: DateTimeFilter | None = optional("When the session ended.")
    last_activity_at: DateTimeFilter | None = optional("When something last happened in the session.")
    created_at: DateTimeFilter | None = optional("When the session was recorded.")
    updated_at: DateTimeFilter | None = optional("When the session last changed.")
    depth: IntFilter | None = optional("The number of sessions above this one; 0 for a root.")
    root_id: IDFilter | None = optional("The id of the root of the session's tree.")
    metadata_: JSONFilter | None = optional("Any other data.", name="metadata")
    state: JSONFilter | None = optional("What the agent keeps in the session between turns.")
    context: JSONFilter | None = optional("The context that the agent was given.")
    user: Annotated["UserFilter", strawberry.lazy("schema.inputs.user")] | None = filter_on(
        User, "Conditions on the user whom the session is with.", local="user_id"
    )
    agent: Annotated["AgentFilter", strawberry.lazy("schema.inputs.agent")] | None = filter_on(
        Agent, "Conditions on the agent that holds the session.", local="agent_id"
    )
    agent_version: Annotated["AgentVersionFilter", strawberry.lazy("schema.inputs.agent_version")] | None = (
        filter_on(AgentVersion, "Conditions on the version that the agent ran on.", local="agent_version_id")
    )
    team: Annotated["TeamFilter", strawberry.lazy("schema.inputs.team")] | None = filter_on(
        Team, "Conditions on the team that holds the session.", local="team_id"
    )
    parent: SessionFilter | None = filter_on(
        Session, "Conditions on the session directly above this one.", local="parent_id"
    )
    children: SessionsFilter | None = filter_on(
        Session, "Conditions on the sessions directly below this one.", remote="parent_id"
    )
    messages: Annotated["MessagesFilter", strawberry.lazy("schema.inputs.message")] | None = filter_on(
        Message, "Conditions on the messages of the session.", remote="session_id"
    )
    tool_calls: Annotated["ToolCallsFilter", strawberry.lazy("schema.inputs.tool_call")] | None = filter_on(
        ToolCall, "Conditions on the tool calls of the session.", remote="session_id"
    )
    events: Annotated["SessionEventsFilter", strawberry.lazy("schema.inputs.session_event")] | None = (
        filter_on(SessionEvent, "Conditions on the events of the session.", remote="session_id")
    )
    usage: Annotated["UsageRecordsFilter", strawberry.lazy("schema.inputs.usage_record")] | None = filter_on(
        UsageRecord, "Conditions on the usage records of the session.", remote="session_id"
    )
    sandbox: Annotated["SandboxFilter", strawberry.lazy("schema.inputs.sandbox")] | None = filter_on(
        Sandbox, "Conditions on the sandbox of the session.", remote="session_id"
    )
    module_states: Annotated["ModuleStatesFilter", strawberry.lazy("schema.inputs.module_state")] | None = (
        filter_on(ModuleState, "Conditions on the states of modules in the session.", remote="session_id")
    )
    state_transitions: (
        Annotated["StateTransitionsFilter", strawberry.lazy("schema.inputs.state_transition")] | None
    ) = filter_on(
        StateTransition,
        "Conditions on the transitions between states of modules in the session.",
        remote="session_id",
    )
    metrics: Annotated["SessionMetricsFilter", strawberry.lazy("schema.inputs.session_metric")] | None = (
        filter_on(SessionMetric, "Conditions on the metrics of the session.", remote="session_id")
    )
    memories: Annotated["MemoriesFilter", strawberry.lazy("schema.inputs.memory")] | None = filter_on(
        Memory, "Conditions on the memories that come from the session.", remote="session_id"
    )
    and_: list[SessionFilter] | None = optional("All of these filters must hold.", name="and")
    or_: list[SessionFilter] | None = optional("At least one of these filters must hold.", name="or")
    not_: SessionFilter | None = optional("This filter must not hold.", name="not")


@input_type
class SessionsFilter(ToMany):
    """Conditions on related sessions."""

    some: SessionFilter | None = optional("At least one related object meets this filter.")
    none: SessionFilter | None = optional("No related object meets this filter.")


@enum_type
class SessionOrderField(Enum):
    """The fields that sessions can be ordered by."""

    CREATED_AT = enum_value("created_at", "When the session was recorded.")
    UPDATED_AT = enum_value("updated_at", "When the session last changed.")
    STARTED_AT = enum_value("started_at", "When the session started.")
    ENDED_AT = enum_value("ended_at", "When the session ended.")
    LAST_ACTIVITY_AT = enum_value("last_activity_at", "When something last happened in the session.")
    QUALITY_SCORE = enum_value("quality_score", "How good the session was, from 0 to 1.")
    USER_SATISFACTION = enum_value("user_satisfaction", "How satisfied the user was, from 0 to 1.")
    MESSAGE_COUNT = enum_value("message_count", "The number of messages in the session.")
    INTERACTION_COUNT = enum_value("interaction_count", "The number of user turns.")
    ERROR_COUNT = enum_value(
        "error_count", "The number of errors: failed tool calls, and events of the type `error`."
    )
    PROMPT_TOKENS = enum_value("prompt_tokens", "The number of prompt tokens that models read.")
    COMPLETION_TOKENS = enum_value("completion_tokens", "The number of completion tokens that models wrote.")
    COST_USD = enum_value(
        "cost_usd", "The cost of the session, in US dollars; an unknown cost counts as less than any."
    )


@input_type
class SessionOrder:
    """A field to order sessions by, and the direction."""

    field: SessionOrderField = required("The field to order by.")
    direction: OrderDirection = required("The direction of the order.")


@input_type
class SessionValues:
    """The values of a session."""

    title: str | None = optional("The title of the session; at most 1,000 characters.")
    user_id: strawberry.ID | None = optional("The id of the user whom the session is with.")
    agent_id: strawberry.ID | None = optional("The id of the agent that holds the session.")
    agent_version_id: strawberry.ID | None = optional(
        "The id of the version that the agent ran on, which must be a version of the agent. A new session"
        " takes the active version by default."
    )
    team_id: strawberry.ID | None = optional("The id of the team that holds the session.")
    platform: str | None = optional("Where the session takes place, such as `web`, `slack` or `whatsapp`.")
    provider: str | None = optional("The provider of the model, such as `openai` or `anthropic`.")
    purpose: str | None = optional("What the session is for.")
    business_context: JSON | None = optional(
        "The business context of the session: a JSON object; `{}` by default on creation."
    )
    tags: list[str] | None = optional(
        "The tags of the session: at most 100, each of at most 255 characters; duplicates are dropped."
    )
    quality_score: float | None = optional("How good the session was, from 0 to 1.")
    user_satisfaction: float | None = optional("How satisfied the user was, from 0 to 1.")
    learning_outcomes: JSON | None = optional(
        "What was learned from the session: a JSON object; `{}` by default on creation."
    )
    source: str | None = optional(
        "What triggered the session: `user`, `webhook`, `scheduled_job`, `agent`, `api` or another value."
    )
    context: JSON | None = optional(
        "The context that the agent was given: a JSON object; `{}` by default on creation."
    )
    state: JSON | None = optional(
        "What the agent keeps in the session between turns: a JSON object; `{}` by default on creation."
    )
    metadata_: JSON | None = optional(
        "Any other data: a JSON object; `{}` by default on creation.", name="metadata"
    )
    cost_usd: float | None = optional(
        "The cost of the session, in US dollars, from 0 to 999,999,999; null if unknown. It replaces the"
        " sum of earlier usage records; later ones add to it."
    )


@input_type
class CreateSessionInput(SessionValues):
    """A session to record, in any status."""

    external_id: str | None = optional(
        "The id of the session in another system, unique among the project's sessions; at most 255"
        " characters."
    )
    parent_id: strawberry.ID | None = optional(
        "The id of the session directly above this one; it cannot be changed later."
    )
    status: SessionStatus | None = optional(
        "The status of the session. A status that ends the session sets `endedAt`; one that reopens it"
        " clears `endedAt`."
    )
    started_at: datetime | None = optional("When the session started; now by default.")
    ended_at: datetime | None = optional(
        "When the session ended, not before `startedAt`; only with a status that ends it."
    )


@input_type
class StartSessionInput(SessionValues):
    """A session that starts now."""

    external_id: str | None = optional(
        "The id of the session in another system, unique among the project's sessions; at most 255"
        " characters."
    )
    parent_id: strawberry.ID | None = optional(
        "The id of the session directly above this one; it cannot be changed later."
    )


@input_type
class UpdateSessionInput(SessionValues):
    """The changes to a session.

    Fields that are left out stay as they are; null clears a field that may be null.
    """

    external_id: str | None = optional(
        "The id of the session in another system, unique among the project's sessions; at most 255"
        " characters."
    )
    status: SessionStatus | None = optional(
        "The status of the session. A status that ends the session sets `endedAt`; one that reopens it"
        " clears `endedAt`."
    )
    started_at: datetime | None = optional("When the session started; it cannot be cleared.")
    ended_at: datetime | None = optional(
        "When the session ended, not before `startedAt`; only with a status that ends it."
    )


@input_type
class EndSessionInput:
    """How a session ended."""

    status: SessionStatus | None = optional(
        "How the session ended: COMPLETED (by default), FAILED or CANCELLED."
    )
    ended_at: datetime | None = optional("When the session ended; now by default.")
    quality_score: float | None = optional("How good the session was, from 0 to 1.")
    user_satisfaction: float | None = optional("How satisfied the user was, from 0 to 1.")
    learning_outcomes: JSON | None = optional("What was learned from the session: a JSON object.")
    cost_usd: float | None = optional(
        "The cost of the session, in US dollars, from 0 to 999,999,999; null if unknown. It replaces the"
        " sum of earlier usage records; later ones add to it."
    )
