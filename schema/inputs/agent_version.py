"""What clients say of versions of agents."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Annotated

import strawberry

from models import Agent, AgentMetric, Session
from schema.declarations import enum_type, enum_value, input_type, optional, required
from schema.enums import OrderDirection
from schema.inputs.filters import (
    BooleanFilter,
    DateTimeFilter,
    IDFilter,
    StringFilter,
    ToMany,
)
from schema.inputs.linked import linked
from schema.scalars import JSON

if TYPE_CHECKING:
    from schema.inputs.agent import AgentFilter
    from schema.inputs.agent_metric import AgentMetricsFilter
    from schema.inputs.session import SessionsFilter


@input_type
class AgentVersionFilter:
    """Selects versions of agents. All conditions that are given must hold."""

    id: IDFilter | None = optional("By their ids.")
    agent_id: IDFilter | None = optional("By the ids of their agents.")
    version_number: StringFilter | None = optional("By their numbers.")
    is_active: BooleanFilter | None = optional("By whether they are active.")
    created_at: DateTimeFilter | None = optional("By when they were recorded.")
    updated_at: DateTimeFilter | None = optional("By when they last changed.")
    activated_at: DateTimeFilter | None = optional("By when they last became active.")
    agent: Annotated["AgentFilter", strawberry.lazy("schema.inputs.agent")] | None = linked(
        Agent, "By their agents.", local="agent_id"
    )
    sessions: Annotated["SessionsFilter", strawberry.lazy("schema.inputs.session")] | None = linked(
        Session, "By the sessions that ran on them.", remote="agent_version_id"
    )
    metrics: Annotated["AgentMetricsFilter", strawberry.lazy("schema.inputs.agent_metric")] | None = linked(
        AgentMetric, "By how they were measured.", remote="version_id"
    )
    and_: list[AgentVersionFilter] | None = optional("All of these filters must hold.", name="and")
    or_: list[AgentVersionFilter] | None = optional("At least one of these filters must hold.", name="or")
    not_: AgentVersionFilter | None = optional("This filter must not hold.", name="not")


@input_type
class AgentVersionsFilter(ToMany):
    """Conditions on the versions of agents behind a relation to many."""

    some: AgentVersionFilter | None = optional("At least one of them meets this filter.")
    none: AgentVersionFilter | None = optional("None of them meets this filter.")


@enum_type
class AgentVersionOrderField(Enum):
    """The fields that versions of agents can be ordered by."""

    CREATED_AT = enum_value("created_at", "When they were recorded.")
    UPDATED_AT = enum_value("updated_at", "When they last changed.")
    VERSION_NUMBER = enum_value("version_number", "Their numbers, as text.")


@input_type
class AgentVersionOrder:
    """A field to order versions of agents by, and the direction."""

    field: AgentVersionOrderField = required("The field to order by.")
    direction: OrderDirection = required("The direction of the order.")


@input_type
class AgentVersionValues:
    """What may be said of a version of an agent."""

    changes: JSON | None = optional("What is new in it: a JSON object; on creation `{}` by default.")
    system_prompt: str | None = optional("The instructions of this version.")
    config: JSON | None = optional("The configuration of this version: a JSON object.")
    performance: JSON | None = optional("How well it did: a JSON object; on creation `{}` by default.")


@input_type
class CreateAgentVersionInput(AgentVersionValues):
    """A version to add to an agent."""

    agent_id: strawberry.ID = required("The id of the agent.")
    version_number: str = required(
        "Its number, such as `1.1.0`, unique among the agent's versions; at most 64 characters."
    )
    created_by_user_id: strawberry.ID | None = optional("The id of the user who made it.")
    created_by_agent_id: strawberry.ID | None = optional(
        "The id of the agent that made it; not together with `createdByUserId`."
    )
    activate: bool | None = optional(
        "Whether it becomes the agent's active version at once; false by default."
    )


@input_type
class UpdateAgentVersionInput(AgentVersionValues):
    """The changes to a version. What is left out stays as it is; null clears what may be null."""

    version_number: str | None = optional(
        "Its number, unique among the agent's versions; at most 64 characters."
    )
