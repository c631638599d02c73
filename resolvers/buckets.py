"""How many buckets a series has: stretches of time, by the clock of some time zone."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

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
"""How long a bucket is at the least where clocks are put forward by an hour, by PostgreSQL's word for it."""


def most(begin: datetime, end: datetime, unit: str) -> int:
    """Give how many buckets there may be from ``begin`` to before ``end``."""
    if begin >= end:
        return 0
    # The first bucket may begin earlier.
    return 1 - (begin - end) // SHORTEST[unit]


def most_in_all(begin: datetime, end: datetime, unit: str, groups: int) -> int:
    """Give how many buckets there may be of all groups together; 0 if a series may not have so many."""
    buckets = most(begin, end, unit)
    allowed = buckets <= MAX_BUCKETS and groups <= MAX_GROUPS and buckets * groups <= MAX_POINTS
    return buckets * groups if allowed else 0
