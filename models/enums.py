"""The closed sets of the domain. Everything else that looks like one is an open string."""

from __future__ import annotations

from enum import StrEnum
from typing import Self


class ClosedSet(StrEnum):
    """Names that the database holds a column to, each with its meaning."""

    description: str

    def __new__(cls, value: str, description: str) -> Self:
        """Make a member that is its name and knows its meaning."""
        member = str.__new__(cls, value)
        member._value_ = value
        member.description = description
        return member


class SessionStatus(ClosedSet):
    """Where a session stands."""

    ACTIVE = "ACTIVE", "It is going on."
    PAUSED = "PAUSED", "It waits and will go on."
    COMPLETED = "COMPLETED", "It has ended and reached what it was for."
    FAILED = "FAILED", "It has ended without reaching what it was for."
    CANCELLED = "CANCELLED", "It was ended before it could reach what it was for."


OPEN_STATUSES = (SessionStatus.ACTIVE, SessionStatus.PAUSED)
"""The statuses of a session that has not ended."""


class MessageRole(ClosedSet):
    """Who speaks in a message."""

    SYSTEM = "SYSTEM", "Instructions that frame the session."
    DEVELOPER = "DEVELOPER", "Instructions of the application's developer, below the system's."
    USER = "USER", "The person, or the agent in a person's place, that is being helped."
    ASSISTANT = "ASSISTANT", "The agent; its tool calls belong to such a message."
    TOOL = "TOOL", "The answer of a tool to a call."


class ToolCallStatus(ClosedSet):
    """What became of a tool call."""

    PENDING = "PENDING", "No answer has come yet."
    SUCCEEDED = "SUCCEEDED", "The tool gave a result."
    FAILED = "FAILED", "The tool gave an error."


class ApiKeyScope(ClosedSet):
    """What an API key may do. Each scope includes the ones above it."""

    READ = "READ", "Ask queries."
    WRITE = "WRITE", "Also write agents, users, teams, sessions, messages and tool calls."
    ADMIN = "ADMIN", "Also change the project and its API keys."
