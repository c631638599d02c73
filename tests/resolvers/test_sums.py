"""Sums and means are those of the decimals that clients sent, rounded once, wherever they are asked for."""

from __future__ import annotations

from datetime import UTC, datetime
from fractions import Fraction
from random import Random
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import ARRAY, Float, column, func, literal, select

from models.enums import AccessorType, MessageRole
from resolvers.sums import mean as mean_of
from resolvers.sums import percentiles
from tests import factories
from tests.factories import measured

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

    from tests.api import Api

RANDOM = Random(5)  # noqa: S311  # made-up data
LEAST = 5e-324

SHARES = {
    "equal": [0.1] * 3,
    "one with 17 digits": [0.33333333333333337],
    "17 digits": [RANDOM.random() for _ in range(101)],
    "few digits": [RANDOM.randrange(1001) / 1000 for _ in range(77)],
    "a third": [0.1, 0.1, 0.2],
    "far apart": [1.0, 1e-300, 1e-17],
    "closer to zero than a double": [LEAST, 0.0, 0.0],
    "the least": [LEAST, LEAST],
    "zeros": [0.0, 0.0],
}
"""Values from 0 to 1, which can be shares and durations."""

VALUES = SHARES | {
    "durations": [120.5, 80.3, 99.1],
    "one": [33.333333333333336],
    "many": [RANDOM.expovariate(0.001) for _ in range(300)],
    "large": [1e12, 1e-7, 0.1, 999_999_999_999.9],
}

SIGNED = VALUES | {
    "both sides of zero": [0.1, 0.2, -0.3],
    "the largest": [1e100, -1e100, 0.1, 1e100],
    "negative": [-RANDOM.random() for _ in range(40)],
    "just below zero": [-LEAST, 0.0, 0.0],
}


def total(values: list[float]) -> Fraction:
    """Return the exact sum of the decimals that the values are written as."""
    return sum((Fraction(repr(value)) for value in values), Fraction())


def mean(values: list[float]) -> float:
    """Return the double that is nearest to the exact mean."""
    return float(total(values) / len(values))


@pytest.mark.parametrize("name", VALUES)
async def test_the_mean_duration_is_the_same_in_statistics_and_in_the_ranking(api: Api, name: str) -> None:
    values = VALUES[name]
    session = await factories.session(api)
    await factories.say(
        api,
        session.id,
        factories.said(
            role=MessageRole.ASSISTANT,
            tool_calls=[factories.called("tool", duration_ms=value) for value in [*values, None]],
        ),
    )
    data = await api.ask("""{
        sessions { nodes { statistics { tools { meanDurationMs } } } }
        project { statistics { tools { meanDurationMs } } }
        topTools { nodes { meanDurationMs } }
    }""")
    found = {"meanDurationMs": mean(values)}
    assert min(values) <= mean(values) <= max(values)
    assert data == {
        "sessions": {"nodes": [{"statistics": {"tools": [found]}}]},
        "project": {"statistics": {"tools": [found]}},
        "topTools": {"nodes": [found]},
    }


@pytest.mark.parametrize("name", SIGNED)
async def test_the_sum_and_the_mean_of_a_series_are_exact(api: Api, name: str) -> None:
    values, moment = SIGNED[name], datetime(2026, 1, 1, tzinfo=UTC)
    agent = await factories.agent(api)
    await factories.measure_agents(
        api, *[measured(metric_value=value, agent_id=agent.id, timestamp=moment) for value in values]
    )
    range_ = 'from: "2026-01-01T00:00:00Z", to: "2026-01-02T00:00:00Z", interval: DAY'
    data = await api.ask(f"""{{
        agents {{ nodes {{ series(metric: AGENT_METRIC, {range_}) {{ sum mean min max }} }} }}
        project {{ series(metric: AGENT_METRIC, {range_}, groupBy: AGENT) {{ sum mean min max }} }}
    }}""")
    bucket = {
        "sum": float(total(values)),
        "mean": mean(values),
        "min": min(values),
        "max": max(values),
    }
    assert data == {"agents": {"nodes": [{"series": [bucket]}]}, "project": {"series": [bucket]}}


@pytest.mark.parametrize("name", SHARES)
async def test_mean_scores_are_exact(api: Api, name: str) -> None:
    values = SHARES[name]
    agent = await factories.agent(api)
    scores: list[dict[str, Any]] = [
        {"agent_id": agent.id, "quality_score": value, "user_satisfaction": value} for value in values
    ]
    await factories.many_sessions(api, [*scores, {"agent_id": agent.id}])
    fields = "meanQualityScore meanUserSatisfaction"
    data = await api.ask(
        f"{{ agents {{ nodes {{ statistics {{ {fields} }} }} }} project {{ statistics {{ {fields} }} }} }}"
    )
    found = {"statistics": dict.fromkeys(fields.split(), mean(values))}
    assert data == {"agents": {"nodes": [found]}, "project": found}


@pytest.mark.parametrize("name", SHARES)
async def test_usefulness_is_the_same_of_a_memory_and_in_the_ranking(api: Api, name: str) -> None:
    values = SHARES[name]
    memory = await factories.memory(api)
    for value in values[:20]:
        await factories.memory_access(
            api, memory.id, usefulness=value, access_type="read", accessor_type=AccessorType.AGENT
        )
    data = await api.ask("{ memories { nodes { usefulness } } topMemories { nodes { usefulness } } }")
    found = {"nodes": [{"usefulness": mean(values[:20])}]}
    assert data == {"memories": found, "topMemories": found}


async def test_the_mean_latency_is_exact(api: Api) -> None:
    latencies = [RANDOM.randrange(2**31) for _ in range(97)]
    session = await factories.session(api)
    await factories.say(api, session.id, *[factories.said(latency_ms=latency) for latency in latencies])
    range_ = f'from: "{session.started_at.year}-01-01T00:00:00Z", to: "2100-01-01T00:00:00Z", interval: MONTH'
    data = await api.ask(f"""{{ project {{
        statistics {{ latency {{ meanMs }} }} series(metric: MESSAGE_LATENCY, {range_}) {{ count mean sum }}
    }} }}""")
    expected = float(Fraction(sum(latencies), len(latencies)))
    assert data["project"]["statistics"] == {"latency": {"meanMs": expected}}
    [bucket] = [each for each in data["project"]["series"] if each["count"]]
    assert bucket == {"count": 97, "mean": expected, "sum": float(sum(latencies))}


async def test_the_mean_of_the_largest_doubles_is_one_of_them(owner: AsyncEngine) -> None:
    # Nothing of the kind is taken any more, but it may have been recorded before.
    given = (
        func.unnest(literal([1e308, 1e308, 1.7e308], ARRAY(Float)))
        .table_valued(column("value", Float))
        .render_derived()
    )
    statement = select(mean_of(given.c.value), *[each for _, each in percentiles(given.c.value)])
    async with owner.connect() as connection:
        found = (await connection.execute(statement)).one()
    assert found[0] == mean([1e308, 1e308, 1.7e308])
    assert found[1] == 1e308
    assert all(1e308 <= each <= 1.7e308 for each in found)
