"""Questions about the top users, agents, tools, models and memories."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.questions.project import Project


SUMMARY = """
    SELECT jsonb_build_object('id', {key}) AS {noun}, count(*) AS "sessionCount",
        count(*) FILTER (WHERE status = 'COMPLETED') AS "completedCount",
        count(*) FILTER (WHERE status = 'FAILED') AS "failedCount",
        avg(CASE status WHEN 'COMPLETED' THEN 1.0 WHEN 'FAILED' THEN 0.0 END) AS "successRate",
        sum((SELECT count(*) FROM messages m WHERE m.session_id = s.id)) AS "messageCount",
        sum((SELECT coalesce(sum(prompt_tokens), 0) FROM messages m WHERE m.session_id = s.id)
            + (SELECT coalesce(sum(prompt_tokens), 0) FROM usage_records u WHERE u.session_id = s.id)
            ) AS "promptTokens",
        sum((SELECT coalesce(sum(completion_tokens), 0) FROM messages m WHERE m.session_id = s.id)
            + (SELECT coalesce(sum(completion_tokens), 0) FROM usage_records u WHERE u.session_id = s.id)
            ) AS "completionTokens",
        coalesce(sum(cost_usd), 0) AS "costUsd",
        sum((SELECT count(*) FROM tool_calls c WHERE c.session_id = s.id AND status = 'FAILED')
            + (SELECT count(*) FROM session_events e WHERE e.session_id = s.id AND event_type = 'error')
            ) AS "errorCount"
    FROM sessions s WHERE project_id = :project AND {key} IS NOT NULL GROUP BY {key}
"""
_SUMMARY_FIELDS = (
    "sessionCount completedCount failedCount successRate messageCount promptTokens completionTokens costUsd"
    " errorCount"
)
RANKINGS = {
    "topUsers": (
        f"user {{ id }} {_SUMMARY_FIELDS}",
        SUMMARY.format(key="user_id", noun="user"),
        """ORDER BY "messageCount" DESC, "user"->>'id' DESC""",
    ),
    "topAgents": (
        f"agent {{ id }} {_SUMMARY_FIELDS}",
        SUMMARY.format(key="agent_id", noun="agent"),
        """ORDER BY "successRate" DESC NULLS LAST, agent->>'id' DESC""",
    ),
    "topTools": (
        "name callCount pendingCount succeededCount failedCount successRate meanDurationMs p95DurationMs",
        """
        SELECT name, count(*) AS "callCount", count(*) FILTER (WHERE status = 'PENDING') AS "pendingCount",
            count(*) FILTER (WHERE status = 'SUCCEEDED') AS "succeededCount",
            count(*) FILTER (WHERE status = 'FAILED') AS "failedCount",
            avg(CASE status WHEN 'SUCCEEDED' THEN 1.0 WHEN 'FAILED' THEN 0.0 END) AS "successRate",
            avg(duration_ms) AS "meanDurationMs",
            percentile_cont(0.95) WITHIN GROUP (ORDER BY duration_ms) AS "p95DurationMs"
        FROM tool_calls WHERE project_id = :project GROUP BY name
        """,
        """ORDER BY "failedCount" DESC, name DESC""",
    ),
    "topModels": (
        "name messageCount usageCount promptTokens completionTokens totalTokens costUsd",
        """
        SELECT name, sum(said) AS "messageCount", sum(used) AS "usageCount", sum(prompt) AS "promptTokens",
            sum(completion) AS "completionTokens", sum(prompt + completion) AS "totalTokens",
            sum(cost) AS "costUsd"
        FROM (
            SELECT model, 1, 0, coalesce(prompt_tokens, 0)::bigint, coalesce(completion_tokens, 0), 0
            FROM messages WHERE project_id = :project
                AND (model IS NOT NULL OR prompt_tokens IS NOT NULL OR completion_tokens IS NOT NULL)
            UNION ALL
            SELECT model, 0, 1, prompt_tokens, completion_tokens, coalesce(cost_usd, 0)
            FROM usage_records WHERE project_id = :project
        ) AS use (name, said, used, prompt, completion, cost) GROUP BY name
        """,
        """ORDER BY "totalTokens" DESC, name DESC""",
    ),
    "topMemories": (
        "memory { id } usefulness ratedCount accessCount lastAccessedAt",
        """
        SELECT jsonb_build_object('id', m.id) AS memory, avg(a.usefulness) AS usefulness,
            count(a.usefulness) AS "ratedCount", count(a.id) AS "accessCount",
            m.last_accessed_at AS "lastAccessedAt"
        FROM memories m LEFT JOIN memory_accesses a ON a.memory_id = m.id
        WHERE m.project_id = :project GROUP BY m.id, m.last_accessed_at
        """,
        """ORDER BY usefulness DESC NULLS LAST, memory->>'id' DESC""",
    ),
}
"""Users by messages, agents by success rate, tools by failures, models by tokens, memories by usefulness."""


@pytest.mark.parametrize("ranking", RANKINGS)
async def test_a_ranking_lists_every_row_in_order(project: Project, ranking: str) -> None:
    fields, statement, order = RANKINGS[ranking]
    rows = await project.sql(f"SELECT * FROM ({statement}) AS ranked {order}")  # noqa: S608  # texts of this test
    assert rows
    found: list[dict[str, Any]] = []
    after = None
    # Pages of two rows split ties.
    while len(found) < len(rows):
        document = (
            f"query($after: String) {{ {ranking}(first: 2, after: $after) {{"
            f" totalCount nodes {{ {fields} }} pageInfo {{ endCursor }} }} }}"
        )
        page = (await project.query(document, after=after))[ranking]
        assert page["totalCount"] == len(rows)
        assert page["nodes"]
        found += page["nodes"]
        after = page["pageInfo"]["endCursor"]
    assert found == rows
