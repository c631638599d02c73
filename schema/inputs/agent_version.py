"""What clients say of versions of agents."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Annotated

import strawberry
from strawberry import UNSET

from models import Agent, AgentMetric, Session
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


@strawberry.input(description="Selects versions of agents. All conditions that are given must hold.")
class AgentVersionFilter:
    """Selects versions of agents. All conditions that are given must hold."""

    id: IDFilter | None = strawberry.field(default=UNSET, description="By their ids.")
    agent_id: IDFilter | None = strawberry.field(default=UNSET, description="By the ids of their agents.")
    version_number: StringFilter | None = strawberry.field(default=UNSET, description="By their numbers.")
    is_active: BooleanFilter | None = strawberry.field(
        default=UNSET, description="By whether they are active."
    )
    created_at: DateTimeFilter | None = strawberry.field(
        default=UNSET, description="By when they were recorded."
    )
    updated_at: DateTimeFilter | None = strawberry.field(
        default=UNSET, description="By when they last changed."
    )
    activated_at: DateTimeFilter | None = strawberry.field(
        default=UNSET, description="By when they last became active."
    )
    agent: Annotated["AgentFilter", strawberry.lazy("schema.inputs.agent")] | None = linked(
        Agent, "By their agents.", local="agent_id"
    )
    sessions: Annotated["SessionsFilter", strawberry.lazy("schema.inputs.session")] | None = linked(
        Session, "By the sessions that ran on them.", remote="agent_version_id"
    )
    metrics: Annotated["AgentMetricsFilter", strawberry.lazy("schema.inputs.agent_metric")] | None = linked(
        AgentMetric, "By how they were measured.", remote="version_id"
    )
    and_: list[AgentVersionFilter] | None = strawberry.field(
        default=UNSET, name="and", description="All of these filters must hold."
    )
    or_: list[AgentVersionFilter] | None = strawberry.field(
        default=UNSET, name="or", description="At least one of these filters must hold."
    )
    not_: AgentVersionFilter | None = strawberry.field(
        default=UNSET, name="not", description="This filter must not hold."
    )


@strawberry.input(description="Conditions on the versions of agents behind a relation to many.")
class AgentVersionsFilter(ToMany):
    """Conditions on the versions of agents behind a relation to many."""

    some: AgentVersionFilter | None = strawberry.field(
        default=UNSET, description="At least one of them meets this filter."
    )
    none: AgentVersionFilter | None = strawberry.field(
        default=UNSET, description="None of them meets this filter."
    )


@strawberry.enum(description="The fields that versions of agents can be ordered by.")
class AgentVersionOrderField(Enum):
    """The fields that versions of agents can be ordered by."""

    CREATED_AT = strawberry.enum_value("created_at", description="When they were recorded.")
    UPDATED_AT = strawberry.enum_value("updated_at", description="When they last changed.")
    VERSION_NUMBER = strawberry.enum_value("version_number", description="Their numbers, as text.")


@strawberry.input(description="A field to order versions of agents by, and the direction.")
class AgentVersionOrder:
    """A field to order versions of agents by, and the direction."""

    field: AgentVersionOrderField = strawberry.field(description="The field to order by.")
    direction: OrderDirection = strawberry.field(description="The direction of the order.")


@strawberry.input(description="What may be said of a version of an agent.")
class AgentVersionValues:
    """What may be said of a version of an agent."""

    changes: JSON | None = strawberry.field(
        default=UNSET, description="What is new in it: a JSON object; on creation `{}` by default."
    )
    system_prompt: str | None = strawberry.field(
        default=UNSET, description="The instructions of this version."
    )
    config: JSON | None = strawberry.field(
        default=UNSET, description="The configuration of this version: a JSON object."
    )
    performance: JSON | None = strawberry.field(
        default=UNSET, description="How well it did: a JSON object; on creation `{}` by default."
    )


@strawberry.input(description="A version to add to an agent.")
class CreateAgentVersionInput(AgentVersionValues):
    """A version to add to an agent."""

    agent_id: strawberry.ID = strawberry.field(description="The id of the agent.")
    version_number: str = strawberry.field(
        description="Its number, such as `1.1.0`, unique among the agent's versions; at most 64 characters."
    )
    created_by_user_id: strawberry.ID | None = strawberry.field(
        default=UNSET, description="The id of the user who made it."
    )
    created_by_agent_id: strawberry.ID | None = strawberry.field(
        default=UNSET, description="The id of the agent that made it; not together with `createdByUserId`."
    )
    activate: bool | None = strawberry.field(
        default=UNSET, description="Whether it becomes the agent's active version at once; false by default."
    )


@strawberry.input(
    description="The changes to a version. What is left out stays as it is; null clears what may be null."
)
class UpdateAgentVersionInput(AgentVersionValues):
    """The changes to a version. What is left out stays as it is; null clears what may be null."""

    version_number: str | None = strawberry.field(
        default=UNSET, description="Its number, unique among the agent's versions; at most 64 characters."
    )
