"""What clients say of rankings."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Annotated

import strawberry
from strawberry import UNSET

from models import Agent, User
from schema.enums import OrderDirection
from schema.inputs.filters import BigIntFilter, DateTimeFilter, FloatFilter, IDFilter, StringFilter
from schema.inputs.linked import linked

if TYPE_CHECKING:
    from schema.inputs.agent import AgentFilter
    from schema.inputs.user import UserFilter


@strawberry.input(description="Selects from a ranking of users. All conditions that are given must hold.")
class UserRankFilter:
    """Selects from a ranking of users. All conditions that are given must hold."""

    id: IDFilter | None = strawberry.field(
        default=UNSET, description="By the ids of the users.", name="userId"
    )
    user: Annotated["UserFilter", strawberry.lazy("schema.inputs.user")] | None = linked(
        User, "By the users themselves."
    )
    session_count: BigIntFilter | None = strawberry.field(
        default=UNSET, description="By how many sessions they have."
    )
    completed_count: BigIntFilter | None = strawberry.field(
        default=UNSET, description="By how many of their sessions ended as COMPLETED."
    )
    failed_count: BigIntFilter | None = strawberry.field(
        default=UNSET, description="By how many of their sessions ended as FAILED."
    )
    success_rate: FloatFilter | None = strawberry.field(
        default=UNSET, description="By the share of their sessions that COMPLETED, from 0 to 1."
    )
    message_count: BigIntFilter | None = strawberry.field(
        default=UNSET, description="By how many messages their sessions have."
    )
    interaction_count: BigIntFilter | None = strawberry.field(
        default=UNSET, description="By how many turns users took in their sessions."
    )
    prompt_tokens: BigIntFilter | None = strawberry.field(
        default=UNSET, description="By how many prompt tokens models read."
    )
    completion_tokens: BigIntFilter | None = strawberry.field(
        default=UNSET, description="By how many completion tokens models wrote."
    )
    total_tokens: BigIntFilter | None = strawberry.field(
        default=UNSET, description="By how many tokens models read and wrote."
    )
    cost_usd: FloatFilter | None = strawberry.field(
        default=UNSET, description="By what their sessions cost, in US dollars."
    )
    error_count: BigIntFilter | None = strawberry.field(
        default=UNSET, description="By how many errors their sessions have."
    )
    last_activity_at: DateTimeFilter | None = strawberry.field(
        default=UNSET, description="By when something last happened in their sessions."
    )
    and_: list[UserRankFilter] | None = strawberry.field(
        default=UNSET, name="and", description="All of these filters must hold."
    )
    or_: list[UserRankFilter] | None = strawberry.field(
        default=UNSET, name="or", description="At least one of these filters must hold."
    )
    not_: UserRankFilter | None = strawberry.field(
        default=UNSET, name="not", description="This filter must not hold."
    )


@strawberry.enum(description="The fields that a ranking of users can be ordered by.")
class UserRankOrderField(Enum):
    """The fields that a ranking of users can be ordered by."""

    SESSION_COUNT = strawberry.enum_value("session_count", description="How many sessions they have.")
    COMPLETED_COUNT = strawberry.enum_value(
        "completed_count", description="How many of their sessions ended as COMPLETED."
    )
    FAILED_COUNT = strawberry.enum_value(
        "failed_count", description="How many of their sessions ended as FAILED."
    )
    SUCCESS_RATE = strawberry.enum_value(
        "success_rate", description="The share of their sessions that COMPLETED, from 0 to 1."
    )
    MESSAGE_COUNT = strawberry.enum_value(
        "message_count", description="How many messages their sessions have."
    )
    INTERACTION_COUNT = strawberry.enum_value(
        "interaction_count", description="How many turns users took in their sessions."
    )
    PROMPT_TOKENS = strawberry.enum_value("prompt_tokens", description="How many prompt tokens models read.")
    COMPLETION_TOKENS = strawberry.enum_value(
        "completion_tokens", description="How many completion tokens models wrote."
    )
    TOTAL_TOKENS = strawberry.enum_value("total_tokens", description="How many tokens models read and wrote.")
    COST_USD = strawberry.enum_value("cost_usd", description="What their sessions cost, in US dollars.")
    ERROR_COUNT = strawberry.enum_value("error_count", description="How many errors their sessions have.")
    LAST_ACTIVITY_AT = strawberry.enum_value(
        "last_activity_at", description="When something last happened in their sessions."
    )


@strawberry.input(description="A field to order a ranking of users by, and the direction.")
class UserRankOrder:
    """A field to order a ranking of users by, and the direction."""

    field: UserRankOrderField = strawberry.field(description="The field to order by.")
    direction: OrderDirection = strawberry.field(description="The direction of the order.")


@strawberry.input(description="Selects from a ranking of agents. All conditions that are given must hold.")
class AgentRankFilter:
    """Selects from a ranking of agents. All conditions that are given must hold."""

    id: IDFilter | None = strawberry.field(
        default=UNSET, description="By the ids of the agents.", name="agentId"
    )
    agent: Annotated["AgentFilter", strawberry.lazy("schema.inputs.agent")] | None = linked(
        Agent, "By the agents themselves."
    )
    session_count: BigIntFilter | None = strawberry.field(
        default=UNSET, description="By how many sessions they have."
    )
    completed_count: BigIntFilter | None = strawberry.field(
        default=UNSET, description="By how many of their sessions ended as COMPLETED."
    )
    failed_count: BigIntFilter | None = strawberry.field(
        default=UNSET, description="By how many of their sessions ended as FAILED."
    )
    success_rate: FloatFilter | None = strawberry.field(
        default=UNSET, description="By the share of their sessions that COMPLETED, from 0 to 1."
    )
    message_count: BigIntFilter | None = strawberry.field(
        default=UNSET, description="By how many messages their sessions have."
    )
    interaction_count: BigIntFilter | None = strawberry.field(
        default=UNSET, description="By how many turns users took in their sessions."
    )
    prompt_tokens: BigIntFilter | None = strawberry.field(
        default=UNSET, description="By how many prompt tokens models read."
    )
    completion_tokens: BigIntFilter | None = strawberry.field(
        default=UNSET, description="By how many completion tokens models wrote."
    )
    total_tokens: BigIntFilter | None = strawberry.field(
        default=UNSET, description="By how many tokens models read and wrote."
    )
    cost_usd: FloatFilter | None = strawberry.field(
        default=UNSET, description="By what their sessions cost, in US dollars."
    )
    error_count: BigIntFilter | None = strawberry.field(
        default=UNSET, description="By how many errors their sessions have."
    )
    last_activity_at: DateTimeFilter | None = strawberry.field(
        default=UNSET, description="By when something last happened in their sessions."
    )
    and_: list[AgentRankFilter] | None = strawberry.field(
        default=UNSET, name="and", description="All of these filters must hold."
    )
    or_: list[AgentRankFilter] | None = strawberry.field(
        default=UNSET, name="or", description="At least one of these filters must hold."
    )
    not_: AgentRankFilter | None = strawberry.field(
        default=UNSET, name="not", description="This filter must not hold."
    )


@strawberry.enum(description="The fields that a ranking of agents can be ordered by.")
class AgentRankOrderField(Enum):
    """The fields that a ranking of agents can be ordered by."""

    SESSION_COUNT = strawberry.enum_value("session_count", description="How many sessions they have.")
    COMPLETED_COUNT = strawberry.enum_value(
        "completed_count", description="How many of their sessions ended as COMPLETED."
    )
    FAILED_COUNT = strawberry.enum_value(
        "failed_count", description="How many of their sessions ended as FAILED."
    )
    SUCCESS_RATE = strawberry.enum_value(
        "success_rate", description="The share of their sessions that COMPLETED, from 0 to 1."
    )
    MESSAGE_COUNT = strawberry.enum_value(
        "message_count", description="How many messages their sessions have."
    )
    INTERACTION_COUNT = strawberry.enum_value(
        "interaction_count", description="How many turns users took in their sessions."
    )
    PROMPT_TOKENS = strawberry.enum_value("prompt_tokens", description="How many prompt tokens models read.")
    COMPLETION_TOKENS = strawberry.enum_value(
        "completion_tokens", description="How many completion tokens models wrote."
    )
    TOTAL_TOKENS = strawberry.enum_value("total_tokens", description="How many tokens models read and wrote.")
    COST_USD = strawberry.enum_value("cost_usd", description="What their sessions cost, in US dollars.")
    ERROR_COUNT = strawberry.enum_value("error_count", description="How many errors their sessions have.")
    LAST_ACTIVITY_AT = strawberry.enum_value(
        "last_activity_at", description="When something last happened in their sessions."
    )


@strawberry.input(description="A field to order a ranking of agents by, and the direction.")
class AgentRankOrder:
    """A field to order a ranking of agents by, and the direction."""

    field: AgentRankOrderField = strawberry.field(description="The field to order by.")
    direction: OrderDirection = strawberry.field(description="The direction of the order.")


@strawberry.input(description="Selects from a ranking of tools. All conditions that are given must hold.")
class ToolRankFilter:
    """Selects from a ranking of tools. All conditions that are given must hold."""

    name: StringFilter | None = strawberry.field(default=UNSET, description="By their names.")
    call_count: BigIntFilter | None = strawberry.field(
        default=UNSET, description="By how often they were called."
    )
    pending_count: BigIntFilter | None = strawberry.field(
        default=UNSET, description="By how many calls have no answer yet."
    )
    succeeded_count: BigIntFilter | None = strawberry.field(
        default=UNSET, description="By how many calls gave a result."
    )
    failed_count: BigIntFilter | None = strawberry.field(
        default=UNSET, description="By how many calls gave an error."
    )
    success_rate: FloatFilter | None = strawberry.field(
        default=UNSET, description="By the share of the settled calls that gave a result, from 0 to 1."
    )
    mean_duration_ms: FloatFilter | None = strawberry.field(
        default=UNSET, description="By the mean duration of their calls, in milliseconds."
    )
    p50_duration_ms: FloatFilter | None = strawberry.field(
        default=UNSET, description="By the median duration of their calls, in milliseconds."
    )
    p95_duration_ms: FloatFilter | None = strawberry.field(
        default=UNSET, description="By the duration that 95 % of their calls keep within, in milliseconds."
    )
    p99_duration_ms: FloatFilter | None = strawberry.field(
        default=UNSET, description="By the duration that 99 % of their calls keep within, in milliseconds."
    )
    and_: list[ToolRankFilter] | None = strawberry.field(
        default=UNSET, name="and", description="All of these filters must hold."
    )
    or_: list[ToolRankFilter] | None = strawberry.field(
        default=UNSET, name="or", description="At least one of these filters must hold."
    )
    not_: ToolRankFilter | None = strawberry.field(
        default=UNSET, name="not", description="This filter must not hold."
    )


@strawberry.enum(description="The fields that a ranking of tools can be ordered by.")
class ToolRankOrderField(Enum):
    """The fields that a ranking of tools can be ordered by."""

    NAME = strawberry.enum_value("name", description="Their names.")
    CALL_COUNT = strawberry.enum_value("call_count", description="How often they were called.")
    PENDING_COUNT = strawberry.enum_value("pending_count", description="How many calls have no answer yet.")
    SUCCEEDED_COUNT = strawberry.enum_value("succeeded_count", description="How many calls gave a result.")
    FAILED_COUNT = strawberry.enum_value("failed_count", description="How many calls gave an error.")
    SUCCESS_RATE = strawberry.enum_value(
        "success_rate", description="The share of the settled calls that gave a result, from 0 to 1."
    )
    MEAN_DURATION_MS = strawberry.enum_value(
        "mean_duration_ms", description="The mean duration of their calls, in milliseconds."
    )
    P50_DURATION_MS = strawberry.enum_value(
        "p50_duration_ms", description="The median duration of their calls, in milliseconds."
    )
    P95_DURATION_MS = strawberry.enum_value(
        "p95_duration_ms", description="The duration that 95 % of their calls keep within, in milliseconds."
    )
    P99_DURATION_MS = strawberry.enum_value(
        "p99_duration_ms", description="The duration that 99 % of their calls keep within, in milliseconds."
    )


@strawberry.input(description="A field to order a ranking of tools by, and the direction.")
class ToolRankOrder:
    """A field to order a ranking of tools by, and the direction."""

    field: ToolRankOrderField = strawberry.field(description="The field to order by.")
    direction: OrderDirection = strawberry.field(description="The direction of the order.")


@strawberry.input(description="Selects from a ranking of models. All conditions that are given must hold.")
class ModelRankFilter:
    """Selects from a ranking of models. All conditions that are given must hold."""

    name: StringFilter | None = strawberry.field(default=UNSET, description="By their names.")
    message_count: BigIntFilter | None = strawberry.field(
        default=UNSET, description="By how many messages name them."
    )
    usage_count: BigIntFilter | None = strawberry.field(
        default=UNSET, description="By how many usage records they have."
    )
    prompt_tokens: BigIntFilter | None = strawberry.field(
        default=UNSET, description="By how many prompt tokens they read."
    )
    completion_tokens: BigIntFilter | None = strawberry.field(
        default=UNSET, description="By how many completion tokens they wrote."
    )
    total_tokens: BigIntFilter | None = strawberry.field(
        default=UNSET, description="By how many tokens they read and wrote."
    )
    cost_usd: FloatFilter | None = strawberry.field(
        default=UNSET, description="By what they cost by their usage records, in US dollars."
    )
    and_: list[ModelRankFilter] | None = strawberry.field(
        default=UNSET, name="and", description="All of these filters must hold."
    )
    or_: list[ModelRankFilter] | None = strawberry.field(
        default=UNSET, name="or", description="At least one of these filters must hold."
    )
    not_: ModelRankFilter | None = strawberry.field(
        default=UNSET, name="not", description="This filter must not hold."
    )


@strawberry.enum(description="The fields that a ranking of models can be ordered by.")
class ModelRankOrderField(Enum):
    """The fields that a ranking of models can be ordered by."""

    NAME = strawberry.enum_value("name", description="Their names.")
    MESSAGE_COUNT = strawberry.enum_value("message_count", description="How many messages name them.")
    USAGE_COUNT = strawberry.enum_value("usage_count", description="How many usage records they have.")
    PROMPT_TOKENS = strawberry.enum_value("prompt_tokens", description="How many prompt tokens they read.")
    COMPLETION_TOKENS = strawberry.enum_value(
        "completion_tokens", description="How many completion tokens they wrote."
    )
    TOTAL_TOKENS = strawberry.enum_value("total_tokens", description="How many tokens they read and wrote.")
    COST_USD = strawberry.enum_value(
        "cost_usd", description="What they cost by their usage records, in US dollars."
    )


@strawberry.input(description="A field to order a ranking of models by, and the direction.")
class ModelRankOrder:
    """A field to order a ranking of models by, and the direction."""

    field: ModelRankOrderField = strawberry.field(description="The field to order by.")
    direction: OrderDirection = strawberry.field(description="The direction of the order.")


@strawberry.input(description="Selects from a ranking of memories. All conditions that are given must hold.")
class MemoryRankFilter:
    """Selects from a ranking of memories. All conditions that are given must hold."""

    id: IDFilter | None = strawberry.field(
        default=UNSET, description="By the ids of the memories.", name="memoryId"
    )
    usefulness: FloatFilter | None = strawberry.field(
        default=UNSET, description="By how useful they were, from 0 to 1."
    )
    rated_count: BigIntFilter | None = strawberry.field(
        default=UNSET, description="By how many accesses say how useful they were."
    )
    access_count: BigIntFilter | None = strawberry.field(
        default=UNSET, description="By how many accesses to them were recorded."
    )
    last_accessed_at: DateTimeFilter | None = strawberry.field(
        default=UNSET, description="By when they were last accessed."
    )
    and_: list[MemoryRankFilter] | None = strawberry.field(
        default=UNSET, name="and", description="All of these filters must hold."
    )
    or_: list[MemoryRankFilter] | None = strawberry.field(
        default=UNSET, name="or", description="At least one of these filters must hold."
    )
    not_: MemoryRankFilter | None = strawberry.field(
        default=UNSET, name="not", description="This filter must not hold."
    )


@strawberry.enum(description="The fields that a ranking of memories can be ordered by.")
class MemoryRankOrderField(Enum):
    """The fields that a ranking of memories can be ordered by."""

    USEFULNESS = strawberry.enum_value("usefulness", description="How useful they were, from 0 to 1.")
    RATED_COUNT = strawberry.enum_value(
        "rated_count", description="How many accesses say how useful they were."
    )
    ACCESS_COUNT = strawberry.enum_value(
        "access_count", description="How many accesses to them were recorded."
    )
    LAST_ACCESSED_AT = strawberry.enum_value("last_accessed_at", description="When they were last accessed.")


@strawberry.input(description="A field to order a ranking of memories by, and the direction.")
class MemoryRankOrder:
    """A field to order a ranking of memories by, and the direction."""

    field: MemoryRankOrderField = strawberry.field(description="The field to order by.")
    direction: OrderDirection = strawberry.field(description="The direction of the order.")
