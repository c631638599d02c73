"""Measures: what each session adds to the totals of its project, and their sums over many sessions.

A task of the server folds sessions that rest: it adds their measures to the totals of the hour and of the
day in which they started, and keeps those of each session as its share. A session that changes later is stale
until it is folded again, and so is a new one.

A sum over the sessions that started in a range is that of the days and hours that lie within it, less the
shares of stale sessions, plus the measures of sessions that are stale or started in the hours at the ends of
the range. So it is exact, whenever sessions were folded.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import log
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    DateTime,
    Float,
    Integer,
    Interval,
    Numeric,
    Select,
    Text,
    bindparam,
    case,
    cast,
    collate,
    column,
    func,
    literal_column,
    null,
    or_,
    select,
    true,
    union_all,
)
from sqlalchemy.dialects.postgresql import array
from sqlalchemy.orm import aliased

from agentdata.engine.sql.filters import AllOf, Comparison
from agentdata.engine.sql.tenancy import owned
from models import FoldedUntil, Message, Session, SessionShare, SessionTotal, ToolCall, UsageRecord
from models.enums import Grain, SessionStatus, ToolCallStatus
from models.session import COUNTED, SUMMED
from models.total import GRAINS, ORIGIN
from resolvers.sums import exact

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from sqlalchemy import ColumnElement

    from agentdata.engine.sql.filters import Term

FEW = 2_000
"""Of so many sessions the rows are read, so that percentiles over them are exact."""

MANY = 20_000
"""If more sessions may be stale, sums read the rows of all sessions."""

GROWTH = 1.02
"""How much larger the upper bound of a histogram's bucket is than its lower one.

The middle of a bucket is within 1 % of each of its values, and so are percentiles.
"""

_ZERO, _SMALLEST = -1_000_000, -1_000
"""The buckets of zero, and of what is shorter than the clocks of computers can tell."""

_ORIGIN = literal_column(ORIGIN, DateTime(timezone=True))
_EVER = tuple(literal_column(f"'{end}infinity'::timestamptz", DateTime(timezone=True)) for end in ("-", ""))


def text_of(value: str) -> Any:
    """Return a name of this module as a constant, which PostgreSQL knows when it plans a statement."""
    return literal_column(f"'{value}'", Text)


def _interval(value: str) -> Any:
    return literal_column(f"'{value}'::interval", Interval)


def collated(name: Any) -> Any:
    """Return a name in the order of bytes: names from a share have no order of their own."""
    return collate(cast(name, Text), "C")


def start_of(grain: Grain, time: Any) -> Any:
    """Return the start of the hour or day, by UTC, in which a time lies."""
    return func.date_bin(_interval(GRAINS[grain]), time, _ORIGIN, type_=DateTime(timezone=True))


def bucket_of(value: Any) -> Any:
    """Return the number of the bucket of a histogram in which a value lies."""
    number = func.ceil(
        func.ln(cast(value, Float), type_=Float) / literal_column(f"{log(GROWTH)!r}::float8", Float)
    )
    return case(
        (value > 0, func.greatest(cast(number, Integer), literal_column(str(_SMALLEST)))),
        else_=literal_column(str(_ZERO)),
    )


def middle_of(bucket: Any) -> Any:
    """Return the value that stands for all values in a bucket."""
    power = func.power(literal_column(f"{GROWTH}::float8", Float), cast(bucket, Float), type_=Float)
    middle = power * literal_column(f"{2 / (GROWTH + 1)!r}::float8", Float)
    return case((bucket == _ZERO, literal_column("0::float8", Float)), else_=middle)


@dataclass(frozen=True)
class Measures:
    """Measures that are computed, and mostly read, together."""

    names: tuple[str, ...]
    of: Callable[[Any], list[Select[Any]]]
    """Selects the measures of sessions: (session_id, measure, name, bucket, value)."""


def _measures_of(rows: Any, names: Sequence[str], values: Sequence[Any], bucket: Any = None) -> Select[Any]:
    """Turn each row (session_id, name, …) into a row for each measure that is neither zero nor null."""
    measure = (
        func.unnest(
            array([text_of(name) for name in names]), array([cast(value, Numeric) for value in values])
        )
        .table_valued(column("measure", Text), column("value", Numeric))
        .render_derived()
        .lateral()
    )
    return (
        select(
            rows.c.session_id,
            measure.c.measure,
            rows.c.name if "name" in rows.c else cast(null(), Text).label("name"),
            (cast(null(), Integer) if bucket is None else bucket).label("bucket"),
            measure.c.value,
        )
        .select_from(rows.join(measure, true()))
        .where(measure.c.value != 0)
    )


def _rows(session: Any, model: Any, *columns: Any, by: Any = None, only: Sequence[Any] = ()) -> Any:
    """Select the rows of a table in sessions, session by session as ``statistics`` does."""
    of_session = select(*columns).where(owned(model), model.session_id == session.c.id, *only)
    # OFFSET 0 keeps PostgreSQL from turning the lateral subquery into a join.
    rows = of_session.order_by(by).offset(literal_column("0")).lateral()
    return (
        select(session.c.id.label("session_id"), *rows.c).select_from(session.join(rows, true())).subquery()
    )


def _of_sessions(session: Any) -> list[Select[Any]]:
    own = session.c

    def has(status: SessionStatus) -> Any:
        return cast(own.status == status.value, Integer)

    def known(value: Any) -> Any:
        return cast(value.is_not(None), Integer)

    values = {
        "sessions": literal_column("1", Integer),
        "open": cast(own.is_active, Integer),
        "completed": has(SessionStatus.COMPLETED),
        "failed": has(SessionStatus.FAILED),
        "cancelled": has(SessionStatus.CANCELLED),
        **{name: own[name] for name in SUMMED},
        "quality": exact(own.quality_score),
        "rated_quality": known(own.quality_score),
        "satisfaction": exact(own.user_satisfaction),
        "rated_satisfaction": known(own.user_satisfaction),
    }
    rows = select(own.id.label("session_id"), *[value.label(f"v_{name}") for name, value in values.items()])
    rows_ = rows.subquery()
    return [_measures_of(rows_, [*values], [rows_.c[f"v_{name}"] for name in values])]


SESSIONS = Measures(
    (
        *("sessions", "open", "completed", "failed", "cancelled", *SUMMED),
        *("quality", "rated_quality", "satisfaction", "rated_satisfaction"),
    ),
    _of_sessions,
)


def _of_latencies(session: Any) -> list[Select[Any]]:
    message = _rows(session, Message, Message.latency_ms, by=Message.sequence)
    rows = (
        select(
            message.c.session_id, func.count().label("count_"), func.sum(message.c.latency_ms).label("sum")
        )
        .where(message.c.latency_ms.is_not(None))
        .group_by(message.c.session_id)
        .subquery()
    )
    return [_measures_of(rows, LATENCIES.names, [rows.c.count_, rows.c.sum])]


LATENCIES = Measures(("latencies", "latency"), _of_latencies)


def _histogram(rows: Any, measures: Measures, value: Any, *names: Any) -> Select[Any]:
    """Count the values of each session in the buckets of a histogram, by ``names``."""
    counted = (
        select(rows.c.session_id, *names, bucket_of(value).label("bucket"), func.count().label("count_"))
        .where(value.is_not(None))
        .group_by(rows.c.session_id, *names, literal_column("bucket"))
        .subquery()
    )
    return _measures_of(counted, measures.names, [counted.c.count_], counted.c.bucket)


def _of_latency_histogram(session: Any) -> list[Select[Any]]:
    message = _rows(session, Message, Message.latency_ms, by=Message.sequence)
    return [_histogram(message, LATENCY_HISTOGRAM, message.c.latency_ms)]


LATENCY_HISTOGRAM = Measures(("latency_histogram",), _of_latency_histogram)


def _of_tools(session: Any) -> list[Select[Any]]:
    call = _rows(session, ToolCall, ToolCall.name, ToolCall.status, ToolCall.duration_ms, by=ToolCall.call_id)

    def count(status: ToolCallStatus) -> Any:
        return func.count().filter(call.c.status == status.value)

    values = {
        "pending_calls": count(ToolCallStatus.PENDING),
        "succeeded_calls": count(ToolCallStatus.SUCCEEDED),
        "failed_calls": count(ToolCallStatus.FAILED),
        "durations": func.count(call.c.duration_ms),
        "duration": func.sum(exact(call.c.duration_ms)),
    }
    rows = (
        select(call.c.session_id, call.c.name, *[value.label(name) for name, value in values.items()])
        .group_by(call.c.session_id, call.c.name)
        .subquery()
    )
    return [_measures_of(rows, TOOLS.names, [rows.c[name] for name in TOOLS.names])]


TOOLS = Measures(("pending_calls", "succeeded_calls", "failed_calls", "durations", "duration"), _of_tools)


def _of_duration_histogram(session: Any) -> list[Select[Any]]:
    call = _rows(session, ToolCall, ToolCall.name, ToolCall.duration_ms, by=ToolCall.call_id)
    return [_histogram(call, DURATION_HISTOGRAM, call.c.duration_ms, call.c.name)]


DURATION_HISTOGRAM = Measures(("duration_histogram",), _of_duration_histogram)


def _of_models(session: Any) -> list[Select[Any]]:
    tokens = (Message.prompt_tokens, Message.completion_tokens)
    has_use = or_(*[each.is_not(None) for each in (Message.model, *tokens)])
    used = (UsageRecord.prompt_tokens, UsageRecord.completion_tokens, UsageRecord.cost_usd)
    message = _rows(session, Message, Message.model, *tokens, by=Message.sequence, only=[has_use])
    record = _rows(session, UsageRecord, UsageRecord.model, *used)

    def by_model(of: Any, measures: Sequence[str], *summed: str) -> Select[Any]:
        sums = [func.sum(of.c[name]).label(name) for name in summed]
        rows = (
            select(of.c.session_id, of.c.model.label("name"), func.count().label("count_"), *sums)
            .group_by(of.c.session_id, of.c.model)
            .subquery()
        )
        return _measures_of(rows, measures, [rows.c.count_, *[rows.c[name] for name in summed]])

    messages, uses, prompt, completion, cost = MODELS.names
    return [
        by_model(message, (messages, prompt, completion), "prompt_tokens", "completion_tokens"),
        by_model(record, (uses, prompt, completion, cost), "prompt_tokens", "completion_tokens", "cost_usd"),
    ]


MODELS = Measures(
    ("model_messages", "model_uses", "model_prompt_tokens", "model_completion_tokens", "model_cost"),
    _of_models,
)

ALL = (SESSIONS, LATENCIES, LATENCY_HISTOGRAM, TOOLS, DURATION_HISTOGRAM, MODELS)

_BOUNDS = {"gte": 0, "gt": 1, "lt": 0, "lte": 1}
"""By operator: how many microseconds later a bound is, as a range includes its start and not its end."""


@dataclass(frozen=True)
class Range:
    """A range of starts of sessions: from ``since``, inclusive, to ``until``, exclusive."""

    since: Any
    until: Any

    @classmethod
    def of(cls, sessions: Term | None) -> Range | None:
        """Return the range that a filter of sessions selects, or None if it selects them by anything else."""
        bounds: dict[bool, list[Any]] = {True: [], False: []}
        for each in _leaves(sessions):
            if (
                not isinstance(each, Comparison)
                or each.column != "started_at"
                or each.operator not in _BOUNDS
            ):
                return None
            bound = bindparam(each.parameter, type_=DateTime(timezone=True))
            later = bound + _interval("1 microsecond") if _BOUNDS[each.operator] else bound
            bounds[each.operator.startswith("g")].append(later)
        since, until = _EVER
        return cls(func.greatest(since, *bounds[True]), func.least(until, *bounds[False]))

    def next_start(self, grain: Grain) -> Any:
        """Return the start of the first whole hour or day in the range."""
        return start_of(grain, self.since - _interval("1 microsecond")) + _interval(GRAINS[grain])

    def last_end(self, grain: Grain) -> Any:
        """Return the end of the last whole hour or day in the range."""
        return start_of(grain, self.until)

    def totals(self) -> Iterator[tuple[Grain, Any, Any]]:
        """Yield ranges of hours and days that together are the whole hours of the range."""
        first, last = self.next_start(Grain.HOUR), self.last_end(Grain.HOUR)
        first_day, last_day = self.next_start(Grain.DAY), self.last_end(Grain.DAY)
        yield Grain.DAY, first_day, last_day
        yield Grain.HOUR, first, func.least(first_day, last)
        yield Grain.HOUR, func.greatest(first_day, last_day), last

    def ends(self) -> Iterator[tuple[Any, Any]]:
        """Yield the parts of the range before and after its whole hours."""
        first, last = self.next_start(Grain.HOUR), self.last_end(Grain.HOUR)
        yield self.since, func.least(first, self.until)
        yield func.greatest(first, last), self.until


def _leaves(term: Term | None) -> Iterator[Term]:
    match term:
        case None:
            pass
        case AllOf(terms):
            for each in terms:
                yield from _leaves(each)
        case _:
            yield term


def _until() -> Any:
    """Return the time before which no session that was last updated is stale."""
    folded: Any = aliased(FoldedUntil)
    until = func.coalesce(func.max(folded.until), _EVER[0], type_=DateTime(timezone=True))
    return select(until).where(owned(folded)).scalar_subquery()


def _recent() -> Any:
    """Select the sessions that may be stale, which an index finds by their last update."""
    columns = [getattr(Session, name) for name in ("id", "updated_at", *SESSION_COLUMNS)]
    recent = (
        select(*columns).where(owned(Session), Session.updated_at >= _until()).order_by(Session.updated_at)
    )
    # The limit keeps PostgreSQL from choosing another index. Where there are more, nobody adds them up.
    return recent.limit(literal_column(str(MANY + 1))).subquery()


def _share_of(session: Any) -> Any:
    """Select the share of a session, by its key."""
    kept: Any = aliased(SessionShare)
    share = select(kept.started_at, kept.updated_at, kept.share).where(
        owned(kept), kept.session_id == session.id
    )
    # OFFSET 0 keeps PostgreSQL, which expects many recent sessions, from reading all shares.
    return share.offset(literal_column("0"))


def sums(measures: Measures, range_: Range) -> Any:
    """Select what adds up to the measures of the sessions in a range: (measure, name, bucket, value)."""
    parts = union_all(
        *_totals(measures, range_), _stale_shares(measures, range_), *_of_others(measures, range_)
    ).subquery()
    return select(
        parts.c.measure, collated(parts.c.name).label("name"), parts.c.bucket, parts.c.value
    ).subquery()


def _totals(measures: Measures, range_: Range) -> Iterator[Select[Any]]:
    for grain, since, until in range_.totals():
        row: Any = aliased(SessionTotal)
        yield select(row.measure, row.name, row.bucket, row.value).where(
            owned(row),
            row.grain == text_of(grain),
            _among(row.measure, measures),
            row.started_at >= since,
            row.started_at < until,
        )


def _stale_shares(measures: Measures, range_: Range) -> Select[Any]:
    session = _recent()
    kept = _share_of(session.c).lateral()
    measure = measures_in(kept.c.share)
    return (
        select(measure.c.m, measure.c.n, measure.c.b, -measure.c.v)
        .select_from(session.join(kept, true()).join(measure, true()))
        .where(
            kept.c.updated_at != session.c.updated_at,
            kept.c.started_at >= range_.next_start(Grain.HOUR),
            kept.c.started_at < range_.last_end(Grain.HOUR),
            _among(measure.c.m, measures),
        )
    )


def measures_in(share: Any) -> Any:
    """Return the measures in a share as a table: m the measure, n the name, b the bucket, v the value."""
    columns = (column("m", Text), column("n", Text), column("b", Integer), column("v", Numeric))
    return func.jsonb_to_recordset(share).table_valued(*columns).render_derived(with_types=True).lateral()


def _of_others(measures: Measures, range_: Range) -> Iterator[Select[Any]]:
    """Select the measures of the sessions in the range that are stale, or not within its whole hours."""
    recent = _recent()
    names = ("id", *SESSION_COLUMNS)
    kept = _share_of(recent.c).lateral()
    stale = (
        select(*[recent.c[name] for name in names])
        .select_from(recent.outerjoin(kept, true()))
        .where(
            recent.c.started_at >= range_.since,
            recent.c.started_at < range_.until,
            kept.c.updated_at.is_distinct_from(recent.c.updated_at),
        )
    )
    own: Any = aliased(SessionShare)
    counted = select(own.updated_at).where(owned(own), own.session_id == Session.id).scalar_subquery()
    at_ends = [
        select(*[getattr(Session, name) for name in names]).where(
            owned(Session),
            Session.started_at >= since,
            Session.started_at < end,
            or_(Session.updated_at < _until(), Session.updated_at == counted),
        )
        for since, end in range_.ends()
    ]
    session = union_all(stale, *at_ends).subquery()
    for each in measures.of(session):
        rows = each.subquery()
        yield select(rows.c.measure, rows.c.name, rows.c.bucket, rows.c.value)


SESSION_COLUMNS = ("started_at", *COUNTED)
"""The columns that measures of sessions need."""


def _among(measure: Any, measures: Measures) -> Any:
    return measure.in_([text_of(name) for name in measures.names])


def situation(context: Any) -> dict[str, bool]:
    """Return whether statements may read totals, which not every project and nobody but its keys has."""
    return {"has_totals": context.has_totals}


def are_few(range_: Range) -> ColumnElement[bool]:
    """Return whether the sessions in a range are few, or many sessions of the project are not folded yet."""
    within: Any = select(literal_column("1")).where(
        owned(Session), Session.started_at >= range_.since, Session.started_at < range_.until
    )
    recent: Any = select(literal_column("1")).select_from(_recent())
    return or_(_number(within, FEW) <= FEW, _number(recent, MANY) > MANY)


def _number(rows: Select[Any], most: int) -> Any:
    """Return the number of rows, of which at most one more than ``most`` are read."""
    some = rows.limit(literal_column(str(most + 1))).subquery()
    return select(func.count()).select_from(some).scalar_subquery()


def either(rows: Select[Any], sums_: Select[Any], range_: Range) -> Select[Any]:
    """Select from ``rows`` if the sessions in a range are few, and otherwise the same columns from sums.

    PostgreSQL does not run the other part.
    """
    decided = select(are_few(range_).label("few")).cte()
    few = select(decided.c.few).scalar_subquery()
    # Conditions of the rows would be looked at after PostgreSQL has started processes to read them.
    parts = [select(part.subquery()).where(taken) for part, taken in ((rows, few), (sums_, ~few))]
    return select(union_all(*parts).subquery())


def value_of(rows: Any, name: str) -> Any:
    """Return the sum of a measure, which is null without any."""
    return func.sum(rows.c.value).filter(rows.c.measure == text_of(name))


def percentiles_of(histogram: Any, parts: dict[str, str], *names: str) -> Any:
    """Select the percentiles of a histogram, by ``names``; each part is a share of the values.

    They are interpolated between neighbours as PostgreSQL's percentile_cont does it.
    """
    by = [histogram.c[name] for name in names]
    buckets = (
        select(*by, histogram.c.bucket, func.sum(histogram.c.value).label("count_"))
        .group_by(*by, histogram.c.bucket)
        .having(func.sum(histogram.c.value) > 0)
        .subquery()
    )
    by = [buckets.c[name] for name in names]
    window: dict[str, Any] = {"partition_by": by} if by else {}
    placed = select(
        *by,
        middle_of(buckets.c.bucket).label("middle"),
        func.sum(buckets.c.count_).over(**window, order_by=buckets.c.bucket).label("until"),
        (func.sum(buckets.c.count_).over(**window) - 1).label("last"),
    ).subquery()

    def percentile(part: str) -> Any:
        place = placed.c.last * literal_column(part, Numeric)
        low, high = (
            func.min(placed.c.middle).filter(placed.c.until > end)
            for end in (func.floor(place), func.ceil(place))
        )
        return low + (high - low) * cast(func.max(place - func.floor(place)), Float)

    by = [placed.c[name] for name in names]
    found = select(*by, *[percentile(part).label(name) for name, part in parts.items()])
    return (found.group_by(*by) if by else found).subquery()
