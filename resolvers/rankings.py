"""Rankings: what is done most, or best, over all sessions or all memories of a project.

A row of a ranking is computed, and what is not selected of it is not: PostgreSQL leaves out the columns and
joins that nobody asks for. Rows are paged by these numbers, so each must be the same whenever it is computed
of the same rows, in whatever order these are read: what adds up numbers that have a fraction is NUMERIC.
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
    Text,
    cast,
    func,
    literal_column,
    null,
    or_,
    select,
    union_all,
)
from sqlalchemy.orm import Mapped, aliased, mapped_column

from agentdata.execution.links import owned
from models import Memory, MemoryAccess, Message, Session, SessionEvent, ToolCall, UsageRecord
from models.enums import SessionStatus, ToolCallStatus
from resolvers.computations import Derived
from resolvers.fields import argument
from resolvers.filtering import Term, condition
from resolvers.memories import mean_usefulness
from schema.inputs.memory import MemoryFilter

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement

MEMORIES = argument("memories", MemoryFilter, "Which of the memories to rank; all by default.")


class _OfSessions(Derived):
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


class ToolRank(Derived):
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


class ModelRank(Derived):
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


class MemoryRank(Derived):
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
    counted = [key.is_not(None), *_held(session, sessions)]
    completed = func.count().filter(session.status == SessionStatus.COMPLETED.value)
    failed = func.count().filter(session.status == SessionStatus.FAILED.value)
    total = (
        select(
            key.label("id"),
            func.count().label("session_count"),
            completed.label("completed_count"),
            failed.label("failed_count"),
            _share(completed, failed).label("success_rate"),
            _sum(session.message_count).label("message_count"),
            _sum(session.interaction_count).label("interaction_count"),
            _sum(session.prompt_tokens).label("prompt_tokens"),
            _sum(session.completion_tokens).label("completion_tokens"),
            _sum(session.prompt_tokens + session.completion_tokens).label("total_tokens"),
            _sum(session.cost_usd, Float).label("cost_usd"),
            func.max(session.last_activity_at).label("last_activity_at"),
        )
        .where(*counted)
        .group_by(key)
        .subquery()
    )
    error = _errors()
    # The key is unique in what is joined, so without its column there is no join.
    errors = (
        select(key.label("id"), func.count().label("number"))
        .join_from(error, session, error.c.session_id == session.id)
        .where(*counted)
        .group_by(key)
        .subquery()
    )
    return select(*total.c, func.coalesce(errors.c.number, 0).label("error_count")).select_from(
        total.outerjoin(errors, errors.c.id == total.c.id)
    )


def _errors() -> Any:
    """Give the session of each error: each tool call that failed, and each event of the type `error`."""
    called = select(ToolCall.session_id).where(owned(ToolCall), ToolCall.error.is_not(None))
    happened = select(SessionEvent.session_id).where(
        owned(SessionEvent), SessionEvent.event_type == literal_column("'error'", Text)
    )
    return union_all(called, happened).subquery()


def tools(sessions: Term | None = None) -> Select[Any]:
    """Tell how each tool was called."""

    def count(status: ToolCallStatus) -> Any:
        return func.count().filter(ToolCall.status == status.value)

    def share(part: float) -> Any:
        return func.percentile_cont(literal_column(str(part), Float)).within_group(ToolCall.duration_ms)

    succeeded, failed = count(ToolCallStatus.SUCCEEDED), count(ToolCallStatus.FAILED)
    called = select(
        ToolCall.name.label("id"),
        ToolCall.name.label("name"),
        func.count().label("call_count"),
        count(ToolCallStatus.PENDING).label("pending_count"),
        succeeded.label("succeeded_count"),
        failed.label("failed_count"),
        _share(succeeded, failed).label("success_rate"),
        cast(func.avg(cast(ToolCall.duration_ms, Numeric)), Float).label("mean_duration_ms"),
        share(0.5).label("p50_duration_ms"),
        share(0.95).label("p95_duration_ms"),
        share(0.99).label("p99_duration_ms"),
    ).where(owned(ToolCall))
    return _within(called, ToolCall, sessions).group_by(ToolCall.name)


def models(sessions: Term | None = None) -> Select[Any]:
    """Tell what each model was used for, by messages and by usage records.

    A message without a model counts where it has tokens, so that the tokens of all models are those of all
    sessions.
    """
    tokens = (Message.prompt_tokens, Message.completion_tokens)
    said = (
        _within(
            select(
                Message.model.label("model"),
                func.count().label("message_count"),
                cast(0, BigInteger).label("usage_count"),
                *[_sum(each).label(each.key) for each in tokens],
                cast(null(), Numeric).label("cost_usd"),
            ),
            Message,
            sessions,
        )
        .where(owned(Message), or_(*[each.is_not(None) for each in (Message.model, *tokens)]))
        .group_by(Message.model)
    )
    used = (
        _within(
            select(
                UsageRecord.model,
                cast(0, BigInteger),
                func.count(),
                _sum(UsageRecord.prompt_tokens),
                _sum(UsageRecord.completion_tokens),
                cast(func.sum(UsageRecord.cost_usd), Numeric),
            ),
            UsageRecord,
            sessions,
        )
        .where(owned(UsageRecord))
        .group_by(UsageRecord.model)
    )
    use = union_all(said, used).subquery().c
    return select(
        use.model.label("id"),
        use.model.label("name"),
        _sum(use.message_count).label("message_count"),
        _sum(use.usage_count).label("usage_count"),
        _sum(use.prompt_tokens).label("prompt_tokens"),
        _sum(use.completion_tokens).label("completion_tokens"),
        _sum(use.prompt_tokens + use.completion_tokens).label("total_tokens"),
        _sum(use.cost_usd, Float).label("cost_usd"),
    ).group_by(use.model)


def memories(memories: Term | None = None) -> Select[Any]:
    """Tell how each memory was used."""
    memory, ranked = aliased(Memory), aliased(Memory)
    rated = select(
        MemoryAccess.memory_id.label("id"),
        func.count().label("rated_count"),
        mean_usefulness().label("usefulness"),
    ).where(owned(MemoryAccess), MemoryAccess.usefulness.is_not(None))
    if memories is not None:
        # The accesses to other memories need not be read.
        rated = rated.join(ranked, ranked.id == MemoryAccess.memory_id).where(*_held(ranked, memories))
    ratings = rated.group_by(MemoryAccess.memory_id).subquery()
    return (
        select(
            memory.id.label("id"),
            ratings.c.usefulness,
            func.coalesce(ratings.c.rated_count, 0).label("rated_count"),
            memory.access_count.label("access_count"),
            memory.last_accessed_at.label("last_accessed_at"),
        )
        .outerjoin(ratings, ratings.c.id == memory.id)
        .where(*_held(memory, memories))
    )


def _held(target: Any, term: Term | None) -> list[ColumnElement[bool]]:
    return [owned(target), *([] if term is None else [condition(target, term)])]


def _within(statement: Select[Any], model: Any, sessions: Term | None) -> Select[Any]:
    """Restrict what belongs to sessions to some of these."""
    if sessions is None:
        return statement
    session = aliased(Session)
    return statement.join_from(model, session, model.session_id == session.id).where(
        *_held(session, sessions)
    )


def _sum(of: Any, type_: Any = BigInteger) -> Any:
    return cast(func.coalesce(func.sum(of), 0), type_)


def _share(good: Any, bad: Any) -> Any:
    return cast(good, Float) / func.nullif(good + bad, 0)
