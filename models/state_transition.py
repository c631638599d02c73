"""The table of transitions between module states."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, Owned, belongs_to_project, json_index, owned_by, present_index


class StateTransition(Owned, Base):
    """A transition from one state of a module to the next, with the differences. Rows never change.

    The write that adds a state adds the transition to it. ``session_id`` repeats that of the states, so that
    a session's transitions are found without them.
    """

    __tablename__ = "state_transitions"
    __table_args__ = (
        belongs_to_project(),
        owned_by("state_id", "module_states"),
        owned_by("next_state_id", "module_states"),
        owned_by("session_id", "sessions"),
        UniqueConstraint("project_id", "state_id"),
        UniqueConstraint("project_id", "next_state_id"),
        Index(None, "project_id", "created_at", "id"),
        Index(None, "project_id", "session_id", "created_at", "id"),
        Index(None, "project_id", "trigger_type", "created_at", "id"),
        present_index("trigger_id"),
        json_index("state_transitions", "new_values"),
    )

    state_id: Mapped[UUID]
    next_state_id: Mapped[UUID]
    session_id: Mapped[UUID | None]
    trigger_type: Mapped[str] = mapped_column(String(255, "C"))
    trigger_id: Mapped[str | None] = mapped_column(String(255, "C"))
    transition_data: Mapped[dict[str, Any]] = mapped_column(server_default="{}")
    previous_values: Mapped[dict[str, Any]] = mapped_column(server_default="{}")
    new_values: Mapped[dict[str, Any]] = mapped_column(server_default="{}")
