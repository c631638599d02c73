"""Inputs of agents."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Annotated

import strawberry

from agentdata.engine.fields import ToMany, Via, filter_on
from models import (
    AgentKnowledgeBase,
    AgentMetric,
    AgentVersion,
    KnowledgeBase,
    Memory,
    Session,
    Team,
    TeamMember,
    User,
)
from schema.declarations import enum_type, enum_value, input_type, optional, required
from schema.enums import OrderDirection
from schema.inputs.filters import (
    BooleanFilter,
    DateTimeFilter,
    FloatFilter,
    IDFilter,
    IntFilter,
    JSONFilter,
    ListFilter,
    StringFilter,
)
from schema.scalars import JSON

if TYPE_CHECKING:
    from schema.inputs.agent_metric import AgentMetricsFilter
    from schema.inputs.agent_version import AgentVersionsFilter
    from schema.inputs.knowledge_base import KnowledgeBasesFilter
    from schema.inputs.memory import MemoriesFilter
    from schema.inputs.session import SessionsFilter
    from schema.inputs.team import TeamsFilter
    from schema.inputs.user import UserFilter


@input_type
class AgentFilter:
    """Selects agents. All given conditions must hold."""

    id: IDFilter | None = optional("The id of the agent.")
    owner_id: IDFilter | None = optional("The id of the user who owns the agent.")
    external_id: StringFilter | None = optional("The id of the agent in another system.")
    name: StringFilter | None = optional("The name of the agent.")
    type: StringFilter | None = optional("The kind of agent.")
    provider: StringFilter | None = optional("The provider of the agent's model.")
    model: StringFilter | None = optional("The model that the agent runs on.")
    active: BooleanFilter | None = optional("Whether the agent is in use.")
    specializations: ListFilter | None = optional("What the agent is good at.")
    learning_mode: StringFilter | None = optional("How the agent learns.")
    training_status: StringFilter | None = optional("How far the agent is trained.")
    total_sessions: IntFilter | None = optional("The number of sessions of the agent.")
    success_rate: FloatFilter | None = optional(
        "The share of COMPLETED sessions among those that COMPLETED or FAILED, from 0 to 1."
    )
    created_at: DateTimeFilter | None = optional("When the agent was recorded.")
    updated_at: DateTimeFilter | None = optional("When the agent last changed.")
    config: JSONFilter | None = optional("The agent's other configuration.")
    owner: Annotated["UserFilter", strawberry.lazy("schema.inputs.user")] | None = filter_on(
        User, "Conditions on the user who owns the agent.", local="owner_id"
    )
    teams: Annotated["TeamsFilter", strawberry.lazy("schema.inputs.team")] | None = filter_on(
        Team,
        "Conditions on the teams that the agent is a member of.",
        via=Via(TeamMember, "agent_id", "team_id"),
    )
    versions: Annotated["AgentVersionsFilter", strawberry.lazy("schema.inputs.agent_version")] | None = (
        filter_on(AgentVersion, "Conditions on the versions of the agent.", remote="agent_id")
    )
    sessions: Annotated["SessionsFilter", strawberry.lazy("schema.inputs.session")] | None = filter_on(
        Session, "Conditions on the sessions of the agent.", remote="agent_id"
    )
    metrics: Annotated["AgentMetricsFilter", strawberry.lazy("schema.inputs.agent_metric")] | None = (
        filter_on(AgentMetric, "Conditions on the metrics of the agent.", remote="agent_id")
    )
    knowledge_bases: (
        Annotated["KnowledgeBasesFilter", strawberry.lazy("schema.inputs.knowledge_base")] | None
    ) = filter_on(
        KnowledgeBase,
        "Conditions on the knowledge bases that the agent uses.",
        via=Via(AgentKnowledgeBase, "agent_id", "knowledge_base_id"),
    )
    memories: Annotated["MemoriesFilter", strawberry.lazy("schema.inputs.memory")] | None = filter_on(
        Memory, "Conditions on the memories of the agent.", remote="agent_id"
    )
    and_: list[AgentFilter] | None = optional("All of these filters must hold.", name="and")
    or_: list[AgentFilter] | None = optional("At least one of these filters must hold.", name="or")
    not_: AgentFilter | None = optional("This filter must not hold.", name="not")


@input_type
class AgentsFilter(ToMany):
    """Conditions on related agents."""

    some: AgentFilter | None = optional("At least one related object meets this filter.")
    none: AgentFilter | None = optional("No related object meets this filter.")


@enum_type
class AgentOrderField(Enum):
    """The fields that agents can be ordered by."""

    CREATED_AT = enum_value("created_at", "When the agent was recorded.")
    UPDATED_AT = enum_value("updated_at", "When the agent last changed.")
    NAME = enum_value("name", "The name of the agent, by code point.")
    TOTAL_SESSIONS = enum_value("total_sessions", "The number of sessions of the agent.")
    SUCCESS_RATE = enum_value(
        "success_rate", "The share of COMPLETED sessions among those that COMPLETED or FAILED, from 0 to 1."
    )


@input_type
class AgentOrder:
    """A field to order agents by, and the direction."""

    field: AgentOrderField = required("The field to order by.")
    direction: OrderDirection = required("The direction of the order.")


@input_type
class AgentValues:
    """The values of an agent."""

    external_id: str | None = optional(
        "The id of the agent in another system, unique among the project's agents; at most 255 characters."
    )
    type: str | None = optional("The kind of agent, such as `assistant`, `planner` or `custom`.")
    description: str | None = optional("What the agent is for, in words.")
    provider: str | None = optional(
        "The provider of the agent's model, such as `openai`, `anthropic` or `local`."
    )
    model: str | None = optional("The model that the agent runs on, by the provider's name for it.")
    temperature: float | None = optional(
        "The sampling temperature, from 0 to 100; most providers accept 0 to 2."
    )
    max_tokens: int | None = optional("The maximum number of tokens in a response; at least 1.")
    system_prompt: str | None = optional("The instructions that frame the agent's sessions.")
    config: JSON | None = optional("Any other configuration: a JSON object; `{}` by default on creation.")
    tools: JSON | None = optional(
        "The tools that the agent may call: a JSON array of definitions or names; `[]` by default on"
        " creation."
    )
    active: bool | None = optional("Whether the agent is in use; true by default on creation.")
    run_id: int | None = optional("A run counter that the agent's framework maintains.")
    owner_id: strawberry.ID | None = optional(
        "The id of the user who owns the agent, such as the creator of a custom agent."
    )
    specializations: list[str] | None = optional(
        "What the agent is good at, such as `billing` or `code review`."
    )
    learning_mode: str | None = optional(
        "How the agent learns: `active`, `passive`, `supervised` or another value."
    )
    training_status: str | None = optional(
        "How far the agent is trained: `initial`, `trained`, `fine-tuned` or another value."
    )


@input_type
class CreateAgentInput(AgentValues):
    """An agent to add."""

    name: str = required("The name of the agent, unique among the project's agents; at most 255 characters.")


@input_type
class UpdateAgentInput(AgentValues):
    """The changes to an agent.

    Fields that are left out stay as they are; null clears a field that may be null.
    """

    name: str | None = optional(
        "The name of the agent, unique among the project's agents; at most 255 characters."
    )
