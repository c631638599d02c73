"""What clients say of the metrics of agents."""

from __future__ import annotations

from datetime import datetime
from enum import Enum
from typing import TYPE_CHECKING, Annotated

import strawberry

from models import Agent, AgentVersion
from schema.declarations import enum_type, enum_value, input_type, optional, required
from schema.enums import OrderDirection
from schema.inputs.filters import DateTimeFilter, FloatFilter, IDFilter, StringFilter, ToMany
from schema.inputs.linked import linked
from schema.scalars import JSON

if TYPE_CHECKING:
    from schema.inputs.agent import AgentFilter
    from schema.inputs.agent_version import AgentVersionFilter


@input_type
class AgentMetricFilter:
    """Selects metrics of agents. All conditions that are given must hold."""

    id: IDFilter | None = optional("By their ids.")
    agent_id: IDFilter | None = optional("By the ids of their agents.")
    version_id: IDFilter | None = optional("By the ids of the versions that were measured.")
    metric_type: StringFilter | None = optional("By what they measure.")
    metric_value: FloatFilter | None = optional("By their values.")
    timestamp: DateTimeFilter | None = optional("By the times that they are of.")
    timeframe: StringFilter | None = optional("By the length of time that they are over.")
    agent: Annotated["AgentFilter", strawberry.lazy("schema.inputs.agent")] | None = linked(
        Agent, "By their agents.", local="agent_id"
    )
    version: Annotated["AgentVersionFilter", strawberry.lazy("schema.inputs.agent_version")] | None = linked(
        AgentVersion, "By the versions that were measured.", local="version_id"
    )
    and_: list[AgentMetricFilter] | None = optional("All of these filters must hold.", name="and")
    or_: list[AgentMetricFilter] | None = optional("At least one of these filters must hold.", name="or")
    not_: AgentMetricFilter | None = optional("This filter must not hold.", name="not")


@input_type
class AgentMetricsFilter(ToMany):
    """Conditions on the metrics of agents behind a relation to many."""

    some: AgentMetricFilter | None = optional("At least one of them meets this filter.")
    none: AgentMetricFilter | None = optional("None of them meets this filter.")


@enum_type
class AgentMetricOrderField(Enum):
    """The fields that metrics of agents can be ordered by."""

    TIMESTAMP = enum_value("timestamp", "The times that they are of.")
    METRIC_VALUE = enum_value("metric_value", "Their values.")


@input_type
class AgentMetricOrder:
    """A field to order metrics of agents by, and the direction."""

    field: AgentMetricOrderField = required("The field to order by.")
    direction: OrderDirection = required("The direction of the order.")


@input_type
class RecordAgentMetricInput:
    """A metric of an agent to record."""

    agent_id: strawberry.ID = required("The id of the agent that is measured.")
    version_id: strawberry.ID | None = optional(
        "The id of the version that is measured, one of the agent's own."
    )
    metric_type: str = required(
        "What is measured: `response_time`, `accuracy`, `user_satisfaction` or another; at most 255"
        " characters."
    )
    metric_value: float = required("What was measured, in the unit of its kind, from -1e100 to 1e100.")
    timestamp: datetime | None = optional("The time that it is of; now by default.")
    timeframe: str | None = optional(
        "The length of time that it is over: `daily`, `weekly`, `monthly` or another; at most 255 characters."
    )
    metadata_: JSON | None = optional("Anything else: a JSON object; `{}` by default.", name="metadata")
