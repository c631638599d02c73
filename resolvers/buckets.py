"""The buckets of a series: when they begin by the clock of a time zone, and how many there may be."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_BUCKETS = 11_000
"""The maximum number of buckets of a series: enough for the hours of a year, or the minutes of a week."""

DEFAULT_GROUPS = 10
MAX_GROUPS = 100
"""The maximum number of groups of a grouped series: by default, and the highest that clients may ask for."""

MAX_POINTS = 100_000
"""The maximum number of buckets of all groups of a series together: enough for ten years of hours."""

SHORTEST = {
    "minute": timedelta(minutes=1),
    "hour": timedelta(hours=1),
    "day": timedelta(hours=23),
    "week": timedelta(days=7, hours=-1),
    "month": timedelta(days=28, hours=-1),
}
"""The minimum length of a bucket, if clocks are put forward by an hour within it."""

_CLOCK_UNITS = {"minute": timedelta(minutes=1), "hour": timedelta(hours=1)}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MIDNIGHT = time()
_INSTANT = timedelta(microseconds=1)
_ZERO = timedelta()
_SECOND = timedelta(seconds=1)
_DAY = timedelta(days=1)


def most(begin: datetime, end: datetime, unit: str) -> int:
    """Return the maximum number of buckets from ``begin`` to before ``end``, if clock changes are usual."""
    if begin >= end:
        return 0
    # The first bucket may begin before `begin`.
    return 1 - (begin - end) // SHORTEST[unit]


def most_in_all(begin: datetime, end: datetime, unit: str, groups: int, *, by_utc: bool) -> int:
    """Return the maximum number of buckets of all groups together; 0 if that is above a limit."""
    buckets = most(begin, end, unit)
    allowed = buckets <= MAX_BUCKETS and groups <= MAX_GROUPS and buckets * groups <= MAX_POINTS
    # One bucket may be shorter than SHORTEST: an hour of which clocks skip a half, or the week in which Samoa
    # had no Friday.
    unusual = 0 if by_utc else 1
    return (buckets + unusual) * groups if allowed else 0


@lru_cache(maxsize=16)  # fields of one dashboard mostly have one range; a list has up to 11,000 times
def starts(begin: datetime, end: datetime, unit: str, zone: tzinfo) -> list[datetime]:
    """Return the starts of the buckets between two times, in UTC; the first is at ``begin`` or earlier."""
    candidates = _clock_starts if unit in _CLOCK_UNITS else _calendar_starts
    found = [start for start in candidates(begin, end, unit, zone) if start < end]
    return found[bisect_right(found, begin) - 1 :]


def _calendar_starts(begin: datetime, end: datetime, unit: str, zone: tzinfo) -> Iterator[datetime]:
    """Yield the starts of days, weeks or months: the first moment of their date, maybe not midnight."""
    # If clocks are put back over midnight, the new day has already begun and continues.
    day = _first_day(begin.astimezone(zone).date() - _DAY, unit)
    last = None
    while last is None or last < end:
        start = _first_time(datetime.combine(day, _MIDNIGHT), zone)
        # A day that the calendar skips has the same start as the next day.
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


def _first_time(local: datetime, zone: tzinfo) -> datetime:
    """Return the moment when clocks first show a time, or a later time if they skip it."""
    shown = local.replace(tzinfo=zone)
    offset, later = shown.utcoffset() or _ZERO, shown.replace(fold=1).utcoffset() or _ZERO
    at = local.replace(tzinfo=UTC) - offset
    if later <= offset:
        return at
    skipped = later - offset
    before = at - skipped
    return before + _SECOND * bisect_left(
        range(skipped // _SECOND), 1, key=lambda second: _clock_time(before + _SECOND * second, zone) >= local
    )


def _clock_starts(begin: datetime, end: datetime, unit: str, zone: tzinfo) -> Iterator[datetime]:
    """Yield the starts of hours or minutes: when clocks show a full one, or are changed to another one."""
    length, before = _CLOCK_UNITS[unit], None
    # An hour is longer if clocks are put back within it.
    at = begin.replace(microsecond=0) - 2 * length
    while at < end:
        offset, until = _offset(at, zone), min(_next_change(at, end, zone), end)
        shown = at - _EPOCH + offset
        full = at + -shown % length
        if before not in (None, shown // length) and full != at:
            yield at
        while full < until:
            yield full
            full += length
        before, at = (until - _EPOCH + offset - _INSTANT) // length, until


def _next_change(at: datetime, end: datetime, zone: tzinfo) -> datetime:
    """Return the time of the next clock change, or a time that is not before ``end``."""
    offset = _offset(at, zone)
    while at < end:
        # Clocks change at most once a day.
        if _offset(at + _DAY, zone) != offset:
            seconds = range(_DAY // _SECOND)
            return at + _SECOND * bisect_left(
                seconds, 1, key=lambda second: _offset(at + _SECOND * second, zone) != offset
            )
        at += _DAY
    return at


def _offset(at: datetime, zone: tzinfo) -> timedelta:
    """Return how far the clocks of a zone are ahead of UTC."""
    return at.astimezone(zone).utcoffset() or _ZERO


def _clock_time(at: datetime, zone: tzinfo) -> datetime:
    """Return the local time that clocks show."""
    return at.astimezone(zone).replace(tzinfo=None)
