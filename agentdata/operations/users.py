"""Write operations of users."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from agentdata.checks import check
from agentdata.operations import deletion
from models import User

if TYPE_CHECKING:
    from uuid import UUID

    from agentdata.operations.unit_of_work import UnitOfWork


async def create(write: UnitOfWork, values: dict[str, Any]) -> User:
    """Add a user."""
    [user] = await create_all(write, [values])
    return user


async def create_all(write: UnitOfWork, users: list[dict[str, Any]]) -> list[User]:
    """Add users in one statement; all of them have values for the same columns.

    An operation that writes more than users must begin its transaction first.
    """
    for values in users:
        check(User, values)
    return await write.insert(User, users, alone=True)


async def update(write: UnitOfWork, id_: UUID, values: dict[str, Any]) -> User:
    """Update a user."""
    check(User, values)
    return await write.update(await write.get(User, id_, lock=True), values)


async def delete(write: UnitOfWork, id_: UUID) -> list[UUID]:
    """Delete a user. Their sessions, messages, agents and memories stay, without a user."""
    await deletion.clear(write, User, [id_])
    return await write.delete(User, id_)
