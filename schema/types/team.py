"""A named group of agents that work together."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import strawberry

from agentdata.engine.fields import Ordering, Via, column, page
from models import Agent as AgentRow
from models import Session as SessionRow
from models import Team as TeamRow
from models import TeamMember
from resolvers import series, statistics
from schema.declarations import object_type
from schema.inputs.agent import AgentFilter, AgentOrder
from schema.inputs.session import SessionFilter, SessionOrder
from schema.types.connection import Connection
from schema.types.node import Node

if TYPE_CHECKING:
    from schema.types.agent import Agent
    from schema.types.series_bucket import SeriesBucket
    from schema.types.session import Session
    from schema.types.statistics import Statistics


@object_type(model=TeamRow)
class Team(Node):
    """A named group of agents that work together."""

    name: str = column("The name of the team, unique among the project's teams.")
    external_id: str | None = column(
        "The id of the team in another system, unique among the project's teams."
    )
    updated_at: datetime = column("When the team last changed.")
    members: Connection[Annotated["Agent", strawberry.lazy("schema.types.agent")]] = page(
        AgentRow,
        "The agents that are members of the team, ordered by name.",
        filter_=AgentFilter,
        order=AgentOrder,
        via=Via(TeamMember, "team_id", "agent_id"),
        default=(Ordering("name"),),
    )
    sessions: Connection[Annotated["Session", strawberry.lazy("schema.types.session")]] = page(
        SessionRow,
        "The sessions held by the team, latest first.",
        filter_=SessionFilter,
        order=SessionOrder,
        remote="team_id",
        default=(Ordering("started_at", descending=True),),
    )
    series: list[Annotated["SeriesBucket", strawberry.lazy("schema.types.series_bucket")]] = series.field(
        "Measurements of the sessions held by the team over time.", by="team_id"
    )
    statistics: Annotated["Statistics", strawberry.lazy("schema.types.statistics")] = statistics.field(
        "Totals and means over the sessions held by the team.", by="team_id"
    )
