"""The compiler of plans: each declared field becomes a step, and reads by the declaration's SQL."""

from __future__ import annotations

from contextlib import contextmanager, nullcontext
from dataclasses import replace
from functools import cache, cached_property, partial
from typing import TYPE_CHECKING, Any

from graphql import (
    FieldNode,
    GraphQLError,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLUnionType,
    OperationType,
    get_named_type,
)
from graphql.execution.values import get_argument_values
from sqlalchemy import BigInteger, Boolean, Integer, Text, Uuid

from agentdata.engine.binding.arguments import binding, variables_in
from agentdata.engine.fields.declare import Either
from agentdata.engine.fields.mutations import WriteField
from agentdata.engine.fields.roots import NodesById, RowByKey, TenantRow
from agentdata.engine.plans.failures import Failure, Segment
from agentdata.engine.plans.introspection import Introspection
from agentdata.engine.plans.plan import (
    ArgumentSlot,
    ArgumentSlots,
    MutationField,
    MutationPlan,
    QueryPlan,
    ResultSelection,
    RootField,
    constant,
    nodes_by_id,
    only_row,
    page_of,
    row_by_key,
)
from agentdata.engine.plans.projection import Failed, Projection
from agentdata.engine.plans.run import NOBODY, UnplannedError
from agentdata.engine.plans.selection import Selections
from agentdata.engine.plans.statements import (
    KEY,
    Read,
    ReadForm,
    ReadKeys,
    ReadSet,
    RequestKeys,
    SqlCache,
)
from agentdata.engine.plans.steps import (
    BatchStep,
    Edges,
    KeyStep,
    ListField,
    ListForm,
    NodeStep,
    PageForm,
    PageInfo,
    PageStep,
    RowStep,
    TypeName,
)
from agentdata.engine.sql.attributes import types_of
from agentdata.engine.sql.batches import VALUE, Batch, Gives
from agentdata.engine.sql.links import Link
from agentdata.engine.sql.pages import Page
from agentdata.engine.strawberry_access import core_schema, declaration, model_of, strawberry_field
from agentdata.errors import AgentDataError

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator, Mapping

    import strawberry
    from graphql import FragmentDefinitionNode, OperationDefinitionNode
    from graphql.execution.values import VariableValues
    from sqlalchemy import Select

    from agentdata.engine.context import Context
    from agentdata.engine.plans.projection import Step
    from agentdata.engine.plans.run import Run
    from agentdata.engine.preparations import Prepare

    Keys = RequestKeys | list[ReadKeys] | None
    Inherited = tuple[Batch, int] | None
    """The batch that returned an object, and the slot of its arguments, which batches below may inherit."""

LIST_FIELDS: dict[str, tuple[Callable[[Page, Any], Select[Any]], Any]] = {
    "totalCount": (Page.totals, BigInteger()),
    "isComplete": (Page.is_complete, Boolean()),
    "mode": (Page.mode, Text()),
}
"""The fields of connections that are about the list as a whole: their statements and types."""


class Compiler:
    """Compiles the operations of one schema.

    With ``hides_rows``, the database may hide a row to which a foreign key leads, as it does from viewers.
    """

    def __init__(
        self, schema: strawberry.Schema, cache: SqlCache | None = None, *, hides_rows: bool = False
    ) -> None:
        self.hides_rows = hides_rows
        self.schema_of = schema
        self.schema = core_schema(schema)
        self.cache = cache or SqlCache()
        self.types = {
            model: type_
            for type_ in self.schema.type_map.values()
            if isinstance(type_, GraphQLObjectType) and (model := model_of(type_)) is not None
        }
        """The type that shows the rows of each model."""

    @cached_property
    def for_viewers(self) -> Compiler:
        """The compiler for operations of viewers, from whom the database hides rows."""
        return type(self)(self.schema_of, self.cache, hides_rows=True)

    def compile(
        self,
        operation: OperationDefinitionNode,
        fragments: Mapping[str, FragmentDefinitionNode],
        variables: VariableValues,
        failing: frozenset[str] = frozenset(),
    ) -> QueryPlan | MutationPlan:
        """Compile an operation for the values that its @skip and @include have with these variables.

        ``failing`` are the paths of fields whose arguments are wrong in the requests that the plan is for.

        Raises:
            UnplannedError: A plan cannot hold the operation.

        """
        compilation = _Compilation(self, operation, fragments, variables, failing)
        if operation.operation is OperationType.MUTATION:
            return compilation.mutation()
        return compilation.query()


class _FieldFailsError(Exception):
    """The arguments of a field are wrong in every request of the plan; its slot will hold the error."""

    def __init__(self, slot: int) -> None:
        super().__init__(slot)
        self.slot = slot


class _Compilation:
    """One operation that is being compiled."""

    def __init__(
        self,
        compiler: Compiler,
        operation: OperationDefinitionNode,
        fragments: Mapping[str, FragmentDefinitionNode],
        variables: VariableValues,
        failing: frozenset[str],
    ) -> None:
        self.compiler = compiler
        self.schema = compiler.schema
        self.operation = operation
        self.fragments = fragments
        self.variables = variables
        self.selections = Selections(compiler.schema, fragments, variables)
        self.failing = failing
        self.reads = ReadSet(compiler.cache)
        self.arguments = ArgumentSlots()
        self.failures: list[Failure] = []
        # Where in the document the compilation stands: the keys of the response, for people and for the
        # assignment of slots, and the fields, for the way that an error takes.
        self.path: list[str] = []
        self.segments: list[Segment] = []
        self.depth = 0

    def query(self) -> QueryPlan:
        """Compile a query."""
        type_ = self.schema.query_type
        assert type_ is not None  # noqa: S101  # a schema has a query type
        plan = QueryPlan(self.reads, self.arguments, failures=self.failures)
        for key, nodes in self.selections.of(type_, self.operation.selection_set):
            name = nodes[0].name.value
            if name == "__typename":
                plan.roots.append(RootField(key, constant(type_.name)))
            elif name.startswith("__"):
                introspection = Introspection(self.schema, self.operation, self.fragments, nodes)
                plan.roots.append(RootField(key, partial(introspection.answer, self._variables_slot(), key)))
                plan.slow = True
            else:
                with self._field_at(type_, key, nodes[0]):
                    plan.roots.append(RootField(key, self._root(type_, key, nodes)))
        self.reads.lay_out()
        return plan

    def mutation(self) -> MutationPlan:
        """Compile a mutation."""
        type_ = self.schema.mutation_type
        assert type_ is not None  # noqa: S101  # a schema that has mutations has their type
        plan = MutationPlan(self.arguments, failures=self.failures)
        for key, nodes in self.selections.of(type_, self.operation.selection_set):
            if nodes[0].name.value == "__typename":
                plan.fields.append(RootField(key, constant(type_.name)))
                continue
            field = type_.fields.get(nodes[0].name.value)
            declared = None if field is None else declaration(field)
            if field is None or not isinstance(declared, WriteField):
                raise UnplannedError
            coerce = partial(get_argument_values, field, nodes[0])
            with self._field_at(type_, key, nodes[0]):
                selection = self._result(get_named_type(field.type), nodes)
            plan.fields.append(MutationField(key, nodes, declared, coerce, selection))
        return plan

    def _variables_slot(self) -> int:
        """Add a slot that holds the variables, and return its number."""
        number = len(self.arguments.slots)
        self.arguments.slots.append(ArgumentSlot(number, "", _coerced, _coerced))
        return number

    def _result(self, of: Any, nodes: list[FieldNode]) -> ResultSelection:
        """Compile the selection of a write's result."""
        model = model_of(of)
        if model is not None:
            # The rows of each write are read after it, by a statement of their own.
            self.reads = ReadSet(self.compiler.cache)
            selection = ResultSelection(self.reads, self._objects(of, nodes, Projection(types_of(model))))
            self.reads.lay_out()
            return selection
        selection = ResultSelection()
        for key, of_key in self.selections.below(of, nodes):
            name = of_key[0].name.value
            if name == "__typename":
                selection.constants[key] = of.name
                selection.fields.append((key, "", None))
                continue
            below = get_named_type(of.fields[name].type)
            attribute = strawberry_field(of.fields[name]).python_name
            with self._field_at(of, key, of_key[0]):
                inner = self._result(below, of_key) if isinstance(below, GraphQLObjectType) else None
            selection.fields.append((key, attribute, inner))
        return selection

    def _root(self, parent: GraphQLObjectType, key: str, nodes: list[FieldNode]) -> Callable[[Run], Any]:
        """Compile a field that a query begins with, into the function that answers it."""
        try:
            return self._root_value(parent, key, nodes)
        except _FieldFailsError as fails:
            self._fail(fails, nodes)
            return constant(Failed(fails.slot))

    def _root_value(
        self, parent: GraphQLObjectType, key: str, nodes: list[FieldNode]
    ) -> Callable[[Run], Any]:
        field = parent.fields[nodes[0].name.value]
        of = get_named_type(field.type)
        match declaration(field):
            case Page() as page:
                return partial(page_of, self._page(page, parent, nodes, None))
            case TenantRow(link):
                own = RequestKeys(lambda run: run.context.tenant_id)
                return partial(only_row, self._row_step(link, of, nodes, own))
            case RowByKey() as by_key:
                slot = self._slot(parent, nodes[0], lambda given, *_: (*by_key.key(given), given))
                step = self._row_by_key(by_key, of, nodes, slot)
                return partial(row_by_key, by_key, step, slot, nodes, key)
            case NodesById() as by_id:
                slot = self._slot(parent, nodes[0], lambda given, *_: by_id.lookups(given))
                return partial(nodes_by_id, by_id, self._nodes(by_id, nodes, slot), slot, nodes, key)
        raise UnplannedError

    def _row_by_key(self, declared: RowByKey, of: Any, nodes: list[FieldNode], slot: int) -> RowStep:
        """Compile the row of one key; each request says by which of its keys."""
        read = self._read(
            (declared.model, "by key"),
            lambda by, names: declared.links[by].rows(names),
            types_of(declared.model),
            RequestKeys(lambda run: run.bindings[slot][1]),
            form=lambda bindings: ReadForm(bindings[slot][0]),
            key_type=Text(),
        )
        return RowStep(read, self._objects(of, nodes, Projection(read.types, read)))

    def _nodes(self, declared: NodesById, nodes: list[FieldNode], slot: int) -> NodeStep:
        """Compile rows of any type by their ids: one read finds the type of each id."""
        read = self._read(
            "types of nodes",
            lambda *_: declared.types.positions(),  # type: ignore[arg-type]  # SELECTs, united
            {VALUE: Integer()},
            RequestKeys(
                lambda run: [each.id for each in run.bindings[slot] if each.id is not None], many=True
            ),
        )
        read.need(VALUE)
        steps = []
        for position, model in enumerate(declared.types.models):
            of = self.compiler.types[model]
            keys: Keys = [ReadKeys(read, KEY, f"{read.column(VALUE)} = {position}")]
            with self._at(f"({of.name})"):
                steps.append(self._key_step(of, nodes) or self._row_step(Link(model), of, nodes, keys))
        return NodeStep(declared.types, read, steps)

    def _key_step(self, of: Any, nodes: list[FieldNode]) -> KeyStep | None:
        """Compile rows that exist for certain, of which only the id is selected; None if more is selected."""
        selected = self.selections.below(of, nodes)
        if any(of_key[0].name.value not in {"id", "__typename"} for _, of_key in selected):
            return None
        known = Read(None, _never_selected, {"id": Uuid()}, None, at={"id": 0})
        return KeyStep(self._objects(of, nodes, Projection(known.types, known)))

    def _read(
        self,
        what: Hashable,
        select: Callable[[Any, list[str]], Select[Any]],
        types: Mapping[str, Any],
        keys: Keys,
        **more: Any,
    ) -> Read:
        return self.reads.add(Read(what, select, types, keys, path=".".join(self.path), **more))

    def _objects(
        self, type_: Any, nodes: list[FieldNode], projection: Projection, inherited: Inherited = None
    ) -> Projection:
        """Compile the selection of objects into a projection."""
        for key, of_key in self.selections.below(type_, nodes):
            name = of_key[0].name.value
            if name == "__typename":
                projection.constant(key, type_.name)
                continue
            field = type_.fields[name]
            declared = declaration(field)
            if declared is None:
                definition = strawberry_field(field)
                if definition.base_resolver is not None or definition.python_name not in projection.types:
                    raise UnplannedError
                projection.column(key, definition.python_name)
                continue
            with self._field_at(type_, key, of_key[0]):
                try:
                    projection.step(key, *self._steps(declared, type_, of_key, projection, inherited))
                except _FieldFailsError as fails:
                    self._fail(fails, of_key)
                    projection.failure(key, fails.slot)
        return projection

    def _steps(
        self,
        declared: Any,
        type_: GraphQLObjectType,
        nodes: list[FieldNode],
        projection: Projection,
        inherited: Inherited,
    ) -> list[tuple[Step, str]]:
        """Compile a declared field into steps, each with the column that its keys are in."""
        of = get_named_type(type_.fields[nodes[0].name.value].type)
        match declared:
            case Page(link=link):
                by = link.local if link else "id"
                return [(self._page(declared, type_, nodes, _keys(projection, by)), by)]
            case Batch():
                return [self._batch(declared, type_, nodes, projection, inherited)]
            case Either():
                assert isinstance(of, GraphQLUnionType)  # noqa: S101  # as it is declared
                links = [(link, self.compiler.types[link.model]) for link in declared.links]
            case Link():
                links = [(declared, of)]
            case _:
                raise UnplannedError
        steps: list[tuple[Step, str]] = []
        for link, of_link in links:
            # Members of a union may have different fields at one key, so the path names the member.
            with self._at(f"({of_link.name})") if len(links) > 1 else nullcontext():
                step = None
                if _is_reference(model_of(type_), link) and not self.compiler.hides_rows:
                    step = self._key_step(of_link, nodes)
                made = step or self._row_step(link, of_link, nodes, _keys(projection, link.local))
                if isinstance(made, RowStep) and self.compiler.hides_rows:
                    made.complete = isinstance(type_.fields[nodes[0].name.value].type, GraphQLNonNull)
            steps.append((made, link.local))
        return steps

    def _row_step(self, link: Link, of: Any, nodes: list[FieldNode], keys: Keys) -> RowStep:
        types = types_of(link.model)
        read = self._read(
            link,
            lambda _, names: link.rows(names),
            types,
            keys,
            key_type=types[link.remote],
            key_column=link.remote,
        )
        return RowStep(read, self._objects(of, nodes, Projection(types, read)))

    def _batch(
        self,
        declared: Batch,
        type_: GraphQLObjectType,
        nodes: list[FieldNode],
        projection: Projection,
        inherited: Inherited,
    ) -> tuple[Step, str]:
        field = type_.fields[nodes[0].name.value]
        of = get_named_type(field.type)
        parent_slot = inherited[1] if inherited and declared.inherits else None
        slot = self._slot(
            type_,
            nodes[0],
            lambda arguments, context, bindings: declared.bind(
                arguments, context, None if parent_slot is None else bindings[parent_slot]
            ),
            inherits=parent_slot,
            # What is bound may be large, such as the starts of buckets, and is not to stay in a cached plan.
            each_request=declared.computation.binder is not None
            or declared.computation.situation is not None,
        )
        self.arguments.computed += declared.computation.binder is not None
        by = KEY if declared.inherits else "id"
        model = declared.model
        above = inherited[0] if inherited and declared.inherits else None
        types = _computed_columns(declared, above) if model is None else types_of(model)
        keys = _keys(projection, by)
        read = self._shared(declared, keys) or self._read(
            declared,
            declared.statement,
            types,
            keys,
            form=lambda bindings: ReadForm(
                bindings[slot].shape, bindings[slot].values, by_values=bool(bindings[slot].values)
            ),
        )
        own = Projection(types, read)
        if declared.gives is Gives.VALUE:
            own.column(VALUE, VALUE)
        elif model is not None:
            self._objects(of, nodes, own)
        else:
            self._objects(of, nodes, own, (declared, slot))
        complete = declared.gives.is_list or isinstance(field.type, GraphQLNonNull)
        return BatchStep(declared.gives, read, own, complete), by

    def _shared(self, declared: Batch, keys: Keys) -> Read | None:
        """Return an earlier read of the same batch, which can compute these keys as well at little cost."""
        if not isinstance(keys, list) or declared.model is not None:
            return None
        if declared.computation.takes_arguments or declared.inherits:
            return None
        [(above, *_)] = keys
        for read in self.reads.reads:
            if read.identity is declared and isinstance(read.keys, list) and not above.is_below(read):
                read.keys += keys
                read.path += f", {'.'.join(self.path)}"
                return read
        return None

    def _page(self, declared: Page, type_: GraphQLObjectType, nodes: list[FieldNode], keys: Keys) -> PageStep:
        slot = self._slot(
            type_,
            nodes[0],
            declared.request,
            each_request=declared.scope is not None or declared.depends_on_context,
            prepare=declared.prepare,
        )
        key_type = None if keys is None else Uuid()
        read = Read(
            (declared, "rows"),
            declared.rows,
            types_of(declared.model),
            keys,
            key_type=key_type,
            path=".".join(self.path),
        )
        step = PageStep(slot, read)
        connection = get_named_type(type_.fields[nodes[0].name.value].type)
        selected = self.selections.below(connection, nodes)
        if {of_key[0].name.value for _, of_key in selected} & {"nodes", "edges", "pageInfo"}:
            self.reads.add(read)
        for key, of_key in selected:
            name = of_key[0].name.value
            if name == "__typename":
                step.fields[key] = TypeName(connection.name)
                continue
            with self._field_at(connection, key, of_key[0]):
                step.fields[key] = self._connection_field(connection, of_key, step)
            if name in LIST_FIELDS and name not in step.list_reads:
                step.list_reads[name] = self._list_read(declared, name, keys, slot)
        read.form = PageForm(slot, read.names, step.has_cursors, step.has_page_info)
        if not read.names:
            # A statement selects something, if only rows to be counted.
            read.need("id")
        return step

    def _connection_field(
        self, connection: Any, nodes: list[FieldNode], step: PageStep
    ) -> Projection | Edges | PageInfo | ListField:
        """Compile a selected field of a connection."""
        name, read = nodes[0].name.value, step.read
        of = get_named_type(connection.fields[name].type)
        if name == "nodes":
            return self._objects(of, nodes, Projection(read.types, read))
        if name == "edges":
            return self._edges(of, nodes, read)
        if name == "pageInfo":
            return PageInfo(
                [(key, _field_name(each[0], of)) for key, each in self.selections.below(of, nodes)]
            )
        if name in LIST_FIELDS:
            return ListField(name)
        raise UnplannedError

    def _list_read(self, declared: Page, name: str, keys: Keys, slot: int) -> Read:
        """Add the read of a field about the list as a whole."""
        select, type_ = LIST_FIELDS[name]
        with self._at(name):
            read = self._read(
                (declared, name),
                lambda shape, _: select(declared, shape),
                {VALUE: type_},
                keys,
                key_type=None if keys is None else Uuid(),
                form=ListForm(slot),
            )
        read.need(VALUE)
        return read

    def _edges(self, edge: Any, nodes: list[FieldNode], read: Read) -> Edges:
        fields: list[tuple[str, str]] = []
        projections: list[tuple[str, Projection]] = []
        for key, of_key in self.selections.below(edge, nodes):
            name = _field_name(of_key[0], edge)
            fields.append((key, name))
            if name == "node":
                of = get_named_type(edge.fields["node"].type)
                with self._field_at(edge, key, of_key[0]):
                    projections.append((key, self._objects(of, of_key, Projection(read.types, read))))
        return Edges(fields, projections)

    def _slot(
        self,
        type_: GraphQLObjectType,
        node: FieldNode,
        bind: Callable[[Any, Any, Mapping[int, Any]], Any],
        *,
        inherits: int | None = None,
        each_request: bool = False,
        prepare: Prepare | None = None,
    ) -> int:
        """Have a field's arguments bound before the plan runs, and return the number of their slot.

        Arguments are bound once, while the plan is compiled, if they hold no variables and no cursors (which
        belong to a tenant), inherit nothing, are not prepared, and ``each_request`` does not ask for it.

        Raises:
            _FieldFailsError: The arguments are wrong in every request of the plan.

        """
        coerce = binding(type_.fields[node.name.value], node)
        path = ".".join(self.path)
        slot = ArgumentSlot(len(self.arguments.slots), path, coerce, bind, inherits, prepare=prepare)
        if prepare is not None:
            each_request = True
            slot = replace(slot, bind=partial(_bind_prepared, path, bind))
            self.arguments.prepared.append(slot)
        names = {argument.name.value for argument in node.arguments or ()}
        fails = slot.path in self.failing
        if not (fails or each_request or inherits is not None or names & {"after", "before"}) and not any(
            variables_in(node.arguments)
        ):
            try:
                bound = bind(coerce(self.variables), NOBODY, {})
                slot = replace(slot, coerce=lambda _: bound, bind=_coerced)
            except (AgentDataError, GraphQLError):
                fails = True
        self.arguments.slots.append(replace(slot, fails=fails))
        if fails:
            raise _FieldFailsError(slot.number)
        return slot.number

    def _fail(self, fails: _FieldFailsError, nodes: list[FieldNode]) -> None:
        """Register the failure of the field at which the compilation stands."""
        self.failures.append(Failure(tuple(self.segments), nodes, fails.slot, self.depth))

    @contextmanager
    def _at(self, key: str) -> Iterator[None]:
        """Compile in the block what stands at a key of the response."""
        self.path.append(key)
        try:
            yield
        finally:
            self.path.pop()

    @contextmanager
    def _field_at(self, type_: Any, key: str, node: FieldNode) -> Iterator[None]:
        """Compile in the block a field of a type, which stands at a key of the response."""
        field = type_.fields[node.name.value]
        loads = declaration(field) is not None
        self.segments.append(Segment(key, field.type))
        self.depth += loads
        try:
            with self._at(key):
                yield
        finally:
            self.depth -= loads
            self.segments.pop()


def _coerced(value: Any, *_: Any) -> Any:
    return value


def _bind_prepared(
    place: str,
    bind: Callable[[Any, Any, Mapping[int, Any]], Any],
    _arguments: Any,
    context: Context,
    *rest: Any,
) -> Any:
    """Bind the arguments that were prepared for a place, instead of those that were given."""
    return bind(context.preparations.prepared(place), context, *rest)


def _field_name(node: FieldNode, type_: Any) -> str:
    name = node.name.value
    return str(type_.name) if name == "__typename" else name


def _keys(projection: Projection, by: str) -> Keys:
    """Return the keys that are a column of rows, which a read selects or a write returned."""
    if projection.read is not None:
        projection.read.need(by)
        return [ReadKeys(projection.read, by)]
    return RequestKeys(lambda run: list({getattr(row, by) for row in run.written} - {None}), many=True)


def _is_reference(model: Any, link: Link) -> bool:
    """Return whether the database guarantees that a link leads to a row: its column is a foreign key."""
    if link.remote != "id" or model is None:
        return False
    column = model.__mapper__.columns[link.local]
    return any(key.column.table is link.model.__table__ for key in column.foreign_keys)


def _never_selected(*_: Any) -> Select[Any]:
    raise AssertionError("rows that are known to exist are not read")


@cache
def _computed_columns(declared: Batch, above: Batch | None) -> Mapping[str, Any]:
    """Return the columns of a batch's statement, which do not depend on its arguments.

    ``above`` is the batch whose arguments the statement takes as well.
    """
    inherited = () if above is None else above.computation.default_shape
    shape = dict(inherited) | dict(declared.computation.default_shape)
    _, *columns = declared.computation.statement(tuple(shape.items())).selected_columns
    if declared.gives is Gives.VALUE:
        return {VALUE: columns[0].type}
    return {str(column.key): column.type for column in columns}
