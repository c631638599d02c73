"""Writes of annotations on memories, and how they are applied."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import func

from agentdata.errors import BadUserInputError, ConflictError
from agentdata.operations import memories
from agentdata.operations.values import check
from models import Memory, MemoryAnnotation
from models.enums import VerificationStatus

if TYPE_CHECKING:
    from uuid import UUID

    from agentdata.operations.write import Write

VERIFICATION = "verification"
"""The kind of annotation that says whether a memory is true."""


async def annotate(write: Write, values: dict[str, Any]) -> MemoryAnnotation:
    """Put an annotation on a memory, which does not change by that."""
    check(MemoryAnnotation, values)
    if values.get("created_by_user_id") and values.get("created_by_agent_id"):
        raise BadUserInputError(
            "an annotation is made by a user or by an agent, not both", field="createdByAgentId"
        )
    if values["annotation_type"] == VERIFICATION:
        found = values.get("verification_status") or VerificationStatus.VERIFIED
        values = values | {"verification_status": found}
    elif values.get("verification_status") is not None:
        raise BadUserInputError(
            f"verificationStatus goes with an annotation of the type {VERIFICATION}",
            field="verificationStatus",
        )
    await write.get(Memory, values["memory_id"], field="memoryId")
    [annotation] = await write.insert(MemoryAnnotation, [values])
    return annotation


async def apply(write: Write, id_: UUID) -> MemoryAnnotation:
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
