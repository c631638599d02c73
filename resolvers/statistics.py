"""What sessions add up to: of a project, or of each of many users, teams, agents or sessions.

``column`` is the column of a session that holds the key of the parent that it counts for.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, Float, Select, cast, func, select, true
from sqlalchemy.orm import aliased

from agentdata.execution.links import among_keys, keys_table, owned
from models import Session, ToolCall
from models.enums import SessionStatus, ToolCallStatus
from resolvers.fields import argument
from resolvers.filtering import Term, condition
from schema.inputs.session import SessionFilter

SESSIONS = argument("sessions", SessionFilter, "Which of the sessions to count; all by default.")

MAX_TOOLS = 500
"""How many tools statistics name."""


def totals(column: str, sessions: Term | None = None) -> Select[Any]:
    """Add up the sessions of each parent."""
    keys = keys_table()
    session = aliased(Session)

    def count(status: SessionStatus) -> Any:
        return func.count().filter(session.status == status.value)

    def total(of: Any, type_: Any = BigInteger) -> Any:
        return cast(func.coalesce(func.sum(of), 0), type_)

    completed, failed = count(SessionStatus.COMPLETED), count(SessionStatus.FAILED)
    each = (
        select(
            func.count().label("session_count"),
            func.count().filter(session.is_active).label("open_count"),
            completed.label("completed_count"),
            failed.label("failed_count"),
            count(SessionStatus.CANCELLED).label("cancelled_count"),
            _share(completed, failed).label("success_rate"),
            total(session.message_count).label("message_count"),
            total(session.interaction_count).label("interaction_count"),
            total(session.prompt_tokens).label("prompt_tokens"),
            total(session.completion_tokens).label("completion_tokens"),
            total(session.cost_usd, Float).label("cost_usd"),
            cast(func.avg(session.quality_score), Float).label("mean_quality_score"),
            cast(func.avg(session.user_satisfaction), Float).label("mean_user_satisfaction"),
        )
        .where(
            owned(session),
            getattr(session, column) == keys.c.key,
            *([] if sessions is None else [condition(session, sessions)]),
        )
        .lateral()
    )
    return select(keys.c.key, *each.c).select_from(keys.join(each, true()))


def tools(column: str, sessions: Term | None = None) -> Select[Any]:
    """Tell how tools were called in the sessions of each parent, the most called first.

    The calls of all parents are joined with their sessions at once. A subquery for each parent may go through
    all calls of the project for each, where PostgreSQL knows little of a project yet.
    """
    session = aliased(Session)
    key = getattr(session, column)

    def count(status: ToolCallStatus) -> Any:
        return func.count().filter(ToolCall.status == status.value)

    succeeded, failed = count(ToolCallStatus.SUCCEEDED), count(ToolCallStatus.FAILED)
    place = func.row_number().over(partition_by=key, order_by=(func.count().desc(), ToolCall.name))
    called = (
        select(
            key.label("key"),
            ToolCall.name.label("name"),
            func.count().label("call_count"),
            count(ToolCallStatus.PENDING).label("pending_count"),
            succeeded.label("succeeded_count"),
            failed.label("failed_count"),
            _share(succeeded, failed).label("success_rate"),
            cast(func.avg(ToolCall.duration_ms), Float).label("mean_duration_ms"),
            place.label("place"),
        )
        .join(session, ToolCall.session_id == session.id)
        .where(
            owned(ToolCall),
            owned(session),
            among_keys(key),
            *([] if sessions is None else [condition(session, sessions)]),
        )
        .group_by(key, ToolCall.name)
        .subquery()
    )
    *columns, nth = called.c
    return select(*columns).where(nth <= MAX_TOOLS).order_by(called.c.key, nth)


def _share(good: Any, bad: Any) -> Any:
    return cast(good, Float) / func.nullif(good + bad, 0)
