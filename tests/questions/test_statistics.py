"""Questions about statistics of sessions, trees, and other parents of sessions."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.questions.project import Project


STATISTICS = """
fragment All on Statistics {
    sessionCount openCount completedCount failedCount cancelledCount successRate
    messageCount interactionCount promptTokens completionTokens costUsd meanQualityScore meanUserSatisfaction
    errorCount latency { count meanMs p50Ms p95Ms p99Ms }
    tools {
        name callCount pendingCount succeededCount failedCount successRate
        meanDurationMs p50DurationMs p95DurationMs p99DurationMs
    }
    models { name messageCount usageCount promptTokens completionTokens costUsd }
}
"""
COUNTED = """
WITH RECURSIVE below (top, id) AS (
    SELECT id, id FROM sessions WHERE project_id = :project
    UNION ALL SELECT below.top, s.id FROM sessions s JOIN below ON s.parent_id = below.id
), counted AS (
    SELECT {parent} AS parent, s.* FROM {sessions}
    WHERE s.project_id = :project AND s.started_at >= :begin AND s.started_at < :end
), called AS (
    SELECT parent, t.* FROM counted JOIN tool_calls t ON t.session_id = counted.id
), tools AS (
    SELECT parent, name, count(*) AS calls, jsonb_build_object(
        'name', name, 'callCount', count(*),
        'pendingCount', count(*) FILTER (WHERE status = 'PENDING'),
        'succeededCount', count(*) FILTER (WHERE status = 'SUCCEEDED'),
        'failedCount', count(*) FILTER (WHERE status = 'FAILED'),
        'successRate', avg(CASE status WHEN 'SUCCEEDED' THEN 1.0 WHEN 'FAILED' THEN 0.0 END),
        'meanDurationMs', avg(duration_ms),
        'p50DurationMs', percentile_cont(0.5) WITHIN GROUP (ORDER BY duration_ms),
        'p95DurationMs', percentile_cont(0.95) WITHIN GROUP (ORDER BY duration_ms),
        'p99DurationMs', percentile_cont(0.99) WITHIN GROUP (ORDER BY duration_ms)) AS told
    FROM called GROUP BY parent, name
), used AS (
    SELECT parent, model, 1 AS said, 0 AS recorded, coalesce(m.prompt_tokens, 0) AS prompt,
        coalesce(m.completion_tokens, 0) AS completion, 0 AS cost
    FROM counted JOIN messages m ON m.session_id = counted.id
    WHERE model IS NOT NULL OR m.prompt_tokens IS NOT NULL OR m.completion_tokens IS NOT NULL
    UNION ALL
    SELECT parent, model, 0, 1, u.prompt_tokens, u.completion_tokens, coalesce(u.cost_usd, 0)
    FROM counted JOIN usage_records u ON u.session_id = counted.id
), models AS (
    SELECT parent, model, sum(prompt::bigint + completion) AS tokens, jsonb_build_object(
        'name', model, 'messageCount', sum(said), 'usageCount', sum(recorded),
        'promptTokens', sum(prompt), 'completionTokens', sum(completion), 'costUsd', sum(cost)) AS told
    FROM used GROUP BY parent, model
)
SELECT p.id, (
    SELECT jsonb_build_object('sessionCount', count(*),
        'openCount', count(*) FILTER (WHERE status IN ('ACTIVE', 'PAUSED')),
        'completedCount', count(*) FILTER (WHERE status = 'COMPLETED'),
        'failedCount', count(*) FILTER (WHERE status = 'FAILED'),
        'cancelledCount', count(*) FILTER (WHERE status = 'CANCELLED'),
        'successRate', avg(CASE status WHEN 'COMPLETED' THEN 1.0 WHEN 'FAILED' THEN 0.0 END),
        'costUsd', coalesce(sum(cost_usd), 0),
        'meanQualityScore', avg(quality_score), 'meanUserSatisfaction', avg(user_satisfaction))
    FROM counted WHERE parent = p.id
) || (
    SELECT jsonb_build_object('messageCount', count(*),
        'interactionCount', count(*) FILTER (WHERE m.role = 'USER'),
        'latency', jsonb_build_object('count', count(latency_ms), 'meanMs', avg(latency_ms),
            'p50Ms', percentile_cont(0.5) WITHIN GROUP (ORDER BY latency_ms),
            'p95Ms', percentile_cont(0.95) WITHIN GROUP (ORDER BY latency_ms),
            'p99Ms', percentile_cont(0.99) WITHIN GROUP (ORDER BY latency_ms)))
    FROM counted JOIN messages m ON m.session_id = counted.id WHERE parent = p.id
) || jsonb_build_object(
    'promptTokens', (SELECT coalesce(sum(prompt), 0) FROM used WHERE parent = p.id),
    'completionTokens', (SELECT coalesce(sum(completion), 0) FROM used WHERE parent = p.id),
    'errorCount', (SELECT count(*) FROM called WHERE parent = p.id AND status = 'FAILED') + (
        SELECT count(*) FROM counted JOIN session_events e ON e.session_id = counted.id
        WHERE parent = p.id AND event_type = 'error'),
    'tools', (SELECT coalesce(jsonb_agg(told ORDER BY calls DESC, name), '[]')
        FROM tools WHERE parent = p.id),
    'models', (SELECT coalesce(jsonb_agg(told ORDER BY tokens DESC, model), '[]')
        FROM models WHERE parent = p.id)
) AS statistics
FROM {parents} p WHERE {of_project} = :project
"""
RANGES = [
    ("0001-01-02T00:00:00Z", "9999-01-01T00:00:00Z"),
    ("2026-01-02T00:00:00Z", "2026-01-04T00:00:00Z"),
    ("1999-01-01T00:00:00Z", "1999-01-02T00:00:00Z"),
]
"""All time, a range in which some sessions began, and one in which none did."""


@pytest.mark.parametrize(("begin", "end"), RANGES, ids=["all time", "two days", "no session"])
@pytest.mark.parametrize(
    ("document", "parent"),
    [
        ("project { id statistics(sessions: $in) { ...All } }", "project_id"),
        ("users(first: 500) { nodes { id statistics(sessions: $in) { ...All } } }", "user_id"),
        ("agents(first: 500) { nodes { id statistics(sessions: $in) { ...All } } }", "agent_id"),
        (
            "agentVersions(first: 500) { nodes { id statistics(sessions: $in) { ...All } } }",
            "agent_version_id",
        ),
        ("teams(first: 500) { nodes { id statistics(sessions: $in) { ...All } } }", "team_id"),
        ("sessions(first: 500) { nodes { id tree { statistics(sessions: $in) { ...All } } } }", "top"),
        ("sessions(first: 500, filter: $in) { nodes { id statistics { ...All } } }", "id"),
    ],
    ids=["project", "user", "agent", "version", "team", "tree", "session"],
)
async def test_statistics_summarize_the_sessions_that_began_in_a_range(
    varied: Project, document: str, parent: str, begin: str, end: str
) -> None:
    data = await varied.query(
        f"query($in: SessionFilter) {{ {document} }} {STATISTICS}",
        **{"in": {"startedAt": {"gte": begin, "lt": end}}},
    )
    [field] = data
    nodes = [data[field]] if field == "project" else data[field]["nodes"]
    table = {"project": "projects", "agentVersions": "agent_versions"}.get(field, field)
    statement = COUNTED.format(
        parent=f"below.{parent}" if parent == "top" else f"s.{parent}",
        sessions="below JOIN sessions s ON s.id = below.id" if parent == "top" else "sessions s",
        parents=table,
        of_project="p.id" if field == "project" else "p.project_id",
    )
    times = {"begin": datetime.fromisoformat(begin), "end": datetime.fromisoformat(end)}
    rows = {row["id"]: row["statistics"] for row in await varied.sql(statement, **times)}
    found = {node["id"]: node.get("statistics") or node["tree"]["statistics"] for node in nodes}
    assert found == {id_: rows[id_] for id_ in found}
    assert len(found) == len(rows) or parent == "id"
