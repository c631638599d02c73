"""The table of jobs."""

from __future__ import annotations

import operator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Index,
    Integer,
    String,
    Text,
    and_,
    any_,
    case,
    cast,
    func,
    literal_column,
    text,
)
from sqlalchemy.dialects import postgresql
from sqlalchemy.dialects.postgresql import array
from sqlalchemy.ext.hybrid import Comparator, hybrid_property
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.sql.elements import CollectionAggregate

from models.base import VERBATIM, Base, Changing, in_range, one_of, owned_by, present_index, refers_to
from models.enums import JobBackoff, JobState

MAX_ATTEMPTS = 1_000
"""How many attempts a job may have at most."""

MAX_BACKOFF_MS = 86_400_000
"""The longest pause before a further attempt: a day."""


class Job(Changing, Base):
    """A piece of work that waits in a queue until a worker claims it.

    ``stored_state`` changes only when something is written, but time passes between writes: a DELAYED job
    comes due, and an ACTIVE one loses its lease. ``state`` is the state at the time of asking, and the only
    one that clients see. Claims bring the stored state up to date.
    """

    __tablename__ = "jobs"
    __table_args__ = (
        owned_by("queue_id", "queues"),
        refers_to("schedule_id", "schedules"),
        one_of("state", JobState),
        one_of("backoff", JobBackoff),
        in_range("attempts", 0),
        in_range("max_attempts", 1, MAX_ATTEMPTS),
        in_range("backoff_ms", 0, MAX_BACKOFF_MS),
        in_range("progress", 0, 1),
        # Each change of a state writes all indexes, so those that few rows need are partial.
        Index(
            "jobs_project_id_external_id_key",
            "project_id",
            "external_id",
            unique=True,
            postgresql_where=text("external_id IS NOT NULL"),
        ),
        # Claims read this one from its beginning, and it holds no other rows.
        Index(
            "jobs_claim_idx",
            "project_id",
            "queue_id",
            text("priority DESC"),
            "run_at",
            "id",
            postgresql_where=text("state = 'WAITING'"),
        ),
        Index(
            "jobs_lease_idx",
            "project_id",
            "queue_id",
            "lease_expires_at",
            postgresql_where=text("state = 'ACTIVE'"),
        ),
        # Counts by state, delayed jobs by the time when they come due, and the job that waits longest.
        Index(None, "project_id", "queue_id", "state", "run_at"),
        Index(None, "project_id", "state", "created_at", "id"),
        Index(None, "project_id", "name", "created_at", "id"),
        Index(None, "project_id", "created_at", "id"),
        Index(None, "project_id", "updated_at", "id"),
        Index(None, "project_id", "run_at", "id"),
        present_index("schedule_id", "created_at", "id"),
        Index(None, "project_id", "worker", "created_at", "id"),
    )

    queue_id: Mapped[UUID]
    schedule_id: Mapped[UUID | None]
    external_id: Mapped[str | None] = mapped_column(String(255, "C"))
    name: Mapped[str | None] = mapped_column(String(255, "C"))
    stored_state: Mapped[str] = mapped_column("state", String(16), server_default=JobState.WAITING)
    data: Mapped[dict[str, Any]] = mapped_column(VERBATIM, info={"json": "{}"})
    result: Mapped[Any | None] = mapped_column(VERBATIM)
    error: Mapped[str | None]
    attempts: Mapped[int] = mapped_column(Integer, server_default="0")
    max_attempts: Mapped[int] = mapped_column(Integer, server_default="5")
    priority: Mapped[int] = mapped_column(Integer, server_default="0")
    run_at: Mapped[datetime] = mapped_column(server_default=func.now())
    backoff: Mapped[str] = mapped_column(String(16), server_default=JobBackoff.EXPONENTIAL)
    backoff_ms: Mapped[int] = mapped_column(Integer, server_default="1000")
    progress: Mapped[float | None]
    worker: Mapped[str | None] = mapped_column(String(255, "C"))
    lease: Mapped[UUID | None]
    lease_expires_at: Mapped[datetime | None]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]

    @hybrid_property
    def state(self) -> str:
        """Return the state at the time of asking."""
        now = datetime.now(UTC)
        if self.stored_state == JobState.DELAYED and self.run_at <= now:
            return JobState.WAITING
        if self.stored_state == JobState.ACTIVE and (self.lease_expires_at or now) <= now:
            return JobState.WAITING if self.attempts < self.max_attempts else JobState.FAILED
        return self.stored_state

    @state.inplace.comparator
    @classmethod
    def _state_in_sql(cls) -> StateComparator:
        return StateComparator(cls)


class StateComparator(Comparator[str]):
    """The state of jobs in SQL.

    A comparison names the stored states, too, that a job in the state may have: an index finds those.
    """

    type = String(16)

    def __init__(self, job: Any) -> None:
        super().__init__(state_of(job))
        self._stored = job.stored_state

    def operate(self, op: Any, *other: Any, **options: Any) -> ColumnElement[Any]:
        """Compare the state with a value, or with any of an array of values."""
        compared: ColumnElement[Any] = op(self.__clause_element__(), *other, **options)
        if op is not operator.eq:
            return compared
        [value] = other
        states = value.element if isinstance(value, CollectionAggregate) else array([value])
        return and_(self._stored == any_(_stored_states(states)), compared)


def is_in(job: Any, state: JobState) -> ColumnElement[bool]:
    """Return the condition that a state is stored; ``job`` is the model or an alias of it."""
    # As a part of the text, so that PostgreSQL sees which partial index holds the rows.
    return job.stored_state == literal_column(f"'{state.value}'")  # type: ignore[no-any-return]  # a comparison


def came_due(job: Any) -> ColumnElement[bool]:
    """Return the condition that a job is stored as delayed and has come due."""
    return and_(is_in(job, JobState.DELAYED), job.run_at <= func.now())


def ran_out(job: Any) -> ColumnElement[bool]:
    """Return the condition that a job is stored as active and its lease has run out."""
    return and_(is_in(job, JobState.ACTIVE), job.lease_expires_at <= func.now())


def has_attempts(job: Any) -> ColumnElement[bool]:
    """Return the condition that a job has attempts left."""
    return job.attempts < job.max_attempts  # type: ignore[no-any-return]  # a comparison


def state_of(job: Any) -> ColumnElement[str]:
    """Return the state of a job at the time of asking; ``job`` is the model or an alias of it."""
    return case(
        (came_due(job), literal_column("'WAITING'", Text)),
        (and_(ran_out(job), has_attempts(job)), literal_column("'WAITING'", Text)),
        (ran_out(job), literal_column("'FAILED'", Text)),
        else_=cast(job.stored_state, Text),
    )


def state_in_sql() -> str:
    """Return the SQL of the state of a job at the time of asking, out of the columns of `jobs`."""
    return str(state_of(Job).compile(dialect=postgresql.dialect()))  # type: ignore[no-untyped-call]  # SQLAlchemy's


def _stored_states(states: Any) -> Any:
    """Return the stored states that a job in one of ``states`` may have; it depends on no column."""
    texts = ARRAY(Text)
    others = case(
        (literal_column("'WAITING'") == any_(states), literal_column("ARRAY['DELAYED', 'ACTIVE']", texts)),
        (literal_column("'FAILED'") == any_(states), literal_column("ARRAY['ACTIVE']", texts)),
        else_=literal_column("ARRAY[]::text[]", texts),
    )
    return func.array_cat(states, others, type_=texts)
