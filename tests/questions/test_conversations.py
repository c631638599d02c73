"""Questions about conversations, their users and their agents."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.questions.project import Project


async def test_conversations_are_listed_newest_first_with_message_counts(varied: Project) -> None:
    data = await varied.query("""{
        sessions(first: 500, orderBy: [{field: CREATED_AT, direction: DESC}]) {
            totalCount nodes { id title createdAt messageCount agent { name } }
        }
    }""")
    rows = await varied.sql("""
        SELECT s.id, s.title, s.created_at AS "createdAt",
            (SELECT count(*) FROM messages m WHERE m.session_id = s.id) AS "messageCount",
            CASE WHEN a.id IS NOT NULL THEN jsonb_build_object('name', a.name) END AS agent
        FROM sessions s LEFT JOIN agents a ON a.id = s.agent_id
        WHERE s.project_id = :project ORDER BY s.created_at DESC, s.id DESC
    """)
    assert data["sessions"] == {"totalCount": len(rows), "nodes": rows}
    assert 0 in {row["messageCount"] for row in rows}
    assert len({row["createdAt"] for row in rows}) < len(rows)


async def test_messages_of_a_conversation_are_listed_in_order(varied: Project) -> None:
    session = await varied.value(
        "SELECT session_id FROM messages WHERE project_id = :project"
        " GROUP BY session_id ORDER BY count(*) DESC LIMIT 1"
    )
    data = await varied.query(
        """query($id: ID!) { session(id: $id) { messages(first: 500) { nodes {
            id sequence role content createdAt toolCalls { totalCount }
        } } } }""",
        id=session,
    )
    rows = await varied.sql(
        """
        SELECT id, sequence, role, content, created_at AS "createdAt", jsonb_build_object('totalCount',
            (SELECT count(*) FROM tool_calls c WHERE c.message_id = m.id)) AS "toolCalls"
        FROM messages m WHERE project_id = :project AND session_id::text = :id ORDER BY sequence
        """,
        id=session,
    )
    assert data["session"]["messages"]["nodes"] == rows
    assert len(rows) > 2


async def test_messages_of_a_conversation_can_be_filtered_to_tool_calls_and_answers(shop: Project) -> None:
    """The messages that call a tool, and those that answer a call."""
    data = await shop.query("""{ sessions(filter: {title: {eq: "order"}}) { nodes {
        messages(filter: {or: [{toolCalls: {some: {}}}, {toolCall: {}}]}) { nodes {
            sequence role tokenCount latencyMs
            toolCalls { nodes { name arguments result error status } }
            toolCall { name }
        } }
    } } }""")
    rows = await shop.sql("""
        SELECT m.sequence, m.role, m.token_count AS "tokenCount", m.latency_ms AS "latencyMs",
            jsonb_build_object('nodes', coalesce((
                SELECT jsonb_agg(jsonb_build_object('name', c.name, 'arguments', c.arguments,
                    'result', c.result, 'error', c.error, 'status', c.status) ORDER BY c.position)
                FROM tool_calls c WHERE c.message_id = m.id), '[]')) AS "toolCalls",
            (SELECT jsonb_build_object('name', c.name) FROM tool_calls c WHERE c.answer_id = m.id)
                AS "toolCall"
        FROM messages m JOIN sessions s ON s.id = m.session_id
        WHERE s.project_id = :project AND s.title = 'order'
            AND m.id IN (SELECT message_id FROM tool_calls UNION ALL SELECT answer_id FROM tool_calls)
        ORDER BY m.sequence
    """)
    assert [row["role"] for row in rows] == ["ASSISTANT", "TOOL"]
    assert data["sessions"]["nodes"] == [{"messages": {"nodes": rows}}]


async def test_conversations_with_a_state_are_listed_with_values_of_the_state(project: Project) -> None:
    data = await project.query("""{
        sessions(first: 500, filter: {state: {isEmpty: false}}) { nodes {
            id agent { id }
            moduleId: stateValue(path: ["moduleId"]) moduleName: stateValue(path: ["moduleName"])
            a: stateValue(path: ["nested", "a"]) second: stateValue(path: ["b", "1"])
        } }
    }""")
    rows = await project.sql("""
        SELECT id, CASE WHEN agent_id IS NOT NULL THEN jsonb_build_object('id', agent_id) END AS agent,
            state->'moduleId' AS "moduleId", state->'moduleName' AS "moduleName",
            state->'nested'->'a' AS a, state->'b'->1 AS second
        FROM sessions WHERE project_id = :project AND state <> '{}' ORDER BY started_at DESC, id DESC
    """)
    assert data["sessions"]["nodes"] == rows
    assert 0 < len(rows) < await project.value("SELECT count(*) FROM sessions WHERE project_id = :project")


async def test_sessions_of_a_user_are_paged_with_a_total_count(varied: Project) -> None:
    rows = await varied.sql("""
        SELECT id, started_at FROM sessions WHERE project_id = :project AND user_id =
            (SELECT user_id FROM sessions WHERE project_id = :project AND user_id IS NOT NULL
             GROUP BY 1 ORDER BY count(*) DESC, 1 LIMIT 1)
        ORDER BY started_at DESC, id DESC
    """)
    user = await varied.value("SELECT user_id FROM sessions WHERE id::text = :id", id=rows[0]["id"])
    pages: list[list[str]] = []
    after = None
    while True:
        data = await varied.query(
            """query($id: ID!, $after: String) { user(id: $id) { sessions(first: 3, after: $after) {
                totalCount nodes { id } pageInfo { hasNextPage endCursor }
            } } }""",
            id=user,
            after=after,
        )
        sessions = data["user"]["sessions"]
        assert sessions["totalCount"] == len(rows)
        pages.append([node["id"] for node in sessions["nodes"]])
        if not sessions["pageInfo"]["hasNextPage"]:
            break
        after = sessions["pageInfo"]["endCursor"]
    assert len(pages) == -(-len(rows) // 3) > 1
    assert [id_ for page in pages for id_ in page] == [row["id"] for row in rows]


@pytest.mark.parametrize("email", ["Ann@Example.org", "ann@example.ORG"])
async def test_a_user_is_found_by_email_in_any_case(shop: Project, email: str) -> None:
    data = await shop.query(
        "query($email: String!) { user(email: $email) { id name email userData } }", email=email
    )
    assert [data["user"]] == await shop.sql(
        """
        SELECT id, name, email, user_data AS "userData" FROM users
        WHERE project_id = :project AND lower(email COLLATE "default") = lower(:email)
        """,
        email=email,
    )


async def test_an_agent_is_found_by_name(shop: Project) -> None:
    data = await shop.query(
        '{ agent(name: "Seller") { id name type totalSessions successRate owner { name } } }'
    )
    assert [data["agent"]] == await shop.sql("""
        SELECT a.id, a.name, a.type,
            (SELECT count(*) FROM sessions s WHERE s.agent_id = a.id) AS "totalSessions",
            (SELECT avg(CASE status WHEN 'COMPLETED' THEN 1.0 ELSE 0 END) FROM sessions s
             WHERE s.agent_id = a.id AND status IN ('COMPLETED', 'FAILED')) AS "successRate",
            (SELECT jsonb_build_object('name', u.name) FROM users u WHERE u.id = a.owner_id) AS owner
        FROM agents a WHERE a.project_id = :project AND a.name = 'Seller'
    """)


async def test_all_and_recently_active_conversations_are_counted(shop: Project) -> None:
    since = datetime.now(UTC) - timedelta(hours=24)
    data = await shop.query(
        """query($since: DateTime!) {
            all: sessions { totalCount }
            active: sessions(filter: {lastActivityAt: {gte: $since}}) { totalCount }
        }""",
        since=since.isoformat(),
    )
    [row] = await shop.sql(
        """
        SELECT count(*) AS all, count(*) FILTER (WHERE greatest(started_at,
            (SELECT max(created_at) FROM messages m WHERE m.session_id = s.id),
            (SELECT max(timestamp) FROM session_events e WHERE e.session_id = s.id),
            (SELECT max(timestamp) FROM usage_records u WHERE u.session_id = s.id)) >= :since) AS active
        FROM sessions s WHERE project_id = :project
        """,
        since=since,
    )
    assert {name: each["totalCount"] for name, each in data.items()} == row == {"all": 7, "active": 2}


async def test_custom_agents_are_listed_with_tool_counts(shop: Project) -> None:
    data = await shop.query("""{
        agents(filter: {type: {eq: "custom"}}) { nodes {
            id name model temperature toolCount owner { id }
        } }
    }""")
    rows = await shop.sql("""
        SELECT id, name, model, temperature, jsonb_array_length(tools) AS "toolCount",
            jsonb_build_object('id', owner_id) AS owner
        FROM agents WHERE project_id = :project AND type = 'custom' ORDER BY created_at DESC, id DESC
    """)
    assert data["agents"]["nodes"] == rows
    assert [row["toolCount"] for row in rows] == [0, 2]


async def test_a_tree_of_sessions_is_listed_with_totals(shop: Project) -> None:
    data = await shop.query("""{ sessions(filter: {title: {in: ["order", "pay", "silent"]}}) { nodes {
        title
        tree { sessionCount maxDepth messageCount promptTokens completionTokens costUsd errorCount }
        descendants(orderBy: [{field: STARTED_AT, direction: ASC}]) { nodes { title depth messageCount } }
    } } }""")
    rows = await shop.sql("""
        WITH RECURSIVE tree AS (
            SELECT id AS top, s.* FROM sessions s
            WHERE project_id = :project AND title IN ('order', 'pay', 'silent')
            UNION ALL
            SELECT tree.top, s.* FROM sessions s JOIN tree ON s.parent_id = tree.id
        )
        SELECT s.title, jsonb_build_object(
            'sessionCount', (SELECT count(*) FROM tree WHERE top = s.id),
            'maxDepth', (SELECT max(depth) FROM tree WHERE top = s.id),
            'messageCount', (SELECT count(*) FROM tree JOIN messages m ON m.session_id = tree.id
                WHERE top = s.id),
            'promptTokens', (SELECT coalesce(sum(prompt), 0) FROM tree, LATERAL (
                SELECT prompt_tokens FROM messages m WHERE m.session_id = tree.id
                UNION ALL SELECT prompt_tokens FROM usage_records u WHERE u.session_id = tree.id
                ) AS tokens (prompt) WHERE top = s.id),
            'completionTokens', (SELECT coalesce(sum(completion), 0) FROM tree, LATERAL (
                SELECT completion_tokens FROM messages m WHERE m.session_id = tree.id
                UNION ALL SELECT completion_tokens FROM usage_records u WHERE u.session_id = tree.id
                ) AS tokens (completion) WHERE top = s.id),
            'costUsd', (SELECT coalesce(sum(cost_usd), 0) FROM tree WHERE top = s.id),
            'errorCount', (SELECT count(*) FROM tree, LATERAL (
                SELECT FROM tool_calls c WHERE c.session_id = tree.id AND c.status = 'FAILED'
                UNION ALL
                SELECT FROM session_events e WHERE e.session_id = tree.id AND e.event_type = 'error'
                ) AS error WHERE top = s.id)
        ) AS tree, jsonb_build_object('nodes', (
            SELECT coalesce(jsonb_agg(jsonb_build_object('title', title, 'depth', depth, 'messageCount',
                (SELECT count(*) FROM messages m WHERE m.session_id = tree.id)) ORDER BY started_at), '[]')
            FROM tree WHERE top = s.id AND tree.id <> s.id
        )) AS descendants
        FROM sessions s WHERE project_id = :project AND title IN ('order', 'pay', 'silent')
        ORDER BY started_at DESC
    """)
    assert data["sessions"]["nodes"] == rows
    assert [row["tree"]["sessionCount"] for row in rows] == [4, 2, 1]
