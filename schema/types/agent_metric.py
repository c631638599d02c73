"""A measurement of an agent at one time."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import strawberry

from models import Agent as AgentRow
from models import AgentMetric as AgentMetricRow
from models import AgentVersion as AgentVersionRow
from resolvers.fields import column, relation
from schema.declarations import object_type
from schema.scalars import JSON
from schema.types.node import Node

if TYPE_CHECKING:
    from schema.types.agent import Agent
    from schema.types.agent_version import AgentVersion


@object_type(model=AgentMetricRow)
class AgentMetric(Node):
    """A measurement of an agent at one time. It never changes."""

    agent: Annotated["Agent", strawberry.lazy("schema.types.agent")] = relation(
        AgentRow, "The agent that was measured.", by="agent_id"
    )
    version: Annotated["AgentVersion", strawberry.lazy("schema.types.agent_version")] | None = relation(
        AgentVersionRow, "The version that was measured; null if that is unknown.", by="version_id"
    )
    metric_type: str = column(
        "What was measured: `response_time`, `accuracy`, `user_satisfaction` or another."
    )
    metric_value: float = column("What was measured, in the unit of its kind.")
    timestamp: datetime = column("The time that it is of.")
    timeframe: str | None = column(
        "The length of time that it is over: `daily`, `weekly`, `monthly` or another; null for a moment."
    )
    metadata_: JSON = column("Anything else: a JSON object.", name="metadata")
