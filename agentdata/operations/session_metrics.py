"""Writes of the metrics of sessions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from agentdata.operations.metrics import record_all
from models import SessionMetric

if TYPE_CHECKING:
    from uuid import UUID

    from agentdata.operations.write import Write


async def record(write: Write, metrics: list[dict[str, Any]]) -> list[SessionMetric]:
    """Record metrics of sessions, in one statement."""
    return await record_all(write, SessionMetric, metrics)


async def delete(write: Write, id_: UUID) -> list[UUID]:
    """Delete a metric."""
    return await write.delete(SessionMetric, id_)
