"""The executor: it answers an operation by its plan, or the reference way, which is graphql-core's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from graphql import ExecutionResult
from graphql import Executor as GraphQLExecutor
from graphql.error import located_error
from strawberry.execution import optimized_is_awaitable

from agentdata.engine.plans.run import FailingFieldsError, UnplannedError
from agentdata.engine.requests.documents import Documents, InvalidRequestError, invalid
from agentdata.engine.requests.limits import Limits
from agentdata.engine.requests.validation import FULLY_VISIBLE, Visibility
from agentdata.engine.strawberry_access import core_schema
from agentdata.errors import LimitExceededError

if TYPE_CHECKING:
    import strawberry
    from graphql import GraphQLError

    from agentdata.engine.context import Context
    from agentdata.engine.plans.compiler import Compiler
    from agentdata.engine.plans.explain import Explained
    from agentdata.engine.requests.documents import Operation


class Executor:
    """Answers the operations of one schema.

    Strawberry's own `Schema.execute` would parse and validate each time, costs 20 µs more, logs what clients
    did wrong as errors of the server, and does not tell a refused request from one that ran into an error.
    """

    def __init__(
        self,
        schema: strawberry.Schema,
        limits: Limits | None = None,
        compiler: Compiler | None = None,
        visibility: Visibility = FULLY_VISIBLE,
    ) -> None:
        self._schema = core_schema(schema)
        self._visibility = visibility
        self._documents = Documents(self._schema, limits or Limits(), self._visibility)
        self._compiler = compiler
        self.reference_runs = 0
        """How many operations ran the reference way, because no plan could hold them."""

    def operation(self, document: str, name: str | None) -> Operation:
        """Return the operation of a document that a request names.

        Raises:
            InvalidRequestError: The document is not valid or too long, or the name identifies no operation.

        """
        return self._documents.get(document).operation(name)

    def validate(self, document: str) -> None:
        """Parse and validate a document.

        Raises:
            InvalidRequestError: The document is not valid or too long.

        """
        self._documents.get(document)

    async def execute(
        self, operation: Operation, variables: dict[str, Any], context: Context
    ) -> ExecutionResult:
        """Run an operation; errors of its fields are part of the result.

        Raises:
            InvalidRequestError: The variables are wrong, or the operation passes a limit with them.
            RateLimitedError: The key has used up what it may.

        """
        try:
            return await self._answer(operation, variables, context)
        except UnplannedError:
            self.reference_runs += 1
            context.way = "reference"
            return await self._run_reference(operation, variables, context)

    async def _answer(
        self, operation: Operation, variables: dict[str, Any], context: Context
    ) -> ExecutionResult:
        """Run an operation by its plan.

        Raises:
            InvalidRequestError: As ``execute`` does.
            UnplannedError: No plan can hold the operation; nothing has run.

        """
        values = operation.values(variables)
        try:
            context.charge(operation.price(values))
        except LimitExceededError as error:
            raise invalid(error) from None
        data: Any = None
        errors: list[GraphQLError] = []
        try:
            try:
                data, errors = await operation.plan(self._compiler, values).answer(context, values)
            except FailingFieldsError as wrong:
                # Nothing has run. A plan in which these fields fail answers all the others as usual.
                plan = operation.plan(self._compiler, values, wrong.paths)
                data, errors = await plan.answer(context, values)
        except UnplannedError:
            raise
        except FailingFieldsError:
            # Nothing has run here, either.
            raise UnplannedError from None
        except Exception as error:  # noqa: BLE001  # reported as the error of a field would be
            errors = [located_error(error, [operation.node])]
        return ExecutionResult(data, errors or None)

    async def explain(
        self, operation: Operation, variables: dict[str, Any], context: Context, *, analyze: bool
    ) -> Explained | None:
        """Describe what a query reads, and with ``analyze`` what that takes; None if no plan reads anything.

        Raises:
            InvalidRequestError: As ``execute`` does.

        """
        values = operation.values(variables)
        try:
            try:
                plan = operation.plan(self._compiler, values)
                explained = await plan.explain(context, values, analyze=analyze)
            except FailingFieldsError as wrong:
                plan = operation.plan(self._compiler, values, wrong.paths)
                explained = await plan.explain(context, values, analyze=analyze)
        except (UnplannedError, FailingFieldsError):
            return None
        return explained if explained.reads else None

    async def _run_reference(
        self, operation: Operation, variables: dict[str, Any], context: Context
    ) -> ExecutionResult:
        # graphql-core's own coercion gives resolvers the variables in the form in which it binds arguments.
        prepared: Any = GraphQLExecutor.build(
            self._schema,
            operation.document,
            context_value=context,
            raw_variable_values=variables,
            operation_name=operation.name,
            hide_suggestions=self._visibility.hide_suggestions,
            is_awaitable=optimized_is_awaitable,  # type: ignore[arg-type]  # a guard in all but its type
        )
        if isinstance(prepared, list):
            raise InvalidRequestError(prepared)
        result = prepared.execute_operation()
        return result if isinstance(result, ExecutionResult) else await result
