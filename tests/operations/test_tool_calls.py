"""Tool calls are settled once: by the message that answers them, or directly."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
import pytest
from sqlalchemy import text

from models.enums import MessageRole
from tests import factories
from tests.factories import called, said

if TYPE_CHECKING:
    from uuid import UUID

    from sqlalchemy.ext.asyncio import AsyncEngine

    from tests.api import Api

CREATE = (
    "mutation($id: ID!, $input: NewToolCallInput!) {"
    " createToolCall(messageId: $id, input: $input) { id name status result error } }"
)
RECORD = (
    "mutation($id: ID!, $input: RecordToolResultInput!) {"
    " recordToolResult(id: $id, input: $input) { status result error } }"
)
UPDATE = (
    "mutation($id: ID!, $input: UpdateToolCallInput!) {"
    " updateToolCall(id: $id, input: $input) { status result error name } }"
)


def answer_to(call_id: str, content: str = "done", **values: Any) -> dict[str, Any]:
    """Return the values of a message that answers a call."""
    return said(content, role=MessageRole.TOOL, tool_call_id=call_id, **values)


def call_message(*call_ids: str, **values: Any) -> dict[str, Any]:
    """Return the values of a message that makes calls."""
    return said(
        None, role=MessageRole.ASSISTANT, tool_calls=[called(call_id=id_, **values) for id_ in call_ids]
    )


async def call_outcomes(api: Api, session_id: UUID) -> list[tuple[Any, ...]]:
    """Return for each call: its message's sequence, id, status, outcome, and its answer's sequence."""
    data = await api.ask(
        "query($id: ID!) { session(id: $id) { messages { nodes { sequence toolCalls(orderBy:"
        " [{field: POSITION, direction: ASC}]) { nodes {"
        " callId status result error answer { sequence } } } } } } }",
        id=str(session_id),
    )
    return [
        (
            message["sequence"],
            call["callId"],
            call["status"],
            call["error"] if call["status"] == "FAILED" else call["result"],
            call["answer"] and call["answer"]["sequence"],
        )
        for message in data["session"]["messages"]["nodes"]
        for call in message["toolCalls"]["nodes"]
    ]


@pytest.mark.parametrize("separately", [True, False])
async def test_answers_go_to_the_latest_message_with_the_call_id(api: Api, *, separately: bool) -> None:
    given = [
        call_message("a"),
        answer_to("a", "first"),
        call_message("a"),
        call_message("a", "b"),
        answer_to("b", "of b"),
        answer_to("a", "latest"),
        answer_to("a", "the one before"),
    ]
    session = await factories.session(api)
    for part in [[each] for each in given] if separately else [given]:
        await factories.say(api, session.id, *part)
    assert await call_outcomes(api, session.id) == [
        (1, "a", "SUCCEEDED", "first", 2),
        (3, "a", "SUCCEEDED", "the one before", 7),
        (4, "a", "SUCCEEDED", "latest", 6),
        (4, "b", "SUCCEEDED", "of b", 5),
    ]


@pytest.mark.parametrize("separately", [True, False])
async def test_parallel_calls_with_the_same_id_are_answered_in_order(api: Api, *, separately: bool) -> None:
    given = [call_message("a", "a", "a"), answer_to("a", "1"), answer_to("a", "2")]
    session = await factories.session(api)
    for part in [[each] for each in given] if separately else [given]:
        await factories.say(api, session.id, *part)
    assert [call[2:] for call in await call_outcomes(api, session.id)] == [
        ("SUCCEEDED", "1", 2),
        ("SUCCEEDED", "2", 3),
        ("PENDING", None, None),
    ]


@pytest.mark.parametrize("separately", [True, False])
async def test_an_answer_with_an_error_fails_its_call(api: Api, *, separately: bool) -> None:
    given = [call_message("a"), answer_to("a", "text", tool_error="it is down")]
    session = await factories.session(api)
    for part in [[each] for each in given] if separately else [given]:
        await factories.say(api, session.id, *part)
    assert await call_outcomes(api, session.id) == [(1, "a", "FAILED", "it is down", 2)]


@pytest.mark.parametrize("recorded", [{"result": {"a": 1}}, {"error": "it is down"}, {"result": None}])
@pytest.mark.parametrize("how", ["record", "with the call", "with the call, in one write"])
async def test_an_outcome_recorded_before_the_answer_stays(
    api: Api, recorded: dict[str, Any], how: str
) -> None:
    session = await factories.session(api)
    if how == "record":
        [message] = await factories.say(api, session.id, call_message("a"))
        data = await api.ask(
            "query($id: ID!) { message(id: $id) { toolCalls { nodes { id } } } }", id=str(message.id)
        )
        await api.ask(RECORD, id=data["message"]["toolCalls"]["nodes"][0]["id"], input=recorded)
        await factories.say(api, session.id, answer_to("a", "later", tool_error="later"))
    elif how == "with the call":
        await factories.say(api, session.id, call_message("a", **recorded))
        await factories.say(api, session.id, answer_to("a", "later"))
    else:
        await factories.say(api, session.id, call_message("a", **recorded), answer_to("a", "later"))
    status = "FAILED" if "error" in recorded else "SUCCEEDED"
    assert await call_outcomes(api, session.id) == [(1, "a", status, *recorded.values(), 2)]


async def test_a_call_of_another_session_is_not_answered(api: Api) -> None:
    one, two = await factories.session(api), await factories.session(api)
    await factories.say(api, one.id, call_message("a"))
    error = await api.error(
        "mutation($id: ID!) { appendMessages(sessionId: $id, messages:"
        ' [{role: TOOL, toolCallId: "a"}]) { id } }',
        id=str(two.id),
    )
    assert error["extensions"] == {"code": "BAD_USER_INPUT", "field": "messages.0.toolCallId"}
    assert (await call_outcomes(api, one.id))[0][2] == "PENDING"


async def test_a_tool_message_may_answer_no_call(api: Api) -> None:
    session = await factories.session(api)
    [message] = await factories.say(api, session.id, said("done", role=MessageRole.TOOL))
    data = await api.ask(
        "query($id: ID!) { message(id: $id) { toolCall { id } content } }", id=str(message.id)
    )
    assert data["message"] == {"toolCall": None, "content": "done"}


async def test_each_call_gets_its_own_result(api: Api) -> None:
    session = await factories.session(api)
    results: list[Any] = [[1, 2], {"a": []}, "text", [], [[3], [4, 5]], "", "[6"]
    await factories.say(api, session.id, call_message(*map(str, range(len(results)))))
    texts = [each if isinstance(each, str) else orjson.dumps(each).decode() for each in results]
    await factories.say(api, session.id, *(answer_to(str(place), text) for place, text in enumerate(texts)))
    assert [call[3] for call in await call_outcomes(api, session.id)] == results


async def create_call(api: Api, **values: Any) -> str:
    """Create a call and return its id."""
    session = await factories.session(api)
    [message] = await factories.say(api, session.id, said(role=MessageRole.ASSISTANT))
    given = {"name": "find", "arguments": {}, **values}
    call: str = (await api.ask(CREATE, id=str(message.id), input=given))["createToolCall"]["id"]
    return call


async def test_a_result_can_be_recorded_only_once(api: Api) -> None:
    call = await create_call(api)
    done = (await api.ask(RECORD, id=call, input={"result": {"a": 1}}))["recordToolResult"]
    assert done == {"status": "SUCCEEDED", "result": {"a": 1}, "error": None}
    error = await api.error(RECORD, id=call, input={"error": "no"})
    assert error["extensions"] == {"code": "CONFLICT", "field": "id"}


async def test_a_new_result_replaces_an_error_and_vice_versa(api: Api) -> None:
    call = await create_call(api, error="it is down")
    for given, expected in (
        ({"result": 1}, {"status": "SUCCEEDED", "result": 1, "error": None}),
        ({"error": "again"}, {"status": "FAILED", "result": None, "error": "again"}),
        ({"result": None}, {"status": "SUCCEEDED", "result": None, "error": None}),
        ({"error": None}, {"status": "SUCCEEDED", "result": None, "error": None}),
    ):
        changed = (await api.ask(UPDATE, id=call, input=given))["updateToolCall"]
        assert changed == expected | {"name": "find"}
    await api.ask(UPDATE, id=call, input={"error": "again"})
    error = await api.error(UPDATE, id=call, input={"error": None})
    assert error["extensions"] == {"code": "BAD_USER_INPUT", "field": "error"}


async def test_errors_of_a_session_are_counted_as_calls_fail_and_are_mended(api: Api) -> None:
    session = await factories.session(api)

    async def errors() -> int:
        data = await api.ask("query($id: ID!) { session(id: $id) { errorCount } }", id=str(session.id))
        count: int = data["session"]["errorCount"]
        return count

    # One call fails as it is made, one is answered in the same write, and one in a later one.
    asked = call_message("made", error="no")
    await factories.say(api, session.id, asked, call_message("now", "later", "settled"))
    await factories.say(api, session.id, call_message("same"), answer_to("same", tool_error="no"))
    assert await errors() == 2
    [late, *_] = await factories.say(api, session.id, answer_to("later", tool_error="no"), answer_to("now"))
    assert await errors() == 3
    data = await api.ask(
        "query($id: ID!) {"
        " session(id: $id) { messages { nodes { id toolCalls { nodes { id callId } } } } } }",
        id=str(session.id),
    )
    messages = data["session"]["messages"]["nodes"]
    calls = {call["callId"]: call["id"] for each in messages for call in each["toolCalls"]["nodes"]}
    await api.ask(RECORD, id=calls["settled"], input={"error": "no"})
    assert await errors() == 4
    # The answer to a call that has failed already keeps its outcome, and its error counts once.
    await factories.say(api, session.id, answer_to("settled", tool_error="no"))
    assert await errors() == 4
    await api.ask(UPDATE, id=calls["later"], input={"result": 1})
    assert await errors() == 3
    await api.ask("mutation($id: ID!) { deleteMessage(id: $id) { ids } }", id=str(late.id))
    assert await errors() == 3
    await api.ask("mutation($id: ID!) { redactMessage(id: $id) { id } }", id=messages[0]["id"])
    assert await errors() == 3
    await api.ask("mutation($id: ID!) { deleteToolCall(id: $id) { ids } }", id=calls["same"])
    assert await errors() == 2
    # A message is deleted with its calls.
    await api.ask("mutation($id: ID!) { deleteMessage(id: $id) { ids } }", id=messages[0]["id"])
    assert await errors() == 1
    found = await api.ask("{ sessions(filter: {errorCount: {gt: 0}}) { nodes { id errorCount } } }")
    assert found["sessions"]["nodes"] == [{"id": str(session.id), "errorCount": 1}]


async def test_a_count_that_is_too_low_keeps_no_error_from_being_mended(api: Api, owner: AsyncEngine) -> None:
    call = await create_call(api, error="it is down")
    async with owner.begin() as connection:
        # As if a server of an older version had written the call.
        wrong = text("UPDATE sessions SET error_count = 0 WHERE project_id = :project")
        await connection.execute(wrong, {"project": api.principal.project_id})
    await api.ask(UPDATE, id=call, input={"result": 1})
    found = await api.ask("{ sessions { nodes { errorCount } } }")
    assert found["sessions"]["nodes"] == [{"errorCount": 0}]


async def test_only_assistant_messages_make_calls(api: Api) -> None:
    session = await factories.session(api)
    [message] = await factories.say(api, session.id, said())
    error = await api.error(CREATE, id=str(message.id), input={"name": "find", "arguments": {}})
    assert error["extensions"] == {"code": "BAD_USER_INPUT", "field": "messageId"}


async def test_a_new_call_comes_after_the_existing_calls_of_its_message(api: Api) -> None:
    session = await factories.session(api)
    [message] = await factories.say(api, session.id, call_message("a", "b"))
    await factories.tool_call(api, message.id, call_id="c")
    assert [call[1] for call in await call_outcomes(api, session.id)] == ["a", "b", "c"]


async def test_deleting_a_call_keeps_its_message(api: Api) -> None:
    call = await create_call(api)
    delete = "mutation($id: ID!) { deleteToolCall(id: $id) { ids } }"
    assert (await api.ask(delete, id=call))["deleteToolCall"] == {"ids": [call]}
    assert (await api.error(delete, id=call))["extensions"] == {"code": "NOT_FOUND", "field": "id"}
    assert (await api.ask("{ messages { totalCount } }"))["messages"]["totalCount"] == 1
