"""Compiles operations into plans: each declared field becomes a step, by the plain way's statements."""

from __future__ import annotations

from contextlib import contextmanager
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
    OperationType,
    get_named_type,
)
from graphql.execution.values import get_argument_values, get_directive_values
from graphql.type import GraphQLIncludeDirective, GraphQLSkipDirective
from sqlalchemy import BigInteger, Boolean, Integer, Text, Uuid

from agentdata.errors import AgentDataError
from agentdata.execution.links import Link
from agentdata.execution.plan import UnplannedError
from agentdata.execution.query import KEY, Above, Ask, GivenKeys, Query, Read, Texts
from agentdata.execution.rows import Rows
from models import Project
from resolvers.arguments import reading, variables_in
from resolvers.batches import Batch, Gives
from resolvers.computations import Derived
from resolvers.fields import DECLARED, Either, slice_of
from resolvers.mutations import Mutation
from resolvers.paging import Page
from resolvers.plans import (
    MutationPlan,
    Place,
    Plan,
    Root,
    Selected,
    Write,
    constant,
    node_rows,
    one_row,
    page_of,
    row_of,
)
from resolvers.roots import NODES, AnyNode, One, TheProject, types_of_nodes
from resolvers.steps import VALUE, BatchStep, KeyStep, LinkStep, NodeStep, PageStep, of_batch

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping

    import strawberry
    from graphql import FragmentDefinitionNode, OperationDefinitionNode, SelectionSetNode
    from graphql.execution.values import VariableValues
    from sqlalchemy import Select
    from strawberry.types.field import StrawberryField

    from agentdata.execution.plan import Run
    from agentdata.execution.rows import Step

    Keys = GivenKeys | list[Above] | None

_OF_LISTS: dict[str, tuple[Callable[[Page, Any], Select[Any]], Any]] = {
    "totalCount": (Page.totals, BigInteger()),
    "isComplete": (Page.complete, Boolean()),
}
"""The fields of connections that are about the list as a whole: their statements and types."""


class Planner:
    """Compiles the operations of one schema."""

    def __init__(self, schema: strawberry.Schema, texts: Texts | None = None) -> None:
        self.schema = schema
        self.core = schema._schema  # noqa: SLF001  # Strawberry has no public name for it
        self.texts = texts or Texts()

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
        self.reads = Query(planner.texts)
        self.plan = Plan(self.reads)
        self.path: list[str] = []

    def query(self, selection_set: SelectionSetNode) -> Plan:
        type_ = self.planner.core.query_type
        assert type_ is not None  # noqa: S101  # a schema has a query type
        reads = False
        for key, nodes in self._collect(type_, [selection_set]).items():
            name = nodes[0].name.value
            if name == "__typename":
                self.plan.roots.append(Root(key, constant(type_.name)))
            elif name.startswith("__"):
                raise UnplannedError
            else:
                with self._at(key):
                    self.plan.roots.append(Root(key, self._root(type_, key, nodes)))
                reads = True
        if not reads:
            raise UnplannedError
        self.reads.lay_out()
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
            given = partial(get_argument_values, type_.fields[nodes[0].name.value], nodes[0])
            with self._at(key):
                plan.writes.append(Write(key, nodes, declared, given, self._selected_of(of, nodes)))
        return plan

    def _selected_of(self, of: Any, nodes: list[FieldNode]) -> Selected:
        if any(model.__name__ == of.name for model in NODES):
            # What is read for the rows of each write is read after it, so it is a statement of its own.
            self.reads = Query(self.planner.texts)
            selected = Selected(self.reads, self._rows(of, nodes, Rows(_types(of.name))))
            self.reads.lay_out()
            return selected
        selected = Selected()
        for key, of_key in self._selected(of, nodes):
            name = of_key[0].name.value
            if name == "__typename":
                selected.constants[key] = of.name
                selected.fields.append((key, "", None))
                continue
            below = get_named_type(of.fields[name].type)
            is_object = isinstance(below, GraphQLObjectType)
            attribute = self._field(of, of_key[0]).python_name
            with self._at(key):
                made = self._selected_of(below, of_key) if is_object else None
            selected.fields.append((key, attribute, made))
        return selected

    def _root(self, parent: GraphQLObjectType, key: str, nodes: list[FieldNode]) -> Callable[[Run], Any]:
        declared = self._field(parent, nodes[0]).metadata.get(DECLARED)
        of = get_named_type(parent.fields[nodes[0].name.value].type)
        match declared:
            case Page():
                return partial(page_of, self._page(declared, parent, nodes, None))
            case TheProject():
                own = GivenKeys(lambda run: run.principal.project_id)
                return partial(row_of, self._link_step(Link(Project), of, nodes, own))
            case One():
                place = self._ask(
                    parent, nodes[0], lambda given, *_: (*declared.sought(given), declared.missing(given))
                )
                return partial(one_row, self._one(declared, of, nodes, place), place, nodes, key)
            case AnyNode():
                place = self._ask(parent, nodes[0], lambda given, *_: declared.sought(given))
                step = self._node(nodes, place)
                return partial(node_rows, declared, step, place, nodes, key)
        raise UnplannedError

    def _one(self, declared: One, of: Any, nodes: list[FieldNode], place: int) -> LinkStep:
        """Compile the row of one of its keys; by which one, each request says."""
        read = self._read(
            (declared.model, "one"),
            lambda by, names: declared.links[by].rows(names),
            _types(declared.model.__name__),
            GivenKeys(lambda run: run.given[place][1]),
            ask=lambda given: Ask(given[place][0]),
            key_type=Text(),
        )
        return LinkStep(read, self._rows(of, nodes, Rows(read.types, read)))

    def _node(self, nodes: list[FieldNode], place: int) -> NodeStep:
        """Compile rows of whatever type: which one each id has is read first."""
        types = self._read(
            "types of nodes",
            lambda *_: types_of_nodes(),  # type: ignore[arg-type]  # selects, united
            {"place": Integer()},
            GivenKeys(lambda run: [each.id for each in run.given[place] if each.id is not None], many=True),
        )
        types.need("place")
        steps = []
        for index, model in enumerate(NODES):
            of = self.planner.core.type_map[model.__name__]
            keys: Keys = [Above(types, KEY, f"{types.column('place')} = {index}")]
            with self._at(f"({of.name})"):
                steps.append(self._only_key(of, nodes) or self._link_step(Link(model), of, nodes, keys))
        return NodeStep(types, steps)

    def _only_key(self, of: Any, nodes: list[FieldNode]) -> KeyStep | None:
        """Compile rows of which nothing but the id is selected, and that are known to be there."""
        selected = self._selected(of, nodes)
        if any(of_key[0].name.value not in {"id", "__typename"} for _, of_key in selected):
            return None
        known = Read(None, _nothing, {"id": Uuid()}, None, at={"id": 0})
        return KeyStep(self._rows(of, nodes, Rows(known.types, known)))

    def _read(
        self,
        what: Hashable,
        select: Callable[[Any, list[str]], Select[Any]],
        types: Mapping[str, Any],
        keys: Keys,
        **more: Any,
    ) -> Read:
        return self.reads.add(Read(what, select, types, keys, path=".".join(self.path), **more))

    def _rows(
        self, type_: Any, nodes: list[FieldNode], rows: Rows, parent: tuple[Batch, int] | None = None
    ) -> Rows:
        """Compile what is selected of an object."""
        for key, of_key in self._selected(type_, nodes):
            name = of_key[0].name.value
            if name == "__typename":
                rows.constant(key, type_.name)
                continue
            declaring = self._field(type_, of_key[0])
            declared = declaring.metadata.get(DECLARED)
            if declared is None:
                if declaring.base_resolver is not None or declaring.python_name not in rows.types:
                    raise UnplannedError
                rows.column(key, declaring.python_name)
            else:
                with self._at(key):
                    rows.step(key, *self._steps(declared, type_, of_key, rows, parent))
        return rows

    def _steps(
        self,
        declared: Any,
        type_: GraphQLObjectType,
        nodes: list[FieldNode],
        rows: Rows,
        parent: tuple[Batch, int] | None,
    ) -> list[tuple[Step, str]]:
        of = get_named_type(type_.fields[nodes[0].name.value].type)
        match declared:
            case Page(link=link):
                by = link.local if link else "id"
                return [(self._page(declared, type_, nodes, _keys(rows, by)), by)]
            case Batch():
                return [self._batch(declared, type_, nodes, rows, parent)]
            case Either():
                assert isinstance(of, GraphQLUnionType)  # noqa: S101  # as it is declared
                links = [(link, self.planner.core.type_map[link.model.__name__]) for link in declared.links]
            case Link():
                links = [(declared, of)]
            case _:
                raise UnplannedError
        steps: list[tuple[Step, str]] = []
        for link, of_link in links:
            step = self._only_key(of_link, nodes) if _is_kept(type_.name, link) else None
            made = step or self._link_step(link, of_link, nodes, _keys(rows, link.local))
            steps.append((made, link.local))
        return steps

    def _link_step(self, link: Link, of: Any, nodes: list[FieldNode], keys: Keys) -> LinkStep:
        types = _types(link.model.__name__)
        read = self._read(
            link,
            lambda _, names: link.rows(names),
            types,
            keys,
            key_type=types[link.remote],
            same=link.remote,
        )
        return LinkStep(read, self._rows(of, nodes, Rows(types, read)))

    def _batch(
        self,
        declared: Batch,
        type_: GraphQLObjectType,
        nodes: list[FieldNode],
        rows: Rows,
        parent: tuple[Batch, int] | None,
    ) -> tuple[Step, str]:
        of = get_named_type(type_.fields[nodes[0].name.value].type)
        place = self._ask(
            type_,
            nodes[0],
            lambda given, earlier, _: declared.given(given, earlier[parent[1]] if parent else None),
            follows=declared.inherits,
        )
        by = KEY if declared.inherits else "id"
        model = declared.model
        types = self._computed(declared, parent) if model is None else _types(model.__name__)
        keys = _keys(rows, by)
        read = self._shared(declared, keys) or self._read(
            declared,
            partial(of_batch, declared),
            types,
            keys,
            ask=lambda given: Ask(given[place].shape, given[place].values),
        )
        own = Rows(types, read)
        if declared.gives is Gives.VALUE:
            own.column("value", "value")
        elif model is not None:
            self._rows(of, nodes, own)
        else:
            self._rows(of, nodes, own, (declared, place))
        return BatchStep(declared.gives, read, own), by

    def _shared(self, declared: Batch, keys: Keys) -> Read | None:
        """Give the read of a batch that computes the same for other rows, for which it costs little more."""
        if not isinstance(keys, list) or declared.model is not None:
            return None
        if declared.computation.takes_arguments or declared.inherits:
            return None
        [(above, *_)] = keys
        for read in self.reads.reads:
            if read.what is declared and isinstance(read.keys, list) and not above.is_below(read):
                read.keys += keys
                read.path += f", {'.'.join(self.path)}"
                return read
        return None

    def _computed(self, declared: Batch, parent: tuple[Batch, int] | None) -> Mapping[str, Any]:
        """Give the columns that a batch's statement gives, which do not depend on what is asked."""
        above = parent[0].computation.unasked if declared.inherits and parent else ()
        shape = dict(above) | dict(declared.computation.unasked)
        _, *columns = declared.computation.statement(tuple(shape.items())).selected_columns
        return {str(column.key): column.type for column in columns}

    def _page(self, declared: Page, type_: GraphQLObjectType, nodes: list[FieldNode], keys: Keys) -> PageStep:
        self.plan.scopes.add(declared.scope)
        place = self._ask(type_, nodes[0], lambda given, _, project_id: slice_of(declared, project_id, given))
        types = _columns(declared.model)
        key_type = None if keys is None else Uuid()
        read = Read((declared, "rows"), declared.rows, types, keys, key_type=key_type)
        step = PageStep(declared, place, read)
        read.ask = step.ask
        connection = get_named_type(type_.fields[nodes[0].name.value].type)
        selected = dict(self._selected(connection, nodes))
        names = {of_key[0].name.value for of_key in selected.values()}
        if names & {"nodes", "edges", "pageInfo"}:
            read.path = ".".join(self.path)
            self.reads.add(read)
        for name in [name for name in _OF_LISTS if name in names]:
            step.list_reads[name] = self._of_list(declared, name, keys, step)
        for key, of_key in selected.items():
            step.order.append(key)
            name = of_key[0].name.value
            of = None if name == "__typename" else get_named_type(connection.fields[name].type)
            with self._at(key):
                if name == "__typename":
                    step.typenames.append((key, connection.name))
                elif name == "nodes":
                    step.nodes.append((key, self._rows(of, of_key, Rows(types, read))))
                elif name in _OF_LISTS:
                    step.of_lists.append((key, name))
                elif name == "pageInfo":
                    step.infos.append((key, [(k, _known(ns[0], of)) for k, ns in self._selected(of, of_key)]))
                elif name == "edges":
                    step.edges.append(self._edges(key, of, of_key, read))
                else:
                    raise UnplannedError
        if not read.names:
            # A statement selects something, if only to be counted.
            read.need("id")
        return step

    def _of_list(self, declared: Page, name: str, keys: Keys, step: PageStep) -> Read:
        """Compile a field of a connection that is about the list as a whole."""
        select, type_ = _OF_LISTS[name]
        with self._at(name):
            read = self._read(
                (declared, name),
                lambda shape, _: select(declared, shape),
                {VALUE: type_},
                keys,
                key_type=None if keys is None else Uuid(),
                ask=step.ask_list,
            )
        read.need(VALUE)
        return read

    def _edges(
        self, key: str, edge: Any, nodes: list[FieldNode], read: Read
    ) -> tuple[str, list[tuple[str, str]], list[tuple[str, Rows]]]:
        fields = [(k, ns, _known(ns[0], edge)) for k, ns in self._selected(edge, nodes)]
        of = get_named_type(edge.fields["node"].type)
        rows = []
        for k, ns, what in fields:
            if what == "node":
                with self._at(k):
                    rows.append((k, self._rows(of, ns, Rows(read.types, read))))
        return key, [(k, what) for k, _, what in fields], rows

    def _ask(
        self,
        type_: GraphQLObjectType,
        node: FieldNode,
        read: Callable[[Mapping[str, Any], Mapping[int, Any], UUID], Any],
        *,
        follows: bool = False,
    ) -> int:
        """Have a field's arguments read before the plan runs, and give where what they ask will stand.

        What does not depend on variables, nor on a project's cursors, nor ``follows`` what another field asks
        is read once.
        """
        arguments = reading(type_.fields[node.name.value], node)
        place = len(self.plan.places)
        names = {argument.name.value for argument in node.arguments or ()}
        if not follows and not names & {"after", "before"} and not any(variables_in(node.arguments)):
            try:
                asked = read(arguments(self.variables), {}, UUID(int=0))
            except (AgentDataError, GraphQLError):
                raise UnplannedError from None
            self.plan.places.append(Place(place, lambda *_: asked))
            return place

        def given(variables: VariableValues, earlier: Mapping[int, Any], project_id: UUID) -> Any:
            return read(arguments(variables), earlier, project_id)

        self.plan.places.append(Place(place, given))
        return place

    def _field(self, type_: GraphQLObjectType, node: FieldNode) -> StrawberryField:
        field: StrawberryField = type_.fields[node.name.value].extensions["strawberry-definition"]
        return field

    @contextmanager
    def _at(self, key: str) -> Iterator[None]:
        """Say where in the document what is compiled in the block is asked for."""
        self.path.append(key)
        yield
        self.path.pop()

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


def _known(node: FieldNode, type_: Any) -> str:
    name = node.name.value
    return str(type_.name) if name == "__typename" else name


def _models() -> Mapping[str, Any]:
    """Give the models of rows, read or computed, by the names of their types."""
    return {model.__name__: model for model in (*NODES, *Derived.__subclasses__())}


def _keys(rows: Rows, by: str) -> Keys:
    """Give the keys that are a column of rows: inside the database, or of those that a write gave."""
    if rows.read is not None:
        rows.read.need(by)
        return [Above(rows.read, by)]
    return GivenKeys(lambda run: list({getattr(row, by) for row in run.written} - {None}), many=True)


def _is_kept(parent: str, link: Link) -> bool:
    """Tell whether the database keeps a link from leading nowhere: its column is a reference."""
    model = _models().get(parent)
    if link.remote != "id" or model is None:
        return False
    column = model.__mapper__.columns[link.local]
    return any(key.column.table is link.model.__table__ for key in column.foreign_keys)


def _nothing(*_: Any) -> Select[Any]:
    raise AssertionError("what is known is not read")


def _types(name: str) -> Mapping[str, Any]:
    return _columns(_models()[name])


def _columns(model: Any) -> Mapping[str, Any]:
    return {key: column.type for key, column in model.__mapper__.columns.items()}
