"""Syncs knowledge bases with folders of the worker's machine, as jobs and schedules ask for it.

Clients write the data of jobs. So only folders are read that the operator has named, and no error tells what
is elsewhere on the machine.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import UUID

import orjson

from agentdata.checks import check_text
from agentdata.errors import BadUserInputError
from agentdata.knowledge.sync import sync
from agentdata.operations import knowledge_refreshes
from agentdata.operations.knowledge_refreshes import source_text
from agentdata.operations.unit_of_work import run
from models import KnowledgeBase

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agentdata.knowledge.sync import Step
    from agentdata.operations.unit_of_work import UnitOfWork
    from agentdata.worker.running import Work


class _Request(NamedTuple):
    """The data of a job: which base to sync from which path."""

    base: str
    """The name or the external id of the base."""
    path: str
    version: str | None


class Syncing:
    """The kind of work that syncs knowledge bases."""

    name = "sync"
    queue = knowledge_refreshes.QUEUE

    def __init__(self, folders: Sequence[Path]) -> None:
        self._folders = [Path(os.path.realpath(folder)) for folder in folders]

    async def work(self, work: Work) -> dict[str, Any]:
        """Sync a base, and return the counts of the sync.

        Raises:
            AgentDataError: The data of the job is wrong, or its path may not or cannot be read.

        """
        data: Any = work.job.data
        asked = await _read(work, orjson.loads(data) if isinstance(data, str | bytes) else data)

        def step(each: Step) -> None:
            work.progress = each.done / each.total if each.total else None

        result = await sync(
            work.database,
            work.project_id,
            asked.path,
            asked.base,
            version=asked.version,
            job_id=work.job.id,
            within=self._folder_of(asked.path),
            on_step=step,
        )
        return {
            "syncId": str(result.sync_id),
            "added": result.added,
            "modified": result.modified,
            "removed": result.removed,
            "unchanged": result.unchanged,
            "failed": result.failed,
            "chunks": result.chunks,
        }

    async def look(self) -> None:
        """Do nothing: schedules enqueue the jobs."""

    def ended(self, project_id: UUID) -> None:
        """Do nothing: each job stands for itself."""

    def _folder_of(self, path: str) -> Path:
        """Return the folder that a path is in, of those that may be read.

        Raises:
            BadUserInputError: It is in none of them.

        """
        if Path(path).is_absolute():
            place = Path(os.path.realpath(path))
            for folder in self._folders:
                if place.is_relative_to(folder):
                    return folder
        raise BadUserInputError(
            "path must be an absolute path within one of the folders that the operator allows by"
            " AGENTDATA_KNOWLEDGE_PATHS",
            field="path",
        )


async def _read(work: Work, data: dict[str, Any]) -> _Request:
    """Read the data of a job, whoever has written it.

    Raises:
        BadUserInputError: It does not say which base to sync from where.
        NotFoundError: There is no such base.

    """
    values: dict[str, str | None] = {}
    for name in ("knowledgeBaseId", "base", "path", "version"):
        value = data.get(name)
        if value is not None and not isinstance(value, str):
            raise BadUserInputError(f"{name} in the data of the job must be a text", field=name)
        if value is not None:
            check_text(name, value)
        values[name] = value
    base, path, version = values["base"], values["path"], values["version"]
    if values["knowledgeBaseId"] is not None:
        found = await run(work.database, work.project_id, _find, {"id_": _id(values["knowledgeBaseId"])})
        base, path = found.name, path or source_text(found, "path")
        version = version or source_text(found, "version")
    if base is None or path is None:
        raise BadUserInputError(
            "the data of the job must have a `base`, by its name or externalId, and a `path`; or a"
            " `knowledgeBaseId` of a base whose source has a `path`",
            field="data",
        )
    return _Request(base, path, version)


def _id(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise BadUserInputError("knowledgeBaseId is no id", field="knowledgeBaseId") from None


async def _find(write: UnitOfWork, id_: UUID) -> KnowledgeBase:
    return await write.get(KnowledgeBase, id_, field="knowledgeBaseId")
