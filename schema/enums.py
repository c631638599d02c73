"""The closed sets of the domain, as the contract names them."""

from __future__ import annotations

from enum import Enum
from typing import Any

import strawberry

from models.enums import (
    AccessorType,
    ApiKeyScope,
    AuditKind,
    ClosedSet,
    MessageRole,
    SandboxStatus,
    SessionStatus,
    ToolCallStatus,
    VerificationStatus,
)


def _declare(closed_set: type[ClosedSet]) -> None:
    """Make a closed set an enum of the contract, described by its docstring and its members' meanings."""
    strawberry.enum(closed_set, description=closed_set.__doc__)
    definition: Any = closed_set.__strawberry_definition__  # type: ignore[attr-defined]  # set above
    for member, value in zip(closed_set, definition.values, strict=True):
        value.description = member.description


for _closed_set in (
    AccessorType,
    ApiKeyScope,
    AuditKind,
    MessageRole,
    SandboxStatus,
    SessionStatus,
    ToolCallStatus,
    VerificationStatus,
):
    _declare(_closed_set)

__all__ = [
    "AccessorType",
    "ApiKeyScope",
    "AuditKind",
    "Interval",
    "MessageRole",
    "OrderDirection",
    "SandboxStatus",
    "SeriesDimension",
    "SeriesMetric",
    "SessionStatus",
    "ToolCallStatus",
    "VerificationStatus",
]


@strawberry.enum(description="How long the buckets of a series are, by the clock of its time zone.")
class Interval(Enum):
    """How long the buckets of a series are; the values are PostgreSQL's words for them."""

    MINUTE = strawberry.enum_value("minute", description="A minute.")
    HOUR = strawberry.enum_value("hour", description="An hour; one that the clock shows twice is two.")
    DAY = strawberry.enum_value(
        "day", description="A day from midnight to midnight, of 23 or 25 hours where the clock is changed."
    )
    WEEK = strawberry.enum_value("week", description="A week, from Monday to Sunday.")
    MONTH = strawberry.enum_value("month", description="A month, from its first day to its last.")


@strawberry.enum(description="The direction of an order.")
class OrderDirection(Enum):
    """The direction of an order."""

    ASC = strawberry.enum_value(
        "ASC", description="Ascending: from the least, earliest or alphabetically first; null comes first."
    )
    DESC = strawberry.enum_value(
        "DESC", description="Descending: from the greatest, latest or alphabetically last; null comes last."
    )


@strawberry.enum(
    description="What a series measures. What is not measured of agents is measured in sessions."
)
class SeriesMetric(Enum):
    """What a series measures."""

    AGENT_METRIC = strawberry.enum_value(
        "agent_metric", description="The values of the metrics of agents, by their timestamps."
    )
    SESSION_METRIC = strawberry.enum_value(
        "session_metric", description="The values of the metrics of sessions, by their timestamps."
    )
    MESSAGE_LATENCY = strawberry.enum_value(
        "message_latency",
        description="The latency in milliseconds of the messages that have one, by when they were created.",
    )
    PROMPT_TOKENS = strawberry.enum_value(
        "prompt_tokens",
        description="The prompt tokens of messages and usage records, which add up in sessions: of the"
        " messages that have any, by when they were created, and of usage records by their timestamps.",
    )
    COMPLETION_TOKENS = strawberry.enum_value(
        "completion_tokens",
        description="The completion tokens of messages and usage records, as for `PROMPT_TOKENS`.",
    )
    TOKENS = strawberry.enum_value(
        "tokens", description="The prompt and completion tokens of each message and usage record together."
    )
    COST = strawberry.enum_value(
        "cost",
        description="The cost in US dollars of the usage records that have one, by their timestamps. What a"
        " session was said to cost by itself has no time, and is not in it.",
    )
    SESSIONS_STARTED = strawberry.enum_value(
        "sessions_started", description="The sessions, each as 1, by when they started."
    )
    ERRORS = strawberry.enum_value(
        "errors",
        description="What went wrong, each as 1: tool calls that failed, by when they were made, and session"
        " events of the type `error`, by their timestamps.",
    )


@strawberry.enum(description="By what the measurements of a series are told apart.")
class SeriesDimension(Enum):
    """By what the measurements of a series are told apart."""

    AGENT = strawberry.enum_value(
        "agent", description="The agent that was measured, or the agent of the session."
    )
    AGENT_VERSION = strawberry.enum_value(
        "agent_version", description="The version that was measured, or that of the session."
    )
    USER = strawberry.enum_value("user", description="The user of the session.")
    MODEL = strawberry.enum_value("model", description="The model that the message or usage record names.")
    TOOL = strawberry.enum_value(
        "tool", description="The tool that failed, by its name; null for session events."
    )
    METRIC_TYPE = strawberry.enum_value("metric_type", description="The `metricType` of the metric.")
