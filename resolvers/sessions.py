"""Fields of sessions that are read from their states and trees."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    ARRAY,
    Float,
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

from agentdata.checks import check_text
from agentdata.engine.fields import Bindings, argument
from agentdata.engine.sql.filters import Term, condition
from agentdata.engine.sql.links import among_keys, keys_table
from agentdata.engine.sql.tenancy import owned
from models import Session
from resolvers.sums import total

if TYPE_CHECKING:
    from collections.abc import Mapping


_SUMMED = ("message_count", "prompt_tokens", "completion_tokens", "cost_usd", "error_count")
"""The columns of a session that are summed up for its tree."""

PATH = argument(
    "path", list[str], "The path to the value: keys of objects and positions in arrays.", required=True
)


def path(arguments: Mapping[str, Any]) -> Bindings:
    """Bind a path into JSON.

    Raises:
        BadUserInputError: A key of the path cannot occur in stored JSON.

    """
    for key in arguments["path"]:
        check_text("path", key)
    return Bindings((), {"path": arguments["path"]})


def state_values() -> Select[Any]:
    """Select the value at a path in the state of each session."""
    at = bindparam("path", type_=ARRAY(Text))
    value: Any = Session.state.op("#>", return_type=JSONB())(at).label("value")
    return select(Session.id, value).where(owned(Session), among_keys(Session.id))


def ancestors() -> Select[Any]:
    """Select the ancestors of each session, the root first."""
    below = aliased(Session)
    pairs: Any = (
        select(below.id, Session)
        .join_from(below, Session, Session.id == any_(below.ancestor_ids))
        .where(owned(below), owned(Session), among_keys(below.id))
        .order_by(Session.depth)
    )
    return pairs  # type: ignore[no-any-return]  # the columns do not matter here


def within_trees(*columns: str, sessions: Term | None = None) -> Any:
    """Select the sessions of the keys and their descendants, each once: the columns, and a ``line``.

    The line has the ids of the session's ancestors and its own: the session counts for all of these.

    If the root of a tree is among the keys, one condition finds the whole tree. Otherwise descendants are
    found from parent to child, so that the cost of a leaf does not depend on the size of its tree.
    """
    requested = select(Session.id, Session.root_id).where(owned(Session), among_keys(Session.id)).cte()
    roots = select(requested.c.id).where(requested.c.id == requested.c.root_id)
    found = select(requested.c.id).where(requested.c.root_id.not_in(roots)).cte(recursive=True)
    # Arrays, not joins: PostgreSQL expects few sessions, and may join many by scanning all of the project's.
    below = found.union(select(Session.id).join(found, Session.parent_id == found.c.id).where(owned(Session)))
    session = aliased(Session)
    sessions_in_trees = select(
        *[getattr(session, name) for name in columns],
        func.array_append(session.ancestor_ids, session.id).label("line"),
    ).where(owned(session), *([] if sessions is None else [condition(session, sessions)]))
    return union_all(
        sessions_in_trees.where(session.root_id == any_(_array(roots))),
        sessions_in_trees.where(session.id == any_(_array(select(below.c.id)))),
    ).cte()


def trees() -> Select[Any]:
    """Select the totals of each session's tree: a session counts for itself and for all of its ancestors.

    A session below several of the keys is read once, before it is added to the totals of each ancestor.
    """
    keys = keys_table()
    session = within_trees("depth", *_SUMMED, "started_at", "ended_at")
    each = (
        select(func.unnest(session.c.line).label("id"), *session.c["depth", *_SUMMED, "started_at"])
        .add_columns(func.coalesce(session.c.ended_at, func.now()).label("last"))
        .subquery()
    ).c
    seconds = func.extract("epoch", func.max(each.last) - func.min(each.started_at))
    added_up = (
        select(
            each.id,
            func.count().label("session_count"),
            func.max(each.depth).label("max_depth"),
            total(each.message_count).label("message_count"),
            total(each.prompt_tokens).label("prompt_tokens"),
            total(each.completion_tokens).label("completion_tokens"),
            total(each.cost_usd, Float).label("cost_usd"),
            total(each.error_count).label("error_count"),
            cast(seconds * 1000, Float).label("duration_ms"),
        )
        .group_by(each.id)
        .subquery()
    )
    _, *totals = added_up.c
    return select(keys.c.key, *totals).select_from(keys.join(added_up, added_up.c.id == keys.c.key))


def _array(ids: Any) -> Any:
    """Return ids as an array, so that PostgreSQL searches an index with them."""
    return func.array(ids.scalar_subquery(), type_=ARRAY(Uuid))
