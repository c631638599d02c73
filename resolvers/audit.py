"""The audit trail of a session: all that happened in it, out of five tables, as one list."""

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
    """One thing that happened in a session: when, and its id once more in the column of its kind.

    ``id`` is the id of the subject, by which entries are ordered and filtered. ``entry_id`` is its own,
    because the caches of clients take two objects with one id for the same object.
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
    # Not when the tool began, which few say: a call stands beside the message that makes it.
    (AuditKind.TOOL_CALL, "tool_call_id", ToolCall, ToolCall.created_at),
    (AuditKind.USAGE, "usage_id", UsageRecord, UsageRecord.timestamp),
)
"""Each kind with the column for its id, its table, and when it happened, by which indexes serve sessions."""


def trail() -> CompoundSelect[Any]:
    """Give what happened in sessions, of each kind by itself."""
    kept = [name for _, name, _, _ in _SOURCES]
    return union_all(
        *[
            select(
                model.id.label("id"),
                _entry_id(model.id).label("entry_id"),
                model.session_id.label("session_id"),
                at.label("at"),
                literal_column(f"'{kind.value}'", String()).label("kind"),
                *[(model.id if name == own else cast(null(), Uuid)).label(name) for name in kept],
            ).where(owned(model))
            for kind, own, model, at in _SOURCES
        ]
    )


def _entry_id(id_: Any) -> Any:
    """Derive an entry's id from that of what happened: the same UUID in version 8, where all rows have 7."""
    place: tuple[Any, ...] = (literal_column("'8'"), literal_column("15"), literal_column("1"))
    return cast(func.overlay(cast(id_, Text), *place), Uuid)
