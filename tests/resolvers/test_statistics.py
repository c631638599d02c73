"""What sessions add up to agrees with Python, and what the first dashboard asks with plain SQL."""

from __future__ import annotations

from collections import Counter
from statistics import fmean
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import text

from tests import factories

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy.ext.asyncio import AsyncEngine

    from tests.api import Api
    from tests.world import Rows

STATISTICS = """
fragment All on Statistics {
    sessionCount openCount completedCount failedCount cancelledCount successRate
    messageCount interactionCount promptTokens completionTokens costUsd meanQualityScore meanUserSatisfaction
    tools { name callCount pendingCount succeededCount failedCount successRate meanDurationMs }
}
"""


def mean(values: Iterable[Any]) -> Any:
    """Give the mean of the values that are known."""
    known = [value for value in values if value is not None]
    return pytest.approx(fmean(known)) if known else None


def share(good: int, bad: int) -> float | None:
    """Give the good ones' share."""
    return good / (good + bad) if good + bad else None


def added_up(sessions: list[dict[str, Any]], rows: dict[str, Rows]) -> dict[str, Any]:
    """Add sessions up."""
    statuses = Counter(session["status"] for session in sessions)
    calls = [rows["ToolCall"][call["id"]] for session in sessions for call in session["toolCalls"]]
    names = Counter(call["name"] for call in calls)
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
    }


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
    }


@pytest.mark.parametrize(("noun", "type_"), [("agents", "Agent"), ("users", "User"), ("teams", "Team")])
async def test_statistics_are_of_each_parents_sessions(
    world: Api, rows: dict[str, Rows], noun: str, type_: str
) -> None:
    data = await world.ask(f"{{ {noun} {{ nodes {{ id statistics {{ ...All }} }} }} }} {STATISTICS}")
    for node in data[noun]["nodes"]:
        sessions = [rows["Session"][session["id"]] for session in rows[type_][node["id"]]["sessions"]]
        assert node["statistics"] == added_up(sessions, rows)


async def test_statistics_of_sessions_and_of_the_project(world: Api, rows: dict[str, Rows]) -> None:
    data = await world.ask(
        f"""{{
            sessions {{ nodes {{ id statistics {{ ...All }} }} }}
            project {{ statistics {{ ...All }} }}
        }} {STATISTICS}"""
    )
    for node in data["sessions"]["nodes"]:
        assert node["statistics"] == added_up([rows["Session"][node["id"]]], rows)
    assert data["project"]["statistics"] == added_up(list(rows["Session"].values()), rows)


async def test_statistics_count_the_sessions_that_a_filter_asks_for(
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
        "best": added_up(best, rows),
        "open": added_up([session for session in sessions if session["isActive"]], rows),
        "none": added_up([], rows),
    }
    for node in data["agents"]["nodes"]:
        its = [session for session in best if session["agent"] and session["agent"]["id"] == node["id"]]
        assert node["statistics"] == added_up(its, rows)


async def test_one_fragment_may_stand_for_statistics_with_other_arguments(world: Api) -> None:
    data = await world.ask("""{
        a: project { ...Best } b: project { statistics { tools { callCount } } }
    }
    fragment Best on Project { statistics(sessions: {id: {in: ["01900000-0000-7000-8000-000000000000"]}}) {
        tools { callCount }
    } }""")
    assert data["a"]["statistics"]["tools"] == []
    assert data["b"]["statistics"]["tools"] != []


QUESTION = """{
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


async def test_the_question_of_the_first_dashboard(world: Api, owner: AsyncEngine) -> None:
    data = await world.ask(QUESTION)
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


async def test_statistics_of_what_has_no_sessions(api: Api) -> None:
    await factories.agent(api)
    data = await api.ask(f"{{ agents {{ nodes {{ statistics {{ ...All }} }} }} }} {STATISTICS}")
    assert data["agents"]["nodes"] == [{"statistics": added_up([], {})}]
