"""The entries of rankings."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import strawberry

from agentdata.engine.fields import column, relation
from models import Agent as AgentRow
from models import Memory as MemoryRow
from models import User as UserRow
from resolvers import rankings
from schema.declarations import object_type
from schema.scalars import BigInt
from schema.types.statistics import ModelStatistics, ToolStatistics

if TYPE_CHECKING:
    from schema.types.agent import Agent
    from schema.types.memory import Memory
    from schema.types.user import User


@object_type
class SessionTotals:
    """What the sessions of someone add up to."""

    session_count: BigInt = column("The number of sessions.")
    completed_count: BigInt = column("The number of sessions that ended as COMPLETED.")
    failed_count: BigInt = column("The number of sessions that ended as FAILED.")
    success_rate: float | None = column(
        "The share of COMPLETED sessions among those that COMPLETED or FAILED, from 0 to 1; null if there are"
        " none."
    )
    message_count: BigInt = column("The number of messages in the sessions.")
    interaction_count: BigInt = column("The number of user turns: messages with the role USER.")
    prompt_tokens: BigInt = column("The number of prompt tokens that models read.")
    completion_tokens: BigInt = column("The number of completion tokens that models wrote.")
    total_tokens: BigInt = column("The number of prompt and completion tokens together.")
    cost_usd: float = column(
        "The total cost of the sessions, in US dollars. Sessions whose cost is unknown add nothing."
    )
    error_count: BigInt = column("The number of errors: failed tool calls, and events of the type `error`.")
    last_activity_at: datetime = column("When something last happened in any of the sessions.")


@object_type(model=rankings.UserRank)
class UserRank(SessionTotals):
    """An entry in a ranking of users: a user, and totals over the sessions with the user."""

    user: Annotated["User", strawberry.lazy("schema.types.user")] = relation(UserRow, "The user.")


@object_type(model=rankings.AgentRank)
class AgentRank(SessionTotals):
    """An entry in a ranking of agents: an agent, and totals over its sessions."""

    agent: Annotated["Agent", strawberry.lazy("schema.types.agent")] = relation(AgentRow, "The agent.")


@object_type(model=rankings.ToolRank)
class ToolRank(ToolStatistics):
    """An entry in a ranking of tools: a tool, and how its calls went.

    Over more than 2,000 sessions of the project, all of them or those of a time of their start, a percentile
    is true to 1 %.
    """


@object_type(model=rankings.ModelRank)
class ModelRank(ModelStatistics):
    """An entry in a ranking of models: a model, and its use according to messages and usage records."""

    total_tokens: BigInt = column("The number of prompt and completion tokens together.")


@object_type(model=rankings.MemoryRank)
class MemoryRank:
    """An entry in a ranking of memories: a memory, and how it was used."""

    memory: Annotated["Memory", strawberry.lazy("schema.types.memory")] = relation(MemoryRow, "The memory.")
    usefulness: float | None = column(
        "The mean usefulness over the accesses that report one, from 0 to 1; null if none does."
    )
    rated_count: BigInt = column("The number of accesses that report a usefulness.")
    access_count: BigInt = column("The number of recorded accesses to the memory.")
    last_accessed_at: datetime | None = column("When the memory was last accessed; null if never.")
