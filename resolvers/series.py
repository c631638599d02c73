"""What is measured over time: of each of many parents, in buckets by the clock of a time zone.

Each metric has sources: tables whose rows are measurements, or say several. What a source does not say itself
it takes from its session: an agent's latency is that of the messages in its sessions.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from functools import cache
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo, available_timezones

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

from agentdata.checks import check_text
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

OF_SESSION = (
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
    *OF_SESSION,
    argument(
        "sessions",
        SessionFilter,
        "Which sessions to measure; all by default. Not allowed for `AGENT_METRIC`.",
        filters=Session,
    ),
)
"""The arguments of the series of objects that have sessions."""

_YEARS = range(2, 9999)
"""In these years times can be told in every zone."""

_UTC = "UTC"
_MOST_DIMENSIONS = 2

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
_COUNTED = ("count_", "sum")
_SUMS = (*_COUNTED, "mean", "min", "max", *PERCENTILES)
"""What a bucket says of its measurements; of none it counts 0, and the others are null."""


@dataclass(frozen=True)
class _Source:
    """Rows that are measurements of a metric.

    Parents and dimensions go by the names of a session's columns, its own ``id`` included. ``names`` tells
    in which columns the rows name them themselves, or None where they never do; the others are those of the
    row's session.
    """

    model: Any
    time: str
    value: Callable[[Any], ColumnElement[Any]]
    names: Mapping[str, str | None]
    where: Callable[[Any], ColumnElement[bool]] | None = None


@dataclass(frozen=True)
class _Metric:
    """What a metric is measured by, and by what it can be grouped."""

    sources: tuple[_Source, ...]
    dimensions: tuple[SeriesDimension, ...]
    typed: bool = False
    """Whether its measurements have a ``metric_type``."""


_OF_SESSIONS = (SeriesDimension.AGENT, SeriesDimension.AGENT_VERSION, SeriesDimension.USER)
_IN_SESSION = {"project_id": "project_id", "id": "session_id"}
_WITH_MODEL = _IN_SESSION | {"model": "model"}
_WITH_TYPE = _IN_SESSION | {"metric_type": "metric_type"}


def _metric_value(row: Any) -> Any:
    return row.metric_value


def _one(_: Any) -> Any:
    return literal_column("1", Integer)


def _tokens(value: Callable[[Any], Any], said: Callable[[Any], Any]) -> _Metric:
    """Give a metric of what sessions add up of their messages and usage records."""
    messages = _Source(Message, "created_at", value, _WITH_MODEL, said)
    usage = _Source(UsageRecord, "timestamp", value, _WITH_MODEL)
    return _Metric((messages, usage), (*_OF_SESSIONS, SeriesDimension.MODEL))


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
        (_Source(SessionMetric, "timestamp", _metric_value, _WITH_TYPE),),
        (*_OF_SESSIONS, SeriesDimension.METRIC_TYPE),
        typed=True,
    ),
    SeriesMetric.MESSAGE_LATENCY: _Metric(
        (
            _Source(
                Message,
                "created_at",
                lambda row: row.latency_ms,
                _WITH_MODEL,
                lambda row: row.latency_ms.is_not(None),
            ),
        ),
        (*_OF_SESSIONS, SeriesDimension.MODEL),
    ),
    SeriesMetric.PROMPT_TOKENS: _tokens(
        lambda row: row.prompt_tokens, lambda row: row.prompt_tokens.is_not(None)
    ),
    SeriesMetric.COMPLETION_TOKENS: _tokens(
        lambda row: row.completion_tokens, lambda row: row.completion_tokens.is_not(None)
    ),
    SeriesMetric.TOKENS: _tokens(
        # Two numbers of 32 bits may need more together.
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
                _WITH_MODEL,
                lambda row: row.cost_usd.is_not(None),
            ),
        ),
        (*_OF_SESSIONS, SeriesDimension.MODEL),
    ),
    SeriesMetric.SESSIONS_STARTED: _Metric(
        (
            _Source(
                Session,
                "started_at",
                _one,
                {},
            ),
        ),
        _OF_SESSIONS,
    ),
    SeriesMetric.ERRORS: _Metric(
        (
            _Source(
                ToolCall,
                "created_at",
                _one,
                _IN_SESSION | {"tool": "name"},
                # Both say the same: by the one an index finds the errors of a project, by the other those of
                # a session. A parameter in place of the word would hide the former.
                lambda row: and_(row.status == literal_column("'FAILED'"), row.error.is_not(None)),
            ),
            _Source(
                SessionEvent,
                "timestamp",
                _one,
                _IN_SESSION | {"tool": None},
                lambda row: row.event_type == literal_column("'error'"),
            ),
        ),
        (*_OF_SESSIONS, SeriesDimension.TOOL),
    ),
}


def _buckets(arguments: Mapping[str, Any]) -> int:
    """Return how many buckets a series may have. A series that has too many reads nothing."""
    begin, end, interval = arguments["from"], arguments["to"], arguments["interval"]
    groups = arguments.get("groups") if arguments.get("group_by") else 1
    by_utc = arguments.get("time_zone") is None
    groups = DEFAULT_GROUPS if groups is None else max(groups, 0)
    return most_in_all(begin, end, interval.value, groups, by_utc=by_utc)


COST = Cost(("from", "to", "interval", "time_zone", "group_by", "groups"), _buckets)


def measured(description: str, *, by: str, arguments: Sequence[StrawberryArgument] = ARGUMENTS) -> Any:
    """Declare a field that is a series: of the sessions whose column ``by`` is the row's id."""
    return batch(
        measurements,
        f"{description} Empty buckets are included: at most {MAX_BUCKETS:,}, and {MAX_POINTS:,} over all"
        " groups.",
        Gives.OBJECTS,
        arguments=arguments,
        bind=asked,
        cost=COST,
        column=by,
    )


def asked(arguments: Mapping[str, Any], column: str) -> Bindings:
    """Read what a client asks of a series of parents that are a session's ``column``.

    Raises:
        BadUserInputError: The metric is not measured there or so, the series does not end after it begins, or
            there is no such time zone.
        LimitExceededError: It has too many buckets.

    """
    metric: SeriesMetric = arguments["metric"]
    measured = _METRICS[metric]
    if metric is SeriesMetric.AGENT_METRIC:
        if column not in measured.sources[0].names:
            raise BadUserInputError(
                "AGENT_METRIC is only available on Project, Agent and AgentVersion",
                field="metric",
            )
        if arguments.get("sessions") is not None:
            raise BadUserInputError(
                "AGENT_METRIC is not measured in sessions: omit sessions, or choose another metric",
                field="sessions",
            )
    type_ = arguments.get("metric_type")
    if type_ is not None:
        if not measured.typed:
            raise BadUserInputError(
                f"{metric.name} has no metric types: metricType goes with AGENT_METRIC and SESSION_METRIC",
                field="metricType",
            )
        check_text("metricType", type_)
    dimensions = _dimensions(metric, arguments)
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
    groups = _groups(arguments, count) if dimensions else 1
    values = {
        "metric_type": type_,
        "groups": groups,
        "begin": begin,
        "end": end,
        "starts": starts(begin, end, unit, _zone(arguments.get("time_zone"))),
    }
    return Bindings((("metric", metric), ("group_by", dimensions), ("typed", type_ is not None)), values)


def _dimensions(metric: SeriesMetric, arguments: Mapping[str, Any]) -> tuple[SeriesDimension, ...]:
    dimensions = tuple(arguments.get("group_by") or ())
    known = _METRICS[metric].dimensions
    for dimension in dimensions:
        if dimension not in known:
            raise BadUserInputError(
                f"{metric.name} cannot be grouped by {dimension.name}, but by"
                f" {', '.join(each.name for each in known)}",
                field="groupBy",
            )
    if len(dimensions) > _MOST_DIMENSIONS or len({*dimensions}) < len(dimensions):
        raise BadUserInputError("groupBy must name at most two dimensions, each once", field="groupBy")
    return dimensions


def _groups(arguments: Mapping[str, Any], buckets: int) -> int:
    given = arguments.get("groups")
    groups: int = DEFAULT_GROUPS if given is None else given
    if not 1 <= groups <= MAX_GROUPS:
        raise BadUserInputError(f"groups must be from 1 to {MAX_GROUPS}", field="groups")
    if groups * buckets > MAX_POINTS:
        raise LimitExceededError(
            f"the series may have {buckets:,} buckets for each of {groups} groups, above the limit of"
            f" {MAX_POINTS:,} in all; ask for fewer groups, a longer interval or a shorter time",
            field="groups",
        )
    return groups


@cache
def _zones() -> frozenset[str]:
    """Return the names of the zones of the IANA database."""
    # Python counts the machine's own zone among them.
    return frozenset({_UTC, *available_timezones()} - {"localtime"})


def _zone(zone: str | None) -> tzinfo:
    if zone is not None and zone not in _zones():
        raise BadUserInputError(
            "timeZone names no time zone of the IANA database, such as Europe/Berlin", field="timeZone"
        )
    return UTC if zone in (None, _UTC) else ZoneInfo(zone)


def measurements(
    column: str,
    sessions: Term | None = None,
    metric: SeriesMetric = SeriesMetric.SESSIONS_STARTED,
    group_by: tuple[SeriesDimension, ...] = (),
    *,
    typed: bool = False,
) -> Select[Any]:
    """Sum up a metric for each parent, whose key is in a session's ``column``, bucket after bucket.

    Its columns are the same whatever is asked: dimensions that it is not grouped by are null.
    """
    asking = _Asking(column, sessions, tuple(_DIMENSIONS[each][0] for each in group_by), typed=typed)
    sources = _METRICS[metric].sources
    if group_by or any(asking.needs_session(source) for source in sources):
        return _of_groups(asking, sources)
    return _of_buckets(asking, sources)


@dataclass(frozen=True)
class _Asking:
    """What is asked of the sources of a metric."""

    column: str
    sessions: Term | None
    names: tuple[str, ...]
    """What to group by."""
    typed: bool

    def needs_session(self, source: _Source) -> bool:
        """Tell whether a source's rows do not tell by themselves what is asked of them."""
        if source.model is Session:
            return False
        return self.sessions is not None or not source.names.keys() >= {self.column, *self.names}

    def rows(
        self, source: _Source, parent: Callable[[Any], ColumnElement[bool]], begin: Any, end: Any
    ) -> Any:
        """Give what is measured in some time: each parent's key, the dimensions, the time, and the value."""
        measured: Any = aliased(source.model)
        session: Any = aliased(Session) if self.needs_session(source) else measured

        def named(name: str) -> Any:
            if name not in source.names:
                return getattr(session, name)
            own = source.names[name]
            return cast(null(), _TYPES[name]) if own is None else getattr(measured, own)

        time = getattr(measured, source.time)
        key = named(self.column)
        rows = select(
            key.label("key"),
            *[named(name).label(name) for name in self.names],
            time.label("time"),
            source.value(measured).label("value"),
        ).where(owned(measured), parent(key), time >= begin, time < end)
        if session is not measured:
            rows = rows.join(session, session.id == measured.session_id).where(owned(session))
        if source.where is not None:
            rows = rows.where(source.where(measured))
        if self.typed:
            rows = rows.where(measured.metric_type == bindparam("metric_type", type_=Text))
        if self.sessions is not None:
            rows = rows.where(condition(session, self.sessions))
        return rows


def _of_buckets(asking: _Asking, sources: tuple[_Source, ...]) -> Select[Any]:
    """Sum up what the rows of tables say by themselves.

    An index gives the measurements of one bucket after another: to sort all of them into buckets takes twice
    as long.
    """
    keys = keys_table()
    begin, end = _range()
    start = func.unnest(_starts(), type_=DateTime(timezone=True)).column_valued("start")
    bucket = select(
        start,
        # The first begins before what is asked for, the last ends after it.
        func.greatest(start, begin).label("since"),
        func.coalesce(func.lead(start).over(order_by=start), end).label("until"),
    ).cte("bucket")
    rows = _united(
        asking.rows(source, lambda key: key == keys.c.key, bucket.c.since, bucket.c.until).correlate(
            keys, bucket
        )
        for source in sources
    ).subquery()
    each = select(*_sums(rows.c.value)).select_from(rows).lateral()
    return (
        select(keys.c.key, bucket.c.start, *each.c, *_none())
        .select_from(keys.join(bucket, true()).join(each, true()))
        .order_by(keys.c.key, bucket.c.start)
    )


def _of_groups(asking: _Asking, sources: tuple[_Source, ...]) -> Select[Any]:
    """Sum up what tables and their sessions say, by groups.

    What was measured is read once. Each bucket of a group that something was measured in then brings the
    empty ones with it that follow, and the first of a group those before.
    """
    keys = keys_table()
    begin, end = _range()
    group = _placed(asking.names, _in_groups(asking, sources, begin, end))
    first = case((group.c.before.is_(None), 1), else_=group.c.at)
    last = func.coalesce(group.c.after - 1, func.cardinality(_starts()))
    number = func.generate_series(first, last).table_valued("number").render_derived().lateral()
    here = number.c.number == group.c.at

    def summed(name: str) -> Any:
        value = case((here, group.c[name]))
        return (func.coalesce(value, 0) if name in _COUNTED else value).label(name)

    within = and_(group.c.key == keys.c.key, group.c.place <= bindparam("groups", type_=Integer))
    # Without groups there is one, even if nothing was measured.
    found = keys.join(group, within, isouter=not asking.names).join(number, true())
    return (
        select(
            keys.c.key,
            select(_starts()).scalar_subquery()[number.c.number].label("start"),
            *map(summed, _SUMS),
            *_none(**{name: group.c[name] for name in asking.names}),
        )
        .select_from(found)
        .order_by(keys.c.key, group.c.place, number.c.number)
    )


def _in_groups(asking: _Asking, sources: tuple[_Source, ...], begin: Any, end: Any) -> Any:
    """Sum up each bucket of each group in which something was measured; ``at`` is its place, from 1."""
    # A project sees but its own rows, and to name it twice would make PostgreSQL expect few.
    whole = asking.column == "project_id"
    rows = _united(
        asking.rows(source, lambda key: true() if whole else among_keys(key), begin, end)
        for source in sources
    ).subquery()
    at = func.width_bucket(rows.c.time, _starts(), type_=Integer).label("at")
    told = select(at, *[rows.c[name] for name in ("key", *asking.names, "value")]).subquery()
    # By numbers first: to compare them is what sorting takes the least for.
    *by, value = told.c
    return select(*by, *_sums(value)).group_by(*by).subquery()


def _placed(names: tuple[str, ...], measured: Any) -> Any:
    """Give groups their places, the one with the most measurements first, and buckets their neighbours."""
    by = [measured.c[name] for name in ("key", *names)]
    among = select(
        *measured.c,
        func.lag(measured.c.at).over(partition_by=by, order_by=measured.c.at).label("before"),
        func.lead(measured.c.at).over(partition_by=by, order_by=measured.c.at).label("after"),
        func.sum(measured.c.count_).over(partition_by=by).label("total"),
    ).subquery()
    order = [among.c.total.desc(), *[among.c[name] for name in names]]
    place = func.dense_rank().over(partition_by=among.c.key, order_by=order)
    return select(*among.c, place.label("place")).subquery()


def _range() -> tuple[Any, Any]:
    return bindparam("begin", type_=DateTime(timezone=True)), bindparam("end", type_=DateTime(timezone=True))


def _starts() -> Any:
    """Return the parameter that says when buckets begin, in order; the first may begin before `from`."""
    return bindparam("starts", type_=ARRAY(DateTime(timezone=True)))


def _united(selects: Iterable[Any]) -> Any:
    first, *others = selects
    return union_all(first, *others) if others else first


def _sums(value: Any) -> list[Any]:
    """Give what a bucket says of its measurements."""
    return [
        func.count().label("count_"),
        total(value, Float).label("sum"),
        # PostgreSQL adds up once for both.
        mean(value).label("mean"),
        cast(func.min(value), Float).label("min"),
        cast(func.max(value), Float).label("max"),
        *[found.label(name) for name, found in percentiles(cast(value, Float))],
    ]


def _none(**given: Any) -> list[Any]:
    """Give all dimensions: what is ``given`` of them, and null."""
    return [
        (given[name] if name in given else cast(null(), type_)).label(name) for name, type_ in _TYPES.items()
    ]
