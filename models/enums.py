"""The closed sets of the domain. Similar fields without a closed set are strings."""

from __future__ import annotations

from enum import StrEnum
from typing import Self


class ClosedSet(StrEnum):
    """The allowed values of a column, each with a description."""

    description: str

    def __new__(cls, value: str, description: str) -> Self:
        """Return a member whose value is its name, with a description."""
        member = str.__new__(cls, value)
        member._value_ = value
        member.description = description
        return member


class SessionStatus(ClosedSet):
    """Whether a session is open, and how it ended if not."""

    ACTIVE = "ACTIVE", "The session is open."
    PAUSED = "PAUSED", "The session is open but waiting."
    COMPLETED = "COMPLETED", "The session ended and achieved its purpose."
    FAILED = "FAILED", "The session ended without achieving its purpose."
    CANCELLED = "CANCELLED", "The session was ended before it could achieve its purpose."


OPEN_STATUSES = (SessionStatus.ACTIVE, SessionStatus.PAUSED)
"""The statuses of a session that has not ended."""


class MessageRole(ClosedSet):
    """The role of a message's speaker."""

    SYSTEM = "SYSTEM", "The instructions that frame the session."
    DEVELOPER = "DEVELOPER", "The instructions of the application's developer, subordinate to the system's."
    USER = "USER", "The person whom the agent serves, or another agent in that role."
    ASSISTANT = "ASSISTANT", "The agent. Only ASSISTANT messages make tool calls."
    TOOL = "TOOL", "A tool that answers a tool call."


class ToolCallStatus(ClosedSet):
    """Whether a tool call is pending, and how it was settled if not."""

    PENDING = "PENDING", "The call has no outcome yet."
    SUCCEEDED = "SUCCEEDED", "The tool returned a result."
    FAILED = "FAILED", "The tool failed with an error."


class SandboxStatus(ClosedSet):
    """Whether a sandbox is running."""

    STOPPED = "STOPPED", "The sandbox is not running."
    STARTING = "STARTING", "The sandbox is about to run."
    RUNNING = "RUNNING", "The sandbox is running."
    STOPPING = "STOPPING", "The sandbox is about to stop."
    ERROR = "ERROR", "The sandbox failed."


class VerificationStatus(ClosedSet):
    """Whether a memory has been verified."""

    UNVERIFIED = "UNVERIFIED", "Nobody has verified the memory."
    VERIFIED = "VERIFIED", "The memory was found to be true."
    DISPUTED = "DISPUTED", "The memory is doubted, or was found to be wrong."


class AccessorType(ClosedSet):
    """The kind of party that accessed a memory."""

    AGENT = "AGENT", "An agent."
    USER = "USER", "A user."
    SYSTEM = "SYSTEM", "Something else, such as a job that consolidates memories."


class AuditKind(ClosedSet):
    """The kind of subject of an audit trail's entry."""

    MESSAGE = "MESSAGE", "A message."
    EVENT = "EVENT", "An event."
    STATE_TRANSITION = "STATE_TRANSITION", "A transition between states of a module."
    TOOL_CALL = "TOOL_CALL", "A tool call."
    USAGE = "USAGE", "A usage record."


class ApiKeyScope(ClosedSet):
    """What an API key may do. Each scope includes the ones before it: READ, WRITE, ADMIN."""

    READ = "READ", "Read everything but API keys."
    WRITE = "WRITE", "Also create, change and delete everything but the project and its API keys."
    ADMIN = "ADMIN", "Also change the project, and see, create and revoke its API keys."
