"""Series of every metric, parent and dimension equal those that Python computes from the rows."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime
from functools import cache
from itertools import combinations
from typing import TYPE_CHECKING, Any

import pytest

from schema.enums import SeriesDimension
from tests import factories
from tests.api import traffic
from tests.factories import measured
from tests.resolvers.test_series import BUCKET, EMPTY, start_of, starts, summary
from tests.sweeps import sweep

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.api import Api
    from tests.world import Rows

    Row = dict[str, Any]
    Measured = tuple[str, float, Row]
    """A time, a value, and its parents and dimensions by the names of their fields."""

ZONE = "Asia/Kolkata"
TO = "2026-04-01T00:00:00Z"
RANGE = f'from: "2025-12-31T20:00:00Z", to: "{TO}", interval: MONTH, timeZone: "{ZONE}"'
MONTHS = 4
GROUP = "agent { id } agentVersion { id } user { id } model tool metricType"
FIELDS = {
    "AGENT": "agent",
    "AGENT_VERSION": "agentVersion",
    "USER": "user",
    "MODEL": "model",
    "TOOL": "tool",
    "METRIC_TYPE": "metricType",
}
PARENTS = {
    "agents": "agent",
    "agentVersions": "agentVersion",
    "users": "user",
    "teams": "team",
    "sessions": "session",
    "project": "project",
}


def of_session(rows: dict[str, Rows], session: str) -> Row:
    """Return the parents and dimensions of the measurements in a session."""
    row = rows["Session"][session]
    named = {name: row[name] and row[name]["id"] for name in ("agent", "agentVersion", "user", "team")}
    return named | {"session": session}


def agent_metrics(rows: dict[str, Rows]) -> Iterator[Measured]:
    for row in rows["AgentMetric"].values():
        version = row["version"] and row["version"]["id"]
        known = {"agent": row["agent"]["id"], "agentVersion": version, "metricType": row["metricType"]}
        yield row["timestamp"], row["metricValue"], known


def session_metrics(rows: dict[str, Rows]) -> Iterator[Measured]:
    for row in rows["SessionMetric"].values():
        known = of_session(rows, row["session"]["id"]) | {"metricType": row["metricType"]}
        yield row["timestamp"], row["metricValue"], known


def latency(rows: dict[str, Rows]) -> Iterator[Measured]:
    for row in rows["Message"].values():
        if row["latencyMs"] is not None:
            known = of_session(rows, row["session"]["id"]) | {"model": row["model"]}
            yield row["createdAt"], row["latencyMs"], known


def tokens(*names: str) -> Callable[[dict[str, Rows]], Iterator[Measured]]:
    def found(rows: dict[str, Rows]) -> Iterator[Measured]:
        for type_, time in (("Message", "createdAt"), ("UsageRecord", "timestamp")):
            for row in rows[type_].values():
                values = [row[name] for name in names if row[name] is not None]
                if values:
                    known = of_session(rows, row["session"]["id"]) | {"model": row["model"]}
                    yield row[time], sum(values), known

    return found


def cost(rows: dict[str, Rows]) -> Iterator[Measured]:
    for row in rows["UsageRecord"].values():
        if row["costUsd"] is not None:
            yield (
                row["timestamp"],
                row["costUsd"],
                of_session(rows, row["session"]["id"]) | {"model": row["model"]},
            )


def sessions_started(rows: dict[str, Rows]) -> Iterator[Measured]:
    for id_, row in rows["Session"].items():
        yield row["startedAt"], 1, of_session(rows, id_)


def errors(rows: dict[str, Rows]) -> Iterator[Measured]:
    for row in rows["ToolCall"].values():
        if row["status"] == "FAILED":
            session = rows["Message"][row["message"]["id"]]["session"]["id"]
            yield row["createdAt"], 1, of_session(rows, session) | {"tool": row["name"]}
    for row in rows["SessionEvent"].values():
        if row["eventType"] == "error":
            yield row["timestamp"], 1, of_session(rows, row["session"]["id"]) | {"tool": None}


SESSION = ("AGENT", "AGENT_VERSION", "USER")
METRICS: dict[str, tuple[Any, tuple[str, ...]]] = {
    "AGENT_METRIC": (agent_metrics, ("AGENT", "AGENT_VERSION", "METRIC_TYPE")),
    "SESSION_METRIC": (session_metrics, (*SESSION, "METRIC_TYPE")),
    "MESSAGE_LATENCY": (latency, (*SESSION, "MODEL")),
    "PROMPT_TOKENS": (tokens("promptTokens"), (*SESSION, "MODEL")),
    "COMPLETION_TOKENS": (tokens("completionTokens"), (*SESSION, "MODEL")),
    "TOKENS": (tokens("promptTokens", "completionTokens"), (*SESSION, "MODEL")),
    "COST": (cost, (*SESSION, "MODEL")),
    "SESSIONS_STARTED": (sessions_started, SESSION),
    "ERRORS": (errors, (*SESSION, "TOOL")),
}


@cache
def month(moment: str) -> datetime:
    """Return the start of the month of a time."""
    return start_of(datetime.fromisoformat(moment), "MONTH", ZONE)


def expected(found: list[Measured], fields: list[str]) -> dict[tuple[Any, ...], dict[datetime, list[float]]]:
    """Return the values of each group and month."""
    groups: dict[tuple[Any, ...], dict[datetime, list[float]]] = defaultdict(lambda: defaultdict(list))
    for time, value, known in found:
        groups[tuple(known[field] for field in fields)][month(time)].append(value)
    return groups


def check(series: list[Row], found: list[Measured], fields: list[str]) -> None:
    """Check the buckets of one parent against its measurements."""
    groups = expected(found, fields) if fields else expected(found, fields) or {(): {}}
    assert len(series) == len(groups) * MONTHS
    sizes, seen = [], set()
    for first in range(0, len(series), MONTHS):
        buckets = series[first : first + MONTHS]
        [group] = {
            tuple(
                bucket[field]["id"] if isinstance(bucket[field], dict) else bucket[field] for field in fields
            )
            for bucket in buckets
        }
        seen.add(group)
        began = starts(buckets)
        assert began == sorted(began)
        for at, bucket in zip(began, buckets, strict=True):
            values = groups[group].get(datetime.fromisoformat(at), [])
            assert {name: bucket[name] for name in EMPTY} == summary([float(value) for value in values])
            assert all(bucket[field] is None for field in FIELDS.values() if field not in fields)
        sizes.append(sum(bucket["count"] for bucket in buckets))
    assert seen == {*groups}
    assert sizes == sorted(sizes, reverse=True)


def test_every_dimension_of_the_contract_is_covered() -> None:
    assert {*FIELDS} == {dimension.name for dimension in SeriesDimension}


@pytest.mark.parametrize(("noun", "metric"), sweep(4, PARENTS, METRICS))
async def test_series_equal_those_that_python_computes(
    world: Api, rows: dict[str, Rows], noun: str, metric: str
) -> None:
    measure, dimensions = METRICS[metric]
    parent = PARENTS[noun]
    if metric == "AGENT_METRIC" and parent in {"user", "team", "session"}:
        document = f"{{ {noun} {{ nodes {{ series(metric: {metric}, {RANGE}) {{ count }} }} }} }}"
        error = await world.error(document)
        assert error["extensions"] == {"code": "BAD_USER_INPUT", "field": "metric"}
        return
    found = [
        each for each in measure(rows) if each[0] < TO and month(each[0]) >= month("2025-12-31T20:00:00Z")
    ]
    assert found
    asked = {"s0": [], **{f"s1{name}": [name] for name in dimensions}}
    asked |= {f"s2{one}{other}": [one, other] for one, other in combinations(dimensions, 2)}
    groups = 100 if noun == "project" else 40
    below = "id " + " ".join(
        f"{alias}: series(metric: {metric}, {RANGE}{_by(names, groups)}) {{ {BUCKET} {GROUP} }}"
        for alias, names in asked.items()
    )
    document = f"{{ {noun} {{ {below} }} }}"
    if noun != "project":
        document = f"{{ {noun}(first: 100) {{ totalCount nodes {{ {below} }} }} }}"
    with traffic(world.database) as seen:
        data = (await world.ask(document))[noun]
    assert len(seen.statements) == 1
    if noun == "project":
        nodes, of_nodes = [data], {data["id"]: found}
    else:
        nodes, of_nodes = data["nodes"], defaultdict(list)
        assert len(nodes) == data["totalCount"]
        for each in found:
            of_nodes[each[2][parent]].append(each)
    for alias, names in asked.items():
        fields = [FIELDS[name] for name in names]
        assert any(bucket["count"] for node in nodes for bucket in node[alias]), alias
        for node in nodes:
            check(node[alias], of_nodes.get(node["id"], []), fields)


def _by(names: list[str], groups: int) -> str:
    return f", groupBy: [{', '.join(names)}], groups: {groups}" if names else ""


@pytest.mark.parametrize("metric", [metric for metric in METRICS if metric != "AGENT_METRIC"])
async def test_a_filter_selects_the_sessions_that_are_measured(
    world: Api, rows: dict[str, Rows], metric: str
) -> None:
    measure, _ = METRICS[metric]
    document = f"""{{
        all: project {{
            series(metric: {metric}, {RANGE}, sessions: {{status: {{eq: COMPLETED}}}}) {{ {BUCKET} }}
        }}
        none: project {{
            series(metric: {metric}, {RANGE}, sessions: {{title: {{eq: "no such"}}}}) {{ {BUCKET} }}
        }}
        agents(first: 120) {{ nodes {{ id
            series(metric: {metric}, {RANGE}, sessions: {{status: {{eq: COMPLETED}}}}, groupBy: USER) {{
                {BUCKET} {GROUP}
            }}
        }} }}
    }}"""
    data = await world.ask(document)
    ended = {id_ for id_, row in rows["Session"].items() if row["status"] == "COMPLETED"}
    found = [each for each in measure(rows) if each[2]["session"] in ended and each[0] < TO]
    null = dict.fromkeys(FIELDS.values())
    check([bucket | null for bucket in data["all"]["series"]], found, [])
    check([bucket | null for bucket in data["none"]["series"]], [], [])
    for node in data["agents"]["nodes"]:
        check(node["series"], [each for each in found if each[2]["agent"] == node["id"]], ["user"])


async def test_token_series_of_a_session_add_up_to_its_totals(world: Api) -> None:
    everything = 'from: "2000-01-01T00:00:00Z", to: "2100-01-01T00:00:00Z", interval: MONTH'
    data = await world.ask(
        f"""{{ sessions(first: 120) {{ nodes {{
        promptTokens completionTokens
        prompt: series(metric: PROMPT_TOKENS, {everything}) {{ sum }}
        completion: series(metric: COMPLETION_TOKENS, {everything}) {{ sum }}
        both: series(metric: TOKENS, {everything}) {{ sum }}
    }} }} }}""".replace("sessions(first: 120)", "sessions(first: 100)")
    )
    for node in data["sessions"]["nodes"]:
        sums = {
            name: sum(bucket["sum"] for bucket in node[name]) for name in ("prompt", "completion", "both")
        }
        assert sums["prompt"] == node["promptTokens"]
        assert sums["completion"] == node["completionTokens"]
        assert sums["both"] == sums["prompt"] + sums["completion"]


async def test_a_grouped_series_has_its_largest_groups(api: Api) -> None:
    agent = await factories.agent(api)
    moment = datetime.fromisoformat("2026-01-01T12:00:00Z")
    types = [f"type {number:03}" for number in range(120)]
    await factories.measure_agents(
        api,
        *[
            measured(type_, agent_id=agent.id, timestamp=moment)
            for number, type_ in enumerate(types)
            for _ in range(2 if number == 77 else 1)
        ],
    )
    document = """query($groups: Int, $to: DateTime!) { project {
        series(metric: AGENT_METRIC, from: "2026-01-01T00:00:00Z", to: $to, interval: DAY,
            groupBy: METRIC_TYPE, groups: $groups) { metricType count start }
    } }"""
    for groups in (None, 1, 100):
        found = (await api.ask(document, groups=groups, to="2026-01-03T00:00:00Z"))["project"]["series"]
        others = [type_ for type_ in types if type_ != types[77]]
        wanted = [types[77], *others][: groups or 10]
        assert [bucket["metricType"] for bucket in found[::2]] == wanted
        assert [bucket["count"] for bucket in found[:4]] == [2, 0, 1, 0][: len(found)]
    for groups in (0, -1, 101):
        error = await api.error(document, groups=groups, to="2026-01-03T00:00:00Z")
        assert error["extensions"] == {"code": "BAD_USER_INPUT", "field": "groups"}
    error = await api.error(document, groups=100, to="2029-01-01T00:00:00Z")
    assert error["extensions"] == {"code": "LIMIT_EXCEEDED", "field": "groups"}


async def test_a_grouped_series_without_measurements_is_empty(api: Api) -> None:
    document = f"""{{ project {{
        one: series(metric: TOKENS, {RANGE}) {{ count }}
        some: series(metric: TOKENS, {RANGE}, groupBy: []) {{ count }}
        none: series(metric: TOKENS, {RANGE}, groupBy: MODEL) {{ count }}
    }} }}"""
    project = (await api.ask(document))["project"]
    assert project["one"] == project["some"] == [{"count": 0}] * MONTHS
    assert project["none"] == []


@pytest.mark.parametrize(
    ("arguments", "field", "said"),
    [
        ("metric: COST, groupBy: TOOL", "groupBy", "AGENT, AGENT_VERSION, USER, MODEL"),
        ("metric: AGENT_METRIC, groupBy: [AGENT, USER]", "groupBy", "AGENT, AGENT_VERSION, METRIC_TYPE"),
        ("metric: SESSIONS_STARTED, groupBy: METRIC_TYPE", "groupBy", "AGENT, AGENT_VERSION, USER"),
        ("metric: ERRORS, groupBy: [TOOL, TOOL]", "groupBy", "at most two"),
        ("metric: ERRORS, groupBy: [TOOL, USER, AGENT]", "groupBy", "at most two"),
        ('metric: ERRORS, metricType: "a"', "metricType", "SESSION_METRIC"),
        ("metric: AGENT_METRIC, sessions: {status: {eq: FAILED}}", "sessions", "not measured in sessions"),
    ],
)
async def test_arguments_that_a_metric_does_not_support_are_refused(
    api: Api, arguments: str, field: str, said: str
) -> None:
    error = await api.error(f"{{ project {{ series({arguments}, {RANGE}) {{ count }} }} }}")
    assert error["extensions"] == {"code": "BAD_USER_INPUT", "field": field}
    assert said in error["message"]


@pytest.mark.parametrize("metric", METRICS)
async def test_a_series_excludes_other_projects(world: Api, other: Api, metric: str) -> None:
    assert world.project_id != other.project_id
    _, dimensions = METRICS[metric]
    document = f"""{{ project {{
        series(metric: {metric}, {RANGE}) {{ count }}
        grouped: series(metric: {metric}, {RANGE}, groupBy: {dimensions[0]}) {{ count }}
    }} }}"""
    project = (await other.ask(document))["project"]
    assert project == {"series": [{"count": 0}] * MONTHS, "grouped": []}
