"""Messages: sequences without gaps, totals of sessions, redaction, deletion, and results of calls."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from sqlalchemy import text

from agentdata.operations import messages
from agentdata.operations.messages import result_of
from models.enums import MessageRole
from tests import factories
from tests.factories import called, said
from tests.writes import stored, untrue

if TYPE_CHECKING:
    from uuid import UUID

    from sqlalchemy.ext.asyncio import AsyncEngine

    from tests.api import Api

APPEND = """
mutation($session: ID!, $messages: [AppendMessageInput!]!) {
  appendMessages(sessionId: $session, messages: $messages) {
    id sequence content createdAt user { id } agent { id }
  }
}
"""
SESSION = """
query($id: ID!) {
  session(id: $id) {
    messageCount interactionCount promptTokens completionTokens lastActivityAt startedAt
    messages { nodes { id sequence content } }
  }
}
"""
REDACT = "mutation($id: ID!) { redactMessage(id: $id) { content parts metadata redactedAt model sequence } }"
DELETE = "mutation($id: ID!) { deleteMessage(id: $id) { ids } }"


async def session_of(api: Api, id_: object) -> dict[str, Any]:
    """Read a session."""
    session: dict[str, Any] = (await api.ask(SESSION, id=str(id_)))["session"]
    return session


async def test_sequences_have_no_gaps_and_are_not_reused(api: Api) -> None:
    session = str((await factories.session(api)).id)
    for start, count in ((1, 1), (2, 3), (5, 2)):
        given = [{"role": "USER", "content": f"{n}"} for n in range(count)]
        written = (await api.ask(APPEND, session=session, messages=given))["appendMessages"]
        assert [message["sequence"] for message in written] == list(range(start, start + count))
        assert [message["content"] for message in written] == [f"{n}" for n in range(count)]
    last = written[-1]["id"]
    await api.ask(DELETE, id=last)
    [after] = (await api.ask(APPEND, session=session, messages=[{"role": "USER"}]))["appendMessages"]
    assert after["sequence"] == 7  # sequences are not reused


async def test_speakers_default_to_the_user_and_agent_of_the_session(api: Api) -> None:
    agent, user, other = await factories.agent(api), await factories.user(api), await factories.user(api)
    session = await factories.session(api, agent_id=agent.id, user_id=user.id)
    given = [
        {"role": "USER"},
        {"role": "ASSISTANT"},
        {"role": "SYSTEM"},
        {"role": "USER", "userId": str(other.id)},
        {"role": "USER", "userId": None},
    ]
    written = (await api.ask(APPEND, session=str(session.id), messages=given))["appendMessages"]
    users = [message["user"] and message["user"]["id"] for message in written]
    assert users == [str(user.id), None, None, str(other.id), None]
    assert [message["agent"] and message["agent"]["id"] for message in written] == [
        None,
        str(agent.id),
        None,
        None,
        None,
    ]


async def test_the_last_activity_is_the_latest_message(api: Api, owner: AsyncEngine) -> None:
    session = await factories.session(api, status="COMPLETED", started_at=_at(2020), ended_at=_at(2020))
    await factories.say(api, session.id, said(created_at=_at(2019)))
    assert (await session_of(api, session.id))["lastActivityAt"] == "2020-01-01T00:00:00Z"
    await factories.say(api, session.id, said(created_at=_at(2022)), said(created_at=_at(2021)))
    assert (await session_of(api, session.id))["lastActivityAt"] == "2022-01-01T00:00:00Z"
    [_, now] = await factories.say(api, session.id, said(created_at=_at(2021)), said())
    assert (await session_of(api, session.id))["lastActivityAt"] >= now.created_at.isoformat()[:26]
    assert await untrue(owner, api) == []


def _at(year: int) -> datetime:
    return datetime(year, 1, 1, tzinfo=UTC)


async def test_five_thousand_messages_can_be_appended_in_one_write(api: Api, owner: AsyncEngine) -> None:
    session = await factories.session(api)
    given: list[dict[str, Any]] = []
    for turn in range(2_500):
        call = {"name": "find", "arguments": {"turn": turn}, "callId": str(turn % 7)}
        given += [
            {"role": "ASSISTANT", "toolCalls": [call], "promptTokens": 2**31 - 1},
            {"role": "TOOL", "content": f"{turn}", "toolCallId": str(turn % 7)},
        ]
    written = (await api.ask(APPEND, session=str(session.id), messages=given))["appendMessages"]
    assert [message["sequence"] for message in written] == list(range(1, 5_001))
    assert await untrue(owner, api) == []
    found = await session_of(api, session.id)
    assert found["promptTokens"] == 2_500 * (2**31 - 1)
    async with owner.connect() as connection:
        wrong = await connection.scalars(
            text(
                "SELECT c.id FROM tool_calls c JOIN messages m ON m.id = c.message_id"
                " LEFT JOIN messages a ON a.id = c.answer_id"
                " WHERE c.session_id = :id AND (a.sequence IS DISTINCT FROM m.sequence + 1"
                " OR c.status <> 'SUCCEEDED' OR c.result::text <> to_json(a.content)::text"
                " OR c.arguments ->> 'turn' <> a.content)"
            ),
            {"id": session.id},
        )
        assert wrong.all() == []


@pytest.mark.parametrize(
    "bad",
    [
        {"role": "USER", "content": "\0"},
        {"role": "USER", "externalId": "taken"},
        {"role": "TOOL", "toolCallId": "unknown"},
        {"role": "USER", "userId": "01900000-0000-7000-8000-000000000000"},
        {"role": "USER", "promptTokens": -1},
    ],
)
async def test_one_invalid_message_stores_none(api: Api, owner: AsyncEngine, bad: dict[str, Any]) -> None:
    session = await factories.session(api)
    await factories.say(api, session.id, said(external_id="taken"))
    before = await stored(owner, api)
    given = [{"role": "USER", "promptTokens": 1}] * 3 + [bad] + [{"role": "USER"}] * 3
    answer = await api.answer(APPEND, session=str(session.id), messages=given)
    assert len(answer.errors) == 1
    assert await stored(owner, api) == before
    [next_] = await factories.say(api, session.id, said())
    assert next_.sequence == 2


async def test_totals_are_right_after_random_writes(api: Api, owner: AsyncEngine) -> None:
    chance = random.Random(7)  # noqa: S311 - the same actions in each run
    agent = await factories.agent(api)
    ids = [(await factories.session(api, agent_id=agent.id)).id for _ in range(2)]
    there: list[UUID] = []
    for _ in range(60):
        act = chance.choice(["append", "append", "update", "delete", "redact"])
        if act == "append" or not there:
            given: list[dict[str, Any]] = [
                {
                    "role": chance.choice([*MessageRole]),
                    "prompt_tokens": chance.choice([None, 0, 5, 2**31 - 1]),
                    "completion_tokens": chance.choice([None, 3]),
                    **chance.choice([{}, {"created_at": _at(chance.randrange(2000, 2050))}]),
                }
                for _ in range(chance.randrange(1, 5))
            ]
            there += [message.id for message in await factories.say(api, chance.choice(ids), *given)]
        elif act == "update":
            values = chance.choice([{"prompt_tokens": None}, {"completion_tokens": 9, "content": "x"}, {}])
            await api.run(messages.update, id_=chance.choice(there), values=values)
        elif act == "delete":
            await api.run(messages.delete, id_=there.pop(chance.randrange(len(there))))
        else:
            await api.run(messages.redact, id_=chance.choice(there))
        assert await untrue(owner, api) == [], act


async def test_redaction_removes_the_content_from_every_table(api: Api, owner: AsyncEngine) -> None:
    secret = "sesame"
    session = await factories.session(api)
    everything: dict[str, Any] = {
        "content": secret, "parts": [{"text": secret}], "media_url": secret, "media_type": secret,
        "feedback": secret, "raw_payload": {secret: 1}, "metadata_": {"a": secret},
    }  # fmt: skip
    calls = [
        called(call_id="1", arguments={"q": secret}),
        called(call_id="2", arguments={}, error=secret),
        called(call_id="3", arguments=[secret], result=secret),
    ]
    written = await factories.say(
        api,
        session.id,
        said(
            role=MessageRole.ASSISTANT,
            model="m-1",
            tool_calls=calls,
            **{k: v for k, v in everything.items() if k != "content"},
        ),
        said(**({"role": MessageRole.TOOL, "tool_call_id": "1"} | everything)),
        said("kept"),
    )
    for message in written[:2]:
        redacted = (await api.ask(REDACT, id=str(message.id)))["redactMessage"]
        assert (redacted["content"], redacted["parts"], redacted["metadata"]) == (None, None, {})
        assert redacted["redactedAt"] is not None
        assert redacted["sequence"] == message.sequence
    held = await stored(owner, api)
    assert all(secret not in rows for rows in held.values())
    assert "kept" in held["messages"]
    assert "m-1" in held["messages"]
    data = await api.ask(
        "query($id: ID!) { session(id: $id) {"
        " toolCalls(orderBy: [{field: POSITION, direction: ASC}]) { nodes {"
        " name callId status arguments result answer { id } } } } }",
        id=str(session.id),
    )
    nodes = data["session"]["toolCalls"]["nodes"]
    assert [(node["callId"], node["status"], node["arguments"], node["result"]) for node in nodes] == [
        ("1", "SUCCEEDED", {}, None), ("2", "FAILED", {}, None), ("3", "SUCCEEDED", {}, None),
    ]  # fmt: skip
    assert nodes[0]["answer"] == {"id": str(written[1].id)}
    assert await untrue(owner, api) == []


async def test_redacting_an_answer_removes_the_result_of_its_call(api: Api, owner: AsyncEngine) -> None:
    session = await factories.session(api)
    await factories.say(
        api,
        session.id,
        said(None, role=MessageRole.ASSISTANT, tool_calls=[called(call_id="1", arguments={"kept": 1})]),
    )
    [answer] = await factories.say(
        api, session.id, said('{"a": "sesame"}', role=MessageRole.TOOL, tool_call_id="1")
    )
    assert "sesame" in (await stored(owner, api))["tool_calls"]
    await api.ask(REDACT, id=str(answer.id))
    held = (await stored(owner, api))["tool_calls"]
    assert "sesame" not in held
    assert "kept" in held


async def test_a_message_is_deleted_with_its_tool_calls(api: Api, owner: AsyncEngine) -> None:
    session = await factories.session(api)
    asked, answer, _ = await factories.say(
        api,
        session.id,
        said(role=MessageRole.ASSISTANT, tool_calls=[called(call_id="1")]),
        said("done", role=MessageRole.TOOL, tool_call_id="1"),
        said(),
    )
    assert (await api.ask(DELETE, id=str(answer.id)))["deleteMessage"] == {"ids": [str(answer.id)]}
    calls = "query($id: ID!) { session(id: $id) { toolCalls { nodes { status result answer { id } } } } }"
    data = await api.ask(calls, id=str(session.id))
    assert data["session"]["toolCalls"]["nodes"] == [
        {"status": "SUCCEEDED", "result": "done", "answer": None}
    ]
    await api.ask(DELETE, id=str(asked.id))
    assert (await api.ask(calls, id=str(session.id)))["session"]["toolCalls"]["nodes"] == []
    assert [message["sequence"] for message in (await session_of(api, session.id))["messages"]["nodes"]] == [
        3
    ]
    assert await untrue(owner, api) == []


@pytest.mark.parametrize(
    ("content", "result"),
    [
        ('{"a": [1, null]}', {"a": [1, None]}),
        ("[1, 2]", [1, 2]),
        ("plain", "plain"),
        ("", ""),
        ("5", "5"),
        ("null", "null"),
        ('"text"', '"text"'),
        ("{not json}", "{not json}"),
        (r'{"a": "\u0000"}', r'{"a": "\u0000"}'),
        (r'{"\u0000": 1}', r'{"\u0000": 1}'),
        (r'{"a": "\ud800"}', r'{"a": "\ud800"}'),
        ('{"a": 1e999}', '{"a": 1e999}'),
        ('{"a": NaN}', '{"a": NaN}'),
        ("[" * 101 + "]" * 101, "[" * 101 + "]" * 101),
        ("[" * 5_000 + "]" * 5_000, "[" * 5_000 + "]" * 5_000),
        ('{"a": 18446744073709551615}', {"a": 18446744073709551615}),
        ('{"a": 18446744073709551616}', '{"a": 18446744073709551616}'),
        ('{"a": 1}\n', {"a": 1}),
        (" \t\r\n[1]\r\n \t", [1]),
        ("\n\n", "\n\n"),
        (' {"a": 1} and more\n', ' {"a": 1} and more\n'),
        ('{"a": 1}\n{"a": 2}\n', '{"a": 1}\n{"a": 2}\n'),
        (" 5\n", " 5\n"),
        ('\u00a0{"a": 1}', '\u00a0{"a": 1}'),
        ('{"a": 1}\f', '{"a": 1}\f'),
        ('\ufeff{"a": 1}', '\ufeff{"a": 1}'),
    ],
)
async def test_json_in_the_text_of_an_answer_is_the_result_of_its_call(
    api: Api, content: str, result: object
) -> None:
    session = await factories.session(api)
    calls = [called(call_id="now"), called(call_id="later")]
    await factories.say(
        api,
        session.id,
        said(role=MessageRole.ASSISTANT, tool_calls=calls),
        said(content, role=MessageRole.TOOL, tool_call_id="now"),
    )
    await factories.say(api, session.id, said(content, role=MessageRole.TOOL, tool_call_id="later"))
    data = await api.ask(
        "query($id: ID!) { session(id: $id) { toolCalls { nodes { result status answer { content } } } } }",
        id=str(session.id),
    )
    for call in data["session"]["toolCalls"]["nodes"]:
        assert call == {"result": result, "status": "SUCCEEDED", "answer": {"content": content}}


def test_the_result_is_read_from_parts_if_there_is_no_text() -> None:
    assert result_of(None, [{"type": "image"}]) == [{"type": "image"}]
    assert result_of(None) is None
    assert orjson.dumps(result_of("[]", {"a": 1})) == b"[]"
