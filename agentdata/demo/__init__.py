"""A small data set that shows every feature of the API: the same every time, written by the operations.

It is the JSON files beside this one, in the columns' names. Rows refer to users, sessions and memories by
their external ids, to agents, teams and versions by their names, and to messages by their sequences; times
within a session are seconds since it started.
"""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from agentdata.operations import (
    agent_versions,
    agents,
    memories,
    memory_accesses,
    memory_annotations,
    messages,
    sessions,
    teams,
    users,
)
from models import Agent, Session, User

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable
    from uuid import UUID

    from agentdata.operations.write import Write

_HERE = files(__package__)


async def load(write: Write) -> bool:
    """Fill a project that holds nothing yet; any other is left as it is, and False comes back."""
    for model in (User, Agent, Session):
        if (await write.scalars(select(model.id).where(*write.owns(model)).limit(1))).first():
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
    return True


class _Loading:
    """What has been written so far, by the names that the files use."""

    def __init__(self, write: Write) -> None:
        self.write = write
        self.users: dict[str, UUID] = {}
        self.agents: dict[str, UUID] = {}
        self.teams: dict[str, UUID] = {}
        self.versions: dict[tuple[str, str], UUID] = {}
        self.sessions: dict[str, UUID] = {}
        self.messages: dict[str, list[UUID]] = {}
        self.memories: dict[str, UUID] = {}

    async def agent(self, values: dict[str, Any]) -> None:
        versions = values.pop("versions", [])
        owner = values.pop("owner", None)
        agent = await agents.create(self.write, values | {"owner_id": owner and self.users[owner]})
        self.agents[agent.name] = agent.id
        for version in versions:
            made = await agent_versions.create(self.write, self._by(version) | {"agent_id": agent.id})
            self.versions[agent.name, made.version_number] = made.id

    async def session(self, values: dict[str, Any], parent_id: UUID | None) -> None:
        said, children = values.pop("messages"), values.pop("children", [])
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
        self.sessions[values["external_id"]] = session.id
        self.messages[values["external_id"]] = [message.id for message in written]
        for child in children:
            await self.session(child, session.id)

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

    def _by(self, values: dict[str, Any]) -> dict[str, Any]:
        """Give the values of what a user or an agent created."""
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


def _timed(values: dict[str, Any]) -> dict[str, Any]:
    return {
        name: datetime.fromisoformat(value) if name.endswith("_at") else value
        for name, value in values.items()
    }


def _read(file: Traversable) -> Any:
    return json.loads(file.read_text(encoding="utf-8"))
