"""The table of usage records."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import Index, Integer, Numeric, String
from sqlalchemy.orm import Mapped, mapped_column

from models.base import MAX_COST_USD, Base, Owned, in_range, order_index, owned_by, present_index, refers_to


class UsageRecord(Owned, Base):
    """One use of a model in a session. The operation that records it adds it to the session's totals."""

    __tablename__ = "usage_records"
    __table_args__ = (
        owned_by("session_id", "sessions"),
        refers_to("agent_id", "agents"),
        in_range("prompt_tokens", 0),
        in_range("completion_tokens", 0),
        in_range("cached_tokens", 0),
        in_range("cost_usd", 0, MAX_COST_USD),
        Index(None, "project_id", "timestamp", "id"),
        Index(None, "project_id", "session_id", "timestamp", "id"),
        # Covers rankings.
        Index(
            None,
            "project_id",
            "model",
            "timestamp",
            "id",
            postgresql_include=["session_id", "prompt_tokens", "completion_tokens", "cost_usd"],
        ),
        present_index("agent_id", "timestamp", "id"),
        present_index("run_id"),
        order_index("usage_records", "cost_usd"),
    )

    session_id: Mapped[UUID]
    agent_id: Mapped[UUID | None]
    run_id: Mapped[str | None] = mapped_column(String(255, "C"))
    model: Mapped[str] = mapped_column(String(255, "C"))
    prompt_tokens: Mapped[int] = mapped_column(Integer, server_default="0")
    completion_tokens: Mapped[int] = mapped_column(Integer, server_default="0")
    cached_tokens: Mapped[int | None]
    cost_usd: Mapped[Decimal | None] = mapped_column(Numeric)
    timestamp: Mapped[datetime]
