"""A person whom agents talk with."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import strawberry

from agentdata.engine.fields import Ordering, column, page
from models import Agent as AgentRow
from models import Memory as MemoryRow
from models import Session as SessionRow
from models import User as UserRow
from resolvers import series, statistics
from schema.declarations import object_type
from schema.inputs.agent import AgentFilter, AgentOrder
from schema.inputs.memory import MemoryFilter, MemoryOrder
from schema.inputs.session import SessionFilter, SessionOrder
from schema.scalars import JSON
from schema.types.connection import Connection
from schema.types.node import Node

if TYPE_CHECKING:
    from schema.types.agent import Agent
    from schema.types.memory import Memory
    from schema.types.series_bucket import SeriesBucket
    from schema.types.session import Session
    from schema.types.statistics import Statistics


@object_type(model=UserRow)
class User(Node):
    """A person whom agents talk with."""

    external_id: str | None = column(
        "The id of the user in another system, unique among the project's users."
    )
    email: str | None = column("The e-mail address, unique among the project's users without regard to case.")
    phone_number: str | None = column("The phone number.")
    name: str | None = column("The name of the user.")
    user_data: JSON = column("Any other data on the user: a JSON object.")
    updated_at: datetime = column("When the user last changed.")
    sessions: Connection[Annotated["Session", strawberry.lazy("schema.types.session")]] = page(
        SessionRow,
        "The sessions with the user, latest first.",
        filter_=SessionFilter,
        order=SessionOrder,
        remote="user_id",
        default=(Ordering("started_at", descending=True),),
    )
    agents: Connection[Annotated["Agent", strawberry.lazy("schema.types.agent")]] = page(
        AgentRow,
        "The agents that the user owns, newest first.",
        filter_=AgentFilter,
        order=AgentOrder,
        remote="owner_id",
    )
    memories: Connection[Annotated["Memory", strawberry.lazy("schema.types.memory")]] = page(
        MemoryRow,
        "The memories about the user, newest first.",
        filter_=MemoryFilter,
        order=MemoryOrder,
        remote="user_id",
    )
    series: list[Annotated["SeriesBucket", strawberry.lazy("schema.types.series_bucket")]] = series.field(
        "Measurements of the sessions with the user over time.", by="user_id"
    )
    statistics: Annotated["Statistics", strawberry.lazy("schema.types.statistics")] = statistics.field(
        "Totals and means over the sessions with the user.", by="user_id"
    )
