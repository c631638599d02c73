"""Pages: filter, order and cursor become one statement, for one parent or for many."""

from __future__ import annotations

import operator
from dataclasses import dataclass
from functools import cached_property, reduce
from itertools import groupby
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import (
    Integer,
    Select,
    and_,
    bindparam,
    func,
    null,
    or_,
    select,
    true,
    tuple_,
    type_coerce,
    union_all,
)
from sqlalchemy.orm import aliased

from agentdata.errors import BadUserInputError
from agentdata.execution.links import KEYS, keys_table, owned
from models.enums import ApiKeyScope
from resolvers.computations import Given
from resolvers.cursors import decode, encode
from resolvers.filtering import Filters, Term, condition

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Hashable, Mapping, Sequence
    from uuid import UUID

    from sqlalchemy import ColumnElement

    from agentdata.execution.links import Link
    from agentdata.execution.reader import Reader
    from resolvers.computations import Computation

DEFAULT_SIZE = 50
MAX_SIZE = 500

NOTHING_GIVEN = Given((), {})


class Ordering(NamedTuple):
    """One key of an order: an attribute of the row, and whether the greatest comes first.

    Null is less than every value, so that one index serves an order and its reverse.
    """

    name: str
    descending: bool = False


class Shape(NamedTuple):
    """All of a slice that its statement depends on; the rest are parameters."""

    filter: Term | None
    order: tuple[Ordering, ...]
    backward: bool
    # Of the cursor's values, which are null; None where there is no cursor.
    start: tuple[bool, ...] | None
    # What the rows depend on where they are computed.
    given: tuple[tuple[str, Any], ...] = ()

    def of_all(self) -> Shape:
        """Give what is the same on whatever page: how many there are depends on the filter alone."""
        return self._replace(order=(), backward=False, start=None)


@dataclass(frozen=True, eq=False)
class Page:
    """A declared list of rows: all of a project's, or those that a link leads to, in an order by default.

    Its rows are those of the model's table, or what a statement computes, which has the model's columns and
    holds the project by itself; where it is a UNION ALL, each part of it is filtered, ordered and cut by
    itself first, so that an index of each can serve the page.
    """

    model: Any
    link: Link | None
    default_order: tuple[Ordering, ...]
    filters: Filters | None
    scope: ApiKeyScope = ApiKeyScope.READ
    computation: Computation | None = None

    def rows(self, shape: Shape, names: Sequence[str] | None = None) -> Select[Any]:
        """Give each parent's rows, or some of their columns, as (parent, …); without a link it is null."""
        keys = None if self.link is None else keys_table()
        parts: list[tuple[Any, ColumnElement[bool]]] = []
        for target in self._targets(shape):
            held, ranges = self._holds(shape, target, keys), self._beyond(shape, target)
            # What is computed would be computed for each range, and no index begins in it.
            if ranges and (keys is not None or self.computation is not None):
                ranges = [or_(*ranges)]
            parts += [(target, and_(*held, each)) for each in ranges or [true()]]
        inner, columns = self._rows_of(shape, parts, names, keys)
        if keys is None:
            return inner.with_only_columns(null(), *columns)
        # A lateral subquery is run for one parent after another, so rows come in its order, parent by parent.
        lateral = inner.lateral()
        outer = [aliased(self.model, lateral)] if names is None else [lateral.c[name] for name in names]
        return select(keys.c.key, *outer).select_from(keys.join(lateral, true()))

    def _rows_of(
        self,
        shape: Shape,
        parts: list[tuple[Any, ColumnElement[bool]]],
        names: Sequence[str] | None,
        keys: Any,
    ) -> tuple[Select[Any], list[Any]]:
        """Give the first rows of several parts: of each its first, so that an index can begin at each."""
        merges = len(parts) > 1
        more = [key.name for key in shape.order] if merges else []
        read = None if names is None else dict.fromkeys([*names, *more])
        firsts = []
        for target, condition_ in parts:
            selected = [target] if read is None else [getattr(target, name).label(name) for name in read]
            first = self._first(shape, target, select(*selected).where(condition_))
            firsts.append(first if keys is None else first.correlate(keys))
        if not merges:
            return firsts[0], selected
        merged = union_all(*firsts).subquery()
        row: Any = aliased(self.model, merged) if names is None else merged.c
        chosen = [row] if names is None else [merged.c[name] for name in names]
        return self._first(shape, row, select(*chosen)), chosen

    def _first(self, shape: Shape, target: Any, rows: Select[Any]) -> Select[Any]:
        return rows.order_by(*self._sorted(shape, target)).limit(bindparam("limit", type_=Integer))

    def totals(self, shape: Shape) -> Select[Any]:
        """Give how many rows each parent has in all, on whatever page, as (parent, count)."""
        keys = None if self.link is None else keys_table()
        held = [(target, self._holds(shape, target, keys)) for target in self._targets(shape)]
        counts = [select(func.count()).select_from(target).where(*each) for target, each in held]
        total = reduce(operator.add, [count.scalar_subquery() for count in counts])
        return select(null() if keys is None else keys.c.key, total)

    def complete(self, shape: Shape) -> Select[Any]:
        """Build the statement that tells each parent whether its list has all rows, as (parent, complete)."""
        keys = None if self.link is None else keys_table()
        whole = None if self.computation is None else self.computation.complete
        complete = true() if whole is None else whole(**dict(shape.given)).scalar_subquery()
        return select(null() if keys is None else keys.c.key, complete)

    def nullable(self, key: Ordering) -> bool:
        """Tell whether the key of a row may be null."""
        return bool(self.model.__mapper__.columns[key.name].nullable)

    def _targets(self, shape: Shape) -> list[Any]:
        """Give what rows are read of: the table, or what the parts of the computation give."""
        if self.computation is None:
            return [self._table]
        return [
            aliased(self.model, self._typed(part).subquery(), adapt_on_names=True)
            for part in self.computation.parts(shape.given)
        ]

    @cached_property
    def _table(self) -> Any:
        # Made once: SQLAlchemy makes all columns of an alias anew, a fifth of the time of compiling a page.
        return aliased(self.model)

    def _typed(self, part: Select[Any]) -> Select[Any]:
        """Give a statement whose columns have the model's types; SQLAlchemy takes a count for 32 bits."""
        declared = self.model.__mapper__.columns
        columns = part.selected_columns
        return part.with_only_columns(
            *[type_coerce(each, declared[each.key].type).label(each.key) for each in columns],
            maintain_column_froms=True,
        )

    def _holds(self, shape: Shape, target: Any, keys: Any) -> list[ColumnElement[bool]]:
        held = [owned(target)] if self.computation is None else []
        if self.link is not None:
            held.append(self.link.holds(target, keys.c.key))
        return held + ([] if shape.filter is None else [condition(target, shape.filter)])

    def _sorted(self, shape: Shape, target: Any) -> list[ColumnElement[Any]]:
        keys = []
        for key in shape.order:
            column = getattr(target, key.name)
            descending = key.descending is not shape.backward
            sorted_ = column.desc() if descending else column.asc()
            if self.nullable(key):
                sorted_ = sorted_.nulls_last() if descending else sorted_.nulls_first()
            keys.append(sorted_)
        return keys

    def _beyond(self, shape: Shape, target: Any) -> list[ColumnElement[bool]]:
        """Give what comes behind the cursor, as ranges without a row in common; an index can begin at each.

        Keys that go the same way are compared as one row. To compare with null gives null, so where nulls
        come behind they are a range of their own.
        """
        if shape.start is None:
            return []
        ranges: list[ColumnElement[bool]] = []
        # What is true of a row that stands where the cursor does, as far as the keys before go.
        level: list[ColumnElement[bool]] = []
        keys = zip(shape.order, shape.start, range(len(shape.order)), strict=True)
        runs = groupby(keys, lambda key: (key[0].descending is not shape.backward, key[1]))
        for (descending, is_null), run in runs:
            columns = [(key, getattr(target, key.name), index) for key, _, index in run]
            if is_null:
                for _, column, _ in columns:
                    if not descending:
                        ranges.append(and_(*level, column.is_not(None)))
                    level.append(column.is_(None))
                continue
            values = [bindparam(f"start_{index}", type_=column.type) for _, column, index in columns]
            here, there = tuple_(*[column for _, column, _ in columns]), tuple_(*values)
            ranges.append(and_(*level, here < there if descending else here > there))
            for (key, column, _), value in zip(columns, values, strict=True):
                if descending and self.nullable(key):
                    ranges.append(and_(*level, column.is_(None)))
                level.append(column == value)
        return ranges


class Slice:
    """What one field asks of a page: the filter, the order, and where to begin, for any number of parents.

    It holds for every project, unless it begins at a cursor, which is one project's own.

    Raises:
        BadUserInputError: The filter, a cursor or a size is wrong.

    """

    def __init__(
        self,
        page: Page,
        project_id: UUID,
        *,
        given: Given = NOTHING_GIVEN,
        filter_: Mapping[str, Any] | None,
        order: Sequence[Ordering],
        first: int | None,
        after: str | None,
        last: int | None,
        before: str | None,
    ) -> None:
        self.page = page
        self.size = _size(first, after, last, before)
        ordered = tuple(order) or page.default_order
        # The id makes every order total.
        self.order = (*ordered, Ordering("id", ordered[-1].descending))
        self.backward = last is not None or (before is not None and first is None)
        self.cursor = before if self.backward else after
        self.values: dict[str, Any] = {"limit": self.size + 1, **given.values}
        term = None
        if filter_ is not None and page.filters is not None:
            term, values = page.filters.read(filter_)
            self.values |= values
        start = None
        if self.cursor is not None:
            at = self._decoded(self.cursor, "before" if self.backward else "after", project_id)
            self.values |= {f"start_{index}": value for index, value in enumerate(at) if value is not None}
            start = tuple(value is None for value in at)
        self.shape = Shape(term, self.order, self.backward, start, given.shape)

    def cursor_of(self, values: Sequence[Any], project_id: UUID) -> str:
        """Give the cursor of a row by its values of the order's keys."""
        return encode(values, self._signature, project_id)

    @cached_property
    def _signature(self) -> str:
        keys = ",".join(f"{key.name}{'-' if key.descending else '+'}" for key in self.order)
        return f"{self.page.model.__tablename__}:{keys}"

    def _decoded(self, cursor: str, field: str, project_id: UUID) -> list[Any]:
        types = [self.page.model.__mapper__.columns[key.name].type.python_type for key in self.order]
        return decode(cursor, self._signature, project_id, types, field)


def _size(first: int | None, after: str | None, last: int | None, before: str | None) -> int:
    if (first is not None and last is not None) or (after is not None and before is not None):
        raise BadUserInputError(
            "use first and after to page forward, or last and before to page back", field="first"
        )
    if (first is not None and before is not None) or (last is not None and after is not None):
        raise BadUserInputError(
            "after goes with first, and before with last", field="first" if before else "last"
        )
    field, size = ("last", last) if last is not None else ("first", first)
    if size is None:
        return DEFAULT_SIZE
    if not 0 <= size <= MAX_SIZE:
        raise BadUserInputError(f"{field} must be from 0 to {MAX_SIZE}, not {size}", field=field)
    return size


class Connected:
    """A connection of one parent, read only as far as its fields are selected, together with its siblings."""

    def __init__(self, reader: Reader, key: Hashable, slice_: Slice, parent: Any) -> None:
        self.reader = reader
        self.slice = slice_
        self.parent = parent
        self._key = key

    def rows(self) -> Awaitable[Rows]:
        """Give the rows of the page."""
        return self.reader.load((self._key, "rows"), _RowsOf(self.slice), self.parent)

    def total(self) -> Awaitable[int]:
        """Give how many rows there are on all pages."""
        return self.reader.load((self._key, "total"), _ValueOf(self.slice, Page.totals), self.parent)

    def complete(self) -> Awaitable[bool]:
        """Tell whether the list has all rows."""
        return self.reader.load((self._key, "complete"), _ValueOf(self.slice, Page.complete), self.parent)

    def cursor_of(self, row: Any) -> str:
        """Give the cursor that stands at a row."""
        values = [getattr(row, key.name) for key in self.slice.order]
        return self.slice.cursor_of(values, self.reader.project_id)


@dataclass(frozen=True)
class Rows:
    """One page's rows, and whether there are more in the direction of reading."""

    rows: list[Any]
    more: bool


@dataclass(frozen=True)
class _RowsOf:
    slice: Slice

    async def fetch(self, reader: Reader, parents: list[Any]) -> Sequence[Rows]:
        found: dict[Any, list[Any]] = {parent: [] for parent in parents}
        page = self.slice.page
        # What is computed may be another row under the same key elsewhere, so it is no object of the model.
        names = (
            None if page.computation is None else [each.key for each in page.model.__mapper__.column_attrs]
        )
        statement = page.rows(self.slice.shape, names)
        for row in await reader.execute(statement, {KEYS: parents, **self.slice.values}):
            found[row[0]].append(row[1] if names is None else row)
        return [self._cut(found[parent]) for parent in parents]

    def _cut(self, rows: list[Any]) -> Rows:
        page = rows[: self.slice.size]
        return Rows(page[::-1] if self.slice.backward else page, more=len(rows) > self.slice.size)


@dataclass(frozen=True)
class _ValueOf:
    slice: Slice
    statement: Callable[[Page, Shape], Select[Any]]

    async def fetch(self, reader: Reader, parents: list[Any]) -> Sequence[Any]:
        statement = self.statement(self.slice.page, self.slice.shape)
        values = await reader.pairs(statement, {KEYS: parents, **self.slice.values})
        return [values[parent] for parent in parents]
