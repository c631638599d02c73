"""What clients say of rankings."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Annotated

import strawberry

from models import Agent, User
from schema.declarations import enum_type, enum_value, input_type, optional, required
from schema.enums import OrderDirection
from schema.inputs.filters import BigIntFilter, DateTimeFilter, FloatFilter, IDFilter, StringFilter
from schema.inputs.linked import linked

if TYPE_CHECKING:
    from schema.inputs.agent import AgentFilter
    from schema.inputs.user import UserFilter


@input_type
class UserRankFilter:
    """Selects from a ranking of users. All conditions that are given must hold."""

    id: IDFilter | None = optional("By the ids of the users.", name="userId")
    user: Annotated["UserFilter", strawberry.lazy("schema.inputs.user")] | None = linked(
        User, "By the users themselves."
    )
    session_count: BigIntFilter | None = optional("By how many sessions they have.")
    completed_count: BigIntFilter | None = optional("By how many of their sessions ended as COMPLETED.")
    failed_count: BigIntFilter | None = optional("By how many of their sessions ended as FAILED.")
    success_rate: FloatFilter | None = optional("By the share of their sessions that COMPLETED, from 0 to 1.")
    message_count: BigIntFilter | None = optional("By how many messages their sessions have.")
    interaction_count: BigIntFilter | None = optional("By how many turns users took in their sessions.")
    prompt_tokens: BigIntFilter | None = optional("By how many prompt tokens models read.")
    completion_tokens: BigIntFilter | None = optional("By how many completion tokens models wrote.")
    total_tokens: BigIntFilter | None = optional("By how many tokens models read and wrote.")
    cost_usd: FloatFilter | None = optional("By what their sessions cost, in US dollars.")
    error_count: BigIntFilter | None = optional("By how many errors their sessions have.")
    last_activity_at: DateTimeFilter | None = optional("By when something last happened in their sessions.")
    and_: list[UserRankFilter] | None = optional("All of these filters must hold.", name="and")
    or_: list[UserRankFilter] | None = optional("At least one of these filters must hold.", name="or")
    not_: UserRankFilter | None = optional("This filter must not hold.", name="not")


@enum_type
class UserRankOrderField(Enum):
    """The fields that a ranking of users can be ordered by."""

    SESSION_COUNT = enum_value("session_count", "How many sessions they have.")
    COMPLETED_COUNT = enum_value("completed_count", "How many of their sessions ended as COMPLETED.")
    FAILED_COUNT = enum_value("failed_count", "How many of their sessions ended as FAILED.")
    SUCCESS_RATE = enum_value("success_rate", "The share of their sessions that COMPLETED, from 0 to 1.")
    MESSAGE_COUNT = enum_value("message_count", "How many messages their sessions have.")
    INTERACTION_COUNT = enum_value("interaction_count", "How many turns users took in their sessions.")
    PROMPT_TOKENS = enum_value("prompt_tokens", "How many prompt tokens models read.")
    COMPLETION_TOKENS = enum_value("completion_tokens", "How many completion tokens models wrote.")
    TOTAL_TOKENS = enum_value("total_tokens", "How many tokens models read and wrote.")
    COST_USD = enum_value("cost_usd", "What their sessions cost, in US dollars.")
    ERROR_COUNT = enum_value("error_count", "How many errors their sessions have.")
    LAST_ACTIVITY_AT = enum_value("last_activity_at", "When something last happened in their sessions.")


@input_type
class UserRankOrder:
    """A field to order a ranking of users by, and the direction."""

    field: UserRankOrderField = required("The field to order by.")
    direction: OrderDirection = required("The direction of the order.")


@input_type
class AgentRankFilter:
    """Selects from a ranking of agents. All conditions that are given must hold."""

    id: IDFilter | None = optional("By the ids of the agents.", name="agentId")
    agent: Annotated["AgentFilter", strawberry.lazy("schema.inputs.agent")] | None = linked(
        Agent, "By the agents themselves."
    )
    session_count: BigIntFilter | None = optional("By how many sessions they have.")
    completed_count: BigIntFilter | None = optional("By how many of their sessions ended as COMPLETED.")
    failed_count: BigIntFilter | None = optional("By how many of their sessions ended as FAILED.")
    success_rate: FloatFilter | None = optional("By the share of their sessions that COMPLETED, from 0 to 1.")
    message_count: BigIntFilter | None = optional("By how many messages their sessions have.")
    interaction_count: BigIntFilter | None = optional("By how many turns users took in their sessions.")
    prompt_tokens: BigIntFilter | None = optional("By how many prompt tokens models read.")
    completion_tokens: BigIntFilter | None = optional("By how many completion tokens models wrote.")
    total_tokens: BigIntFilter | None = optional("By how many tokens models read and wrote.")
    cost_usd: FloatFilter | None = optional("By what their sessions cost, in US dollars.")
    error_count: BigIntFilter | None = optional("By how many errors their sessions have.")
    last_activity_at: DateTimeFilter | None = optional("By when something last happened in their sessions.")
    and_: list[AgentRankFilter] | None = optional("All of these filters must hold.", name="and")
    or_: list[AgentRankFilter] | None = optional("At least one of these filters must hold.", name="or")
    not_: AgentRankFilter | None = optional("This filter must not hold.", name="not")


@enum_type
class AgentRankOrderField(Enum):
    """The fields that a ranking of agents can be ordered by."""

    SESSION_COUNT = enum_value("session_count", "How many sessions they have.")
    COMPLETED_COUNT = enum_value("completed_count", "How many of their sessions ended as COMPLETED.")
    FAILED_COUNT = enum_value("failed_count", "How many of their sessions ended as FAILED.")
    SUCCESS_RATE = enum_value("success_rate", "The share of their sessions that COMPLETED, from 0 to 1.")
    MESSAGE_COUNT = enum_value("message_count", "How many messages their sessions have.")
    INTERACTION_COUNT = enum_value("interaction_count", "How many turns users took in their sessions.")
    PROMPT_TOKENS = enum_value("prompt_tokens", "How many prompt tokens models read.")
    COMPLETION_TOKENS = enum_value("completion_tokens", "How many completion tokens models wrote.")
    TOTAL_TOKENS = enum_value("total_tokens", "How many tokens models read and wrote.")
    COST_USD = enum_value("cost_usd", "What their sessions cost, in US dollars.")
    ERROR_COUNT = enum_value("error_count", "How many errors their sessions have.")
    LAST_ACTIVITY_AT = enum_value("last_activity_at", "When something last happened in their sessions.")


@input_type
class AgentRankOrder:
    """A field to order a ranking of agents by, and the direction."""

    field: AgentRankOrderField = required("The field to order by.")
    direction: OrderDirection = required("The direction of the order.")


@input_type
class ToolRankFilter:
    """Selects from a ranking of tools. All conditions that are given must hold."""

    name: StringFilter | None = optional("By their names.")
    call_count: BigIntFilter | None = optional("By how often they were called.")
    pending_count: BigIntFilter | None = optional("By how many calls have no answer yet.")
    succeeded_count: BigIntFilter | None = optional("By how many calls gave a result.")
    failed_count: BigIntFilter | None = optional("By how many calls gave an error.")
    success_rate: FloatFilter | None = optional(
        "By the share of the settled calls that gave a result, from 0 to 1."
    )
    mean_duration_ms: FloatFilter | None = optional("By the mean duration of their calls, in milliseconds.")
    p50_duration_ms: FloatFilter | None = optional("By the median duration of their calls, in milliseconds.")
    p95_duration_ms: FloatFilter | None = optional(
        "By the duration that 95 % of their calls keep within, in milliseconds."
    )
    p99_duration_ms: FloatFilter | None = optional(
        "By the duration that 99 % of their calls keep within, in milliseconds."
    )
    and_: list[ToolRankFilter] | None = optional("All of these filters must hold.", name="and")
    or_: list[ToolRankFilter] | None = optional("At least one of these filters must hold.", name="or")
    not_: ToolRankFilter | None = optional("This filter must not hold.", name="not")


@enum_type
class ToolRankOrderField(Enum):
    """The fields that a ranking of tools can be ordered by."""

    NAME = enum_value("name", "Their names.")
    CALL_COUNT = enum_value("call_count", "How often they were called.")
    PENDING_COUNT = enum_value("pending_count", "How many calls have no answer yet.")
    SUCCEEDED_COUNT = enum_value("succeeded_count", "How many calls gave a result.")
    FAILED_COUNT = enum_value("failed_count", "How many calls gave an error.")
    SUCCESS_RATE = enum_value(
        "success_rate", "The share of the settled calls that gave a result, from 0 to 1."
    )
    MEAN_DURATION_MS = enum_value("mean_duration_ms", "The mean duration of their calls, in milliseconds.")
    P50_DURATION_MS = enum_value("p50_duration_ms", "The median duration of their calls, in milliseconds.")
    P95_DURATION_MS = enum_value(
        "p95_duration_ms", "The duration that 95 % of their calls keep within, in milliseconds."
    )
    P99_DURATION_MS = enum_value(
        "p99_duration_ms", "The duration that 99 % of their calls keep within, in milliseconds."
    )


@input_type
class ToolRankOrder:
    """A field to order a ranking of tools by, and the direction."""

    field: ToolRankOrderField = required("The field to order by.")
    direction: OrderDirection = required("The direction of the order.")


@input_type
class ModelRankFilter:
    """Selects from a ranking of models. All conditions that are given must hold."""

    name: StringFilter | None = optional("By their names.")
    message_count: BigIntFilter | None = optional("By how many messages name them.")
    usage_count: BigIntFilter | None = optional("By how many usage records they have.")
    prompt_tokens: BigIntFilter | None = optional("By how many prompt tokens they read.")
    completion_tokens: BigIntFilter | None = optional("By how many completion tokens they wrote.")
    total_tokens: BigIntFilter | None = optional("By how many tokens they read and wrote.")
    cost_usd: FloatFilter | None = optional("By what they cost by their usage records, in US dollars.")
    and_: list[ModelRankFilter] | None = optional("All of these filters must hold.", name="and")
    or_: list[ModelRankFilter] | None = optional("At least one of these filters must hold.", name="or")
    not_: ModelRankFilter | None = optional("This filter must not hold.", name="not")


@enum_type
class ModelRankOrderField(Enum):
    """The fields that a ranking of models can be ordered by."""

    NAME = enum_value("name", "Their names.")
    MESSAGE_COUNT = enum_value("message_count", "How many messages name them.")
    USAGE_COUNT = enum_value("usage_count", "How many usage records they have.")
    PROMPT_TOKENS = enum_value("prompt_tokens", "How many prompt tokens they read.")
    COMPLETION_TOKENS = enum_value("completion_tokens", "How many completion tokens they wrote.")
    TOTAL_TOKENS = enum_value("total_tokens", "How many tokens they read and wrote.")
    COST_USD = enum_value("cost_usd", "What they cost by their usage records, in US dollars.")


@input_type
class ModelRankOrder:
    """A field to order a ranking of models by, and the direction."""

    field: ModelRankOrderField = required("The field to order by.")
    direction: OrderDirection = required("The direction of the order.")


@input_type
class MemoryRankFilter:
    """Selects from a ranking of memories. All conditions that are given must hold."""

    id: IDFilter | None = optional("By the ids of the memories.", name="memoryId")
    usefulness: FloatFilter | None = optional("By how useful they were, from 0 to 1.")
    rated_count: BigIntFilter | None = optional("By how many accesses say how useful they were.")
    access_count: BigIntFilter | None = optional("By how many accesses to them were recorded.")
    last_accessed_at: DateTimeFilter | None = optional("By when they were last accessed.")
    and_: list[MemoryRankFilter] | None = optional("All of these filters must hold.", name="and")
    or_: list[MemoryRankFilter] | None = optional("At least one of these filters must hold.", name="or")
    not_: MemoryRankFilter | None = optional("This filter must not hold.", name="not")


@enum_type
class MemoryRankOrderField(Enum):
    """The fields that a ranking of memories can be ordered by."""

    USEFULNESS = enum_value("usefulness", "How useful they were, from 0 to 1.")
    RATED_COUNT = enum_value("rated_count", "How many accesses say how useful they were.")
    ACCESS_COUNT = enum_value("access_count", "How many accesses to them were recorded.")
    LAST_ACCESSED_AT = enum_value("last_accessed_at", "When they were last accessed.")


@input_type
class MemoryRankOrder:
    """A field to order a ranking of memories by, and the direction."""

    field: MemoryRankOrderField = required("The field to order by.")
    direction: OrderDirection = required("The direction of the order.")
