"""The enums of the contract: the closed sets of the domain, and the words of queries."""

from __future__ import annotations

from enum import Enum
from typing import Any

from models.enums import (
    AccessKind,
    AccessorType,
    ApiKeyScope,
    AuditKind,
    ClosedSet,
    JobBackoff,
    JobState,
    KnowledgeDocumentStatus,
    KnowledgeSyncStatus,
    MessageRole,
    SandboxStatus,
    SessionStatus,
    ToolCallStatus,
    VerificationStatus,
)
from schema.declarations import enum_type, enum_value


def _declare(closed_set: type[ClosedSet]) -> None:
    """Make a closed set an enum of the contract, described by its docstring and its members' meanings."""
    enum_type(closed_set)
    definition: Any = closed_set.__strawberry_definition__  # type: ignore[attr-defined]  # set above
    for member, value in zip(closed_set, definition.values, strict=True):
        value.description = member.description


for _closed_set in (
    AccessKind,
    AccessorType,
    ApiKeyScope,
    AuditKind,
    JobBackoff,
    JobState,
    KnowledgeDocumentStatus,
    KnowledgeSyncStatus,
    MessageRole,
    SandboxStatus,
    SessionStatus,
    ToolCallStatus,
    VerificationStatus,
):
    _declare(_closed_set)

__all__ = [
    "AccessKind",
    "AccessorType",
    "ApiKeyScope",
    "AuditKind",
    "Interval",
    "JobBackoff",
    "JobState",
    "KnowledgeDocumentStatus",
    "KnowledgeSyncStatus",
    "MessageRole",
    "OrderDirection",
    "SandboxStatus",
    "SeriesDimension",
    "SeriesMetric",
    "SessionStatus",
    "ToolCallStatus",
    "VerificationStatus",
]


@enum_type
class Interval(Enum):
    """How long the buckets of a series are, by the clock of its time zone."""

    # The values are PostgreSQL's words for them.

    MINUTE = enum_value("minute", "A minute.")
    HOUR = enum_value("hour", "An hour; one that the clock shows twice counts as two.")
    DAY = enum_value("day", "A day from midnight to midnight, of 23 or 25 hours when the clock is changed.")
    WEEK = enum_value("week", "A week, from Monday to Sunday.")
    MONTH = enum_value("month", "A month, from its first day to its last.")


@enum_type
class OrderDirection(Enum):
    """The direction of an order."""

    ASC = enum_value("ASC", "Ascending: from the least, earliest or alphabetically first; null comes first.")
    DESC = enum_value(
        "DESC", "Descending: from the greatest, latest or alphabetically last; null comes last."
    )


@enum_type
class SeriesMetric(Enum):
    """What a series measures. All metrics but `AGENT_METRIC` are measured in sessions."""

    AGENT_METRIC = enum_value("agent_metric", "The values of agents' metrics, by `timestamp`.")
    SESSION_METRIC = enum_value("session_metric", "The values of sessions' metrics, by `timestamp`.")
    MESSAGE_LATENCY = enum_value(
        "message_latency",
        "The known latencies of messages, in milliseconds, by `createdAt`.",
    )
    PROMPT_TOKENS = enum_value(
        "prompt_tokens",
        "The prompt tokens of messages, by `createdAt`, and of usage records, by `timestamp`. Messages"
        " without prompt tokens are left out.",
    )
    COMPLETION_TOKENS = enum_value(
        "completion_tokens", "The completion tokens of messages and usage records, as for `PROMPT_TOKENS`."
    )
    TOKENS = enum_value(
        "tokens", "The prompt and completion tokens of each message and usage record together."
    )
    COST = enum_value(
        "cost",
        "The known costs of usage records, in US dollars, by `timestamp`. A cost that was written to a"
        " session itself has no time and is left out.",
    )
    SESSIONS_STARTED = enum_value(
        "sessions_started", "The sessions that started, each counted as 1, by `startedAt`."
    )
    ERRORS = enum_value(
        "errors",
        "The errors, each counted as 1: failed tool calls, by `createdAt`, and session events of the type"
        " `error`, by `timestamp`.",
    )


@enum_type
class SeriesDimension(Enum):
    """What the measurements of a series can be grouped by."""

    AGENT = enum_value("agent", "The agent that was measured, or the agent of the session.")
    AGENT_VERSION = enum_value(
        "agent_version", "The version that was measured, or the version of the session."
    )
    USER = enum_value("user", "The user of the session.")
    MODEL = enum_value("model", "The model that the message or usage record names.")
    TOOL = enum_value("tool", "The tool that failed, by its name; null for session events.")
    METRIC_TYPE = enum_value("metric_type", "The `metricType` of the metric.")
