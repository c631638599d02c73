"""Write operations of the metrics of sessions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from agentdata.operations.metrics import record_all
from models import SessionMetric

if TYPE_CHECKING:
    from uuid import UUID

    from agentdata.operations.unit_of_work import UnitOfWork


async def record(write: UnitOfWork, metrics: list[dict[str, Any]]) -> list[SessionMetric]:
    """Record metrics of sessions in one statement."""
    return await record_all(write, SessionMetric, metrics)


async def delete(write: UnitOfWork, id_: UUID) -> list[UUID]:
    """Delete a metric."""
    return await write.delete(SessionMetric, id_)
