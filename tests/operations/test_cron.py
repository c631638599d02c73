"""Cron expressions are read by the clock of a time zone, as Debian's cron reads them when clocks change."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from agentdata.errors import BadUserInputError
from agentdata.operations.cron import next_tick

NEW_YORK = ZoneInfo("America/New_York")


def ticks(cron: str, since: str, count: int = 3) -> list[str]:
    """Return the first ticks after a time, in New York."""
    found, after = [], datetime.fromisoformat(since)
    for _ in range(count):
        tick = next_tick(cron, NEW_YORK, after)
        assert tick is not None
        assert tick.tzinfo is UTC
        found.append(f"{tick:%m-%d %H:%M}")
        after = tick
    return found


def test_a_time_that_the_clock_skips_is_made_up_for_once() -> None:
    # On March 8th the clock goes from 2:00, which is 7:00 in UTC, to 3:00.
    assert ticks("30 2 * * *", "2026-03-07T12:00:00Z") == ["03-08 07:00", "03-09 06:30", "03-10 06:30"]


def test_a_time_that_the_clock_shows_twice_counts_once() -> None:
    # On November 1st the clock goes back from 2:00, which is 6:00 in UTC, to 1:00.
    assert ticks("30 1 * * *", "2026-10-31T12:00:00Z") == ["11-01 05:30", "11-02 06:30", "11-03 06:30"]


@pytest.mark.parametrize(
    ("since", "expected"),
    [
        ("2026-03-08T06:15:00Z", ["03-08 07:00", "03-08 08:00", "03-08 09:00"]),
        ("2026-11-01T04:15:00Z", ["11-01 05:00", "11-01 06:00", "11-01 07:00"]),
    ],
)
def test_each_hour_is_each_hour_that_passes(since: str, expected: list[str]) -> None:
    assert ticks("0 * * * *", since) == expected


def test_a_date_that_is_rare_is_found() -> None:
    assert next_tick("0 0 29 2 *", UTC, datetime(2026, 3, 1, tzinfo=UTC)) == datetime(2028, 2, 29, tzinfo=UTC)


@pytest.mark.parametrize(
    "cron", ["", "* * * *", "* * * * * *", "@daily", "61 * * * *", "0 0 30 2 *", "a b c d e"]
)
def test_other_texts_are_refused(cron: str) -> None:
    with pytest.raises(BadUserInputError, match="five fields") as refused:
        next_tick(cron, UTC, datetime(2026, 1, 1, tzinfo=UTC))
    assert refused.value.field == "cron"


def test_the_end_of_time_is_no_error() -> None:
    assert next_tick("0 0 1 1 *", UTC, datetime(9999, 6, 1, tzinfo=UTC)) is None
