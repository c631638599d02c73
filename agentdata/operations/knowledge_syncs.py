"""Write operations of syncs of knowledge bases."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from agentdata.checks import check, check_count
from agentdata.errors import BadUserInputError, ConflictError
from models import KnowledgeBase, KnowledgeSync
from models.enums import KnowledgeSyncStatus

if TYPE_CHECKING:
    from uuid import UUID

    from agentdata.operations.unit_of_work import UnitOfWork

MAX_SYNCS = 1_000
"""How many syncs one write may record."""

_FAIL_RUNNING = """
UPDATE knowledge_syncs SET status = 'FAILED', error = $3, updated_at = clock_timestamp(),
  finished_at = greatest(started_at, clock_timestamp())
WHERE project_id = $1 AND knowledge_base_id = $2 AND status = 'RUNNING'"""


async def record(write: UnitOfWork, values: dict[str, Any]) -> KnowledgeSync:
    """Record a sync, RUNNING by default."""
    [sync] = await _record(write, [values], "")
    return sync


async def record_all(write: UnitOfWork, syncs: list[dict[str, Any]]) -> list[KnowledgeSync]:
    """Record syncs in one statement, such as those of another system."""
    check_count("syncs", syncs, MAX_SYNCS)
    return await _record(write, syncs, "syncs.{}.")


async def update(write: UnitOfWork, id_: UUID, values: dict[str, Any]) -> KnowledgeSync:
    """Update the values of a sync other than its status and times."""
    check(KnowledgeSync, values)
    return await write.update(await write.get(KnowledgeSync, id_, lock=True), values)


async def finish(write: UnitOfWork, id_: UUID, values: dict[str, Any]) -> KnowledgeSync:
    """Finish a sync that is running.

    Raises:
        ConflictError: The sync has already finished.

    """
    check(KnowledgeSync, values)
    if values["status"] == KnowledgeSyncStatus.RUNNING:
        raise BadUserInputError(
            "a sync finishes with the status SUCCEEDED, FAILED or SKIPPED, not RUNNING", field="status"
        )
    sync = await write.get(KnowledgeSync, id_, lock=True)
    if sync.finished_at is not None:
        raise ConflictError("the sync has already finished", field="id")
    return await write.update(sync, _timed(values | {"started_at": sync.started_at}, ""))


async def fail_running(write: UnitOfWork, knowledge_base_id: UUID, error: str) -> None:
    """Mark the syncs of a base that are RUNNING as FAILED, as when the programs that ran them have died."""
    await write.fetch(_FAIL_RUNNING, write.project_id, knowledge_base_id, error)


async def delete(write: UnitOfWork, id_: UUID) -> list[UUID]:
    """Delete a sync."""
    return await write.delete(KnowledgeSync, id_)


async def _record(write: UnitOfWork, syncs: list[dict[str, Any]], path: str) -> list[KnowledgeSync]:
    """Record syncs; ``path``, formatted with an index, is the client's path to each of them."""
    rows: list[dict[str, Any]] = []
    bases: dict[UUID, str] = {}
    for place, values in enumerate(syncs):
        check(KnowledgeSync, values, path.format(place))
        rows.append(_timed(values, path.format(place)))
        bases.setdefault(values["knowledge_base_id"], f"{path.format(place)}knowledgeBaseId")
    await write.get_all(KnowledgeBase, sorted(bases), field=bases, keep=True)
    return await write.insert(KnowledgeSync, rows)


def _timed(values: dict[str, Any], path: str) -> dict[str, Any]:
    """Return the values of a sync with its times; refuse those that contradict its status.

    Raises:
        BadUserInputError: A running sync has an end, the end is before the start, or a sync that has not
            failed has an error.

    """
    status = values.get("status") or KnowledgeSyncStatus.RUNNING
    now = datetime.now(UTC)
    finished_at = values.get("finished_at")
    started_at = values.get("started_at") or min(now, finished_at or now)
    if values.get("error") is not None and status != KnowledgeSyncStatus.FAILED:
        raise BadUserInputError("error is only allowed for a sync that is FAILED", field=f"{path}error")
    if status == KnowledgeSyncStatus.RUNNING:
        if finished_at is not None:
            raise BadUserInputError(
                "finishedAt is only allowed for a sync that is not RUNNING", field=f"{path}finishedAt"
            )
    elif finished_at is None:
        finished_at = max(now, started_at)
    if finished_at is not None and finished_at < started_at:
        raise BadUserInputError("finishedAt may not be before startedAt", field=f"{path}finishedAt")
    return values | {"started_at": started_at, "finished_at": finished_at}
