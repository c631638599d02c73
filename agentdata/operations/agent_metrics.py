"""Writes of the metrics of agents."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from agentdata.operations.metrics import record_all
from models import AgentMetric

if TYPE_CHECKING:
    from uuid import UUID

    from agentdata.operations.write import Write


async def record(write: Write, metrics: list[dict[str, Any]]) -> list[AgentMetric]:
    """Record metrics of agents, in one statement."""
    return await record_all(write, AgentMetric, metrics)


async def delete(write: Write, id_: UUID) -> list[UUID]:
    """Delete a metric."""
    return await write.delete(AgentMetric, id_)
