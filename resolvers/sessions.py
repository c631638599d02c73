"""What sessions know of their trees."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import BigInteger, Float, Uuid, cast, column, func, literal, select

from agentdata.execution.links import among
from agentdata.execution.reader import Reader
from models import Session, ToolCall
from models.enums import ToolCallStatus


@dataclass(frozen=True)
class Tree:
    """What a session and all sessions below it add up to."""

    session_count: int
    max_depth: int
    message_count: int
    prompt_tokens: int
    completion_tokens: int
    cost_usd: float
    error_count: int
    duration_ms: float


async def ancestors(reader: Reader, sessions: list[Session]) -> Sequence[list[Session]]:
    """Give the sessions above each session, the root first."""
    ids = list({id_ for session in sessions for id_ in session.ancestor_ids})
    if not ids:
        return [[] for _ in sessions]
    statement = select(Session).where(Session.project_id == reader.project_id, among(Session.id, ids))
    found = {session.id: session for (session,) in await reader.execute(statement)}
    return [[found[id_] for id_ in session.ancestor_ids] for session in sessions]


async def trees(reader: Reader, sessions: list[Session]) -> Sequence[Tree]:
    """Add up each session and all below it: every session of their trees counts for all of its ancestors."""
    roots = list({session.root_id for session in sessions})
    ids = list({session.id for session in sessions})
    above = (
        func.unnest(func.array_append(Session.ancestor_ids, Session.id))
        .table_valued(column("id", Uuid))
        .render_derived()
        .lateral()
    )
    failed = (
        select(func.count())
        .where(
            ToolCall.project_id == reader.project_id,
            ToolCall.session_id == Session.id,
            ToolCall.status == ToolCallStatus.FAILED,
        )
        .scalar_subquery()
    )
    seconds = func.extract(
        "epoch", func.max(func.coalesce(Session.ended_at, func.now())) - func.min(Session.started_at)
    )
    statement = (
        select(
            above.c.id,
            func.count(),
            func.max(Session.depth),
            cast(func.sum(Session.message_count), BigInteger),
            cast(func.sum(Session.prompt_tokens), BigInteger),
            cast(func.sum(Session.completion_tokens), BigInteger),
            cast(func.coalesce(func.sum(Session.cost_usd), 0), Float),
            cast(func.sum(failed), BigInteger),
            cast(seconds * 1000, Float),
        )
        .select_from(Session)
        .join(above, literal(value=True))
        .where(
            Session.project_id == reader.project_id,
            among(Session.root_id, roots),
            among(above.c.id, ids),
        )
        .group_by(above.c.id)
    )
    found = {row[0]: Tree(*row[1:]) for row in await reader.execute(statement)}
    return [found[session.id] for session in sessions]
