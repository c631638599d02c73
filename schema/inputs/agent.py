"""What clients say of agents."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Annotated

import strawberry

from agentdata.execution.links import Via
from models import AgentMetric, AgentVersion, Memory, Session, Team, TeamMember, User
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
    ToMany,
)
from schema.inputs.linked import linked
from schema.scalars import JSON

if TYPE_CHECKING:
    from schema.inputs.agent_metric import AgentMetricsFilter
    from schema.inputs.agent_version import AgentVersionsFilter
    from schema.inputs.memory import MemoriesFilter
    from schema.inputs.session import SessionsFilter
    from schema.inputs.team import TeamsFilter
    from schema.inputs.user import UserFilter


@input_type
class AgentFilter:
    """Selects agents. All conditions that are given must hold."""

    id: IDFilter | None = optional("By their ids.")
    owner_id: IDFilter | None = optional("By the ids of their owners.")
    external_id: StringFilter | None = optional("By their ids in another system.")
    name: StringFilter | None = optional("By their names.")
    type: StringFilter | None = optional("By their types.")
    provider: StringFilter | None = optional("By their providers.")
    model: StringFilter | None = optional("By their models.")
    active: BooleanFilter | None = optional("By whether they are in use.")
    specializations: ListFilter | None = optional("By what they are good at.")
    learning_mode: StringFilter | None = optional("By how they learn.")
    training_status: StringFilter | None = optional("By how far they are trained.")
    total_sessions: IntFilter | None = optional("By how many sessions they have had.")
    success_rate: FloatFilter | None = optional("By their success rates, from 0 to 1.")
    created_at: DateTimeFilter | None = optional("By when they were recorded.")
    updated_at: DateTimeFilter | None = optional("By when they last changed.")
    config: JSONFilter | None = optional("By their `config`.")
    owner: Annotated["UserFilter", strawberry.lazy("schema.inputs.user")] | None = linked(
        User, "By their owners.", local="owner_id"
    )
    teams: Annotated["TeamsFilter", strawberry.lazy("schema.inputs.team")] | None = linked(
        Team, "By the teams that they are members of.", via=Via(TeamMember, "agent_id", "team_id")
    )
    versions: Annotated["AgentVersionsFilter", strawberry.lazy("schema.inputs.agent_version")] | None = (
        linked(AgentVersion, "By their versions.", remote="agent_id")
    )
    sessions: Annotated["SessionsFilter", strawberry.lazy("schema.inputs.session")] | None = linked(
        Session, "By their sessions.", remote="agent_id"
    )
    metrics: Annotated["AgentMetricsFilter", strawberry.lazy("schema.inputs.agent_metric")] | None = linked(
        AgentMetric, "By how they were measured.", remote="agent_id"
    )
    memories: Annotated["MemoriesFilter", strawberry.lazy("schema.inputs.memory")] | None = linked(
        Memory, "By their memories.", remote="agent_id"
    )
    and_: list[AgentFilter] | None = optional("All of these filters must hold.", name="and")
    or_: list[AgentFilter] | None = optional("At least one of these filters must hold.", name="or")
    not_: AgentFilter | None = optional("This filter must not hold.", name="not")


@input_type
class AgentsFilter(ToMany):
    """Conditions on the agents behind a relation to many."""

    some: AgentFilter | None = optional("At least one of them meets this filter.")
    none: AgentFilter | None = optional("None of them meets this filter.")


@enum_type
class AgentOrderField(Enum):
    """The fields that agents can be ordered by."""

    CREATED_AT = enum_value("created_at", "When they were recorded.")
    UPDATED_AT = enum_value("updated_at", "When they last changed.")
    NAME = enum_value("name", "Their names.")
    TOTAL_SESSIONS = enum_value("total_sessions", "How many sessions they have had.")
    SUCCESS_RATE = enum_value("success_rate", "Their success rates.")


@input_type
class AgentOrder:
    """A field to order agents by, and the direction."""

    field: AgentOrderField = required("The field to order by.")
    direction: OrderDirection = required("The direction of the order.")


@input_type
class AgentValues:
    """What may be said of an agent."""

    external_id: str | None = optional(
        "Its id in another system, unique among the project's agents; at most 255 characters."
    )
    type: str | None = optional("What kind of agent it is, such as `assistant`, `planner` or `custom`.")
    description: str | None = optional("What it is for, in words.")
    provider: str | None = optional("Who serves its model, such as `openai`, `anthropic` or `local`.")
    model: str | None = optional("The model that it runs on, as its provider names it.")
    temperature: float | None = optional("The sampling temperature, from 0 to 100; providers use 0 to 2.")
    max_tokens: int | None = optional("The most tokens that an answer may have; at least 1.")
    system_prompt: str | None = optional("The instructions that frame its sessions.")
    config: JSON | None = optional(
        "The rest of its configuration: a JSON object; on creation `{}` by default."
    )
    tools: JSON | None = optional(
        "The tools that it may call: a JSON array of definitions or names; on creation `[]` by default."
    )
    active: bool | None = optional("Whether it is in use; on creation true by default.")
    run_id: int | None = optional("A counter of runs that its framework keeps.")
    owner_id: strawberry.ID | None = optional(
        "The id of the user that it belongs to, such as a custom agent's creator."
    )
    specializations: list[str] | None = optional("What it is good at, such as `billing` or `code review`.")
    learning_mode: str | None = optional("How it learns: `active`, `passive`, `supervised` or another.")
    training_status: str | None = optional(
        "How far it is trained: `initial`, `trained`, `fine-tuned` or another."
    )


@input_type
class CreateAgentInput(AgentValues):
    """An agent to add."""

    name: str = required(
        "What the agent is called, unique among the project's agents; at most 255 characters."
    )


@input_type
class UpdateAgentInput(AgentValues):
    """The changes to an agent. What is left out stays as it is; null clears what may be null."""

    name: str | None = optional(
        "What the agent is called, unique among the project's agents; at most 255 characters."
    )
