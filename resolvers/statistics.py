"""Statistics of the sessions of a project, or of each of many users, teams, agents, sessions or trees.

``column`` is the column of sessions with the key of the parent that they count for, or ``TREE``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    Float,
    Numeric,
    Select,
    Uuid,
    bindparam,
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

from agentdata.engine.costs import OWN_SCAN_POINTS
from agentdata.engine.fields import Cost, Gives, argument, batch
from agentdata.engine.sql.filters import Term, condition
from agentdata.engine.sql.links import among_keys, keys_table
from agentdata.engine.sql.tenancy import TENANT, owned
from models import Message, Session, ToolCall, UsageRecord
from models.enums import SessionStatus, ToolCallStatus
from models.session import COUNTED
from resolvers import folded
from resolvers.measures import Range, either, situation
from resolvers.sessions import within_trees
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

COST_OF_PART = Cost(scans=1)
"""Each part of statistics reads all rows of one kind that the sessions have."""

MAX_TOOLS = 500
"""The maximum number of tools in statistics."""

MAX_MODELS = 500
"""The maximum number of models in statistics."""

COST_OF_MANY = Cost(parent_points=10, scan_points=30)
"""Statistics of the sessions of an agent, a user or a team, of which there may be thousands."""

COSTS = {
    "project_id": Cost(parent_points=50, scan_points=150),
    TREE: Cost(parent_points=2, scan_points=2),
    "id": Cost(parent_points=OWN_SCAN_POINTS, scan_points=OWN_SCAN_POINTS),
}
"""By the column of the parent: statistics of all sessions, of a tree, and of one session."""


def field(description: str, *, by: str, inherits: bool = False) -> Any:
    """Declare statistics of the sessions whose column ``by`` has the row's id, or of its tree."""
    return batch(
        totals,
        description,
        Gives.OBJECT,
        arguments=[SESSIONS],
        situation=situation,
        inherits=inherits,
        cost=COSTS.get(by, COST_OF_MANY),
        column=by,
    )


def totals(column: str, sessions: Term | None = None, *, has_totals: bool = False) -> Select[Any]:
    """Select the totals of the sessions of each parent."""
    session = _sessions_by_parent(column, sessions, *COUNTED).c

    def count(status: SessionStatus) -> Any:
        return func.count().filter(session.status == status.value)

    completed, failed = count(SessionStatus.COMPLETED), count(SessionStatus.FAILED)
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
        total(session.error_count).label("error_count"),
        share(completed, failed).label("success_rate"),
        mean(session.quality_score).label("mean_quality_score"),
        mean(session.user_satisfaction).label("mean_user_satisfaction"),
    ).group_by(session.key)
    each = _or_folded(each, folded.totals, _range(column, sessions, has_totals=has_totals))
    return _with_all_keys(each, "success_rate", "mean_quality_score", "mean_user_satisfaction")


def latencies(column: str, sessions: Term | None = None, *, has_totals: bool = False) -> Select[Any]:
    """Select statistics of the latencies of the messages in the sessions of each parent."""
    message = _rows_by_parent(column, sessions)(Message, Message.latency_ms, by=Message.sequence).subquery().c
    aggregates = {
        "mean_ms": mean(message.latency_ms),
        **{f"{name}_ms": value for name, value in percentiles(message.latency_ms)},
    }
    each = select(
        message.key,
        func.count().label("count_"),
        *[value.label(name) for name, value in aggregates.items()],
    )
    # Not a condition of the lookup: the index of messages with a latency is not by session.
    each = each.where(message.latency_ms.is_not(None)).group_by(message.key)
    each = _or_folded(each, folded.latencies, _range(column, sessions, has_totals=has_totals))
    return _with_all_keys(each, *aggregates)


def tools(column: str, sessions: Term | None = None, *, has_totals: bool = False) -> Select[Any]:
    """Select the totals of the tools called in the sessions of each parent, the most called first."""
    columns = (ToolCall.name, ToolCall.status, ToolCall.duration_ms)
    call = _rows_by_parent(column, sessions)(ToolCall, *columns, by=ToolCall.call_id).subquery().c

    def count(status: ToolCallStatus) -> Any:
        return func.count().filter(call.status == status.value)

    succeeded, failed = count(ToolCallStatus.SUCCEEDED), count(ToolCallStatus.FAILED)
    by_tool = select(
        call.key,
        call.name,
        func.count().label("call_count"),
        count(ToolCallStatus.PENDING).label("pending_count"),
        succeeded.label("succeeded_count"),
        failed.label("failed_count"),
        share(succeeded, failed).label("success_rate"),
        mean(call.duration_ms).label("mean_duration_ms"),
        *[value.label(f"{name}_duration_ms") for name, value in percentiles(call.duration_ms)],
    ).group_by(call.key, call.name)
    tool = _or_folded(by_tool, folded.tools, _range(column, sessions, has_totals=has_totals)).subquery()
    return _first_per_key(tool, MAX_TOOLS, tool.c.call_count.desc(), tool.c.name)


def models(column: str, sessions: Term | None = None, *, has_totals: bool = False) -> Select[Any]:
    """Select the totals of the models used in the sessions of each parent, those with the most tokens first.

    They include messages and usage records. A message without a model counts if it has tokens, so that the
    tokens of all models add up to those of the sessions.
    """
    rows_by_parent = _rows_by_parent(column, sessions)
    tokens = (Message.prompt_tokens, Message.completion_tokens)
    has_use = or_(*[each.is_not(None) for each in (Message.model, *tokens)])
    message_columns = (
        Message.model,
        *tokens,
        cast(null(), Numeric).label("cost_usd"),
        true().label("is_message"),
    )
    usage_columns = (
        UsageRecord.model,
        UsageRecord.prompt_tokens,
        UsageRecord.completion_tokens,
        UsageRecord.cost_usd,
        false(),
    )
    use = (
        union_all(
            rows_by_parent(Message, *message_columns, by=Message.sequence, only=[has_use]),
            rows_by_parent(UsageRecord, *usage_columns),
        )
        .subquery()
        .c
    )
    each = select(
        use.key,
        use.model.label("name"),
        func.count().filter(use.is_message).label("message_count"),
        func.count().filter(~use.is_message).label("usage_count"),
        total(use.prompt_tokens).label("prompt_tokens"),
        total(use.completion_tokens).label("completion_tokens"),
        total(use.cost_usd, Float).label("cost_usd"),
    ).group_by(use.key, use.model)
    model = _or_folded(each, folded.models, _range(column, sessions, has_totals=has_totals)).subquery()
    used_most = (model.c.prompt_tokens + model.c.completion_tokens).desc()
    return _first_per_key(model, MAX_MODELS, used_most, model.c.name)


def _range(column: str, sessions: Term | None, *, has_totals: bool) -> Range | None:
    """Return the range of sessions to read from totals; None if the rows have to be read."""
    return Range.of(sessions) if has_totals and column == "project_id" else None


def _or_folded(rows: Select[Any], sums: Callable[[Range], Select[Any]], range_: Range | None) -> Select[Any]:
    """Select ``rows``, or the same from totals if there is a range, and many sessions in it."""
    if range_ is None:
        return rows
    key = bindparam(TENANT, type_=Uuid).label("key")
    return either(rows, select(key, *sums(range_).subquery().c), range_)


def _sessions_by_parent(column: str, sessions: Term | None, *columns: str) -> Any:
    """Select the sessions that count for each parent, as (key, id, …)."""
    if column == TREE:
        session = within_trees("id", *columns, sessions=sessions)
        lines = select(
            func.unnest(session.c.line, type_=Uuid).label("key"), *session.c["id", *columns]
        ).subquery()
        return select(lines).where(among_keys(lines.c.key)).cte()
    session = aliased(Session)
    key = getattr(session, column)
    conditions = [] if sessions is None else [condition(session, sessions)]
    return (
        select(key.label("key"), session.id, *[getattr(session, name) for name in columns])
        .where(owned(session), among_keys(key), *conditions)
        .subquery()
    )


def _rows_by_parent(column: str, sessions: Term | None) -> Callable[..., Select[Any]]:
    """Return a function that selects the rows of a table in the sessions of each parent, as (key, …).

    They are looked up session by session: ``by`` is an order that only an index by session has, ``only`` are
    conditions that only a small partial index has. PostgreSQL might find a better order for a join, but also
    the worst one if it has few statistics of a project: scanning all of its rows for each session.
    """
    if column == "project_id" and sessions is None:
        # All rows of the project count, whatever their session; no key belongs to another project.
        return lambda row, *columns, by=None, only=(): select(  # noqa: ARG005  # as below
            row.project_id.label("key"), *columns
        ).where(owned(row), *only)
    session = _sessions_by_parent(column, sessions)

    def select_of(row: Any, *columns: Any, by: Any = None, only: Sequence[Any] = ()) -> Select[Any]:
        of_session = select(*columns).where(owned(row), row.session_id == session.c.id, *only)
        # OFFSET 0 keeps PostgreSQL from turning the lateral subquery into a join.
        rows = of_session.order_by(by).offset(literal_column("0")).lateral()
        return select(session.c.key, *rows.c).select_from(session.join(rows, true()))

    return select_of


def _with_all_keys(grouped: Any, *unknown: str) -> Select[Any]:
    """Join the groups to all keys; a key without a group gets zeros, and nulls in the ``unknown`` columns."""
    keys = keys_table()
    groups = grouped.subquery()
    key, *columns = groups.c
    values = [each if each.key in unknown else func.coalesce(each, 0).label(each.key) for each in columns]
    # Every group belongs to one of the keys, so a full join equals a left join. PostgreSQL has no nested
    # loops for a full join; for a left join it would choose them if it expects few keys: slow with many.
    joined = keys.join(groups, key == keys.c.key, full=True)
    return select(keys.c.key, *values).select_from(joined)


def _first_per_key(rows: Any, limit: int, *order: Any) -> Select[Any]:
    """Select the first rows of each key."""
    position = func.row_number().over(partition_by=rows.c.key, order_by=order)
    *columns, nth = select(rows, position.label("position")).subquery().c
    return select(*columns).where(nth <= limit).order_by(columns[0], nth)
