"""What clients say of teams."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Annotated

import strawberry
from strawberry import UNSET

from agentdata.engine.sql.links import Via
from models import Agent, Session, TeamMember
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


@strawberry.input(description="Selects teams. All conditions that are given must hold.")
class TeamFilter:
    """Selects teams. All conditions that are given must hold."""

    id: IDFilter | None = strawberry.field(default=UNSET, description="By their ids.")
    external_id: StringFilter | None = strawberry.field(
        default=UNSET, description="By their ids in another system."
    )
    name: StringFilter | None = strawberry.field(default=UNSET, description="By their names.")
    created_at: DateTimeFilter | None = strawberry.field(
        default=UNSET, description="By when they were recorded."
    )
    updated_at: DateTimeFilter | None = strawberry.field(
        default=UNSET, description="By when they last changed."
    )
    members: Annotated["AgentsFilter", strawberry.lazy("schema.inputs.agent")] | None = linked(
        Agent, "By the agents that are members.", via=Via(TeamMember, "team_id", "agent_id")
    )
    sessions: Annotated["SessionsFilter", strawberry.lazy("schema.inputs.session")] | None = linked(
        Session, "By their sessions.", remote="team_id"
    )
    and_: list[TeamFilter] | None = strawberry.field(
        default=UNSET, name="and", description="All of these filters must hold."
    )
    or_: list[TeamFilter] | None = strawberry.field(
        default=UNSET, name="or", description="At least one of these filters must hold."
    )
    not_: TeamFilter | None = strawberry.field(
        default=UNSET, name="not", description="This filter must not hold."
    )


@strawberry.input(description="Conditions on the teams behind a relation to many.")
class TeamsFilter(ToMany):
    """Conditions on the teams behind a relation to many."""

    some: TeamFilter | None = strawberry.field(
        default=UNSET, description="At least one of them meets this filter."
    )
    none: TeamFilter | None = strawberry.field(default=UNSET, description="None of them meets this filter.")


@strawberry.enum(description="The fields that teams can be ordered by.")
class TeamOrderField(Enum):
    """The fields that teams can be ordered by."""

    CREATED_AT = strawberry.enum_value("created_at", description="When they were recorded.")
    UPDATED_AT = strawberry.enum_value("updated_at", description="When they last changed.")
    NAME = strawberry.enum_value("name", description="Their names.")


@strawberry.input(description="A field to order teams by, and the direction.")
class TeamOrder:
    """A field to order teams by, and the direction."""

    field: TeamOrderField = strawberry.field(description="The field to order by.")
    direction: OrderDirection = strawberry.field(description="The direction of the order.")


@strawberry.input(description="A team to add.")
class CreateTeamInput:
    """A team to add."""

    name: str = strawberry.field(
        description="What the team is called, unique among the project's teams; at most 255 characters."
    )
    external_id: str | None = strawberry.field(
        default=UNSET,
        description="Its id in another system, unique among the project's teams; at most 255 characters.",
    )
    member_ids: list[strawberry.ID] | None = strawberry.field(
        default=UNSET, description="The ids of the agents that are its members; at most 1,000."
    )


@strawberry.input(
    description="The changes to a team. What is left out stays as it is; null clears what may be null."
)
class UpdateTeamInput:
    """The changes to a team. What is left out stays as it is; null clears what may be null."""

    name: str | None = strawberry.field(
        default=UNSET,
        description="What the team is called, unique among the project's teams; at most 255 characters.",
    )
    external_id: str | None = strawberry.field(
        default=UNSET,
        description="Its id in another system, unique among the project's teams; at most 255 characters.",
    )
