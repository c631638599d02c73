"""The last activity of a session is the time of its latest row, but never in the future."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from agentdata.operations import messages, session_events, usage_records
from tests import factories
from tests.factories import happened, said, used
from tests.writes import untrue

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from uuid import UUID

    from sqlalchemy.ext.asyncio import AsyncEngine

    from tests.api import Api

FUTURE = datetime(2099, 1, 1, tzinfo=UTC)


def _optional(name: str, at: datetime | None) -> dict[str, Any]:
    return {} if at is None else {name: at}


async def say(api: Api, session_id: UUID, at: datetime | None) -> tuple[UUID, datetime]:
    """Append a message; return its id and time."""
    [row] = await factories.say(api, session_id, said(**_optional("created_at", at)))
    return row.id, row.created_at


async def record_event(api: Api, session_id: UUID, at: datetime | None) -> tuple[UUID, datetime]:
    """Record an event; return its id and time."""
    [row] = await factories.events(api, session_id, happened(**_optional("timestamp", at)))
    return row.id, row.timestamp


async def record_usage(api: Api, session_id: UUID, at: datetime | None) -> tuple[UUID, datetime]:
    """Record the use of a model; return its id and time."""
    [row] = await factories.usage(api, used(session_id, **_optional("timestamp", at)))
    return row.id, row.timestamp


Door = tuple["Callable[..., Awaitable[tuple[UUID, datetime]]]", "Callable[..., Awaitable[Any]]"]
MESSAGE: Door = (say, messages.delete)
EVENT: Door = (record_event, session_events.delete)
USAGE: Door = (record_usage, usage_records.delete)
DOORS = pytest.mark.parametrize("door", [MESSAGE, EVENT, USAGE], ids=["message", "event", "usage"])


async def last_activity(api: Api, session_id: UUID) -> datetime:
    """Return a session's last activity."""
    document = "query ($id: ID!) { session(id: $id) { lastActivityAt } }"
    data = await api.ask(document, id=str(session_id))
    return datetime.fromisoformat(data["session"]["lastActivityAt"])


@DOORS
@pytest.mark.parametrize("after", [MESSAGE, EVENT, USAGE], ids=["message", "event", "usage"])
async def test_rows_dated_in_the_future_do_not_pin_the_last_activity(
    api: Api, owner: AsyncEngine, door: Door, after: Door
) -> None:
    session = await factories.session(api)
    (add, delete), (add_after, delete_after) = door, after
    began = datetime.now(UTC) - timedelta(seconds=1)
    wrong, _ = await add(api, session.id, FUTURE)
    assert began < await last_activity(api, session.id) < datetime.now(UTC) + timedelta(seconds=1)
    right, at = await add_after(api, session.id, None)
    assert await last_activity(api, session.id) == at
    assert await untrue(owner, api) == []
    await api.run(delete, id_=wrong)
    assert await last_activity(api, session.id) == at
    await api.run(delete_after, id_=right)
    assert await last_activity(api, session.id) == session.started_at
    assert await untrue(owner, api) == []


@DOORS
async def test_deleting_the_latest_row_lowers_the_last_activity(
    api: Api, owner: AsyncEngine, door: Door
) -> None:
    add, delete = door
    began = datetime(2020, 1, 1, tzinfo=UTC)
    session = await factories.session(api, status="COMPLETED", started_at=began, ended_at=began)
    second, third, fourth = [
        (await add(api, session.id, began + timedelta(days=day)))[0] for day in (2, 3, 4)
    ]
    await api.run(delete, id_=third)
    assert await last_activity(api, session.id) == began + timedelta(days=4)
    await api.run(delete, id_=fourth)
    assert await last_activity(api, session.id) == began + timedelta(days=2)
    await api.run(delete, id_=second)
    assert await last_activity(api, session.id) == began
    assert await untrue(owner, api) == []


async def test_remaining_rows_dated_in_the_future_do_not_count(api: Api) -> None:
    session = await factories.session(api)
    wrong = [(await say(api, session.id, FUTURE + timedelta(days=day)))[0] for day in range(2)]
    _, at = await record_event(api, session.id, None)
    await api.run(messages.delete, id_=wrong[0])
    assert await last_activity(api, session.id) == at


async def test_a_session_that_starts_in_the_future_has_no_activity_in_the_future(api: Api) -> None:
    for values in ({}, {"status": "COMPLETED", "ended_at": FUTURE}, {"last_activity_at": FUTURE}):
        session = await factories.session(api, started_at=FUTURE, **values)
        assert await last_activity(api, session.id) <= datetime.now(UTC)


async def test_concurrent_deletions_and_writes_keep_the_last_activity_right(
    api: Api, owner: AsyncEngine
) -> None:
    session = await factories.session(api)
    for _ in range(5):
        wrong = [(await add(api, session.id, FUTURE))[0] for add, _ in (MESSAGE, EVENT, USAGE)]
        await asyncio.gather(
            *[
                api.run(delete, id_=id_)
                for id_, (_, delete) in zip(wrong, (MESSAGE, EVENT, USAGE), strict=True)
            ],
            *[add(api, session.id, None) for add, _ in (MESSAGE, EVENT, USAGE)],
        )
        assert await untrue(owner, api) == []
        data = await api.ask(
            "query ($id: ID!) { session(id: $id) { lastActivityAt auditTrail(last: 1) { nodes { at } } } }",
            id=str(session.id),
        )
        [node] = data["session"]["auditTrail"]["nodes"]
        assert data["session"]["lastActivityAt"] == node["at"]


async def test_the_last_activity_of_an_agent_is_not_in_the_future(api: Api) -> None:
    agent = await factories.agent(api)
    session = await factories.session(api, agent_id=agent.id)
    await say(api, session.id, FUTURE)
    data = await api.ask("query ($id: ID!) { agent(id: $id) { lastActiveAt } }", id=str(agent.id))
    assert datetime.fromisoformat(data["agent"]["lastActiveAt"]) <= datetime.now(UTC)


async def test_the_last_access_of_a_memory_is_not_in_the_future(api: Api, owner: AsyncEngine) -> None:
    memory = await factories.memory(api)
    await factories.memory_access(api, memory.id, created_at=FUTURE)
    document = "query ($id: ID!) { memory(id: $id) { lastAccessedAt } }"
    data = await api.ask(document, id=str(memory.id))
    assert datetime.fromisoformat(data["memory"]["lastAccessedAt"]) <= datetime.now(UTC)
    access = await factories.memory_access(api, memory.id)
    data = await api.ask(document, id=str(memory.id))
    assert datetime.fromisoformat(data["memory"]["lastAccessedAt"]) >= access.created_at
    assert await untrue(owner, api) == []
