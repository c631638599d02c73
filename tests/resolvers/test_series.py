"""Series summarize the measurements of every bucket, by the clock of any time zone."""

from __future__ import annotations

import statistics
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from random import Random
from typing import TYPE_CHECKING, Any
from zoneinfo import TZPATH, ZoneInfo, available_timezones, reset_tzpath

import pytest

from agentdata import checks
from resolvers.buckets import MAX_BUCKETS
from tests import factories
from tests.api import traffic
from tests.factories import measured

if TYPE_CHECKING:
    from pathlib import Path

    from tests.api import Api

ARGUMENTS = "$from: DateTime!, $to: DateTime!, $interval: Interval!, $zone: String"
RANGE = "from: $from, to: $to, interval: $interval, timeZone: $zone"
METRIC_ARGUMENTS = f'metricType: "response_time", {RANGE}'
BUCKET = "start count sum mean min max p50 p95 p99"
OF_AGENTS = f"""query({ARGUMENTS}) {{
    agents {{ nodes {{ name series(metric: AGENT_METRIC, {METRIC_ARGUMENTS}) {{ {BUCKET} }} }} }}
}}"""
OF_SESSIONS = f"""query({ARGUMENTS}) {{
    sessions {{ nodes {{ title series(metric: SESSION_METRIC, {METRIC_ARGUMENTS}) {{ {BUCKET} }} }} }}
}}"""
BY_TYPE = f"""query({ARGUMENTS}) {{
    agents(first: 1) {{ nodes {{
        series(metric: AGENT_METRIC, {RANGE}, groupBy: METRIC_TYPE, groups: 2) {{ metricType {BUCKET} }}
    }} }}
}}"""
EMPTY = {"count": 0, "sum": 0.0} | dict.fromkeys(("mean", "min", "max", "p50", "p95", "p99"))


def variables_of(begin: str, end: str, interval: str, zone: str | None = None) -> dict[str, Any]:
    """Return the variables of a series."""
    return {"from": begin, "to": end, "interval": interval, "zone": zone}


async def series(api: Api, begin: str, end: str, interval: str, zone: str | None = None) -> list[Any]:
    """Return the series of the only agent of a project."""
    [agent] = (await api.ask(OF_AGENTS, **variables_of(begin, end, interval, zone)))["agents"]["nodes"]
    buckets: list[Any] = agent["series"]
    return buckets


def starts(buckets: list[dict[str, Any]]) -> list[str]:
    """Return the starts of buckets."""
    return [bucket["start"] for bucket in buckets]


def start_of(moment: datetime, interval: str, zone: str) -> datetime:
    """Return the start of the bucket of a time, computed by Python."""
    local = moment.astimezone(ZoneInfo(zone))
    if interval in {"MINUTE", "HOUR"}:
        cut = local.replace(second=0, microsecond=0)
        return (cut if interval == "MINUTE" else cut.replace(minute=0)).astimezone(UTC)
    day = local.replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
    if interval == "WEEK":
        day -= timedelta(days=day.weekday())
    return (day.replace(day=1) if interval == "MONTH" else day).astimezone(UTC)


def percentile(values: list[float], part: float) -> float:
    """Return a percentile, interpolated between the two nearest values."""
    place = part * (len(values) - 1)
    below = values[int(place)]
    above = values[min(int(place) + 1, len(values) - 1)]
    return below + (place - int(place)) * (above - below)


def summary(values: list[float]) -> dict[str, Any]:
    """Return the summary of values that a bucket should have."""
    if not values:
        return EMPTY
    values = sorted(values)
    return {
        "count": len(values),
        "sum": pytest.approx(sum(values)),
        "mean": pytest.approx(statistics.fmean(values)),
        "min": values[0],
        "max": values[-1],
        **{f"p{part}": pytest.approx(percentile(values, part / 100)) for part in (50, 95, 99)},
    }


CLOCKS = {
    "UTC": "2026-03-01",
    "Europe/Berlin": "2026-03-28",  # put forward on the 29th
    "America/New_York": "2025-11-01",  # put back on the 2nd
    "Asia/Kolkata": "2026-01-01",  # half an hour beside all others
    "America/Sao_Paulo": "2018-11-03",  # put forward at midnight: a day without its first hour
    "Asia/Beirut": "2026-03-28",  # the same
    "America/Nuuk": "2026-03-28",  # put forward at eleven: a day that begins an hour early
    "America/Havana": "2025-11-01",  # put back at one o'clock: a day whose first hour comes twice
    "Australia/Sydney": "2026-04-04",
}


@pytest.mark.parametrize("zone", CLOCKS)
@pytest.mark.parametrize("interval", ["MINUTE", "HOUR", "DAY", "WEEK", "MONTH"])
async def test_a_series_summarizes_the_measurements_of_each_bucket(
    api: Api, zone: str, interval: str
) -> None:
    random = Random(f"{zone} {interval}")  # noqa: S311  # made-up data
    begin = datetime.fromisoformat(f"{CLOCKS[zone]}T13:17:20.5Z")
    end = begin + timedelta(days=5 if interval == "MINUTE" else 100 if interval == "HOUR" else 250)
    near = [begin + timedelta(minutes=random.randrange(60 * 48)) for _ in range(400)]
    far = [begin + (end - begin) * random.random() for _ in range(200)]
    edges = [begin - timedelta(microseconds=1), begin, end - timedelta(microseconds=1), end]
    values = {moment: random.gauss(100, 40) for moment in (*near, *far, *edges)}
    agent = await factories.agent(api)
    await factories.measure_agents(
        api,
        *[measured(metric_value=value, timestamp=at, agent_id=agent.id) for at, value in values.items()],
        *[measured("accuracy", 1e6, timestamp=at, agent_id=agent.id) for at in near[:50]],
    )
    found = await series(api, begin.isoformat(), end.isoformat(), interval, zone)

    expected: dict[datetime, list[float]] = {}
    moment = begin
    while moment < end:
        expected.setdefault(start_of(moment, interval, zone), [])
        moment += timedelta(seconds=30) if interval == "MINUTE" else timedelta(minutes=20)
    for moment, value in values.items():
        if begin <= moment < end:
            expected.setdefault(start_of(moment, interval, zone), []).append(value)
    assert [datetime.fromisoformat(start) for start in starts(found)] == sorted(expected)
    # Grouped series use another statement.
    [grouped] = (await api.ask(BY_TYPE, **variables_of(begin.isoformat(), end.isoformat(), interval, zone)))[
        "agents"
    ]["nodes"]
    largest = grouped["series"][: len(found)]
    assert starts(largest) == starts(found)
    for bucket, alike, start in zip(found, largest, sorted(expected), strict=True):
        said = summary(expected[start])
        assert {**bucket, "start": None} == {**said, "start": None}, start
        assert {**alike, "start": None} == {**said, "start": None, "metricType": "response_time"}, start
    others = grouped["series"][len(found) :]
    assert starts(others) == starts(found)
    assert sum(bucket["count"] for bucket in others) == 50


async def test_a_repeated_hour_is_two_buckets_of_a_25_hour_day(api: Api) -> None:
    agent = await factories.agent(api)
    moments = ["2025-11-02T05:30:00Z", "2025-11-02T06:30:00Z"]  # half past one, and half past one again
    await factories.measure_agents(
        api,
        *[measured(agent_id=agent.id, timestamp=datetime.fromisoformat(moment)) for moment in moments],
    )
    range_ = ("2025-11-02T04:00:00Z", "2025-11-03T05:00:00Z")
    hours = await series(api, *range_, "HOUR", "America/New_York")
    assert [bucket["count"] for bucket in hours] == [0, 1, 1] + [0] * 22
    days = await series(api, *range_, "DAY", "America/New_York")
    assert [(bucket["start"], bucket["count"]) for bucket in days] == [(range_[0], 2)]


async def test_a_clock_change_of_half_an_hour_loses_no_measurement(api: Api) -> None:
    agent = await factories.agent(api)
    begin = datetime(2026, 4, 4, tzinfo=UTC)
    await factories.measure_agents(
        api,
        *[
            measured(agent_id=agent.id, timestamp=begin + timedelta(minutes=5 * number))
            for number in range(288)
        ],
    )
    found = await series(
        api, begin.isoformat(), (begin + timedelta(days=1)).isoformat(), "HOUR", "Australia/Lord_Howe"
    )
    assert sum(bucket["count"] for bucket in found) == 288
    assert all(one < other for one, other in pairwise(starts(found)))


async def test_one_statement_reads_the_series_of_all_parents(api: Api) -> None:
    moment = datetime(2026, 1, 1, 12, tzinfo=UTC)
    for number in range(3):
        agent = await factories.agent(api, name=f"{number}")
        session = await factories.session(api, title=f"{number}")
        if number:
            values: dict[str, Any] = {"metric_value": number, "timestamp": moment}
            await factories.measure_agents(api, *[measured(agent_id=agent.id, **values)] * number)
            await factories.measure_sessions(api, *[measured(session_id=session.id, **values)] * number)
    for document, noun, name in ((OF_AGENTS, "agents", "name"), (OF_SESSIONS, "sessions", "title")):
        with traffic(api.database) as seen:
            data = await api.ask(
                document, **variables_of("2026-01-01T00:00:00Z", "2026-01-03T00:00:00Z", "DAY")
            )
        assert len(seen.statements) == 1
        for parent in data[noun]["nodes"]:
            number = int(parent[name])
            assert parent["series"] == [
                {"start": "2026-01-01T00:00:00Z", **summary([float(number)] * number)},
                {"start": "2026-01-02T00:00:00Z", **EMPTY},
            ]


async def test_an_agent_can_have_several_series_under_aliases(api: Api) -> None:
    agent = await factories.agent(api)
    moment = datetime(2026, 1, 1, 12, tzinfo=UTC)
    await factories.measure_agents(
        api, *[measured(kind, 1.0, agent_id=agent.id, timestamp=moment) for kind in ("a", "b", "b")]
    )
    data = await api.ask(
        "query($from: DateTime!) { agents { nodes {"
        ' a: series(metric: AGENT_METRIC, metricType: "a",'
        '   from: $from, to: "2026-01-02T00:00:00Z", interval: DAY) { count }'
        ' b: series(metric: AGENT_METRIC, metricType: "b",'
        '   from: $from, to: "2026-01-02T00:00:00Z", interval: DAY) { n: count sum }'
        ' c: series(metric: AGENT_METRIC, metricType: "c",'
        '   from: $from, to: "2026-01-01T00:03:00Z", interval: MINUTE) { start }'
        " } } }",
        **{"from": "2026-01-01T00:00:00Z"},
    )
    minutes = [{"start": f"2026-01-01T00:0{minute}:00Z"} for minute in range(3)]
    assert data["agents"]["nodes"] == [{"a": [{"count": 1}], "b": [{"n": 2, "sum": 2.0}], "c": minutes}]


async def test_a_series_excludes_the_metrics_of_other_projects(api: Api, other: Api) -> None:
    theirs, mine = await factories.agent(other), await factories.agent(api)
    moment = datetime(2026, 1, 1, 12, tzinfo=UTC)
    await factories.measure_agents(other, measured(agent_id=theirs.id, timestamp=moment))
    found = await series(api, "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z", "DAY")
    assert (mine.project_id, [bucket["count"] for bucket in found]) == (api.project_id, [0])


YEAR = ("2025-01-01T00:00:00Z", "2026-01-01T00:00:00Z")


async def test_a_series_can_have_the_hours_of_a_year_or_the_minutes_of_a_week(api: Api) -> None:
    await factories.agent(api)
    assert len(await series(api, *YEAR, "HOUR", "Europe/Berlin")) == 365 * 24
    assert len(await series(api, "2026-01-01T00:00:00Z", "2026-01-08T00:00:00Z", "MINUTE")) == 7 * 24 * 60


@pytest.mark.parametrize(
    ("variables", "code", "field"),
    [
        (variables_of(*YEAR, "MINUTE"), "LIMIT_EXCEEDED", "interval"),
        (variables_of("0002-01-01T00:00:00Z", "9998-12-31T00:00:00Z", "MONTH"), "LIMIT_EXCEEDED", "interval"),
        (variables_of(YEAR[1], YEAR[0], "DAY"), "BAD_USER_INPUT", "to"),
        (variables_of(YEAR[0], YEAR[0], "DAY"), "BAD_USER_INPUT", "to"),
        (variables_of("0001-01-01T00:00:00Z", "0001-01-02T00:00:00Z", "DAY"), "BAD_USER_INPUT", "from"),
        (variables_of(YEAR[0], "9999-12-31T23:59:59.999999Z", "MONTH"), "BAD_USER_INPUT", "to"),
        *(
            (variables_of(*YEAR, "DAY", zone), "BAD_USER_INPUT", "timeZone")
            for zone in (
                "",
                " ",
                "Europe",
                "Europe/Nowhere",
                "CEST",
                "US/Pacific-New",
                "localtime",
                "posix/Europe/Berlin",
                "europe/berlin",
                "UTC+3",
                "Mars1",
                "/etc/passwd",
                "../Europe/Berlin",
                "Europe/Berlin\0",
                "é",
                "x" * 10_000,
                "'; SELECT 1; --",
            )
        ),
    ],
)
async def test_invalid_arguments_of_a_series_are_refused(
    api: Api, variables: dict[str, Any], code: str, field: str
) -> None:
    await factories.agent(api)
    error = await api.error(OF_AGENTS, **variables)
    assert error["extensions"] == {"code": code, "field": field}
    if code == "LIMIT_EXCEEDED":
        assert f"{MAX_BUCKETS:,}" in error["message"]


async def test_a_series_at_the_earliest_and_latest_times_is_empty(api: Api) -> None:
    await factories.agent(api)
    for zone in ("Asia/Tokyo", "America/New_York", "Pacific/Kiritimati"):
        for begin, end in (
            ("0002-01-01T00:00:00Z", "0002-01-03T00:00:00Z"),
            ("9998-12-29T00:00:00Z", "9998-12-31T23:59:59.999999Z"),
        ):
            for interval in ("HOUR", "DAY", "WEEK", "MONTH"):
                found = await series(api, begin, end, interval, zone)
                assert found
                assert sum(bucket["count"] for bucket in found) == 0


async def test_a_metric_type_with_a_nul_character_is_refused(api: Api) -> None:
    await factories.agent(api)
    document = OF_AGENTS.replace('"response_time"', r'"\u0000"')
    error = await api.error(document, **variables_of(*YEAR, "DAY"))
    assert error["extensions"] == {"code": "BAD_USER_INPUT", "field": "metricType"}


async def test_any_zone_can_be_named(api: Api) -> None:
    await factories.agent(api)
    for zone in sorted(available_timezones() - {"localtime"})[::20]:
        [bucket] = await series(api, "2026-01-01T12:00:00Z", "2026-01-01T12:00:01Z", "MINUTE", zone)
        assert bucket["count"] == 0


async def test_a_time_zone_that_was_removed_from_the_machine_is_refused(api: Api, tmp_path: Path) -> None:
    await factories.agent(api)
    zone = tmp_path / "Old" / "Zone"
    zone.parent.mkdir()
    zone.write_bytes(b"TZif")
    try:
        reset_tzpath([str(tmp_path)])
        checks._time_zones.cache_clear()  # noqa: SLF001  # the names of the machine's own files
        await series(api, *YEAR, "DAY", "Europe/Berlin")
        zone.unlink()
        error = await api.error(OF_AGENTS, **variables_of(*YEAR, "DAY", "Old/Zone"))
    finally:
        reset_tzpath(TZPATH)
        checks._time_zones.cache_clear()  # noqa: SLF001  # as above
    assert error["extensions"] == {"code": "BAD_USER_INPUT", "field": "timeZone"}
