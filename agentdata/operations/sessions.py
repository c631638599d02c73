"""Write operations of sessions: their status and times, trees, tags, and the session counts of agents."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from sqlalchemy import ARRAY, Text, Uuid, case, func, literal, or_, select
from sqlalchemy import delete as delete_from
from sqlalchemy import update as update_rows
from sqlalchemy.dialects.postgresql import aggregate_order_by
from uuid_utils.compat import uuid7

from agentdata.checks import check, check_count, check_tags, check_text
from agentdata.errors import BadUserInputError, ConflictError, LimitExceededError
from agentdata.operations import deletion, totals
from agentdata.operations.module_states import lock_all_chains
from agentdata.operations.unit_of_work import FRESH
from models import Session
from models.enums import OPEN_STATUSES, SessionStatus
from models.session import MAX_DEPTH

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from uuid import UUID

    from asyncpg import Record
    from sqlalchemy import ColumnElement

    from agentdata.operations.unit_of_work import UnitOfWork

    Retagging = Callable[[list[str], list[str]], list[str]]
    AgentAndStatus = tuple[UUID | None, str]

MAX_SESSIONS = 1_000
"""How many sessions one write may create or change."""

MAX_TAGS = 100
"""How many tags a session may have."""

_BATCH_SIZE = 500
"""How many sessions of a tree one transaction deletes."""

_DEEPEST = f"""
SELECT id FROM sessions WHERE project_id = $1 AND ancestor_ids @> ARRAY[$2::uuid]
ORDER BY depth DESC, id DESC LIMIT {_BATCH_SIZE + 1}"""  # noqa: S608  # a constant

_JSON_COLUMNS = ("business_context", "learning_outcomes", "context", "state", "metadata_")
_ADD_TO_COUNTS = """
UPDATE agents SET total_sessions = total_sessions + $3, completed_sessions = completed_sessions + $4,
  failed_sessions = failed_sessions + $5
WHERE project_id = $1 AND id = $2"""


@dataclass(frozen=True)
class RenamedTag:
    """A tag's new name, and how many sessions had it."""

    name: str
    session_count: int


async def create(write: UnitOfWork, values: dict[str, Any]) -> Session:
    """Add a session in any status; it may have ended in the past."""
    [session] = await create_all(write, [values])
    return session


async def start(write: UnitOfWork, values: dict[str, Any]) -> Session:
    """Start a session now; the default version is the agent's active one."""
    return await create(write, values | {"status": SessionStatus.ACTIVE})


async def create_all(write: UnitOfWork, sessions: list[dict[str, Any]]) -> list[Session]:
    """Add sessions in one statement. Their parents must already exist.

    Raises:
        NotFoundError: A session refers to an object that is not in the project.
        LimitExceededError: A session would exceed the maximum depth of a tree.

    """
    check_count("sessions", sessions, MAX_SESSIONS)
    for values in sessions:
        _check_version(values, None)
    now = datetime.now(UTC)
    # Parents are locked, so that none is deleted while a child is added.
    parent_ids = {values["parent_id"] for values in sessions if values.get("parent_id")}
    parents = {
        parent.id: parent
        for parent in await write.get_all(Session, [*parent_ids], field="parentId", keep=True)
    }
    versions = await _active_versions(
        write, {values["agent_id"] for values in sessions if values.get("agent_id")}
    )
    rows = [
        _with_tree_columns(
            _with_times(
                _normalize({"agent_version_id": versions.get(values.get("agent_id"))} | values), None, now
            ),
            parents[values["parent_id"]] if values.get("parent_id") else None,
        )
        for values in sessions
    ]
    # Every row names the same columns, so that one statement takes them all.
    columns = dict.fromkeys(column for row in rows for column in row)
    defaults: dict[str, Any] = {"tags": [], "status": SessionStatus.ACTIVE}
    defaults |= {column: {} for column in _JSON_COLUMNS}
    inserted = await write.insert(
        Session, [{column: row.get(column, defaults.get(column)) for column in columns} for row in rows]
    )
    await _update_agent_counts(write, [], inserted)
    return inserted


async def update(write: UnitOfWork, id_: UUID, values: dict[str, Any]) -> Session:
    """Update a session. A status that ends it sets ``ended_at``; one that reopens it clears it."""
    before = await write.get(Session, id_, lock=True)
    counted_before = (before.agent_id, before.status)
    if values.get("agent_id", before.agent_id) != before.agent_id:
        # A version belongs to one agent.
        values = {"agent_version_id": None} | values
    _check_version(values, before)
    after = await write.update(before, _with_times(_normalize(values), before, datetime.now(UTC)))
    await _update_agent_counts(write, [counted_before], [after])
    return after


async def end(write: UnitOfWork, id_: UUID, values: dict[str, Any] | None = None) -> Session:
    """End a session, once; the default status is COMPLETED.

    Raises:
        ConflictError: The session has already ended.
        BadUserInputError: The status does not end a session.

    """
    values = values or {}
    status = values.get("status") or SessionStatus.COMPLETED
    if status in OPEN_STATUSES:
        raise BadUserInputError(
            f"{status} does not end a session; use COMPLETED, FAILED or CANCELLED", field="status"
        )
    session = await write.get(Session, id_, lock=True)
    if session.ended_at is not None:
        raise ConflictError(
            f"the session has already ended with the status {session.status}; use updateSession to change it"
        )
    return await update(write, id_, values | {"status": status})


async def delete(write: UnitOfWork, id_: UUID, *, tree: bool = False) -> list[UUID]:
    """Delete a session with everything it owns, and with its descendants if ``tree`` is true.

    Returns the ids of all deleted sessions, this one first.

    Raises:
        ConflictError: The session has descendants, and ``tree`` is false.

    """
    await write.run_separately(partial(_check_deletable, id_=id_, tree=tree))
    deleted = await _delete_below(write, id_) if tree else []
    cleared = await deletion.clear(write, Session, [id_])
    try:
        await _check_deletable(write, id_, tree=tree)
    except ConflictError as conflict:
        if not cleared:
            raise
        raise ConflictError(
            f"{conflict.message}; they were added while this session was being deleted, and much of its"
            " data has already been deleted",
            field=conflict.field,
        ) from None
    # A child that is added meanwhile is deleted with the tree, or its foreign key makes the deletion fail.
    whole = or_(Session.id == id_, Session.ancestor_ids.contains([id_])) if tree else Session.id == id_
    deleted += await _delete(write, whole)
    return [id_, *[each for each in deleted if each != id_]]


async def _check_deletable(write: UnitOfWork, id_: UUID, *, tree: bool) -> None:
    """Lock a session before its deletion; refuse one with descendants unless ``tree`` is true."""
    await write.get(Session, id_, lock=True)
    below = select(Session.id).where(*write.in_project(Session), Session.ancestor_ids.contains([id_]))
    others = 0 if tree else len((await write.scalars(below)).all())
    if others:
        raise ConflictError(
            f"the session has descendants ({others}); delete the whole tree with tree: true", field="tree"
        )


async def _delete_below(write: UnitOfWork, id_: UUID) -> list[UUID]:
    """Delete descendants in batches, the deepest first, until one batch or less is left; return their ids."""
    deleted: list[UUID] = []
    while True:
        below = [row["id"] for row in await write.run_separately(partial(_fetch_deepest, id_=id_))]
        await deletion.clear(write, Session, below[:_BATCH_SIZE])
        if len(below) <= _BATCH_SIZE:
            return deleted
        deleted += await write.run_separately(partial(_delete, which=Session.id.in_(below[:_BATCH_SIZE])))


async def _fetch_deepest(write: UnitOfWork, id_: UUID) -> list[Record]:
    return await write.fetch(_DEEPEST, write.project_id, id_, alone=True)


async def _delete(write: UnitOfWork, which: ColumnElement[bool]) -> list[UUID]:
    """Delete sessions, and subtract them from the counts of agents."""
    # Otherwise a writer that adds to a chain gets an error about the deleted state, not about the session.
    await lock_all_chains(write)
    statement = (
        delete_from(Session)
        .where(*write.in_project(Session), which)
        .returning(Session.id, Session.agent_id, Session.status)
    )
    rows = (await write.execute(statement)).all()
    await _update_agent_counts(write, [(row.agent_id, row.status) for row in rows], [])
    # A statement of its own: a share may have been made while this one waited for the sessions.
    await write.fetch(totals.FORGET, write.project_id, [row.id for row in rows])
    return [row.id for row in rows]


async def add_tags(write: UnitOfWork, ids: list[UUID], tags: list[str]) -> list[Session]:
    """Add tags to sessions, after their other tags."""
    return await _retag(write, ids, tags, lambda current, tags: [*current, *tags])


async def remove_tags(write: UnitOfWork, ids: list[UUID], tags: list[str]) -> list[Session]:
    """Remove tags from sessions."""
    return await _retag(write, ids, tags, lambda current, tags: [tag for tag in current if tag not in tags])


async def rename_tag(write: UnitOfWork, old: str, new: str) -> RenamedTag:
    """Rename a tag on all sessions that have it; those that already have the new tag lose the old one."""
    check_text("from", old, 255)
    [new] = check_tags("to", [new])
    if old == new:
        raise BadUserInputError("from and to are the same tag", field="to")
    held = (
        select(Session.id)
        .where(*write.in_project(Session), Session.tags.contains([old]))
        .order_by(Session.id)
        .with_for_update(key_share=True)
        .cte()
    )
    renamed = func.array_replace(Session.tags, old, new)
    merged = func.array_remove(Session.tags, old)
    done: Any = await write.execute(
        update_rows(Session)
        .where(*write.in_project(Session), Session.id.in_(select(held.c.id)))
        .values(
            tags=case((Session.tags.contains([new]), merged), else_=renamed),
            updated_at=func.clock_timestamp(),
        )
        .execution_options(synchronize_session=False)
    )
    return RenamedTag(new, done.rowcount)


async def _retag(write: UnitOfWork, ids: list[UUID], tags: list[str], change: Retagging) -> list[Session]:
    check_count("sessionIds", ids, MAX_SESSIONS)
    check_count("tags", tags, MAX_TAGS)
    unique = check_tags("tags", tags)
    sessions = await write.get_all(Session, list(dict.fromkeys(ids)), field="sessionIds", lock=True)
    pairs = [(session.id, tag) for session in sessions for tag in _check_tags(change(session.tags, unique))]
    # PostgreSQL has no arrays of arrays of different lengths, so this sends (session, tag) pairs in order.
    tag = (
        func.unnest(
            literal([id_ for id_, _ in pairs], ARRAY(Uuid)), literal([tag for _, tag in pairs], ARRAY(Text))
        )
        .table_valued("session_id", "tag", with_ordinality="place")
        .render_derived()
    )
    tags_of = (
        select(func.array_agg(aggregate_order_by(tag.c.tag, tag.c.place)))
        .where(tag.c.session_id == Session.id)
        .scalar_subquery()
    )
    changed = (
        update_rows(Session)
        .where(*write.in_project(Session), Session.id.in_([session.id for session in sessions]))
        .values(tags=func.coalesce(tags_of, literal([], ARRAY(Text))), updated_at=func.clock_timestamp())
        .returning(Session)
    )
    after = {row.id: row for row in await write.scalars(changed, execution_options=FRESH)}
    return [after[session.id] for session in sessions]


def _check_tags(tags: list[str]) -> list[str]:
    unique = check_tags("tags", tags)
    if len(unique) > MAX_TAGS:
        raise LimitExceededError(
            f"a session may have at most {MAX_TAGS} tags, not {len(unique)}", field="tags"
        )
    return unique


def _normalize(values: dict[str, Any]) -> dict[str, Any]:
    check(Session, values)
    if values.get("tags") is not None:
        values = values | {"tags": _check_tags(values["tags"])}
    return values


def _check_version(values: dict[str, Any], before: Session | None) -> None:
    agent_id = values.get("agent_id", before.agent_id if before else None)
    if values.get("agent_version_id") and agent_id is None:
        raise BadUserInputError(
            "agentVersionId requires the agentId of the version's agent", field="agentVersionId"
        )


def _with_times(values: dict[str, Any], before: Session | None, now: datetime) -> dict[str, Any]:
    """Return values whose times agree with the status, for a new session or an update."""
    status = values.get("status", before.status if before else SessionStatus.ACTIVE)
    ended_at: datetime | None = values.get("ended_at", before.ended_at if before else None)
    started_at: datetime = values.get("started_at") or (
        before.started_at if before else min(now, ended_at or now)
    )
    if status in OPEN_STATUSES:
        if values.get("ended_at") is not None:
            raise BadUserInputError(
                f"a session with the status {status} has no endedAt; also set the status it ended with",
                field="endedAt",
            )
        ended_at = None
    elif before is not None and before.ended_at is not None and ended_at is None:
        raise BadUserInputError(
            f"a session with the status {status} has an endedAt; to reopen it, set the status to ACTIVE",
            field="endedAt",
        )
    elif ended_at is None:
        ended_at = max(now, started_at)
    if ended_at is not None and ended_at < started_at:
        raise BadUserInputError("endedAt is before startedAt", field="endedAt")
    timed_values = values | {"started_at": started_at, "ended_at": ended_at}
    if before is None:
        # The last activity is never in the future.
        timed_values["last_activity_at"] = min(
            timed_values.get("last_activity_at") or ended_at or started_at, now
        )
    return timed_values


def _with_tree_columns(values: dict[str, Any], parent: Session | None) -> dict[str, Any]:
    """Return the values of a new session with its id and its position in the tree."""
    id_ = uuid7()
    if parent is None:
        return values | {"id": id_, "parent_id": None, "root_id": id_, "depth": 0, "ancestor_ids": []}
    if parent.depth >= MAX_DEPTH:
        raise LimitExceededError(
            f"a tree of sessions may have at most {MAX_DEPTH} levels below its root", field="parentId"
        )
    return values | {
        "id": id_,
        "root_id": parent.root_id,
        "depth": parent.depth + 1,
        "ancestor_ids": [*parent.ancestor_ids, parent.id],
    }


async def _active_versions(write: UnitOfWork, agent_ids: set[UUID]) -> dict[Any, UUID]:
    if not agent_ids:
        return {}
    active = (
        "SELECT agent_id, id FROM agent_versions WHERE project_id = $1 AND agent_id = ANY($2) AND is_active"
    )
    return dict(map(tuple, await write.fetch(active, write.project_id, [*agent_ids])))


async def _update_agent_counts(
    write: UnitOfWork, removed: Iterable[AgentAndStatus], added: Iterable[Session]
) -> None:
    """Update the session counts of agents; agents are locked in the order of their keys."""
    counts: dict[UUID, Counter[str]] = {}
    for sign, counted in ((-1, removed), (1, ((session.agent_id, session.status) for session in added))):
        for agent_id, status in counted:
            if agent_id is not None:
                count = counts.setdefault(agent_id, Counter())
                count["all"] += sign
                count[status] += sign
    for agent_id in sorted(counts):
        changes = [counts[agent_id][of] for of in ("all", SessionStatus.COMPLETED, SessionStatus.FAILED)]
        if any(changes):
            await write.fetch(_ADD_TO_COUNTS, write.project_id, agent_id, *changes)
