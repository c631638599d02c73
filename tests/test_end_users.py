"""Every list of the contract, with every field and relation of its rows, shows an end user their own rows."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests import factories
from tests.contract import roots, row_types, selection
from tests.engine.twins import UUIDS
from tests.models.test_end_users import HIDDEN
from tests.models.test_end_users import shared as shared  # noqa: PLC0414  # a fixture

if TYPE_CHECKING:
    from uuid import UUID

    from tests.api import Api
    from tests.world import Rows

NOTHING = {"Agent", "AgentVersion", "AgentMetric", "Team", "Queue", "Job", "Schedule"}
NOTHING |= {f"Knowledge{kind}" for kind in ("Base", "Version", "Document", "Chunk", "Sync")}
"""The types of which an end user sees no rows."""

LISTS = {name: root for name, root in roots().items() if name not in {"ApiKey", "AccessRecord"}}


def without_durations(value: Any) -> Any:
    """Return an answer without the durations of open sessions, which grow."""
    if isinstance(value, dict):
        return {key: without_durations(each) for key, each in value.items() if key != "durationMs"}
    return [without_durations(each) for each in value] if isinstance(value, list) else value


@pytest.mark.parametrize("name", LISTS)
async def test_a_list_with_all_fields_and_relations_shows_an_end_user_their_own_rows(
    world: Api, rows: dict[str, Rows], shared: UUID, name: str
) -> None:
    fields = selection(row_types()[name], first=80)
    document = f"{{ {LISTS[name].name}(first: 120) {{ totalCount nodes {{ {fields} }} }} }}"
    ids = f"{{ {LISTS[name].name}(first: 120) {{ totalCount nodes {{ id }} }} }}"
    user = world.as_user(shared)
    planned, reference = await user.answer(document), await user.by_reference().answer(document)
    assert set(planned.codes) == set(reference.codes) <= {"FORBIDDEN"}
    assert without_durations(planned.data) == without_durations(reference.data)
    own = {each["id"] for each in (await user.ask(ids))[LISTS[name].name]["nodes"]}
    assert (await user.ask(ids))[LISTS[name].name]["totalCount"] == len(own)
    assert own < set(rows[name])
    assert bool(own) is (name not in NOTHING)
    # Whatever is named anywhere in the answer, the user can look up.
    named = {id_ for of_type in rows.values() for id_ in of_type} & set(
        UUIDS.findall(json.dumps(planned.data))
    )
    if named:
        found = await user.ask("query ($ids: [ID!]!) { nodes(ids: $ids) { id } }", ids=[*named])
        assert None not in found["nodes"]


async def test_an_end_user_sees_no_keys(world: Api, shared: UUID) -> None:
    assert "api_keys" in HIDDEN
    error = await world.as_user(shared).error("{ apiKeys { totalCount } }")
    assert error["extensions"]["code"] == "FORBIDDEN"


async def test_relations_to_hidden_objects_are_null_or_forbidden(api: Api) -> None:
    ann, bob = [await factories.user(api) for _ in range(2)]
    agent = await factories.agent(api)
    root = await factories.session(api, user_id=bob.id)
    own = await factories.session(api, user_id=ann.id, agent_id=agent.id, parent_id=root.id)
    await factories.say(api, own.id, factories.said(user_id=bob.id))
    optional = """{ sessions { nodes {
        user { id } agent { id } parent { id } ancestors { id } messages { nodes { user { id } } }
    } } }"""
    required = "{ sessions { nodes { id root { id } } } topAgents { nodes { sessionCount agent { id } } } }"
    node: dict[str, Any] = {"user": {"id": str(ann.id)}, "agent": None, "parent": None, "ancestors": []}
    node["messages"] = {"nodes": [{"user": None}]}
    for user in (api.as_user(ann.id), api.as_user(ann.id).by_reference()):
        assert await user.ask(optional) == {"sessions": {"nodes": [node]}}
        answer = await user.answer(required)
        assert set(answer.codes) == {"FORBIDDEN"}
        assert not UUIDS.findall(json.dumps(answer.data))


async def test_totals_and_searches_count_an_end_users_rows_alone(api: Api) -> None:
    people = [await factories.user(api) for _ in range(2)]
    for number, person in enumerate(people, start=1):
        for _ in range(number):
            session = await factories.session(api, user_id=person.id)
            await factories.say(api, session.id, factories.said(content=f"tea for {number}"))
            await factories.usage(api, factories.used(session.id, model=f"model-{number}", prompt_tokens=5))
            await factories.memory(api, user_id=person.id, content="likes tea")
    document = """{
        project { statistics { sessionCount messageCount promptTokens } }
        searchMessages(query: "tea") { totalCount nodes { message { content } } }
        searchMemories(query: "tea") { totalCount }
        topUsers { nodes { sessionCount } } topModels { nodes { name promptTokens } }
    }"""
    for number, person in enumerate(people, start=1):
        for user in (api.as_user(person.id), api.as_user(person.id).by_reference()):
            assert await user.ask(document) == {
                "project": {
                    "statistics": {
                        "sessionCount": number,
                        "messageCount": number,
                        "promptTokens": 5 * number,
                    }
                },
                "searchMessages": {
                    "totalCount": number,
                    "nodes": [{"message": {"content": f"tea for {number}"}}] * number,
                },
                "searchMemories": {"totalCount": number},
                "topUsers": {"nodes": [{"sessionCount": number}]},
                "topModels": {"nodes": [{"name": f"model-{number}", "promptTokens": 5 * number}]},
            }
