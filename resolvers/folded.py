"""The numbers of statistics and rankings over the sessions that started in a range, from totals."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import BigInteger, Float, cast, func, select

from models.session import SUMMED
from resolvers.measures import (
    DURATION_HISTOGRAM,
    LATENCIES,
    LATENCY_HISTOGRAM,
    MODELS,
    SESSIONS,
    TOOLS,
    percentiles_of,
    sums,
    value_of,
)
from resolvers.sums import PERCENTILE_PARTS, mean_of, share

if TYPE_CHECKING:
    from sqlalchemy import Select

from resolvers.measures import Range


def totals(range_: Range) -> Select[Any]:
    """Select the totals of sessions as ``statistics.totals`` does; there is no row without sessions."""
    rows = sums(SESSIONS, range_)
    completed, failed = _number(rows, "completed"), _number(rows, "failed")
    of_type = {"cost_usd": Float}
    return select(
        _number(rows, "sessions").label("session_count"),
        _number(rows, "open").label("open_count"),
        completed.label("completed_count"),
        failed.label("failed_count"),
        _number(rows, "cancelled").label("cancelled_count"),
        *[_number(rows, name, of_type.get(name, BigInteger)).label(name) for name in SUMMED],
        share(completed, failed).label("success_rate"),
        mean_of(_sum(rows, "quality"), _sum(rows, "rated_quality")).label("mean_quality_score"),
        mean_of(_sum(rows, "satisfaction"), _sum(rows, "rated_satisfaction")).label("mean_user_satisfaction"),
    ).having(_number(rows, "sessions") > 0)


def latencies(range_: Range) -> Select[Any]:
    """Select statistics of latencies as ``statistics.latencies`` does; there is no row without messages."""
    rows = sums(LATENCIES, range_)
    number = _number(rows, "latencies")
    each = (
        select(number.label("count_"), mean_of(_sum(rows, "latency"), number).label("mean_ms"))
        .having(number > 0)
        .subquery()
    )
    found = percentiles_of(sums(LATENCY_HISTOGRAM, range_), PERCENTILE_PARTS)
    return select(*each.c, *[_scalar(found, name).label(f"{name}_ms") for name in PERCENTILE_PARTS])


def _scalar(rows: Any, name: str) -> Any:
    return select(rows.c[name]).scalar_subquery()


def tools(range_: Range) -> Select[Any]:
    """Select the totals of the calls of each tool as ``statistics.tools`` does."""
    rows = sums(TOOLS, range_)
    pending, succeeded, failed = (
        _number(rows, f"{status}_calls") for status in ("pending", "succeeded", "failed")
    )
    calls = pending + succeeded + failed
    each = (
        select(
            rows.c.name,
            calls.label("call_count"),
            pending.label("pending_count"),
            succeeded.label("succeeded_count"),
            failed.label("failed_count"),
            share(succeeded, failed).label("success_rate"),
            mean_of(_sum(rows, "duration"), _sum(rows, "durations")).label("mean_duration_ms"),
        )
        .group_by(rows.c.name)
        .having(calls > 0)
        .subquery()
    )
    found = percentiles_of(sums(DURATION_HISTOGRAM, range_), PERCENTILE_PARTS, "name")
    parts = [found.c[name].label(f"{name}_duration_ms") for name in PERCENTILE_PARTS]
    return select(*each.c, *parts).select_from(each.outerjoin(found, found.c.name == each.c.name))


def models(range_: Range) -> Select[Any]:
    """Select the totals of the use of each model as ``statistics.models`` does."""
    rows = sums(MODELS, range_)
    messages, uses = _number(rows, "model_messages"), _number(rows, "model_uses")
    return (
        select(
            rows.c.name,
            messages.label("message_count"),
            uses.label("usage_count"),
            _number(rows, "model_prompt_tokens").label("prompt_tokens"),
            _number(rows, "model_completion_tokens").label("completion_tokens"),
            _number(rows, "model_cost", Float).label("cost_usd"),
        )
        .group_by(rows.c.name)
        .having(messages + uses > 0)
    )


def _sum(rows: Any, measure: str) -> Any:
    """Return the sum of a measure, which is 0 without any: measures that are zero are not kept."""
    return func.coalesce(value_of(rows, measure), 0)


def _number(rows: Any, measure: str, type_: Any = BigInteger) -> Any:
    return cast(_sum(rows, measure), type_)
