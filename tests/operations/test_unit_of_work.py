"""Writes return the stored rows, with the same values and types."""

from __future__ import annotations

import asyncio
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import select

from agentdata.errors import ConflictError, NotFoundError
from agentdata.naming import noun
from agentdata.operations import agents, api_keys, sessions, users
from models import Agent, ApiKey, Base, Session, User
from models.enums import SessionStatus
from tests import factories
from tests.api import traffic

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from agentdata.operations.unit_of_work import UnitOfWork
    from tests.api import Api

NOW = datetime(2026, 1, 31, 12, 0, 0, 123456, tzinfo=UTC)


def typed_values(row: Any, model: type[Base]) -> dict[str, Any]:
    """Return the values of a row with their types; the driver's subclass of UUID counts as UUID."""
    return {
        name: (UUID if isinstance(value, UUID) else type(value), value)
        for name in model.__mapper__.attrs.keys()  # noqa: SIM118 - SQLAlchemy's collection
        for value in (getattr(row, name),)
    }


@pytest.mark.parametrize(
    ("model", "operation", "values"),
    [
        (User, users.create, {"name": "A 'quoted' \\ name", "email": None}),
        (Agent, agents.create, {"name": "A", "temperature": 0.1, "tools": [{"name": "x"}], "config": {}}),
        (Agent, agents.create, {"name": "B", "specializations": ["a,b", 'c"d', "NULL"], "active": False}),
        (
            Session,
            sessions.create,
            {
                "status": SessionStatus.COMPLETED,
                "started_at": NOW,
                "ended_at": NOW,
                "cost_usd": 0.1 + 0.2,
                "quality_score": 1.0,
                "tags": ["x", "y z"],
                "state": {"deep": {"er": [True]}},
            },
        ),
    ],
    ids=["user", "agent", "list", "session"],
)
async def test_inserted_rows_equal_the_stored_rows(
    api: Api, model: type[Base], operation: Callable[..., Awaitable[Any]], values: dict[str, Any]
) -> None:
    made = await api.run(operation, values=values)

    async def both(write: UnitOfWork) -> tuple[Any, Any]:
        stored = (await write.scalars(select(model).where(*write.in_project(model)))).one()
        return stored, await write.get(model, stored.id, lock=True)

    stored, read = await api.run(both)
    assert typed_values(made, model) == typed_values(stored, model) == typed_values(read, model)
    assert isinstance(made.id, UUID)


async def test_bytes_are_stored_unchanged(api: Api) -> None:
    _, secret = await api.run(api_keys.create, name="Key", scopes=["READ"])

    async def stored(write: UnitOfWork) -> Any:
        return (await write.scalars(select(ApiKey).where(*write.in_project(ApiKey)))).one()

    row = await api.run(stored)
    assert row.secret_hash == api_keys.hash_secret(secret)


async def test_inserted_rows_are_returned_in_order(api: Api) -> None:
    names = [f"{number}" for number in range(50)]
    made = await api.run(users.create_all, users=[{"name": name} for name in names])
    assert [user.name for user in made] == names


async def test_a_single_insert_takes_one_round_trip(api: Api) -> None:
    with traffic(api.database) as seen:
        await factories.user(api)
        await factories.agent(api)
        await asyncio.sleep(0)  # the driver logs queries in the next iteration of the loop
    assert ["INSERT INTO" in statement for statement in seen.statements] == [True, True]
    assert [statement for statement in seen.transactions if not statement.startswith("SET")] == []


async def test_constraint_violations_in_driver_statements_become_client_errors(api: Api, other: Api) -> None:
    await factories.user(api, external_id="taken")
    with pytest.raises(ConflictError, match="another user of this project has the same externalId"):
        await factories.user(api, external_id="taken")
    await factories.user(other, external_id="taken")
    with pytest.raises(NotFoundError, match="ownerId does not refer to any user of this project"):
        await factories.agent(api, owner_id=uuid4())
    theirs = await factories.session(other)
    with pytest.raises(NotFoundError, match="there is no session"):
        await factories.session(api, parent_id=theirs.id)


def test_errors_use_the_singular_nouns_of_the_models() -> None:
    """For example, `memories` becomes "memory", not "memorie"."""
    for mapper in Base.registry.mappers:
        words = re.sub(r"(?<!^)(?=[A-Z])", " ", mapper.class_.__name__).lower()
        assert noun(mapper.class_.__tablename__) == words
