"""Search by meaning: the rows whose vectors are nearest to a given one.

Few rows are compared one by one, which is exact. If there are more, an index (HNSW) finds the nearest, nearly
always: it holds the vectors of all projects and bases, in half precision, so it is of use only where many
rows are searched. If it finds too few, because so many others are nearer, more rows are compared one by one.
The statement itself counts and chooses, so no cached plan decides for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import (
    Select,
    bindparam,
    case,
    cast,
    false,
    func,
    literal_column,
    not_,
    select,
    true,
    union_all,
)
from sqlalchemy.orm import aliased
from sqlalchemy.types import Float, UserDefinedType

from agentdata.engine.sql.filters import Term, condition
from agentdata.engine.sql.tenancy import owned

if TYPE_CHECKING:
    from collections.abc import Callable

    Conditions = Callable[[Any], list[Any]]
    """Returns further conditions on a row."""

MAX_COMPARED = 2_000
"""How many rows are compared one by one at most. Each costs 10 to 25 µs at 1,536 dimensions."""

MAX_SOUGHT = 50_000
"""How many rows are compared one by one if the index finds too few: those nearer are not to be searched."""

MAX_NEAREST = 100
"""The maximum number of rows that a search by meaning finds."""

_SPARE = 2
"""How many rows an index finds for each that is read: it finds some too late, above all if it skips many."""

VECTOR, VECTOR_MODEL, MIN_SCORE = "vector", "vector_model", "min_score"
"""The names of parameters: the vector to compare with, the model that made it, and the least similarity."""


class Meaning(NamedTuple):
    """The part of a search by meaning that its SQL depends on."""

    dimensions: int
    with_model: bool = False
    with_min_score: bool = False


class Vectors(NamedTuple):
    """The vectors of a model's rows."""

    model: Any
    key: str
    """The column with the id of the row."""
    conditions: Callable[[Any], list[Any]]
    """Returns further conditions on a vector."""
    among: Conditions
    """Returns further conditions on a row, which those on its vector imply."""
    are_single: bool
    """Whether no row has several vectors that meet the conditions."""
    number: Callable[[], Select[Any]] | None = None
    """Selects the number of all rows, if it need not be counted."""


class _Type(UserDefinedType[Any]):
    """A type of pgvector: ``vector`` in single precision, or ``halfvec`` in half, as indexes hold it."""

    cache_ok = True

    def __init__(self, name: str, dimensions: int | None = None) -> None:
        self.name = name
        self.dimensions = dimensions

    def get_col_spec(self, **_: Any) -> str:
        """Return the name of the type in SQL."""
        return self.name if self.dimensions is None else f"{self.name}({self.dimensions})"


def nearest(
    searched: Any,
    vectors: Vectors,
    meaning: Meaning,
    term: Term | None,
    conditions: Conditions,
    limit: int = MAX_NEAREST,
    first: Any = None,
) -> Select[Any]:
    """Select the id and the similarity of the rows nearest to a vector: at most ``limit``.

    If ``first`` is given, no more of them are needed. Where more than a few rows are searched, they are
    compared in half precision, as an index does.
    """
    most: Any = literal_column(str(limit))
    if first is not None and vectors.are_single:
        most = func.least(first * literal_column(str(_SPARE)), most)
    candidates = _candidates(searched, vectors, term, conditions)
    few = _few(searched, vectors, term, conditions, candidates).cte("few", nesting=True)
    given = select(
        cast(bindparam(VECTOR, type_=_Type("vector")), _Type("vector", meaning.dimensions)).label(VECTOR)
    ).cte("given", nesting=True)
    is_few = select(few.c.few).scalar_subquery()
    size: Any = literal_column(str(meaning.dimensions))

    def found(vector: Any, type_: str, *restricted: Any) -> Select[Any]:
        distance = _distance(vector.embedding, given, _Type(type_, meaning.dimensions)).label("distance")
        return select(getattr(vector, vectors.key).label("id"), distance).where(
            owned(vector), vector.dimensions == size, *vectors.conditions(vector), *restricted
        )

    def compared(rows: Any, type_: str, when: Any) -> Select[Any]:
        """Select the nearest of some rows; a row may have vectors of several models."""
        vector = aliased(vectors.model)
        each = found(vector, type_, getattr(vector, vectors.key).in_(select(rows.c.id)), when).subquery()
        best = func.min(each.c.distance).label("distance")
        # In the order of pages, of which each begins the list: rows of one distance by their ids.
        return select(each.c.id, best).group_by(each.c.id).order_by(best, each.c.id.desc()).limit(most)

    indexed = aliased(vectors.model)
    among: list[Any] = []
    row = aliased(searched)
    narrower = [*conditions(row), *([] if term is None else [condition(row, term)])]
    if narrower:
        # Not EXISTS, which PostgreSQL may turn into a join and so lose the order of the index.
        own = select(true()).where(owned(row), row.id == getattr(indexed, vectors.key), *narrower)
        among = [own.correlate_except(row).scalar_subquery()]
    with_ties = (
        found(indexed, "halfvec", *among, not_(is_few))
        # Else PostgreSQL sorts the rows of a project that it believes to be small, as cached plans do.
        .join(_seemingly_many("once"), true())
        .join(_seemingly_many("again"), true())
        # By its name: PostgreSQL would compute the expression once more for the order.
        .order_by("distance")
        # All rows of the last distance: pages order them by their ids.
        .fetch(most, with_ties=True)
        .subquery()
    )
    indexed_first = select(with_ties).limit(literal_column(str(limit))).cte("indexed", nesting=True)
    # The index gives up after many vectors that are nearer, but of other projects or bases.
    sought = _candidates(searched, vectors, term, conditions, MAX_SOUGHT, "sought")
    too_few = case(
        (is_few, false()),
        (
            select(func.count() < most).select_from(indexed_first).scalar_subquery(),
            select(func.count() <= MAX_SOUGHT).select_from(sought).scalar_subquery(),
        ),
        else_=false(),
    )
    gave_up = select(too_few.label("gave_up")).cte("gave_up", nesting=True)
    instead = select(gave_up.c.gave_up).scalar_subquery()
    together = union_all(
        compared(candidates, "vector", is_few),
        # Not beside those that are compared: these may be farther than all of them.
        select(indexed_first).where(not_(instead)),
        compared(sought, "halfvec", instead),
    ).subquery()
    best = (1 - func.min(together.c.distance)).label("similarity")
    chosen = select(together.c.id, best).group_by(together.c.id)
    chosen = chosen.add_cte(candidates, few, given, indexed_first, sought, gave_up, nest_here=True)
    if meaning.with_min_score:
        chosen = chosen.having(best >= bindparam(MIN_SCORE, type_=Float))
    return chosen


def has_all(
    searched: Any, vectors: Vectors, meaning: Meaning, term: Term | None, conditions: Conditions
) -> Any:
    """Return the condition that a search by meaning compared all rows and lists all that it may."""
    candidates = _candidates(searched, vectors, term, conditions)
    found = nearest(searched, vectors, meaning, term, conditions, MAX_NEAREST + 1).subquery()
    listed = select(func.count() <= MAX_NEAREST).select_from(found).scalar_subquery()
    few = _few(searched, vectors, term, conditions, candidates).add_cte(candidates, nest_here=True)
    return few.scalar_subquery() & listed


def _candidates(
    searched: Any,
    vectors: Vectors,
    term: Term | None,
    conditions: Conditions,
    most: int = MAX_COMPARED,
    name: str = "candidates",
) -> Any:
    """Select the ids of the rows to search: all of them, or one more than ``most``."""
    row = aliased(searched)
    return (
        select(row.id)
        .where(
            owned(row),
            *vectors.among(row),
            *conditions(row),
            *([] if term is None else [condition(row, term)]),
        )
        .limit(literal_column(str(most + 1)))
        .cte(name, nesting=True)
    )


def _seemingly_many(name: str) -> Any:
    """Return a relation of one row of which PostgreSQL expects a thousand.

    Joined twice, it makes a limit seem to need only the first row, which an index finds soonest.
    """
    return func.generate_series(1, select(literal_column("1")).scalar_subquery()).table_valued(name=name)


def _few(
    searched: Any, vectors: Vectors, term: Term | None, conditions: Conditions, candidates: Any
) -> Select[Any]:
    """Select whether the rows to search are so few that they are compared one by one."""
    number = select(func.count()).select_from(candidates)
    if vectors.number is not None and term is None and not conditions(aliased(searched)):
        number = vectors.number()
    return select((number.scalar_subquery() <= literal_column(str(MAX_COMPARED))).label("few"))


def _distance(embedding: Any, given: Any, type_: _Type) -> Any:
    """Return the cosine distance of a vector from the given one, which is cast once."""
    other = select(cast(given.c[VECTOR], type_)).scalar_subquery()
    return cast(embedding, type_).op("<=>", return_type=Float())(other)
