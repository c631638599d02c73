"""Write operations of the metrics of agents."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from agentdata.operations.metrics import record_all
from models import AgentMetric

if TYPE_CHECKING:
    from uuid import UUID

    from agentdata.operations.unit_of_work import UnitOfWork


async def record(write: UnitOfWork, metrics: list[dict[str, Any]]) -> list[AgentMetric]:
    """Record metrics of agents in one statement."""
    return await record_all(write, AgentMetric, metrics)


async def delete(write: UnitOfWork, id_: UUID) -> list[UUID]:
    """Delete a metric."""
    return await write.delete(AgentMetric, id_)
