"""Trees of sessions: their ancestors, descendants and totals, as Python computes them."""

from __future__ import annotations

from datetime import datetime
from random import Random
from typing import TYPE_CHECKING, Any

import pytest

from models.enums import MessageRole
from tests import factories

if TYPE_CHECKING:
    from tests.api import Api
    from tests.world import Rows

TREE = """{ sessions(first: 200) { nodes {
    id depth messageCount promptTokens completionTokens costUsd startedAt endedAt
    parent { id } root { id } ancestors { id } children(first: 100) { nodes { id } }
    descendants(first: 200) { totalCount nodes { id } }
    toolCalls(first: 100) { nodes { status } }
    events(first: 100) { nodes { eventType } }
    firstMessage { sequence } lastMessage { sequence }
    tree {
        sessionCount maxDepth messageCount promptTokens completionTokens costUsd errorCount durationMs
    }
} } }"""


async def grow(api: Api, random: Random, count: int) -> None:
    """Create sessions, some as roots and others as children of earlier ones."""
    sessions: list[Any] = []
    for number in range(count):
        parent = random.choice([None, *sessions[-6:]]) if number else None
        ended: dict[str, Any] = random.choice(
            [
                {
                    "status": "COMPLETED",
                    "ended_at": datetime.fromisoformat(f"2026-03-{random.randrange(10, 20)}T00:00:00Z"),
                },
                {},
            ]
            if number % 3 == 0
            else [{"status": "FAILED", "ended_at": datetime.fromisoformat("2026-04-01T12:00:00Z")}]
        )
        started_at = datetime.fromisoformat(f"2026-03-0{random.randrange(1, 9)}T00:00:00Z")
        values = {
            "parent_id": parent and parent.id,
            "cost_usd": random.choice([None, 0.25, 1.5]),
            "started_at": started_at,
        }
        sessions.append(await factories.session(api, **values, **ended))
        if random.randrange(2):
            calls = [
                factories.called(error="no") if random.randrange(2) else factories.called() for _ in range(3)
            ]
            message = factories.said(
                role=MessageRole.ASSISTANT, prompt_tokens=7, completion_tokens=2, tool_calls=calls
            )
            await factories.say(api, sessions[-1].id, *[message] * random.randrange(1, 3))
        if number % 4 == 0:
            happened = [factories.happened("error"), factories.happened("checkpoint")]
            await factories.events(api, sessions[-1].id, *happened)


@pytest.mark.parametrize("seed", range(2))
async def test_trees_and_totals_equal_those_that_python_computes(api: Api, seed: int) -> None:
    await grow(api, Random(seed), 25)  # noqa: S311  # the same trees each time
    nodes = {node["id"]: node for node in (await api.ask(TREE))["sessions"]["nodes"]}
    assert len(nodes) == 25
    assert max(node["depth"] for node in nodes.values()) > 2

    def above(node: dict[str, Any]) -> list[str]:
        return [*above(nodes[node["parent"]["id"]]), node["parent"]["id"]] if node["parent"] else []

    for id_, node in nodes.items():
        below = {other["id"] for other in nodes.values() if id_ in above(other)}
        assert [each["id"] for each in node["ancestors"]] == above(node)
        assert node["depth"] == len(above(node))
        assert node["root"]["id"] == [*above(node), id_][0]
        assert {each["id"] for each in node["descendants"]["nodes"]} == below
        assert node["descendants"]["totalCount"] == len(below)
        assert {each["id"] for each in node["children"]["nodes"]} == {
            other["id"] for other in nodes.values() if other["parent"] == {"id": id_}
        }
        whole = [nodes[each] for each in (id_, *below)]
        tree = dict(node["tree"])
        duration = tree.pop("durationMs")
        assert tree == {
            "sessionCount": len(whole),
            "maxDepth": max(each["depth"] for each in whole),
            "messageCount": sum(each["messageCount"] for each in whole),
            "promptTokens": sum(each["promptTokens"] for each in whole),
            "completionTokens": sum(each["completionTokens"] for each in whole),
            "costUsd": sum(each["costUsd"] or 0 for each in whole),
            "errorCount": sum(
                call["status"] == "FAILED" for each in whole for call in each["toolCalls"]["nodes"]
            )
            + sum(event["eventType"] == "error" for each in whole for event in each["events"]["nodes"]),
        }
        if all(each["endedAt"] for each in whole):
            begin = min(datetime.fromisoformat(each["startedAt"]) for each in whole)
            end = max(datetime.fromisoformat(each["endedAt"]) for each in whole)
            assert duration == (end - begin).total_seconds() * 1000
        else:
            assert duration > 0
        last = node["messageCount"] or None
        assert (node["lastMessage"] and node["lastMessage"]["sequence"]) == last
        assert (node["firstMessage"] and node["firstMessage"]["sequence"]) == (last and 1)


async def test_tool_calls_of_a_session_are_in_the_order_of_their_messages(api: Api) -> None:
    session = await factories.session(api)
    said = [
        factories.said(
            None,
            role=MessageRole.ASSISTANT,
            tool_calls=[factories.called(f"{number}-{place}") for place in range(3)],
        )
        for number in range(3)
    ]
    await factories.say(api, session.id, *said)
    nodes = (await api.ask("{ sessions { nodes { toolCalls { nodes { name } } } } }"))["sessions"]["nodes"]
    assert [call["name"] for call in nodes[0]["toolCalls"]["nodes"]] == [
        f"{number}-{place}" for number in range(3) for place in range(3)
    ]


async def test_relations_agree_in_both_directions(rows: dict[str, Rows]) -> None:
    for session in rows["Session"].values():
        for child in session["children"]:
            assert rows["Session"][child["id"]]["parent"] == {"__typename": "Session", "id": session["id"]}
        for message in session["messages"]:
            assert rows["Message"][message["id"]]["session"]["id"] == session["id"]
    for call in rows["ToolCall"].values():
        assert {"id": call["id"]} in rows["Message"][call["message"]["id"]]["toolCalls"]
        if call["answer"]:
            assert rows["Message"][call["answer"]["id"]]["toolCall"]["id"] == call["id"]


async def test_state_value_returns_the_value_at_a_path(api: Api) -> None:
    state = {"moduleId": "writer", "steps": [{"done": True}, {"done": None}], "": 1}
    await factories.session(api, title="writing", state=state)
    await factories.session(api, title="idle")
    data = await api.ask("""{ sessions(filter: {state: {isEmpty: false}}) { nodes {
        title all: stateValue(path: []) moduleId: stateValue(path: ["moduleId"])
        first: stateValue(path: ["steps", "0", "done"]) last: stateValue(path: ["steps", "-1", "done"])
        none: stateValue(path: ["moduleId", "x"]) empty: stateValue(path: "")
    } } }""")
    [found] = data["sessions"]["nodes"]
    expected = {"moduleId": "writer", "first": True, "last": None, "none": None, "empty": 1, "all": state}
    assert found == {"title": "writing", **expected}


async def test_a_path_with_a_nul_character_is_refused(api: Api) -> None:
    await factories.session(api)
    error = await api.error('{ sessions { nodes { stateValue(path: ["a\\u0000"]) } } }')
    assert error["extensions"]["code"] == "BAD_USER_INPUT"
    assert error["extensions"]["field"] == "path"
