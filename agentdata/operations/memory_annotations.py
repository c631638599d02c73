"""Write operations of memory annotations, and their application to memories."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import func

from agentdata.checks import check, check_count
from agentdata.errors import BadUserInputError, ConflictError, not_found
from agentdata.operations import memories
from models import Memory, MemoryAnnotation
from models.enums import VerificationStatus

if TYPE_CHECKING:
    from uuid import UUID

    from agentdata.operations.unit_of_work import UnitOfWork

VERIFICATION = "verification"
"""The type of annotations that say whether a memory is true."""

MAX_ANNOTATIONS = 1_000
"""How many annotations one write may add."""

_KEEP_MEMORIES = """
SELECT id FROM memories WHERE project_id = $1 AND id = ANY($2::uuid[]) ORDER BY id FOR KEY SHARE"""


async def annotate(write: UnitOfWork, values: dict[str, Any]) -> MemoryAnnotation:
    """Add an annotation to a memory, which does not change yet."""
    [annotation] = await _annotate(write, [values], "")
    return annotation


async def annotate_all(write: UnitOfWork, annotations: list[dict[str, Any]]) -> list[MemoryAnnotation]:
    """Add annotations in one statement; several may be to the same memory."""
    check_count("annotations", annotations, MAX_ANNOTATIONS)
    return await _annotate(write, annotations, "annotations.{}.")


async def delete(write: UnitOfWork, id_: UUID) -> list[UUID]:
    """Delete an annotation. Its memory and the memory's revisions stay as they are."""
    return await write.delete(MemoryAnnotation, id_)


async def apply(write: UnitOfWork, id_: UUID) -> MemoryAnnotation:
    """Apply an annotation to its memory, once.

    A correction replaces the memory's content, and an enhancement is appended to it on a new line; the
    previous content is kept as a revision. A verification sets the memory's verification status.

    Raises:
        ConflictError: The annotation has already been applied.
        BadUserInputError: Annotations of its type cannot be applied.

    """
    annotation = await write.get(MemoryAnnotation, id_)
    # The memory's lock serializes its writers. It is taken first, as when a memory is deleted.
    memory = await write.get(Memory, annotation.memory_id, lock=True)
    annotation = await write.get(MemoryAnnotation, id_, lock=True)
    if annotation.is_applied:
        raise ConflictError("the annotation has already been applied", field="id")
    await memories.revise(write, memory, _memory_changes(memory, annotation), annotation_id=annotation.id)
    return await write.update(annotation, {"applied_at": func.clock_timestamp()})


async def _annotate(
    write: UnitOfWork, annotations: list[dict[str, Any]], path: str
) -> list[MemoryAnnotation]:
    """Add annotations; ``path``, formatted with an index, is the client's path to each of them."""
    now = datetime.now(UTC)
    rows = [
        {"created_at": now, **_normalize(values, path.format(place))}
        for place, values in enumerate(annotations)
    ]
    ids = list({row["memory_id"] for row in rows})
    there = {record["id"] for record in await write.fetch(_KEEP_MEMORIES, write.project_id, ids)}
    for place, row in enumerate(rows):
        if row["memory_id"] not in there:
            raise not_found(Memory, row["memory_id"], f"{path.format(place)}memoryId")
    return await write.insert(MemoryAnnotation, rows)


def _normalize(values: dict[str, Any], path: str) -> dict[str, Any]:
    """Check an annotation's values, and return them with the default verification status."""
    check(MemoryAnnotation, values, path)
    if values.get("created_by_user_id") and values.get("created_by_agent_id"):
        raise BadUserInputError(
            "an annotation is created by a user or by an agent, not by both", field=f"{path}createdByAgentId"
        )
    if values["annotation_type"] == VERIFICATION:
        return values | {
            "verification_status": values.get("verification_status") or VerificationStatus.VERIFIED
        }
    if values.get("verification_status") is not None:
        raise BadUserInputError(
            f"verificationStatus is only allowed for annotations of the type {VERIFICATION}",
            field=f"{path}verificationStatus",
        )
    return values


def _memory_changes(memory: Memory, annotation: MemoryAnnotation) -> dict[str, Any]:
    """Return the memory's new values when an annotation is applied."""
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
