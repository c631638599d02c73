"""How much one document may ask for. Measuring visits each selection and each fragment once."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import TYPE_CHECKING, Any, NamedTuple

from graphql import (
    EnumValueNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLList,
    GraphQLNonNull,
    InlineFragmentNode,
    IntValueNode,
    ListValueNode,
    NullValueNode,
    VariableNode,
    get_named_type,
    is_composite_type,
)
from graphql.utilities import coerce_input_literal

from agentdata.errors import LimitExceededError
from agentdata.execution.buckets import DEFAULT_GROUPS, most_in_all

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping

    from graphql import (
        GraphQLField,
        GraphQLNamedType,
        GraphQLOutputType,
        GraphQLSchema,
        OperationDefinitionNode,
        SelectionSetNode,
        ValueNode,
    )

DEFAULT_PAGE_SIZE = 50
"""The size of a page where the operation does not say one."""

SHORT_LIST_SIZE = 5
"""What a list of unstated size counts as where it has no pages or leads to no further rows.

The tool calls of a message are such a list: they could fill a page, but hardly ever do.
"""

SEARCH_ROWS = 50_000
"""What a search by text counts as beside its page: it ranks thousands of texts to find the best."""

INTROSPECTION_ROWS = 100_000
"""What `__schema` or `__type` counts as: it takes the server as long as a large read."""

_MOST = 10**15
"""Measures stop here: beyond it, nobody cares by how much a limit is passed."""


@dataclass(frozen=True)
class Limits:
    """The most that one request may ask for."""

    characters: int = 200_000
    tokens: int = 5_000
    depth: int = 25
    root_fields: int = 50
    aliases: int = 200
    rows: int = 1_000_000

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

    def beside(self, other: Size) -> Size:
        """Put two parts of one selection together."""
        return Size(
            max(self.depth, other.depth),
            min(self.root_fields + other.root_fields, _MOST),
            min(self.aliases + other.aliases, _MOST),
            min(self.rows + other.rows, _MOST),
        )


@dataclass
class Measure:
    """Measures a valid operation of a document whose fragments form no cycle."""

    schema: GraphQLSchema
    fragments: Mapping[str, FragmentDefinitionNode]
    variables: Mapping[str, Any]
    page_variables: set[str] = field(default_factory=set, init=False)
    """The variables that sizes depend on, known after measuring."""
    _spread: dict[str, Size] = field(default_factory=dict, init=False)

    def operation(self, operation: OperationDefinitionNode) -> Size:
        """Give the size of the operation."""
        return self._selection(operation.selection_set, self.schema.get_root_type(operation.operation))

    def _selection(self, selection_set: SelectionSetNode, parent: GraphQLNamedType | None) -> Size:
        size = Size()
        for node in selection_set.selections:
            if isinstance(node, FieldNode):
                size = size.beside(self._field(node, parent))
            elif isinstance(node, FragmentSpreadNode):
                size = size.beside(self._fragment(node.name.value))
            elif isinstance(node, InlineFragmentNode):
                size = size.beside(self._inline(node, parent))
        return size

    def _fragment(self, name: str) -> Size:
        if name not in self._spread:
            fragment = self.fragments[name]
            on = self.schema.get_type(fragment.type_condition.name.value)
            self._spread[name] = self._selection(fragment.selection_set, on)
        return self._spread[name]

    def _inline(self, node: InlineFragmentNode, parent: GraphQLNamedType | None) -> Size:
        condition = node.type_condition
        return self._selection(
            node.selection_set, self.schema.get_type(condition.name.value) if condition else parent
        )

    def _field(self, node: FieldNode, parent: GraphQLNamedType | None) -> Size:
        aliases = 1 if node.alias else 0
        name = node.name.value
        if name in {"__schema", "__type"}:
            # How deep it may go is the validation's to say.
            return Size(1, 1, aliases, INTROSPECTION_ROWS)
        declared: GraphQLField | None = parent and self.schema.get_field(parent, name)  # type: ignore[arg-type, assignment]  # a valid document selects from composite types only
        if declared is None or node.selection_set is None:
            return Size(1, 1, aliases, 0)
        inner_type = get_named_type(declared.type)
        inner = self._selection(node.selection_set, inner_type)
        own, times = self._rows(node, declared, parent, leads_on=inner.rows > 0)
        ranked = SEARCH_ROWS if "query" in declared.args else 0
        return Size(
            inner.depth + 1,
            1,
            min(inner.aliases + aliases, _MOST),
            min(ranked + times * (own + inner.rows), _MOST),
        )

    def _rows(
        self, node: FieldNode, declared: GraphQLField, parent: GraphQLNamedType | None, *, leads_on: bool
    ) -> tuple[int, int]:
        """Give how many rows each object of a field stands for, and how many objects there may be."""
        given = {argument.name.value: argument.value for argument in node.arguments or ()}
        if "first" in declared.args or "last" in declared.args:
            sizes = [self._number(given[name]) for name in ("first", "last") if name in given]
            unstated = DEFAULT_PAGE_SIZE if leads_on else SHORT_LIST_SIZE
            return 1, max((size for size in sizes if size is not None), default=unstated)
        if parent is not None and parent.name.endswith(("Connection", "Edge")):
            # The rows of a page were counted at the field that gave the page.
            return 0, 1
        if "interval" in declared.args:
            return 1, self._buckets(given, declared)
        if _is_list_of_objects(declared.type):
            number = self._number(given["ids"]) if "ids" in given else None
            return 1, SHORT_LIST_SIZE if number is None else number
        return 1, 1

    def _buckets(self, given: Mapping[str, ValueNode], declared: GraphQLField) -> int:
        """Give how many buckets a series may have by its arguments. One that has too many reads nothing."""
        values = []
        for name in ("from", "to", "interval"):
            node = given[name]
            if isinstance(node, VariableNode):
                self.page_variables.add(node.name.value)
                values.append(self.variables.get(node.name.value))
            else:
                values.append(coerce_input_literal(node, declared.args[name].type))
        begin, end, interval = values
        if begin is None or end is None or interval is None:
            # A variable that may be null is; the field refuses it.
            return 0
        by_utc = "timeZone" not in given
        return most_in_all(begin, end, interval.value, self._groups(given), by_utc=by_utc)

    def _groups(self, given: Mapping[str, ValueNode]) -> int:
        """Give how many groups a series may have by its arguments."""
        by, most = given.get("groupBy", NullValueNode()), given.get("groups", NullValueNode())
        dimensions, groups = self._number(by), self._number(most)
        # One dimension may be written without brackets.
        if not dimensions and not isinstance(by, EnumValueNode):
            return 1
        return DEFAULT_GROUPS if groups is None else groups

    def _number(self, node: ValueNode) -> int | None:
        """Give the number that an argument asks for: itself, or how many values it lists."""
        match node:
            case IntValueNode():
                return max(int(node.value), 0)
            case ListValueNode():
                return len(node.values)
            case VariableNode():
                self.page_variables.add(node.name.value)
                return size_of(self.variables.get(node.name.value))
            case _:
                return None


def size_of(value: object) -> int | None:
    """Give what the value of a variable means as a size."""
    if isinstance(value, list):
        return len(value)
    return max(value, 0) if isinstance(value, int) else None


def measured_of(value: object) -> Hashable:
    """Give what the size of an operation depends on in the value of a variable."""
    return value if isinstance(value, datetime | Enum) else size_of(value)


def _is_list_of_objects(type_: GraphQLOutputType) -> bool:
    outer = type_.of_type if isinstance(type_, GraphQLNonNull) else type_
    return isinstance(outer, GraphQLList) and is_composite_type(get_named_type(type_))
