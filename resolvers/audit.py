"""The audit trail of a session: the events of five tables as one list."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from sqlalchemy import ForeignKey, String, Text, Uuid, cast, func, literal_column, null, select, union_all
from sqlalchemy.orm import Mapped, mapped_column

from agentdata.engine.fields import ComputedRow
from agentdata.engine.sql.tenancy import owned
from models import Message, SessionEvent, StateTransition, ToolCall, UsageRecord
from models.enums import AuditKind

if TYPE_CHECKING:
    from sqlalchemy import CompoundSelect


class AuditEntry(ComputedRow):
    """One event in a session: its time, and the id of its subject, also in the column of its kind.

    ``id`` is the id of the subject; it orders and filters entries. ``entry_id`` differs from it, because the
    caches of clients treat two objects with the same id as one object.
    """

    __tablename__ = "audit_entries"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    entry_id: Mapped[UUID]
    session_id: Mapped[UUID]
    at: Mapped[datetime]
    kind: Mapped[str] = mapped_column(String(16))
    message_id: Mapped[UUID | None] = mapped_column(ForeignKey(Message.__table__.c.id))
    event_id: Mapped[UUID | None] = mapped_column(ForeignKey(SessionEvent.__table__.c.id))
    state_transition_id: Mapped[UUID | None] = mapped_column(ForeignKey(StateTransition.__table__.c.id))
    tool_call_id: Mapped[UUID | None] = mapped_column(ForeignKey(ToolCall.__table__.c.id))
    usage_id: Mapped[UUID | None] = mapped_column(ForeignKey(UsageRecord.__table__.c.id))


_SOURCES: tuple[tuple[AuditKind, str, Any, Any], ...] = (
    (AuditKind.MESSAGE, "message_id", Message, Message.created_at),
    (AuditKind.EVENT, "event_id", SessionEvent, SessionEvent.timestamp),
    (AuditKind.STATE_TRANSITION, "state_transition_id", StateTransition, StateTransition.created_at),
    # Not the start of the tool, which is often unknown: a call belongs beside the message that makes it.
    (AuditKind.TOOL_CALL, "tool_call_id", ToolCall, ToolCall.created_at),
    (AuditKind.USAGE, "usage_id", UsageRecord, UsageRecord.timestamp),
)
"""Each kind with the column for its id, its table, and its time, which the indexes by session include."""


def trail() -> CompoundSelect[Any]:
    """Select the entries of all sessions, with one SELECT for each kind."""
    subject_columns = [column for _, column, _, _ in _SOURCES]
    return union_all(
        *[
            select(
                model.id.label("id"),
                _entry_id(model.id).label("entry_id"),
                model.session_id.label("session_id"),
                at.label("at"),
                literal_column(f"'{kind.value}'", String()).label("kind"),
                *[
                    (model.id if column == subject_column else cast(null(), Uuid)).label(column)
                    for column in subject_columns
                ],
            ).where(owned(model))
            for kind, subject_column, model, at in _SOURCES
        ]
    )


def _entry_id(id_: Any) -> Any:
    """Derive an entry's id from its subject's: the same UUID with version 8, while the ids of rows have 7."""
    digit: tuple[Any, ...] = (literal_column("'8'"), literal_column("15"), literal_column("1"))
    return cast(func.overlay(cast(id_, Text), *digit), Uuid)
