"""Compiles operations into plans: each declared field becomes a step, by the plain way's statements."""

from __future__ import annotations

from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any
from uuid import UUID

from graphql import (
    FieldNode,
    FragmentSpreadNode,
    GraphQLError,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLUnionType,
    InlineFragmentNode,
    Node,
    OperationType,
    VariableNode,
    get_named_type,
)
from graphql.error import located_error
from graphql.execution.values import get_argument_values, get_directive_values
from graphql.type import GraphQLIncludeDirective, GraphQLSkipDirective
from strawberry.types.arguments import convert_arguments

from agentdata.errors import AgentDataError
from agentdata.execution.links import Link
from agentdata.execution.plan import Rows, Run, Shapes, UnplannedError, groups
from agentdata.execution.reporting import client_error
from models.enums import ApiKeyScope
from resolvers.batches import Batch, Given, Gives
from resolvers.fields import DECLARED, Either, slice_of
from resolvers.mutations import Mutation
from resolvers.paging import Page
from resolvers.roots import NODES, AnyNode, One, TheProject, types_of_nodes

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping

    import strawberry
    from graphql import FragmentDefinitionNode, OperationDefinitionNode, SelectionSetNode
    from graphql.execution.values import VariableValues
    from strawberry.types.field import StrawberryField

    from agentdata.context import Context, Principal
    from agentdata.execution.plan import Key, Record, Step
    from resolvers.paging import Slice

_ADMIN = -1
"""Under this place of what was given stands whether the key may see API keys."""


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
            if NODES[place].__name__ != "ApiKey" or run.given[_ADMIN]:
                found |= await self.steps[place].values(run, of_type)
        return found


@dataclass(frozen=True)
class _Root:
    """A field that an operation begins with: its key in the response and what gives its value."""

    key: str
    value: Callable[[Run], Any]


@dataclass(frozen=True)
class _Asked:
    """What one place in the document asks, read anew from each request's variables."""

    place: int
    read: Callable[[VariableValues, Mapping[int, Any]], Any]


@dataclass
class Plan:
    """A compiled query. It belongs to a document, not to a project or a key, and holds no data."""

    roots: list[_Root] = field(default_factory=list)
    asked: list[_Asked] = field(default_factory=list)
    scopes: set[ApiKeyScope] = field(default_factory=set)

    def given(self, principal: Principal, variables: VariableValues) -> dict[int, Any]:
        """Read all that the operation asks with these variables, before anything of it runs.

        Raises:
            UnplannedError: Something of it is wrong; the plain way says what, and where.

        """
        if not all(principal.may(scope) for scope in self.scopes):
            raise UnplannedError
        given: dict[int, Any] = {_ADMIN: principal.may(ApiKeyScope.ADMIN), _PROJECT: principal.project_id}
        try:
            for asked in self.asked:
                given[asked.place] = asked.read(variables, given)
        except (AgentDataError, GraphQLError):
            raise UnplannedError from None
        return given

    async def answer(self, context: Context, variables: VariableValues) -> tuple[Any, list[GraphQLError]]:
        """Run the plan in one transaction and give its data, and errors for what was not found.

        Raises:
            UnplannedError: As ``given`` does.

        """
        given = self.given(context.principal, variables)
        async with _reading(context, given) as run:
            return {root.key: await root.value(run) for root in self.roots}, run.errors


@asynccontextmanager
async def _reading(context: Context, given: dict[int, Any]) -> AsyncIterator[Run]:
    async with AsyncExitStack() as stack:
        yield Run(lambda: stack.enter_async_context(context.reading()), context.principal.project_id, given)


@dataclass(frozen=True)
class _Write:
    """A field of a mutation: what it does, how its arguments are read, and what is selected of its result."""

    key: str
    nodes: list[FieldNode]
    declared: Mutation
    given: Callable[[VariableValues], dict[str, Any]]
    selected: _Selected


@dataclass
class MutationPlan:
    """A compiled mutation: its writes run one after another, each followed by the reads of its selection."""

    reads: Plan
    writes: list[_Write] = field(default_factory=list)

    async def answer(self, context: Context, variables: VariableValues) -> tuple[Any, list[GraphQLError]]:
        """Run the writes and give their data; one that fails is null, with an error, and the others go on.

        Raises:
            UnplannedError: Something that is asked of a result is wrong; nothing has run.

        """
        given = self.reads.given(context.principal, variables)
        data: dict[str, Any] = {}
        errors: list[GraphQLError] = []
        for write in self.writes:
            data[write.key] = None
            done = False
            try:
                result = await write.declared.run(context, write.given(variables))
                done = True
                data[write.key] = await write.selected.of(result, context, given)
            except Exception as error:  # noqa: BLE001  # told as the error of this field
                if done and (known := client_error(error)) is not None:
                    known.message = f"the write was done; reading what it gave failed: {known.message}"
                    errors.append(located_error(known, write.nodes, [write.key]))
                else:
                    errors.append(located_error(error, write.nodes, [write.key]))
        return data, errors


@dataclass
class _Selected:
    """What is selected of what a write gave: of rows, or of an object that holds some."""

    rows: Rows | None = None
    fields: list[tuple[str, str, _Selected | None]] = field(default_factory=list)
    constants: dict[str, str] = field(default_factory=dict)

    async def of(self, result: Any, context: Context, given: dict[int, Any]) -> Any:
        """Give the response for a result."""
        several = isinstance(result, list)
        results = result if several else [result]
        if self.rows is None:
            made = [await self._object(each, context, given) for each in results]
        elif self.rows.steps:
            async with _reading(context, given) as run:
                made = await self.rows.read(run, results)
        else:
            made = self.rows.made(results)
        return made if several else made[0]

    async def _object(self, result: Any, context: Context, given: dict[int, Any]) -> dict[str, Any]:
        made: dict[str, Any] = {}
        for key, name, below in self.fields:
            value = getattr(result, name) if name else self.constants[key]
            made[key] = await below.of(value, context, given) if below else _plainly(value)
        return made


def _plainly(value: Any) -> Any:
    if isinstance(value, list):
        return [_plainly(each) for each in value]
    return str(value) if isinstance(value, UUID) else value


_PROJECT = -2
"""Under this place of what was given stands the project."""


class Planner:
    """Compiles the operations of one schema."""

    def __init__(self, schema: strawberry.Schema) -> None:
        self.schema = schema
        self.core = schema._schema  # noqa: SLF001  # Strawberry has no public name for it

    def plan(
        self,
        operation: OperationDefinitionNode,
        fragments: Mapping[str, FragmentDefinitionNode],
        variables: VariableValues,
    ) -> Plan | MutationPlan:
        """Compile an operation for the values that its @skip and @include have with these variables.

        Raises:
            UnplannedError: A plan cannot hold it.

        """
        compiler = _Compiler(self, fragments, variables)
        if operation.operation is OperationType.MUTATION:
            return compiler.mutation(operation.selection_set)
        return compiler.query(operation.selection_set)


class _Compiler:
    def __init__(
        self, planner: Planner, fragments: Mapping[str, FragmentDefinitionNode], variables: VariableValues
    ) -> None:
        self.planner = planner
        self.fragments = fragments
        self.variables = variables
        self.plan = Plan()

    def query(self, selection_set: SelectionSetNode) -> Plan:
        type_ = self.planner.core.query_type
        assert type_ is not None  # noqa: S101  # a schema has a query type
        reads = False
        for key, nodes in self._collect(type_, [selection_set]).items():
            name = nodes[0].name.value
            if name == "__typename":
                self.plan.roots.append(_Root(key, _constant(type_.name)))
            elif name.startswith("__"):
                raise UnplannedError
            else:
                self.plan.roots.append(_Root(key, self._root(type_, key, nodes)))
                reads = True
        if not reads:
            raise UnplannedError
        return self.plan

    def mutation(self, selection_set: SelectionSetNode) -> MutationPlan:
        """Compile a mutation."""
        type_ = self.planner.core.mutation_type
        assert type_ is not None  # noqa: S101  # a schema that has mutations has their type
        plan = MutationPlan(self.plan)
        for key, nodes in self._collect(type_, [selection_set]).items():
            if nodes[0].name.value == "__typename":
                raise UnplannedError
            declared = self._field(type_, nodes[0]).metadata.get(DECLARED)
            if not isinstance(declared, Mutation):
                raise UnplannedError
            of = get_named_type(type_.fields[nodes[0].name.value].type)
            given = self._arguments(type_, nodes[0])
            plan.writes.append(_Write(key, nodes, declared, given, self._selected_of(of, nodes)))
        return plan

    def _selected_of(self, of: Any, nodes: list[FieldNode]) -> _Selected:
        if any(model.__name__ == of.name for model in NODES):
            return _Selected(self._rows(of, nodes, _types(of.name)))
        selected = _Selected()
        for key, of_key in self._selected(of, nodes):
            name = of_key[0].name.value
            if name == "__typename":
                selected.constants[key] = of.name
                selected.fields.append((key, "", None))
                continue
            below = get_named_type(of.fields[name].type)
            is_object = isinstance(below, GraphQLObjectType)
            attribute = self._field(of, of_key[0]).python_name
            selected.fields.append((key, attribute, self._selected_of(below, of_key) if is_object else None))
        return selected

    def _root(self, parent: GraphQLObjectType, key: str, nodes: list[FieldNode]) -> Callable[[Run], Any]:
        declared = self._field(parent, nodes[0]).metadata.get(DECLARED)
        of = get_named_type(parent.fields[nodes[0].name.value].type)
        match declared:
            case Page():
                return partial(_page, self._page(declared, parent, nodes))
            case TheProject():
                step = LinkStep(
                    _link(NODES.index(_model("Project"))), self._rows(of, nodes, _types("Project"))
                )
                return partial(_project, step)
            case One():
                rows = self._rows(of, nodes, _types(declared.model.__name__))
                steps = {name: LinkStep(link, rows) for name, link in declared.links.items()}
                place = self._ask(
                    parent, nodes[0], lambda given, _: (*declared.sought(given), declared.missing(given))
                )
                return partial(_one, steps, place, nodes, key)
            case AnyNode():
                step_of = NodeStep([self._node_step(model.__name__, nodes) for model in NODES])
                place = self._ask(parent, nodes[0], lambda given, _: declared.sought(given))
                return partial(_nodes, declared, step_of, place, nodes, key)
        raise UnplannedError

    def _node_step(self, name: str, nodes: list[FieldNode]) -> LinkStep:
        type_ = self.planner.core.type_map[name]
        return LinkStep(_link(NODES.index(_model(name))), self._rows(type_, nodes, _types(name)))

    def _rows(
        self,
        type_: Any,
        nodes: list[FieldNode],
        types: Mapping[str, Any],
        names: list[str] | None = None,
        parent: tuple[Batch, int] | None = None,
    ) -> Rows:
        """Compile what is selected of an object."""
        rows = Rows(types, [] if names is None else names)
        for key, of_key in self._collect(type_, [n.selection_set for n in nodes if n.selection_set]).items():
            name = of_key[0].name.value
            if name == "__typename":
                rows.constant(key, type_.name)
                continue
            declaring = self._field(type_, of_key[0])
            declared = declaring.metadata.get(DECLARED)
            if declared is None:
                if declaring.base_resolver is not None or declaring.python_name not in types:
                    raise UnplannedError
                rows.column(key, declaring.python_name)
            else:
                rows.step(key, *self._steps(declared, type_, of_key, parent))
        return rows

    def _steps(
        self,
        declared: Any,
        type_: GraphQLObjectType,
        nodes: list[FieldNode],
        parent: tuple[Batch, int] | None,
    ) -> list[tuple[Step, str]]:
        of = get_named_type(type_.fields[nodes[0].name.value].type)
        match declared:
            case Page():
                return [(self._page(declared, type_, nodes), declared.link.local if declared.link else "id")]
            case Batch():
                return [self._batch(declared, type_, nodes, parent)]
            case Either():
                assert isinstance(of, GraphQLUnionType)  # noqa: S101  # as it is declared
                return [
                    (
                        self._link_step(link, self.planner.core.type_map[link.model.__name__], nodes),
                        link.local,
                    )
                    for link in declared.links
                ]
        return [(self._link_step(declared, of, nodes), declared.local)]

    def _link_step(self, link: Link, of: Any, nodes: list[FieldNode]) -> LinkStep:
        return LinkStep(link, self._rows(of, nodes, _types(link.model.__name__)))

    def _batch(
        self,
        declared: Batch,
        type_: GraphQLObjectType,
        nodes: list[FieldNode],
        parent: tuple[Batch, int] | None,
    ) -> tuple[Step, str]:
        of = get_named_type(type_.fields[nodes[0].name.value].type)
        place = self._ask(
            type_,
            nodes[0],
            lambda given, earlier: declared.given(given, earlier[parent[1]] if parent else None),
        )
        if declared.gives is Gives.VALUE:
            rows = Rows(self._computed(declared, parent))
            rows.column("value", "value")
        elif declared.model is not None:
            rows = self._rows(of, nodes, _types(declared.model.__name__))
        else:
            about = parent if declared.inherits and parent else (declared, place)
            rows = self._rows(of, nodes, self._computed(declared, parent), parent=about)
        return BatchStep(declared, place, rows), KEY if declared.inherits else "id"

    def _computed(self, declared: Batch, parent: tuple[Batch, int] | None) -> Mapping[str, Any]:
        """Give the columns that a batch's statement gives, which do not depend on what is asked."""
        asked = parent[0] if declared.inherits and parent else declared
        statement = declared.statement(asked.given({}))
        key, *columns = statement.selected_columns
        return {column.key: column.type for column in columns} | {KEY: key.type}

    def _page(self, declared: Page, type_: GraphQLObjectType, nodes: list[FieldNode]) -> PageStep:
        self.plan.scopes.add(declared.scope)
        place = self._ask(
            type_, nodes[0], lambda given, earlier: slice_of(declared, earlier[_PROJECT], **given)
        )
        step = PageStep(declared, place)
        types = _types(declared.model.__name__)
        connection = get_named_type(type_.fields[nodes[0].name.value].type)
        for key, of_key in self._selected(connection, nodes):
            step.order.append(key)
            name = of_key[0].name.value
            of = None if name == "__typename" else get_named_type(connection.fields[name].type)
            if name == "__typename":
                step.typenames.append((key, connection.name))
            elif name == "nodes":
                step.nodes.append((key, self._rows(of, of_key, types, step.names)))
            elif name == "totalCount":
                step.totals.append(key)
            elif name == "pageInfo":
                step.infos.append((key, [(k, _known(ns[0], of)) for k, ns in self._selected(of, of_key)]))
            elif name == "edges":
                step.edges.append(self._edges(key, of, of_key, types, step.names))
            else:
                raise UnplannedError
        return step

    def _edges(
        self, key: str, edge: Any, nodes: list[FieldNode], types: Mapping[str, Any], names: list[str]
    ) -> tuple[str, list[tuple[str, str]], list[tuple[str, Rows]]]:
        fields = [(k, ns, _known(ns[0], edge)) for k, ns in self._selected(edge, nodes)]
        of = get_named_type(edge.fields["node"].type)
        rows = [(k, self._rows(of, ns, types, names)) for k, ns, what in fields if what == "node"]
        return key, [(k, what) for k, _, what in fields], rows

    def _ask(
        self,
        type_: GraphQLObjectType,
        node: FieldNode,
        read: Callable[[Mapping[str, Any], Mapping[int, Any]], Any],
    ) -> int:
        """Have a field's arguments read before the plan runs, and give where what they ask will stand."""
        arguments = self._arguments(type_, node)

        def given(variables: VariableValues, earlier: Mapping[int, Any]) -> Any:
            return read(arguments(variables), earlier)

        place = len(self.plan.asked)
        self.plan.asked.append(_Asked(place, given))
        return place

    def _arguments(
        self, type_: GraphQLObjectType, node: FieldNode
    ) -> Callable[[VariableValues], dict[str, Any]]:
        """Give what reads the arguments of a field; without variables in them they are read once."""
        definition = type_.fields[node.name.value]
        arguments = self._field(type_, node).arguments
        converter = self.planner.schema.schema_converter

        def given(variables: VariableValues) -> dict[str, Any]:
            raw = get_argument_values(definition, node, variables)
            return convert_arguments(
                raw, arguments, scalar_registry=converter.scalar_registry, config=converter.config
            )

        if any(_variables(node.arguments)):
            return given
        constant = given(self.variables)
        return lambda _: constant

    def _field(self, type_: GraphQLObjectType, node: FieldNode) -> StrawberryField:
        field: StrawberryField = type_.fields[node.name.value].extensions["strawberry-definition"]
        return field

    def _selected(self, type_: Any, nodes: list[FieldNode]) -> Iterable[tuple[str, list[FieldNode]]]:
        return self._collect(type_, [n.selection_set for n in nodes if n.selection_set]).items()

    def _collect(
        self, type_: GraphQLObjectType, selection_sets: list[SelectionSetNode]
    ) -> dict[str, list[FieldNode]]:
        """Give the fields that are selected of a type, by their keys in the response."""
        found: dict[str, list[FieldNode]] = {}
        visited: set[str] = set()

        def visit(selection_set: SelectionSetNode) -> None:
            for selection in selection_set.selections:
                if not self._included(selection):
                    continue
                match selection:
                    case FieldNode():
                        key = (selection.alias or selection.name).value
                        found.setdefault(key, []).append(selection)
                    case InlineFragmentNode():
                        if self._applies(selection.type_condition, type_):
                            visit(selection.selection_set)
                    case FragmentSpreadNode():
                        name = selection.name.value
                        fragment = self.fragments[name]
                        if name not in visited and self._applies(fragment.type_condition, type_):
                            visited.add(name)
                            visit(fragment.selection_set)
                    case _:
                        raise UnplannedError

        for selection_set in selection_sets:
            visit(selection_set)
        return found

    def _applies(self, condition: Any, type_: GraphQLObjectType) -> bool:
        if condition is None or condition.name.value == type_.name:
            return True
        on = self.planner.core.type_map[condition.name.value]
        if isinstance(on, GraphQLInterfaceType | GraphQLUnionType):
            return self.planner.core.is_sub_type(on, type_)
        return False

    def _included(self, node: Any) -> bool:
        if not node.directives:
            return True
        skip = get_directive_values(GraphQLSkipDirective, node, self.variables)
        include = get_directive_values(GraphQLIncludeDirective, node, self.variables)
        return not (skip and skip["if"]) and not (include and not include["if"])


KEY = "key"
"""What the key of a computed object is called among its columns."""


def _known(node: FieldNode, type_: Any) -> str:
    name = node.name.value
    return str(type_.name) if name == "__typename" else name


def _model(name: str) -> Any:
    return next(model for model in NODES if model.__name__ == name)


def _link(place: int) -> Link:
    return Link(NODES[place])


def _types(name: str) -> Mapping[str, Any]:
    return {key: column.type for key, column in _model(name).__mapper__.columns.items()}


def _variables(nodes: Iterable[Node] | None) -> Iterator[VariableNode]:
    for node in nodes or ():
        if isinstance(node, VariableNode):
            yield node
        for key in node.keys:
            below = getattr(node, key, None)
            if isinstance(below, Node):
                yield from _variables([below])
            elif isinstance(below, tuple | list):
                yield from _variables(below)


def _constant(value: Any) -> Callable[[Run], Any]:
    async def give(_run: Run) -> Any:  # as the other roots are
        return value

    return give


async def _page(step: PageStep, run: Run) -> Any:
    return (await step.values(run, [None]))[None]


async def _project(step: LinkStep, run: Run) -> Any:
    return (await step.values(run, [run.project_id]))[run.project_id]


async def _one(steps: dict[str, LinkStep], place: int, nodes: list[FieldNode], key: str, run: Run) -> Any:
    by, value, missing = run.given[place]
    found = (await steps[by].values(run, [value])).get(value)
    if found is None:
        run.errors.append(_failed(missing, nodes, [key]))
    return found


async def _nodes(
    declared: AnyNode, step: NodeStep, place: int, nodes: list[FieldNode], key: str, run: Run
) -> Any:
    sought = run.given[place]
    ids = {each.id for each in sought if each.id is not None}
    found = await step.values(run, list(ids)) if ids else {}
    for index, each in enumerate(sought):
        if each.id not in found:
            path: list[str | int] = [key, index] if declared.many else [key]
            run.errors.append(_failed(each.missing, nodes, path))
    rows = [found.get(each.id) for each in sought]
    return rows if declared.many else rows[0]


def _failed(error: AgentDataError, nodes: list[FieldNode], path: list[str | int]) -> GraphQLError:
    return GraphQLError(error.message, nodes, path=path, original_error=error)
