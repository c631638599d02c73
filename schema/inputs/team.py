"""What clients say of teams."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Annotated

import strawberry

from agentdata.execution.links import Via
from models import Agent, Session, TeamMember
from schema.declarations import enum_type, enum_value, input_type, optional, required
from schema.enums import OrderDirection
from schema.inputs.filters import (
    DateTimeFilter,
    IDFilter,
    StringFilter,
    ToMany,
)
from schema.inputs.linked import linked

if TYPE_CHECKING:
    from schema.inputs.agent import AgentsFilter
    from schema.inputs.session import SessionsFilter


@input_type
class TeamFilter:
    """Selects teams. All conditions that are given must hold."""

    id: IDFilter | None = optional("By their ids.")
    external_id: StringFilter | None = optional("By their ids in another system.")
    name: StringFilter | None = optional("By their names.")
    created_at: DateTimeFilter | None = optional("By when they were recorded.")
    updated_at: DateTimeFilter | None = optional("By when they last changed.")
    members: Annotated["AgentsFilter", strawberry.lazy("schema.inputs.agent")] | None = linked(
        Agent, "By the agents that are members.", via=Via(TeamMember, "team_id", "agent_id")
    )
    sessions: Annotated["SessionsFilter", strawberry.lazy("schema.inputs.session")] | None = linked(
        Session, "By their sessions.", remote="team_id"
    )
    and_: list[TeamFilter] | None = optional("All of these filters must hold.", name="and")
    or_: list[TeamFilter] | None = optional("At least one of these filters must hold.", name="or")
    not_: TeamFilter | None = optional("This filter must not hold.", name="not")


@input_type
class TeamsFilter(ToMany):
    """Conditions on the teams behind a relation to many."""

    some: TeamFilter | None = optional("At least one of them meets this filter.")
    none: TeamFilter | None = optional("None of them meets this filter.")


@enum_type
class TeamOrderField(Enum):
    """The fields that teams can be ordered by."""

    CREATED_AT = enum_value("created_at", "When they were recorded.")
    UPDATED_AT = enum_value("updated_at", "When they last changed.")
    NAME = enum_value("name", "Their names.")


@input_type
class TeamOrder:
    """A field to order teams by, and the direction."""

    field: TeamOrderField = required("The field to order by.")
    direction: OrderDirection = required("The direction of the order.")


@input_type
class CreateTeamInput:
    """A team to add."""

    name: str = required("What the team is called, unique among the project's teams; at most 255 characters.")
    external_id: str | None = optional(
        "Its id in another system, unique among the project's teams; at most 255 characters."
    )
    member_ids: list[strawberry.ID] | None = optional(
        "The ids of the agents that are its members; at most 1,000."
    )


@input_type
class UpdateTeamInput:
    """The changes to a team. What is left out stays as it is; null clears what may be null."""

    name: str | None = optional(
        "What the team is called, unique among the project's teams; at most 255 characters."
    )
    external_id: str | None = optional(
        "Its id in another system, unique among the project's teams; at most 255 characters."
    )
