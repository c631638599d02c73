"""Messages are appended to several sessions in one write."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from sqlalchemy import event, select

from agentdata.administration import create_project
from agentdata.database import Database
from agentdata.errors import BadUserInputError, NotFoundError
from agentdata.operations import messages, sessions, users
from agentdata.operations.unit_of_work import UnitOfWork
from models import Message, Session, ToolCall
from models.enums import MessageRole, SessionStatus, ToolCallStatus

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from uuid import UUID

    from agentdata.database_urls import DatabaseUrls

USER, ASSISTANT, TOOL = MessageRole.USER, MessageRole.ASSISTANT, MessageRole.TOOL
LONG_AGO = datetime(2025, 1, 1, tzinfo=UTC)


@pytest.fixture
async def write(database_urls: DatabaseUrls) -> AsyncIterator[UnitOfWork]:
    """Provide a unit of work in a new project."""
    project = await create_project(database_urls.owner, "Test", f"test-{uuid4().hex}")
    database = Database(database_urls.request, pool_size=1)
    async with database.write(project.id) as session:
        yield UnitOfWork.within(session, project.id)
    await database.close()


async def _sessions(write: UnitOfWork, count: int) -> list[UUID]:
    past = {"status": SessionStatus.COMPLETED, "started_at": LONG_AGO, "ended_at": LONG_AGO}
    return [session.id for session in await sessions.create_all(write, [dict(past) for _ in range(count)])]


async def test_each_session_gets_its_own_messages_and_totals(write: UnitOfWork) -> None:
    first, second = await _sessions(write, 2)
    await messages.append(write, second, [{"role": USER, "content": "earlier"}])
    await messages.append_all(
        write,
        {
            first: [
                {"role": USER, "content": "a", "prompt_tokens": 5, "created_at": LONG_AGO},
                {"role": ASSISTANT, "tool_calls": [{"call_id": "1", "name": "find"}], "created_at": LONG_AGO},
                {"role": TOOL, "content": "found", "tool_call_id": "1", "created_at": LONG_AGO},
            ],
            second: [{"role": ASSISTANT, "tool_calls": [{"call_id": "1", "name": "seek"}]}],
        },
    )
    await messages.append_all(write, {second: [{"role": TOOL, "content": "{}", "tool_call_id": "1"}]})
    found = await write.get_all(Session, [first, second])
    totals = [
        (s.message_count, s.last_sequence, s.interaction_count, s.prompt_tokens, s.last_activity_at)
        for s in found
    ]
    assert totals[0] == (3, 3, 1, 5, LONG_AGO)
    assert totals[1][:4] == (3, 3, 1, 0)
    rows = await write.scalars(select(Message).order_by(Message.session_id, Message.sequence))
    assert [
        (row.session_id == first, row.sequence) for row in rows if row.project_id == write.project_id
    ] == [
        *((True, number) for number in (1, 2, 3)),
        *((False, number) for number in (1, 2, 3)),
    ]
    calls = await write.scalars(select(ToolCall).where(*write.in_project(ToolCall)).order_by(ToolCall.name))
    assert [(call.name, call.status, call.result) for call in calls] == [
        ("find", ToolCallStatus.SUCCEEDED, "found"),
        ("seek", ToolCallStatus.SUCCEEDED, {}),
    ]


async def test_three_and_thirty_sessions_take_the_same_number_of_statements(write: UnitOfWork) -> None:
    connection = await (await write.session()).connection()
    driver: Any = (await connection.get_raw_connection()).driver_connection
    counts = []
    for size in (3, 30):
        ids = await _sessions(write, size)
        asked = [{"role": ASSISTANT, "tool_calls": [{"call_id": "1", "name": "find"}]}]
        answered = [{"role": TOOL, "content": "found", "tool_call_id": "1"}]
        said: list[str] = []

        def count(*arguments: object, said: list[str] = said) -> None:
            said.append(str(arguments[2]))

        event.listen(connection.sync_connection, "before_cursor_execute", count)
        with driver.query_logger(lambda record, said=said: said.append(record.query)):
            await messages.append_all(write, {id_: [*asked, *answered] for id_ in ids})
            await asyncio.sleep(0)  # the driver logs queries in the next iteration of the loop
        event.remove(connection.sync_connection, "before_cursor_execute", count)
        counts.append(len(said))
    assert counts == [2, 2]


async def test_one_invalid_message_refuses_all(write: UnitOfWork) -> None:
    [session] = await _sessions(write, 1)
    with pytest.raises(BadUserInputError) as wrong:
        await messages.append_all(write, {session: [{"role": USER, "content": "a\0b"}]})
    assert wrong.value.field == "messages.0.content"
    with pytest.raises(NotFoundError):
        await messages.append_all(write, {uuid4(): [{"role": USER, "content": "a"}]})
    await messages.append_all(write, {session: []})
    assert (await write.get(Session, session)).message_count == 0


async def test_users_are_returned_in_the_given_order(write: UnitOfWork) -> None:
    added = await users.create_all(write, [{"external_id": "b"}, {"external_id": "a"}])
    assert [user.external_id for user in added] == ["b", "a"]
    with pytest.raises(BadUserInputError):
        await users.create_all(write, [{"external_id": "x" * 256}])
