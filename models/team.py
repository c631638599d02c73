"""The tables of teams and their members."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import Index, String, UniqueConstraint, func
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, Changing, ProjectId, belongs_to_project, owned_by


class Team(Changing, Base):
    """A named group of agents."""

    __tablename__ = "teams"
    __table_args__ = (
        belongs_to_project(),
        UniqueConstraint("project_id", "external_id"),
        UniqueConstraint("project_id", "name"),
        Index(None, "project_id", "created_at", "id"),
        Index(None, "project_id", "updated_at", "id"),
    )

    name: Mapped[str] = mapped_column(String(255, "C"))
    external_id: Mapped[str | None] = mapped_column(String(255, "C"))


class TeamMember(Base):
    """An agent's membership of a team."""

    __tablename__ = "team_members"
    __table_args__ = (
        owned_by("team_id", "teams"),
        owned_by("agent_id", "agents"),
        Index(None, "project_id", "agent_id"),
    )

    project_id: Mapped[ProjectId]
    team_id: Mapped[UUID] = mapped_column(primary_key=True)
    agent_id: Mapped[UUID] = mapped_column(primary_key=True)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
