"""Messages are appended to a session in one statement, and the stored rows are returned."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import select

from agentdata.errors import BadUserInputError, ConflictError, NotFoundError
from agentdata.operations import messages
from models import Message, ToolCall
from models.enums import MessageRole, ToolCallStatus
from tests import factories
from tests.api import traffic
from tests.factories import called, said
from tests.writes import stored, untrue

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.ext.asyncio import AsyncEngine

    from agentdata.operations.unit_of_work import UnitOfWork
    from models import Base
    from tests.api import Api

USER, ASSISTANT, TOOL = MessageRole.USER, MessageRole.ASSISTANT, MessageRole.TOOL
LONG_AGO = datetime(2025, 1, 1, tzinfo=UTC)

EVERYTHING: dict[str, Any] = {
    "external_id": "m-1",
    "content": 'Quoted "text", a \\ and 日本語',
    "parts": [{"type": "text", "text": "line\nbreak"}, None, 1.5],
    "media_url": "https://example.com/a.png",
    "media_type": "image/png",
    "model": "some-model",
    "token_count": 7,
    "prompt_tokens": 2**31 - 1,
    "completion_tokens": 3,
    "latency_ms": 0,
    "feedback": "positive",
    "flagged": True,
    "raw_payload": "a text is JSON too",
    "metadata_": {"nested": {"list": [1, 2.5, "x", None, True]}, "": -(2**63)},
    "created_at": LONG_AGO,
}
"""A value for each column that a client may set, except the speakers."""


def columns(row: Any, model: type[Base] = Message) -> dict[str, Any]:
    """Return the values of a row by column."""
    return {name: getattr(row, name) for name in model.__mapper__.columns.keys()}  # noqa: SIM118 - a collection of SQLAlchemy's


async def read(api: Api, model: type[Base], *order: Any) -> Sequence[Any]:
    """Return all rows of a project."""

    async def rows(write: UnitOfWork) -> Sequence[Any]:
        return (await write.scalars(select(model).where(*write.in_project(model)).order_by(*order))).all()

    found: Sequence[Any] = await api.run(rows)
    return found


def test_the_sample_has_a_value_for_each_column() -> None:
    internal = {"project_id", "id", "session_id", "sequence", "role", "updated_at", "redacted_at"}
    assert EVERYTHING.keys() | internal | {"user_id", "agent_id"} == set(Message.__mapper__.columns.keys())


@pytest.mark.parametrize(
    ("given", "statements"),
    [
        ([said()], 1),
        ([said(str(number)) for number in range(100)], 1),
        ([said(role=ASSISTANT, tool_calls=[called(), called(call_id="1")])], 1),
        # An answer to a call of the same write takes no statement; one to an earlier call takes two.
        ([said(role=ASSISTANT, tool_calls=[called(call_id="1")]), said(role=TOOL, tool_call_id="1")], 1),
        ([said(role=TOOL, tool_call_id="earlier")], 3),
    ],
    ids=["one", "hundred", "calls", "answers", "earlier"],
)
async def test_appending_takes_one_statement_unless_earlier_calls_are_answered(
    api: Api, given: list[dict[str, Any]], statements: int
) -> None:
    session = await factories.session(api)
    await factories.say(api, session.id, said(role=ASSISTANT, tool_calls=[called(call_id="earlier")]))
    with traffic(api.database) as seen:
        await factories.say(api, session.id, *given)
        await asyncio.sleep(0)  # the driver logs queries in the next iteration of the loop
    assert len(seen.statements) == statements
    opened = [statement for statement in seen.transactions if statement.startswith("BEGIN")]
    assert len(opened) == (statements > 1)


async def test_the_returned_rows_are_the_stored_rows(api: Api) -> None:
    user, agent = await factories.user(api), await factories.agent(api)
    session = await factories.session(
        api, user_id=user.id, agent_id=agent.id, started_at=LONG_AGO - timedelta(days=1)
    )
    other = await factories.user(api)
    written = await factories.say(
        api,
        session.id,
        {"role": USER, **EVERYTHING},
        said(role=ASSISTANT, user_id=other.id),
        said(user_id=None, agent_id=agent.id),
        said(content=None, role=MessageRole.SYSTEM),
        {"role": TOOL, "parts": None, "raw_payload": None},
    )
    found = await read(api, Message, Message.sequence)
    assert [columns(row) for row in written] == [columns(row) for row in found]
    assert [(row.user_id, row.agent_id) for row in found] == [
        (user.id, None),
        (other.id, agent.id),
        (None, agent.id),
        (None, None),
        (None, None),
    ]
    assert {name: getattr(found[0], name) for name in EVERYTHING} == EVERYTHING
    assert found[1].created_at <= found[1].updated_at


async def test_tool_calls_are_stored_with_their_messages(api: Api) -> None:
    session = await factories.session(api)
    full = {
        "call_id": "full",
        "name": "search",
        "arguments": {"q": ["a", 1]},
        "result": [1, {"b": None}],
        "started_at": LONG_AGO,
        "duration_ms": 12.5,
    }
    written = await factories.say(
        api,
        session.id,
        said(role=ASSISTANT, tool_calls=[full, called("fail", error="no")], created_at=LONG_AGO),
        said(role=ASSISTANT, tool_calls=[called("wait", call_id="w", arguments="as text")]),
        said('{"found": 1}', role=TOOL, tool_call_id="w"),
    )
    first, second, third = await read(api, ToolCall, ToolCall.message_id, ToolCall.position)
    assert {name: getattr(first, name) for name in full} == full
    assert [(call.message_id, call.position, call.status) for call in (first, second, third)] == [
        (written[0].id, 0, ToolCallStatus.SUCCEEDED),
        (written[0].id, 1, ToolCallStatus.FAILED),
        (written[1].id, 0, ToolCallStatus.SUCCEEDED),
    ]
    assert [call.created_at for call in (first, third)] == [LONG_AGO, written[1].created_at]
    assert (second.error, second.arguments, second.answer_id) == ("no", {}, None)
    assert (third.result, third.arguments, third.answer_id) == ({"found": 1}, "as text", written[2].id)


async def test_the_mutation_returns_messages_as_graphql_types(api: Api) -> None:
    session = await factories.session(api)
    document = """
      mutation($session: ID!) {
        appendMessages(sessionId: $session, messages: [{role: USER, metadata: {a: [1]}, parts: "text"}]) {
          __typename ... on Node { id } role metadata parts flagged session { id } toolCalls { totalCount }
        }
      }"""
    [message] = (await api.ask(document, session=str(session.id)))["appendMessages"]
    assert UUID(message.pop("id"))
    assert message == {
        "__typename": "Message",
        "role": "USER",
        "metadata": {"a": [1]},
        "parts": "text",
        "flagged": False,
        "session": {"id": str(session.id)},
        "toolCalls": {"totalCount": 0},
    }


@pytest.mark.parametrize(
    ("bad", "error", "field"),
    [
        ({"external_id": "taken"}, ConflictError, "externalId"),
        ({"user_id": uuid4()}, NotFoundError, "messages.1.userId"),
        ({"agent_id": uuid4()}, NotFoundError, "messages.1.agentId"),
        ({"content": "a\0b"}, BadUserInputError, "messages.1.content"),
        ({"metadata_": {"a": ["\0"]}}, BadUserInputError, "messages.1.metadata"),
        ({"content": "\ud800"}, BadUserInputError, "messages.1.content"),
        ({"parts": [2**64]}, BadUserInputError, "messages.1.parts"),
        ({"prompt_tokens": -1}, BadUserInputError, "messages.1.promptTokens"),
    ],
)
async def test_one_invalid_message_stores_nothing(
    api: Api, owner: AsyncEngine, bad: dict[str, Any], error: type[Exception], field: str
) -> None:
    session = await factories.session(api)
    await factories.say(api, session.id, said(external_id="taken"))
    before = await stored(owner, api)
    with pytest.raises(error) as refused:
        await factories.say(api, session.id, said(), {**said(role=MessageRole.SYSTEM), **bad}, said())
    assert getattr(refused.value, "field", None) == field
    assert await stored(owner, api) == before


async def test_sessions_users_and_agents_of_another_project_are_not_found(
    api: Api, other: Api, owner: AsyncEngine
) -> None:
    mine = await factories.session(api)
    theirs = await factories.session(other)
    user, agent = await factories.user(other), await factories.agent(other)
    before = await stored(owner, api), await stored(owner, other)
    with pytest.raises(NotFoundError, match=f"there is no session {theirs.id}"):
        await factories.say(api, theirs.id, said())
    with pytest.raises(NotFoundError, match="there is no session"):
        await factories.say(api, uuid4(), said(role=ASSISTANT, tool_calls=[called()]))
    with pytest.raises(NotFoundError, match=f"there is no user {user.id}"):
        await factories.say(api, mine.id, said(user_id=user.id))
    with pytest.raises(NotFoundError, match=f"there is no agent {agent.id}"):
        await factories.say(api, mine.id, said(agent_id=agent.id))
    assert (await stored(owner, api), await stored(owner, other)) == before


async def test_concurrent_appends_to_one_and_several_sessions_number_messages_without_gaps(
    api: Api, owner: AsyncEngine
) -> None:
    sessions = [(await factories.session(api)).id for _ in range(3)]
    calls = [said(role=ASSISTANT, tool_calls=[called()]), said(prompt_tokens=1)]
    await asyncio.gather(
        *(factories.say(api, id_, *calls) for id_ in sessions * 5),
        *(api.run(messages.append_all, messages=dict.fromkeys(sessions, calls)) for _ in range(5)),
        *(api.run(messages.append_all, messages=dict.fromkeys(sessions[::-1], calls)) for _ in range(5)),
    )
    rows = await read(api, Message, Message.session_id, Message.sequence)
    assert [(row.session_id, row.sequence) for row in rows] == [
        (id_, sequence) for id_ in sorted(sessions) for sequence in range(1, 31)
    ]
    assert await untrue(owner, api) == []


async def test_a_second_statement_after_one_declared_alone_raises(api: Api) -> None:
    session = await factories.session(api)

    async def twice(write: UnitOfWork) -> None:
        await messages.append(write, session.id, [said()])
        await messages.append(write, session.id, [said()])

    with pytest.raises(RuntimeError, match="the only one"):
        await api.run(twice)
