"""A version of an agent."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import strawberry

from agentdata.engine.fields import Ordering, column, either, page, relation
from models import Agent as AgentRow
from models import AgentMetric as AgentMetricRow
from models import AgentVersion as AgentVersionRow
from models import Session as SessionRow
from models import User as UserRow
from resolvers import series, statistics
from schema.declarations import object_type
from schema.inputs.agent_metric import AgentMetricFilter, AgentMetricOrder
from schema.inputs.session import SessionFilter, SessionOrder
from schema.scalars import JSON
from schema.types.connection import Connection
from schema.types.node import Node

if TYPE_CHECKING:
    from schema.types.actor import Actor
    from schema.types.agent import Agent
    from schema.types.agent_metric import AgentMetric
    from schema.types.series_bucket import SeriesBucket
    from schema.types.session import Session
    from schema.types.statistics import Statistics


@object_type(model=AgentVersionRow)
class AgentVersion(Node):
    """A version of an agent: its configuration at one time. At most one version of an agent is active."""

    agent: Annotated["Agent", strawberry.lazy("schema.types.agent")] = relation(
        AgentRow, "The agent of the version.", local="agent_id"
    )
    version_number: str = column("The version number, such as `1.1.0`, unique among the agent's versions.")
    changes: JSON = column("What is new in the version: a JSON object.")
    system_prompt: str | None = column("The instructions that frame the sessions of this version.")
    config: JSON | None = column("The configuration of the version: a JSON object.")
    created_by: Annotated["Actor", strawberry.lazy("schema.types.actor")] | None = either(
        "The user or agent who made the version.", created_by_user_id=UserRow, created_by_agent_id=AgentRow
    )
    is_active: bool = column("Whether the version is the agent's active one.")
    activated_at: datetime | None = column("When the version last became active; null if never.")
    deactivated_at: datetime | None = column(
        "When the version last ceased to be active; null while it is active, and if it never was."
    )
    performance: JSON = column("How well the version performed: a JSON object.")
    updated_at: datetime = column("When the version last changed.")
    sessions: Connection[Annotated["Session", strawberry.lazy("schema.types.session")]] = page(
        SessionRow,
        "The sessions that ran on the version, latest first.",
        filter_=SessionFilter,
        order=SessionOrder,
        remote="agent_version_id",
        default=(Ordering("started_at", descending=True),),
    )
    metrics: Connection[Annotated["AgentMetric", strawberry.lazy("schema.types.agent_metric")]] = page(
        AgentMetricRow,
        "The metrics of the version, latest first.",
        filter_=AgentMetricFilter,
        order=AgentMetricOrder,
        remote="version_id",
        default=(Ordering("timestamp", descending=True),),
    )
    statistics: Annotated["Statistics", strawberry.lazy("schema.types.statistics")] = statistics.field(
        "Totals and means over the sessions that ran on the version.", by="agent_version_id"
    )
    series: list[Annotated["SeriesBucket", strawberry.lazy("schema.types.series_bucket")]] = series.field(
        "Measurements of the version and of its sessions over time.", by="agent_version_id"
    )
