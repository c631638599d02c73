"""The steps of plans: each answers one kind of declared field, for all of its parents."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING, Any

from sqlalchemy import DateTime, Numeric

from agentdata.execution.query import KEY, Ask
from agentdata.execution.rows import Defaults, Rows, moment, records_by_key
from models import ApiKey
from models.enums import ApiKeyScope
from resolvers.batches import Batch, Gives
from resolvers.paging import Page
from resolvers.roots import NODES

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from sqlalchemy import Select

    from agentdata.execution.plan import Run
    from agentdata.execution.query import Read
    from agentdata.execution.rows import Key, Record
    from resolvers.paging import Slice


@dataclass
class LinkStep:
    """One row for each key."""

    read: Read
    rows: Rows
    total = False
    inline = None

    def values(self, run: Run) -> Mapping[Key, Any]:
        """Give the row of each key."""
        records, at = run.of(self.read), self.read.at[KEY]
        objects = self.rows.objects(run, records)
        return {record[at]: made for record, made in zip(records, objects, strict=True)}


@dataclass
class KeyStep:
    """One row for each key, of which nothing is selected but the key: that the row exists is known."""

    rows: Rows
    total = True

    @property
    def inline(self) -> Rows:
        """All of it."""
        return self.rows

    def values(self, run: Run) -> Mapping[Key, Any]:
        """Give the row of each key."""
        return Defaults({None: None}, lambda key: self.rows.objects(run, [(key,)])[0])


def of_batch(batch: Batch, shape: Any, names: Sequence[str]) -> Select[Any]:
    """Give the statement of a batch with some of the columns that it gives."""
    statement = batch.computation.statement(shape)
    key, *columns = statement.selected_columns
    if batch.model is None:
        named = {column.key: column for column in columns}
        return statement.with_only_columns(key, *[named[name] for name in names])
    row = statement.column_descriptions[1]["entity"]
    return statement.with_only_columns(key, *[getattr(row, name) for name in names])


@dataclass
class BatchStep:
    """What a batch gives for each key."""

    gives: Gives
    read: Read
    rows: Rows
    inline = None

    @property
    def total(self) -> bool:
        """A list may be empty, but is never null."""
        return self.gives in {Gives.ROWS, Gives.OBJECTS}

    def values(self, run: Run) -> Mapping[Key, Any]:
        """Give what each key gets."""
        records, at = run.of(self.read), self.read.at[KEY]
        made = zip(records, self.rows.objects(run, records), strict=True)
        if self.gives is Gives.VALUE:
            return {record[at]: each["value"] for record, each in made}
        if not self.total:
            return {record[at]: each for record, each in made}
        lists: dict[Key, list[Any]] = {}
        for record, each in made:
            lists.setdefault(record[at], []).append(each)
        return Defaults(lists, lambda _: [])


@dataclass
class PageStep:
    """A connection for each key, with those of its parts that are selected."""

    page: Page
    place: int
    read: Read
    total_read: Read | None = None
    nodes: list[tuple[str, Rows]] = field(default_factory=list)
    edges: list[tuple[str, list[tuple[str, str]], list[tuple[str, Rows]]]] = field(default_factory=list)
    infos: list[tuple[str, list[tuple[str, str]]]] = field(default_factory=list)
    totals: list[str] = field(default_factory=list)
    typenames: list[tuple[str, str]] = field(default_factory=list)
    # The keys of the response in the order in which they are selected.
    order: list[str] = field(default_factory=list)
    total = True
    inline = None

    @property
    def reads_rows(self) -> bool:
        """Tell whether anything of its rows is selected."""
        return bool(self.nodes or self.edges or self.infos)

    def ask(self, given: Mapping[int, Any]) -> Ask:
        """Give what is asked of its rows."""
        asked: Slice = given[self.place]
        keys = [key.name for key in asked.order] if self._cursors else []
        beside = tuple(name for name in dict.fromkeys(keys) if name not in self.read.names)
        # One more row tells whether there are more; who does not ask is spared it, with all below it.
        limit = asked.size + 1 if self.infos else asked.size
        return Ask(asked.shape, asked.values, limit, beside)

    def ask_total(self, given: Mapping[int, Any]) -> Ask:
        """Give what is asked of how many rows there are: the filter, on whatever page."""
        asked: Slice = given[self.place]
        return Ask(asked.shape.of_all(), asked.values)

    @property
    def _cursors(self) -> bool:
        edges = any(what == "cursor" for _, fields, _ in self.edges for _, what in fields)
        return edges or any(what.endswith("Cursor") for _, fields in self.infos for _, what in fields)

    def _read_back(self, name: str) -> Callable[[Any], Any]:
        """Give what makes a column that was sent into the value that a cursor holds."""
        type_ = self.read.type(name)
        return moment if isinstance(type_, DateTime) else Decimal if isinstance(type_, Numeric) else _same

    def values(self, run: Run) -> Mapping[Key, Any]:
        """Give the connection of each key."""
        asked: Slice = run.given[self.place]
        totals = {}
        if self.total_read is not None:
            records, key, count = run.of(self.total_read), self.total_read.at.get(KEY), self.total_read.at
            totals = {None if key is None else r[key]: r[count["count"]] for r in records}
        spans: dict[Key, tuple[int, int, bool]] = {}
        kept: list[Record] = []
        if self.reads_rows:
            records, at = run.of(self.read), self.read.at.get(KEY)
            for key_, found in [(None, records)] if at is None else records_by_key(records, at):
                page = found[: asked.size]
                if asked.backward:
                    page.reverse()
                spans[key_] = (len(kept), len(kept) + len(page), len(found) > asked.size)
                kept += page
        found_parts = dict(self._parts(run, asked, kept, totals))
        parts = [(name, found_parts[name]) for name in self.order]

        def connection(key: Key) -> dict[str, Any]:
            span = spans.get(key, (0, 0, False))
            return {name: part(key, *span) for name, part in parts}

        return Defaults({key: connection(key) for key in spans}, connection)

    def _parts(self, run: Run, asked: Slice, kept: list[Record], totals: dict[Key, int]) -> Any:
        places = run.places(self.read) if self.reads_rows else {}
        keys = [(places[key.name], self._read_back(key.name)) for key in asked.order] if self._cursors else []
        project_id = run.principal.project_id

        def cursor(record: Record) -> str:
            values = [None if record[place] is None else back(record[place]) for place, back in keys]
            return asked.cursor_of(values, project_id)

        for name, type_name in self.typenames:
            yield name, partial(_same, type_name)
        for name, rows in self.nodes:
            yield name, partial(_cut, rows.objects(run, kept))
        for name, fields, rows_of in self.edges:
            made = {key: rows.objects(run, kept) for key, rows in rows_of}
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


@dataclass
class NodeStep:
    """The row of each id, whatever its type: of each type, a step that has the rows of it."""

    types: Read
    steps: list[LinkStep | KeyStep]
    total = False
    inline = None

    def values(self, run: Run) -> Mapping[Key, Any]:
        """Give the row of each id."""
        at, place_at = self.types.at[KEY], self.types.at["place"]
        rows: dict[int, Mapping[Key, Any]] = {}
        found: dict[Key, Any] = {}
        for record in run.of(self.types):
            id_, place = record[at], record[place_at]
            if NODES[place] is ApiKey and not run.principal.may(ApiKeyScope.ADMIN):
                continue
            if place not in rows:
                rows[place] = self.steps[place].values(run)
            found[id_] = rows[place][id_]
        return found
