"""Shared by the operations of all metrics: they are recorded in one statement, and never change."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar

from agentdata.checks import check, check_count

if TYPE_CHECKING:
    from agentdata.operations.unit_of_work import UnitOfWork
    from models import AgentMetric, SessionMetric

    Metric = TypeVar("Metric", AgentMetric, SessionMetric)

MAX_METRICS = 10_000
"""How many metrics one write may record."""


async def record_all(write: UnitOfWork, model: type[Metric], metrics: list[dict[str, Any]]) -> list[Metric]:
    """Record metrics in one statement; the default time is now.

    Raises:
        NotFoundError: A metric refers to an object that is not in the project.
        BadUserInputError: A metric is invalid, or there are none or too many.

    """
    check_count("metrics", metrics, MAX_METRICS)
    for place, metric in enumerate(metrics):
        check(model, metric, f"metrics.{place}.")
    now = datetime.now(UTC)
    return await write.insert(model, [{"timestamp": now, **metric} for metric in metrics], alone=True)
