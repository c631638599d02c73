"""What sessions know of their trees."""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Float,
    Select,
    Uuid,
    any_,
    cast,
    column,
    func,
    literal,
    select,
)
from sqlalchemy.orm import aliased

from agentdata.execution.links import among_keys, keys_table, owned
from models import Session, ToolCall

_ADDED_UP = (
    "id", "depth", "message_count", "prompt_tokens", "completion_tokens", "cost_usd", "started_at",
)  # fmt: skip
"""The columns of a session that a tree adds up."""


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
    """Add up each session and all below it: every session counts for itself and for all of its ancestors.

    The sessions are found from parent to child, so that a leaf costs nothing of the tree that it is in, and
    one that is below several of the keys is read once. Its failed calls are counted once, too, and joined
    before it is added up for each of its ancestors.
    """
    keys = keys_table()
    found = select(Session.id).where(owned(Session), among_keys(Session.id)).cte(recursive=True)
    # Arrays, not joins: PostgreSQL expects few sessions, and may join many of them by going through all.
    below = found.union(select(Session.id).join(found, Session.parent_id == found.c.id).where(owned(Session)))
    session = (
        select(
            *[getattr(Session, name) for name in _ADDED_UP],
            func.coalesce(Session.ended_at, func.now()).label("last"),
            func.array_append(Session.ancestor_ids, Session.id).label("line"),
        )
        .where(owned(Session), Session.id == any_(_ids(below)))
        .cte()
    )
    failed = (
        select(ToolCall.session_id, func.count().label("count"))
        .where(owned(ToolCall), ToolCall.session_id == any_(_ids(session)), ToolCall.error.is_not(None))
        .group_by(ToolCall.session_id)
        .subquery()
    )
    above = func.unnest(session.c.line).table_valued(column("id", Uuid)).render_derived().lateral()
    seconds = func.extract("epoch", func.max(session.c.last) - func.min(session.c.started_at))
    total = (
        select(
            above.c.id,
            func.count().label("session_count"),
            func.max(session.c.depth).label("max_depth"),
            cast(func.sum(session.c.message_count), BigInteger).label("message_count"),
            cast(func.sum(session.c.prompt_tokens), BigInteger).label("prompt_tokens"),
            cast(func.sum(session.c.completion_tokens), BigInteger).label("completion_tokens"),
            cast(func.coalesce(func.sum(session.c.cost_usd), 0), Float).label("cost_usd"),
            cast(func.coalesce(func.sum(failed.c.count), 0), BigInteger).label("error_count"),
            cast(seconds * 1000, Float).label("duration_ms"),
        )
        .select_from(session)
        .join(failed, failed.c.session_id == session.c.id, isouter=True)
        .join(above, literal(value=True))
        .group_by(above.c.id)
        .subquery()
    )
    _, *totals = total.c
    return select(keys.c.key, *totals).select_from(keys.join(total, total.c.id == keys.c.key))


def _ids(of: Any) -> Any:
    """Give the ids of a table of a statement as an array, which an index is searched with."""
    return func.array(select(of.c.id).scalar_subquery(), type_=ARRAY(Uuid))
