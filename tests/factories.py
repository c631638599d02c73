"""Factories of rows: each runs the operation of a noun, with defaults for values that a test omits."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Any

from agentdata.operations import (
    agent_metrics,
    agent_versions,
    agents,
    jobs,
    knowledge_bases,
    knowledge_chunks,
    knowledge_documents,
    knowledge_syncs,
    memories,
    memory_accesses,
    memory_annotations,
    messages,
    module_states,
    sandboxes,
    schedules,
    session_events,
    session_metrics,
    sessions,
    teams,
    tool_calls,
    usage_records,
    users,
)
from models.enums import AccessorType, MessageRole

if TYPE_CHECKING:
    from uuid import UUID

    from models import (
        Agent,
        AgentMetric,
        AgentVersion,
        Job,
        KnowledgeBase,
        KnowledgeDocument,
        KnowledgeSync,
        Memory,
        MemoryAccess,
        MemoryAnnotation,
        Message,
        ModuleState,
        Sandbox,
        Schedule,
        Session,
        SessionEvent,
        SessionMetric,
        Team,
        ToolCall,
        UsageRecord,
        User,
    )
    from tests.api import Api

_numbers = count(1)


def said(
    content: str | None = "Hello", *, role: MessageRole = MessageRole.USER, **values: Any
) -> dict[str, Any]:
    """Return the values of a message to append."""
    return {"role": role, "content": content, **values}


def called(name: str = "search", **values: Any) -> dict[str, Any]:
    """Return the values of a tool call that a message makes."""
    return {"name": name, "arguments": {}, **values}


def happened(event_type: str = "checkpoint", **values: Any) -> dict[str, Any]:
    """Return the values of an event to record."""
    return {"event_type": event_type, **values}


def used(session_id: UUID, model: str = "small", **values: Any) -> dict[str, Any]:
    """Return the values of a usage record."""
    return {"session_id": session_id, "model": model, **values}


def measured(metric_type: str = "response_time", metric_value: float = 1.0, **values: Any) -> dict[str, Any]:
    """Return the values of a metric; pass `agent_id` or `session_id` as well."""
    return {"metric_type": metric_type, "metric_value": metric_value, **values}


async def user(api: Api, **values: Any) -> User:
    """Create a user."""
    return await api.run(users.create, values=values)  # type: ignore[no-any-return]  # `run` returns what the operation returns


async def team(api: Api, **values: Any) -> Team:
    """Create a team; `member_ids` are its agents."""
    return await api.run(teams.create, values={"name": f"Team {next(_numbers)}", **values})  # type: ignore[no-any-return]  # as above


async def agent(api: Api, **values: Any) -> Agent:
    """Create an agent."""
    return await api.run(agents.create, values={"name": f"Agent {next(_numbers)}", **values})  # type: ignore[no-any-return]  # as above


async def agent_version(api: Api, agent_id: UUID, **values: Any) -> AgentVersion:
    """Create a version of an agent; `activate` makes it the active one."""
    given = {"agent_id": agent_id, "version_number": f"{next(_numbers)}.0", "changes": {}, **values}
    return await api.run(agent_versions.create, values=given)  # type: ignore[no-any-return]  # as above


async def session(api: Api, **values: Any) -> Session:
    """Create a session."""
    return await api.run(sessions.create, values=values)  # type: ignore[no-any-return]  # as above


async def many_sessions(api: Api, values: list[dict[str, Any]]) -> list[Session]:
    """Create sessions in one write."""
    return await api.run(sessions.create_all, sessions=values)  # type: ignore[no-any-return]  # as above


async def say(api: Api, session_id: UUID, *values: dict[str, Any]) -> list[Message]:
    """Append messages to a session; `said` returns the values of each."""
    return await api.run(messages.append, session_id=session_id, messages=list(values))  # type: ignore[no-any-return]  # as above


async def tool_call(api: Api, message_id: UUID, **values: Any) -> ToolCall:
    """Create a tool call of an ASSISTANT message."""
    return await api.run(tool_calls.create, message_id=message_id, values=called(**values))  # type: ignore[no-any-return]  # as above


async def events(api: Api, session_id: UUID, *values: dict[str, Any]) -> list[SessionEvent]:
    """Record events of a session; `happened` returns the values of each."""
    return await api.run(session_events.record, session_id=session_id, events=list(values))  # type: ignore[no-any-return]  # as above


async def usage(api: Api, *values: dict[str, Any]) -> list[UsageRecord]:
    """Record usage; `used` returns the values of each record."""
    return await api.run(usage_records.record, records=list(values))  # type: ignore[no-any-return]  # as above


async def sandbox(api: Api, session_id: UUID, **values: Any) -> Sandbox:
    """Set the sandbox of a session."""
    return await api.run(sandboxes.set_, session_id=session_id, values=values)  # type: ignore[no-any-return]  # as above


async def module_state(api: Api, **values: Any) -> ModuleState:
    """Set the state of a module, by default of one with the id `module`."""
    return await api.run(module_states.set_, values={"module_id": "module", "state": {}, **values})  # type: ignore[no-any-return]  # as above


async def measure_agents(api: Api, *metrics: dict[str, Any]) -> list[AgentMetric]:
    """Record metrics of agents; `measured` returns the values of each."""
    return await api.run(agent_metrics.record, metrics=list(metrics))  # type: ignore[no-any-return]  # as above


async def measure_sessions(api: Api, *metrics: dict[str, Any]) -> list[SessionMetric]:
    """Record metrics of sessions; `measured` returns the values of each."""
    return await api.run(session_metrics.record, metrics=list(metrics))  # type: ignore[no-any-return]  # as above


async def memory(api: Api, **values: Any) -> Memory:
    """Create a memory; `source_message_ids` are the messages that it comes from."""
    given = {"content": f"Fact {next(_numbers)}", **values}
    return await api.run(memories.create, values=given)  # type: ignore[no-any-return]  # as above


async def memory_access(api: Api, memory_id: UUID, **values: Any) -> MemoryAccess:
    """Record an access to a memory."""
    given = {"access_type": "read", "accessed_by": "a job", "accessor_type": AccessorType.SYSTEM, **values}
    return await api.run(memory_accesses.record, values={"memory_id": memory_id, **given})  # type: ignore[no-any-return]  # as above


async def memory_annotation(api: Api, memory_id: UUID, **values: Any) -> MemoryAnnotation:
    """Annotate a memory."""
    given = {"annotation_type": "correction", "content": f"Better {next(_numbers)}", **values}
    return await api.run(memory_annotations.annotate, values={"memory_id": memory_id, **given})  # type: ignore[no-any-return]  # as above


async def enqueued(api: Api, *values: dict[str, Any]) -> list[Job]:
    """Enqueue jobs, by default in the queue `mail`."""
    return await api.run(jobs.enqueue_all, jobs=[{"queue": "mail", **each} for each in values])  # type: ignore[no-any-return]  # as above


async def claimed(api: Api, queue: str = "mail", worker: str = "a worker", **values: Any) -> list[Job]:
    """Claim jobs of a queue, by default of `mail`."""
    return await api.run(jobs.claim, queue=queue, worker=worker, **values)  # type: ignore[no-any-return]  # as above


async def schedule(api: Api, **values: Any) -> Schedule:
    """Put a schedule, by default of a job each midnight in the queue `mail`."""
    given = {"name": f"Schedule {next(_numbers)}", "queue": "mail", "cron": "0 0 * * *", **values}
    return await api.run(schedules.put, values=given)  # type: ignore[no-any-return]  # as above


async def knowledge_base(api: Api, **values: Any) -> KnowledgeBase:
    """Create a knowledge base; `agent_ids` are the agents that use it."""
    given = {"name": f"Base {next(_numbers)}", **values}
    return await api.run(knowledge_bases.create, values=given)  # type: ignore[no-any-return]  # as above


async def knowledge_document(api: Api, knowledge_base_id: UUID, **values: Any) -> KnowledgeDocument:
    """Put a document into a knowledge base, by default into the version `default`."""
    given = {"knowledge_base_id": knowledge_base_id, "name": f"Document {next(_numbers)}", **values}
    return await api.run(knowledge_documents.put, values=given)  # type: ignore[no-any-return]  # as above


async def knowledge_chunks_of(
    api: Api, document_id: UUID, *chunks: str | dict[str, Any], **values: Any
) -> KnowledgeDocument:
    """Put the chunks of a document, given by their contents or their values."""
    given = [{"content": chunk} if isinstance(chunk, str) else chunk for chunk in chunks]
    return await api.run(knowledge_chunks.put, document_id=document_id, chunks=given, **values)  # type: ignore[no-any-return]  # as above


async def knowledge_sync(api: Api, knowledge_base_id: UUID, **values: Any) -> KnowledgeSync:
    """Record a sync of a knowledge base, by default one that is running."""
    given = {"knowledge_base_id": knowledge_base_id, **values}
    return await api.run(knowledge_syncs.record, values=given)  # type: ignore[no-any-return]  # as above
