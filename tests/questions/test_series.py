"""Questions about series over time, in a time zone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.questions.project import Project


BERLIN = {
    # Hours follow real time. Days and weeks follow local time, which skips an hour on the 29th.
    "HOUR": """SELECT start, start + interval '1 hour' AS until
        FROM generate_series(timestamptz '2026-03-28 23:00Z', '2026-03-29 21:00Z', '1 hour') AS start""",
    "DAY": """SELECT day AT TIME ZONE 'Europe/Berlin' AS start,
            (day + interval '1 day') AT TIME ZONE 'Europe/Berlin' AS until
        FROM generate_series(timestamp '2026-03-23', '2026-03-31', '1 day') AS day""",
    "WEEK": """SELECT monday AT TIME ZONE 'Europe/Berlin' AS start,
            (monday + interval '7 days') AT TIME ZONE 'Europe/Berlin' AS until
        FROM generate_series(timestamp '2026-03-16', '2026-03-30', '7 days') AS monday""",
}
"""The buckets of each interval in the time zone of Berlin."""


@pytest.mark.parametrize("of", ["agent", "session"])
@pytest.mark.parametrize(
    ("interval", "begin", "end", "buckets"),
    [
        ("HOUR", "2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z", 23),
        ("DAY", "2026-03-22T23:00:00Z", "2026-03-31T22:00:00Z", 9),
        ("WEEK", "2026-03-15T23:00:00Z", "2026-04-05T22:00:00Z", 3),
    ],
)
async def test_metrics_are_summarized_by_bucket_in_a_time_zone(
    shop: Project, of: str, interval: str, begin: str, end: str, buckets: int
) -> None:
    series = """series(
        metric: %s, metricType: $kind, from: $from, to: $to, interval: $interval, timeZone: "Europe/Berlin"
    ) { start count sum mean min max p50 p95 p99 }"""
    declared = "query($kind: String!, $from: DateTime!, $to: DateTime!, $interval: Interval!)"
    variables = {"from": begin, "to": end, "interval": interval}
    if of == "agent":
        kind = "response_time"
        document = f'{declared} {{ agent(name: "Seller") {{ {series % "AGENT_METRIC"} }} }}'
        found = (await shop.query(document, kind=kind, **variables))["agent"]
    else:
        kind = "token_usage"
        where = 'filter: {title: {eq: "order"}}'
        document = f"{declared} {{ sessions({where}) {{ nodes {{ {series % 'SESSION_METRIC'} }} }} }}"
        [found] = (await shop.query(document, kind=kind, **variables))["sessions"]["nodes"]
    rows = await shop.sql(
        f"""
        SELECT start, count(v), coalesce(sum(v), 0) AS sum, avg(v) AS mean, min(v), max(v),
            percentile_cont(0.5) WITHIN GROUP (ORDER BY v) AS p50,
            percentile_cont(0.95) WITHIN GROUP (ORDER BY v) AS p95,
            percentile_cont(0.99) WITHIN GROUP (ORDER BY v) AS p99
        FROM ({BERLIN[interval]}) AS bucket LEFT JOIN (
            SELECT timestamp AS at, metric_value AS v FROM {of}_metrics
            WHERE project_id = :project AND metric_type = :kind
        ) AS metric ON at >= start AND at < until
        GROUP BY start ORDER BY start
        """,  # noqa: S608  # texts of this test
        kind=kind,
    )
    assert found == {"series": rows}
    assert len(rows) == buckets
    assert {row["count"] > 0 for row in rows} == {True, False}


_TOKENS = """
    SELECT m.created_at, {message}, s.agent_id, s.agent_version_id, s.user_id, m.model, NULL, NULL
    FROM messages m JOIN sessions s ON s.id = m.session_id
    WHERE m.project_id = :project AND ({message}) IS NOT NULL
    UNION ALL
    SELECT u.timestamp, {record}, s.agent_id, s.agent_version_id, s.user_id, u.model, NULL, NULL
    FROM usage_records u JOIN sessions s ON s.id = u.session_id WHERE u.project_id = :project
"""
_BOTH = """CASE WHEN coalesce(m.prompt_tokens, m.completion_tokens) IS NOT NULL
    THEN coalesce(m.prompt_tokens, 0)::bigint + coalesce(m.completion_tokens, 0) END"""
MEASURED = {
    "AGENT_METRIC": """
        SELECT timestamp, metric_value, agent_id, version_id, NULL::uuid, NULL, NULL, metric_type
        FROM agent_metrics WHERE project_id = :project
    """,
    "SESSION_METRIC": """
        SELECT x.timestamp, x.metric_value, s.agent_id, s.agent_version_id, s.user_id,
            NULL, NULL, x.metric_type
        FROM session_metrics x JOIN sessions s ON s.id = x.session_id WHERE x.project_id = :project
    """,
    "MESSAGE_LATENCY": """
        SELECT m.created_at, m.latency_ms, s.agent_id, s.agent_version_id, s.user_id, m.model, NULL, NULL
        FROM messages m JOIN sessions s ON s.id = m.session_id
        WHERE m.project_id = :project AND m.latency_ms IS NOT NULL
    """,
    "PROMPT_TOKENS": _TOKENS.format(message="m.prompt_tokens", record="u.prompt_tokens"),
    "COMPLETION_TOKENS": _TOKENS.format(message="m.completion_tokens", record="u.completion_tokens"),
    "TOKENS": _TOKENS.format(message=_BOTH, record="u.prompt_tokens::bigint + u.completion_tokens"),
    "COST": """
        SELECT u.timestamp, u.cost_usd, s.agent_id, s.agent_version_id, s.user_id, u.model, NULL, NULL
        FROM usage_records u JOIN sessions s ON s.id = u.session_id
        WHERE u.project_id = :project AND u.cost_usd IS NOT NULL
    """,
    "SESSIONS_STARTED": """
        SELECT s.started_at, 1, s.agent_id, s.agent_version_id, s.user_id, NULL, NULL, NULL
        FROM sessions s WHERE s.project_id = :project
    """,
    "ERRORS": """
        SELECT c.created_at, 1, s.agent_id, s.agent_version_id, s.user_id, NULL, c.name, NULL
        FROM tool_calls c JOIN sessions s ON s.id = c.session_id
        WHERE c.project_id = :project AND c.status = 'FAILED'
        UNION ALL
        SELECT e.timestamp, 1, s.agent_id, s.agent_version_id, s.user_id, NULL, NULL, NULL
        FROM session_events e JOIN sessions s ON s.id = e.session_id
        WHERE e.project_id = :project AND e.event_type = 'error'
    """,
}
"""For each metric, SQL of its time, value, agent, version, user, model, tool and metric type."""
DIMENSIONS = {
    "AGENT": ("agent", "jsonb_build_object('id', agent_id)", "agent_id"),
    "AGENT_VERSION": ("agentVersion", "jsonb_build_object('id', version_id)", "version_id"),
    "USER": ("user", "jsonb_build_object('id', user_id)", "user_id"),
    "MODEL": ("model", "model", "model"),
    "TOOL": ("tool", "tool", "tool"),
    "METRIC_TYPE": ("metricType", "type", "type"),
}
"""For each dimension, its field, the SQL of its value, and the column to group by."""


@pytest.mark.parametrize(
    ("metric", "by"),
    [
        *((metric, []) for metric in MEASURED),
        ("AGENT_METRIC", ["METRIC_TYPE", "AGENT_VERSION"]),
        ("SESSION_METRIC", ["METRIC_TYPE"]),
        ("MESSAGE_LATENCY", ["MODEL", "AGENT"]),
        ("TOKENS", ["USER", "MODEL"]),
        ("COST", ["MODEL"]),
        ("SESSIONS_STARTED", ["AGENT", "USER"]),
        ("ERRORS", ["TOOL"]),
    ],
)
async def test_any_metric_is_summarized_by_day_and_group(varied: Project, metric: str, by: list[str]) -> None:
    data = await varied.query(
        """query($metric: SeriesMetric!, $by: [SeriesDimension!], $groups: Int) { project { series(
            metric: $metric, groupBy: $by, groups: $groups, interval: DAY, timeZone: "America/New_York"
            from: "2026-01-01T05:00:00Z", to: "2026-02-02T05:00:00Z"
        ) {
            start count sum mean min max p50 p95 p99
            agent { id } agentVersion { id } user { id } model tool metricType
        } } }""",
        metric=metric,
        by=by or None,
        groups=100 if by else None,
    )
    columns = [DIMENSIONS[each][2] for each in by]
    keys = [
        f'CASE WHEN {column} IS NOT NULL THEN {expression} END AS "{field}"'
        if each in by
        else f'NULL AS "{field}"'
        for each, (field, expression, column) in DIMENSIONS.items()
    ]
    rows = await varied.sql(f"""
        WITH measured (at, v, agent_id, version_id, user_id, model, tool, type) AS ({MEASURED[metric]}),
        day AS (
            SELECT local AT TIME ZONE 'America/New_York' AS start,
                (local + interval '1 day') AT TIME ZONE 'America/New_York' AS until
            FROM generate_series(timestamp '2026-01-01', '2026-02-01', '1 day') AS local
        ), found AS (
            SELECT {", ".join(["true AS one", *columns])} FROM measured
            WHERE at >= '2026-01-01T05:00Z' AND at < '2026-02-02T05:00Z'
            GROUP BY {", ".join(["one", *columns])}
        )
        SELECT start, {", ".join(keys)}, count(v), coalesce(sum(v), 0) AS sum, avg(v) AS mean, min(v), max(v),
            percentile_cont(0.5) WITHIN GROUP (ORDER BY v) AS p50,
            percentile_cont(0.95) WITHIN GROUP (ORDER BY v) AS p95,
            percentile_cont(0.99) WITHIN GROUP (ORDER BY v) AS p99
        FROM day CROSS JOIN found LEFT JOIN (
            SELECT at, v{"".join(f", {column} AS its_{column}" for column in columns)} FROM measured
        ) AS measured ON at >= start AND at < until
            {"".join(f" AND its_{column} IS NOT DISTINCT FROM {column}" for column in columns)}
        GROUP BY {", ".join(["start", *columns])}
    """)  # noqa: S608  # texts of this test

    def place(row: dict[str, Any]) -> str:
        return str([row["start"], *(row[field] for field, *_ in DIMENSIONS.values())])

    assert sorted(data["project"]["series"], key=place) == sorted(rows, key=place)
    assert len(rows) == 32 * len({place(row | {"start": None}) for row in rows}) > 0
    assert {row["count"] > 0 for row in rows} == {True, False}
