"""What clients say of the metrics of agents."""

from __future__ import annotations

from datetime import datetime
from enum import Enum
from typing import TYPE_CHECKING, Annotated

import strawberry
from strawberry import UNSET

from models import Agent, AgentVersion
from schema.enums import OrderDirection
from schema.inputs.filters import DateTimeFilter, FloatFilter, IDFilter, StringFilter, ToMany
from schema.inputs.linked import linked
from schema.scalars import JSON

if TYPE_CHECKING:
    from schema.inputs.agent import AgentFilter
    from schema.inputs.agent_version import AgentVersionFilter


@strawberry.input(description="Selects metrics of agents. All conditions that are given must hold.")
class AgentMetricFilter:
    """Selects metrics of agents. All conditions that are given must hold."""

    id: IDFilter | None = strawberry.field(default=UNSET, description="By their ids.")
    agent_id: IDFilter | None = strawberry.field(default=UNSET, description="By the ids of their agents.")
    version_id: IDFilter | None = strawberry.field(
        default=UNSET, description="By the ids of the versions that were measured."
    )
    metric_type: StringFilter | None = strawberry.field(default=UNSET, description="By what they measure.")
    metric_value: FloatFilter | None = strawberry.field(default=UNSET, description="By their values.")
    timestamp: DateTimeFilter | None = strawberry.field(
        default=UNSET, description="By the times that they are of."
    )
    timeframe: StringFilter | None = strawberry.field(
        default=UNSET, description="By the length of time that they are over."
    )
    agent: Annotated["AgentFilter", strawberry.lazy("schema.inputs.agent")] | None = linked(
        Agent, "By their agents.", local="agent_id"
    )
    version: Annotated["AgentVersionFilter", strawberry.lazy("schema.inputs.agent_version")] | None = linked(
        AgentVersion, "By the versions that were measured.", local="version_id"
    )
    and_: list[AgentMetricFilter] | None = strawberry.field(
        default=UNSET, name="and", description="All of these filters must hold."
    )
    or_: list[AgentMetricFilter] | None = strawberry.field(
        default=UNSET, name="or", description="At least one of these filters must hold."
    )
    not_: AgentMetricFilter | None = strawberry.field(
        default=UNSET, name="not", description="This filter must not hold."
    )


@strawberry.input(description="Conditions on the metrics of agents behind a relation to many.")
class AgentMetricsFilter(ToMany):
    """Conditions on the metrics of agents behind a relation to many."""

    some: AgentMetricFilter | None = strawberry.field(
        default=UNSET, description="At least one of them meets this filter."
    )
    none: AgentMetricFilter | None = strawberry.field(
        default=UNSET, description="None of them meets this filter."
    )


@strawberry.enum(description="The fields that metrics of agents can be ordered by.")
class AgentMetricOrderField(Enum):
    """The fields that metrics of agents can be ordered by."""

    TIMESTAMP = strawberry.enum_value("timestamp", description="The times that they are of.")
    METRIC_VALUE = strawberry.enum_value("metric_value", description="Their values.")


@strawberry.input(description="A field to order metrics of agents by, and the direction.")
class AgentMetricOrder:
    """A field to order metrics of agents by, and the direction."""

    field: AgentMetricOrderField = strawberry.field(description="The field to order by.")
    direction: OrderDirection = strawberry.field(description="The direction of the order.")


@strawberry.input(description="A metric of an agent to record.")
class RecordAgentMetricInput:
    """A metric of an agent to record."""

    agent_id: strawberry.ID = strawberry.field(description="The id of the agent that is measured.")
    version_id: strawberry.ID | None = strawberry.field(
        default=UNSET, description="The id of the version that is measured, one of the agent's own."
    )
    metric_type: str = strawberry.field(
        description=(
            "What is measured: `response_time`, `accuracy`, `user_satisfaction` or another; at most 255"
            " characters."
        )
    )
    metric_value: float = strawberry.field(
        description="What was measured, in the unit of its kind, from -1e100 to 1e100."
    )
    timestamp: datetime | None = strawberry.field(
        default=UNSET, description="The time that it is of; now by default."
    )
    timeframe: str | None = strawberry.field(
        default=UNSET,
        description=(
            "The length of time that it is over: `daily`, `weekly`, `monthly` or another; at most 255"
            " characters."
        ),
    )
    metadata_: JSON | None = strawberry.field(
        default=UNSET, name="metadata", description="Anything else: a JSON object; `{}` by default."
    )
