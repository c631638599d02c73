"""The measurements of one interval."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import strawberry

from agentdata.engine.fields import column, relation
from models import Agent as AgentRow
from models import AgentVersion as AgentVersionRow
from models import User as UserRow
from schema.declarations import object_type
from schema.scalars import BigInt

if TYPE_CHECKING:
    from schema.types.agent import Agent
    from schema.types.agent_version import AgentVersion
    from schema.types.user import User


@object_type
class SeriesBucket:
    """The measurements of one interval and, if the series is grouped, of one group."""

    start: datetime = column(
        "When the bucket begins; it ends where the next one begins. The first bucket may begin before"
        " `from` and the last one may end after `to`, but only measurements between the two count."
    )
    count_: BigInt = column("The number of measurements.", name="count")
    sum: float = column("The sum of the measurements; 0 if there are none.")
    mean: float | None = column("The mean of the measurements; null if there are none.")
    min: float | None = column("The least measurement; null if there are none.")
    max: float | None = column("The greatest measurement; null if there are none.")
    p50: float | None = column(
        "The median: half of the measurements are at most this value; null if there are none."
    )
    p95: float | None = column(
        "The 95th percentile: 95 % of the measurements are at most this value; null if there are none."
    )
    p99: float | None = column(
        "The 99th percentile: 99 % of the measurements are at most this value; null if there are none."
    )
    agent: Annotated["Agent", strawberry.lazy("schema.types.agent")] | None = relation(
        AgentRow,
        "The agent of the group; null if the series is not grouped by `AGENT`, or the group has no agent.",
        local="agent_id",
    )
    agent_version: Annotated["AgentVersion", strawberry.lazy("schema.types.agent_version")] | None = relation(
        AgentVersionRow,
        "The version of the group; null if the series is not grouped by `AGENT_VERSION`, or the group has"
        " no version.",
        local="agent_version_id",
    )
    user: Annotated["User", strawberry.lazy("schema.types.user")] | None = relation(
        UserRow,
        "The user of the group; null if the series is not grouped by `USER`, or the group has no user.",
        local="user_id",
    )
    model: str | None = column(
        "The model of the group; null if the series is not grouped by `MODEL`, or the group names no model."
    )
    tool: str | None = column(
        "The tool of the group; null if the series is not grouped by `TOOL`, or the group has no tool."
    )
    metric_type: str | None = column(
        "The kind of metric of the group; null if the series is not grouped by `METRIC_TYPE`."
    )
