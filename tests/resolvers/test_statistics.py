"""Statistics of sessions equal those of Python and of plain SQL."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from random import Random
from statistics import fmean
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import text

from models.enums import MessageRole
from tests import factories
from tests.api import traffic

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy.ext.asyncio import AsyncEngine

    from tests.api import Api
    from tests.world import Rows

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

PERCENTILES = (50, 95, 99)


def mean(values: Iterable[Any]) -> Any:
    """Return the mean of the values that are not null."""
    known = [value for value in values if value is not None]
    return pytest.approx(fmean(known)) if known else None


def percentile(values: Iterable[Any], percent: int) -> Any:
    """Return a percentile of the values that are not null, interpolated between the two nearest."""
    known = sorted(value for value in values if value is not None)
    if not known:
        return None
    place = (len(known) - 1) * percent / 100
    below = int(place)
    above = min(below + 1, len(known) - 1)
    return pytest.approx(known[below] + (known[above] - known[below]) * (place - below))


def share(good: int, bad: int) -> float | None:
    """Return the share of the good ones, or None if there are none of either."""
    return good / (good + bad) if good + bad else None


def statistics_of(sessions: list[dict[str, Any]], rows: dict[str, Rows]) -> dict[str, Any]:
    """Return the statistics that Python computes of sessions."""
    statuses = Counter(session["status"] for session in sessions)
    calls = [rows["ToolCall"][call["id"]] for session in sessions for call in session["toolCalls"]]
    names = Counter(call["name"] for call in calls)
    messages = [rows["Message"][each["id"]] for session in sessions for each in session["messages"]]
    events = [rows["SessionEvent"][each["id"]] for session in sessions for each in session["events"]]
    usage = [rows["UsageRecord"][each["id"]] for session in sessions for each in session["usage"]]
    latencies = [message["latencyMs"] for message in messages if message["latencyMs"] is not None]
    totals = ("messageCount", "interactionCount", "promptTokens", "completionTokens")
    return {
        "sessionCount": len(sessions),
        "openCount": statuses["ACTIVE"] + statuses["PAUSED"],
        "completedCount": statuses["COMPLETED"],
        "failedCount": statuses["FAILED"],
        "cancelledCount": statuses["CANCELLED"],
        "successRate": share(statuses["COMPLETED"], statuses["FAILED"]),
        **{name: sum(session[name] for session in sessions) for name in totals},
        "costUsd": sum(session["costUsd"] or 0 for session in sessions),
        "meanQualityScore": mean(session["qualityScore"] for session in sessions),
        "meanUserSatisfaction": mean(session["userSatisfaction"] for session in sessions),
        "tools": [
            _tool(name, [call for call in calls if call["name"] == name])
            for name, _ in sorted(names.items(), key=lambda item: (-item[1], item[0]))
        ],
        "errorCount": sum(call["status"] == "FAILED" for call in calls)
        + sum(event["eventType"] == "error" for event in events),
        "latency": {
            "count": len(latencies),
            "meanMs": mean(latencies),
            **{f"p{percent}Ms": percentile(latencies, percent) for percent in PERCENTILES},
        },
        "models": _models(messages, usage),
    }


def _models(messages: list[dict[str, Any]], usage: list[dict[str, Any]]) -> list[dict[str, Any]]:
    tokens = ("promptTokens", "completionTokens")
    spoken = [each for each in messages if any(each[name] is not None for name in ("model", *tokens))]
    found = [
        {
            "name": model,
            "messageCount": sum(each["model"] == model for each in spoken),
            "usageCount": sum(each["model"] == model for each in usage),
            **{
                name: sum(each[name] or 0 for each in (*spoken, *usage) if each["model"] == model)
                for name in tokens
            },
            "costUsd": sum(each["costUsd"] or 0 for each in usage if each["model"] == model),
        }
        for model in {each["model"] for each in (*spoken, *usage)}
    ]
    return sorted(found, key=lambda each: (-sum(each[t] for t in tokens), each["name"] is None, each["name"]))


def _tool(name: str, calls: list[dict[str, Any]]) -> dict[str, Any]:
    statuses = Counter(call["status"] for call in calls)
    return {
        "name": name,
        "callCount": len(calls),
        "pendingCount": statuses["PENDING"],
        "succeededCount": statuses["SUCCEEDED"],
        "failedCount": statuses["FAILED"],
        "successRate": share(statuses["SUCCEEDED"], statuses["FAILED"]),
        "meanDurationMs": mean(call["durationMs"] for call in calls),
        **{f"p{each}DurationMs": percentile([c["durationMs"] for c in calls], each) for each in PERCENTILES},
    }


@pytest.mark.parametrize(
    ("noun", "type_"),
    [("agents", "Agent"), ("agentVersions", "AgentVersion"), ("users", "User"), ("teams", "Team")],
)
async def test_statistics_summarize_the_sessions_of_each_parent(
    world: Api, rows: dict[str, Rows], noun: str, type_: str
) -> None:
    data = await world.ask(f"{{ {noun} {{ nodes {{ id statistics {{ ...All }} }} }} }} {STATISTICS}")
    for node in data[noun]["nodes"]:
        sessions = [rows["Session"][session["id"]] for session in rows[type_][node["id"]]["sessions"]]
        assert node["statistics"] == statistics_of(sessions, rows)


async def test_statistics_summarize_one_session_or_the_whole_project(
    world: Api, rows: dict[str, Rows]
) -> None:
    data = await world.ask(
        f"""{{
            sessions {{ nodes {{ id statistics {{ ...All }} }} }}
            project {{ statistics {{ ...All }} }}
        }} {STATISTICS}"""
    )
    for node in data["sessions"]["nodes"]:
        assert node["statistics"] == statistics_of([rows["Session"][node["id"]]], rows)
    assert data["project"]["statistics"] == statistics_of(list(rows["Session"].values()), rows)


async def test_statistics_summarize_a_tree_of_sessions(world: Api, rows: dict[str, Rows]) -> None:
    data = await world.ask(
        f"""{{ sessions {{ nodes {{ id tree {{
            errorCount all: statistics {{ ...All }}
            some: statistics(sessions: {{qualityScore: {{gte: 0.5}}}}) {{ ...All }}
            none: statistics(sessions: {{title: {{eq: "no such title"}}}}) {{ ...All }}
        }} }} }} }} {STATISTICS}"""
    )
    sizes = set()
    for node in data["sessions"]["nodes"]:
        session = rows["Session"][node["id"]]
        whole = [session, *[rows["Session"][each["id"]] for each in session["descendants"]]]
        sizes.add(len(whole))
        assert node["tree"] == {
            "errorCount": node["tree"]["all"]["errorCount"],
            "all": statistics_of(whole, rows),
            "some": statistics_of([each for each in whole if (each["qualityScore"] or 0) >= 0.5], rows),
            "none": statistics_of([], rows),
        }
    assert len(sizes) > 2


async def test_tokens_of_all_models_add_up_to_those_of_the_sessions(world: Api) -> None:
    found = (await world.ask(f"{{ project {{ statistics {{ ...All }} }} }} {STATISTICS}"))["project"]
    for tokens in ("promptTokens", "completionTokens"):
        assert sum(model[tokens] for model in found["statistics"]["models"]) == found["statistics"][tokens]


async def test_a_filter_selects_the_sessions_that_statistics_summarize(
    world: Api, rows: dict[str, Rows]
) -> None:
    data = await world.ask(f"""{{
        project {{
            best: statistics(sessions: {{qualityScore: {{eq: 1}}}}) {{ ...All }}
            open: statistics(sessions: {{isActive: {{eq: true}}}}) {{ ...All }}
            none: statistics(sessions: {{title: {{eq: "no such title"}}}}) {{ ...All }}
        }}
        agents {{ nodes {{ id statistics(sessions: {{qualityScore: {{eq: 1}}}}) {{ ...All }} }} }}
    }} {STATISTICS}""")
    sessions = list(rows["Session"].values())
    best = [session for session in sessions if session["qualityScore"] == 1]
    assert data["project"] == {
        "best": statistics_of(best, rows),
        "open": statistics_of([session for session in sessions if session["isActive"]], rows),
        "none": statistics_of([], rows),
    }
    for node in data["agents"]["nodes"]:
        its = [session for session in best if session["agent"] and session["agent"]["id"] == node["id"]]
        assert node["statistics"] == statistics_of(its, rows)


async def test_statistics_with_different_arguments_do_not_mix_under_one_fragment(world: Api) -> None:
    data = await world.ask("""{
        a: project { ...Best } b: project { statistics { tools { callCount } } }
    }
    fragment Best on Project { statistics(sessions: {id: {in: ["01900000-0000-7000-8000-000000000000"]}}) {
        tools { callCount }
    } }""")
    assert data["a"]["statistics"]["tools"] == []
    assert data["b"]["statistics"]["tools"] != []


DASHBOARD = """{
    agents(first: 100) {
        nodes {
            name
            sessions(first: 10) {
                nodes {
                    id tags qualityScore messageCount
                    user { email }
                    parent { id }
                    children { nodes { id } }
                    messages(first: 5) {
                        nodes {
                            sequence role content
                            toolCalls { nodes { name result answer { sequence } } }
                        }
                    }
                }
            }
        }
    }
    project { statistics(sessions: {qualityScore: {eq: 1}}) { tools { name callCount } } }
}"""


async def test_the_dashboard_query_equals_plain_sql(world: Api, owner: AsyncEngine) -> None:
    data = await world.ask(DASHBOARD)
    async with owner.connect() as connection:

        async def sql(statement: str, **values: Any) -> list[Any]:
            found = await connection.execute(text(statement), {"project": world.project_id, **values})
            return [row[0] if len(row) == 1 else tuple(row) for row in found]

        tools = await sql("""
            SELECT name, count(*) FROM tool_calls WHERE project_id = :project AND session_id IN
                (SELECT id FROM sessions WHERE project_id = :project AND quality_score = 1)
            GROUP BY name ORDER BY 2 DESC, 1
        """)
        assert tools
        assert [(tool["name"], tool["callCount"]) for tool in data["project"]["statistics"]["tools"]] == tools
        names = await sql(
            "SELECT name FROM agents WHERE project_id = :project ORDER BY created_at DESC, id DESC"
        )
        assert [agent["name"] for agent in data["agents"]["nodes"]] == names
        seen = 0
        for agent in data["agents"]["nodes"]:
            sessions = await sql(
                """
                SELECT CAST(s.id AS text), s.tags, s.quality_score, u.email, CAST(s.parent_id AS text),
                    (SELECT count(*) FROM messages m WHERE m.session_id = s.id)
                FROM sessions s JOIN agents a ON a.id = s.agent_id LEFT JOIN users u ON u.id = s.user_id
                WHERE s.project_id = :project AND a.name = :name
                ORDER BY s.started_at DESC, s.id DESC LIMIT 10
                """,
                name=agent["name"],
            )
            assert [
                (
                    node["id"],
                    node["tags"],
                    node["qualityScore"],
                    node["user"] and node["user"]["email"],
                    node["parent"] and node["parent"]["id"],
                    node["messageCount"],
                )
                for node in agent["sessions"]["nodes"]
            ] == sessions
            for node in agent["sessions"]["nodes"]:
                seen += 1
                children = await sql(
                    "SELECT CAST(id AS text) FROM sessions WHERE parent_id = CAST(CAST(:id AS text) AS uuid)"
                    " ORDER BY started_at, id",
                    id=node["id"],
                )
                assert [child["id"] for child in node["children"]["nodes"]] == children
                messages = await sql(
                    """
                    SELECT m.sequence, m.role, m.content, (
                        SELECT coalesce(jsonb_agg(jsonb_build_object(
                            'name', c.name, 'result', c.result,
                            'answer',
                            CASE WHEN a.id IS NOT NULL THEN jsonb_build_object('sequence', a.sequence) END
                        ) ORDER BY c.position), '[]')
                        FROM tool_calls c LEFT JOIN messages a ON a.id = c.answer_id WHERE c.message_id = m.id
                    ) FROM messages m WHERE m.session_id = CAST(CAST(:id AS text) AS uuid)
                    ORDER BY m.sequence LIMIT 5
                    """,
                    id=node["id"],
                )
                assert [
                    (each["sequence"], each["role"], each["content"], each["toolCalls"]["nodes"])
                    for each in node["messages"]["nodes"]
                ] == messages
        assert seen > 10


async def test_statistics_of_an_agent_without_sessions_are_zero_or_null(api: Api) -> None:
    await factories.agent(api)
    data = await api.ask(f"{{ agents {{ nodes {{ statistics {{ ...All }} }} }} }} {STATISTICS}")
    assert data["agents"]["nodes"] == [{"statistics": statistics_of([], {})}]


async def fill(api: Api) -> None:
    """Create sessions of several parents, in trees, some full and some empty."""
    random = Random(11)  # noqa: S311  # the same sessions each time
    users = [await factories.user(api) for _ in range(3)]
    agent = await factories.agent(api)
    versions = [await factories.agent_version(api, agent.id) for _ in range(2)]
    team = await factories.team(api)
    sessions: list[Any] = []
    outcomes: list[dict[str, Any]] = [{}, {"result": 1}, {"error": "no"}]
    for number in range(24):
        values = {
            "user_id": random.choice([None, *users[:2]]),
            "agent_version_id": random.choice([None, versions[0]]),
            "team_id": random.choice([None, team]),
            "parent_id": random.choice([None, *sessions[-5:]]),
        }
        values = {name: value and value.id for name, value in values.items()} | {"agent_id": agent.id}
        begin = datetime(2026, 1, 1 + number, tzinfo=UTC)
        sessions.append(await factories.session(api, started_at=begin, **values))
        if number % 4 == 3:
            continue
        messages = [
            factories.said(
                role=MessageRole.ASSISTANT,
                model=random.choice([None, "small", "large"]),
                latency_ms=random.choice([None, 0, random.randrange(5_000)]),
                prompt_tokens=random.choice([None, 0, random.randrange(1_000)]),
                completion_tokens=random.choice([None, random.randrange(1_000)]),
                tool_calls=[
                    factories.called(
                        random.choice(["search", "book"]),
                        duration_ms=random.choice([None, random.random() * 1_000]),
                        **random.choice(outcomes),
                    )
                    for _ in range(random.randrange(3))
                ],
            )
            for _ in range(random.randrange(1, 9))
        ]
        await factories.say(api, sessions[-1].id, *messages)
        happened = [factories.happened(random.choice(["error", "errors", "checkpoint"])) for _ in range(3)]
        await factories.events(api, sessions[-1].id, *happened)
        used = [
            factories.used(
                sessions[-1].id,
                random.choice(["small", "embedder"]),
                prompt_tokens=random.randrange(1_000),
                cost_usd=random.choice([None, 0.5, 0.125]),
            )
            for _ in range(random.randrange(3))
        ]
        if used:
            await factories.usage(api, *used)


SESSIONS_OF = {
    "project": "SELECT id FROM sessions WHERE project_id = p.id",
    "users": "SELECT id FROM sessions WHERE user_id = p.id",
    "agents": "SELECT id FROM sessions WHERE agent_id = p.id",
    "agentVersions": "SELECT id FROM sessions WHERE agent_version_id = p.id",
    "teams": "SELECT id FROM sessions WHERE team_id = p.id",
    "sessions": """
        WITH RECURSIVE below (id) AS (
            SELECT p.id UNION ALL SELECT s.id FROM sessions s JOIN below b ON s.parent_id = b.id
        ) SELECT id FROM below""",
}
"""The ids of the sessions of a parent `p`; for a session, those of its tree."""

TABLES = {
    "project": "(SELECT id, id AS project_id FROM projects)",
    "agentVersions": "agent_versions",
}
"""The tables of parents that are not named after their field."""

NUMBERS = """
SELECT CAST(p.id AS text), jsonb_build_object(
    'sessionCount', cardinality(ids),
    'errorCount', (SELECT count(*) FROM tool_calls WHERE session_id = ANY(ids)
            AND status = 'FAILED')
        + (SELECT count(*) FROM session_events WHERE session_id = ANY(ids)
            AND event_type = 'error'),
    'latencies', (SELECT jsonb_agg(latency_ms) FROM messages WHERE session_id = ANY(ids)),
    'durations', (SELECT jsonb_object_agg(name, durations) FROM (
        SELECT name, jsonb_agg(duration_ms) AS durations FROM tool_calls
        WHERE session_id = ANY(ids) GROUP BY name) AS tool),
    'models', (SELECT jsonb_agg(jsonb_build_array(
        model, messages, used, prompt, completion, cost
    ) ORDER BY prompt + completion DESC, model) FROM (
        SELECT coalesce(m.model, u.model) AS model,
            coalesce(m.number, 0) AS messages, coalesce(u.number, 0) AS used,
            coalesce(m.prompt, 0) + coalesce(u.prompt, 0) AS prompt,
            coalesce(m.completion, 0) + coalesce(u.completion, 0) AS completion, coalesce(u.cost, 0) AS cost
        FROM (
            SELECT model, count(*) AS number, coalesce(sum(prompt_tokens), 0) AS prompt,
                coalesce(sum(completion_tokens), 0) AS completion
            FROM messages WHERE session_id = ANY(ids)
                AND NOT (model IS NULL AND prompt_tokens IS NULL AND completion_tokens IS NULL)
            GROUP BY model
        ) AS m FULL JOIN (
            SELECT model, count(*) AS number, sum(prompt_tokens) AS prompt,
                sum(completion_tokens) AS completion, sum(cost_usd) AS cost
            FROM usage_records WHERE session_id = ANY(ids) GROUP BY model
        ) AS u ON u.model = m.model
    ) AS each)
) FROM {table} AS p, LATERAL (
    SELECT coalesce(array_agg(id), '{{}}') AS ids FROM sessions WHERE {asked} AND id IN ({theirs})
) AS found
WHERE p.project_id = :project
"""


@pytest.mark.parametrize("asked", ["", "(sessions: {startedAt: {gte: $from, lt: $to}})"])
@pytest.mark.parametrize("noun", [*SESSIONS_OF])
async def test_statistics_equal_those_of_plain_sql(
    api: Api, other: Api, owner: AsyncEngine, noun: str, asked: str
) -> None:
    await fill(api)
    await fill(other)
    begin, end = datetime(2026, 1, 4, tzinfo=UTC), datetime(2026, 1, 14, tzinfo=UTC)
    field = f"statistics{asked} {{ ...All }}"
    field = f"tree {{ {field} }}" if noun == "sessions" else field
    head = "query ($from: DateTime!, $to: DateTime!) " if asked else ""
    asked_for = f"{{ id {field} }}" if noun == "project" else f"(first: 100) {{ nodes {{ id {field} }} }}"
    document = f"{head}{{ {noun} {asked_for} }} {STATISTICS}"
    with traffic(api.database) as seen:
        data = await api.ask(
            document, **({"from": begin.isoformat(), "to": end.isoformat()} if asked else {})
        )
    assert len(seen.statements) == 1
    table = TABLES.get(noun, noun)
    condition = "started_at >= :begin AND started_at < :end" if asked else "true"
    statement = NUMBERS.format(table=table, asked=condition, theirs=SESSIONS_OF[noun])
    async with owner.connect() as connection:
        given = {"project": api.project_id} | ({"begin": begin, "end": end} if asked else {})
        plain: dict[str, Any] = dict(map(tuple, await connection.execute(text(statement), given)))
    nodes = [data[noun]] if noun == "project" else data[noun]["nodes"]
    assert {node["id"] for node in nodes} == plain.keys()
    for node in nodes:
        found = (node["tree"] if noun == "sessions" else node)["statistics"]
        numbers = plain[node["id"]]
        latencies = [each for each in numbers["latencies"] or () if each is not None]
        durations = numbers["durations"] or {}
        assert found["sessionCount"] == numbers["sessionCount"]
        assert found["errorCount"] == numbers["errorCount"]
        assert found["latency"] == {
            "count": len(latencies),
            "meanMs": mean(latencies),
            **{f"p{each}Ms": percentile(latencies, each) for each in PERCENTILES},
        }
        assert {tool["name"]: tool["callCount"] for tool in found["tools"]} == {
            name: len(each) for name, each in durations.items()
        }
        for tool in found["tools"]:
            for each in PERCENTILES:
                assert tool[f"p{each}DurationMs"] == percentile(durations[tool["name"]], each)
        assert [[*model.values()] for model in found["models"]] == (numbers["models"] or [])
    assert len(nodes) > 1 or noun in {"project", "agents", "teams"}
    assert any(plain[node["id"]]["errorCount"] for node in nodes)


async def test_percentiles_are_interpolated(api: Api) -> None:
    session = await factories.session(api)
    said = [factories.said(role=MessageRole.ASSISTANT, latency_ms=each) for each in (10, 20, 40, 80)]
    await factories.say(api, session.id, *said, factories.said())
    data = await api.ask(
        "{ project { statistics { messageCount latency { count meanMs p50Ms p95Ms p99Ms } } } }"
    )
    assert data["project"]["statistics"] == {
        "messageCount": 5,
        "latency": {
            "count": 4,
            "meanMs": 37.5,
            "p50Ms": 30,
            "p95Ms": pytest.approx(74),
            "p99Ms": pytest.approx(78.8),
        },
    }


async def test_error_counts_include_failed_calls_and_error_events(api: Api) -> None:
    root = await factories.session(api)
    below = await factories.session(api, parent_id=root.id)
    calls = [factories.called(error="no"), factories.called(result=1), factories.called()]
    await factories.say(api, below.id, factories.said(role=MessageRole.ASSISTANT, tool_calls=calls))
    await factories.events(api, below.id, *map(factories.happened, ("error", "Error", "checkpoint")))
    await factories.events(api, root.id, factories.happened("error"))
    data = await api.ask("""{
        project { statistics { errorCount } }
        sessions { nodes { depth statistics { errorCount } tree { errorCount statistics { errorCount } } } }
    }""")
    assert data["project"]["statistics"]["errorCount"] == 3
    for node in data["sessions"]["nodes"]:
        own, whole = ((1, 3), (2, 2))[node["depth"]]
        assert node["statistics"]["errorCount"] == own
        assert node["tree"] == {"errorCount": whole, "statistics": {"errorCount": whole}}
