"""Buckets begin where the clocks of every zone say so, by what Python knows of them minute by minute."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import pairwise
from zoneinfo import ZoneInfo, available_timezones

import pytest

from resolvers.buckets import SHORTEST, most_in_all, starts
from tests.sweeps import sweep

INSTANT = timedelta(microseconds=1)
MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)
YEARS = (1987, 1994, 2010, 2011, 2015, 2018, 2026)
"""Years in which clocks were put in many ways: at one past midnight, by half an hour, over the date line."""

UNUSUAL = (
    "UTC",
    "Europe/Berlin",
    "Africa/Cairo",
    "Africa/Casablanca",
    "America/Asuncion",
    "America/Caracas",
    "America/Havana",
    "America/Nuuk",
    "America/Sao_Paulo",
    "America/Scoresbysund",
    "America/St_Johns",
    "Antarctica/Casey",
    "Antarctica/Troll",
    "Asia/Beirut",
    "Asia/Kathmandu",
    "Asia/Pyongyang",
    "Australia/Lord_Howe",
    "Pacific/Apia",
    "Pacific/Chatham",
    "Pacific/Kiritimati",
)


@cache
def changes(name: str, year: int) -> tuple[datetime, ...]:
    """Return the days of a year, from noon to noon, in which clocks are changed."""
    zone, noon = ZoneInfo(name), datetime(year, 1, 1, 12, tzinfo=UTC)
    days = [noon + day * DAY for day in range(365)]
    return tuple(
        day for day in days if day.astimezone(zone).utcoffset() != (day + DAY).astimezone(zone).utcoffset()
    )


def shown(moment: datetime, zone: ZoneInfo, unit: str) -> datetime:
    """Return the beginning of what a clock shows, as the clock shows it."""
    local = moment.astimezone(zone).replace(tzinfo=None, fold=0, second=0, microsecond=0)
    if unit == "minute":
        return local
    if unit == "hour":
        return local.replace(minute=0)
    day = local.replace(hour=0, minute=0)
    if unit == "week":
        day -= day.weekday() * DAY
    return day.replace(day=1) if unit == "month" else day


def walked(begin: datetime, end: datetime, unit: str, zone: ZoneInfo, step: timedelta) -> list[datetime]:
    """Return when buckets begin after ``begin``, looking at the clock again and again.

    A day, week or month begins when its first date is shown for the first time. An hour or minute begins
    whenever another one is shown, or the full one again.
    """
    found = []
    before = latest = shown(begin, zone, unit)
    moment = begin + step
    while moment < end:
        now = shown(moment, zone, unit)
        if unit in {"hour", "minute"}:
            if now != before or moment.astimezone(zone).replace(tzinfo=None) == now:
                found.append(moment)
        elif now > latest:
            found.append(moment)
            latest = now
        before, moment = now, moment + step
    return found


@pytest.mark.parametrize(("name", "unit"), sweep(3, UNUSUAL, SHORTEST))
def test_buckets_begin_where_clocks_say_so(name: str, unit: str) -> None:
    zone = ZoneInfo(name)
    around = DAY // 2 if unit == "minute" else DAY
    for year in YEARS:
        for day in changes(name, year)[:2] or (datetime(year, 3, 28, 12, tzinfo=UTC),):
            begin, end = day - around, day + DAY + around
            first, *found = starts(begin, end, unit, zone)
            assert found == walked(begin, end, unit, zone, MINUTE), (year, day)
            assert first <= begin


@pytest.mark.parametrize("unit", ["hour", "day", "week", "month"])
def test_buckets_begin_where_the_clocks_of_any_zone_say_so(unit: str) -> None:
    step = timedelta(minutes=15)
    seen = set()
    for name in sorted(available_timezones() - {"localtime"}):
        days = tuple(changes(name, 2026))
        zone = ZoneInfo(name)
        begin = datetime(2026, 1, 1, tzinfo=UTC)
        if (alike := (days, begin.astimezone(zone).utcoffset())) in seen:
            continue
        seen.add(alike)
        for day in (*days, begin):
            around = (day - DAY, day + 2 * DAY)
            assert starts(*around, unit, zone)[1:] == walked(*around, unit, zone, step), (name, day)
    assert len(seen) > 50


@pytest.mark.parametrize(("name", "unit"), sweep(3, UNUSUAL, SHORTEST))
def test_all_of_a_range_is_in_buckets_and_ranges_agree(name: str, unit: str) -> None:
    zone = ZoneInfo(name)
    for year in YEARS:
        days = changes(name, year)[:2] or (datetime(year, 3, 28, 12, tzinfo=UTC),)
        for day in days:
            begin, end = day - DAY, day + 2 * DAY
            whole = starts(begin, end, unit, zone)
            assert whole == sorted(set(whole))
            assert whole[0] <= begin < (whole[1] if len(whole) > 1 else end)
            # Wherever a series begins and ends, its buckets are the same.
            for hours in range(0, 48, 7):
                since, until = begin + timedelta(hours=hours, seconds=17), end - timedelta(hours=hours / 2)
                part = starts(since, until, unit, zone)
                of_whole = [start for start in whole if start < until]
                later = [start for start in of_whole if start > since]
                assert part == of_whole[len(of_whole) - len(later) - 1 :]


@pytest.mark.parametrize(("name", "unit"), sweep(3, UNUSUAL, SHORTEST))
def test_there_are_never_more_than_was_estimated(name: str, unit: str) -> None:
    zone = ZoneInfo(name)
    for year in YEARS:
        for day in changes(name, year)[:2] or (datetime(year, 3, 28, 12, tzinfo=UTC),):
            length = 40 * SHORTEST[unit]
            bounds = starts(day - length / 2, day + length / 2, unit, zone)
            for number in range(1, min(len(bounds), 30)):
                for first, last in zip(bounds, bounds[number:], strict=False):
                    # The shortest range that has so many: it begins just before one, and ends just after.
                    begin, end = first - INSTANT, last + INSTANT
                    found = len(starts(begin, end, unit, zone)) if number < 3 else number + 2
                    assert number + 2 == found <= most_in_all(begin, end, unit, 1, by_utc=False), (
                        year,
                        begin,
                    )


def test_days_that_begin_late_or_never() -> None:
    def of(name: str, begin: str, days: int) -> list[str]:
        since = datetime.fromisoformat(begin)
        found = starts(since, since + days * DAY, "day", ZoneInfo(name))
        return [start.isoformat().removesuffix(":00+00:00") for start in found]

    # From 23:00 to 00:00: the day begins at midnight, an hour earlier than others.
    assert of("America/Nuuk", "2026-03-28T02:00Z", 2) == [
        "2026-03-28T02:00",
        "2026-03-29T01:00",
        "2026-03-30T01:00",
    ]
    # From 00:00 to 01:00: the day begins at one o'clock.
    assert of("Africa/Cairo", "2026-04-23T12:00Z", 2)[1] == "2026-04-23T22:00"
    # Midnight comes twice: the day begins at the first.
    assert of("America/Havana", "2025-11-01T12:00Z", 2)[1] == "2025-11-02T04:00"
    # There was no 30th of December.
    assert of("Pacific/Apia", "2011-12-29T12:00Z", 2) == [
        "2011-12-29T10:00",
        "2011-12-30T10:00",
        "2011-12-31T10:00",
    ]
    lengths = {
        (other - one) // timedelta(hours=1)
        for one, other in pairwise(
            starts(
                datetime(2026, 1, 1, tzinfo=UTC),
                datetime(2027, 1, 1, tzinfo=UTC),
                "day",
                ZoneInfo("America/Nuuk"),
            )
        )
    }
    assert lengths == {23, 24, 25}
