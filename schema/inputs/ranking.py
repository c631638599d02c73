"""Filters and orders of rankings."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Annotated

import strawberry

from agentdata.engine.fields import filter_on
from models import Agent, User
from schema.declarations import enum_type, enum_value, input_type, optional, required
from schema.enums import OrderDirection
from schema.inputs.filters import BigIntFilter, DateTimeFilter, FloatFilter, IDFilter, StringFilter

if TYPE_CHECKING:
    from schema.inputs.agent import AgentFilter
    from schema.inputs.user import UserFilter


@input_type
class SessionTotalsFilter:
    """Conditions on what the sessions of someone add up to."""

    session_count: BigIntFilter | None = optional("The number of sessions.")
    completed_count: BigIntFilter | None = optional("The number of sessions that ended as COMPLETED.")
    failed_count: BigIntFilter | None = optional("The number of sessions that ended as FAILED.")
    success_rate: FloatFilter | None = optional(
        "The share of COMPLETED sessions among those that COMPLETED or FAILED, from 0 to 1."
    )
    message_count: BigIntFilter | None = optional("The number of messages in the sessions.")
    interaction_count: BigIntFilter | None = optional(
        "The number of user turns: messages with the role USER."
    )
    prompt_tokens: BigIntFilter | None = optional("The number of prompt tokens that models read.")
    completion_tokens: BigIntFilter | None = optional("The number of completion tokens that models wrote.")
    total_tokens: BigIntFilter | None = optional("The number of prompt and completion tokens together.")
    cost_usd: FloatFilter | None = optional("The total cost of the sessions, in US dollars.")
    error_count: BigIntFilter | None = optional("The number of errors.")
    last_activity_at: DateTimeFilter | None = optional("When something last happened in any of the sessions.")


_SESSION_COUNT = enum_value("session_count", "The number of sessions.")
_COMPLETED_COUNT = enum_value("completed_count", "The number of sessions that ended as COMPLETED.")
_FAILED_COUNT = enum_value("failed_count", "The number of sessions that ended as FAILED.")
_SUCCESS_RATE = enum_value(
    "success_rate", "The share of COMPLETED sessions among those that COMPLETED or FAILED, from 0 to 1."
)
_MESSAGE_COUNT = enum_value("message_count", "The number of messages in the sessions.")
_INTERACTION_COUNT = enum_value("interaction_count", "The number of user turns: messages with the role USER.")
_PROMPT_TOKENS = enum_value("prompt_tokens", "The number of prompt tokens that models read.")
_COMPLETION_TOKENS = enum_value("completion_tokens", "The number of completion tokens that models wrote.")
_TOTAL_TOKENS = enum_value("total_tokens", "The number of prompt and completion tokens together.")
_COST_USD = enum_value("cost_usd", "The total cost of the sessions, in US dollars.")
_ERROR_COUNT = enum_value("error_count", "The number of errors.")
_LAST_ACTIVITY_AT = enum_value("last_activity_at", "When something last happened in any of the sessions.")


@input_type
class UserRankFilter(SessionTotalsFilter):
    """Selects from a ranking of users. All given conditions must hold."""

    id: IDFilter | None = optional("The id of the user.", name="userId")
    user: Annotated["UserFilter", strawberry.lazy("schema.inputs.user")] | None = filter_on(
        User, "Conditions on the user."
    )
    and_: list[UserRankFilter] | None = optional("All of these filters must hold.", name="and")
    or_: list[UserRankFilter] | None = optional("At least one of these filters must hold.", name="or")
    not_: UserRankFilter | None = optional("This filter must not hold.", name="not")


@enum_type
class UserRankOrderField(Enum):
    """The fields that a ranking of users can be ordered by."""

    SESSION_COUNT = _SESSION_COUNT
    COMPLETED_COUNT = _COMPLETED_COUNT
    FAILED_COUNT = _FAILED_COUNT
    SUCCESS_RATE = _SUCCESS_RATE
    MESSAGE_COUNT = _MESSAGE_COUNT
    INTERACTION_COUNT = _INTERACTION_COUNT
    PROMPT_TOKENS = _PROMPT_TOKENS
    COMPLETION_TOKENS = _COMPLETION_TOKENS
    TOTAL_TOKENS = _TOTAL_TOKENS
    COST_USD = _COST_USD
    ERROR_COUNT = _ERROR_COUNT
    LAST_ACTIVITY_AT = _LAST_ACTIVITY_AT


@input_type
class UserRankOrder:
    """A field to order a ranking of users by, and the direction."""

    field: UserRankOrderField = required("The field to order by.")
    direction: OrderDirection = required("The direction of the order.")


@input_type
class AgentRankFilter(SessionTotalsFilter):
    """Selects from a ranking of agents. All given conditions must hold."""

    id: IDFilter | None = optional("The id of the agent.", name="agentId")
    agent: Annotated["AgentFilter", strawberry.lazy("schema.inputs.agent")] | None = filter_on(
        Agent, "Conditions on the agent."
    )
    and_: list[AgentRankFilter] | None = optional("All of these filters must hold.", name="and")
    or_: list[AgentRankFilter] | None = optional("At least one of these filters must hold.", name="or")
    not_: AgentRankFilter | None = optional("This filter must not hold.", name="not")


@enum_type
class AgentRankOrderField(Enum):
    """The fields that a ranking of agents can be ordered by."""

    SESSION_COUNT = _SESSION_COUNT
    COMPLETED_COUNT = _COMPLETED_COUNT
    FAILED_COUNT = _FAILED_COUNT
    SUCCESS_RATE = _SUCCESS_RATE
    MESSAGE_COUNT = _MESSAGE_COUNT
    INTERACTION_COUNT = _INTERACTION_COUNT
    PROMPT_TOKENS = _PROMPT_TOKENS
    COMPLETION_TOKENS = _COMPLETION_TOKENS
    TOTAL_TOKENS = _TOTAL_TOKENS
    COST_USD = _COST_USD
    ERROR_COUNT = _ERROR_COUNT
    LAST_ACTIVITY_AT = _LAST_ACTIVITY_AT


@input_type
class AgentRankOrder:
    """A field to order a ranking of agents by, and the direction."""

    field: AgentRankOrderField = required("The field to order by.")
    direction: OrderDirection = required("The direction of the order.")


@input_type
class ToolRankFilter:
    """Selects from a ranking of tools. All given conditions must hold."""

    name: StringFilter | None = optional("The name of the tool.")
    call_count: BigIntFilter | None = optional("The number of calls.")
    pending_count: BigIntFilter | None = optional("The number of calls that are still pending.")
    succeeded_count: BigIntFilter | None = optional("The number of calls that returned a result.")
    failed_count: BigIntFilter | None = optional("The number of calls that failed.")
    success_rate: FloatFilter | None = optional(
        "The share of settled calls that returned a result, from 0 to 1."
    )
    mean_duration_ms: FloatFilter | None = optional("The mean duration of the calls, in milliseconds.")
    p50_duration_ms: FloatFilter | None = optional("The median duration of the calls, in milliseconds.")
    p95_duration_ms: FloatFilter | None = optional("The 95th percentile of the durations, in milliseconds.")
    p99_duration_ms: FloatFilter | None = optional("The 99th percentile of the durations, in milliseconds.")
    and_: list[ToolRankFilter] | None = optional("All of these filters must hold.", name="and")
    or_: list[ToolRankFilter] | None = optional("At least one of these filters must hold.", name="or")
    not_: ToolRankFilter | None = optional("This filter must not hold.", name="not")


@enum_type
class ToolRankOrderField(Enum):
    """The fields that a ranking of tools can be ordered by."""

    NAME = enum_value("name", "The name of the tool, by code point.")
    CALL_COUNT = enum_value("call_count", "The number of calls.")
    PENDING_COUNT = enum_value("pending_count", "The number of calls that are still pending.")
    SUCCEEDED_COUNT = enum_value("succeeded_count", "The number of calls that returned a result.")
    FAILED_COUNT = enum_value("failed_count", "The number of calls that failed.")
    SUCCESS_RATE = enum_value(
        "success_rate", "The share of settled calls that returned a result, from 0 to 1."
    )
    MEAN_DURATION_MS = enum_value("mean_duration_ms", "The mean duration of the calls, in milliseconds.")
    P50_DURATION_MS = enum_value("p50_duration_ms", "The median duration of the calls, in milliseconds.")
    P95_DURATION_MS = enum_value("p95_duration_ms", "The 95th percentile of the durations, in milliseconds.")
    P99_DURATION_MS = enum_value("p99_duration_ms", "The 99th percentile of the durations, in milliseconds.")


@input_type
class ToolRankOrder:
    """A field to order a ranking of tools by, and the direction."""

    field: ToolRankOrderField = required("The field to order by.")
    direction: OrderDirection = required("The direction of the order.")


@input_type
class ModelRankFilter:
    """Selects from a ranking of models. All given conditions must hold."""

    name: StringFilter | None = optional("The name of the model.")
    message_count: BigIntFilter | None = optional("The number of messages that name the model.")
    usage_count: BigIntFilter | None = optional("The number of usage records that name the model.")
    prompt_tokens: BigIntFilter | None = optional("The number of prompt tokens that the model read.")
    completion_tokens: BigIntFilter | None = optional("The number of completion tokens that the model wrote.")
    total_tokens: BigIntFilter | None = optional("The number of prompt and completion tokens together.")
    cost_usd: FloatFilter | None = optional("The total cost of the usage records, in US dollars.")
    and_: list[ModelRankFilter] | None = optional("All of these filters must hold.", name="and")
    or_: list[ModelRankFilter] | None = optional("At least one of these filters must hold.", name="or")
    not_: ModelRankFilter | None = optional("This filter must not hold.", name="not")


@enum_type
class ModelRankOrderField(Enum):
    """The fields that a ranking of models can be ordered by."""

    NAME = enum_value("name", "The name of the model, by code point.")
    MESSAGE_COUNT = enum_value("message_count", "The number of messages that name the model.")
    USAGE_COUNT = enum_value("usage_count", "The number of usage records that name the model.")
    PROMPT_TOKENS = enum_value("prompt_tokens", "The number of prompt tokens that the model read.")
    COMPLETION_TOKENS = enum_value(
        "completion_tokens", "The number of completion tokens that the model wrote."
    )
    TOTAL_TOKENS = enum_value("total_tokens", "The number of prompt and completion tokens together.")
    COST_USD = enum_value("cost_usd", "The total cost of the usage records, in US dollars.")


@input_type
class ModelRankOrder:
    """A field to order a ranking of models by, and the direction."""

    field: ModelRankOrderField = required("The field to order by.")
    direction: OrderDirection = required("The direction of the order.")


@input_type
class MemoryRankFilter:
    """Selects from a ranking of memories. All given conditions must hold."""

    id: IDFilter | None = optional("The id of the memory.", name="memoryId")
    usefulness: FloatFilter | None = optional("The mean usefulness of the memory, from 0 to 1.")
    rated_count: BigIntFilter | None = optional("The number of accesses that report a usefulness.")
    access_count: BigIntFilter | None = optional("The number of recorded accesses to the memory.")
    last_accessed_at: DateTimeFilter | None = optional("When the memory was last accessed.")
    and_: list[MemoryRankFilter] | None = optional("All of these filters must hold.", name="and")
    or_: list[MemoryRankFilter] | None = optional("At least one of these filters must hold.", name="or")
    not_: MemoryRankFilter | None = optional("This filter must not hold.", name="not")


@enum_type
class MemoryRankOrderField(Enum):
    """The fields that a ranking of memories can be ordered by."""

    USEFULNESS = enum_value("usefulness", "The mean usefulness of the memory, from 0 to 1.")
    RATED_COUNT = enum_value("rated_count", "The number of accesses that report a usefulness.")
    ACCESS_COUNT = enum_value("access_count", "The number of recorded accesses to the memory.")
    LAST_ACCESSED_AT = enum_value("last_accessed_at", "When the memory was last accessed.")


@input_type
class MemoryRankOrder:
    """A field to order a ranking of memories by, and the direction."""

    field: MemoryRankOrderField = required("The field to order by.")
    direction: OrderDirection = required("The direction of the order.")
