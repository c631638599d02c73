"""A measurement of an agent at one time."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import strawberry

from agentdata.engine.fields import column, relation
from models import Agent as AgentRow
from models import AgentMetric as AgentMetricRow
from models import AgentVersion as AgentVersionRow
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
        AgentRow, "The agent that was measured.", local="agent_id"
    )
    version: Annotated["AgentVersion", strawberry.lazy("schema.types.agent_version")] | None = relation(
        AgentVersionRow, "The version that was measured; null if unknown.", local="version_id"
    )
    metric_type: str = column(
        "The kind of metric: `response_time`, `accuracy`, `user_satisfaction` or another value."
    )
    metric_value: float = column("The measured value, in the unit of its kind.")
    timestamp: datetime = column("When the agent was measured.")
    timeframe: str | None = column(
        "The period that the value covers: `daily`, `weekly`, `monthly` or another value; null for a moment."
    )
    metadata_: JSON = column("Any other data: a JSON object.", name="metadata")
