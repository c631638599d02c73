"""Events: sequences without gaps or duplicates, also with concurrent writers, filters and deletion."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import text

from agentdata.errors import NotFoundError
from agentdata.operations import sessions
from tests import factories
from tests.api import traffic
from tests.factories import happened, said
from tests.writes import stored, untrue

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

    from tests.api import Api

RECORD = """
mutation($session: ID!, $events: [RecordEventInput!]!) {
  recordEvents(sessionId: $session, events: $events) { id sequence eventType timestamp createdAt }
}
"""
SESSION = """
query($id: ID!, $filter: SessionEventFilter) {
  session(id: $id) {
    lastActivityAt messageCount
    events(first: 500, filter: $filter) { totalCount nodes { id sequence eventType eventData timestamp } }
  }
}
"""
DELETE = "mutation($id: ID!) { deleteSessionEvent(id: $id) { ids } }"


def _at(year: int) -> datetime:
    return datetime(year, 1, 1, tzinfo=UTC)


async def session_of(api: Api, id_: object, **filter_: Any) -> dict[str, Any]:
    """Read a session with its events."""
    session: dict[str, Any] = (await api.ask(SESSION, id=str(id_), filter=filter_))["session"]
    return session


async def test_sequences_have_no_gaps_and_are_independent_of_messages(api: Api) -> None:
    session = await factories.session(api)
    await factories.say(api, session.id, said(), said())
    for start, count in ((1, 1), (2, 3), (5, 2)):
        given = [{"eventType": f"{n}"} for n in range(count)]
        written = (await api.ask(RECORD, session=str(session.id), events=given))["recordEvents"]
        assert [event["sequence"] for event in written] == list(range(start, start + count))
        assert [event["eventType"] for event in written] == [f"{n}" for n in range(count)]
    assert (await api.ask(DELETE, id=written[-1]["id"]))["deleteSessionEvent"] == {"ids": [written[-1]["id"]]}
    [after] = await factories.events(api, session.id, happened())
    assert after.sequence == 7  # sequences are not reused
    found = await session_of(api, session.id)
    assert [event["sequence"] for event in found["events"]["nodes"]] == [1, 2, 3, 4, 5, 7]
    assert found["messageCount"] == 2
    error = await api.error(DELETE, id=written[-1]["id"])
    assert error["extensions"] == {"code": "NOT_FOUND", "field": "id"}


async def test_the_last_activity_is_the_latest_event(api: Api, owner: AsyncEngine) -> None:
    session = await factories.session(api, status="COMPLETED", started_at=_at(2020), ended_at=_at(2020))
    await factories.events(api, session.id, happened(timestamp=_at(2019)))
    assert (await session_of(api, session.id))["lastActivityAt"] == "2020-01-01T00:00:00Z"
    await factories.events(api, session.id, happened(timestamp=_at(2022)), happened(timestamp=_at(2021)))
    assert (await session_of(api, session.id))["lastActivityAt"] == "2022-01-01T00:00:00Z"
    [_, now] = await factories.events(api, session.id, happened(timestamp=_at(2021)), happened())
    # The clock is read twice.
    assert timedelta(0) <= now.created_at - now.timestamp < timedelta(seconds=1)
    assert (await session_of(api, session.id))["lastActivityAt"] == now.timestamp.isoformat().replace(
        "+00:00", "Z"
    )
    assert await untrue(owner, api) == []


async def test_events_can_be_filtered_by_type_and_data(api: Api) -> None:
    one, two = await factories.session(api, title="one"), await factories.session(api)
    await factories.events(
        api,
        one.id,
        happened("error", event_data={"code": 504}),
        happened("error", event_data={"code": 500}),
        happened(),
    )
    await factories.events(api, two.id, happened(event_data={"code": 504}))
    found = await session_of(api, one.id, eventType={"eq": "error"}, eventData={"contains": {"code": 504}})
    assert [event["sequence"] for event in found["events"]["nodes"]] == [1]
    document = (
        '{ sessions(filter: {events: {some: {eventType: {eq: "error"}}}}) { nodes { title } }'
        " sessionEvents(filter: {eventData: {contains: {code: 504}}}) { totalCount } }"
    )
    assert await api.ask(document) == {
        "sessions": {"nodes": [{"title": "one"}]},
        "sessionEvents": {"totalCount": 2},
    }


async def test_events_of_the_type_error_count_as_errors(api: Api, owner: AsyncEngine) -> None:
    session = await factories.session(api)
    await factories.events(api, session.id, happened())
    first, _ = await factories.events(api, session.id, *[happened(event_type="error") for _ in range(2)])

    async def errors() -> int:
        data = await api.ask("query($id: ID!) { session(id: $id) { errorCount } }", id=str(session.id))
        count: int = data["session"]["errorCount"]
        return count

    assert await errors() == 2
    await api.ask(DELETE, id=str(first.id))
    assert await errors() == 1
    assert await untrue(owner, api) == []


async def test_events_are_deleted_with_their_session(api: Api) -> None:
    session = await factories.session(api)
    await factories.events(api, session.id, happened(), happened())
    await api.ask("mutation($id: ID!) { deleteSession(id: $id) { ids } }", id=str(session.id))
    assert (await api.ask("{ sessionEvents { totalCount } }"))["sessionEvents"]["totalCount"] == 0


@pytest.mark.parametrize(
    "bad",
    [
        {"eventType": "\0"},
        {"eventType": " "},
        {"eventType": "a", "durationMs": -1},
        {"eventType": "a", "eventData": []},
        {"eventType": "a", "eventData": None},
        {"eventType": "a", "timestamp": None},
    ],
)
async def test_one_invalid_event_records_none(api: Api, owner: AsyncEngine, bad: dict[str, Any]) -> None:
    session = await factories.session(api)
    before = await stored(owner, api)
    error = await api.error(RECORD, session=str(session.id), events=[{"eventType": "good"}, bad])
    assert error["extensions"]["code"] == "BAD_USER_INPUT"
    assert error["extensions"]["field"].startswith("events.1.")
    assert await stored(owner, api) == before


async def test_a_session_of_another_project_is_not_found(api: Api, other: Api, owner: AsyncEngine) -> None:
    theirs = await factories.session(other)
    before = await stored(owner, other)
    error = await api.error(RECORD, session=str(theirs.id), events=[{"eventType": "a"}])
    assert error["extensions"] == {"code": "NOT_FOUND", "field": "sessionId"}
    assert await stored(owner, other) == before


async def test_ten_thousand_events_take_one_statement(api: Api, owner: AsyncEngine) -> None:
    session = await factories.session(api)
    with traffic(api.database) as seen:
        made = await factories.events(api, session.id, *[happened(f"{n}") for n in range(10_000)])
    assert len(seen.statements) == 1
    assert [(event.sequence, event.event_type) for event in made] == [(n + 1, f"{n}") for n in range(10_000)]
    assert await untrue(owner, api) == []


async def test_a_hundred_concurrent_writers_leave_no_gaps_or_duplicates(api: Api, owner: AsyncEngine) -> None:
    session = await factories.session(api)

    async def write(number: int) -> list[Any]:
        # Messages have separate sequences, under the same lock.
        await factories.say(api, session.id, said())
        many = [happened(f"{number}-{place}") for place in range(1 + number % 3)]
        return await factories.events(api, session.id, *many)

    written = await asyncio.gather(*map(write, range(100)))
    acknowledged = {event.sequence: event.event_type for many in written for event in many}
    assert sorted(acknowledged) == list(range(1, sum(map(len, written)) + 1))
    # Events of one write are consecutive.
    assert all(many[-1].sequence - many[0].sequence == len(many) - 1 for many in written)
    found = await session_of(api, session.id)
    assert found["messageCount"] == 100
    assert {each["sequence"]: each["eventType"] for each in found["events"]["nodes"]} == acknowledged
    assert await untrue(owner, api) == []


async def test_failed_writes_leave_no_gaps(api: Api) -> None:
    session = await factories.session(api)

    async def write(number: int) -> None:
        event = {"eventType": "a", **({"durationMs": -1} if number % 3 == 0 else {})}
        key = f', idempotencyKey: "{number % 20}"' if number % 2 else ""
        document = RECORD.replace("events: $events", f"events: $events{key}")
        await api.answer(document, session=str(session.id), events=[event])

    await asyncio.gather(*map(write, range(60)))
    found = (await session_of(api, session.id))["events"]
    assert [event["sequence"] for event in found["nodes"]] == list(range(1, found["totalCount"] + 1))
    # The twenty valid writes without a key, and the first valid write with each of the ten keys.
    assert found["totalCount"] == 30


async def test_events_recorded_while_their_session_is_deleted_do_not_remain(
    api: Api, owner: AsyncEngine
) -> None:
    session = await factories.session(api)
    results = await asyncio.gather(
        *(factories.events(api, session.id, happened()) for _ in range(5)),
        api.run(sessions.delete, id_=session.id),
        *(factories.events(api, session.id, happened()) for _ in range(5)),
        return_exceptions=True,
    )
    assert all(isinstance(each, list | NotFoundError) for each in results), results
    async with owner.connect() as connection:
        count = "SELECT count(*) FROM session_events WHERE session_id = :id"
        assert (await connection.execute(text(count), {"id": session.id})).scalar_one() == 0
