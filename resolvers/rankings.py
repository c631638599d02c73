"""Rankings of users, agents, tools, models and memories, over the sessions or memories of a project.

The rows of a ranking are computed, but PostgreSQL skips the columns that are not selected. Pages are cut by
these numbers, so each number must not depend on the order in which rows are read: sums of fractions are
NUMERIC.
"""

from __future__ import annotations

from datetime import datetime  # SQLAlchemy reads the annotations
from typing import TYPE_CHECKING, Any
from uuid import UUID  # as above

from sqlalchemy import (
    BigInteger,
    Float,
    Numeric,
    Select,
    cast,
    func,
    literal_column,
    null,
    or_,
    select,
    true,
    union_all,
)
from sqlalchemy.orm import Mapped, aliased, mapped_column

from agentdata.engine.fields import ComputedRow, Cost, argument
from agentdata.engine.sql.filters import Term, condition
from agentdata.engine.sql.tenancy import owned
from models import Memory, Message, Session, ToolCall, UsageRecord
from models.enums import SessionStatus, ToolCallStatus
from resolvers import folded
from resolvers.measures import Range, either
from resolvers.sums import mean, percentiles, share, total
from schema.inputs.memory import MemoryFilter

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlalchemy import ColumnElement

MEMORIES = argument(
    "memories", MemoryFilter, "Which of the memories to rank; all by default.", filters=Memory
)


COST_OF_SESSIONS = Cost(points=30, scan_points=30)
"""A ranking reads all sessions of the project, and so does its total."""

COST_OF_CONTENTS = Cost(points=150, scan_points=150)
"""These rankings read all tool calls or messages of the project."""


class _SessionTotals(ComputedRow):
    """The totals of the sessions of a user or an agent."""

    __abstract__ = True

    id: Mapped[UUID] = mapped_column(primary_key=True)
    session_count: Mapped[int] = mapped_column(BigInteger)
    completed_count: Mapped[int] = mapped_column(BigInteger)
    failed_count: Mapped[int] = mapped_column(BigInteger)
    success_rate: Mapped[float | None] = mapped_column(Float)
    message_count: Mapped[int] = mapped_column(BigInteger)
    interaction_count: Mapped[int] = mapped_column(BigInteger)
    prompt_tokens: Mapped[int] = mapped_column(BigInteger)
    completion_tokens: Mapped[int] = mapped_column(BigInteger)
    total_tokens: Mapped[int] = mapped_column(BigInteger)
    cost_usd: Mapped[float] = mapped_column(Float)
    error_count: Mapped[int] = mapped_column(BigInteger)
    last_activity_at: Mapped[datetime]


class UserRank(_SessionTotals):
    """A user with the totals of their sessions."""

    __tablename__ = "user_ranks"


class AgentRank(_SessionTotals):
    """An agent with the totals of its sessions."""

    __tablename__ = "agent_ranks"


class ToolRank(ComputedRow):
    """A tool with the totals of its calls."""

    __tablename__ = "tool_ranks"

    id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    call_count: Mapped[int] = mapped_column(BigInteger)
    pending_count: Mapped[int] = mapped_column(BigInteger)
    succeeded_count: Mapped[int] = mapped_column(BigInteger)
    failed_count: Mapped[int] = mapped_column(BigInteger)
    success_rate: Mapped[float | None] = mapped_column(Float)
    mean_duration_ms: Mapped[float | None] = mapped_column(Float)
    p50_duration_ms: Mapped[float | None] = mapped_column(Float)
    p95_duration_ms: Mapped[float | None] = mapped_column(Float)
    p99_duration_ms: Mapped[float | None] = mapped_column(Float)


class ModelRank(ComputedRow):
    """A model with the totals of its use."""

    __tablename__ = "model_ranks"

    # One row may have the use without a model.
    id: Mapped[str | None] = mapped_column(primary_key=True, nullable=True)
    name: Mapped[str | None]
    message_count: Mapped[int] = mapped_column(BigInteger)
    usage_count: Mapped[int] = mapped_column(BigInteger)
    prompt_tokens: Mapped[int] = mapped_column(BigInteger)
    completion_tokens: Mapped[int] = mapped_column(BigInteger)
    total_tokens: Mapped[int] = mapped_column(BigInteger)
    cost_usd: Mapped[float] = mapped_column(Float)


class MemoryRank(ComputedRow):
    """A memory with the totals of its accesses."""

    __tablename__ = "memory_ranks"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    usefulness: Mapped[float | None] = mapped_column(Float)
    rated_count: Mapped[int] = mapped_column(BigInteger)
    access_count: Mapped[int] = mapped_column(BigInteger)
    last_accessed_at: Mapped[datetime | None]


def of_sessions(column: str, sessions: Term | None = None) -> Select[Any]:
    """Select the totals of the sessions, grouped by a column of sessions."""
    session = aliased(Session)
    key = getattr(session, column)
    completed = func.count().filter(session.status == SessionStatus.COMPLETED.value)
    failed = func.count().filter(session.status == SessionStatus.FAILED.value)
    return (
        select(
            key.label("id"),
            func.count().label("session_count"),
            completed.label("completed_count"),
            failed.label("failed_count"),
            share(completed, failed).label("success_rate"),
            total(session.message_count).label("message_count"),
            total(session.interaction_count).label("interaction_count"),
            total(session.prompt_tokens).label("prompt_tokens"),
            total(session.completion_tokens).label("completion_tokens"),
            total(session.prompt_tokens + session.completion_tokens).label("total_tokens"),
            total(session.cost_usd, Float).label("cost_usd"),
            total(session.error_count).label("error_count"),
            func.max(session.last_activity_at).label("last_activity_at"),
        )
        .where(key.is_not(None), *_conditions(session, sessions))
        .group_by(key)
    )


def tools(sessions: Term | None = None, *, has_totals: bool = False) -> Select[Any]:
    """Select the totals of the calls of each tool."""
    columns = (ToolCall.name, ToolCall.status, ToolCall.duration_ms)
    call = _rows_in_sessions(ToolCall, columns, sessions)

    def count(status: ToolCallStatus) -> Any:
        return func.count().filter(call.status == status.value)

    succeeded, failed = count(ToolCallStatus.SUCCEEDED), count(ToolCallStatus.FAILED)
    rows = select(
        call.name.label("id"),
        call.name.label("name"),
        func.count().label("call_count"),
        count(ToolCallStatus.PENDING).label("pending_count"),
        succeeded.label("succeeded_count"),
        failed.label("failed_count"),
        share(succeeded, failed).label("success_rate"),
        mean(call.duration_ms).label("mean_duration_ms"),
        *[value.label(f"{name}_duration_ms") for name, value in percentiles(call.duration_ms)],
    ).group_by(call.name)
    return _or_folded(rows, folded.tools, sessions) if has_totals else rows


def models(sessions: Term | None = None, *, has_totals: bool = False) -> Select[Any]:
    """Select the totals of the use of each model, from messages and usage records.

    A message without a model counts if it has tokens, so that the tokens of all models add up to those of all
    sessions.
    """
    message_columns = (Message.model, Message.prompt_tokens, Message.completion_tokens)
    message = _rows_in_sessions(
        Message, message_columns, sessions, or_(*[each.is_not(None) for each in message_columns])
    )
    usage_columns = (
        UsageRecord.model,
        UsageRecord.prompt_tokens,
        UsageRecord.completion_tokens,
        UsageRecord.cost_usd,
    )
    record = _rows_in_sessions(UsageRecord, usage_columns, sessions)
    zero = cast(0, BigInteger)
    # Each kind is aggregated by itself, which PostgreSQL may do in parallel, and then the few resulting rows.
    by_messages = select(
        message.model.label("model"),
        func.count().label("message_count"),
        zero.label("usage_count"),
        total(message.prompt_tokens).label("prompt_tokens"),
        total(message.completion_tokens).label("completion_tokens"),
        cast(null(), Numeric).label("cost_usd"),
    ).group_by(message.model)
    by_records = select(
        record.model,
        zero,
        func.count(),
        total(record.prompt_tokens),
        total(record.completion_tokens),
        cast(func.sum(record.cost_usd), Numeric),
    ).group_by(record.model)
    use = union_all(by_messages, by_records).subquery().c
    rows = select(
        use.model.label("id"),
        use.model.label("name"),
        total(use.message_count).label("message_count"),
        total(use.usage_count).label("usage_count"),
        total(use.prompt_tokens).label("prompt_tokens"),
        total(use.completion_tokens).label("completion_tokens"),
        total(use.prompt_tokens + use.completion_tokens).label("total_tokens"),
        total(use.cost_usd, Float).label("cost_usd"),
    ).group_by(use.model)
    return _or_folded(rows, folded.models, sessions) if has_totals else rows


def memories(memories: Term | None = None) -> Select[Any]:
    """Select the memories with the totals of their accesses."""
    memory: Any = aliased(Memory)
    return select(
        memory.id.label("id"),
        memory.usefulness.label("usefulness"),
        memory.rated_count.label("rated_count"),
        memory.access_count.label("access_count"),
        memory.last_accessed_at.label("last_accessed_at"),
    ).where(*_conditions(memory, memories))


def _or_folded(rows: Select[Any], sums: Callable[[Range], Select[Any]], sessions: Term | None) -> Select[Any]:
    """Select ``rows``, or the same from totals if there are totals of such sessions, and many of these."""
    range_ = Range.of(sessions)
    if range_ is None:
        return rows
    found = sums(range_).subquery().c
    named: dict[str, Any] = {"id": found.name} | dict(found.items())
    if "total_tokens" in rows.selected_columns:
        named["total_tokens"] = found.prompt_tokens + found.completion_tokens
    columns = [named[name].label(name) for name in rows.selected_columns.keys()]  # noqa: SIM118 - SQLAlchemy's collection
    return either(rows, select(*columns), range_)


def _rows_in_sessions(model: Any, columns: Sequence[Any], sessions: Term | None, *conditions: Any) -> Any:
    """Select the rows of a table that belong to the selected sessions.

    They are looked up session by session. If PostgreSQL has few statistics of a project and expects a row or
    two, it might scan all rows of the project for each session. So the condition is a range, in an order that
    only the indexes by session have.
    """
    rows = select(*columns).where(owned(model), *conditions)
    if sessions is None:
        return rows.subquery().c
    session = aliased(Session)
    of_session = rows.where(model.session_id.between(session.id, session.id)).order_by(model.session_id)
    # OFFSET 0 keeps PostgreSQL from turning the lateral subquery into a join.
    per_session = of_session.offset(literal_column("0")).lateral()
    return (
        select(per_session)
        .select_from(session)
        .join(per_session, true())
        .where(*_conditions(session, sessions))
        .subquery()
        .c
    )


def _conditions(target: Any, term: Term | None) -> list[ColumnElement[bool]]:
    return [owned(target), *([] if term is None else [condition(target, term)])]
