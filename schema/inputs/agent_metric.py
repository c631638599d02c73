"""Inputs of the metrics of agents."""

from __future__ import annotations

from datetime import datetime
from enum import Enum
from typing import TYPE_CHECKING, Annotated

import strawberry

from agentdata.engine.fields import ToMany, filter_on
from models import Agent, AgentVersion
from schema.declarations import enum_type, enum_value, input_type, optional, required
from schema.enums import OrderDirection
from schema.inputs.filters import DateTimeFilter, FloatFilter, IDFilter, StringFilter
from schema.scalars import JSON

if TYPE_CHECKING:
    from schema.inputs.agent import AgentFilter
    from schema.inputs.agent_version import AgentVersionFilter


@input_type
class AgentMetricFilter:
    """Selects metrics of agents. All given conditions must hold."""

    id: IDFilter | None = optional("The id of the metric.")
    agent_id: IDFilter | None = optional("The id of the agent that was measured.")
    version_id: IDFilter | None = optional("The id of the version that was measured.")
    metric_type: StringFilter | None = optional("The kind of metric.")
    metric_value: FloatFilter | None = optional("The measured value, in the unit of its kind.")
    timestamp: DateTimeFilter | None = optional("When the agent was measured.")
    timeframe: StringFilter | None = optional("The period that the value covers.")
    agent: Annotated["AgentFilter", strawberry.lazy("schema.inputs.agent")] | None = filter_on(
        Agent, "Conditions on the agent that was measured.", local="agent_id"
    )
    version: Annotated["AgentVersionFilter", strawberry.lazy("schema.inputs.agent_version")] | None = (
        filter_on(AgentVersion, "Conditions on the version that was measured.", local="version_id")
    )
    and_: list[AgentMetricFilter] | None = optional("All of these filters must hold.", name="and")
    or_: list[AgentMetricFilter] | None = optional("At least one of these filters must hold.", name="or")
    not_: AgentMetricFilter | None = optional("This filter must not hold.", name="not")


@input_type
class AgentMetricsFilter(ToMany):
    """Conditions on related metrics of agents."""

    some: AgentMetricFilter | None = optional("At least one related object meets this filter.")
    none: AgentMetricFilter | None = optional("No related object meets this filter.")


@enum_type
class AgentMetricOrderField(Enum):
    """The fields that metrics of agents can be ordered by."""

    TIMESTAMP = enum_value("timestamp", "When the agent was measured.")
    METRIC_VALUE = enum_value("metric_value", "The measured value, in the unit of its kind.")


@input_type
class AgentMetricOrder:
    """A field to order metrics of agents by, and the direction."""

    field: AgentMetricOrderField = required("The field to order by.")
    direction: OrderDirection = required("The direction of the order.")


@input_type
class RecordAgentMetricInput:
    """A metric of an agent to record."""

    agent_id: strawberry.ID = required("The id of the agent that was measured.")
    version_id: strawberry.ID | None = optional(
        "The id of the version that was measured; it must be a version of the agent."
    )
    metric_type: str = required(
        "The kind of metric: `response_time`, `accuracy`, `user_satisfaction` or another value; at most 255"
        " characters."
    )
    metric_value: float = required("The measured value, in the unit of its kind, from -1e100 to 1e100.")
    timestamp: datetime | None = optional("When the agent was measured; now by default.")
    timeframe: str | None = optional(
        "The period that the value covers: `daily`, `weekly`, `monthly` or another value, at"
        " most 255 characters; null for a moment."
    )
    metadata_: JSON | None = optional("Any other data: a JSON object; `{}` by default.", name="metadata")
