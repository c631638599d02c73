"""Questions about knowledge bases."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.questions.project import Project


async def test_chunks_are_counted_by_knowledge_base_and_version(shop: Project) -> None:
    data = await shop.query("""{ knowledgeVersions(
        orderBy: [{field: CHUNK_COUNT, direction: DESC}]
    ) { nodes { knowledgeBase { externalId } version documentCount chunkCount } } }""")
    rows = await shop.sql("""
        SELECT jsonb_build_object('externalId', b.external_id) AS "knowledgeBase", c.version,
            count(DISTINCT c.document_id) AS "documentCount", count(*) AS "chunkCount"
        FROM knowledge_chunks c JOIN knowledge_bases b ON b.id = c.knowledge_base_id
        WHERE c.project_id = :project GROUP BY b.external_id, c.version ORDER BY count(*) DESC
    """)
    assert data["knowledgeVersions"]["nodes"] == rows
    assert [row["chunkCount"] for row in rows] == [3, 2, 1]


async def test_agents_are_listed_with_the_numbers_of_their_tools_and_knowledge_bases(shop: Project) -> None:
    data = await shop.query("""{ agents(orderBy: [{field: NAME, direction: ASC}]) {
        nodes { name toolCount knowledgeBaseCount }
    } }""")
    rows = await shop.sql("""
        SELECT name, jsonb_array_length(tools) AS "toolCount", (
            SELECT count(*) FROM agent_knowledge_bases l WHERE l.agent_id = a.id
        ) AS "knowledgeBaseCount"
        FROM agents a WHERE project_id = :project ORDER BY name COLLATE "C"
    """)
    assert data["agents"]["nodes"] == rows
    assert {row["knowledgeBaseCount"] for row in rows} == {0, 2}


async def test_the_state_of_a_sync_is_that_of_the_latest_success(shop: Project) -> None:
    data = await shop.query("""{ knowledgeBase(externalId: "teas") {
        lastCommitSha lastSyncedAt lastSync { status error }
    } }""")
    [row] = await shop.sql("""
        SELECT commit_sha AS "lastCommitSha", finished_at AS "lastSyncedAt" FROM knowledge_syncs
        WHERE project_id = :project AND status = 'SUCCEEDED' ORDER BY finished_at DESC LIMIT 1
    """)
    assert data["knowledgeBase"] == row | {"lastSync": {"status": "FAILED", "error": "no network"}}


async def test_the_use_of_a_knowledge_base_sums_up_that_of_its_documents(shop: Project) -> None:
    data = await shop.query("""{ knowledgeBases(orderBy: [{field: NAME, direction: ASC}]) { nodes {
        name accessCount lastAccessedAt
        documents(first: 1, orderBy: [{field: ACCESS_COUNT, direction: DESC}]) { nodes { accessCount } }
    } } }""")
    rows = await shop.sql("""
        SELECT b.name, sum(d.access_count) AS "accessCount", max(d.last_accessed_at) AS "lastAccessedAt",
            jsonb_build_object(
                'nodes', jsonb_build_array(jsonb_build_object('accessCount', max(d.access_count)))
            ) AS documents
        FROM knowledge_documents d JOIN knowledge_bases b ON b.id = d.knowledge_base_id
        WHERE d.project_id = :project GROUP BY b.name ORDER BY b.name COLLATE "C"
    """)
    assert data["knowledgeBases"]["nodes"] == rows
    assert [row["accessCount"] for row in rows] == [0, 6]
