"""Documents that clients send: parsed and validated once, and cached while they are in use."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from graphql import (
    DirectiveNode,
    FragmentDefinitionNode,
    GraphQLError,
    Node,
    OperationDefinitionNode,
    OperationType,
    VariableNode,
    parse,
)
from graphql.pyutils import Undefined
from graphql.validation.rules import overlapping_fields_can_be_merged

from agentdata.engine.binding.variables import Variables
from agentdata.engine.lru import WeightedLRU
from agentdata.engine.plans.run import UnplannedError
from agentdata.engine.requests.limits import Measure
from agentdata.engine.requests.pricing import Pricing, with_items
from agentdata.engine.requests.validation import FULLY_VISIBLE, Visibility, validate_document
from agentdata.errors import AgentDataError, BadUserInputError, LimitExceededError

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator, Mapping

    from graphql import DocumentNode, GraphQLSchema
    from graphql.execution.values import VariableValues

    from agentdata.engine.costs import Price
    from agentdata.engine.plans.compiler import Compiler
    from agentdata.engine.plans.plan import MutationPlan, QueryPlan
    from agentdata.engine.requests.limits import Limits

# The rule that compares overlapping fields is the only one whose work grows faster than the document. The
# default lets it take 0.7 s; with this it is 0.05 s. The library offers this attribute for the purpose.
overlapping_fields_can_be_merged.MAX_COMPLEXITY_BUDGET = 50_000

_CACHED_CHARACTERS = 200_000
"""How much text the cached documents may have together; parsed, a character takes some 220 bytes."""

_CACHED_SIZES = 64
"""How many combinations of page sizes are remembered as allowed for one operation."""

_CACHED_PLANS = 4
"""How many plans one operation caches, for combinations of @skip and @include and of wrong fields."""


class InvalidRequestError(Exception):
    """A request that is refused before anything of it is executed."""

    def __init__(self, errors: list[GraphQLError]) -> None:
        super().__init__(errors)
        self.errors = errors


def invalid(error: AgentDataError) -> InvalidRequestError:
    """Return the refusal of a request for a reason of ours."""
    return InvalidRequestError([GraphQLError(error.message, original_error=error)])


@dataclass(eq=False)
class Operation:
    """One operation of a valid document."""

    document: DocumentNode
    node: OperationDefinitionNode
    fragments: Mapping[str, FragmentDefinitionNode]
    schema: GraphQLSchema
    limits: Limits
    visibility: Visibility
    _size_variables: tuple[str, ...] | None = None
    _allowed: dict[tuple[Hashable, ...], Price] = field(default_factory=dict)
    _conditions: tuple[str, ...] | None = None
    _plans: dict[tuple[Any, ...], QueryPlan | MutationPlan | None] = field(default_factory=dict)

    @property
    def name(self) -> str | None:
        """The operation's name, or None."""
        return self.node.name.value if self.node.name else None

    @cached_property
    def _variables(self) -> Variables:
        return Variables(
            self.schema,
            self.node.variable_definitions or (),
            hide_suggestions=self.visibility.hide_suggestions,
        )

    def values(self, given: dict[str, Any]) -> VariableValues:
        """Coerce the variables of a request, and check the operation against the limits with them.

        Raises:
            InvalidRequestError: A variable is wrong, or the operation passes a limit.

        """
        values = self._variables.coerce(given)
        if isinstance(values, list):
            raise InvalidRequestError(values)
        # Sizes that were allowed before are not measured again.
        if self._size_variables is None or self._sizes(values) not in self._allowed:
            self._check(values)
        return values

    def price(self, values: VariableValues) -> Price:
        """Return the price of the operation with the variables that ``values`` has returned."""
        price = self._allowed[self._sizes(values)]
        is_query = self.node.operation is OperationType.QUERY
        return price if is_query else with_items(price, values.coerced)

    def plan(
        self, compiler: Compiler | None, variables: VariableValues, failing: frozenset[str] = frozenset()
    ) -> QueryPlan | MutationPlan:
        """Return the plan for the values of @skip and @include, compiled when they first come.

        ``failing`` are the paths of fields whose arguments are wrong.

        Raises:
            UnplannedError: A plan cannot hold the operation, or there is no compiler.

        """
        if compiler is None:
            raise UnplannedError
        if self._conditions is None:
            found = [*_conditions(self.node)]
            for fragment in self.fragments.values():
                found += _conditions(fragment)
            self._conditions = tuple(dict.fromkeys(found))
        case = (failing, *[variables.coerced.get(name) for name in self._conditions])
        if case not in self._plans:
            if len(self._plans) >= _CACHED_PLANS:
                self._evict()
            try:
                self._plans[case] = compiler.compile(self.node, self.fragments, variables, failing)
            except (UnplannedError, GraphQLError):
                self._plans[case] = None
        plan = self._plans[case]
        if plan is None:
            raise UnplannedError
        return plan

    def _evict(self) -> None:
        """Evict the oldest plan, one for wrong arguments first: those requests are rarer."""
        oldest = next((case for case in self._plans if case[0]), next(iter(self._plans)))
        del self._plans[oldest]

    def _check(self, variables: VariableValues) -> None:
        measure = Measure(self.schema, self.fragments, variables)
        try:
            self.limits.check(measure.operation(self.node))
        except LimitExceededError as error:
            raise invalid(error) from None
        price = Pricing(measure).operation(self.node)
        self._size_variables = tuple(sorted(measure.size_variables))
        if len(self._allowed) >= _CACHED_SIZES:
            self._allowed.clear()
        self._allowed[self._sizes(variables)] = price

    def _sizes(self, variables: VariableValues) -> tuple[Hashable, ...]:
        coerced = variables.coerced
        # A variable that was not sent differs from null: a default may stand for it.
        return tuple([_hashable(coerced.get(name, Undefined)) for name in self._size_variables or ()])


def _hashable(value: Any) -> Hashable:
    return tuple(map(_hashable, value)) if isinstance(value, list) else value


class Document:
    """A valid document."""

    def __init__(
        self,
        node: DocumentNode,
        schema: GraphQLSchema,
        limits: Limits,
        visibility: Visibility = FULLY_VISIBLE,
    ) -> None:
        fragments = {d.name.value: d for d in node.definitions if isinstance(d, FragmentDefinitionNode)}
        self._operations = [
            Operation(node, definition, fragments, schema, limits, visibility)
            for definition in node.definitions
            if isinstance(definition, OperationDefinitionNode)
        ]

    def operation(self, name: str | None) -> Operation:
        """Return the operation of a name, or the only one.

        Raises:
            InvalidRequestError: There is none of this name, or the name is missing and there are several.

        """
        if name is None:
            # A document of fragments alone is not valid: nothing uses them.
            if len(self._operations) == 1:
                return self._operations[0]
            raise self._choose("the document has several operations; say in `operationName` which to run")
        for operation in self._operations:
            if operation.name == name:
                return operation
        raise self._choose("the document has no operation with the name in `operationName`")

    def _choose(self, problem: str) -> InvalidRequestError:
        names = [operation.name for operation in self._operations[:10] if operation.name]
        has = f" (it has: {', '.join(names)})" if names else ""
        return invalid(BadUserInputError(problem + has, field="operationName"))


class Documents:
    """Parses and validates documents, and caches those that were used last."""

    def __init__(self, schema: GraphQLSchema, limits: Limits, visibility: Visibility = FULLY_VISIBLE) -> None:
        self._schema = schema
        self._limits = limits
        self._visibility = visibility
        self._cache: WeightedLRU[Document] = WeightedLRU(_CACHED_CHARACTERS)

    def get(self, text: str) -> Document:
        """Return a document, parsed and validated.

        Raises:
            InvalidRequestError: It has a syntax error, is not valid against the schema, or is too long.

        """
        document = self._cache.get(text)
        if document is None:
            document = Document(self._parse(text), self._schema, self._limits, self._visibility)
            self._cache.put(text, document, len(text))
        return document

    def _parse(self, text: str) -> DocumentNode:
        try:
            self._limits.check_length(text)
            node = parse(text, max_tokens=self._limits.tokens)
        except LimitExceededError as error:
            raise invalid(error) from None
        except GraphQLError as error:
            raise InvalidRequestError([_as_limit(error)]) from None
        errors = validate_document(self._schema, node, self._visibility)
        if errors:
            raise InvalidRequestError([_as_limit(error) for error in errors])
        return node


def _as_limit(error: GraphQLError) -> GraphQLError:
    """Turn an abort for the size of a document into the error for a limit."""
    if not error.message.endswith("aborted."):
        return error
    limit = LimitExceededError(
        f"{error.message} Split the document, or send values as variables.", field="query"
    )
    return GraphQLError(limit.message, error.nodes, error.source, error.positions, original_error=limit)


def _conditions(node: Node) -> Iterator[str]:
    """Yield the variables of directives, which decide the selection."""
    if isinstance(node, DirectiveNode):
        for argument in node.arguments or ():
            if isinstance(argument.value, VariableNode):
                yield argument.value.name.value
    for key in node.keys:
        below = getattr(node, key, None)
        for each in below if isinstance(below, tuple | list) else (below,):
            if isinstance(each, Node):
                yield from _conditions(each)
