"""Knowledge bases, their versions, and the agents that use them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests import factories
from tests.api import traffic
from tests.writes import untrue

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

    from tests.api import Api

CREATE = "mutation($input: CreateKnowledgeBaseInput!) { createKnowledgeBase(input: $input) { id } }"
LINK = """mutation($agent: ID!, $bases: [ID!]!) {
  linkKnowledgeBases(agentId: $agent, knowledgeBaseIds: $bases) {
    knowledgeBaseCount knowledgeBases { nodes { id } }
  }
}"""
UNLINK = LINK.replace("linkKnowledgeBases", "unlinkKnowledgeBases")


async def test_agents_use_several_knowledge_bases_and_a_base_serves_several_agents(api: Api) -> None:
    agent, other = await factories.agent(api, name="b"), await factories.agent(api, name="a")
    one = await factories.knowledge_base(api, name="one", agent_ids=[agent.id, other.id, agent.id])
    two = await factories.knowledge_base(api, name="two")
    ids = {"agent": str(agent.id), "bases": [str(two.id), str(one.id), str(two.id)]}
    linked = (await api.ask(LINK, **ids))["linkKnowledgeBases"]
    assert linked == {
        "knowledgeBaseCount": 2,
        "knowledgeBases": {"nodes": [{"id": str(one.id)}, {"id": str(two.id)}]},
    }
    agents = (
        "{ knowledgeBases(orderBy: [{field: NAME, direction: ASC}]) { nodes { agents { nodes { name } } } } }"
    )
    assert (await api.ask(agents))["knowledgeBases"]["nodes"] == [
        {"agents": {"nodes": [{"name": "a"}, {"name": "b"}]}},
        {"agents": {"nodes": [{"name": "b"}]}},
    ]
    left = (await api.ask(UNLINK, agent=str(agent.id), bases=[str(one.id)]))["unlinkKnowledgeBases"]
    assert left["knowledgeBaseCount"] == 1
    found = await api.ask(
        '{ agents(filter: {knowledgeBases: {some: {name: {eq: "one"}}}}) { nodes { name } } }'
    )
    assert found == {"agents": {"nodes": [{"name": "a"}]}}


async def test_one_unknown_knowledge_base_links_none(api: Api, other: Api) -> None:
    agent = await factories.agent(api)
    own, theirs = await factories.knowledge_base(api), await factories.knowledge_base(other)
    error = await api.error(LINK, agent=str(agent.id), bases=[str(own.id), str(theirs.id)])
    assert error["extensions"] == {"code": "NOT_FOUND", "field": "knowledgeBaseIds"}
    counted = await api.ask("{ agents { nodes { knowledgeBaseCount } } }")
    assert counted == {"agents": {"nodes": [{"knowledgeBaseCount": 0}]}}


@pytest.mark.parametrize("field", ["name", "externalId"])
async def test_a_name_or_external_id_of_another_knowledge_base_conflicts(api: Api, field: str) -> None:
    await api.ask(CREATE, input={"name": "One", "externalId": "1"})
    taken = {"name": "Two", "externalId": "2", field: {"name": "One"}.get(field, "1")}
    error = await api.error(CREATE, input=taken)
    assert error["extensions"] == {"code": "CONFLICT", "field": field}


async def test_agents_and_knowledge_bases_outlive_each_other(api: Api) -> None:
    agents = [await factories.agent(api) for _ in range(2)]
    bases = [await factories.knowledge_base(api, agent_ids=[agent.id for agent in agents]) for _ in range(2)]
    await api.ask(
        "mutation($a: ID!, $b: ID!) { deleteAgent(id: $a) { ids } deleteKnowledgeBase(id: $b) { ids } }",
        a=str(agents[0].id),
        b=str(bases[0].id),
    )
    left = await api.ask("{ agents { nodes { knowledgeBases { nodes { id } } } } }")
    assert left == {"agents": {"nodes": [{"knowledgeBases": {"nodes": [{"id": str(bases[1].id)}]}}]}}


async def test_deleting_a_version_leaves_the_other_versions(api: Api, owner: AsyncEngine) -> None:
    base = await factories.knowledge_base(api)
    for version in ("v1", "v2"):
        document = await factories.knowledge_document(api, base.id, version=version)
        await factories.knowledge_chunks_of(api, document.id, "a", "b")
    stats = """{ knowledgeBases { nodes {
      documentCount chunkCount
      versions(orderBy: [{field: VERSION, direction: ASC}]) { nodes { id version documentCount chunkCount } }
    } } }"""
    [found] = (await api.ask(stats))["knowledgeBases"]["nodes"]
    assert (found["documentCount"], found["chunkCount"]) == (2, 4)
    first, second = found["versions"]["nodes"]
    assert (first["version"], first["documentCount"], first["chunkCount"]) == ("v1", 1, 2)
    deleted = await api.ask("mutation($id: ID!) { deleteKnowledgeVersion(id: $id) { ids } }", id=first["id"])
    assert deleted == {"deleteKnowledgeVersion": {"ids": [first["id"]]}}
    [left] = (await api.ask(stats))["knowledgeBases"]["nodes"]
    assert left == {"documentCount": 1, "chunkCount": 2, "versions": {"nodes": [second]}}
    assert await untrue(owner, api) == []


async def test_counts_of_many_bases_take_one_statement(api: Api) -> None:
    for _ in range(5):
        base = await factories.knowledge_base(api)
        await factories.knowledge_document(api, base.id)
        await factories.knowledge_sync(api, base.id)
    with traffic(api.database) as seen:
        await api.ask("""{ knowledgeBases { nodes {
            documentCount chunkCount lastCommitSha lastSyncedAt lastSync { status }
            versions { nodes { version chunkCount documentCount } }
        } } }""")
    assert len(seen.statements) == 1
