"""How each kind of field is loaded in the reference way: one statement for all parents of one place."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from agentdata.engine.sql.links import KEYS, Link
from agentdata.engine.sql.pages import Page

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Hashable, Sequence

    from sqlalchemy import Select

    from agentdata.engine.reference.reader import Reader
    from agentdata.engine.sql.batches import Batch
    from agentdata.engine.sql.computations import Bindings
    from agentdata.engine.sql.nodes import NodeTypes
    from agentdata.engine.sql.pages import PageRequest, PageShape


def load_row(reader: Reader, link: Link, key: Any) -> Awaitable[Any]:
    """Load the row that a link leads to from a key, or None. Links with the same target share one load."""
    return reader.load((link.model, link.remote), _Rows(link), key)


@dataclass(frozen=True)
class _Rows:
    link: Link

    async def fetch(self, reader: Reader, keys: list[Any]) -> Sequence[Any]:
        found = await reader.pairs(self.link.rows(), {KEYS: keys})
        return [found.get(key) for key in keys]


@dataclass(frozen=True)
class BatchObject:
    """An object that a batch returned. It knows the arguments of its batch, for batches that inherit them."""

    row: Any
    key: Any
    bindings: Bindings

    def __getattr__(self, name: str) -> Any:
        """Return a column of the object."""
        return getattr(self.row, name)


@dataclass(frozen=True)
class BatchLoader:
    """Loads a batch with the arguments that it has at one place in a document."""

    batch: Batch
    bindings: Bindings

    async def fetch(self, reader: Reader, keys: list[Any]) -> Sequence[Any]:
        """Return what the batch gives each key."""
        gives = self.batch.gives
        found: dict[Any, list[Any]] = {key: [] for key in keys}
        statement = self.batch.computation.statement(self.bindings.shape)
        for row in await reader.execute(statement, {KEYS: keys, **self.bindings.values}):
            found[row[0]].append(BatchObject(row, row[0], self.bindings) if gives.is_object else row[1])
        return [found[key] if gives.is_list else next(iter(found[key]), None) for key in keys]


@dataclass(frozen=True)
class NodeLoader:
    """Loads rows of any type by their ids: one statement finds the types, and one more reads each type."""

    types: NodeTypes

    async def fetch(self, reader: Reader, ids: list[Any]) -> Sequence[Any]:
        """Return the row of each id, or None."""
        positions = await reader.pairs(self.types.positions(), {KEYS: ids})
        return await asyncio.gather(*[self._row(reader, positions.get(id_), id_) for id_ in ids])

    async def _row(self, reader: Reader, position: int | None, id_: Any) -> Any:
        if position is None:
            return None
        return await load_row(reader, Link(self.types.models[position]), id_)


class LazyConnection:
    """A connection of one parent. It loads what its selected fields need, together with its siblings."""

    def __init__(self, reader: Reader, place: Hashable, request: PageRequest, parent: Any) -> None:
        self.reader = reader
        self.request = request
        self.parent = parent
        self._place = place

    def rows(self) -> Awaitable[PageRows]:
        """Load the rows of the page."""
        return self.reader.load((self._place, "rows"), _PageRowsLoader(self.request), self.parent)

    def total(self) -> Awaitable[int]:
        """Count the rows of all pages."""
        return self._list_value(Page.totals)

    def is_complete(self) -> Awaitable[bool]:
        """Return whether the list has all rows."""
        return self._list_value(Page.is_complete)

    def mode(self) -> Awaitable[str]:
        """Return the name of the way in which the rows are found."""
        return self._list_value(Page.mode)

    def _list_value(self, statement: Callable[[Page, PageShape], Select[Any]]) -> Awaitable[Any]:
        return self.reader.load(
            (self._place, statement), _ListValueLoader(self.request, statement), self.parent
        )

    def cursor_of(self, row: Any) -> str:
        """Return the cursor of a row."""
        values = [getattr(row, key.name) for key in self.request.order]
        return self.request.cursor_of(values, self.reader.signer)


@dataclass(frozen=True)
class PageRows:
    """The rows of one page, and whether more follow in the direction of reading."""

    rows: list[Any]
    more: bool


@dataclass(frozen=True)
class _PageRowsLoader:
    request: PageRequest

    async def fetch(self, reader: Reader, parents: list[Any]) -> Sequence[PageRows]:
        found: dict[Any, list[Any]] = {parent: [] for parent in parents}
        page = self.request.page
        # A computed row may be another row elsewhere under the same key, so it is read as a plain tuple.
        names = (
            None if page.computation is None else [each.key for each in page.model.__mapper__.column_attrs]
        )
        statement = page.rows(self.request.shape, names)
        for row in await reader.execute(statement, {KEYS: parents, **self.request.parameters}):
            found[row[0]].append(row[1] if names is None else row)
        return [self._cut(found[parent]) for parent in parents]

    def _cut(self, rows: list[Any]) -> PageRows:
        page = rows[: self.request.size]
        return PageRows(page[::-1] if self.request.backward else page, more=len(rows) > self.request.size)


@dataclass(frozen=True)
class _ListValueLoader:
    """Loads a value about the list as a whole, such as its total."""

    request: PageRequest
    statement: Callable[[Page, PageShape], Select[Any]]

    async def fetch(self, reader: Reader, parents: list[Any]) -> Sequence[Any]:
        statement = self.statement(self.request.page, self.request.shape)
        values = await reader.pairs(statement, {KEYS: parents, **self.request.values})
        return [values[parent] for parent in parents]
