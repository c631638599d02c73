"""Search by words: the rows whose texts have the words of a query, the newest of them ranked.

The database parses texts and queries: the migrations 0012, 0015, 0028 and 0031 create and
describe `search_document` and the other functions that begin with `search_`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import (
    ARRAY,
    BigInteger,
    DateTime,
    Float,
    Integer,
    Text,
    Uuid,
    and_,
    bindparam,
    case,
    cast,
    func,
    literal_column,
    select,
    true,
)
from sqlalchemy.dialects.postgresql import aggregate_order_by, array
from sqlalchemy.orm import aliased

from agentdata.engine.sql.filters import Term, comparisons, condition, is_within_key
from agentdata.engine.sql.tenancy import TENANT, owned

if TYPE_CHECKING:
    from collections.abc import Callable

    from resolvers.meaning import Conditions, Meaning, Vectors

MAX_RANKED = 2_000
"""The maximum number of rows that are read and ranked: the newest of those that have the words.

Each costs about 100 ns per character of its text: 40 µs for a short one, 6 ms for 50,000 characters.
"""

MAX_SEEN = 100_000
"""After how many rows with the words a search gives up, if its filter leaves out nearly all of them."""

QUERY = "query"
QUERY_TEXT = bindparam(QUERY, type_=Text)
FENCE: Any = literal_column("0")
"""OFFSET 0, which keeps PostgreSQL from merging a subquery into the statement around it."""

_RANK_FLAGS = 1 | 32
"""Flags of the rank: 1 divides it by the logarithm of the text's length, 32 makes it less than 1."""

_PERIODS, _FACTOR = 6, 16
"""How many lengths of periods `search_times` knows, and how many times as long each is as the one before."""

_AT_FIRST = 8
"""The first period has at least an eighth as many rows as are ranked, whatever words these have."""

_TIME = "created_at"
"""The column whose periods the indexes hold."""

_MICROSECOND: Any = literal_column("interval '1 microsecond'")
_UNTIL: Any = literal_column("walk.until")
_NO_IDS: Any = cast(array([], type_=Uuid), ARRAY(Uuid))


def _literal(number: int) -> Any:
    return literal_column(str(number), Integer)


class Searched(NamedTuple):
    """The rows that a search finds: their model, their texts, and their vectors."""

    model: Any
    texts: Callable[[Any], list[Any]]
    vectors: Callable[[Meaning], Vectors]
    among: Conditions
    """Returns further conditions on a row, which those on its vector imply."""
    conditions: Conditions
    """Returns conditions on a row that those on its vector do not imply."""


def exact_query() -> Any:
    """Return the query as it was meant, with its phrases."""
    # Scalar subqueries run once; a cached generic plan would parse the query again for every row.
    return select(func.search_query(QUERY_TEXT)).scalar_subquery()


def joined(columns: list[Any]) -> Any:
    """Return the texts of a row as one."""
    # concat_ws skips texts that are null.
    return columns[0] if len(columns) == 1 else func.concat_ws(" · ", *columns)


def ranked(searched: Searched, term: Term | None) -> Any:
    """Select the rows that match a query, with their ranks and texts.

    An index finds the rows that have the words, but not the positions of the words: for those, the text of a
    row has to be read, which is the expensive part. So only the newest rows with the words are ranked, and
    only they are checked against the whole query. OFFSET 0 separates the steps: otherwise PostgreSQL might
    read texts more than once, or go through the rows from the newest on and read all of them. The excerpt is
    outermost, so that it is only made for the rows of a page.
    """
    exact = exact_query()
    row = aliased(searched.model)
    last, _ = _walked(searched, term)
    newest = select(func.unnest(last.c.ids).label("id")).limit(_literal(MAX_RANKED)).subquery()
    columns = searched.texts(row)
    documents = (
        select(
            row.id,
            row.created_at,
            func.search_document(*columns).label("document"),
            joined(columns).label("text"),
        )
        .join(newest, row.id == newest.c.id)
        .where(owned(row))
        .offset(FENCE)
        .subquery()
    )
    return (
        select(
            documents.c.id,
            documents.c.created_at,
            cast(func.ts_rank_cd(documents.c.document, exact, _literal(_RANK_FLAGS)), Float).label("rank"),
            documents.c.text,
        )
        .where(documents.c.document.op("@@")(exact))
        .offset(FENCE)
        .subquery()
    )


def all_ranked(searched: Searched, term: Term | None) -> Any:
    """Return the condition that every row with the words was ranked."""
    last, oldest = _walked(searched, term)
    complete = and_(last.c.until <= oldest, func.cardinality(last.c.ids) <= _literal(MAX_RANKED))
    # Without any row, there is no step.
    return func.coalesce(select(complete).scalar_subquery(), true())


def _walked(searched: Searched, term: Term | None) -> tuple[Any, Any]:
    """Go through the rows with the words from the newest on, until there are enough; return the last step.

    A step looks at one period of time, of which an index finds the rows with the words at once. It has the
    ids so far, newest first, and the time until which rows remain; none do if that is the time of the oldest
    row, which is the second value. The filter's own bounds of the time are those of the walk. If a filter by
    ids leaves few rows, one step reads their texts instead.
    """
    row = aliased(searched.model)
    bounded = [condition(row, each) for each in comparisons(term, _TIME)]

    def first(*order: Any, skipped: int = 0, before: Any = None) -> Any:
        found = select(row.created_at).where(owned(row), *bounded).order_by(*order).limit(_literal(1))
        found = found if before is None else found.where(row.created_at < before)
        return found.offset(_literal(skipped)).scalar_subquery()

    by_time = (row.created_at.desc(), row.id.desc())
    bounds = select(
        first(*by_time).label("newest"),
        first(*by_time, skipped=MAX_RANKED // _AT_FIRST).label("crowd"),
        first(row.created_at, row.id).label("oldest"),
    ).cte("bounds")
    until, ids = bounds.c.newest + _MICROSECOND, _NO_IDS
    if term is not None and is_within_key(term):
        few, of_few = _among_few(searched, term)
        until = case((few, bounds.c.oldest), else_=until)
        ids = case((few, of_few), else_=ids)
    # At first the shortest period with enough rows that a common word needs few such.
    starts = func.unnest(func.search_times(bounds.c.newest))
    periods = starts.table_valued("since", with_ordinality="length").render_derived()
    length = select(func.min(periods.c.length)).where(periods.c.since <= bounds.c.crowd).scalar_subquery()
    begin = select(
        until.label("until"),
        cast(func.coalesce(length, _literal(_PERIODS)), Integer).label("length"),
        ids.label("ids"),
        cast(_literal(0), BigInteger).label("seen"),
    ).where(bounds.c.newest.is_not(None))
    step = begin.cte("walk", recursive=True)
    times = func.search_times(_UNTIL - _MICROSECOND, type_=ARRAY(DateTime(timezone=True)))
    period = select(times[literal_column("walk.length")].label("since")).lateral("period")
    found = _found_in(searched, term)
    longer = func.least(step.c.length + _literal(1), _literal(_PERIODS))
    shorter = func.greatest(step.c.length - _literal(1), _literal(1))
    next_length = case(
        (found.c.seen * _literal(_FACTOR) < _literal(MAX_RANKED), longer),
        (found.c.seen > _literal(MAX_RANKED), shorter),
        else_=step.c.length,
    )
    # Years without a row take no steps.
    next_row = first(*by_time, before=literal_column("period.since"))
    next_until = func.coalesce(next_row + _MICROSECOND, bounds.c.oldest)
    walk = step.union_all(
        select(next_until, next_length, step.c.ids + found.c.ids, step.c.seen + found.c.seen)
        .select_from(step.join(bounds, true()).join(period, true()).join(found, true()))
        .where(
            step.c.until > bounds.c.oldest,
            func.cardinality(step.c.ids) <= _literal(MAX_RANKED),
            step.c.seen < _literal(MAX_SEEN),
        )
    )
    last = select(walk.c.ids, walk.c.until).order_by(walk.c.until).limit(_literal(1)).subquery()
    return last, select(bounds.c.oldest).scalar_subquery()


def _among_few(searched: Searched, term: Term) -> tuple[Any, Any]:
    """Return whether a filter leaves no more rows than are ranked, and the ids of those with the words."""
    row = aliased(searched.model)
    texts = [text.label(f"text{number}") for number, text in enumerate(searched.texts(row))]
    few = (
        select(row.id, row.created_at, *texts)
        .where(owned(row), *_wanted(searched, term, row))
        .limit(_literal(MAX_RANKED + 1))
        .cte("few")
    )
    has_words = func.search_document(*[few.c[text.name] for text in texts]).op("@@")(_loose_query())
    ids = select(few.c.id).where(has_words).order_by(few.c.created_at.desc(), few.c.id.desc())
    number = select(func.count() <= _literal(MAX_RANKED)).select_from(few)
    return number.scalar_subquery(), func.array(ids.scalar_subquery(), type_=ARRAY(Uuid))


def _wanted(searched: Searched, term: Term | None, row: Any) -> list[Any]:
    """Return the conditions on a row beside that it has the words."""
    return [
        *searched.among(row),
        *searched.conditions(row),
        *([] if term is None else [condition(row, term)]),
    ]


def _loose_query() -> Any:
    # A subquery hides the words from the planner: for words that most texts have, it would scan all texts of
    # the table, and it underestimates by far how long that takes.
    return select(func.search_loosely(QUERY_TEXT)).scalar_subquery()


def _found_in(searched: Searched, term: Term | None) -> Any:
    """Select how many rows of a period have the words, and the ids of those that are searched."""
    row = aliased(searched.model)
    with_words = (
        select(row.id, row.created_at, and_(true(), *_wanted(searched, term, row)).label("wanted"))
        .where(
            owned(row),
            array([row.project_id]).contains(array([bindparam(TENANT, type_=Uuid)])),
            func.search_document(*searched.texts(row)).op("@@")(_loose_query()),
            func.search_times(row.created_at).op("@>")(array([literal_column("period.since")])),
        )
        .offset(FENCE)
        .subquery()
    )
    newest_first = aggregate_order_by(with_words.c.id, with_words.c.created_at.desc(), with_words.c.id.desc())
    ids = func.array_agg(newest_first, type_=ARRAY(Uuid)).filter(with_words.c.wanted)
    return (
        select(
            func.count().label("seen"),
            func.coalesce(ids, _NO_IDS, type_=ARRAY(Uuid)).label("ids"),
        )
        .where(with_words.c.created_at < _UNTIL)
        .lateral("found")
    )
