"""What sessions add up to: of a project, or of each of many users, teams, agents, sessions or trees of them.

``column`` is the column of a session that holds the key of the parent that it counts for, or ``TREE``.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    Float,
    Integer,
    Numeric,
    Select,
    Uuid,
    any_,
    cast,
    func,
    literal,
    null,
    or_,
    select,
    union_all,
)
from sqlalchemy.orm import aliased

from agentdata.execution.links import among_keys, keys_table, owned
from models import Message, Session, ToolCall, UsageRecord
from models.enums import SessionStatus, ToolCallStatus
from resolvers.fields import argument
from resolvers.filtering import Term, condition
from resolvers.sessions import array_of, errors, within_trees
from schema.inputs.session import SessionFilter

SESSIONS = argument(
    "sessions",
    SessionFilter,
    "Which of the sessions to count; all by default. For a range of time, filter by when they began:"
    " `{startedAt: {gte: …, lt: …}}`.",
)

TREE = "line"
"""A session counts for itself and for each of its ancestors."""

MAX_TOOLS = 500
"""How many tools statistics name."""

MAX_MODELS = 500
"""How many models statistics name."""

_SHARES = {"p50": 0.5, "p95": 0.95, "p99": 0.99}

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


def totals(column: str, sessions: Term | None = None) -> Select[Any]:
    """Add up the sessions of each parent."""
    keys = keys_table()
    counted = _counted(column, sessions, *_SESSION)
    session = counted.c

    def count(*conditions: Any) -> Any:
        return func.count(session.id).filter(*conditions) if conditions else func.count(session.id)

    completed = count(session.status == SessionStatus.COMPLETED.value)
    failed = count(session.status == SessionStatus.FAILED.value)
    return (
        select(
            keys.c.key,
            count().label("session_count"),
            count(session.is_active).label("open_count"),
            completed.label("completed_count"),
            failed.label("failed_count"),
            count(session.status == SessionStatus.CANCELLED.value).label("cancelled_count"),
            _share(completed, failed).label("success_rate"),
            _total(session.message_count).label("message_count"),
            _total(session.interaction_count).label("interaction_count"),
            _total(session.prompt_tokens).label("prompt_tokens"),
            _total(session.completion_tokens).label("completion_tokens"),
            _total(session.cost_usd, Float).label("cost_usd"),
            cast(func.avg(session.quality_score), Float).label("mean_quality_score"),
            cast(func.avg(session.user_satisfaction), Float).label("mean_user_satisfaction"),
        )
        .select_from(keys.outerjoin(counted, counted.c.key == keys.c.key))
        .group_by(keys.c.key)
    )


def error_counts(column: str, sessions: Term | None = None) -> Select[Any]:
    """Count the errors in the sessions of each parent."""
    keys = keys_table()
    found = _keyed(errors().c, column, sessions).subquery()
    each = select(found.c.key, func.count().label("count")).group_by(found.c.key).subquery()
    count = cast(func.coalesce(each.c.count, 0), BigInteger)
    return select(keys.c.key, count.label("value")).select_from(
        keys.outerjoin(each, each.c.key == keys.c.key)
    )


def latencies(column: str, sessions: Term | None = None) -> Select[Any]:
    """Sum up how long the messages in the sessions of each parent took."""
    keys = keys_table()
    found = (
        _keyed(Message, column, sessions, Message.latency_ms)
        .where(Message.latency_ms.is_not(None))
        .subquery()
    )
    latency = found.c.latency_ms
    each = (
        select(
            found.c.key,
            func.count().label("count_"),
            cast(func.avg(latency), Float).label("mean_ms"),
            *[share.label(f"{name}_ms") for name, share in _shares(latency)],
        )
        .group_by(found.c.key)
        .subquery()
    )
    count = cast(func.coalesce(each.c.count_, 0), BigInteger)
    return select(
        keys.c.key, count.label("count_"), each.c.mean_ms, *[each.c[f"{name}_ms"] for name in _SHARES]
    ).select_from(keys.outerjoin(each, each.c.key == keys.c.key))


def tools(column: str, sessions: Term | None = None) -> Select[Any]:
    """Tell how tools were called in the sessions of each parent, the most called first."""
    call = (
        _keyed(ToolCall, column, sessions, ToolCall.name, ToolCall.status, ToolCall.duration_ms).subquery().c
    )

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
            _share(succeeded, failed).label("success_rate"),
            cast(func.avg(call.duration_ms), Float).label("mean_duration_ms"),
            *[share.label(f"{name}_duration_ms") for name, share in _shares(call.duration_ms)],
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
    tokens = (Message.prompt_tokens, Message.completion_tokens)
    said = select(
        Message.project_id,
        Message.session_id,
        Message.model,
        *tokens,
        cast(null(), Numeric).label("cost_usd"),
        literal(1, Integer).label("message"),
    ).where(owned(Message), or_(*[each.is_not(None) for each in (Message.model, *tokens)]))
    used = select(
        UsageRecord.project_id,
        UsageRecord.session_id,
        UsageRecord.model,
        UsageRecord.prompt_tokens,
        UsageRecord.completion_tokens,
        cast(UsageRecord.cost_usd, Numeric),
        literal(0, Integer),
    ).where(owned(UsageRecord))
    uses = union_all(said, used).subquery().c
    names = ("model", "prompt_tokens", "completion_tokens", "cost_usd", "message")
    use = _keyed(uses, column, sessions, *[uses[name] for name in names]).subquery().c
    each = (
        select(
            use.key,
            use.model.label("name"),
            func.count().filter(use.message == 1).label("message_count"),
            func.count().filter(use.message == 0).label("usage_count"),
            _total(use.prompt_tokens).label("prompt_tokens"),
            _total(use.completion_tokens).label("completion_tokens"),
            _total(use.cost_usd, Float).label("cost_usd"),
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


def _keyed(row: Any, column: str, sessions: Term | None, *values: Any) -> Select[Any]:
    """Give the rows of a table, or of several, that are of the sessions of each parent, as (key, …).

    They are joined with the sessions of all parents at once. A subquery for each parent may go through all
    rows of the project for each, where PostgreSQL knows little of a project yet.
    """
    if column == "project_id" and sessions is None:
        # All of the project counts, whatever session it is of.
        return select(row.project_id.label("key"), *values).where(owned(row), among_keys(row.project_id))
    counted = _counted(column, sessions)
    rows = select(counted.c.key, *values).where(owned(row), row.session_id == counted.c.id)
    if column == TREE:
        # PostgreSQL cannot know how many sessions these are, and would go through all rows of the project.
        return rows.where(row.session_id == any_(array_of(select(counted.c.id))))
    return rows


def _first(rows: Any, number: int, *order: Any) -> Select[Any]:
    """Give the first rows of each key."""
    place = func.row_number().over(partition_by=rows.c.key, order_by=order)
    *columns, nth = select(rows, place.label("place")).subquery().c
    return select(*columns).where(nth <= number).order_by(columns[0], nth)


def _total(of: Any, type_: Any = BigInteger) -> Any:
    return cast(func.coalesce(func.sum(of), 0), type_)


def _share(good: Any, bad: Any) -> Any:
    return cast(good, Float) / func.nullif(good + bad, 0)


def _shares(value: Any) -> Any:
    """Give the percentiles of what is not null; PostgreSQL sorts it once for all of them."""
    for name, part in _SHARES.items():
        yield name, cast(func.percentile_cont(part).within_group(value), Float)
