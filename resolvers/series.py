"""Series: a metric of each parent over time, in buckets by the clock of a time zone.

Each metric has sources: tables whose rows are measurements. A dimension that the rows lack is read from their
sessions: the latency of an agent is that of the messages in its sessions.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    ARRAY,
    BigInteger,
    DateTime,
    Float,
    Integer,
    Select,
    Text,
    Uuid,
    and_,
    bindparam,
    case,
    cast,
    func,
    literal_column,
    null,
    or_,
    select,
    true,
    union_all,
)
from sqlalchemy.orm import aliased

from agentdata.checks import check_text, time_zone
from agentdata.engine.fields import Bindings, Cost, Gives, argument, batch
from agentdata.engine.sql.filters import condition
from agentdata.engine.sql.links import among_keys, keys_table
from agentdata.engine.sql.tenancy import owned
from agentdata.errors import BadUserInputError, LimitExceededError
from models import AgentMetric, Message, Session, SessionEvent, SessionMetric, ToolCall, UsageRecord
from resolvers.buckets import DEFAULT_GROUPS, MAX_BUCKETS, MAX_GROUPS, MAX_POINTS, most, most_in_all, starts
from resolvers.sums import PERCENTILES, mean, percentiles, total
from schema.enums import Interval, SeriesDimension, SeriesMetric
from schema.inputs.session import SessionFilter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from sqlalchemy import ColumnElement
    from strawberry.types.arguments import StrawberryArgument

    from agentdata.engine.sql.filters import Term

SESSION_ARGUMENTS = (
    argument("metric", SeriesMetric, "What to measure.", required=True),
    argument(
        "metric_type",
        str,
        "The `metricType` to measure, such as `response_time`, for `AGENT_METRIC` and `SESSION_METRIC`. All"
        " types by default; group them by `METRIC_TYPE`, because their units may differ.",
    ),
    argument("from", datetime, "The start of the series, inclusive.", required=True),
    argument("to", datetime, "The end of the series, exclusive.", required=True),
    argument("interval", Interval, "The length of each bucket.", required=True),
    argument(
        "time_zone",
        str,
        "The time zone by whose clock the buckets begin, such as `Europe/Berlin`; `UTC` by default.",
    ),
    argument(
        "group_by",
        list[SeriesDimension],
        "What to group the measurements by, at most two dimensions. Each group has buckets of its own; the"
        " group with the most measurements comes first. Without measurements there are no groups and no"
        " buckets.",
    ),
    argument(
        "groups",
        int,
        f"The maximum number of groups, those with the most measurements; {DEFAULT_GROUPS} by default, at"
        f" most {MAX_GROUPS}. Use it with `groupBy`.",
    ),
)
"""The arguments of a session's series."""

ARGUMENTS = (
    *SESSION_ARGUMENTS,
    argument(
        "sessions",
        SessionFilter,
        "Which sessions to measure; all by default. Not allowed for `AGENT_METRIC`.",
        filters=Session,
    ),
)
"""The arguments of the series of objects that have sessions."""

_YEARS = range(2, 9999)
"""Years in which every time zone can represent every time."""

_MAX_DIMENSIONS = 2

_DIMENSIONS = {
    SeriesDimension.AGENT: ("agent_id", Uuid()),
    SeriesDimension.AGENT_VERSION: ("agent_version_id", Uuid()),
    SeriesDimension.USER: ("user_id", Uuid()),
    SeriesDimension.MODEL: ("model", Text()),
    SeriesDimension.TOOL: ("tool", Text()),
    SeriesDimension.METRIC_TYPE: ("metric_type", Text()),
}
"""The columns of dimensions in the statement, and their types."""

_TYPES: dict[str, Any] = dict(_DIMENSIONS.values())
_ZERO_WHEN_EMPTY = ("count_", "sum")
_AGGREGATES = (*_ZERO_WHEN_EMPTY, "mean", "min", "max", *PERCENTILES)
"""The aggregates of a bucket; in an empty bucket the count and the sum are 0, and the others null."""


@dataclass(frozen=True)
class _Source:
    """A table whose rows are measurements of a metric.

    Parents and dimensions have the names of the columns of sessions, including ``id``. ``names`` maps those
    names to columns of the rows themselves, or to None for a dimension that is always null; names that are
    missing from it are read from the row's session.
    """

    model: Any
    time: str
    value: Callable[[Any], ColumnElement[Any]]
    names: Mapping[str, str | None]
    where: Callable[[Any], ColumnElement[bool]] | None = None


@dataclass(frozen=True)
class _Metric:
    """The sources of a metric, and the dimensions that can group it."""

    sources: tuple[_Source, ...]
    dimensions: tuple[SeriesDimension, ...]
    typed: bool = False
    """Whether the measurements have a ``metric_type``."""


_SESSION_DIMENSIONS = (SeriesDimension.AGENT, SeriesDimension.AGENT_VERSION, SeriesDimension.USER)
_SESSION_ROW = {"project_id": "project_id", "id": "session_id"}
_MODEL_ROW = _SESSION_ROW | {"model": "model"}
_TYPED_ROW = _SESSION_ROW | {"metric_type": "metric_type"}


def _metric_value(row: Any) -> Any:
    return row.metric_value


def _constant_one(_: Any) -> Any:
    return literal_column("1", Integer)


def _tokens(value: Callable[[Any], Any], said: Callable[[Any], Any]) -> _Metric:
    """Return a metric of tokens, which messages and usage records have."""
    messages = _Source(Message, "created_at", value, _MODEL_ROW, said)
    usage = _Source(UsageRecord, "timestamp", value, _MODEL_ROW)
    return _Metric((messages, usage), (*_SESSION_DIMENSIONS, SeriesDimension.MODEL))


_METRICS = {
    SeriesMetric.AGENT_METRIC: _Metric(
        (
            _Source(
                AgentMetric,
                "timestamp",
                _metric_value,
                {
                    "project_id": "project_id",
                    "agent_id": "agent_id",
                    "agent_version_id": "version_id",
                    "metric_type": "metric_type",
                },
            ),
        ),
        (SeriesDimension.AGENT, SeriesDimension.AGENT_VERSION, SeriesDimension.METRIC_TYPE),
        typed=True,
    ),
    SeriesMetric.SESSION_METRIC: _Metric(
        (_Source(SessionMetric, "timestamp", _metric_value, _TYPED_ROW),),
        (*_SESSION_DIMENSIONS, SeriesDimension.METRIC_TYPE),
        typed=True,
    ),
    SeriesMetric.MESSAGE_LATENCY: _Metric(
        (
            _Source(
                Message,
                "created_at",
                lambda row: row.latency_ms,
                _MODEL_ROW,
                lambda row: row.latency_ms.is_not(None),
            ),
        ),
        (*_SESSION_DIMENSIONS, SeriesDimension.MODEL),
    ),
    SeriesMetric.PROMPT_TOKENS: _tokens(
        lambda row: row.prompt_tokens, lambda row: row.prompt_tokens.is_not(None)
    ),
    SeriesMetric.COMPLETION_TOKENS: _tokens(
        lambda row: row.completion_tokens, lambda row: row.completion_tokens.is_not(None)
    ),
    SeriesMetric.TOKENS: _tokens(
        # The sum of two 32-bit numbers may need more than 32 bits.
        lambda row: (
            cast(func.coalesce(row.prompt_tokens, 0), BigInteger) + func.coalesce(row.completion_tokens, 0)
        ),
        lambda row: or_(row.prompt_tokens.is_not(None), row.completion_tokens.is_not(None)),
    ),
    SeriesMetric.COST: _Metric(
        (
            _Source(
                UsageRecord,
                "timestamp",
                lambda row: row.cost_usd,
                _MODEL_ROW,
                lambda row: row.cost_usd.is_not(None),
            ),
        ),
        (*_SESSION_DIMENSIONS, SeriesDimension.MODEL),
    ),
    SeriesMetric.SESSIONS_STARTED: _Metric(
        (
            _Source(
                Session,
                "started_at",
                _constant_one,
                {},
            ),
        ),
        _SESSION_DIMENSIONS,
    ),
    SeriesMetric.ERRORS: _Metric(
        (
            _Source(
                ToolCall,
                "created_at",
                _constant_one,
                _SESSION_ROW | {"tool": "name"},
                # Both conditions mean the same, but each has an index: the first by project, the second by
                # session. The first is a literal because a parameter would not match the partial index.
                lambda row: and_(row.status == literal_column("'FAILED'"), row.error.is_not(None)),
            ),
            _Source(
                SessionEvent,
                "timestamp",
                _constant_one,
                _SESSION_ROW | {"tool": None},
                lambda row: row.event_type == literal_column("'error'"),
            ),
        ),
        (*_SESSION_DIMENSIONS, SeriesDimension.TOOL),
    ),
}


def _buckets(arguments: Mapping[str, Any]) -> int:
    """Return the maximum number of buckets of a series, for the limits; 0 if it is refused anyway."""
    begin, end, interval = arguments["from"], arguments["to"], arguments["interval"]
    groups = arguments.get("groups") if arguments.get("group_by") else 1
    by_utc = arguments.get("time_zone") is None
    groups = DEFAULT_GROUPS if groups is None else max(groups, 0)
    return most_in_all(begin, end, interval.value, groups, by_utc=by_utc)


COST = Cost(
    ("from", "to", "interval", "time_zone", "group_by", "groups"), _buckets, points=20, object_points=0.3
)
"""Each bucket has to be computed from its measurements, of which there may be a hundred or more."""


def field(description: str, *, by: str, arguments: Sequence[StrawberryArgument] = ARGUMENTS) -> Any:
    """Declare a field with a series of the sessions whose column ``by`` has the row's id."""
    return batch(
        measurements,
        f"{description} Empty buckets are included: at most {MAX_BUCKETS:,}, and {MAX_POINTS:,} over all"
        " groups.",
        Gives.OBJECTS,
        arguments=arguments,
        bind=bind_arguments,
        cost=COST,
        column=by,
    )


def bind_arguments(arguments: Mapping[str, Any], column: str) -> Bindings:
    """Check and bind the arguments of a series, whose parents are in the ``column`` of sessions.

    Raises:
        BadUserInputError: The metric does not support the parent or an argument, the series does not end
            after it begins, or the time zone does not exist.
        LimitExceededError: The series has too many buckets.

    """
    metric: SeriesMetric = arguments["metric"]
    definition = _METRICS[metric]
    if metric is SeriesMetric.AGENT_METRIC:
        if column not in definition.sources[0].names:
            raise BadUserInputError(
                "AGENT_METRIC is only available on Project, Agent and AgentVersion",
                field="metric",
            )
        if arguments.get("sessions") is not None:
            raise BadUserInputError(
                "AGENT_METRIC is not measured in sessions; omit sessions, or choose another metric",
                field="sessions",
            )
    type_ = arguments.get("metric_type")
    if type_ is not None:
        if not definition.typed:
            raise BadUserInputError(
                f"{metric.name} has no metric types; metricType is only allowed with AGENT_METRIC and"
                " SESSION_METRIC",
                field="metricType",
            )
        check_text("metricType", type_)
    dimensions = _dimensions(metric, arguments)
    begin, end, unit = arguments["from"], arguments["to"], arguments["interval"].value
    for name, time in (("from", begin), ("to", end)):
        if time.year not in _YEARS:
            raise BadUserInputError(f"{name} must be a time in the years 2 to 9998", field=name)
    if begin >= end:
        raise BadUserInputError("to must be later than from", field="to")
    count = most(begin, end, unit)
    if count > MAX_BUCKETS:
        raise LimitExceededError(
            f"the series may have {count:,} buckets, above the limit of {MAX_BUCKETS:,}; choose a longer"
            " interval or a shorter time range",
            field="interval",
        )
    groups = _groups(arguments, count) if dimensions else 1
    values = {
        "metric_type": type_,
        "groups": groups,
        "begin": begin,
        "end": end,
        "starts": starts(begin, end, unit, time_zone(arguments.get("time_zone"))),
    }
    return Bindings((("metric", metric), ("group_by", dimensions), ("typed", type_ is not None)), values)


def _dimensions(metric: SeriesMetric, arguments: Mapping[str, Any]) -> tuple[SeriesDimension, ...]:
    dimensions = tuple(arguments.get("group_by") or ())
    allowed = _METRICS[metric].dimensions
    for dimension in dimensions:
        if dimension not in allowed:
            raise BadUserInputError(
                f"{metric.name} cannot be grouped by {dimension.name}; it can be grouped by"
                f" {', '.join(each.name for each in allowed)}",
                field="groupBy",
            )
    if len(dimensions) > _MAX_DIMENSIONS or len({*dimensions}) < len(dimensions):
        raise BadUserInputError("groupBy must name at most two dimensions, each once", field="groupBy")
    return dimensions


def _groups(arguments: Mapping[str, Any], buckets: int) -> int:
    requested = arguments.get("groups")
    groups: int = DEFAULT_GROUPS if requested is None else requested
    if not 1 <= groups <= MAX_GROUPS:
        raise BadUserInputError(f"groups must be from 1 to {MAX_GROUPS}", field="groups")
    if groups * buckets > MAX_POINTS:
        raise LimitExceededError(
            f"the series may have {buckets:,} buckets for each of {groups} groups, above the limit of"
            f" {MAX_POINTS:,} in all; choose fewer groups, a longer interval or a shorter time range",
            field="groups",
        )
    return groups


def measurements(
    column: str,
    sessions: Term | None = None,
    metric: SeriesMetric = SeriesMetric.SESSIONS_STARTED,
    group_by: tuple[SeriesDimension, ...] = (),
    *,
    typed: bool = False,
) -> Select[Any]:
    """Select the buckets of a metric for each parent, whose key is in the ``column`` of sessions.

    The columns do not depend on the arguments: dimensions that do not group the series are null.
    """
    query = _SeriesQuery(column, sessions, tuple(_DIMENSIONS[each][0] for each in group_by), typed=typed)
    sources = _METRICS[metric].sources
    if group_by or any(query.needs_session(source) for source in sources):
        return _by_groups(query, sources)
    return _by_buckets(query, sources)


@dataclass(frozen=True)
class _SeriesQuery:
    """The arguments of a series that determine which rows of the sources are read."""

    column: str
    sessions: Term | None
    names: tuple[str, ...]
    """The columns to group by."""
    typed: bool

    def needs_session(self, source: _Source) -> bool:
        """Return whether the rows of a source must be joined with their sessions."""
        if source.model is Session:
            return False
        return self.sessions is not None or not source.names.keys() >= {self.column, *self.names}

    def rows(
        self, source: _Source, parent: Callable[[Any], ColumnElement[bool]], begin: Any, end: Any
    ) -> Any:
        """Select the measurements in a time range: key of the parent, dimensions, time, and value."""
        row: Any = aliased(source.model)
        session: Any = aliased(Session) if self.needs_session(source) else row

        def column_of(name: str) -> Any:
            if name not in source.names:
                return getattr(session, name)
            own = source.names[name]
            return cast(null(), _TYPES[name]) if own is None else getattr(row, own)

        time = getattr(row, source.time)
        key = column_of(self.column)
        rows = select(
            key.label("key"),
            *[column_of(name).label(name) for name in self.names],
            time.label("time"),
            source.value(row).label("value"),
        ).where(owned(row), parent(key), time >= begin, time < end)
        if session is not row:
            rows = rows.join(session, session.id == row.session_id).where(owned(session))
        if source.where is not None:
            rows = rows.where(source.where(row))
        if self.typed:
            rows = rows.where(row.metric_type == bindparam("metric_type", type_=Text))
        if self.sessions is not None:
            rows = rows.where(condition(session, self.sessions))
        return rows


def _by_buckets(query: _SeriesQuery, sources: tuple[_Source, ...]) -> Select[Any]:
    """Select the buckets of sources whose rows have all columns that are needed, without groups.

    An index finds the measurements of one bucket after another; sorting all of them into buckets takes twice
    as long.
    """
    keys = keys_table()
    begin, end = _range()
    start = func.unnest(_starts(), type_=DateTime(timezone=True)).column_valued("start")
    bucket = select(
        start,
        # The first bucket may begin before the requested range, and the last may end after it.
        func.greatest(start, begin).label("since"),
        func.coalesce(func.lead(start).over(order_by=start), end).label("until"),
    ).cte("bucket")
    rows = _union_of(
        query.rows(source, lambda key: key == keys.c.key, bucket.c.since, bucket.c.until).correlate(
            keys, bucket
        )
        for source in sources
    ).subquery()
    each = select(*_aggregates(rows.c.value)).select_from(rows).lateral()
    return (
        select(keys.c.key, bucket.c.start, *each.c, *_dimension_columns())
        .select_from(keys.join(bucket, true()).join(each, true()))
        .order_by(keys.c.key, bucket.c.start)
    )


def _by_groups(query: _SeriesQuery, sources: tuple[_Source, ...]) -> Select[Any]:
    """Select the buckets of sources that have groups or are joined with their sessions.

    The measurements are read once. Each bucket with measurements then adds the empty buckets that follow it,
    and the first bucket of a group also adds those before it.
    """
    keys = keys_table()
    begin, end = _range()
    group = _with_ranks(query.names, _grouped_sums(query, sources, begin, end))
    first = case((group.c.before.is_(None), 1), else_=group.c.at)
    last = func.coalesce(group.c.after - 1, func.cardinality(_starts()))
    number = func.generate_series(first, last).table_valued("number").render_derived().lateral()
    here = number.c.number == group.c.at

    def aggregate(name: str) -> Any:
        value = case((here, group.c[name]))
        return (func.coalesce(value, 0) if name in _ZERO_WHEN_EMPTY else value).label(name)

    within = and_(group.c.key == keys.c.key, group.c.rank <= bindparam("groups", type_=Integer))
    # Without groupBy there is one group, even without measurements.
    found = keys.join(group, within, isouter=not query.names).join(number, true())
    return (
        select(
            keys.c.key,
            select(_starts()).scalar_subquery()[number.c.number].label("start"),
            *map(aggregate, _AGGREGATES),
            *_dimension_columns(**{name: group.c[name] for name in query.names}),
        )
        .select_from(found)
        .order_by(keys.c.key, group.c.rank, number.c.number)
    )


def _grouped_sums(query: _SeriesQuery, sources: tuple[_Source, ...], begin: Any, end: Any) -> Any:
    """Aggregate the buckets that have measurements, by groups; ``at`` is the number of the bucket, from 1."""
    # Only rows of the project are visible anyway; a second condition on it makes PostgreSQL expect few rows.
    whole = query.column == "project_id"
    rows = _union_of(
        query.rows(source, lambda key: true() if whole else among_keys(key), begin, end) for source in sources
    ).subquery()
    at = func.width_bucket(rows.c.time, _starts(), type_=Integer).label("at")
    bucketed = select(at, *[rows.c[name] for name in ("key", *query.names, "value")]).subquery()
    # The number of the bucket comes first, because numbers are the cheapest to compare when sorting.
    *by, value = bucketed.c
    return select(*by, *_aggregates(value)).group_by(*by).subquery()


def _with_ranks(names: tuple[str, ...], buckets: Any) -> Any:
    """Add the neighbours of each bucket, and the rank of its group: most measurements first."""
    by = [buckets.c[name] for name in ("key", *names)]
    groups = select(
        *buckets.c,
        func.lag(buckets.c.at).over(partition_by=by, order_by=buckets.c.at).label("before"),
        func.lead(buckets.c.at).over(partition_by=by, order_by=buckets.c.at).label("after"),
        func.sum(buckets.c.count_).over(partition_by=by).label("total"),
    ).subquery()
    order = [groups.c.total.desc(), *[groups.c[name] for name in names]]
    rank = func.dense_rank().over(partition_by=groups.c.key, order_by=order)
    return select(*groups.c, rank.label("rank")).subquery()


def _range() -> tuple[Any, Any]:
    return bindparam("begin", type_=DateTime(timezone=True)), bindparam("end", type_=DateTime(timezone=True))


def _starts() -> Any:
    """Return the parameter with the starts of the buckets, in order; the first may be before `from`."""
    return bindparam("starts", type_=ARRAY(DateTime(timezone=True)))


def _union_of(selects: Iterable[Any]) -> Any:
    first, *others = selects
    return union_all(first, *others) if others else first


def _aggregates(value: Any) -> list[Any]:
    """Return the aggregates of a bucket."""
    return [
        func.count().label("count_"),
        total(value, Float).label("sum"),
        # PostgreSQL computes the sum once for both.
        mean(value).label("mean"),
        cast(func.min(value), Float).label("min"),
        cast(func.max(value), Float).label("max"),
        *[found.label(name) for name, found in percentiles(cast(value, Float))],
    ]


def _dimension_columns(**values: Any) -> list[Any]:
    """Return the columns of all dimensions: those in ``values``, and null for the others."""
    return [
        (values[name] if name in values else cast(null(), type_)).label(name)
        for name, type_ in _TYPES.items()
    ]
