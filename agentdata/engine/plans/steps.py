"""The steps of plans: each answers one kind of declared field for all parents, out of the records read."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from sqlalchemy import DateTime, Numeric

from agentdata.engine.plans.projection import Projection
from agentdata.engine.plans.run import UnplannedError
from agentdata.engine.plans.statements import KEY, ReadForm
from agentdata.engine.sql.batches import VALUE, Gives

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from agentdata.engine.plans.projection import Key
    from agentdata.engine.plans.run import Record, Run
    from agentdata.engine.plans.statements import Read
    from agentdata.engine.sql.nodes import NodeTypes
    from agentdata.engine.sql.pages import PageRequest


class Defaulting(dict[Any, Any]):
    """Values by key, and a function for the keys that are not among them."""

    def __init__(self, values: Mapping[Key, Any], default: Callable[[Key], Any]) -> None:
        super().__init__(values)
        self._default = default

    def __missing__(self, key: Key) -> Any:
        """Return the default value of a key."""
        return self._default(key)


class _Visible(dict[Any, Any]):
    """Rows by key, each of which the viewer must see."""

    def __missing__(self, key: Key) -> Any:
        # Plans know no errors of single rows; the reference way reports each at its place.
        raise UnplannedError


@dataclass
class RowStep:
    """One row for each key."""

    read: Read
    projection: Projection
    complete: bool = False
    """Whether every key must have a row; the database may hide one from a viewer."""
    inline = None

    def values(self, run: Run) -> Mapping[Key, Any]:
        """Return the row of each key."""
        records, at = run.records[self.read.position], self.read.at[KEY]
        objects = self.projection.objects(run, records)
        values = {record[at]: object_ for record, object_ in zip(records, objects, strict=True)}
        return _Visible(values) if self.complete else values


@dataclass
class KeyStep:
    """One row for each key, of which only the key is selected: the row exists, so nothing is read."""

    projection: Projection
    complete = True

    @property
    def inline(self) -> Projection:
        """The projection of the key alone."""
        return self.projection

    def values(self, run: Run) -> Mapping[Key, Any]:
        """Return the row of each key."""
        return Defaulting({None: None}, lambda key: self.projection.objects(run, [(key,)])[0])


@dataclass
class BatchStep:
    """Reads the values of a batch, one for each key."""

    gives: Gives
    read: Read
    projection: Projection
    complete: bool
    """Whether every key has a value; a key without one is then a fault, and not null."""
    inline = None

    def values(self, run: Run) -> Mapping[Key, Any]:
        """Return what each key gets."""
        records, at = run.records[self.read.position], self.read.at[KEY]
        objects = zip(records, self.projection.objects(run, records), strict=True)
        if self.gives is Gives.VALUE:
            return {record[at]: object_[VALUE] for record, object_ in objects}
        if not self.gives.is_list:
            return {record[at]: object_ for record, object_ in objects}
        lists: dict[Key, list[Any]] = {}
        for record, object_ in objects:
            lists.setdefault(record[at], []).append(object_)
        return Defaulting(lists, lambda _: [])


@dataclass(frozen=True)
class Edges:
    """A selection of edges: for each key of the response `node`, `cursor` or a type name, and the nodes."""

    fields: list[tuple[str, str]]
    nodes: list[tuple[str, Projection]]


@dataclass(frozen=True)
class PageInfo:
    """A selection of `pageInfo`: for each key of the response a field of it or a type name."""

    fields: list[tuple[str, str]]


@dataclass(frozen=True)
class ListField:
    """A selected field about the list as a whole, such as `totalCount`."""

    name: str


@dataclass(frozen=True)
class TypeName:
    """A selected `__typename`."""

    name: str


_Span = tuple[int, int, bool]
"""Where the rows of one connection start and end among all records, and whether the database has more."""

_NO_ROWS: _Span = (0, 0, False)


@dataclass(frozen=True)
class PageForm:
    """Returns the form in which a request reads the rows of a page.

    It knows nothing of the step that uses the rows, which knows the read: plans without reference cycles are
    freed as soon as they are no longer cached.
    """

    slot: int
    names: list[str]
    """The names that the read has, which other parts of the plan may add to."""
    has_cursors: bool
    has_page_info: bool

    def __call__(self, bindings: Mapping[int, Any]) -> ReadForm:
        """Return the form for the bound arguments of a request."""
        request: PageRequest = bindings[self.slot]
        sort_keys = [key.name for key in request.order] if self.has_cursors else []
        extra = tuple(name for name in dict.fromkeys(sort_keys) if name not in self.names)
        # One row more tells whether there is a next page; without `pageInfo`, it and all rows below it are
        # spared.
        return ReadForm(
            request.shape,
            request.values,
            request.size + self.has_page_info,
            extra,
            by_values=request.shape.is_by_values,
        )


@dataclass(frozen=True)
class ListForm:
    """Returns the form in which a request reads a field about the list as a whole: the filter alone."""

    slot: int

    def __call__(self, bindings: Mapping[int, Any]) -> ReadForm:
        """Return the form for the bound arguments of a request."""
        request: PageRequest = bindings[self.slot]
        return ReadForm(request.shape.of_all(), request.values, by_values=request.shape.is_by_values)


@dataclass
class PageStep:
    """A connection for each key, with those of its fields that are selected.

    ``fields`` holds them by their keys in the response, in the order of the selection.
    """

    slot: int
    read: Read
    list_reads: dict[str, Read] = field(default_factory=dict)
    """The reads of fields that are about the list as a whole, by the fields' names."""
    fields: dict[str, Projection | Edges | PageInfo | ListField | TypeName] = field(default_factory=dict)
    complete = True
    inline = None

    @property
    def reads_rows(self) -> bool:
        """Whether any field needs the rows of the page."""
        return any(isinstance(each, Projection | Edges | PageInfo) for each in self.fields.values())

    @property
    def has_page_info(self) -> bool:
        """Whether `pageInfo` is selected."""
        return any(isinstance(each, PageInfo) for each in self.fields.values())

    @property
    def has_cursors(self) -> bool:
        """Whether any cursor is selected."""
        return any(
            what.lower().endswith("cursor")
            for each in self.fields.values()
            if isinstance(each, Edges | PageInfo)
            for _, what in each.fields
        )

    def values(self, run: Run) -> Mapping[Key, Any]:
        """Return the connection of each key."""
        request: PageRequest = run.bindings[self.slot]
        page = _Pages(request, run, self.read if self.reads_rows else None, with_cursors=self.has_cursors)
        lists = {name: _values_by_key(run, read) for name, read in self.list_reads.items()}
        fields = [(key, self._field(each, page, run, lists)) for key, each in self.fields.items()]

        def connection(key: Key) -> dict[str, Any]:
            span = page.spans.get(key, _NO_ROWS)
            return {name: value(key, *span) for name, value in fields}

        return Defaulting({key: connection(key) for key in page.spans}, connection)

    def _field(
        self,
        selected: Projection | Edges | PageInfo | ListField | TypeName,
        page: _Pages,
        run: Run,
        lists: Mapping[str, Mapping[Key, Any]],
    ) -> Callable[[Key, int, int, bool], Any]:
        """Return the function that answers one selected field for the connection of each key and its span."""
        match selected:
            case Projection():
                objects = selected.objects(run, page.records)
                return lambda _, start, end, _more: objects[start:end]
            case Edges(fields, nodes):
                edges = [*page.edges(fields, {key: each.objects(run, page.records) for key, each in nodes})]
                return lambda _, start, end, _more: edges[start:end]
            case PageInfo(fields):
                return lambda _, *span: {name: page.info(what, *span) for name, what in fields}
            case ListField(name):
                values = lists[name]
                return lambda key, *_: values[key]
            case TypeName(name):
                return lambda *_: name


class _Pages:
    """The pages of all keys in one run: their records one after another, and the span of each key."""

    def __init__(self, request: PageRequest, run: Run, read: Read | None, *, with_cursors: bool) -> None:
        self.request = request
        self.records: list[Record] = []
        self.spans: dict[Key, _Span] = {}
        self._context = run.context
        self._sort_keys: list[tuple[int, Callable[[Any], Any]]] = []
        if read is None:
            return
        found, at = run.records[read.position], read.at.get(KEY)
        for key, records in [(None, found)] if at is None else _records_by_key(found, at):
            page = records[: request.size]
            if request.backward:
                page.reverse()
            start = len(self.records)
            self.spans[key] = (start, start + len(page), len(records) > request.size)
            self.records += page
        if with_cursors:
            columns = run.columns[read.position]
            self._sort_keys = [(columns[key.name], _cursor_value(read, key.name)) for key in request.order]

    def edges(
        self, fields: list[tuple[str, str]], nodes: Mapping[str, list[Any]]
    ) -> Iterator[dict[str, Any]]:
        for at, record in enumerate(self.records):
            yield {
                key: nodes[key][at] if what == "node" else self._cursor(record) if what == "cursor" else what
                for key, what in fields
            }

    def info(self, what: str, start: int, end: int, more: bool) -> Any:  # noqa: FBT001  # a span
        came_from = self.request.cursor is not None
        match what:
            case "hasNextPage":
                return came_from if self.request.backward else more
            case "hasPreviousPage":
                return more if self.request.backward else came_from
            case "startCursor":
                return self._cursor(self.records[start]) if end > start else None
            case "endCursor":
                return self._cursor(self.records[end - 1]) if end > start else None
        return what

    def _cursor(self, record: Record) -> str:
        values = [None if record[at] is None else value_of(record[at]) for at, value_of in self._sort_keys]
        return self.request.cursor_of(values, self._context.signer)


def _records_by_key(records: Iterable[Record], at: int) -> Iterable[tuple[Key, list[Record]]]:
    """Group records by the key that stands at a position; records of one key come one after another."""
    for key, found in groupby(records, itemgetter(at)):
        yield key, list(found)


def _cursor_value(read: Read, name: str) -> Callable[[Any], Any]:
    """Return the function that converts a column as it was sent into the value that a cursor holds."""
    match read.type(name):
        case DateTime():
            return _moment
        case Numeric():
            return Decimal
    return _unchanged


def _moment(sent: str) -> datetime:
    """Parse a time that was sent."""
    return datetime.fromisoformat(sent).replace(tzinfo=UTC)


def _unchanged(value: Any) -> Any:
    return value


def _values_by_key(run: Run, read: Read) -> dict[Key, Any]:
    key, value = read.at.get(KEY), read.at[VALUE]
    return {None if key is None else record[key]: record[value] for record in run.records[read.position]}


@dataclass
class NodeStep:
    """The row of each id, whatever its type: one step for each type has its rows."""

    types: NodeTypes
    read: Read
    steps: list[RowStep | KeyStep]
    complete = False
    inline = None

    def values(self, run: Run) -> Mapping[Key, Any]:
        """Return the row of each id that the client may find."""
        at, value_at = self.read.at[KEY], self.read.at[VALUE]
        rows: dict[int, Mapping[Key, Any]] = {}
        found: dict[Key, Any] = {}
        for record in run.records[self.read.position]:
            id_, position = record[at], record[value_at]
            if not self.types.visible(self.types.models[position], run.context):
                continue
            if position not in rows:
                rows[position] = self.steps[position].values(run)
            found[id_] = rows[position][id_]
        return found
