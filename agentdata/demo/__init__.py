"""Loads a small data set that shows every feature of the API; the operations write it, always the same.

The data is in the JSON files of this folder, by the names of the columns. Rows refer to users, sessions and
memories by external id, to agents, teams and versions by name, and to messages by sequence. Times within a
session are seconds since it started. The metrics of an agent are a list with one value a day.
"""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from importlib.resources import files
from typing import TYPE_CHECKING, Any, cast

from sqlalchemy import select

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
    queues,
    sandboxes,
    schedules,
    session_events,
    session_metrics,
    sessions,
    teams,
    usage_records,
    users,
)
from agentdata.operations import module_states as module_states_
from agentdata.operations.jobs import MAX_LEASE_MS
from models import Agent, Session, User
from models.enums import KnowledgeDocumentStatus

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable
    from uuid import UUID

    from agentdata.operations.unit_of_work import UnitOfWork

_HERE = files(__package__)

_BESIDE = ("metrics", "events", "usage", "sandbox", "module_states")
"""The keys of a session's file beside its messages and its children."""


async def load(write: UnitOfWork) -> bool:
    """Fill an empty project and return True; return False without a change if the project has data."""
    for model in (User, Agent, Session):
        if (await write.scalars(select(model.id).where(*write.in_project(model)).limit(1))).first():
            return False
    loading = _Loading(write)
    for user in _read(_HERE / "users.json"):
        loading.users[user["external_id"]] = (await users.create(write, user)).id
    for agent in _read(_HERE / "agents.json"):
        await loading.agent(agent)
    for team in _read(_HERE / "teams.json"):
        members = [loading.agents[name] for name in team.pop("members")]
        loading.teams[team["name"]] = (await teams.create(write, team | {"member_ids": members})).id
    folder = _HERE / "sessions"
    for file in sorted(folder.iterdir(), key=lambda file: file.name):
        await loading.session(_read(file), None)
    for memory in _read(_HERE / "memories.json"):
        await loading.memory(memory)
    await loading.jobs(_read(_HERE / "jobs.json"))
    for base in _read(_HERE / "knowledge.json"):
        await loading.knowledge_base(base)
    return True


class _Loading:
    """Writes the rows, and keeps their ids by the names that the files use."""

    def __init__(self, write: UnitOfWork) -> None:
        self.write = write
        self.users: dict[str, UUID] = {}
        self.agents: dict[str, UUID] = {}
        self.teams: dict[str, UUID] = {}
        self.versions: dict[tuple[str, str], UUID] = {}
        self.sessions: dict[str, UUID] = {}
        self.messages: dict[str, list[UUID]] = {}
        self.memories: dict[str, UUID] = {}

    async def agent(self, values: dict[str, Any]) -> None:
        versions, measured = values.pop("versions", []), values.pop("metrics", [])
        owner = values.pop("owner", None)
        agent = await agents.create(self.write, values | {"owner_id": owner and self.users[owner]})
        self.agents[agent.name] = agent.id
        for version in versions:
            made = await agent_versions.create(self.write, self._by(version) | {"agent_id": agent.id})
            self.versions[agent.name, made.version_number] = made.id
        metrics = [metric for row in measured for metric in self._metrics(agent, row)]
        if metrics:
            await agent_metrics.record(self.write, metrics)

    def _metrics(self, agent: Agent, row: dict[str, Any]) -> list[dict[str, Any]]:
        since = datetime.fromisoformat(row.pop("since"))
        common = {
            "agent_id": agent.id,
            "version_id": self.versions[agent.name, row.pop("version")],
            "metadata_": row.pop("metadata", {}),
        }
        return [
            {**row, **common, "metric_value": value, "timestamp": since + timedelta(days=day)}
            for day, value in enumerate(row.pop("values"))
        ]

    async def session(self, values: dict[str, Any], parent_id: UUID | None) -> None:
        said, children = values.pop("messages"), values.pop("children", [])
        beside = {name: values.pop(name, None) for name in _BESIDE}
        user, team = values.pop("user", None), values.pop("team", None)
        agent, version = values.pop("agent"), values.pop("agent_version", None)
        references = {
            "parent_id": parent_id,
            "user_id": user and self.users[user],
            "team_id": team and self.teams[team],
            "agent_id": self.agents[agent],
            "metadata_": values.pop("metadata", {}),
        }
        if version:
            references["agent_version_id"] = self.versions[agent, version]
        session = await sessions.create(self.write, _timed(values) | references)
        redacted = [index for index, message in enumerate(said) if message.pop("redact", False)]
        written = await messages.append(
            self.write, session.id, [_message(message, session.started_at) for message in said]
        )
        for index in redacted:
            await messages.redact(self.write, written[index].id)
        await self._beside(session, **beside)
        self.sessions[values["external_id"]] = session.id
        self.messages[values["external_id"]] = [message.id for message in written]
        for child in children:
            await self.session(child, session.id)

    async def _beside(
        self, session: Session, *, metrics: Any, events: Any, usage: Any, sandbox: Any, module_states: Any
    ) -> None:
        """Write the rows of a session other than its messages."""
        if metrics:
            measured = [_at(metric, session) | {"session_id": session.id} for metric in metrics]
            await session_metrics.record(self.write, measured)
        if events:
            await session_events.record(self.write, session.id, [_at(event, session) for event in events])
        if usage:
            own = {"session_id": session.id, "agent_id": session.agent_id}
            await usage_records.record(self.write, [_at(record, session) | own for record in usage])
        if sandbox:
            await sandboxes.set_(self.write, session.id, sandbox | {"user_id": session.user_id})
        if module_states:
            own = {"session_id": session.id}
            await module_states_.set_all(self.write, [_timed(state) | own for state in module_states])

    async def memory(self, values: dict[str, Any]) -> None:
        accesses, annotations = values.pop("accesses", []), values.pop("annotations", [])
        user, session, related = (
            values.pop("user", None),
            values.pop("session", None),
            values.pop("related", []),
        )
        references = {
            "user_id": user and self.users[user],
            "agent_id": self.agents[values.pop("agent")],
            "session_id": session and self.sessions[session],
            "source_message_ids": [
                self.messages[session][place - 1] for place in values.pop("source_messages")
            ],
            "metadata_": values.pop("metadata", {}),
        }
        memory = await memories.create(self.write, _timed(values) | references)
        self.memories[values["external_id"]] = memory.id
        if related:
            await memories.link(self.write, memory.id, [self.memories[other] for other in related])
        if accesses:
            given = [_timed(access) | {"memory_id": memory.id} for access in accesses]
            await memory_accesses.record_all(self.write, given)
        for annotation in annotations:
            applied = annotation.pop("apply", False)
            made = await memory_annotations.annotate(
                self.write, self._by(annotation) | {"memory_id": memory.id}
            )
            if applied:
                await memory_annotations.apply(self.write, made.id)

    async def jobs(self, values: dict[str, Any]) -> None:
        for schedule in values["schedules"]:
            await schedules.put(self.write, schedule)
        for job in values["jobs"]:
            await self._job(job)
        for name in values["paused"]:
            await queues.pause(self.write, name)

    async def _job(self, values: dict[str, Any]) -> None:
        """Enqueue a job and do with it what the file says; jobs that are left to wait come last in it."""
        worker, cancel = values.pop("worker", None), values.pop("cancel", False)
        outcome = {name: values.pop(name) for name in ("result", "error", "progress") if name in values}
        job = await jobs.enqueue(self.write, _timed(values))
        if cancel:
            await jobs.cancel(self.write, job.id)
        if worker is None:
            return
        # The lease lasts a day, after which a job that nobody settled waits again.
        [held] = await jobs.claim(self.write, values["queue"], worker, lease_ms=MAX_LEASE_MS)
        lease = cast("UUID", held.lease)
        for name, settle in (("result", jobs.complete), ("error", jobs.fail)):
            if name in outcome:
                await settle(self.write, held.id, lease, outcome[name])
        if "progress" in outcome:
            await jobs.extend(self.write, held.id, lease, MAX_LEASE_MS, outcome["progress"])

    async def knowledge_base(self, values: dict[str, Any]) -> None:
        documents, syncs = values.pop("documents"), values.pop("syncs", [])
        references = {
            "agent_ids": [self.agents[name] for name in values.pop("agents")],
            "metadata_": values.pop("metadata", {}),
        }
        base = await knowledge_bases.create(self.write, _timed(values) | references)
        for document in documents:
            chunks, accesses = document.pop("chunks", []), document.pop("accesses", 0)
            status = document.pop("status", KnowledgeDocumentStatus.READY)
            own = {
                "knowledge_base_id": base.id,
                "created_at": base.created_at,
                "status": status,
                "metadata_": document.pop("metadata", {}),
            }
            made = await knowledge_documents.put(self.write, document | own)
            given = [{"metadata_": chunk.pop("metadata", {}), **chunk} for chunk in chunks]
            await knowledge_chunks.put(self.write, made.id, given, status=None)
            if accesses:
                await knowledge_documents.record_accesses(self.write, [made.id] * accesses)
        if syncs:
            recorded = [_timed(sync) | {"knowledge_base_id": base.id} for sync in syncs]
            await knowledge_syncs.record_all(self.write, recorded)

    def _by(self, values: dict[str, Any]) -> dict[str, Any]:
        """Return the values of a row with its creator, a user or an agent."""
        user, agent = values.pop("created_by_user", None), values.pop("created_by_agent", None)
        created_by = {
            "created_by_user_id": user and self.users[user],
            "created_by_agent_id": agent and self.agents[agent],
        }
        return _timed(values) | created_by


def _message(values: dict[str, Any], started_at: datetime) -> dict[str, Any]:
    said_at = started_at + timedelta(seconds=values.pop("after"))
    calls = [
        call | ({"started_at": said_at} if "duration_ms" in call else {})
        for call in values.pop("tool_calls", [])
    ]
    metadata = values.pop("metadata", {})
    return values | {"created_at": said_at, "tool_calls": calls, "metadata_": metadata}


def _at(values: dict[str, Any], session: Session) -> dict[str, Any]:
    """Return the values of a row with its time, some seconds after the session started."""
    timestamp = session.started_at + timedelta(seconds=values.pop("after"))
    metadata = {"metadata_": values.pop("metadata")} if "metadata" in values else {}
    return {"timestamp": timestamp, **metadata, **values}


def _timed(values: dict[str, Any]) -> dict[str, Any]:
    return {
        name: datetime.fromisoformat(value) if name.endswith("_at") else value
        for name, value in values.items()
    }


def _read(file: Traversable) -> Any:
    return json.loads(file.read_text(encoding="utf-8"))
