"""Pages: filter, order and cursor become one statement, for one parent or for many."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import Integer, Select, and_, bindparam, false, func, null, or_, select, true, tuple_
from sqlalchemy.orm import aliased

from agentdata.errors import BadUserInputError
from agentdata.execution.links import KEYS, keys_table, owned
from models.enums import ApiKeyScope
from resolvers.cursors import decode, encode
from resolvers.filtering import Filters, Term, condition

if TYPE_CHECKING:
    from collections.abc import Awaitable, Hashable, Mapping, Sequence
    from uuid import UUID

    from sqlalchemy import ColumnElement

    from agentdata.execution.links import Link
    from agentdata.execution.reader import Reader

DEFAULT_SIZE = 50
MAX_SIZE = 500


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

    def of_all(self) -> Shape:
        """Give what is the same on whatever page: how many there are depends on the filter alone."""
        return Shape(self.filter, (), backward=False, start=None)


@dataclass(frozen=True, eq=False)
class Page:
    """A declared list of rows: all of a project's, or those that a link leads to, in an order by default."""

    model: Any
    link: Link | None
    default_order: tuple[Ordering, ...]
    filters: Filters
    scope: ApiKeyScope = ApiKeyScope.READ

    def rows(self, shape: Shape, names: Sequence[str] | None = None) -> Select[Any]:
        """Give each parent's rows, or some of their columns, as (parent, …); without a link it is null."""
        target = aliased(self.model)
        keys = None if self.link is None else keys_table()
        selected = [target] if names is None else [getattr(target, name).label(name) for name in names]
        inner = (
            select(*selected)
            .where(*self._holds(shape, target, keys), *self._beyond(shape, target))
            .order_by(*self._sorted(shape, target))
            .limit(bindparam("limit", type_=Integer))
        )
        if keys is None:
            return inner.with_only_columns(null(), *selected)
        # A lateral subquery is run for one parent after another, so rows come in its order, parent by parent.
        lateral = inner.lateral()
        outer = [aliased(self.model, lateral)] if names is None else [lateral.c[name] for name in names]
        return select(keys.c.key, *outer).select_from(keys.join(lateral, true()))

    def totals(self, shape: Shape) -> Select[Any]:
        """Give how many rows each parent has in all, on whatever page, as (parent, count)."""
        target = aliased(self.model)
        keys = None if self.link is None else keys_table()
        count = select(func.count()).select_from(target).where(*self._holds(shape, target, keys))
        return select(null() if keys is None else keys.c.key, count.scalar_subquery())

    def nullable(self, key: Ordering) -> bool:
        """Tell whether the key of a row may be null."""
        return bool(self.model.__mapper__.columns[key.name].nullable)

    def _holds(self, shape: Shape, target: Any, keys: Any) -> list[ColumnElement[bool]]:
        held = [owned(target)]
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
        """Keep what comes behind the cursor."""
        if shape.start is None:
            return []
        keys = []
        for index, (key, is_null) in enumerate(zip(shape.order, shape.start, strict=True)):
            column = getattr(target, key.name)
            value = None if is_null else bindparam(f"start_{index}", type_=column.type)
            keys.append((column, value, key.descending is not shape.backward, self.nullable(key)))
        if (
            not any(nullable for *_, nullable in keys)
            and len({descending for _, _, descending, _ in keys}) == 1
        ):
            # One comparison of whole rows, which an index can begin at.
            here = tuple_(*[column for column, *_ in keys])
            there = tuple_(*[value for _, value, *_ in keys])
            return [here < there if keys[0][2] else here > there]
        beyond: ColumnElement[bool] = false()
        for column, value, descending, nullable in reversed(keys):
            beyond = or_(_passed(column, value, descending, nullable), and_(_same(column, value), beyond))
        return [beyond]


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
        self.values: dict[str, Any] = {"limit": self.size + 1}
        term = None
        if filter_ is not None:
            term, values = page.filters.read(filter_)
            self.values |= values
        start = None
        if self.cursor is not None:
            given = self._decoded(self.cursor, "before" if self.backward else "after", project_id)
            self.values |= {f"start_{index}": value for index, value in enumerate(given) if value is not None}
            start = tuple(value is None for value in given)
        self.shape = Shape(term, self.order, self.backward, start)

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


def _passed(column: Any, value: Any, descending: bool, nullable: bool) -> ColumnElement[bool]:  # noqa: FBT001  # as sorted
    if value is None:
        return false() if descending else column.is_not(None)
    if not descending:
        return column > value  # type: ignore[no-any-return]  # a comparison of columns
    return or_(column < value, column.is_(None)) if nullable else column < value


def _same(column: Any, value: Any) -> ColumnElement[bool]:
    return column.is_(None) if value is None else column == value  # type: ignore[no-any-return]  # a comparison


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
        return self.reader.load((self._key, "total"), _TotalOf(self.slice), self.parent)

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
        statement = self.slice.page.rows(self.slice.shape)
        for row in await reader.execute(statement, {KEYS: parents, **self.slice.values}):
            found[row[0]].append(row[1])
        return [self._cut(found[parent]) for parent in parents]

    def _cut(self, rows: list[Any]) -> Rows:
        page = rows[: self.slice.size]
        return Rows(page[::-1] if self.slice.backward else page, more=len(rows) > self.slice.size)


@dataclass(frozen=True)
class _TotalOf:
    slice: Slice

    async def fetch(self, reader: Reader, parents: list[Any]) -> Sequence[int]:
        statement = self.slice.page.totals(self.slice.shape)
        totals = await reader.pairs(statement, {KEYS: parents, **self.slice.values})
        return [totals[parent] for parent in parents]
