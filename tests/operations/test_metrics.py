"""Metrics are recorded all or none, in one statement, and are deleted with their agent or session."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from sqlalchemy import text

from agentdata.errors import NotFoundError
from agentdata.operations import agent_versions, agents, sessions
from models import AgentMetric, SessionMetric
from tests import factories
from tests.api import traffic
from tests.factories import measured

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

    from tests.api import Api

MEASURED = datetime(2026, 1, 31, 12, tzinfo=UTC)
RECORD_OF_AGENTS = """
mutation($metrics: [RecordAgentMetricInput!]!) {
  recordAgentMetrics(metrics: $metrics) {
    agent { id } version { id } metricType metricValue timestamp timeframe metadata
  }
}
"""
RECORD_OF_SESSIONS = """
mutation($metrics: [RecordSessionMetricInput!]!) {
  recordSessionMetrics(metrics: $metrics) { session { id } metricType metricValue timestamp metadata }
}
"""


async def count_rows(api: Api, owner: AsyncEngine, model: Any) -> int:
    """Return how many metrics the project has."""
    async with owner.connect() as connection:
        statement = text(f"SELECT count(*) FROM {model.__tablename__} WHERE project_id = :id")  # noqa: S608  # our table
        count: int = (await connection.execute(statement, {"id": api.project_id})).scalar_one()
        return count


async def test_metrics_of_several_agents_take_one_statement(api: Api) -> None:
    one, two = await factories.agent(api), await factories.agent(api)
    metrics = [
        measured("accuracy", number / 8, agent_id=agent.id, timestamp=MEASURED - timedelta(days=number))
        for number in range(50)
        for agent in (one, two)
    ]
    with traffic(api.database) as seen:
        made = await factories.measure_agents(api, *metrics)
    assert len(seen.statements) == 1
    assert [(each.agent_id, each.metric_value, each.timestamp) for each in made] == [
        (each["agent_id"], each["metric_value"], each["timestamp"]) for each in metrics
    ]
    data = await api.ask("{ agents { nodes { id metrics(first: 60) { nodes { metricValue } } } } }")
    for agent in data["agents"]["nodes"]:
        values = [node["metricValue"] for node in agent["metrics"]["nodes"]]
        assert values == [number / 8 for number in range(50)], "the latest come first"


async def test_one_metric_needs_no_list_and_defaults_to_now(api: Api) -> None:
    session = await factories.session(api)
    before = datetime.now(UTC)
    data = await api.ask(
        "mutation($id: ID!) { recordSessionMetrics(metrics: {sessionId: $id, metricType: "
        '"token_usage", metricValue: 7}) { timestamp metricValue metadata } }',
        id=str(session.id),
    )
    [metric] = data["recordSessionMetrics"]
    assert before <= datetime.fromisoformat(metric.pop("timestamp")) <= datetime.now(UTC)
    assert metric == {"metricValue": 7.0, "metadata": {}}


async def test_metrics_of_one_write_may_set_different_fields(api: Api) -> None:
    agent = await factories.agent(api)
    version = await factories.agent_version(api, agent.id)
    least = {"agentId": str(agent.id), "metricType": "accuracy", "metricValue": 0.5}
    full = least | {
        "versionId": str(version.id),
        "timeframe": "daily",
        "timestamp": "2026-01-31T12:00:00Z",
        "metadata": {"runs": 3},
    }
    made = (await api.ask(RECORD_OF_AGENTS, metrics=[least, full]))["recordAgentMetrics"]
    assert [(each["version"], each["timeframe"], each["metadata"]) for each in made] == [
        (None, None, {}),
        ({"id": str(version.id)}, "daily", {"runs": 3}),
    ]
    data = await api.ask(
        "query($id: ID!) { agentVersion(id: $id) { metrics { nodes { timestamp } } } }", id=str(version.id)
    )
    assert data["agentVersion"]["metrics"]["nodes"] == [{"timestamp": "2026-01-31T12:00:00Z"}]


@pytest.mark.parametrize("wrong", [{"agentId": str(uuid4())}, {"metricValue": 1e101}, {"metricType": " "}])
async def test_one_invalid_metric_records_none(api: Api, owner: AsyncEngine, wrong: dict[str, Any]) -> None:
    agent = await factories.agent(api)
    right = {"agentId": str(agent.id), "metricType": "accuracy", "metricValue": 0.5}
    error = await api.error(RECORD_OF_AGENTS, metrics=[right, right, right | wrong])
    [field] = wrong
    assert error["extensions"]["field"].endswith(field)
    assert await count_rows(api, owner, AgentMetric) == 0


async def test_a_version_of_another_agent_is_refused(api: Api, owner: AsyncEngine) -> None:
    one, two = await factories.agent(api), await factories.agent(api)
    version = await factories.agent_version(api, two.id)
    metric = {"agentId": str(one.id), "versionId": str(version.id), "metricType": "a", "metricValue": 1}
    error = await api.error(RECORD_OF_AGENTS, metrics=[metric])
    assert error["extensions"] == {"code": "NOT_FOUND", "field": "versionId"}
    assert error["message"] == "versionId does not refer to any agent version of this agent"
    assert await count_rows(api, owner, AgentMetric) == 0


async def test_a_session_of_another_project_is_not_found(api: Api, other: Api, owner: AsyncEngine) -> None:
    session = await factories.session(other)
    metric = {"sessionId": str(session.id), "metricType": "a", "metricValue": 1}
    error = await api.error(RECORD_OF_SESSIONS, metrics=[metric])
    assert error["extensions"] == {"code": "NOT_FOUND", "field": "metrics.0.sessionId"}
    assert await count_rows(other, owner, SessionMetric) == 0


async def test_deleting_a_metric_keeps_the_others(api: Api, owner: AsyncEngine) -> None:
    agent, session = await factories.agent(api), await factories.session(api)
    [of_agent, _] = await factories.measure_agents(api, *[measured(agent_id=agent.id)] * 2)
    [of_session, _] = await factories.measure_sessions(api, *[measured(session_id=session.id)] * 2)
    for name, model, id_ in (
        ("deleteAgentMetric", AgentMetric, str(of_agent.id)),
        ("deleteSessionMetric", SessionMetric, str(of_session.id)),
    ):
        delete = f"mutation($id: ID!) {{ {name}(id: $id) {{ ids }} }}"
        assert (await api.ask(delete, id=id_))[name] == {"ids": [id_]}
        assert (await api.error(delete, id=id_))["extensions"] == {"code": "NOT_FOUND", "field": "id"}
        assert await count_rows(api, owner, model) == 1


async def test_metrics_are_deleted_with_their_agent_or_session(api: Api, owner: AsyncEngine) -> None:
    agent, session = await factories.agent(api), await factories.session(api)
    version = await factories.agent_version(api, agent.id)
    await factories.measure_agents(api, measured(agent_id=agent.id, version_id=version.id))
    await factories.measure_sessions(api, measured(session_id=session.id))
    await api.run(agent_versions.delete, id_=version.id)
    data = await api.ask("{ agentMetrics { nodes { agent { id } version { id } } } }")
    assert data["agentMetrics"]["nodes"] == [{"agent": {"id": str(agent.id)}, "version": None}]
    await api.run(agents.delete, id_=agent.id)
    await api.run(sessions.delete, id_=session.id)
    assert (await count_rows(api, owner, AgentMetric), await count_rows(api, owner, SessionMetric)) == (0, 0)


@pytest.mark.parametrize("whole", [True, False])
async def test_recording_metrics_while_their_agent_or_version_is_deleted_leaves_none_behind(
    api: Api, owner: AsyncEngine, *, whole: bool
) -> None:
    for _ in range(5):
        agent = await factories.agent(api)
        version = await factories.agent_version(api, agent.id)
        metrics = [measured(agent_id=agent.id, version_id=version.id)] * 20
        deletion = (
            api.run(agents.delete, id_=agent.id) if whole else api.run(agent_versions.delete, id_=version.id)
        )
        before = await count_rows(api, owner, AgentMetric)
        results = await asyncio.gather(
            *(factories.measure_agents(api, *metrics) for _ in range(4)),
            deletion,
            *(factories.measure_agents(api, *metrics) for _ in range(4)),
            return_exceptions=True,
        )
        refused = [each for each in results if isinstance(each, BaseException)]
        assert all(isinstance(each, NotFoundError) for each in refused), results
        left = await count_rows(api, owner, AgentMetric) - before
        assert left == (0 if whole else 20 * (8 - len(refused)))
    data = await api.ask("{ agentMetrics(filter: {versionId: {isNull: false}}) { totalCount } }")
    assert data["agentMetrics"]["totalCount"] == 0


async def test_recording_metrics_does_not_wait_for_locked_agents_or_sessions(
    api: Api, owner: AsyncEngine
) -> None:
    """Updates and counts lock agents and sessions; recording metrics does not need these locks."""
    agent = await factories.agent(api)
    session = await factories.session(api, agent_id=agent.id)
    async with owner.begin() as connection:
        for table, row in (("agents", agent), ("sessions", session)):
            await connection.execute(
                text(f"SELECT FROM {table} WHERE id = :id FOR NO KEY UPDATE"),
                {"id": row.id},
            )
        async with asyncio.timeout(10):
            await factories.measure_agents(api, measured(agent_id=agent.id))
            await factories.measure_sessions(api, measured(session_id=session.id))
    assert (await count_rows(api, owner, AgentMetric), await count_rows(api, owner, SessionMetric)) == (1, 1)


async def test_the_error_for_a_missing_agent_names_the_index_of_its_metric(api: Api, other: Api) -> None:
    agent, foreign = await factories.agent(api), await factories.agent(other)
    least = {"agentId": str(agent.id), "metricType": "accuracy", "metricValue": 1}
    error = await api.error(RECORD_OF_AGENTS, metrics=[least, least, {**least, "agentId": str(foreign.id)}])
    assert error["message"] == f"there is no agent {foreign.id}"
    assert error["extensions"] == {"code": "NOT_FOUND", "field": "metrics.2.agentId"}
    assert await api.ask("{ agentMetrics { totalCount } }") == {"agentMetrics": {"totalCount": 0}}
