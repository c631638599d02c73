"""Pages: a filter, an order and a cursor become one statement, for one parent or for many."""

from __future__ import annotations

import operator
from dataclasses import dataclass
from functools import cached_property, reduce
from itertools import groupby
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from sqlalchemy import (
    Integer,
    Select,
    Text,
    and_,
    bindparam,
    func,
    literal_column,
    null,
    or_,
    select,
    true,
    tuple_,
    type_coerce,
    union_all,
)
from sqlalchemy.orm import aliased

from agentdata.engine.sql.computations import NO_BINDINGS, Bindings
from agentdata.engine.sql.cursors import decode, encode
from agentdata.engine.sql.filters import condition, is_by_key
from agentdata.engine.sql.links import keys_table
from agentdata.engine.sql.tenancy import owned
from agentdata.errors import BadUserInputError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import ColumnElement

    from agentdata.engine.preparations import Prepare
    from agentdata.engine.sql.computations import Computation
    from agentdata.engine.sql.cursors import Signer
    from agentdata.engine.sql.filters import Filters, Term
    from agentdata.engine.sql.links import Link


class _Client(Protocol):
    @property
    def signer(self) -> Signer: ...
    def require(self, scope: Any) -> None: ...


DEFAULT_SIZE = 50
"""How many rows a page has if the request does not say."""

MAX_SIZE = 500
"""How many rows a page may have."""


LIMIT = "limit"
"""The parameter for the number of rows. Plans write it into the SQL: PostgreSQL plans a page by its size."""


class Ordering(NamedTuple):
    """One key of an order: an attribute of the row, and whether the greatest value comes first.

    Null sorts below every value, so one index serves an order and its reverse.
    """

    name: str
    descending: bool = False


class PageShape(NamedTuple):
    """The part of a page request that its SQL depends on; the size and all values are parameters."""

    filter: Term | None
    order: tuple[Ordering, ...]
    backward: bool
    # For each value of the cursor, whether it is null; None without a cursor.
    start: tuple[bool, ...] | None
    # The shape of the computation, for computed rows.
    computed: tuple[tuple[str, Any], ...] = ()

    @property
    def is_by_values(self) -> bool:
        """Whether it depends on the values of the filter how rows are found best."""
        return self.filter is not None and not is_by_key(self.filter)

    def of_all(self) -> PageShape:
        """Return what all pages of the list share: the total depends on the filter alone."""
        return self._replace(order=(), backward=False, start=None)


@dataclass(frozen=True, eq=False)
class Page:
    """A declared list of rows: all rows of the tenant, or those that a link leads to, with a default order.

    The rows come from the model's table, or from a computation whose columns are those of the model and which
    restricts itself to the tenant. If the computation is a UNION ALL, each part of it is filtered, ordered
    and cut on its own first, so that an index of each table can serve the page.
    """

    model: Any
    link: Link | None
    default_order: tuple[Ordering, ...]
    filters: Filters | None
    scope: Any = None
    """The scope that a client needs for the page; None if every client may read it."""
    computation: Computation | None = None

    @property
    def prepare(self) -> Prepare | None:
        """The function that prepares the arguments before they are bound; None if there is none."""
        return None if self.computation is None else self.computation.prepare

    @property
    def depends_on_context(self) -> bool:
        """Whether the statement depends on the context of an operation, not only on the arguments."""
        return self.computation is not None and self.computation.situation is not None

    def request(self, arguments: Mapping[str, Any], client: _Client, *_: Any) -> PageRequest:
        """Return a client's request for a page, made of the field's arguments.

        Raises:
            AgentDataError: An argument is wrong, or the client lacks the scope.

        """
        if self.scope is not None:
            client.require(self.scope)
        return PageRequest(
            self,
            client.signer,
            computed=NO_BINDINGS if self.computation is None else self.computation.bind(arguments, client),
            filter_=arguments.get("filter"),
            order=[
                Ordering(key["field"].value, key["direction"].value == "DESC")
                for key in arguments.get("order_by") or ()
            ],
            first=arguments.get("first"),
            after=arguments.get("after"),
            last=arguments.get("last"),
            before=arguments.get("before"),
        )

    def rows(self, shape: PageShape, names: Sequence[str] | None = None) -> Select[Any]:
        """Select each parent's rows, or named columns of them, as (parent, …); null without a link."""
        keys = None if self.link is None else keys_table()
        parts: list[tuple[Any, ColumnElement[bool]]] = []
        for target in self._targets(shape, self._first_of(shape)):
            conditions, ranges = self._conditions(shape, target, keys), self._ranges(shape, target)
            # A computation would run once for each range, and no index could begin at one.
            if ranges and (keys is not None or self.computation is not None):
                ranges = [or_(*ranges)]
            parts += [(target, and_(*conditions, each)) for each in ranges or [true()]]
        inner, columns = self._first_rows(shape, parts, names, keys)
        if keys is None:
            return inner.with_only_columns(null(), *columns)
        # PostgreSQL runs a lateral subquery for one parent after another, so rows come in order, parent by
        # parent.
        lateral = inner.lateral()
        outer = [aliased(self.model, lateral)] if names is None else [lateral.c[name] for name in names]
        return select(keys.c.key, *outer).select_from(keys.join(lateral, true()))

    def _first_rows(
        self,
        shape: PageShape,
        parts: list[tuple[Any, ColumnElement[bool]]],
        names: Sequence[str] | None,
        keys: Any,
    ) -> tuple[Select[Any], list[Any]]:
        """Select the first rows of all parts out of the first rows of each, at which an index can begin."""
        merges = len(parts) > 1
        sort_keys = [key.name for key in shape.order] if merges else []
        wanted = None if names is None else dict.fromkeys([*names, *sort_keys])
        firsts = []
        for target, condition_ in parts:
            selected = [target] if wanted is None else [getattr(target, name).label(name) for name in wanted]
            first = self._first(shape, target, select(*selected).where(condition_))
            firsts.append(first if keys is None else first.correlate(keys))
        if not merges:
            return firsts[0], selected
        merged = union_all(*firsts).subquery()
        row: Any = aliased(self.model, merged) if names is None else merged.c
        chosen = [row] if names is None else [merged.c[name] for name in names]
        return self._first(shape, row, select(*chosen)), chosen

    def _first(self, shape: PageShape, target: Any, rows: Select[Any]) -> Select[Any]:
        return rows.order_by(*self._sorted(shape, target)).limit(bindparam(LIMIT, type_=Integer))

    def totals(self, shape: PageShape) -> Select[Any]:
        """Count the rows of each parent on all pages together, as (parent, count)."""
        keys = None if self.link is None else keys_table()
        counts = [
            select(func.count()).select_from(target).where(*self._conditions(shape, target, keys))
            for target in self._targets(shape)
        ]
        total = reduce(operator.add, [count.scalar_subquery() for count in counts])
        return select(null() if keys is None else keys.c.key, total)

    def is_complete(self, shape: PageShape) -> Select[Any]:
        """Select whether the list of each parent has all rows, as (parent, complete)."""
        keys = None if self.link is None else keys_table()
        condition_ = None if self.computation is None else self.computation.is_complete
        complete = true() if condition_ is None else condition_(**dict(shape.computed)).scalar_subquery()
        return select(null() if keys is None else keys.c.key, complete)

    def mode(self, shape: PageShape) -> Select[Any]:
        """Select the name of the way in which the rows of each parent are found, as (parent, name)."""
        keys = None if self.link is None else keys_table()
        mode = None if self.computation is None else self.computation.mode
        # Such names are constants of our code.
        name = null() if mode is None else literal_column(f"'{mode(**dict(shape.computed))}'", Text)
        return select(null() if keys is None else keys.c.key, name)

    def nullable(self, key: Ordering) -> bool:
        """Return whether the sort key of a row may be null."""
        return bool(self.model.__mapper__.columns[key.name].nullable)

    def _targets(self, shape: PageShape, first: Any = None) -> list[Any]:
        """Return what rows are selected from: the table, or the parts of the computation.

        Rows behind the ``first`` by the default order may be missing, unless it is None.
        """
        if self.computation is None:
            return [self._table]
        return [
            aliased(self.model, self._typed(part).subquery(), adapt_on_names=True)
            for part in self.computation.parts(shape.computed, first)
        ]

    def _first_of(self, shape: PageShape) -> Any:
        """Return how many of the first rows by the default order are needed; None if others are, too."""
        order = (*self.default_order, Ordering("id", self.default_order[-1].descending))
        # A filter of the page would leave out some of them.
        if shape.order == order and shape.start is None and not shape.backward and shape.filter is None:
            return bindparam(LIMIT, type_=Integer)
        return None

    @cached_property
    def _table(self) -> Any:
        # Cached: SQLAlchemy makes all columns of an alias anew, a fifth of the time that compiling a page
        # takes.
        return aliased(self.model)

    def _typed(self, part: Select[Any]) -> Select[Any]:
        """Type the columns of a statement as the model's: SQLAlchemy takes a count for 32 bits."""
        declared = self.model.__mapper__.columns
        columns = part.selected_columns
        return part.with_only_columns(
            *[type_coerce(each, declared[each.key].type).label(each.key) for each in columns],
            maintain_column_froms=True,
        )

    def _conditions(self, shape: PageShape, target: Any, keys: Any) -> list[ColumnElement[bool]]:
        conditions = [owned(target)] if self.computation is None else []
        if self.link is not None:
            conditions.append(self.link.matches(target, keys.c.key))
        return conditions + ([] if shape.filter is None else [condition(target, shape.filter)])

    def _sorted(self, shape: PageShape, target: Any) -> list[ColumnElement[Any]]:
        keys = []
        for key in shape.order:
            column = getattr(target, key.name)
            descending = key.descending is not shape.backward
            sorted_ = column.desc() if descending else column.asc()
            if self.nullable(key):
                sorted_ = sorted_.nulls_last() if descending else sorted_.nulls_first()
            keys.append(sorted_)
        return keys

    def _ranges(self, shape: PageShape, target: Any) -> list[ColumnElement[bool]]:
        """Return the rows behind the cursor as disjoint ranges; an index can begin at each.

        Keys of one direction are compared as one row. A comparison with null is null, so nulls that come
        behind the cursor are a range of their own.
        """
        if shape.start is None:
            return []
        ranges: list[ColumnElement[bool]] = []
        # Holds for rows that equal the cursor in all keys before the current one.
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


class PageRequest:
    """A request for a page: the filter, the order, the size and the cursor, for any number of parents.

    It holds for every tenant unless it has a cursor, which belongs to one tenant.

    Raises:
        BadUserInputError: The filter, a cursor or a size is wrong.

    """

    def __init__(
        self,
        page: Page,
        signer: Signer,
        *,
        computed: Bindings = NO_BINDINGS,
        filter_: Mapping[str, Any] | None,
        order: Sequence[Ordering],
        first: int | None,
        after: str | None,
        last: int | None,
        before: str | None,
    ) -> None:
        self.page = page
        self.size = _size(first, after, last, before)
        sort_keys = tuple(order) or page.default_order
        first_of_each: dict[str, Ordering] = {}
        for key in sort_keys:
            # A key that comes again decides nothing, and is not to make the SQL longer.
            first_of_each.setdefault(key.name, key)
        # The id makes every order total.
        self.order = (*first_of_each.values(), Ordering("id", sort_keys[-1].descending))
        self.backward = last is not None or (before is not None and first is None)
        self.cursor = before if self.backward else after
        self.values: dict[str, Any] = dict(computed.values)
        mode = None if page.computation is None else page.computation.mode
        self._mode = "" if mode is None else mode(**dict(computed.shape))
        term = None
        if filter_ is not None and page.filters is not None:
            term, values = page.filters.parse(filter_)
            self.values |= values
        start = None
        if self.cursor is not None:
            at = self._decoded(self.cursor, "before" if self.backward else "after", signer)
            self.values |= {f"start_{index}": value for index, value in enumerate(at) if value is not None}
            start = tuple(value is None for value in at)
        self.shape = PageShape(term, self.order, self.backward, start, computed.shape)

    @property
    def parameters(self) -> dict[str, Any]:
        """The parameters of the whole statement, as the reference way sends them."""
        # One row more than the page holds tells whether there is a next page.
        return {LIMIT: self.size + 1, **self.values}

    def cursor_of(self, values: Sequence[Any], signer: Signer) -> str:
        """Return the cursor of a row by its values of the sort keys."""
        return encode(values, self._list, signer)

    @cached_property
    def _list(self) -> str:
        keys = ",".join(f"{key.name}{'-' if key.descending else '+'}" for key in self.order)
        # Rows that are found in another way are another list, in which the cursor has no place.
        return f"{self.page.model.__tablename__}:{self._mode}:{keys}"

    def _decoded(self, cursor: str, field: str, signer: Signer) -> list[Any]:
        types = [self.page.model.__mapper__.columns[key.name].type.python_type for key in self.order]
        return decode(cursor, self._list, signer, types, field)


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
