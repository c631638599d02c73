"""Compiles operations into plans: each declared field becomes a step, by the plain way's statements."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from graphql import (
    FieldNode,
    FragmentSpreadNode,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLUnionType,
    InlineFragmentNode,
    Node,
    OperationType,
    VariableNode,
    get_named_type,
)
from graphql.execution.values import get_argument_values, get_directive_values
from graphql.type import GraphQLIncludeDirective, GraphQLSkipDirective
from strawberry.types.arguments import convert_arguments

from agentdata.execution.links import Link
from agentdata.execution.plan import Rows, Run, UnplannedError
from resolvers.batches import Batch, Gives
from resolvers.fields import DECLARED, Either, slice_of
from resolvers.mutations import Mutation
from resolvers.paging import Page
from resolvers.roots import NODES, AnyNode, One, TheProject

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    import strawberry
    from graphql import FragmentDefinitionNode, OperationDefinitionNode, SelectionSetNode
    from graphql.execution.values import VariableValues
    from strawberry.types.field import StrawberryField

    from agentdata.execution.plan import Step
from resolvers.plans import (
    PROJECT,
    Asked,
    MutationPlan,
    Plan,
    Root,
    Selected,
    Write,
    constant,
    node_rows,
    one_row,
    page_of,
    project_row,
)
from resolvers.steps import KEY, BatchStep, LinkStep, NodeStep, PageStep


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
                self.plan.roots.append(Root(key, constant(type_.name)))
            elif name.startswith("__"):
                raise UnplannedError
            else:
                self.plan.roots.append(Root(key, self._root(type_, key, nodes)))
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
            given = partial(get_argument_values, type_.fields[nodes[0].name.value], nodes[0])
            plan.writes.append(Write(key, nodes, declared, given, self._selected_of(of, nodes)))
        return plan

    def _selected_of(self, of: Any, nodes: list[FieldNode]) -> Selected:
        if any(model.__name__ == of.name for model in NODES):
            return Selected(self._rows(of, nodes, _types(of.name)))
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
            selected.fields.append((key, attribute, self._selected_of(below, of_key) if is_object else None))
        return selected

    def _root(self, parent: GraphQLObjectType, key: str, nodes: list[FieldNode]) -> Callable[[Run], Any]:
        declared = self._field(parent, nodes[0]).metadata.get(DECLARED)
        of = get_named_type(parent.fields[nodes[0].name.value].type)
        match declared:
            case Page():
                return partial(page_of, self._page(declared, parent, nodes))
            case TheProject():
                step = LinkStep(
                    _link(NODES.index(_model("Project"))), self._rows(of, nodes, _types("Project"))
                )
                return partial(project_row, step)
            case One():
                rows = self._rows(of, nodes, _types(declared.model.__name__))
                steps = {name: LinkStep(link, rows) for name, link in declared.links.items()}
                place = self._ask(
                    parent, nodes[0], lambda given, _: (*declared.sought(given), declared.missing(given))
                )
                return partial(one_row, steps, place, nodes, key)
            case AnyNode():
                step_of = NodeStep([self._node_step(model.__name__, nodes) for model in NODES])
                place = self._ask(parent, nodes[0], lambda given, _: declared.sought(given))
                return partial(node_rows, declared, step_of, place, nodes, key)
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
            type_, nodes[0], lambda given, earlier: slice_of(declared, earlier[PROJECT], **given)
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
        self.plan.asked.append(Asked(place, given))
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
