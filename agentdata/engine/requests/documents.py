"""Documents that clients send: parsed and validated once, and cached while they are in use."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from time import perf_counter
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
from graphql.execution.values import VariableValues
from graphql.pyutils import Undefined
from graphql.validation.rules import overlapping_fields_can_be_merged

from agentdata.engine.binding.arguments import below
from agentdata.engine.binding.variables import Variables
from agentdata.engine.lru import WeightedLRU
from agentdata.engine.plans.run import UnplannedError
from agentdata.engine.requests.conditions import of_value
from agentdata.engine.requests.limits import Measure
from agentdata.engine.requests.pricing import Pricing, with_items
from agentdata.engine.requests.validation import FULLY_VISIBLE, Visibility, validate_document
from agentdata.errors import AgentDataError, BadUserInputError, LimitExceededError
from agentdata.sight.counts import COUNTS
from agentdata.sight.request import current

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator, Mapping

    from graphql import DocumentNode, GraphQLInputObjectType, GraphQLSchema
    from graphql.language import Token

    from agentdata.engine.costs import Price
    from agentdata.engine.plans.compiler import Compiler
    from agentdata.engine.plans.plan import MutationPlan, QueryPlan
    from agentdata.engine.requests.limits import Limits, Size

# The rule that compares overlapping fields is the only one whose work grows faster than the document. The
# default lets it take 0.7 s; with this it is 0.05 s. The library offers this attribute for the purpose.
overlapping_fields_can_be_merged.MAX_COMPLEXITY_BUDGET = 50_000

_CACHED_CHARACTERS = 200_000
"""How much text the cached documents may have together; parsed, a character takes some 220 bytes."""

_CACHED_SIZES = 64
"""How many combinations of page sizes are remembered as allowed for one operation."""

_LONGEST_LABEL = 80
"""The longest name that logs and metrics show, in characters."""

_CACHED_PLANS = 4
"""How many plans one operation caches, for combinations of @skip and @include and of wrong fields."""


_CACHED_READS = 500
"""How many reads the cached plans of one operation may have together."""

_WEIGHT_OF_READ = 20
"""A read of a plan takes as much memory as this many characters of a document: some 4 kB."""

_WEIGHT_OF_FIELD = 2
"""As many characters weigh a selected field of a plan."""


class InvalidRequestError(Exception):
    """A request that is refused before anything of it is executed."""

    def __init__(self, errors: list[GraphQLError]) -> None:
        super().__init__(errors)
        self.errors = errors


def invalid(error: AgentDataError) -> InvalidRequestError:
    """Return the refusal of a request for a reason of ours."""
    return InvalidRequestError([GraphQLError(error.message, original_error=error)])


class _NotCompiled:
    """Stands for a plan that is not compiled yet; None stands for one that cannot be."""


_NOT_COMPILED = _NotCompiled()


@dataclass(eq=False)
class Operation:
    """One operation of a valid document."""

    document: DocumentNode
    node: OperationDefinitionNode
    fragments: Mapping[str, FragmentDefinitionNode]
    schema: GraphQLSchema
    limits: Limits
    visibility: Visibility
    size: Size
    """The size apart from variables."""
    _size_variables: tuple[str, ...] | None = None
    _filter_variables: tuple[tuple[str, GraphQLInputObjectType], ...] = ()
    _allowed: dict[tuple[Hashable, ...], Price] = field(default_factory=dict)
    """The price of the operation, by the page sizes that were allowed."""
    _plans: dict[tuple[Any, ...], QueryPlan | MutationPlan | None] = field(default_factory=dict)

    @property
    def name(self) -> str | None:
        """The operation's name, or None."""
        return self.node.name.value if self.node.name else None

    @cached_property
    def label(self) -> str:
        """Its type and name for logs and metrics, such as `query:Sessions`, or `query:-` without a name."""
        return f"{self.node.operation.value}:{(self.name or '-')[:_LONGEST_LABEL]}"

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
        return self.priced_values(given)[0]

    def priced_values(self, given: dict[str, Any]) -> tuple[VariableValues, Price]:
        """Return the coerced variables as ``values`` does, and the price of the operation with them.

        Raises:
            InvalidRequestError: As ``values`` does.

        """
        values = self._variables.coerce(given)
        if isinstance(values, list):
            raise InvalidRequestError(values)
        try:
            # Sizes that were allowed before are not measured again.
            known = self._size_variables is not None
            price = (self._allowed.get(self._sizes(values)) if known else None) or self._check(values)
        except LimitExceededError as error:
            raise invalid(error) from None
        if self.node.operation is not OperationType.QUERY:
            price = with_items(price, values.coerced)
        current.get().cost = price.points
        return values, price

    def plan(
        self, compiler: Compiler | None, variables: VariableValues, failing: frozenset[str] = frozenset()
    ) -> QueryPlan | MutationPlan:
        """Return the plan for the values of @skip and @include, compiled when they first come.

        ``failing`` are the paths of fields whose arguments are wrong.

        Raises:
            UnplannedError: A plan cannot hold the operation, or there is no compiler.

        """
        plan = self.compiled(compiler, variables, failing)
        if plan is None and compiler is not None:
            started = perf_counter()
            with suppress(UnplannedError, GraphQLError):
                plan = compiler.compile(self.node, self.fragments, variables, failing)
            COUNTS.compiled(started)
            while len(self._plans) >= self._most_plans:
                self._evict()
            self._plans[self._case(compiler, variables, failing)] = plan
        if plan is None:
            raise UnplannedError
        return plan

    @property
    def is_measured(self) -> bool:
        """Whether the operation was within its limits before, so that checking another request is quick."""
        return self._size_variables is not None

    def compiled(
        self, compiler: Compiler | None, variables: VariableValues, failing: frozenset[str] = frozenset()
    ) -> QueryPlan | MutationPlan | None:
        """Return the plan as ``plan`` does, or None if it has to be compiled first.

        Raises:
            UnplannedError: As ``plan`` does.

        """
        if compiler is None:
            raise UnplannedError
        # One look-up, because a thread may compile the plan meanwhile.
        plan = self._plans.get(self._case(compiler, variables, failing), _NOT_COMPILED)
        if plan is None:
            raise UnplannedError
        return None if isinstance(plan, _NotCompiled) else plan

    def _case(
        self, compiler: Compiler, variables: VariableValues, failing: frozenset[str]
    ) -> tuple[Any, ...]:
        """Return the key of the plan for variables and fields that fail."""
        return (failing, compiler.hides_rows, *[variables.coerced.get(name) for name in self._conditions])

    @cached_property
    def _conditions(self) -> tuple[str, ...]:
        """The variables of directives, which decide the selection."""
        found = dict.fromkeys(_conditions(self.node))
        for fragment in self.fragments.values():
            found |= dict.fromkeys(_conditions(fragment))
        return tuple(found)

    @cached_property
    def _most_plans(self) -> int:
        return max(1, min(_CACHED_PLANS, _CACHED_READS // max(self.size.reads, 1)))

    @property
    def weight(self) -> int:
        """How much the plans of the operation weigh in memory, in characters of a document."""
        reads = min(self.size.reads, _CACHED_READS) * self._most_plans
        return self.size.fields * _WEIGHT_OF_FIELD + reads * _WEIGHT_OF_READ

    def _evict(self) -> None:
        """Evict the oldest plan, one for wrong arguments first: those requests are rarer."""
        oldest = next((case for case in self._plans if case[0]), next(iter(self._plans)))
        del self._plans[oldest]

    def _check(self, variables: VariableValues) -> Price:
        """Check the size of the operation, and return its price."""
        measure = Measure(self.schema, self.fragments, variables)
        self.limits.check(measure.operation(self.node))
        price = Pricing(measure).operation(self.node)
        self._filter_variables = tuple(measure.filter_variables.items())
        self._size_variables = tuple(sorted(measure.size_variables))
        if len(self._allowed) >= _CACHED_SIZES:
            self._allowed.clear()
        self._allowed[self._sizes(variables)] = price
        return price

    def _sizes(self, variables: VariableValues) -> tuple[Hashable, ...]:
        coerced = variables.coerced
        # A variable that was not sent differs from null: a default may stand for it.
        sizes = [_hashable(coerced.get(name, Undefined)) for name in self._size_variables or ()]
        return (*sizes, *[of_value(coerced.get(name), type_) for name, type_ in self._filter_variables])


def _hashable(value: Any) -> Hashable:
    return tuple(map(_hashable, value)) if isinstance(value, list) else value


class Document:
    """A valid document.

    Raises:
        LimitExceededError: A filter nests too deep.

    """

    def __init__(
        self,
        node: DocumentNode,
        schema: GraphQLSchema,
        limits: Limits,
        visibility: Visibility = FULLY_VISIBLE,
    ) -> None:
        fragments = {d.name.value: d for d in node.definitions if isinstance(d, FragmentDefinitionNode)}
        measure = Measure(schema, fragments, VariableValues({}, {}))
        self.operations = [
            Operation(node, definition, fragments, schema, limits, visibility, measure.operation(definition))
            for definition in node.definitions
            if isinstance(definition, OperationDefinitionNode)
        ]

    @property
    def weight(self) -> int:
        """How much the plans of all operations weigh in memory, in characters of a document."""
        return sum(operation.weight for operation in self.operations)

    def operation(self, name: str | None) -> Operation:
        """Return the operation of a name, or the only one.

        Raises:
            InvalidRequestError: There is none of this name, or the name is missing and there are several.

        """
        if name is None:
            # A document of fragments alone is not valid: nothing uses them.
            if len(self.operations) == 1:
                return self.operations[0]
            raise self._choose("the document has several operations; say in `operationName` which to run")
        for operation in self.operations:
            if operation.name == name:
                return operation
        raise self._choose("the document has no operation with the name in `operationName`")

    def _choose(self, problem: str) -> InvalidRequestError:
        names = [operation.name for operation in self.operations[:10] if operation.name]
        has = f" (it has: {', '.join(names)})" if names else ""
        return invalid(BadUserInputError(problem + has, field="operationName"))


class Documents:
    """Parses and validates documents, and caches those that were used last."""

    def __init__(self, schema: GraphQLSchema, limits: Limits, visibility: Visibility = FULLY_VISIBLE) -> None:
        self._schema = schema
        self._limits = limits
        self._visibility = visibility
        self._cache: WeightedLRU[Document] = WeightedLRU(_CACHED_CHARACTERS)

    def known(self, text: str) -> Document | None:
        """Return a document that is cached, or None."""
        return self._cache.get(text)

    def get(self, text: str) -> Document:
        """Return a document, parsed and validated.

        Raises:
            InvalidRequestError: It has a syntax error, is not valid against the schema, or is too long.

        """
        document = self._cache.get(text)
        if document is None:
            started = perf_counter()
            try:
                document = Document(self._parse(text), self._schema, self._limits, self._visibility)
            except LimitExceededError as error:
                raise invalid(error) from None
            finally:
                COUNTS.compiled(started)
            self._cache.put(text, document, len(text) + document.weight)
        return document

    def _parse(self, text: str) -> DocumentNode:
        try:
            self._limits.check_length(text)
            node = parse(text, max_tokens=self._limits.tokens)
        except LimitExceededError as error:
            raise invalid(error) from None
        except GraphQLError as error:
            raise InvalidRequestError([_as_limit(error)]) from None
        _separate_tokens(node)
        errors = validate_document(self._schema, node, self._visibility)
        if errors:
            raise InvalidRequestError([_as_limit(error) for error in errors])
        return node


def _separate_tokens(node: DocumentNode) -> None:
    """Remove the references between the tokens of a document, of which only the parser has use.

    A document whose parts do not refer to each other in cycles is freed as soon as it is no longer used.
    """
    token: Token | None = node.loc.start_token if node.loc else None
    while token is not None:
        following = token.next
        token.prev = token.next = None
        token = following


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
    for each in below(node):
        yield from _conditions(each)
