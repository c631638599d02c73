"""The schedules by which a worker syncs knowledge bases that have a `refreshSchedule` and a path."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
from sqlalchemy import select

from agentdata.errors import BadUserInputError
from agentdata.operations import schedules
from models import Schedule

if TYPE_CHECKING:
    from uuid import UUID

    from agentdata.operations.unit_of_work import UnitOfWork
    from models import KnowledgeBase

QUEUE = "agentdata.sync"
"""The queue of jobs that sync a knowledge base, from schedules or from clients."""

JOB = "sync"


def source_text(base: KnowledgeBase, name: str) -> str | None:
    """Return a text in the source of a base, such as its ``path``, or None if it has none of that name."""
    # The driver returns JSON as it was sent.
    source: Any = base.source
    text = (orjson.loads(source) if isinstance(source, str) else source).get(name)
    return text if isinstance(text, str) and text else None


def is_refreshed(base: KnowledgeBase) -> bool:
    """Return whether a base is to be synced at certain times, and says from where."""
    return base.refresh_schedule is not None and source_text(base, "path") is not None


async def put(write: UnitOfWork, base: KnowledgeBase) -> None:
    """Add or change the schedule of a base.

    Raises:
        BadUserInputError: Its `refreshSchedule` is no cron expression.

    """
    values = {
        "name": _name(base.id),
        "queue": QUEUE,
        "cron": base.refresh_schedule,
        "job_name": JOB,
        "data": {"knowledgeBaseId": str(base.id)},
    }
    try:
        await schedules.put(write, values)
    except BadUserInputError as error:
        message = error.message.replace("cron", "refreshSchedule", 1)
        raise BadUserInputError(message, field="refreshSchedule") from None


async def delete(write: UnitOfWork, base_id: UUID) -> None:
    """Delete the schedule of a base, if it has one."""
    named = [*write.in_project(Schedule), Schedule.name == _name(base_id)]
    id_ = (await write.scalars(select(Schedule.id).where(*named))).one_or_none()
    if id_ is not None:
        await schedules.delete(write, id_)


def _name(base_id: UUID) -> str:
    return f"{QUEUE}:{base_id}"
