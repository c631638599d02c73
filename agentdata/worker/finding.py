"""Finds the projects whose jobs are due, as the owner of the tables, to whom all projects are visible.

Only ids and names of queues are read here. Everything else that a worker reads or writes, it does as the role
of requests, under row-level security, in one project at a time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import AsyncAdaptedQueuePool, text
from sqlalchemy.ext.asyncio import create_async_engine

from agentdata.connection import CONNECT_TIMEOUT_S
from agentdata.database_url import UNPREPARED, parse

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

_DUE = text("""
SELECT queue.project_id, queue.name FROM queues AS queue
LEFT JOIN LATERAL (
  SELECT true AS found FROM jobs WHERE jobs.project_id = queue.project_id AND jobs.queue_id = queue.id
    AND jobs.state = 'WAITING' LIMIT 1
) AS waiting ON true
LEFT JOIN LATERAL (
  SELECT true AS found FROM jobs WHERE jobs.project_id = queue.project_id AND jobs.queue_id = queue.id
    AND jobs.state = 'DELAYED' AND jobs.run_at <= statement_timestamp() LIMIT 1
) AS came_due ON true
LEFT JOIN LATERAL (
  SELECT true AS found FROM jobs WHERE jobs.project_id = queue.project_id AND jobs.queue_id = queue.id
    AND jobs.state = 'ACTIVE' AND jobs.lease_expires_at <= statement_timestamp() LIMIT 1
) AS lost ON true
LEFT JOIN LATERAL (
  SELECT true AS found FROM schedules
  WHERE schedules.project_id = queue.project_id AND schedules.queue_id = queue.id
    AND schedules.next_run_at <= statement_timestamp() LIMIT 1
) AS scheduled ON true
WHERE queue.name = ANY (:queues) AND queue.paused_at IS NULL
  AND (CAST(:project AS uuid) IS NULL OR queue.project_id = CAST(:project AS uuid))
  AND coalesce(waiting.found, came_due.found, lost.found, scheduled.found)""")
"""Looks into an index for each queue, however many jobs it has.

LATERAL with LIMIT keeps PostgreSQL from reading the jobs of all queues instead.
"""

_EMBEDDED = text("""
SELECT id FROM projects WHERE (CAST(:project AS uuid) IS NULL OR id = CAST(:project AS uuid)) AND (
  EXISTS (SELECT FROM knowledge_bases AS base WHERE base.project_id = projects.id
    AND (base.embedding_model = :model OR base.next_embedding_model = :model))
  OR EXISTS (SELECT FROM memories WHERE memories.project_id = projects.id))
ORDER BY id""")


class Due(NamedTuple):
    """A queue with jobs that are due."""

    project_id: UUID
    queue: str


class Finder:
    """Looks for work, in one project or in all, on a connection of its own."""

    def __init__(self, url: str, project_id: UUID | None = None) -> None:
        target = parse(url)
        self._project_id = project_id
        self._engine = create_async_engine(
            target.url,
            # Behind a pooler, another client may prepare statements in the same session.
            connect_args={"timeout": CONNECT_TIMEOUT_S} | target.connect_args | UNPREPARED,
            poolclass=AsyncAdaptedQueuePool,
            pool_size=1,
            max_overflow=0,
            isolation_level="AUTOCOMMIT",
            hide_parameters=True,
        )

    async def due(self, queues: Sequence[str]) -> list[Due]:
        """Return the queues of these names that have work."""
        async with self._engine.connect() as connection:
            found = await connection.execute(_DUE, {"queues": [*queues], "project": self._project_id})
            return [Due(*row) for row in found]

    async def projects_to_embed(self, model: str) -> list[UUID]:
        """Return the projects that may have texts for a model."""
        async with self._engine.connect() as connection:
            found = await connection.execute(_EMBEDDED, {"model": model, "project": self._project_id})
            return [*found.scalars()]

    async def close(self) -> None:
        """Close the connection."""
        await self._engine.dispose()
