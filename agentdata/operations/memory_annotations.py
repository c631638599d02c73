"""Writes of annotations on memories, and how they are applied."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import func

from agentdata.checks import check, check_not_empty
from agentdata.errors import BadUserInputError, ConflictError, not_found
from agentdata.operations import memories
from models import Memory, MemoryAnnotation
from models.enums import VerificationStatus

if TYPE_CHECKING:
    from uuid import UUID

    from agentdata.operations.unit_of_work import UnitOfWork

VERIFICATION = "verification"
"""The kind of annotation that says whether a memory is true."""

MAX_ANNOTATIONS = 1_000
"""How many annotations one write makes."""

_KEEP_MEMORIES = """
SELECT id FROM memories WHERE project_id = $1 AND id = ANY($2::uuid[]) ORDER BY id FOR KEY SHARE"""


async def annotate(write: UnitOfWork, values: dict[str, Any]) -> MemoryAnnotation:
    """Put an annotation on a memory, which does not change by that."""
    [annotation] = await _annotate(write, [values], "")
    return annotation


async def annotate_all(write: UnitOfWork, annotations: list[dict[str, Any]]) -> list[MemoryAnnotation]:
    """Put annotations on memories, of which each may get several, in one statement."""
    check_not_empty("annotations", annotations, MAX_ANNOTATIONS)
    return await _annotate(write, annotations, "annotations.{}.")


async def delete(write: UnitOfWork, id_: UUID) -> list[UUID]:
    """Delete an annotation. What it did to its memory stays, and so does the history."""
    return await write.delete(MemoryAnnotation, id_)


async def apply(write: UnitOfWork, id_: UUID) -> MemoryAnnotation:
    """Apply an annotation to its memory, once.

    A correction replaces the memory's content and an enhancement is appended to it, on a line of its own; the
    content before stays in the history. A verification sets the memory's verification status.

    Raises:
        ConflictError: It is applied already.
        BadUserInputError: It is of a kind that cannot be applied.

    """
    annotation = await write.get(MemoryAnnotation, id_)
    # The memory's lock puts all that changes it in a row. It comes first, as where a memory is deleted.
    memory = await write.get(Memory, annotation.memory_id, lock=True)
    annotation = await write.get(MemoryAnnotation, id_, lock=True)
    if annotation.is_applied:
        raise ConflictError("the annotation is applied already", field="id")
    await memories.revise(write, memory, _changes(memory, annotation), annotation_id=annotation.id)
    return await write.update(annotation, {"applied_at": func.clock_timestamp()})


async def _annotate(
    write: UnitOfWork, annotations: list[dict[str, Any]], path: str
) -> list[MemoryAnnotation]:
    """Put annotations on memories; ``path`` is where the client gave each of them, by its place."""
    now = datetime.now(UTC)
    rows = [
        {"created_at": now, **_checked(values, path.format(place))}
        for place, values in enumerate(annotations)
    ]
    ids = list({row["memory_id"] for row in rows})
    there = {record["id"] for record in await write.fetch(_KEEP_MEMORIES, write.project_id, ids)}
    for place, row in enumerate(rows):
        if row["memory_id"] not in there:
            raise not_found(Memory, row["memory_id"], f"{path.format(place)}memoryId")
    return await write.insert(MemoryAnnotation, rows)


def _checked(values: dict[str, Any], path: str) -> dict[str, Any]:
    """Give the values of an annotation's columns."""
    check(MemoryAnnotation, values, path)
    if values.get("created_by_user_id") and values.get("created_by_agent_id"):
        raise BadUserInputError(
            "an annotation is made by a user or by an agent, not both", field=f"{path}createdByAgentId"
        )
    if values["annotation_type"] == VERIFICATION:
        return values | {
            "verification_status": values.get("verification_status") or VerificationStatus.VERIFIED
        }
    if values.get("verification_status") is not None:
        raise BadUserInputError(
            f"verificationStatus goes with an annotation of the type {VERIFICATION}",
            field=f"{path}verificationStatus",
        )
    return values


def _changes(memory: Memory, annotation: MemoryAnnotation) -> dict[str, Any]:
    """Give what changes of a memory when an annotation is applied to it."""
    match annotation.annotation_type:
        case "correction":
            return {"content": annotation.content}
        case "enhancement":
            return {"content": f"{memory.content}\n{annotation.content}"}
        case kind if kind == VERIFICATION:
            return {"verification_status": annotation.verification_status}
        case _:
            raise BadUserInputError(
                "only a correction, an enhancement or a verification can be applied", field="id"
            )
