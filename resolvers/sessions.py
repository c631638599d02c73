"""What sessions know of their states and trees."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Float,
    Integer,
    Select,
    Text,
    Uuid,
    any_,
    bindparam,
    cast,
    func,
    select,
    union_all,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import aliased

from agentdata.execution.links import among_keys, keys_table, owned
from agentdata.operations.values import check_text
from models import Session, ToolCall
from resolvers.computations import Given
from resolvers.fields import argument

if TYPE_CHECKING:
    from collections.abc import Mapping

_SUMMED = ("message_count", "prompt_tokens", "completion_tokens", "cost_usd")
"""The columns of a session of which a tree has the sums."""


PATH = argument(
    "path", list[str], "Where it stands: the keys that lead to it, or positions in arrays.", required=True
)


def path(arguments: Mapping[str, Any]) -> Given:
    """Read a path into JSON.

    Raises:
        BadUserInputError: It cannot lead anywhere.

    """
    for key in arguments["path"]:
        check_text("path", key)
    return Given((), {"path": arguments["path"]})


def state_values() -> Select[Any]:
    """Give what stands at a path in the state of each session."""
    at = bindparam("path", type_=ARRAY(Text))
    value: Any = Session.state.op("#>", return_type=JSONB())(at).label("value")
    return select(Session.id, value).where(owned(Session), among_keys(Session.id))


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

    Where the root of a tree is asked, all of the tree is found at once. Otherwise its sessions are found from
    parent to child, so that a leaf costs nothing of the tree that it is in. One that is below several of the
    keys is read once, and its failed calls are counted once, before it is added up for each of its ancestors.
    """
    keys = keys_table()
    asked = select(Session.id, Session.root_id).where(owned(Session), among_keys(Session.id)).cte()
    roots = select(asked.c.id).where(asked.c.id == asked.c.root_id)
    found = select(asked.c.id).where(asked.c.root_id.not_in(roots)).cte(recursive=True)
    # Arrays, not joins: PostgreSQL expects few sessions, and may join many of them by going through all.
    below = found.union(select(Session.id).join(found, Session.parent_id == found.c.id).where(owned(Session)))
    added_up = select(
        *[getattr(Session, name) for name in ("id", "depth", *_SUMMED, "started_at")],
        func.coalesce(Session.ended_at, func.now()).label("last"),
        func.array_append(Session.ancestor_ids, Session.id).label("line"),
    ).where(owned(Session))
    session = union_all(
        added_up.where(Session.root_id == any_(_array(roots))),
        added_up.where(Session.id == any_(_array(select(below.c.id)))),
    ).cte()
    failed = (
        select(ToolCall.session_id, cast(func.count(), Integer).label("count"))
        .where(
            owned(ToolCall),
            ToolCall.session_id == any_(_array(select(session.c.id))),
            ToolCall.error.is_not(None),
        )
        .group_by(ToolCall.session_id)
        .subquery()
    )
    each = (
        select(func.unnest(session.c.line).label("id"), *session.c["depth", *_SUMMED, "started_at", "last"])
        .add_columns(failed.c.count.label("errors"))
        .join(failed, failed.c.session_id == session.c.id, isouter=True)
        .subquery()
    ).c
    seconds = func.extract("epoch", func.max(each.last) - func.min(each.started_at))
    total = (
        select(
            each.id,
            func.count().label("session_count"),
            func.max(each.depth).label("max_depth"),
            cast(func.sum(each.message_count), BigInteger).label("message_count"),
            cast(func.sum(each.prompt_tokens), BigInteger).label("prompt_tokens"),
            cast(func.sum(each.completion_tokens), BigInteger).label("completion_tokens"),
            cast(func.coalesce(func.sum(each.cost_usd), 0), Float).label("cost_usd"),
            cast(func.coalesce(func.sum(each.errors), 0), BigInteger).label("error_count"),
            cast(seconds * 1000, Float).label("duration_ms"),
        )
        .group_by(each.id)
        .subquery()
    )
    _, *totals = total.c
    return select(keys.c.key, *totals).select_from(keys.join(total, total.c.id == keys.c.key))


def _array(ids: Any) -> Any:
    """Give ids as an array, which an index is searched with."""
    return func.array(ids.scalar_subquery(), type_=ARRAY(Uuid))
