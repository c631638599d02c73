"""What the writes of all metrics share: they are recorded together, and never change."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar

from agentdata.checks import check, check_not_empty

if TYPE_CHECKING:
    from agentdata.operations.unit_of_work import UnitOfWork
    from models import AgentMetric, SessionMetric

    Metric = TypeVar("Metric", AgentMetric, SessionMetric)

MAX_METRICS = 10_000
"""How many metrics one write records."""


async def record_all(write: UnitOfWork, model: type[Metric], metrics: list[dict[str, Any]]) -> list[Metric]:
    """Record metrics in one statement, of now where they say no time.

    Raises:
        NotFoundError: A metric is of something that is not in the project.
        BadUserInputError: A metric is wrong in itself, or there are none or too many.

    """
    check_not_empty("metrics", metrics, MAX_METRICS)
    for place, metric in enumerate(metrics):
        check(model, metric, f"metrics.{place}.")
    now = datetime.now(UTC)
    return await write.insert(model, [{"timestamp": now, **metric} for metric in metrics], alone=True)
