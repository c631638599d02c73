"""Introspection beside data: graphql-core answers these root fields alone, and the plan everything else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from graphql import DocumentNode, Executor, OperationDefinitionNode, SelectionSetNode

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from graphql import FieldNode, FragmentDefinitionNode, GraphQLSchema
    from graphql.execution.values import VariableValues


class Introspection:
    """The introspection fields of an operation, as an operation of their own."""

    def __init__(
        self,
        schema: GraphQLSchema,
        operation: OperationDefinitionNode,
        fragments: Mapping[str, FragmentDefinitionNode],
        nodes: Sequence[FieldNode],
    ) -> None:
        self._schema = schema
        alone = OperationDefinitionNode(
            operation=operation.operation,
            variable_definitions=operation.variable_definitions,
            directives=(),
            selection_set=SelectionSetNode(selections=tuple(nodes)),
        )
        self._document = DocumentNode(definitions=(alone, *fragments.values()))

    def answer(self, variables: VariableValues) -> dict[str, Any]:
        """Return the data of the introspection fields.

        Raises:
            GraphQLError: An argument is wrong.

        """
        raw = {name: source.value for name, source in variables.sources.items() if hasattr(source, "value")}
        prepared: Any = Executor.build(self._schema, self._document, raw_variable_values=raw)
        if isinstance(prepared, list):
            raise prepared[0]
        result = prepared.execute_operation()
        if result.errors:
            raise result.errors[0]
        return result.data  # type: ignore[no-any-return]  # graphql-core types results as Any
