"""Inputs of teams."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Annotated

import strawberry

from agentdata.engine.fields import ToMany, Via, filter_on
from models import Agent, Session, TeamMember
from schema.declarations import enum_type, enum_value, input_type, optional, required
from schema.enums import OrderDirection
from schema.inputs.filters import DateTimeFilter, IDFilter, StringFilter

if TYPE_CHECKING:
    from schema.inputs.agent import AgentsFilter
    from schema.inputs.session import SessionsFilter


@input_type
class TeamFilter:
    """Selects teams. All given conditions must hold."""

    id: IDFilter | None = optional("The id of the team.")
    external_id: StringFilter | None = optional("The id of the team in another system.")
    name: StringFilter | None = optional("The name of the team.")
    created_at: DateTimeFilter | None = optional("When the team was recorded.")
    updated_at: DateTimeFilter | None = optional("When the team last changed.")
    members: Annotated["AgentsFilter", strawberry.lazy("schema.inputs.agent")] | None = filter_on(
        Agent,
        "Conditions on the agents that are members of the team.",
        via=Via(TeamMember, "team_id", "agent_id"),
    )
    sessions: Annotated["SessionsFilter", strawberry.lazy("schema.inputs.session")] | None = filter_on(
        Session, "Conditions on the sessions held by the team.", remote="team_id"
    )
    and_: list[TeamFilter] | None = optional("All of these filters must hold.", name="and")
    or_: list[TeamFilter] | None = optional("At least one of these filters must hold.", name="or")
    not_: TeamFilter | None = optional("This filter must not hold.", name="not")


@input_type
class TeamsFilter(ToMany):
    """Conditions on related teams."""

    some: TeamFilter | None = optional("At least one related object meets this filter.")
    none: TeamFilter | None = optional("No related object meets this filter.")


@enum_type
class TeamOrderField(Enum):
    """The fields that teams can be ordered by."""

    CREATED_AT = enum_value("created_at", "When the team was recorded.")
    UPDATED_AT = enum_value("updated_at", "When the team last changed.")
    NAME = enum_value("name", "The name of the team, by code point.")


@input_type
class TeamOrder:
    """A field to order teams by, and the direction."""

    field: TeamOrderField = required("The field to order by.")
    direction: OrderDirection = required("The direction of the order.")


@input_type
class CreateTeamInput:
    """A team to add."""

    name: str = required("The name of the team, unique among the project's teams; at most 255 characters.")
    external_id: str | None = optional(
        "The id of the team in another system, unique among the project's teams; at most 255 characters."
    )
    member_ids: list[strawberry.ID] | None = optional(
        "The ids of the agents that are members of the team; at most 1,000."
    )


@input_type
class UpdateTeamInput:
    """The changes to a team.

    Fields that are left out stay as they are; null clears a field that may be null.
    """

    name: str | None = optional(
        "The name of the team, unique among the project's teams; at most 255 characters."
    )
    external_id: str | None = optional(
        "The id of the team in another system, unique among the project's teams; at most 255 characters."
    )
