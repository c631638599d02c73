"""Writes batches of conversations, in a few statements each, and counts the rows written."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from sqlalchemy import ARRAY, Text, any_, literal, or_, select
from uuid_utils.compat import uuid7

from agentdata.operations import agents, messages, sessions, users
from models import Agent, Message, Session, User
from models.base import folded

if TYPE_CHECKING:
    from uuid import UUID

    from agentdata.importers.conversation import Conversation
    from agentdata.operations.unit_of_work import UnitOfWork


@dataclass
class Report:
    """The counts of an import so far."""

    read: int = 0
    """Conversations that were read, including the bad ones."""
    sessions: int = 0
    messages: int = 0
    tool_calls: int = 0
    answered: int = 0
    """Tool calls that have their answer."""
    agents: int = 0
    users: int = 0
    skipped: int = 0
    """Conversations that were already stored."""
    bad: int = 0
    warnings: int = 0

    def add(self, other: Report) -> None:
        """Add the counts of another report."""
        for each in fields(Report):
            setattr(self, each.name, getattr(self, each.name) + getattr(other, each.name))


async def write_batch(write: UnitOfWork, batch: list[Conversation]) -> tuple[Report, list[tuple[str, str]]]:
    """Write the conversations that are not stored yet; return the counts, and warnings with their places."""
    warnings: list[tuple[str, str]] = []
    there = await _there(write, batch)
    fresh: dict[str, Conversation] = {}
    for conversation in batch:
        key = conversation.session["external_id"]
        if key not in there:
            fresh[key] = conversation
            there[key] = len(conversation.messages)
            continue
        if there[key] != len(conversation.messages):
            warning = (
                f"a session with the externalId {key!r} is already stored with {there[key]} messages instead"
                f" of {len(conversation.messages)}, and was not changed; if it is another conversation, name"
                " a key that tells the two apart with --map externalId=KEY"
            )
            warnings.append((conversation.place, warning))
    report = Report(skipped=len(batch) - len(fresh))
    if fresh:
        await _write_fresh(write, [*fresh.values()], report, warnings)
    return report, warnings


async def _write_fresh(
    write: UnitOfWork, fresh: list[Conversation], report: Report, warnings: list[tuple[str, str]]
) -> None:
    agent_ids, report.agents = await _agents(write, {conversation.agent for conversation in fresh})
    user_ids, report.users = await _users(write, fresh)
    made = await sessions.create_all(
        write,
        [
            conversation.session | {"agent_id": agent_ids[conversation.agent], "user_id": user_id}
            for conversation, user_id in zip(fresh, user_ids, strict=True)
        ],
    )
    taken = await _taken(write, fresh)
    said = {}
    for session, conversation in zip(made, fresh, strict=True):
        warnings += [(conversation.place, warning) for warning in conversation.warnings]
        said[session.id] = _with_own_ids(conversation, taken, warnings)
    await messages.append_all(write, said)
    report.sessions = len(fresh)
    for message in (message for list_ in said.values() for message in list_):
        report.messages += 1
        report.tool_calls += len(message.get("tool_calls", ()))
        report.answered += "tool_call_id" in message


def _with_own_ids(
    conversation: Conversation, taken: set[str], warnings: list[tuple[str, str]]
) -> list[dict[str, Any]]:
    """Return the messages; one whose id is taken by another message has it only in its metadata."""
    said = []
    for index, message in enumerate(conversation.messages):
        id_ = message.get("external_id")
        if id_ in taken:
            rest = {name: value for name, value in message.items() if name != "external_id"}
            said.append(rest | {"metadata_": message["metadata_"] | {"id": id_}})
            warning = f"messages.{index}.id {id_!r} belongs to another message; it is kept in the metadata"
            warnings.append((conversation.place, warning))
        else:
            said.append(message)
            if id_ is not None:
                taken.add(id_)
    return said


async def _there(write: UnitOfWork, batch: list[Conversation]) -> dict[str, int]:
    """Return the externalIds that are already stored, with the message counts of their sessions."""
    ids = [conversation.session["external_id"] for conversation in batch]
    statement = select(Session.external_id, Session.message_count).where(
        *write.in_project(Session), Session.external_id == _any(ids)
    )
    return {id_: count for id_, count in await write.execute(statement) if id_ is not None}


async def _taken(write: UnitOfWork, fresh: list[Conversation]) -> set[str]:
    ids = [m["external_id"] for conversation in fresh for m in conversation.messages if "external_id" in m]
    if not ids:
        return set()
    statement = select(Message.external_id).where(
        *write.in_project(Message), Message.external_id == _any(ids)
    )
    return {id_ for id_ in await write.scalars(statement) if id_ is not None}


async def _agents(write: UnitOfWork, names: set[str]) -> tuple[dict[str, UUID], int]:
    """Return the ids of agents by name, creating missing ones, and how many were created."""
    statement = select(Agent.name, Agent.id).where(*write.in_project(Agent), Agent.name == _any([*names]))
    ids = {row.name: row.id for row in await write.execute(statement)}
    missing = sorted(names - ids.keys())
    for name in missing:
        ids[name] = (await agents.create(write, {"name": name})).id
    return ids, len(missing)


async def _users(write: UnitOfWork, fresh: list[Conversation]) -> tuple[list[UUID | None], int]:
    """Return each conversation's user, by externalId or else by email, and how many had to be created."""
    wanted = [conversation.user for conversation in fresh if conversation.user]
    emails = [user["email"].lower() for user in wanted if "email" in user]
    external_ids = [user["external_id"] for user in wanted if "external_id" in user]
    email = folded(User.email)
    statement = select(User.id, User.external_id, email).where(
        *write.in_project(User), or_(User.external_id == _any(external_ids), email == _any(emails))
    )
    ids: dict[tuple[str, str | None], UUID] = {}
    for row in await write.execute(statement) if wanted else ():
        ids["external_id", row[1]] = ids["email", row[2]] = row[0]
    missing = []
    found: list[UUID | None] = []
    for conversation in fresh:
        if conversation.user is None:
            found.append(None)
            continue
        keys = [("external_id", conversation.user.get("external_id"))]
        keys.append(("email", conversation.user.get("email", "").lower() or None))
        keys = [key for key in keys if key[1] is not None]
        id_ = next((ids[key] for key in keys if key in ids), None)
        if id_ is None:
            id_ = uuid7()
            columns = {name: conversation.user.get(name) for name in ("external_id", "email", "name")}
            missing.append(columns | {"id": id_})
        ids |= {key: id_ for key in keys if key not in ids}
        found.append(id_)
    await users.create_all(write, missing)
    return found, len(missing)


def _any(values: list[str]) -> Any:
    return any_(literal(values, ARRAY(Text)))
