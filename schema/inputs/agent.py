"""What clients say of agents."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Annotated

import strawberry
from strawberry import UNSET

from agentdata.engine.sql.links import Via
from models import AgentMetric, AgentVersion, Memory, Session, Team, TeamMember, User
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


@strawberry.input(description="Selects agents. All conditions that are given must hold.")
class AgentFilter:
    """Selects agents. All conditions that are given must hold."""

    id: IDFilter | None = strawberry.field(default=UNSET, description="By their ids.")
    owner_id: IDFilter | None = strawberry.field(default=UNSET, description="By the ids of their owners.")
    external_id: StringFilter | None = strawberry.field(
        default=UNSET, description="By their ids in another system."
    )
    name: StringFilter | None = strawberry.field(default=UNSET, description="By their names.")
    type: StringFilter | None = strawberry.field(default=UNSET, description="By their types.")
    provider: StringFilter | None = strawberry.field(default=UNSET, description="By their providers.")
    model: StringFilter | None = strawberry.field(default=UNSET, description="By their models.")
    active: BooleanFilter | None = strawberry.field(default=UNSET, description="By whether they are in use.")
    specializations: ListFilter | None = strawberry.field(
        default=UNSET, description="By what they are good at."
    )
    learning_mode: StringFilter | None = strawberry.field(default=UNSET, description="By how they learn.")
    training_status: StringFilter | None = strawberry.field(
        default=UNSET, description="By how far they are trained."
    )
    total_sessions: IntFilter | None = strawberry.field(
        default=UNSET, description="By how many sessions they have had."
    )
    success_rate: FloatFilter | None = strawberry.field(
        default=UNSET, description="By their success rates, from 0 to 1."
    )
    created_at: DateTimeFilter | None = strawberry.field(
        default=UNSET, description="By when they were recorded."
    )
    updated_at: DateTimeFilter | None = strawberry.field(
        default=UNSET, description="By when they last changed."
    )
    config: JSONFilter | None = strawberry.field(default=UNSET, description="By their `config`.")
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
    and_: list[AgentFilter] | None = strawberry.field(
        default=UNSET, name="and", description="All of these filters must hold."
    )
    or_: list[AgentFilter] | None = strawberry.field(
        default=UNSET, name="or", description="At least one of these filters must hold."
    )
    not_: AgentFilter | None = strawberry.field(
        default=UNSET, name="not", description="This filter must not hold."
    )


@strawberry.input(description="Conditions on the agents behind a relation to many.")
class AgentsFilter(ToMany):
    """Conditions on the agents behind a relation to many."""

    some: AgentFilter | None = strawberry.field(
        default=UNSET, description="At least one of them meets this filter."
    )
    none: AgentFilter | None = strawberry.field(default=UNSET, description="None of them meets this filter.")


@strawberry.enum(description="The fields that agents can be ordered by.")
class AgentOrderField(Enum):
    """The fields that agents can be ordered by."""

    CREATED_AT = strawberry.enum_value("created_at", description="When they were recorded.")
    UPDATED_AT = strawberry.enum_value("updated_at", description="When they last changed.")
    NAME = strawberry.enum_value("name", description="Their names.")
    TOTAL_SESSIONS = strawberry.enum_value("total_sessions", description="How many sessions they have had.")
    SUCCESS_RATE = strawberry.enum_value("success_rate", description="Their success rates.")


@strawberry.input(description="A field to order agents by, and the direction.")
class AgentOrder:
    """A field to order agents by, and the direction."""

    field: AgentOrderField = strawberry.field(description="The field to order by.")
    direction: OrderDirection = strawberry.field(description="The direction of the order.")


@strawberry.input(description="What may be said of an agent.")
class AgentValues:
    """What may be said of an agent."""

    external_id: str | None = strawberry.field(
        default=UNSET,
        description="Its id in another system, unique among the project's agents; at most 255 characters.",
    )
    type: str | None = strawberry.field(
        default=UNSET, description="What kind of agent it is, such as `assistant`, `planner` or `custom`."
    )
    description: str | None = strawberry.field(default=UNSET, description="What it is for, in words.")
    provider: str | None = strawberry.field(
        default=UNSET, description="Who serves its model, such as `openai`, `anthropic` or `local`."
    )
    model: str | None = strawberry.field(
        default=UNSET, description="The model that it runs on, as its provider names it."
    )
    temperature: float | None = strawberry.field(
        default=UNSET, description="The sampling temperature, from 0 to 100; providers use 0 to 2."
    )
    max_tokens: int | None = strawberry.field(
        default=UNSET, description="The most tokens that an answer may have; at least 1."
    )
    system_prompt: str | None = strawberry.field(
        default=UNSET, description="The instructions that frame its sessions."
    )
    config: JSON | None = strawberry.field(
        default=UNSET,
        description="The rest of its configuration: a JSON object; on creation `{}` by default.",
    )
    tools: JSON | None = strawberry.field(
        default=UNSET,
        description=(
            "The tools that it may call: a JSON array of definitions or names; on creation `[]` by default."
        ),
    )
    active: bool | None = strawberry.field(
        default=UNSET, description="Whether it is in use; on creation true by default."
    )
    run_id: int | None = strawberry.field(
        default=UNSET, description="A counter of runs that its framework keeps."
    )
    owner_id: strawberry.ID | None = strawberry.field(
        default=UNSET, description="The id of the user that it belongs to, such as a custom agent's creator."
    )
    specializations: list[str] | None = strawberry.field(
        default=UNSET, description="What it is good at, such as `billing` or `code review`."
    )
    learning_mode: str | None = strawberry.field(
        default=UNSET, description="How it learns: `active`, `passive`, `supervised` or another."
    )
    training_status: str | None = strawberry.field(
        default=UNSET, description="How far it is trained: `initial`, `trained`, `fine-tuned` or another."
    )


@strawberry.input(description="An agent to add.")
class CreateAgentInput(AgentValues):
    """An agent to add."""

    name: str = strawberry.field(
        description="What the agent is called, unique among the project's agents; at most 255 characters."
    )


@strawberry.input(
    description="The changes to an agent. What is left out stays as it is; null clears what may be null."
)
class UpdateAgentInput(AgentValues):
    """The changes to an agent. What is left out stays as it is; null clears what may be null."""

    name: str | None = strawberry.field(
        default=UNSET,
        description="What the agent is called, unique among the project's agents; at most 255 characters.",
    )
