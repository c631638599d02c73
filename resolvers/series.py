"""Measurements over time: of each of many agents or sessions, in buckets by the clock of a time zone."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Any
from zoneinfo import available_timezones

from sqlalchemy import DateTime, Float, Select, Text, bindparam, case, cast, func, select, true
from sqlalchemy import Interval as Duration
from sqlalchemy.orm import aliased

from agentdata.errors import BadUserInputError, LimitExceededError
from agentdata.execution.buckets import MAX_BUCKETS, SHORTEST, most
from agentdata.execution.links import keys_table, owned
from agentdata.operations.values import check_text
from resolvers.computations import Given
from resolvers.fields import argument
from schema.enums import Interval

if TYPE_CHECKING:
    from collections.abc import Mapping

ARGUMENTS = (
    argument("metric_type", str, "What is measured, such as `response_time`.", required=True),
    argument("from", datetime, "Where it begins; measurements of this time count.", required=True),
    argument("to", datetime, "Where it ends; measurements of this time do not count.", required=True),
    argument("interval", Interval, "How long each bucket is.", required=True),
    argument(
        "time_zone",
        str,
        "The time zone by whose clock buckets begin, such as `Europe/Berlin`; `UTC` by default.",
    ),
)

_YEARS = range(2, 9999)
"""In these years times can be told in every zone."""

_SHARES = {"p50": 0.5, "p95": 0.95, "p99": 0.99}
_UTC = "UTC"
_INSTANT = timedelta(microseconds=1)
_OF_A_DAY = ("minute", "hour")


def asked(arguments: Mapping[str, Any]) -> Given:
    """Read what a client asks of a series into the parameters of its statement.

    Raises:
        BadUserInputError: It does not end after it begins, or there is no such time zone.
        LimitExceededError: It has too many buckets.

    """
    check_text("metricType", arguments["metric_type"])
    begin, end, unit = arguments["from"], arguments["to"], arguments["interval"].value
    for field, time in (("from", begin), ("to", end)):
        if time.year not in _YEARS:
            raise BadUserInputError(f"{field} must be a time of the years 2 to 9998", field=field)
    if begin >= end:
        raise BadUserInputError("to must be later than from", field="to")
    count = most(begin, end, unit)
    if count > MAX_BUCKETS:
        raise LimitExceededError(
            f"the series may have {count:,} buckets, above the limit of {MAX_BUCKETS:,}; ask for a longer"
            " interval or a shorter time",
            field="interval",
        )
    zone = arguments.get("time_zone")
    if zone is None:
        zone = _UTC
    elif zone not in _zones():
        raise BadUserInputError(
            "timeZone names no time zone of the IANA database, such as Europe/Berlin", field="timeZone"
        )
    values = {
        "metric_type": arguments["metric_type"],
        "begin": begin,
        "end": end,
        "unit": unit,
        "zone": zone,
        # No bucket is shorter than half of what it mostly is.
        "step": SHORTEST[unit] / 2,
    }
    return Given((), values)


@cache
def _zones() -> frozenset[str]:
    """Give the zones of the IANA database; PostgreSQL takes other names too, such as `CEST` and `Mars1`."""
    # Python counts the machine's own zone among them.
    return frozenset({_UTC, *available_timezones()} - {"localtime"})


def measurements(metric: Any, column: str) -> Select[Any]:
    """Sum up the measurements of each parent, whose key is in ``column``, bucket after bucket.

    An index gives the measurements of one bucket after another: to sort all of them into buckets takes three
    times as long.
    """
    keys = keys_table()
    begin, end = (bindparam(name, type_=DateTime(timezone=True)) for name in ("begin", "end"))
    starts = _starts(begin, end)
    start = starts.c.start
    bucket = select(
        start,
        # The first begins before what is asked for, the last ends after it.
        func.greatest(start, begin).label("since"),
        func.coalesce(func.lead(start).over(order_by=start), end).label("until"),
    ).cte("bucket")
    measured = aliased(metric)
    value = measured.metric_value

    def share(part: float) -> Any:
        return func.percentile_cont(part).within_group(value)

    each = (
        select(
            func.count().label("count_"),
            cast(func.coalesce(func.sum(value), 0), Float).label("sum"),
            func.avg(value, type_=Float).label("mean"),
            func.min(value).label("min"),
            func.max(value).label("max"),
            *[cast(share(part), Float).label(name) for name, part in _SHARES.items()],
        )
        .where(
            owned(measured),
            getattr(measured, column) == keys.c.key,
            measured.metric_type == bindparam("metric_type", type_=Text),
            measured.timestamp >= bucket.c.since,
            measured.timestamp < bucket.c.until,
        )
        .lateral()
    )
    return (
        select(keys.c.key, bucket.c.start, *each.c)
        .select_from(keys.join(bucket, true()).join(each, true()))
        .order_by(keys.c.key, bucket.c.start)
    )


def _starts(begin: Any, end: Any) -> Any:
    """Give where the buckets begin that lie between two times.

    Each holds one of some moments that are close enough together, or the last moment of all.
    """
    unit, zone = bindparam("unit", type_=Text), bindparam("zone", type_=Text)
    last = end - _INSTANT
    moments = (
        select(func.generate_series(begin, last, bindparam("step", type_=Duration)).label("moment"))
        .union_all(select(last))
        .subquery()
    )
    moment = moments.c.moment
    cut = func.date_trunc(unit, moment, zone, type_=DateTime(timezone=True))
    # Midnight may come twice, or not at all, where clocks are changed then: a day begins when the one before
    # has ended, which is told by the clock.
    midnight = func.date_trunc(unit, func.timezone(zone, moment, type_=DateTime()), type_=DateTime())
    day = func.timezone(zone, midnight - _INSTANT, type_=DateTime(timezone=True)) + _INSTANT
    start = case(dict.fromkeys(_OF_A_DAY, cut), value=unit, else_=day)
    return select(start.label("start")).distinct().subquery()
