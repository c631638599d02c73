"""Questions about memories."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.questions.project import Project


async def test_memories_of_an_agent_are_listed_with_usefulness_and_history(shop: Project) -> None:
    data = await shop.query("""{ agent(name: "Seller") { memories { totalCount nodes {
        content memoryType importance accessCount usefulness
        annotations { nodes { annotationType content isApplied } }
        history { nodes { content } }
        relatedMemories { nodes { content } }
    } } } }""")
    rows = await shop.sql("""
        SELECT m.content, m.memory_type AS "memoryType", m.importance,
            (SELECT count(*) FROM memory_accesses a WHERE a.memory_id = m.id) AS "accessCount",
            (SELECT avg(usefulness) FROM memory_accesses a WHERE a.memory_id = m.id) AS usefulness,
            jsonb_build_object('nodes', (SELECT coalesce(jsonb_agg(jsonb_build_object(
                'annotationType', annotation_type, 'content', n.content, 'isApplied', applied_at IS NOT NULL
                ) ORDER BY n.created_at DESC, n.id DESC), '[]')
                FROM memory_annotations n WHERE n.memory_id = m.id)) AS annotations,
            jsonb_build_object('nodes', (SELECT coalesce(jsonb_agg(jsonb_build_object('content', r.content)
                ORDER BY r.sequence DESC), '[]')
                FROM memory_revisions r WHERE r.memory_id = m.id)) AS history,
            jsonb_build_object('nodes', (SELECT coalesce(jsonb_agg(jsonb_build_object('content', o.content)),
                '[]') FROM memory_links l JOIN memories o ON o.id = l.related_id WHERE l.memory_id = m.id)
                ) AS "relatedMemories"
        FROM memories m JOIN agents a ON a.id = m.agent_id
        WHERE a.project_id = :project AND a.name = 'Seller' ORDER BY m.created_at DESC, m.id DESC
    """)
    assert data["agent"]["memories"] == {"totalCount": 3, "nodes": rows}
    assert [row["usefulness"] for row in rows] == [None, 0.5, 0.625]
    assert rows[1]["content"] == "tea costs 4"
    assert rows[1]["history"] == {"nodes": [{"content": "tea costs 3"}]}
