"""The job that has a worker make the missing vectors of a project: one for each project and model.

A write that leaves texts without vectors wakes the job in its own transaction. It never waits for the job: a
lock of it, held until the write commits, would let all writers of a project wait for each other. So it can
happen that a job ends without having seen a text that was written at the same moment; the worker looks again
a minute after each end, and over all projects now and then.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from uuid_utils.compat import uuid7

from models.enums import FINISHED_STATES

if TYPE_CHECKING:
    from agentdata.operations.unit_of_work import UnitOfWork

_MAX_ATTEMPTS, _BACKOFF_MS = 8, 5_000

_ENDED = ", ".join(f"'{state}'" for state in FINISHED_STATES)

_WAKE = f"""
WITH made_queue AS (
  INSERT INTO queues (project_id, id, name) VALUES ($1, $2::uuid, $4::varchar)
  ON CONFLICT DO NOTHING RETURNING id
), queue AS (
  SELECT id FROM made_queue UNION ALL SELECT id FROM queues WHERE project_id = $1 AND name = $4
), ended AS MATERIALIZED (
  SELECT id FROM jobs WHERE project_id = $1 AND external_id = $4 AND state IN ({_ENDED})
  FOR NO KEY UPDATE SKIP LOCKED
), woken AS (
  UPDATE jobs SET state = 'WAITING', attempts = 0, run_at = statement_timestamp(), progress = NULL,
    finished_at = NULL, updated_at = statement_timestamp()
  WHERE project_id = $1 AND id = ANY (ARRAY(SELECT id FROM ended)) RETURNING id
), made AS (
  INSERT INTO jobs (project_id, id, queue_id, external_id, name, data, max_attempts, backoff_ms)
  SELECT $1, $3::uuid, queue.id, $4, 'embed', '{{}}', {_MAX_ATTEMPTS}, {_BACKOFF_MS} FROM queue
  WHERE NOT EXISTS (SELECT FROM jobs WHERE project_id = $1 AND external_id = $4)
  ON CONFLICT (project_id, external_id) WHERE external_id IS NOT NULL DO NOTHING RETURNING id
)
SELECT id FROM woken UNION ALL SELECT id FROM made"""  # noqa: S608  # names and numbers of this file


def queue_of(model: str) -> str:
    """Return the name of the queue, and of the job in it, of a model; other workers may serve others."""
    return f"agentdata.embed:{model}"


async def wake(write: UnitOfWork) -> None:
    """Let the job of this project wait for a worker, if the server makes vectors and the job has ended."""
    if write.embedding_model is not None:
        await write.fetch(_WAKE, write.project_id, uuid7(), uuid7(), queue_of(write.embedding_model))
