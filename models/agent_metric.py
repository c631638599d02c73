"""The table of agent metrics."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import ForeignKeyConstraint, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, in_range, owned_by, present_index
from models.metric import MAX_VALUE, Metric


class AgentMetric(Metric, Base):
    """A measurement of an agent, or of one of its versions."""

    __tablename__ = "agent_metrics"
    __table_args__ = (
        # The order of these keys is the lock order of an insert: version, then agent, as in their deletion.
        ForeignKeyConstraint(
            ["project_id", "agent_id", "version_id"],
            ["agent_versions.project_id", "agent_versions.agent_id", "agent_versions.id"],
            name="agent_metrics_version_id_fkey",
            ondelete="SET NULL (version_id)",
        ),
        owned_by("agent_id", "agents"),
        in_range("metric_value", -MAX_VALUE, MAX_VALUE),
        Index(None, "project_id", "timestamp", "id"),
        Index(None, "project_id", "metric_value", "id"),
        # Covers series over the project.
        Index(None, "project_id", "metric_type", "timestamp", "id", postgresql_include=["metric_value"]),
        Index(None, "project_id", "agent_id", "timestamp", "id"),
        # Covers series over one agent.
        Index(
            None, "project_id", "agent_id", "metric_type", "timestamp", postgresql_include=["metric_value"]
        ),
        present_index("version_id", "timestamp", "id"),
        present_index("timeframe", "timestamp", "id"),
    )

    agent_id: Mapped[UUID]
    version_id: Mapped[UUID | None]
    timeframe: Mapped[str | None] = mapped_column(String(255, "C"))
