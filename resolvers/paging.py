"""Pages: filter, order and cursor become one statement, for one parent or for many."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from sqlalchemy import Select, and_, false, func, literal, null, or_, select, true, tuple_
from sqlalchemy.orm import aliased

from agentdata.errors import BadUserInputError
from agentdata.execution.links import keys_of
from resolvers.cursors import decode, encode
from resolvers.filtering import conditions

if TYPE_CHECKING:
    from collections.abc import Awaitable, Hashable, Sequence
    from uuid import UUID

    from sqlalchemy import ColumnElement

    from agentdata.execution.links import Link
    from agentdata.execution.reader import Reader

DEFAULT_SIZE = 50
MAX_SIZE = 500


@dataclass(frozen=True)
class Ordering:
    """One key of an order: an attribute of the row, and whether the greatest comes first.

    Null is less than every value, so that one index serves an order and its reverse.
    """

    name: str
    descending: bool = False


@dataclass(frozen=True, eq=False)
class Page:
    """A declared list of rows: all of a project's, or those that a link leads to, in an order by default."""

    model: Any
    link: Link | None
    default_order: tuple[Ordering, ...]


class Slice:
    """What one field asks of a page: the filter, the order, and where to begin, for any number of parents."""

    def __init__(
        self,
        page: Page,
        project_id: UUID,
        *,
        filter_: object | None,
        order: Sequence[Ordering],
        first: int | None,
        after: str | None,
        last: int | None,
        before: str | None,
    ) -> None:
        self.page = page
        self.project_id = project_id
        self.filter = filter_
        self.backward = last is not None or (before is not None and first is None)
        self.size = _size(first, after, last, before)
        ordered = tuple(order) or page.default_order
        # The id makes every order total.
        self.order = (*ordered, Ordering("id", ordered[-1].descending))
        self.cursor = before if self.backward else after
        self._start = (
            None
            if self.cursor is None
            else self._decoded(self.cursor, "before" if self.backward else "after")
        )

    def rows(self, parents: list[Any]) -> Select[Any]:
        """Give each parent's rows, one more than asked for, as (parent, row); without parents it is null."""
        target = aliased(self.page.model)
        keys = self._keys(parents)
        inner = (
            select(target)
            .where(*self._holds(target, keys), *self._beyond(target))
            .order_by(*self._sorted(target))
            .limit(self.size + 1)
        )
        if keys is None:
            return inner.with_only_columns(null(), target)
        # A lateral subquery is run for one parent after another, so rows come in its order, parent by parent.
        lateral = inner.lateral()
        return select(keys.c.key, aliased(self.page.model, lateral)).select_from(keys.join(lateral, true()))

    def totals(self, parents: list[Any]) -> Select[Any]:
        """Give how many rows each parent has in all, on whatever page, as (parent, count)."""
        target = aliased(self.page.model)
        keys = self._keys(parents)
        count = select(func.count()).select_from(target).where(*self._holds(target, keys))
        if keys is None:
            return select(null(), count.scalar_subquery())
        return select(keys.c.key, count.scalar_subquery())

    def cursor_of(self, row: object) -> str:
        """Give the cursor that stands at a row."""
        return encode([getattr(row, key.name) for key in self.order], self._signature, self.project_id)

    def _keys(self, parents: list[Any]) -> Any:
        if self.page.link is None:
            return None
        return keys_of(parents)

    def _holds(self, target: Any, keys: Any) -> list[ColumnElement[bool]]:
        held: list[ColumnElement[bool]] = [target.project_id == self.project_id]
        if self.page.link is not None:
            held.append(self.page.link.holds(target, keys.c.key, self.project_id))
        return held + ([] if self.filter is None else conditions(target, self.filter, self.project_id))

    def _sorted(self, target: Any) -> list[ColumnElement[Any]]:
        keys = []
        for key in self.order:
            column = getattr(target, key.name)
            descending = key.descending is not self.backward
            sorted_ = column.desc() if descending else column.asc()
            if self._nullable(key):
                sorted_ = sorted_.nulls_last() if descending else sorted_.nulls_first()
            keys.append(sorted_)
        return keys

    def _beyond(self, target: Any) -> list[ColumnElement[bool]]:
        """Keep what comes behind the cursor."""
        if self._start is None:
            return []
        keys = [
            (getattr(target, key.name), value, key.descending is not self.backward, self._nullable(key))
            for key, value in zip(self.order, self._start, strict=True)
        ]
        if (
            not any(nullable for *_, nullable in keys)
            and len({descending for _, _, descending, _ in keys}) == 1
        ):
            # One comparison of whole rows, which an index can begin at.
            here = tuple_(*[column for column, *_ in keys])
            there = tuple_(*[literal(value, column.type) for column, value, *_ in keys])
            return [here < there if keys[0][2] else here > there]
        beyond: ColumnElement[bool] = false()
        for column, value, descending, nullable in reversed(keys):
            beyond = or_(_passed(column, value, descending, nullable), and_(_same(column, value), beyond))
        return [beyond]

    def _nullable(self, key: Ordering) -> bool:
        return bool(self.page.model.__mapper__.columns[key.name].nullable)

    @cached_property
    def _signature(self) -> str:
        keys = ",".join(f"{key.name}{'-' if key.descending else '+'}" for key in self.order)
        return f"{self.page.model.__tablename__}:{keys}"

    def _decoded(self, cursor: str, field: str) -> list[Any]:
        types = [self.page.model.__mapper__.columns[key.name].type.python_type for key in self.order]
        return decode(cursor, self._signature, self.project_id, types, field)


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
        for row in await reader.execute(self.slice.rows(parents)):
            found[row[0]].append(row[1])
        return [self._cut(found[parent]) for parent in parents]

    def _cut(self, rows: list[Any]) -> Rows:
        page = rows[: self.slice.size]
        return Rows(page[::-1] if self.slice.backward else page, more=len(rows) > self.slice.size)


@dataclass(frozen=True)
class _TotalOf:
    slice: Slice

    async def fetch(self, reader: Reader, parents: list[Any]) -> Sequence[int]:
        totals = await reader.pairs(self.slice.totals(parents))
        return [totals[parent] for parent in parents]
