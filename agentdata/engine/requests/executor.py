"""The executor: it answers an operation by its plan, or the reference way, which is graphql-core's."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from time import perf_counter
from typing import TYPE_CHECKING, Any

from graphql import ExecutionResult
from graphql import Executor as GraphQLExecutor
from graphql.error import located_error
from strawberry.execution import optimized_is_awaitable

from agentdata.engine.aside import COMPILING
from agentdata.engine.plans.run import FailingFieldsError, UnplannedError
from agentdata.engine.requests.documents import Documents, InvalidRequestError, invalid
from agentdata.engine.requests.limits import Limits
from agentdata.engine.requests.made_up import made_up
from agentdata.engine.requests.validation import FULLY_VISIBLE, Visibility
from agentdata.engine.strawberry_access import core_schema
from agentdata.errors import AgentDataError, LimitExceededError, OverloadedError
from agentdata.sight.counts import COUNTS
from agentdata.sight.request import current

if TYPE_CHECKING:
    from collections.abc import Iterable

    import strawberry
    from graphql import GraphQLError
    from graphql.execution.values import VariableValues

    from agentdata.engine.context import Context
    from agentdata.engine.plans.compiler import Compiler
    from agentdata.engine.plans.explain import Explained
    from agentdata.engine.plans.plan import MutationPlan, QueryPlan
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

    def knows(self, document: str) -> bool:
        """Return whether a document is cached, so that reading it costs nothing."""
        return self._documents.known(document) is not None

    async def read(self, document: str, name: str | None) -> Operation:
        """Return the operation of a document as ``operation`` does; a new document is read in a thread.

        Raises:
            InvalidRequestError: As ``operation`` does.
            OverloadedError: Too many new documents wait.

        """
        known = self._documents.known(document)
        if known is None:
            known = await COMPILING.run(self._documents.get, document)
        return known.operation(name)

    async def compile(self, documents: Iterable[str]) -> None:
        """Compile documents ahead of their first requests, in a thread, which requests use as well.

        The SQL may depend on variables, such as on the conditions of a filter: it is compiled for variables
        that are made up, and for others by the first request that has them.
        """
        for document in documents:
            started = perf_counter()
            with suppress(OverloadedError):
                await COMPILING.run(self._compile, document)
            # At least half of the time is left to requests.
            await asyncio.sleep(perf_counter() - started)

    def _compile(self, document: str) -> None:
        for operation in self._documents.get(document).operations:
            variables = made_up(self._schema, operation.node.variable_definitions or ())
            with suppress(InvalidRequestError, UnplannedError, FailingFieldsError, AgentDataError):
                values = operation.values(variables)
                operation.plan(self._compiler, values).compile(values)

    async def execute(
        self, operation: Operation, variables: dict[str, Any], context: Context, *, large: bool = False
    ) -> ExecutionResult:
        """Run an operation; errors of its fields are part of the result.

        ``large`` says that the variables are many values.

        Raises:
            InvalidRequestError: The variables are wrong, or the operation passes a limit with them.
            RateLimitedError: The key has used up what it may.

        """
        try:
            return await self._answer(operation, variables, context, large=large)
        except UnplannedError:
            self.reference_runs += 1
            COUNTS.reference_runs += 1
            context.way = "reference"
            return await self._run_reference(operation, variables, context)

    async def _answer(
        self, operation: Operation, variables: dict[str, Any], context: Context, *, large: bool
    ) -> ExecutionResult:
        """Run an operation by its plan.

        Raises:
            InvalidRequestError: As ``execute`` does.
            UnplannedError: No plan can hold the operation; nothing has been written.

        """
        values = await _charged_values(operation, variables, context, large=large)
        compiler = self._compiler_for(context)
        data: Any = None
        errors: list[GraphQLError] = []
        try:
            try:
                plan = await _plan(operation, compiler, values)
                current.get().outline = plan.outline
                data, errors = await plan.answer(context, values)
            except FailingFieldsError as wrong:
                # Nothing has run. A plan in which these fields fail answers all the others as usual.
                plan = await _plan(operation, compiler, values, wrong.paths)
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
        self,
        operation: Operation,
        variables: dict[str, Any],
        context: Context,
        *,
        analyze: bool,
        large: bool = False,
    ) -> Explained | None:
        """Describe what a query reads, and with ``analyze`` what that takes; None if no plan reads anything.

        It costs what the query costs, because with ``analyze`` the query runs.

        Raises:
            InvalidRequestError: As ``execute`` does.
            RateLimitedError: As ``execute`` does.

        """
        values = await _charged_values(operation, variables, context, large=large)
        compiler = self._compiler_for(context)
        try:
            try:
                plan = await _plan(operation, compiler, values)
                explained = await plan.explain(context, values, analyze=analyze)
            except FailingFieldsError as wrong:
                plan = await _plan(operation, compiler, values, wrong.paths)
                explained = await plan.explain(context, values, analyze=analyze)
        except (UnplannedError, FailingFieldsError):
            return None
        return explained if explained.reads else None

    def _compiler_for(self, context: Context) -> Compiler | None:
        """Return the compiler of plans that show an operation the rows that it may see."""
        if self._compiler is None or context.viewer_id is None:
            return self._compiler
        return self._compiler.for_viewers

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


async def _charged_values(
    operation: Operation, variables: dict[str, Any], context: Context, *, large: bool
) -> VariableValues:
    """Coerce and check the variables of an operation, and charge its key for it.

    Raises:
        InvalidRequestError: As ``Executor.execute`` does.
        RateLimitedError: As ``Executor.execute`` does.

    """
    if large or not operation.is_measured:
        values, price = await COMPILING.run(operation.priced_values, variables)
    else:
        values, price = operation.priced_values(variables)
    try:
        context.charge(price)
    except LimitExceededError as error:
        raise invalid(error) from None
    return values


async def _plan(
    operation: Operation,
    compiler: Compiler | None,
    values: VariableValues,
    failing: frozenset[str] = frozenset(),
) -> QueryPlan | MutationPlan:
    """Return the plan of an operation, compiled in a thread.

    Raises:
        UnplannedError: A plan cannot hold the operation, or there is no compiler.

    """
    plan = operation.compiled(compiler, values, failing)
    if plan is None:
        plan = await COMPILING.run(operation.plan, compiler, values, failing)
    return plan
