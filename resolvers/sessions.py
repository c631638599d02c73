"""What sessions know of their trees."""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, Float, Select, Uuid, any_, cast, column, func, literal, select
from sqlalchemy.orm import aliased

from agentdata.execution.links import among_keys, owned
from models import Session, ToolCall
from models.enums import ToolCallStatus


def ancestors() -> Select[Any]:
    """Give the sessions above each session, the root first."""
    below = aliased(Session)
    lines: Any = (
        select(below.id, Session)
        .join_from(below, Session, Session.id == any_(below.ancestor_ids))
        .where(owned(below), owned(Session), among_keys(below.id))
        .order_by(Session.depth)
    )
    return lines  # type: ignore[no-any-return]  # a statement, of whatever columns


def trees() -> Select[Any]:
    """Add up each session and all below it: every session of their trees counts for all of its ancestors."""
    top = aliased(Session)
    roots = select(top.root_id).where(owned(top), among_keys(top.id))
    line = func.array_append(Session.ancestor_ids, Session.id)
    above = func.unnest(line).table_valued(column("id", Uuid)).render_derived().lateral()
    failed = (
        select(func.count())
        .where(
            owned(ToolCall), ToolCall.session_id == Session.id, ToolCall.status == ToolCallStatus.FAILED.value
        )
        .scalar_subquery()
    )
    seconds = func.extract(
        "epoch", func.max(func.coalesce(Session.ended_at, func.now())) - func.min(Session.started_at)
    )
    return (
        select(
            above.c.id,
            func.count().label("session_count"),
            func.max(Session.depth).label("max_depth"),
            cast(func.sum(Session.message_count), BigInteger).label("message_count"),
            cast(func.sum(Session.prompt_tokens), BigInteger).label("prompt_tokens"),
            cast(func.sum(Session.completion_tokens), BigInteger).label("completion_tokens"),
            cast(func.coalesce(func.sum(Session.cost_usd), 0), Float).label("cost_usd"),
            cast(func.sum(failed), BigInteger).label("error_count"),
            cast(seconds * 1000, Float).label("duration_ms"),
        )
        .select_from(Session)
        .join(above, literal(value=True))
        .where(owned(Session), Session.root_id.in_(roots), among_keys(above.c.id))
        .group_by(above.c.id)
    )
