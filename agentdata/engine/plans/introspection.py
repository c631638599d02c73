"""Introspection beside data: graphql-core answers these root fields alone, and the plan everything else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from graphql import DocumentNode, Executor, OperationDefinitionNode, SelectionSetNode
from graphql.pyutils import Undefined

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from graphql import FieldNode, FragmentDefinitionNode, GraphQLSchema
    from graphql.execution.values import VariableValues

    from agentdata.engine.plans.run import Run


class Introspection:
    """An introspection field of an operation, as an operation of its own."""

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

    def answer(self, slot: int, key: str, run: Run) -> Any:
        """Return the value of the field with the variables of a slot; report its errors in the run."""
        variables: VariableValues = run.bindings[slot]
        sent = {
            name: source.value for name, source in variables.sources.items() if source.value is not Undefined
        }
        # The variables were coerced before, so this gives no list of errors.
        executor: Any = Executor.build(self._schema, self._document, raw_variable_values=sent)
        result = executor.execute_operation()
        run.errors += result.errors or ()
        run.nulled |= result.data is None
        return result.data and result.data[key]
