"""The closed sets of the domain. Similar fields without a closed set are strings."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Iterable


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


class Grain(ClosedSet):
    """The length of the times by which totals are kept."""

    HOUR = "HOUR", "An hour by UTC."
    DAY = "DAY", "A day by UTC."


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


class JobState(ClosedSet):
    """Whether a job is waiting, delayed or held by a worker, and how it ended if it has."""

    WAITING = "WAITING", "The job is due, and the next worker that claims jobs of its queue may get it."
    DELAYED = "DELAYED", "The job is not due yet: its `runAt` is in the future."
    ACTIVE = "ACTIVE", "A worker holds the job, and its lease has not run out."
    COMPLETED = "COMPLETED", "A worker completed the job."
    FAILED = "FAILED", "The job failed and has no attempts left."
    CANCELLED = "CANCELLED", "The job was cancelled before it ended otherwise."


FINISHED_STATES = (JobState.COMPLETED, JobState.FAILED, JobState.CANCELLED)
"""The states of a job that has ended."""


class JobBackoff(ClosedSet):
    """How the pause before a further attempt of a job grows."""

    FIXED = "FIXED", "Each pause is `backoffMs` long."
    EXPONENTIAL = "EXPONENTIAL", "The first pause is `backoffMs` long; each further one doubles, up to a day."


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


class KnowledgeDocumentStatus(ClosedSet):
    """Whether a document of a knowledge base is complete."""

    PENDING = "PENDING", "The document waits to be read."
    PROCESSING = "PROCESSING", "The document is being read; its chunks may be incomplete."
    READY = "READY", "The chunks of the document are complete."
    FAILED = "FAILED", "The document could not be read."


class KnowledgeSyncStatus(ClosedSet):
    """Whether a sync of a knowledge base is running, and how it finished if not."""

    RUNNING = "RUNNING", "The sync has not finished."
    SUCCEEDED = "SUCCEEDED", "The knowledge base is up to date with its source."
    FAILED = "FAILED", "The sync stopped with an error."
    SKIPPED = "SKIPPED", "The sync found nothing to do."


class AuditKind(ClosedSet):
    """The kind of subject of an audit trail's entry."""

    MESSAGE = "MESSAGE", "A message."
    EVENT = "EVENT", "An event."
    STATE_TRANSITION = "STATE_TRANSITION", "A transition between states of a module."
    TOOL_CALL = "TOOL_CALL", "A tool call."
    USAGE = "USAGE", "A usage record."


class AccessKind(ClosedSet):
    """The kind of access that a record is of."""

    READ = "READ", "An operation that read. Recorded if the server is set to."
    WRITE = "WRITE", "A mutation that was done. Always recorded, in the transaction of the write."


class ApiKeyScope(ClosedSet):
    """What an API key may do.

    ADMIN includes WRITE, WRITE includes the scopes that write one kind of object, and each of those includes
    READ.
    """

    READ = "READ", "Read everything but API keys and access records."
    WRITE = "WRITE", "Also create, change and delete everything but the project and its API keys."
    ADMIN = "ADMIN", "Also change the project, manage its API keys, and see its access records."
    USERS_WRITE = "USERS_WRITE", "Read, and create, change and delete users."
    TEAMS_WRITE = "TEAMS_WRITE", "Read, and create, change and delete teams."
    AGENTS_WRITE = "AGENTS_WRITE", "Read, and create, change and delete agents and their versions."
    SESSIONS_WRITE = "SESSIONS_WRITE", "Read, and create, change and delete sessions, with all they contain."
    MESSAGES_WRITE = (
        "MESSAGES_WRITE",
        "Read, and append, change, redact and delete messages and their tool calls.",
    )
    EVENTS_WRITE = "EVENTS_WRITE", "Read, and record and delete events of sessions."
    USAGE_WRITE = "USAGE_WRITE", "Read, and record and delete usage records."
    SANDBOXES_WRITE = "SANDBOXES_WRITE", "Read, and create, change and delete sandboxes."
    STATES_WRITE = "STATES_WRITE", "Read, and set states of modules."
    METRICS_WRITE = "METRICS_WRITE", "Read, and record and delete metrics of agents and sessions."
    MEMORIES_WRITE = (
        "MEMORIES_WRITE",
        "Read, and create, change and delete memories with their links, accesses and annotations.",
    )
    JOBS_WRITE = "JOBS_WRITE", "Read, and write jobs, queues and schedules, as workers do, too."
    KNOWLEDGE_WRITE = (
        "KNOWLEDGE_WRITE",
        "Read, and create, change and delete knowledge bases with their documents, chunks and syncs.",
    )


FULL_ACCESS = (ApiKeyScope.READ, ApiKeyScope.WRITE, ApiKeyScope.ADMIN)
"""The scopes of a key that may do everything."""

_INCLUDED: dict[str, frozenset[str]] = {
    **{scope: frozenset({ApiKeyScope.READ, scope}) for scope in ApiKeyScope},
    ApiKeyScope.WRITE: frozenset(ApiKeyScope) - {ApiKeyScope.ADMIN},
    ApiKeyScope.ADMIN: frozenset(ApiKeyScope),
}


def scope_name(text: str) -> str:
    """Return the name of a scope that is given in either spelling: `MESSAGES_WRITE` or `messages:write`."""
    return text.upper().replace(":", "_")


def included_scopes(held: Iterable[str]) -> frozenset[str]:
    """Return all scopes that the held ones include; a scope that only a later version knows adds nothing."""
    nothing: frozenset[str] = frozenset()
    return nothing.union(*(_INCLUDED.get(scope, nothing) for scope in held))
