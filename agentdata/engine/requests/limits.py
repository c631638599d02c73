"""Limits on what one document may ask for. Measuring visits each selection and each fragment once."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache, reduce
from math import prod
from typing import TYPE_CHECKING, Any, NamedTuple

from graphql import (
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLInputObjectType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    InlineFragmentNode,
    IntValueNode,
    VariableNode,
    get_named_type,
    is_abstract_type,
    is_composite_type,
)
from graphql.pyutils import Undefined

from agentdata.engine.binding.arguments import argument_value, variables_in
from agentdata.engine.costs import COST, Cost
from agentdata.engine.fields.declare import Either
from agentdata.engine.fields.mutations import WriteField
from agentdata.engine.plans.compiler import LIST_FIELDS
from agentdata.engine.requests.conditions import NONE, Conditions, of_literal, of_value
from agentdata.engine.sql.pages import DEFAULT_SIZE, Page
from agentdata.engine.strawberry_access import declaration, metadata, strawberry_field
from agentdata.errors import LimitExceededError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from graphql import (
        GraphQLField,
        GraphQLNamedType,
        GraphQLOutputType,
        GraphQLSchema,
        NamedTypeNode,
        OperationDefinitionNode,
        SelectionSetNode,
        ValueNode,
    )
    from graphql.execution.values import VariableValues

SHORT_LIST_SIZE = 5
"""The assumed size of a list that states none, if it has no pages or leads to no further rows.

The tool calls of a message are such a list: they could fill a page, but hardly ever do.
"""

INTROSPECTION_ROWS = 100_000
"""The rows that `__schema` or `__type` counts as: it takes the server as long as a large read."""

_MOST = 10**15
"""Measures stop here: beyond it, it does not matter by how much a limit is passed."""


@dataclass(frozen=True)
class Limits:
    """The most that one request may ask for."""

    characters: int = 200_000
    tokens: int = 5_000
    depth: int = 25
    root_fields: int = 50
    aliases: int = 200
    rows: int = 1_000_000
    fields: int = 5_000
    reads: int = 500
    conditions: int = 500
    relations: int = 50
    steps: int = 6
    name: int = 200

    def check_length(self, document: str) -> None:
        """Refuse a document that takes too long to read.

        Raises:
            LimitExceededError: It has too many characters.

        """
        if len(document) > self.characters:
            raise LimitExceededError(
                f"the document has {len(document)} characters, more than the limit of {self.characters};"
                " send long values as variables",
                field="query",
            )

    def check(self, size: Size) -> None:
        """Refuse an operation that is too large.

        Raises:
            LimitExceededError: The operation passes a limit; the message says which, and the way out.

        """
        for found, limit, said, advice in (
            (size.depth, self.depth, "nests {} fields deep", "select the inner parts in further requests"),
            (size.root_fields, self.root_fields, "has {} root fields", "send some in further requests"),
            (size.aliases, self.aliases, "has {} aliases", "ask for lists or send several requests"),
            (
                size.rows,
                self.rows,
                "may read {} rows",
                "ask for smaller pages by `first` or for fewer nested lists",
            ),
            (
                size.fields,
                self.fields,
                "selects {} fields, each fragment counted wherever it is spread",
                "spread fewer fragments, or send several requests",
            ),
            (
                size.reads,
                self.reads,
                "makes {} reads (relations, pages, totals and computed fields)",
                "select fewer of them, or send several requests",
            ),
            (
                size.conditions.number,
                self.conditions,
                "has {} conditions in its filters and orders",
                "list values with `in`, or send several requests",
            ),
            (
                size.conditions.relations,
                self.relations,
                "follows {} relations in its filters",
                "put the conditions on one related object together, or send several requests",
            ),
            (
                size.conditions.steps,
                self.steps,
                "follows {} relations inside of each other in a filter",
                "look up the ids of the inner objects first, and filter by them",
            ),
            (
                size.name,
                self.name,
                "has an alias of {} characters",
                "choose a shorter one",
            ),
        ):
            if found > limit:
                number = f"{found:,}" if found < _MOST else f"more than {_MOST:,}"
                raise LimitExceededError(
                    f"the operation {said.format(number)}, above the limit of {limit:,}; {advice}",
                    field="query",
                )


class Size(NamedTuple):
    """What an operation, or a part of it, asks for. Parts that are spread many times count as often."""

    depth: int = 0
    root_fields: int = 0
    aliases: int = 0
    rows: int = 0
    """An upper estimate: the product of the page sizes, and of the buckets of series, down each path."""
    fields: int = 0
    """How many selections a compiler visits: once for each type that objects may have."""
    reads: int = 0
    """How many sets of rows are read."""
    conditions: Conditions = NONE
    """The conditions of all filters and orders."""
    name: int = 0
    """The length of the longest alias."""

    def beside(self, other: Size) -> Size:
        """Put two parts of one selection together."""
        return Size(
            max(self.depth, other.depth),
            min(self.root_fields + other.root_fields, _MOST),
            min(self.aliases + other.aliases, _MOST),
            min(self.rows + other.rows, _MOST),
            min(self.fields + other.fields, _MOST),
            min(self.reads + other.reads, _MOST),
            _capped(self.conditions.beside(other.conditions)),
            max(self.name, other.name),
        )


def _capped(conditions: Conditions) -> Conditions:
    number, relations, steps = conditions
    return Conditions(min(number, _MOST), min(relations, _MOST), steps)


@dataclass
class Measure:
    """Measures a valid operation of a document whose fragments form no cycle."""

    schema: GraphQLSchema
    fragments: Mapping[str, FragmentDefinitionNode]
    variables: VariableValues
    size_variables: set[str] = field(default_factory=set, init=False)
    """The variables that the size depends on, known after measuring."""
    filter_variables: dict[str, GraphQLInputObjectType] = field(default_factory=dict, init=False)
    """The variables whose conditions count, and the type of the objects in them, known after measuring."""
    _spread: dict[str, Size] = field(default_factory=dict, init=False)

    def operation(self, operation: OperationDefinitionNode) -> Size:
        """Return the size of the operation.

        Raises:
            LimitExceededError: A filter nests too deep.

        """
        return self._selection(operation.selection_set, self.schema.get_root_type(operation.operation))

    def _selection(self, selection_set: SelectionSetNode, parent: GraphQLNamedType | None) -> Size:
        size = Size()
        # A compiler visits the selection once for each type that the objects may have.
        types = self._number_of_types(parent)
        for node in selection_set.selections:
            if isinstance(node, FieldNode):
                found = self._field(node, parent)
                size = size.beside(
                    found._replace(
                        fields=min(found.fields * types, _MOST), reads=min(found.reads * types, _MOST)
                    )
                )
                continue
            if isinstance(node, FragmentSpreadNode):
                fragment = self.fragments[node.name.value]
                condition: NamedTypeNode | None
                condition, found = fragment.type_condition, self._fragment(fragment)
            elif isinstance(node, InlineFragmentNode):
                condition, found = node.type_condition, self._inline(node, parent)
            else:
                continue
            # Objects of several types have a read for each type of which more than the id is selected.
            on = self.schema.get_type(condition.name.value) if condition else parent
            reads = 0 if types == 1 else self._number_of_types(on)
            size = size.beside(found).beside(Size(fields=types, reads=reads))
        return size

    def _number_of_types(self, type_: GraphQLNamedType | None) -> int:
        return len(self.schema.get_possible_types(type_)) if is_abstract_type(type_) else 1

    def _fragment(self, fragment: FragmentDefinitionNode) -> Size:
        name = fragment.name.value
        if name not in self._spread:
            on = self.schema.get_type(fragment.type_condition.name.value)
            self._spread[name] = self._selection(fragment.selection_set, on)
        return self._spread[name]

    def _inline(self, node: InlineFragmentNode, parent: GraphQLNamedType | None) -> Size:
        condition = node.type_condition
        return self._selection(
            node.selection_set, self.schema.get_type(condition.name.value) if condition else parent
        )

    def _field(self, node: FieldNode, parent: GraphQLNamedType | None) -> Size:
        aliases, length = (1, len(node.alias.value)) if node.alias else (0, 0)
        name = node.name.value
        declared: GraphQLField | None = parent and self.schema.get_field(parent, name)  # type: ignore[arg-type, assignment]  # a valid document selects from composite types only
        alone = Size(1, 1, aliases, 0, fields=1, name=length)
        if declared is None:
            return alone
        how = declaration(declared)
        given = {argument.name.value: argument.value for argument in node.arguments or ()}
        reads = _reads(how, name)
        conditions = NONE if isinstance(how, WriteField) else self._conditions(declared, given)
        if node.selection_set is None:
            return alone._replace(reads=reads, conditions=conditions)
        inner_type = get_named_type(declared.type)
        inner = self._selection(node.selection_set, inner_type)
        size = Size(
            inner.depth + 1,
            1,
            min(inner.aliases + aliases, _MOST),
            fields=inner.fields + 1,
            reads=inner.reads + reads,
            conditions=inner.conditions.beside(conditions),
            name=max(inner.name, length),
        )
        if name in {"__schema", "__type"}:
            # How deep it may go is the validation's to say. Each alias may list a part of the schema again.
            return size._replace(depth=1, aliases=aliases, rows=INTROSPECTION_ROWS * (1 + inner.aliases))
        own, objects = self.objects(given, declared, parent, leads_on=inner.rows > 0)
        beside = _cost(declared).rows
        return size._replace(rows=min(beside + objects * (own + inner.rows), _MOST))

    def _conditions(self, declared: GraphQLField, given: Mapping[str, ValueNode]) -> Conditions:
        """Count the conditions in the arguments of a field that reads."""
        found = [
            of_literal(value, type_, self._conditions_of_variable)
            for name, value in given.items()
            if isinstance(type_ := get_named_type(declared.args[name].type), GraphQLInputObjectType)
        ]
        together = reduce(Conditions.beside, found, NONE)
        if given.keys().isdisjoint({"after", "before"}):
            return together
        # The rows behind a cursor are a range for each key of the order, and each repeats the filter.
        return together._replace(number=prod(1 + each.number for each in found) - 1)

    def _conditions_of_variable(self, node: VariableNode, type_: GraphQLInputObjectType) -> Conditions:
        self.filter_variables[node.name.value] = type_
        return of_value(self.variables.coerced.get(node.name.value), type_)

    def objects(
        self,
        given: Mapping[str, ValueNode],
        declared: GraphQLField,
        parent: GraphQLNamedType | None,
        *,
        leads_on: bool,
    ) -> tuple[int, int]:
        """Return how many rows an object of the field stands for, and how many objects a parent may have."""
        if isinstance(declaration(declared), Page):
            sizes = [self._number(given[name]) for name in ("first", "last") if name in given]
            unstated = DEFAULT_SIZE if leads_on else SHORT_LIST_SIZE
            return 1, max((size for size in sizes if size is not None), default=unstated)
        if parent is not None and parent.name in _parts_of_pages(self.schema):
            # The rows of a page were counted at the field that is the page.
            return 0, 1
        cost = _cost(declared)
        if cost.arguments:
            return 1, self._declared_objects(cost, given, declared)
        return 1, SHORT_LIST_SIZE if _is_list_of_objects(declared.type) else 1

    def _declared_objects(self, cost: Cost, given: Mapping[str, ValueNode], declared: GraphQLField) -> int:
        """Return how many objects a field may have by its declared cost; none if an argument is wrong."""
        names = {each.python_name: name for name, each in _arguments(declared)}
        nodes = {python_name: given.get(names[python_name]) for python_name in cost.arguments}
        self.size_variables.update(each.name.value for each in variables_in(filter(None, nodes.values())))
        values: dict[str, Any] = {}
        for python_name, node in nodes.items():
            definition = declared.args[names[python_name]]
            required = isinstance(definition.type, GraphQLNonNull)
            value = argument_value(definition, node, self.variables)
            if value is Undefined:
                # A variable that was not sent leaves an optional argument out; a literal is wrong.
                if required or not (node is None or isinstance(node, VariableNode)):
                    return 0
            elif value is None and required:
                return 0
            else:
                values[python_name] = value
        return cost.objects(values)

    def _number(self, node: ValueNode) -> int | None:
        """Return the size that an argument asks for, or None if it is null."""
        match node:
            case IntValueNode():
                return max(int(node.value), 0)
            case VariableNode():
                self.size_variables.add(node.name.value)
                value = self.variables.coerced.get(node.name.value)
                return max(value, 0) if isinstance(value, int) else None
            case _:
                return None


def _reads(how: Any, name: str) -> int:
    """Return how many sets of rows a field reads, by its declaration."""
    if how is None:
        return int(name in LIST_FIELDS)
    if isinstance(how, Either):
        return len(how.links)
    return 0 if isinstance(how, WriteField) else 1


_NO_COST = Cost()


def _cost(declared: GraphQLField) -> Cost:
    return metadata(declared).get(COST) or _NO_COST


def _arguments(declared: GraphQLField) -> Iterator[tuple[str, Any]]:
    """Yield the arguments of a field, as they were declared, by their names in the contract."""
    return zip(declared.args, strawberry_field(declared).arguments, strict=True)


@cache
def _parts_of_pages(schema: GraphQLSchema) -> frozenset[str]:
    """Return the names of the types that connections are made of."""
    connections = {
        get_named_type(field.type)
        for type_ in schema.type_map.values()
        if isinstance(type_, GraphQLObjectType)
        for field in type_.fields.values()
        if isinstance(declaration(field), Page)
    }
    edges = {get_named_type(connection.fields["edges"].type) for connection in connections}
    return frozenset(type_.name for type_ in connections | edges)


def _is_list_of_objects(type_: GraphQLOutputType) -> bool:
    outer = type_.of_type if isinstance(type_, GraphQLNonNull) else type_
    return isinstance(outer, GraphQLList) and is_composite_type(get_named_type(type_))
