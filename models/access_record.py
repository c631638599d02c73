"""The table of access records."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import Index, Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, Owned, one_of
from models.enums import AccessKind


class AccessRecord(Owned, Base):
    """One access by a request: a mutation that was done, or an operation that read.

    Requests can insert records, and neither change nor delete them. There are no foreign keys: each write
    would lock the row of its project, and a record outlives everything that it names.
    """

    __tablename__ = "access_records"
    __table_args__ = (one_of("kind", AccessKind), Index(None, "project_id", "created_at", "id"))

    kind: Mapped[str] = mapped_column(String(16))
    fields: Mapped[list[str]]
    operation_name: Mapped[str | None] = mapped_column(String(255, "C"))
    document_hash: Mapped[str | None] = mapped_column(String(64))
    object_ids: Mapped[list[str]]
    object_count: Mapped[int] = mapped_column(Integer)
    api_key_id: Mapped[UUID | None]
    user_id: Mapped[UUID | None]
    subject: Mapped[str | None] = mapped_column(String(255, "C"))
    address: Mapped[str | None] = mapped_column(String(255, "C"))
    request_id: Mapped[str | None] = mapped_column(String(255, "C"))
