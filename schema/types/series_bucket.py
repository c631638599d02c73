"""What was measured in one stretch of time."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import strawberry

from models import Agent as AgentRow
from models import AgentVersion as AgentVersionRow
from models import User as UserRow
from resolvers.fields import column, relation
from schema.declarations import object_type
from schema.scalars import BigInt

if TYPE_CHECKING:
    from schema.types.agent import Agent
    from schema.types.agent_version import AgentVersion
    from schema.types.user import User


@object_type
class SeriesBucket:
    """What was measured in one stretch of time: of one group, if the series is grouped."""

    start: datetime = column(
        "When it begins; it ends where the next one begins. The first one may begin before `from`, and the"
        " last one end after `to`, but only what is between these counts in them."
    )
    count_: BigInt = column("How many measurements there are.", name="count")
    sum: float = column("Their sum; 0 if there are none.")
    mean: float | None = column("Their mean; null if there are none.")
    min: float | None = column("The least of them; null if there are none.")
    max: float | None = column("The greatest of them; null if there are none.")
    p50: float | None = column("The median: half of them are at most this; null if there are none.")
    p95: float | None = column("The 95th percentile: 95 of 100 are at most this; null if there are none.")
    p99: float | None = column("The 99th percentile: 99 of 100 are at most this; null if there are none.")
    agent: Annotated["Agent", strawberry.lazy("schema.types.agent")] | None = relation(
        AgentRow,
        "The agent of its group; null if the series is not grouped by `AGENT`, or there is none.",
        by="agent_id",
    )
    agent_version: Annotated["AgentVersion", strawberry.lazy("schema.types.agent_version")] | None = relation(
        AgentVersionRow,
        "The version of its group; null if the series is not grouped by `AGENT_VERSION`, or there is none.",
        by="agent_version_id",
    )
    user: Annotated["User", strawberry.lazy("schema.types.user")] | None = relation(
        UserRow,
        "The user of its group; null if the series is not grouped by `USER`, or there is none.",
        by="user_id",
    )
    model: str | None = column(
        "The model of its group; null if the series is not grouped by `MODEL`, or none is named."
    )
    tool: str | None = column(
        "The tool of its group; null if the series is not grouped by `TOOL`, or there is none."
    )
    metric_type: str | None = column(
        "The type of metric of its group; null if the series is not grouped by `METRIC_TYPE`."
    )
