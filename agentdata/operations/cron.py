"""The times of cron expressions, by the clock of a time zone.

The library cronsim does what Debian's cron does when clocks change: a time that the clock skips is made up
for right after it, and a time that it shows twice counts once, unless the expression has `*` or `*/n` as its
hour or minute, which go by time that really passes.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from cronsim import CronSim, CronSimError

from agentdata.errors import BadUserInputError

if TYPE_CHECKING:
    from datetime import tzinfo

_FIELDS = 5


def next_tick(cron: str, zone: tzinfo, after: datetime, field: str = "cron") -> datetime | None:
    """Return the first time of a cron expression after a time; None if there is none within 50 years.

    Raises:
        BadUserInputError: The text is not a cron expression.

    """
    # The library takes seconds as a sixth field, and jobs are claimed less often than that.
    if len(cron.split()) != _FIELDS:
        raise _not_cron(cron, f"it has {len(cron.split())} fields", field)
    try:
        ticks = CronSim(cron, after.astimezone(zone))
    except CronSimError as error:
        raise _not_cron(cron, str(error), field) from None
    try:
        return next(ticks).astimezone(UTC)
    except (StopIteration, OverflowError):
        return None


def _not_cron(cron: str, why: str, field: str) -> BadUserInputError:
    reason = why[:1].lower() + why[1:]
    return BadUserInputError(
        f"{field} must be a cron expression of five fields (minute, hour, day of month, month, day of week),"
        f" such as `0 3 * * 1-5`, and {cron!r} is none: {reason}",
        field=field,
    )
