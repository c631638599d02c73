"""Runs one operation: by its plan, or the plain way, which is graphql-core's."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from graphql import ExecutionResult
from graphql import Executor as GraphQLExecutor
from graphql.error import located_error
from strawberry.execution import optimized_is_awaitable

from agentdata.engine.plans.run import UnplannedError
from agentdata.engine.requests.documents import Documents, InvalidRequestError
from agentdata.engine.requests.limits import Limits

if TYPE_CHECKING:
    import strawberry
    from graphql import GraphQLSchema
    from graphql.execution.values import VariableValues

    from agentdata.engine.plans.explain import Explained
    from agentdata.engine.plans.run import Planner
    from agentdata.engine.requests.documents import Operation


class Executor:
    """Answers the operations of one schema.

    Strawberry's own `Schema.execute` would parse and validate each time, costs 20 µs more, logs what clients
    did wrong as errors of the server, and does not tell a refused request from one that ran into an error.
    """

    def __init__(
        self, schema: strawberry.Schema, limits: Limits | None = None, planner: Planner | None = None
    ) -> None:
        self._schema: GraphQLSchema = schema._schema  # noqa: SLF001 - Strawberry has no public name for it
        self._limits = limits or Limits()
        self._documents = Documents(self._schema, self._limits)
        self._planner = planner

    def read(self, text: str, operation_name: str | None) -> Operation:
        """Give the operation of a document that a request asks for.

        Raises:
            InvalidRequestError: The document is not valid, too long, or the name does not say one operation.

        """
        return self._documents.read(text).operation(operation_name)

    async def execute(self, operation: Operation, variables: dict[str, Any], context: Any) -> ExecutionResult:
        """Run an operation; errors of its fields are part of the result.

        Raises:
            InvalidRequestError: The variables are wrong, or with them the operation passes a limit.

        """
        values = self._values(operation, variables)
        if self._planner is not None:
            with suppress(UnplannedError):
                return await self._run_plan(self._planner, operation, values, context)
        return await self._run_plainly(operation, variables, context)

    async def explain(
        self, operation: Operation, variables: dict[str, Any], context: Any, *, analyze: bool
    ) -> Explained | None:
        """Tell what a query reads, and with ``analyze`` what that takes; None where it has no plan.

        Raises:
            InvalidRequestError: As ``execute`` does.

        """
        values = self._values(operation, variables)
        if self._planner is not None:
            with suppress(UnplannedError):
                plan = operation.plan(self._planner, values)
                return await plan.explain(context, values, analyze=analyze)
        return None

    def _values(self, operation: Operation, variables: dict[str, Any]) -> VariableValues:
        """Coerce variables, and hold the operation to the limits with them."""
        values = operation.variables(self._schema).coerce(variables)
        if isinstance(values, list):
            raise InvalidRequestError(values)
        operation.check(self._schema, self._limits, values.coerced)
        return values

    async def _run_plainly(
        self, operation: Operation, variables: dict[str, Any], context: Any
    ) -> ExecutionResult:
        # graphql-core's own, which gives resolvers the variables as it reads arguments with them.
        prepared: Any = GraphQLExecutor.build(
            self._schema,
            operation.document,
            context_value=context,
            raw_variable_values=variables,
            operation_name=operation.name,
            is_awaitable=optimized_is_awaitable,  # type: ignore[arg-type]  # a guard in all but its type
        )
        if isinstance(prepared, list):
            raise InvalidRequestError(prepared)
        result = prepared.execute_operation()
        return result if isinstance(result, ExecutionResult) else await result

    async def _run_plan(
        self, planner: Planner, operation: Operation, variables: VariableValues, context: Any
    ) -> ExecutionResult:
        plan = operation.plan(planner, variables)
        try:
            data, errors = await plan.answer(context, variables)
        except UnplannedError:
            raise
        except Exception as error:  # noqa: BLE001  # told as the error of a field would be
            return ExecutionResult(None, [located_error(error, [operation.node])])
        return ExecutionResult(data, errors or None)
