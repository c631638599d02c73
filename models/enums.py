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
    """Whether a session is going on, and how it ended if not."""

    ACTIVE = "ACTIVE", "It is going on."
    PAUSED = "PAUSED", "It is waiting and will go on."
    COMPLETED = "COMPLETED", "It has ended and achieved its purpose."
    FAILED = "FAILED", "It has ended without achieving its purpose."
    CANCELLED = "CANCELLED", "It was ended before it could achieve its purpose."


OPEN_STATUSES = (SessionStatus.ACTIVE, SessionStatus.PAUSED)
"""The statuses of a session that has not ended."""


class MessageRole(ClosedSet):
    """Who speaks in a message."""

    SYSTEM = "SYSTEM", "The instructions that frame the session."
    DEVELOPER = "DEVELOPER", "The instructions of the application's developer, subordinate to the system's."
    USER = "USER", "The person whom the agent serves, or another agent in that place."
    ASSISTANT = "ASSISTANT", "The agent. Only such messages make tool calls."
    TOOL = "TOOL", "A tool, answering a tool call."


class ToolCallStatus(ClosedSet):
    """Whether a tool call is pending, and how it ended if not."""

    PENDING = "PENDING", "It has no result yet."
    SUCCEEDED = "SUCCEEDED", "The tool returned a result."
    FAILED = "FAILED", "The tool failed with an error."


class SandboxStatus(ClosedSet):
    """Whether a sandbox is running."""

    STOPPED = "STOPPED", "It is not running."
    STARTING = "STARTING", "It is about to run."
    RUNNING = "RUNNING", "It is running."
    STOPPING = "STOPPING", "It is about to stop."
    ERROR = "ERROR", "It failed."


class VerificationStatus(ClosedSet):
    """Whether someone has made sure that a memory is true."""

    UNVERIFIED = "UNVERIFIED", "Nobody has made sure of it."
    VERIFIED = "VERIFIED", "It was found to be true."
    DISPUTED = "DISPUTED", "It is doubted, or was found to be wrong."


class AccessorType(ClosedSet):
    """What kind of party used a memory."""

    AGENT = "AGENT", "An agent."
    USER = "USER", "A user."
    SYSTEM = "SYSTEM", "Something else, such as a job that consolidates memories."


class ApiKeyScope(ClosedSet):
    """What an API key may do. Each scope includes the ones before it: READ, WRITE, ADMIN."""

    READ = "READ", "Read everything but API keys."
    WRITE = "WRITE", "Also create, change and delete everything but the project and its API keys."
    ADMIN = "ADMIN", "Also change the project, and see, create and revoke its API keys."
