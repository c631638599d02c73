"""Selections: which fields an operation selects of a type, for the values of its @skip and @include."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from graphql import (
    FieldNode,
    FragmentSpreadNode,
    GraphQLInterfaceType,
    GraphQLUnionType,
    InlineFragmentNode,
)
from graphql.execution.values import get_directive_values
from graphql.type import GraphQLIncludeDirective, GraphQLSkipDirective

from agentdata.engine.plans.run import UnplannedError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from graphql import FragmentDefinitionNode, GraphQLObjectType, GraphQLSchema, SelectionSetNode
    from graphql.execution.values import VariableValues

    Selected = list[tuple[str, list[FieldNode]]]
    """Selected fields by their keys in the response; one key may stand in the document several times."""


class Selections:
    """Collects selected fields, as graphql-core's ``collect_fields`` does, but for one type at a time."""

    def __init__(
        self,
        schema: GraphQLSchema,
        fragments: Mapping[str, FragmentDefinitionNode],
        variables: VariableValues,
    ) -> None:
        self._schema = schema
        self._fragments = fragments
        self._variables = variables

    def below(self, type_: Any, nodes: Sequence[FieldNode]) -> Selected:
        """Return the fields that are selected of the objects of a field, whose type is ``type_``."""
        return self.of(type_, *[node.selection_set for node in nodes if node.selection_set])

    def of(self, type_: GraphQLObjectType, *selection_sets: SelectionSetNode) -> Selected:
        """Return the fields of a type that selection sets select together.

        Raises:
            UnplannedError: There is a kind of selection that plans do not know.

        """
        found: dict[str, list[FieldNode]] = {}
        visited: set[str] = set()
        for selection_set in selection_sets:
            self._collect(type_, selection_set, found, visited)
        return [*found.items()]

    def _collect(
        self,
        type_: GraphQLObjectType,
        selection_set: SelectionSetNode,
        found: dict[str, list[FieldNode]],
        visited: set[str],
    ) -> None:
        for selection in selection_set.selections:
            if not self._included(selection):
                continue
            match selection:
                case FieldNode():
                    key = (selection.alias or selection.name).value
                    found.setdefault(key, []).append(selection)
                case InlineFragmentNode():
                    if self._applies(selection.type_condition, type_):
                        self._collect(type_, selection.selection_set, found, visited)
                case FragmentSpreadNode():
                    name = selection.name.value
                    fragment = self._fragments[name]
                    if name not in visited and self._applies(fragment.type_condition, type_):
                        visited.add(name)
                        self._collect(type_, fragment.selection_set, found, visited)
                case _:
                    raise UnplannedError

    def _applies(self, condition: Any, type_: GraphQLObjectType) -> bool:
        if condition is None or condition.name.value == type_.name:
            return True
        on = self._schema.type_map[condition.name.value]
        if isinstance(on, GraphQLInterfaceType | GraphQLUnionType):
            return self._schema.is_sub_type(on, type_)
        return False

    def _included(self, node: Any) -> bool:
        if not node.directives:
            return True
        skip = get_directive_values(GraphQLSkipDirective, node, self._variables)
        include = get_directive_values(GraphQLIncludeDirective, node, self._variables)
        return not (skip and skip["if"]) and not (include and not include["if"])
