"""The table of idempotency keys."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import String, func
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, ProjectId, belongs_to_project


class IdempotencyKey(Base):
    """A write with a client's idempotency key: a hash of its input, and the ids of the rows in its result."""

    __tablename__ = "idempotency_keys"
    __table_args__ = (belongs_to_project(),)

    project_id: Mapped[ProjectId]
    key: Mapped[str] = mapped_column(String(255), primary_key=True)
    input_hash: Mapped[bytes]
    result_table: Mapped[str] = mapped_column(String(63))
    result_ids: Mapped[list[UUID]]
    result_is_list: Mapped[bool]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
