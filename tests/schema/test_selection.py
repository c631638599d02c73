"""Every field of the contract can be selected, with fragments, aliases and directives."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests import factories
from tests.contract import QUERY, connections, is_connection, roots, row_types, selection

if TYPE_CHECKING:
    from tests.api import Api
    from tests.world import Rows


@pytest.mark.parametrize("type_", row_types())
async def test_every_field_of_every_type_can_be_selected(
    world: Api, rows: dict[str, Rows], type_: str
) -> None:
    ids = (
        list(rows[type_])[:50]
        if type_ in rows
        else [(await world.ask("{ project { id } }"))["project"]["id"]]
    )
    fields = selection(row_types()[type_])
    data = await world.ask(
        f"query ($ids: [ID!]!) {{ nodes(ids: $ids) {{ ... on {type_} {{ {fields} }} }} }}", ids=ids
    )
    assert [node["id"] for node in data["nodes"]] == ids


@pytest.mark.parametrize("field", [field for field in connections() if not field.at_root], ids=str)
async def test_every_field_of_the_nodes_of_every_list_can_be_selected(world: Api, field: Any) -> None:
    inner = selection(row_types()[field.node])
    parent = roots()[field.parent].name
    await world.ask(
        f"""{{ {parent}(first: 10) {{ nodes {{
            {field.name}(first: 3) {{ totalCount nodes {{ {inner} }} }}
        }} }} }}"""
    )


def test_every_root_field_is_a_lookup_or_a_list() -> None:
    singles = {root.single for root in roots().values()} - {"apiKey", "accessRecord"}
    lists = {name for name, field in QUERY.fields.items() if is_connection(field)}
    assert set(QUERY.fields) == singles | lists | {"project", "node", "nodes"}


async def test_an_actor_is_a_user_or_an_agent_or_null(api: Api) -> None:
    user, agent = await factories.user(api), await factories.agent(api, name="bot")
    await factories.agent_version(api, agent.id, version_number="1", created_by_user_id=user.id)
    await factories.agent_version(api, agent.id, version_number="2", created_by_agent_id=agent.id)
    await factories.agent_version(api, agent.id, version_number="3")
    data = await api.ask("""{
        agentVersions(orderBy: [{field: VERSION_NUMBER, direction: ASC}]) {
            nodes {
                createdBy {
                    __typename
                    ... on Node { id }
                    ... on User { email }
                    ... on Agent { name versions { totalCount } }
                }
            }
        }
    }""")
    assert [node["createdBy"] for node in data["agentVersions"]["nodes"]] == [
        {"__typename": "User", "id": str(user.id), "email": None},
        {"__typename": "Agent", "id": str(agent.id), "name": "bot", "versions": {"totalCount": 3}},
        None,
    ]


async def test_fragments_aliases_and_directives_can_be_combined(api: Api) -> None:
    agent = await factories.agent(api, name="bot")
    for title, score in (("a", 0.5), ("b", 1.0), ("c", None)):
        await factories.session(api, agent_id=agent.id, title=title, quality_score=score)
    data = await api.ask(
        """query ($id: ID!, $yes: Boolean!, $no: Boolean!) {
            node(id: $id) {
                ...Named
                ... on Agent {
                    good: sessions(filter: {qualityScore: {eq: 1}}) { ...Titles }
                    unknown: sessions(filter: {qualityScore: {isNull: true}}) { ...Titles }
                    one: sessions(first: 1, orderBy: [{field: QUALITY_SCORE, direction: DESC}]) { ...Titles }
                    all: sessions @include(if: $yes) { totalCount }
                    none: sessions @include(if: $no) { totalCount }
                    skipped: sessions @skip(if: $yes) { totalCount }
                    sessions { totalCount }
                    statistics { sessionCount }
                    best: statistics(sessions: {qualityScore: {eq: 1}}) { sessionCount }
                }
                ... on Session { title }
            }
            again: node(id: $id) { ...Named }
        }
        fragment Named on Node { id ... on Agent { name } ... on User { email } }
        fragment Titles on SessionConnection { nodes { title } totalCount ...Edges }
        fragment Edges on SessionConnection { edges { node { agent { ...Named } } } }""",
        id=str(agent.id),
        yes=True,
        no=False,
    )
    named = {"id": str(agent.id), "name": "bot"}
    edges = [{"node": {"agent": named}}]
    assert data["again"] == named
    assert data["node"] == {
        **named,
        "good": {"nodes": [{"title": "b"}], "totalCount": 1, "edges": edges},
        "unknown": {"nodes": [{"title": "c"}], "totalCount": 1, "edges": edges},
        "one": {"nodes": [{"title": "b"}], "totalCount": 3, "edges": edges},
        "all": {"totalCount": 3},
        "sessions": {"totalCount": 3},
        "statistics": {"sessionCount": 3},
        "best": {"sessionCount": 1},
    }


async def test_a_fragment_spread_in_two_places_is_read_for_each(api: Api) -> None:
    agent = await factories.agent(api)
    for index in range(3):
        session = await factories.session(api, agent_id=agent.id, title=str(index))
        await factories.say(api, session.id, *[factories.said(str(index))] * (index + 1))
    data = await api.ask("""
        query ($n: Int = 1) {
            few: agents { nodes { sessions(first: 1) { ...Messages } } }
            many: agents { nodes { sessions(first: 3) { ...Messages } } }
        }
        fragment Messages on SessionConnection {
            nodes { title messages(first: $n) { totalCount nodes { content } } }
        }
    """)
    [few], [many] = data["few"]["nodes"], data["many"]["nodes"]
    expected = [
        {"title": str(index), "messages": {"totalCount": index + 1, "nodes": [{"content": str(index)}]}}
        for index in (2, 1, 0)
    ]
    assert few["sessions"]["nodes"] == expected[:1]
    assert many["sessions"]["nodes"] == expected
