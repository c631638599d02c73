"""The steps of plans: each answers one kind of declared field, for all of its parents."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from agentdata.execution.links import Link
from agentdata.execution.plan import Rows, Run, Shapes, groups
from resolvers.batches import Batch, Given, Gives
from resolvers.paging import Page
from resolvers.roots import NODES, types_of_nodes

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from agentdata.execution.plan import Key, Record
    from resolvers.paging import Slice

ADMIN = -1
"""Under this place of what was given stands whether the key may see API keys."""

KEY = "key"
"""What the key of a computed object is called among its columns."""


class LinkStep:
    """One row for each key."""

    def __init__(self, link: Link, rows: Rows) -> None:
        self.rows = rows
        self.statements = Shapes(lambda _: link.rows(rows.names))

    async def values(self, run: Run, keys: list[Key]) -> Mapping[Key, Any]:
        """Give the row of each key."""
        records = await run.fetch(self.statements(), keys, {})
        objects = await self.rows.objects(run, records)
        return {record[0]: made for record, made in zip(records, objects, strict=True)}


class BatchStep:
    """What a batch gives for each key."""

    def __init__(self, batch: Batch, place: int, rows: Rows) -> None:
        self.batch = batch
        self.place = place
        self.rows = rows
        self.statements = Shapes(self._build)

    def _build(self, shape: Any) -> Any:
        statement = self.batch.statement(Given(shape, {}))
        key, *columns = statement.selected_columns
        if self.batch.model is None:
            named = {column.key: column for column in columns} | {KEY: key}
            return statement.with_only_columns(key, *[named[name] for name in self.rows.names])
        row = statement.column_descriptions[1]["entity"]
        return statement.with_only_columns(key, *[getattr(row, name) for name in self.rows.names])

    async def values(self, run: Run, keys: list[Key]) -> Mapping[Key, Any]:
        """Give what each key gets."""
        given: Given = run.given[self.place]
        records = await run.fetch(self.statements(given.shape), keys, given.values)
        made = await self.rows.objects(run, records)
        if self.batch.gives in {Gives.ROWS, Gives.OBJECTS}:
            lists: dict[Key, list[Any]] = {key: [] for key in keys}
            for record, each in zip(records, made, strict=True):
                lists[record[0]].append(each)
            return lists
        if self.batch.gives is Gives.VALUE:
            return {record[0]: each["value"] for record, each in zip(records, made, strict=True)}
        return {record[0]: each for record, each in zip(records, made, strict=True)}


@dataclass
class PageStep:
    """A connection for each key, with those of its parts that are selected."""

    page: Page
    place: int
    names: list[str] = field(default_factory=list)
    nodes: list[tuple[str, Rows]] = field(default_factory=list)
    edges: list[tuple[str, list[tuple[str, str]], list[tuple[str, Rows]]]] = field(default_factory=list)
    infos: list[tuple[str, list[tuple[str, str]]]] = field(default_factory=list)
    totals: list[str] = field(default_factory=list)
    typenames: list[tuple[str, str]] = field(default_factory=list)
    # The keys of the response in the order in which they are selected.
    order: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Prepare the statements; what they select is known once the operation is compiled."""
        self._rows = Shapes(lambda shape: self.page.rows(shape, self._columns(shape)))
        self._totals = Shapes(self.page.totals)

    @property
    def _cursors(self) -> bool:
        edges = any(what == "cursor" for _, fields, _ in self.edges for _, what in fields)
        return edges or any(what.endswith("Cursor") for _, fields in self.infos for _, what in fields)

    def _columns(self, shape: Any) -> list[str]:
        ordered = [key.name for key in shape.order] if self._cursors else []
        # A statement selects something, if only to be counted.
        return list(dict.fromkeys([*self.names, *ordered])) or ["id"]

    async def values(self, run: Run, keys: list[Key]) -> Mapping[Key, Any]:
        """Give the connection of each key."""
        asked: Slice = run.given[self.place]
        linked = None if self.page.link is None else keys
        totals: dict[Key, int] = {}
        if self.totals:
            records = await run.fetch(self._totals(asked.shape), linked, asked.values)
            totals = {record[0]: record[1] for record in records}
        spans: dict[Key, tuple[int, int, bool]] = dict.fromkeys(keys, (0, 0, False))
        kept: list[Record] = []
        if self.nodes or self.edges or self.infos:
            records = await run.fetch(self._rows(asked.shape), linked, asked.values)
            for key, found in groups(records, keys).items():
                page = found[: asked.size]
                if asked.backward:
                    page.reverse()
                spans[key] = (len(kept), len(kept) + len(page), len(found) > asked.size)
                kept += page
        found_parts = {name: part async for name, part in self._parts(run, asked, kept, totals)}
        parts = [(name, found_parts[name]) for name in self.order]
        return {key: {name: part(key, *spans[key]) for name, part in parts} for key in keys}

    async def _parts(self, run: Run, asked: Slice, kept: list[Record], totals: dict[Key, int]) -> Any:
        columns = self._columns(asked.shape)
        places = [columns.index(key.name) + 1 for key in asked.order] if self._cursors else []

        def cursor(record: Record) -> str:
            return asked.cursor_of([record[place] for place in places])

        for name, type_name in self.typenames:
            yield name, partial(_same, type_name)
        for name, rows in self.nodes:
            yield name, partial(_cut, await rows.objects(run, kept))
        for name, fields, rows_of in self.edges:
            made = {key: await rows.objects(run, kept) for key, rows in rows_of}
            edges = [
                {
                    key: made[key][at] if what == "node" else cursor(record) if what == "cursor" else what
                    for key, what in fields
                }
                for at, record in enumerate(kept)
            ]
            yield name, partial(_cut, edges)
        for name, fields in self.infos:
            yield name, partial(_info, fields, asked, kept, cursor)
        for name in self.totals:
            yield name, partial(_total, totals)


def _same(value: Any, *_: Any) -> Any:
    return value


def _cut(made: list[Any], _key: Key, start: int, end: int, _more: bool) -> list[Any]:  # noqa: FBT001  # a part of a span
    return made[start:end]


def _total(totals: dict[Key, int], key: Key, *_: Any) -> int:
    return totals[key]


def _info(
    fields: list[tuple[str, str]],
    asked: Slice,
    kept: list[Record],
    cursor: Callable[[Record], str],
    _key: Key,
    start: int,
    end: int,
    more: bool,  # noqa: FBT001  # a part of a span
) -> dict[str, Any]:
    came_from = asked.cursor is not None
    values: dict[str, Callable[[], Any]] = {
        "hasNextPage": lambda: came_from if asked.backward else more,
        "hasPreviousPage": lambda: more if asked.backward else came_from,
        "startCursor": lambda: cursor(kept[start]) if end > start else None,
        "endCursor": lambda: cursor(kept[end - 1]) if end > start else None,
    }
    return {name: values[what]() if what in values else what for name, what in fields}


class NodeStep:
    """The row of each id, whatever its type."""

    def __init__(self, steps: list[LinkStep]) -> None:
        self.steps = steps
        self.types = Shapes(lambda _: types_of_nodes())  # type: ignore[arg-type, return-value]  # selects, united

    async def values(self, run: Run, keys: list[Key]) -> Mapping[Key, Any]:
        """Give the row of each id."""
        found: dict[Key, Any] = {}
        ids: dict[int, list[Key]] = {}
        for id_, place in await run.fetch(self.types(), keys, {}):
            ids.setdefault(place, []).append(id_)
        for place, of_type in ids.items():
            if NODES[place].__name__ != "ApiKey" or run.given[ADMIN]:
                found |= await self.steps[place].values(run, of_type)
        return found
