"""An AI agent and its configuration."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import strawberry

from agentdata.execution.links import Via
from models import Agent as AgentRow
from models import AgentMetric as AgentMetricRow
from models import AgentVersion as AgentVersionRow
from models import Memory as MemoryRow
from models import Session as SessionRow
from models import Team as TeamRow
from models import TeamMember
from models import User as UserRow
from resolvers import agents, series, statistics
from resolvers.batches import Gives
from resolvers.fields import batch, column, page, relation
from resolvers.paging import Ordering
from schema.declarations import object_type
from schema.inputs.agent_metric import AgentMetricFilter, AgentMetricOrder
from schema.inputs.agent_version import AgentVersionFilter, AgentVersionOrder
from schema.inputs.memory import MemoryFilter, MemoryOrder
from schema.inputs.session import SessionFilter, SessionOrder
from schema.inputs.team import TeamFilter, TeamOrder
from schema.scalars import JSON
from schema.types.connection import Connection
from schema.types.node import Node

if TYPE_CHECKING:
    from schema.types.agent_metric import AgentMetric
    from schema.types.agent_version import AgentVersion
    from schema.types.memory import Memory
    from schema.types.series_bucket import SeriesBucket
    from schema.types.session import Session
    from schema.types.statistics import Statistics
    from schema.types.team import Team
    from schema.types.user import User


@object_type(model=AgentRow)
class Agent(Node):
    """An AI agent and its configuration."""

    name: str = column("What the agent is called, unique among the project's agents.")
    external_id: str | None = column("Its id in another system, unique among the project's agents.")
    type: str | None = column("What kind of agent it is, such as `assistant`, `planner` or `custom`.")
    description: str | None = column("What it is for, in words.")
    provider: str | None = column("Who serves its model, such as `openai`, `anthropic` or `local`.")
    model: str | None = column("The model that it runs on, as its provider names it.")
    temperature: float | None = column("The sampling temperature, from 0 to 100; providers use 0 to 2.")
    max_tokens: int | None = column("The most tokens that an answer may have.")
    system_prompt: str | None = column("The instructions that frame its sessions.")
    config: JSON = column("The rest of its configuration: a JSON object.")
    tools: JSON = column("The tools that it may call: a JSON array of their definitions or names.")
    tool_count: int = batch(agents.tool_counts, "How many tools it may call.", Gives.VALUE)
    active: bool = column("Whether it is in use.")
    run_id: int | None = column("A counter of runs that its framework keeps.")
    owner: Annotated["User", strawberry.lazy("schema.types.user")] | None = relation(
        UserRow, "The user that it belongs to, such as a custom agent's creator.", by="owner_id"
    )
    specializations: list[str] = column("What it is good at, such as `billing` or `code review`.")
    learning_mode: str | None = column("How it learns: `active`, `passive`, `supervised` or another.")
    training_status: str | None = column(
        "How far it is trained: `initial`, `trained`, `fine-tuned` or another."
    )
    last_active_at: datetime | None = batch(
        agents.last_active_at,
        "When something last happened in one of its sessions; null if it has none. Kept by the system.",
        Gives.VALUE,
    )
    total_sessions: int = column("How many sessions it has. Kept by the system.")
    success_rate: float | None = column(
        "The share that COMPLETED of its sessions that COMPLETED or FAILED, from 0 to 1; null if there are"
        " none. Kept by the system."
    )
    updated_at: datetime = column("When it last changed.")
    active_version: Annotated["AgentVersion", strawberry.lazy("schema.types.agent_version")] | None = batch(
        agents.active_versions,
        "The version that is active now; null if none is.",
        Gives.ROW,
        model=AgentVersionRow,
    )
    versions: Connection[Annotated["AgentVersion", strawberry.lazy("schema.types.agent_version")]] = page(
        AgentVersionRow,
        "Its versions, the newest first.",
        filter_=AgentVersionFilter,
        order=AgentVersionOrder,
        by="agent_id",
    )
    version_history: list[Annotated["AgentVersion", strawberry.lazy("schema.types.agent_version")]] = batch(
        agents.version_histories,
        "The versions that are or were active, the latest activated first; at most 500.",
        Gives.ROWS,
        model=AgentVersionRow,
    )
    teams: Connection[Annotated["Team", strawberry.lazy("schema.types.team")]] = page(
        TeamRow,
        "The teams that it is a member of, ordered by name.",
        filter_=TeamFilter,
        order=TeamOrder,
        via=Via(TeamMember, "agent_id", "team_id"),
        default=(Ordering("name"),),
    )
    sessions: Connection[Annotated["Session", strawberry.lazy("schema.types.session")]] = page(
        SessionRow,
        "Its sessions, the latest first.",
        filter_=SessionFilter,
        order=SessionOrder,
        by="agent_id",
        default=(Ordering("started_at", descending=True),),
    )
    metrics: Connection[Annotated["AgentMetric", strawberry.lazy("schema.types.agent_metric")]] = page(
        AgentMetricRow,
        "How it was measured, the latest first.",
        filter_=AgentMetricFilter,
        order=AgentMetricOrder,
        by="agent_id",
        default=(Ordering("timestamp", descending=True),),
    )
    series: list[Annotated["SeriesBucket", strawberry.lazy("schema.types.series_bucket")]] = series.measured(
        "How it was measured, and what was measured in its sessions, over time.", by="agent_id"
    )
    memories: Connection[Annotated["Memory", strawberry.lazy("schema.types.memory")]] = page(
        MemoryRow,
        "The memories that it keeps, the newest first.",
        filter_=MemoryFilter,
        order=MemoryOrder,
        by="agent_id",
    )
    statistics: Annotated["Statistics", strawberry.lazy("schema.types.statistics")] = statistics.summed(
        "What its sessions add up to.", by="agent_id"
    )
