"""The buckets of a series: where they begin by the clock of some time zone, and how many there may be."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_BUCKETS = 11_000
"""How many buckets a series has at the most: enough for the hours of a year, or the minutes of a week."""

DEFAULT_GROUPS = 10
MAX_GROUPS = 100
"""How many groups a series has, where it is grouped: by default, and at the most."""

MAX_POINTS = 100_000
"""How many buckets all groups of a series have together at the most: enough for ten years of hours."""

SHORTEST = {
    "minute": timedelta(minutes=1),
    "hour": timedelta(hours=1),
    "day": timedelta(hours=23),
    "week": timedelta(days=7, hours=-1),
    "month": timedelta(days=28, hours=-1),
}
"""How long a bucket is at the least where clocks are put forward by an hour."""

_OF_CLOCKS = {"minute": timedelta(minutes=1), "hour": timedelta(hours=1)}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MIDNIGHT = time()
_INSTANT = timedelta(microseconds=1)
_NONE = timedelta()
_SECOND = timedelta(seconds=1)
_DAY = timedelta(days=1)


def most(begin: datetime, end: datetime, unit: str) -> int:
    """Return how many buckets there may be from ``begin`` to before ``end``, where clocks go as usual."""
    if begin >= end:
        return 0
    # The first bucket may begin earlier.
    return 1 - (begin - end) // SHORTEST[unit]


def most_in_all(begin: datetime, end: datetime, unit: str, groups: int, *, by_utc: bool) -> int:
    """Return how many buckets there may be of all groups together; 0 if a series may not have so many."""
    buckets = most(begin, end, unit)
    allowed = buckets <= MAX_BUCKETS and groups <= MAX_GROUPS and buckets * groups <= MAX_POINTS
    # One of them may be shorter than is usual: an hour of which clocks skip a half, the week in which Samoa
    # had no Friday.
    unusual = 0 if by_utc else 1
    return (buckets + unusual) * groups if allowed else 0


def starts(begin: datetime, end: datetime, unit: str, zone: tzinfo) -> list[datetime]:
    """Return when the buckets begin that lie between two times, in UTC: the first at ``begin`` or before."""
    all_of = _of_clock if unit in _OF_CLOCKS else _of_calendar
    found = [start for start in all_of(begin, end, unit, zone) if start < end]
    return found[bisect_right(found, begin) - 1 :]


def _of_calendar(begin: datetime, end: datetime, unit: str, zone: tzinfo) -> Iterator[datetime]:
    """Give when days, weeks or months begin: when their date is reached, at whatever hour that is."""
    # Where clocks are put back over midnight, the day goes on that has begun.
    day = _first_day(begin.astimezone(zone).date() - _DAY, unit)
    last = None
    while last is None or last < end:
        start = _reached(datetime.combine(day, _MIDNIGHT), zone)
        # A day that the calendar skips begins together with the next.
        if start != last:
            yield start
        last, day = start, _next_day(day, unit)


def _first_day(day: date, unit: str) -> date:
    match unit:
        case "week":
            return day - timedelta(days=day.weekday())
        case "month":
            return day.replace(day=1)
    return day


def _next_day(day: date, unit: str) -> date:
    days = {"day": 1, "week": 7, "month": 31}[unit]
    return _first_day(day + timedelta(days=days), unit)


def _reached(local: datetime, zone: tzinfo) -> datetime:
    """Return when clocks first show a time, or a later one where they skip it."""
    shown = local.replace(tzinfo=zone)
    offset, later = shown.utcoffset() or _NONE, shown.replace(fold=1).utcoffset() or _NONE
    at = local.replace(tzinfo=UTC) - offset
    if later <= offset:
        return at
    skipped = later - offset
    before = at - skipped
    return before + _SECOND * bisect_left(
        range(skipped // _SECOND), 1, key=lambda second: _local(before + _SECOND * second, zone) >= local
    )


def _of_clock(begin: datetime, end: datetime, unit: str, zone: tzinfo) -> Iterator[datetime]:
    """Give when hours or minutes begin: where clocks show a full one, or are put to another one."""
    length, before = _OF_CLOCKS[unit], None
    # An hour is longer where clocks are put back within it.
    at = begin.replace(microsecond=0) - 2 * length
    while at < end:
        offset, until = _offset(at, zone), min(_change(at, end, zone), end)
        shown = at - _EPOCH + offset
        full = at + -shown % length
        if before not in (None, shown // length) and full != at:
            yield at
        while full < until:
            yield full
            full += length
        before, at = (until - _EPOCH + offset - _INSTANT) // length, until


def _change(at: datetime, end: datetime, zone: tzinfo) -> datetime:
    """Return when clocks are changed next, or a time that is not before ``end``."""
    offset = _offset(at, zone)
    while at < end:
        # They are changed once a day at the most.
        if _offset(at + _DAY, zone) != offset:
            seconds = range(_DAY // _SECOND)
            return at + _SECOND * bisect_left(
                seconds, 1, key=lambda second: _offset(at + _SECOND * second, zone) != offset
            )
        at += _DAY
    return at


def _offset(at: datetime, zone: tzinfo) -> timedelta:
    """Return by how much the clocks of a zone are ahead of UTC."""
    return at.astimezone(zone).utcoffset() or _NONE


def _local(at: datetime, zone: tzinfo) -> datetime:
    """Return what clocks show."""
    return at.astimezone(zone).replace(tzinfo=None)
