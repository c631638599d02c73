"""What sessions add up to: of a project, or of each of many users, teams, agents, sessions or trees of them.

``column`` is the column of a session that holds the key of the parent that it counts for, or ``TREE``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    Float,
    Numeric,
    Select,
    Uuid,
    cast,
    false,
    func,
    literal_column,
    null,
    or_,
    select,
    true,
    union_all,
)
from sqlalchemy.orm import aliased

from agentdata.engine.fields import Gives, argument, batch
from agentdata.engine.sql.filters import Term, condition
from agentdata.engine.sql.links import among_keys, keys_table
from agentdata.engine.sql.tenancy import owned
from models import Message, Session, ToolCall, UsageRecord
from models.enums import SessionStatus, ToolCallStatus
from resolvers.sessions import ERRORS, within_trees
from resolvers.sums import mean, percentiles, share, total
from schema.inputs.session import SessionFilter

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

SESSIONS = argument(
    "sessions",
    SessionFilter,
    "Which of the sessions to count; all by default. For a period of time, filter on their start:"
    " `{startedAt: {gte: …, lt: …}}`.",
    filters=Session,
)

TREE = "line"
"""A session counts for itself and for each of its ancestors."""

MAX_TOOLS = 500
"""How many tools statistics name."""

MAX_MODELS = 500
"""How many models statistics name."""

_SESSION = (
    "is_active",
    "status",
    "message_count",
    "interaction_count",
    "prompt_tokens",
    "completion_tokens",
    "cost_usd",
    "quality_score",
    "user_satisfaction",
)
"""The columns of a session of which there are counts, sums or means."""


def summed(description: str, *, by: str, inherits: bool = False) -> Any:
    """Declare a field that sums up sessions: those whose column ``by`` is the row's id, or its ``TREE``."""
    return batch(totals, description, Gives.OBJECT, arguments=[SESSIONS], inherits=inherits, column=by)


def totals(column: str, sessions: Term | None = None) -> Select[Any]:
    """Add up the sessions of each parent."""
    session = _counted(column, sessions, *_SESSION).c

    def count(status: SessionStatus) -> Any:
        return func.count().filter(session.status == status.value)

    completed, failed = count(SessionStatus.COMPLETED), count(SessionStatus.FAILED)
    means = {
        "success_rate": share(completed, failed),
        "mean_quality_score": mean(session.quality_score),
        "mean_user_satisfaction": mean(session.user_satisfaction),
    }
    each = select(
        session.key,
        func.count().label("session_count"),
        func.count().filter(session.is_active).label("open_count"),
        completed.label("completed_count"),
        failed.label("failed_count"),
        count(SessionStatus.CANCELLED).label("cancelled_count"),
        total(session.message_count).label("message_count"),
        total(session.interaction_count).label("interaction_count"),
        total(session.prompt_tokens).label("prompt_tokens"),
        total(session.completion_tokens).label("completion_tokens"),
        total(session.cost_usd, Float).label("cost_usd"),
        *[value.label(name) for name, value in means.items()],
    ).group_by(session.key)
    return _of_all_keys(each, *means)


def error_counts(column: str, sessions: Term | None = None) -> Select[Any]:
    """Count the errors in the sessions of each parent."""
    keyed = _keyed(column, sessions)
    error = union_all(*[keyed(row, row.session_id, only=[is_error]) for row, is_error in ERRORS]).subquery().c
    return _of_all_keys(select(error.key, func.count().label("value")).group_by(error.key))


def latencies(column: str, sessions: Term | None = None) -> Select[Any]:
    """Sum up how long the messages in the sessions of each parent took."""
    message = _keyed(column, sessions)(Message, Message.latency_ms, by=Message.sequence).subquery().c
    found = {
        "mean_ms": mean(message.latency_ms),
        **{f"{name}_ms": value for name, value in percentiles(message.latency_ms)},
    }
    each = select(
        message.key,
        func.count().label("count_"),
        *[value.label(name) for name, value in found.items()],
    )
    # Not looked up by: the index of what has a latency is not one of sessions.
    each = each.where(message.latency_ms.is_not(None)).group_by(message.key)
    return _of_all_keys(each, *found)


def tools(column: str, sessions: Term | None = None) -> Select[Any]:
    """Tell how tools were called in the sessions of each parent, the most called first."""
    columns = (ToolCall.name, ToolCall.status, ToolCall.duration_ms)
    call = _keyed(column, sessions)(ToolCall, *columns, by=ToolCall.call_id).subquery().c

    def count(status: ToolCallStatus) -> Any:
        return func.count().filter(call.status == status.value)

    succeeded, failed = count(ToolCallStatus.SUCCEEDED), count(ToolCallStatus.FAILED)
    called = (
        select(
            call.key,
            call.name,
            func.count().label("call_count"),
            count(ToolCallStatus.PENDING).label("pending_count"),
            succeeded.label("succeeded_count"),
            failed.label("failed_count"),
            share(succeeded, failed).label("success_rate"),
            mean(call.duration_ms).label("mean_duration_ms"),
            *[value.label(f"{name}_duration_ms") for name, value in percentiles(call.duration_ms)],
        )
        .group_by(call.key, call.name)
        .subquery()
    )
    return _first(called, MAX_TOOLS, called.c.call_count.desc(), called.c.name)


def models(column: str, sessions: Term | None = None) -> Select[Any]:
    """Tell what models were used for in the sessions of each parent, those of the most tokens first.

    Both the messages and the usage records tell; a message without a model counts where it has tokens, so
    that the tokens of all models are those of the sessions.
    """
    keyed = _keyed(column, sessions)
    tokens = (Message.prompt_tokens, Message.completion_tokens)
    told = or_(*[each.is_not(None) for each in (Message.model, *tokens)])
    said = (Message.model, *tokens, cast(null(), Numeric).label("cost_usd"), true().label("is_message"))
    used = (
        UsageRecord.model,
        UsageRecord.prompt_tokens,
        UsageRecord.completion_tokens,
        UsageRecord.cost_usd,
        false(),
    )
    use = (
        union_all(keyed(Message, *said, by=Message.sequence, only=[told]), keyed(UsageRecord, *used))
        .subquery()
        .c
    )
    each = (
        select(
            use.key,
            use.model.label("name"),
            func.count().filter(use.is_message).label("message_count"),
            func.count().filter(~use.is_message).label("usage_count"),
            total(use.prompt_tokens).label("prompt_tokens"),
            total(use.completion_tokens).label("completion_tokens"),
            total(use.cost_usd, Float).label("cost_usd"),
        )
        .group_by(use.key, use.model)
        .subquery()
    )
    used_most = (each.c.prompt_tokens + each.c.completion_tokens).desc()
    return _first(each, MAX_MODELS, used_most, each.c.name)


def _counted(column: str, sessions: Term | None, *columns: str) -> Any:
    """Give the sessions that count for each parent, as (key, id, …)."""
    if column == TREE:
        session = within_trees("id", *columns, sessions=sessions)
        lines = select(
            func.unnest(session.c.line, type_=Uuid).label("key"), *session.c["id", *columns]
        ).subquery()
        return select(lines).where(among_keys(lines.c.key)).cte()
    session = aliased(Session)
    key = getattr(session, column)
    asked = [] if sessions is None else [condition(session, sessions)]
    return (
        select(key.label("key"), session.id, *[getattr(session, name) for name in columns])
        .where(owned(session), among_keys(key), *asked)
        .subquery()
    )


def _keyed(column: str, sessions: Term | None) -> Callable[..., Select[Any]]:
    """Give what selects the rows of a table that are of the sessions of each parent, as (key, …).

    They are looked up session by session, ``by`` an order that only an index of a session's rows has, or
    ``only`` those that an index of few rows has. PostgreSQL might join them in a better order, but also in
    the worst one, where it knows little of a project yet: going through all of its rows for each session.
    """
    if column == "project_id" and sessions is None:
        # All of the project counts, whatever session it is of; no key is of another project.
        return lambda row, *columns, by=None, only=(): select(  # noqa: ARG005  # as below
            row.project_id.label("key"), *columns
        ).where(owned(row), *only)
    counted = _counted(column, sessions)

    def select_of(row: Any, *columns: Any, by: Any = None, only: Sequence[Any] = ()) -> Select[Any]:
        its = select(*columns).where(owned(row), row.session_id == counted.c.id, *only)
        # An offset keeps PostgreSQL from making a join of it.
        found = its.order_by(by).offset(literal_column("0")).lateral()
        return select(counted.c.key, *found.c).select_from(counted.join(found, true()))

    return select_of


def _of_all_keys(grouped: Any, *unknown: str) -> Select[Any]:
    """Give each key what was found of it: zeros where that is nothing, and null for what is then unknown."""
    keys = keys_table()
    found = grouped.subquery()
    key, *columns = found.c
    given = [each if each.key in unknown else func.coalesce(each, 0).label(each.key) for each in columns]
    # All that was found is of one of the keys. PostgreSQL has no nested loops for a full join; it may choose
    # them where it expects few keys, and they are slow where there are many.
    joined = keys.join(found, key == keys.c.key, full=True)
    return select(keys.c.key, *given).select_from(joined)


def _first(rows: Any, number: int, *order: Any) -> Select[Any]:
    """Give the first rows of each key."""
    place = func.row_number().over(partition_by=rows.c.key, order_by=order)
    *columns, nth = select(rows, place.label("place")).subquery().c
    return select(*columns).where(nth <= number).order_by(columns[0], nth)
