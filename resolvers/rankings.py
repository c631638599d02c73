"""Rankings: what is done most, or best, over all sessions or all memories of a project.

A row of a ranking is computed, and what is not selected of it is not: PostgreSQL leaves out the columns that
nobody asks for. Rows are paged by these numbers, so each must be the same whenever it is computed
of the same rows, in whatever order these are read: what adds up numbers that have a fraction is NUMERIC.
"""

from __future__ import annotations

import operator
from datetime import datetime  # SQLAlchemy reads the annotations
from functools import reduce
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

from agentdata.engine.fields import ComputedRow, argument
from agentdata.engine.sql.filters import Term, condition
from agentdata.engine.sql.tenancy import owned
from models import Memory, MemoryAccess, Message, Session, ToolCall, UsageRecord
from models.enums import SessionStatus, ToolCallStatus
from resolvers.sessions import ERRORS
from resolvers.sums import mean, percentiles, share, total
from schema.inputs.memory import MemoryFilter

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import ColumnElement

MEMORIES = argument(
    "memories", MemoryFilter, "Which of the memories to rank; all by default.", filters=Memory
)


class _OfSessions(ComputedRow):
    """What the sessions of someone add up to."""

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


class UserRank(_OfSessions):
    """A user with what the sessions with them add up to."""

    __tablename__ = "user_ranks"


class AgentRank(_OfSessions):
    """An agent with what its sessions add up to."""

    __tablename__ = "agent_ranks"


class ToolRank(ComputedRow):
    """A tool with how it was called."""

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
    """A model with what it was used for."""

    __tablename__ = "model_ranks"

    # One row may be of what was used without saying of which model.
    id: Mapped[str | None] = mapped_column(primary_key=True, nullable=True)
    name: Mapped[str | None]
    message_count: Mapped[int] = mapped_column(BigInteger)
    usage_count: Mapped[int] = mapped_column(BigInteger)
    prompt_tokens: Mapped[int] = mapped_column(BigInteger)
    completion_tokens: Mapped[int] = mapped_column(BigInteger)
    total_tokens: Mapped[int] = mapped_column(BigInteger)
    cost_usd: Mapped[float] = mapped_column(Float)


class MemoryRank(ComputedRow):
    """A memory with how it was used."""

    __tablename__ = "memory_ranks"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    usefulness: Mapped[float | None] = mapped_column(Float)
    rated_count: Mapped[int] = mapped_column(BigInteger)
    access_count: Mapped[int] = mapped_column(BigInteger)
    last_accessed_at: Mapped[datetime | None]


def of_sessions(column: str, sessions: Term | None = None) -> Select[Any]:
    """Add up the sessions of everyone whose key stands in a column of sessions."""
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
            total(_errors(session)).label("error_count"),
            func.max(session.last_activity_at).label("last_activity_at"),
        )
        .where(key.is_not(None), *_held(session, sessions))
        .group_by(key)
    )


def _errors(session: Any) -> Any:
    """Count the errors of a session."""
    each = [
        select(func.count()).where(owned(row), row.session_id == session.id, is_error).scalar_subquery()
        for row, is_error in ERRORS
    ]
    return reduce(operator.add, each)


def tools(sessions: Term | None = None) -> Select[Any]:
    """Tell how each tool was called."""
    columns = (ToolCall.name, ToolCall.status, ToolCall.duration_ms)
    call = _rows(ToolCall, columns, sessions)

    def count(status: ToolCallStatus) -> Any:
        return func.count().filter(call.status == status.value)

    succeeded, failed = count(ToolCallStatus.SUCCEEDED), count(ToolCallStatus.FAILED)
    return select(
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


def models(sessions: Term | None = None) -> Select[Any]:
    """Tell what each model was used for, by messages and by usage records.

    A message without a model counts where it has tokens, so that the tokens of all models are those of all
    sessions.
    """
    said = (Message.model, Message.prompt_tokens, Message.completion_tokens)
    message = _rows(Message, said, sessions, or_(*[each.is_not(None) for each in said]))
    used = (
        UsageRecord.model,
        UsageRecord.prompt_tokens,
        UsageRecord.completion_tokens,
        UsageRecord.cost_usd,
    )
    record = _rows(UsageRecord, used, sessions)
    none = cast(0, BigInteger)
    # Each kind is added up by itself, which may be done in parallel, and then the little that came out.
    by_messages = select(
        message.model.label("model"),
        func.count().label("message_count"),
        none.label("usage_count"),
        total(message.prompt_tokens).label("prompt_tokens"),
        total(message.completion_tokens).label("completion_tokens"),
        cast(null(), Numeric).label("cost_usd"),
    ).group_by(message.model)
    by_records = select(
        record.model,
        none,
        func.count(),
        total(record.prompt_tokens),
        total(record.completion_tokens),
        cast(func.sum(record.cost_usd), Numeric),
    ).group_by(record.model)
    use = union_all(by_messages, by_records).subquery().c
    return select(
        use.model.label("id"),
        use.model.label("name"),
        total(use.message_count).label("message_count"),
        total(use.usage_count).label("usage_count"),
        total(use.prompt_tokens).label("prompt_tokens"),
        total(use.completion_tokens).label("completion_tokens"),
        total(use.prompt_tokens + use.completion_tokens).label("total_tokens"),
        total(use.cost_usd, Float).label("cost_usd"),
    ).group_by(use.model)


def memories(memories: Term | None = None) -> Select[Any]:
    """Tell how each memory was used."""
    memory = aliased(Memory)

    def of_accesses(number: Any) -> Any:
        accesses = select(number).where(owned(MemoryAccess), MemoryAccess.memory_id == memory.id)
        return accesses.scalar_subquery()

    return select(
        memory.id.label("id"),
        of_accesses(mean(MemoryAccess.usefulness)).label("usefulness"),
        of_accesses(func.count(MemoryAccess.usefulness)).label("rated_count"),
        memory.access_count.label("access_count"),
        memory.last_accessed_at.label("last_accessed_at"),
    ).where(*_held(memory, memories))


def _rows(model: Any, columns: Sequence[Any], sessions: Term | None, *only: Any) -> Any:
    """Give the rows of a table that are of the sessions that are asked for.

    They are looked up session by session. Where PostgreSQL knows little of a project yet, and expects a row
    or two, it might as well go through all rows of the project for each session: so they are asked for as a
    range, in an order that only indexes of a session's rows have.
    """
    rows = select(*columns).where(owned(model), *only)
    if sessions is None:
        return rows.subquery().c
    session = aliased(Session)
    of_session = rows.where(model.session_id.between(session.id, session.id)).order_by(model.session_id)
    # An offset keeps PostgreSQL from making a join of it.
    its = of_session.offset(literal_column("0")).lateral()
    return select(its).select_from(session).join(its, true()).where(*_held(session, sessions)).subquery().c


def _held(target: Any, term: Term | None) -> list[ColumnElement[bool]]:
    return [owned(target), *([] if term is None else [condition(target, term)])]
