"""Rows of rankings."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import strawberry

from models import Agent as AgentRow
from models import Memory as MemoryRow
from models import User as UserRow
from resolvers import rankings
from resolvers.fields import column, relation
from schema.declarations import object_type
from schema.scalars import BigInt

if TYPE_CHECKING:
    from schema.types.agent import Agent
    from schema.types.memory import Memory
    from schema.types.user import User

_SESSION_COUNT = "How many sessions there are."
_COMPLETED_COUNT = "How many of them ended as COMPLETED."
_FAILED_COUNT = "How many of them ended as FAILED."
_SUCCESS_RATE = (
    "The share that COMPLETED of those that COMPLETED or FAILED, from 0 to 1; null if there are none."
)
_MESSAGE_COUNT = "How many messages they have."
_INTERACTION_COUNT = "How many turns users took: messages with the role USER."
_PROMPT_TOKENS = "How many prompt tokens models read."
_COMPLETION_TOKENS = "How many completion tokens models wrote."
_TOTAL_TOKENS = "How many tokens models read and wrote."
_COST_USD = "What they cost together, in US dollars; sessions whose cost is unknown add nothing."
_ERROR_COUNT = "How many errors there were: tool calls that FAILED, and events of the type `error`."
_LAST_ACTIVITY_AT = "When something last happened in any of them."


@object_type(model=rankings.UserRank)
class UserRank:
    """A place in a ranking of users: a user, and what the sessions with them add up to."""

    user: Annotated["User", strawberry.lazy("schema.types.user")] = relation(UserRow, "The user.")
    session_count: BigInt = column(_SESSION_COUNT)
    completed_count: BigInt = column(_COMPLETED_COUNT)
    failed_count: BigInt = column(_FAILED_COUNT)
    success_rate: float | None = column(_SUCCESS_RATE)
    message_count: BigInt = column(_MESSAGE_COUNT)
    interaction_count: BigInt = column(_INTERACTION_COUNT)
    prompt_tokens: BigInt = column(_PROMPT_TOKENS)
    completion_tokens: BigInt = column(_COMPLETION_TOKENS)
    total_tokens: BigInt = column(_TOTAL_TOKENS)
    cost_usd: float = column(_COST_USD)
    error_count: BigInt = column(_ERROR_COUNT)
    last_activity_at: datetime = column(_LAST_ACTIVITY_AT)


@object_type(model=rankings.AgentRank)
class AgentRank:
    """A place in a ranking of agents: an agent, and what its sessions add up to."""

    agent: Annotated["Agent", strawberry.lazy("schema.types.agent")] = relation(AgentRow, "The agent.")
    session_count: BigInt = column(_SESSION_COUNT)
    completed_count: BigInt = column(_COMPLETED_COUNT)
    failed_count: BigInt = column(_FAILED_COUNT)
    success_rate: float | None = column(_SUCCESS_RATE)
    message_count: BigInt = column(_MESSAGE_COUNT)
    interaction_count: BigInt = column(_INTERACTION_COUNT)
    prompt_tokens: BigInt = column(_PROMPT_TOKENS)
    completion_tokens: BigInt = column(_COMPLETION_TOKENS)
    total_tokens: BigInt = column(_TOTAL_TOKENS)
    cost_usd: float = column(_COST_USD)
    error_count: BigInt = column(_ERROR_COUNT)
    last_activity_at: datetime = column(_LAST_ACTIVITY_AT)


@object_type(model=rankings.ToolRank)
class ToolRank:
    """A place in a ranking of tools: a tool, and how it was called."""

    name: str = column("The name of the tool.")
    call_count: BigInt = column("How many calls there were.")
    pending_count: BigInt = column("How many have no answer yet.")
    succeeded_count: BigInt = column("How many gave a result.")
    failed_count: BigInt = column("How many gave an error.")
    success_rate: float | None = column(
        "The share of the settled calls that gave a result, from 0 to 1; null if none is settled."
    )
    mean_duration_ms: float | None = column(
        "The mean duration of the calls whose duration is known, in milliseconds; null if none is."
    )
    p50_duration_ms: float | None = column(
        "The median of the known durations, in milliseconds; null if none is known."
    )
    p95_duration_ms: float | None = column(
        "The duration that 95 % of the calls keep within, of those whose duration is known, in milliseconds;"
        " null if none is."
    )
    p99_duration_ms: float | None = column(
        "The duration that 99 % of the calls keep within, of those whose duration is known, in milliseconds;"
        " null if none is."
    )


@object_type(model=rankings.ModelRank)
class ModelRank:
    """A place in a ranking of models: a model, and what it was used for, by messages and by usage records."""

    name: str | None = column(
        "The name of the model; null for messages that have tokens and do not say of which model."
    )
    message_count: BigInt = column("How many messages name it; under null, those that have tokens.")
    usage_count: BigInt = column("How many usage records are of it.")
    prompt_tokens: BigInt = column("How many prompt tokens it read, by its messages and usage records.")
    completion_tokens: BigInt = column(
        "How many completion tokens it wrote, by its messages and usage records."
    )
    total_tokens: BigInt = column("How many tokens it read and wrote.")
    cost_usd: float = column(
        "What its usage records cost together, in US dollars; those whose cost is unknown add nothing."
    )


@object_type(model=rankings.MemoryRank)
class MemoryRank:
    """A place in a ranking of memories: a memory, and how it was used."""

    memory: Annotated["Memory", strawberry.lazy("schema.types.memory")] = relation(MemoryRow, "The memory.")
    usefulness: float | None = column(
        "How useful it was, from 0 to 1: the mean over the accesses that say so; null if none does."
    )
    rated_count: BigInt = column("How many accesses say how useful it was.")
    access_count: BigInt = column("How many accesses to it were recorded.")
    last_accessed_at: datetime | None = column("When it was last accessed; null if it never was.")
