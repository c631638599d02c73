"""Write operations of sandboxes. A session has at most one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from agentdata.checks import check
from models import Sandbox, Session

if TYPE_CHECKING:
    from uuid import UUID

    from agentdata.operations.unit_of_work import UnitOfWork


async def set_(write: UnitOfWork, session_id: UUID, values: dict[str, Any]) -> Sandbox:
    """Update the sandbox of a session, or create one with these values if it has none.

    Raises:
        NotFoundError: There is no such session, or no such user.

    """
    check(Sandbox, values)
    # The session's lock serializes writers that find no sandbox: the second one finds the first one's.
    await write.get(Session, session_id, field="sessionId", lock=True)
    existing = select(Sandbox).where(*write.in_project(Sandbox), Sandbox.session_id == session_id)
    sandbox: Sandbox | None = (await write.scalars(existing.with_for_update(key_share=True))).one_or_none()
    if sandbox is not None:
        return await write.update(sandbox, values)
    [sandbox] = await write.insert(Sandbox, [values | {"session_id": session_id}])
    return sandbox


async def update(write: UnitOfWork, id_: UUID, values: dict[str, Any]) -> Sandbox:
    """Update a sandbox."""
    check(Sandbox, values)
    return await write.update(await write.get(Sandbox, id_, lock=True), values)


async def delete(write: UnitOfWork, id_: UUID) -> list[UUID]:
    """Delete a sandbox. Its session stays."""
    return await write.delete(Sandbox, id_)
