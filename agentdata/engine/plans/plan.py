"""Plans of queries and of mutations: what runs, in which order, and the errors for missing rows."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from uuid import UUID

from graphql import GraphQLError
from graphql.error import located_error

from agentdata.engine.aside import ANSWERING, COMPILING
from agentdata.engine.plans.explain import explain, outline
from agentdata.engine.plans.failures import report
from agentdata.engine.plans.run import NOBODY, FailingFieldsError, Run, UnplannedError
from agentdata.engine.reporting import client_error
from agentdata.errors import AgentDataError, LimitExceededError
from agentdata.sight.failures import drop_tracebacks

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from graphql import FieldNode
    from graphql.execution.values import VariableValues

    from agentdata.engine.context import Context
    from agentdata.engine.fields.mutations import WriteField
    from agentdata.engine.fields.roots import NodeLookup, NodesById, RowByKey
    from agentdata.engine.plans.explain import Explained
    from agentdata.engine.plans.failures import Failure
    from agentdata.engine.plans.projection import Projection
    from agentdata.engine.plans.statements import ReadSet
    from agentdata.engine.plans.steps import NodeStep, PageStep, RowStep
    from agentdata.engine.preparations import Prepare


_MOST_COMPUTED = 4
"""How many computations the event loop binds at most for one request."""

_MANY_RECORDS = 5_000
"""An answer of more records is made in a thread; a record takes some microseconds."""


@dataclass(frozen=True)
class RootField:
    """A field that an operation begins with: its key in the response, and the function that answers it."""

    key: str
    value: Callable[[Run], Any]


@dataclass(frozen=True)
class ArgumentSlot:
    """The arguments of one field: bound for each request, or once if nothing in them varies."""

    number: int
    path: str
    coerce: Callable[[VariableValues], Any]
    """Coerces the arguments with a request's variables."""
    bind: Callable[[Any, Context, Mapping[int, Any]], Any]
    """Binds coerced arguments for the request's context; the last argument holds the slots bound before."""
    inherits: int | None = None
    """The slot whose arguments the field takes as well."""
    fails: bool = False
    """Whether the plan expects the arguments to be wrong; the slot then holds the error."""
    prepare: Prepare | None = None
    """Prepares coerced arguments for a request before they are bound."""


@dataclass
class ArgumentSlots:
    """The arguments that a plan binds before anything of it runs."""

    slots: list[ArgumentSlot] = field(default_factory=list)
    computed: int = 0
    """How many of them computations bind for each request, which takes up to some milliseconds each."""
    prepared: list[ArgumentSlot] = field(default_factory=list)
    """Those that are prepared."""

    async def bind_aside(self, context: Context, variables: VariableValues) -> dict[int, Any]:
        """Prepare and bind all arguments as ``bind`` does, in a thread if that takes long."""
        if self.prepared:
            await self._prepare(context, variables)
        if self.computed > _MOST_COMPUTED:
            return await COMPILING.run(self.bind, context, variables)
        return self.bind(context, variables)

    async def _prepare(self, context: Context, variables: VariableValues) -> None:
        """Run all preparations together; binding reports those that fail, and arguments that are wrong."""
        for slot in self.prepared:
            assert slot.prepare is not None  # noqa: S101  # only such slots are prepared
            with suppress(AgentDataError, GraphQLError):
                context.preparations.begin(slot.path, slot.prepare, slot.coerce(variables), context)
        await context.preparations.end()

    def bind(self, context: Context, variables: VariableValues) -> dict[int, Any]:
        """Bind all arguments for a request; slots that fail hold the error.

        Raises:
            FailingFieldsError: Arguments are wrong of which the plan does not expect it.
            UnplannedError: Arguments are right of which the plan does not expect it.

        """
        bindings: dict[int, Any] = {}
        wrong: list[ArgumentSlot] = []
        for slot in self.slots:
            try:
                if slot.inherits is None or slot.inherits in bindings:
                    bindings[slot.number] = slot.bind(slot.coerce(variables), context, bindings)
                    if slot.fails:
                        raise UnplannedError
            except (AgentDataError, GraphQLError) as error:
                if slot.fails:
                    drop_tracebacks(error)  # they hold the bindings, which hold the error
                    bindings[slot.number] = error
                else:
                    wrong.append(slot)
        if wrong:
            expected = {slot.path for slot in self.slots if slot.fails}
            raise FailingFieldsError(frozenset(expected | {slot.path for slot in wrong}))
        return bindings


@dataclass
class QueryPlan:
    """A compiled query. It belongs to a document, not to a tenant or a client, and holds no data."""

    reads: ReadSet
    arguments: ArgumentSlots
    roots: list[RootField] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    slow: bool = False
    """Whether the answer takes long to make, even without records."""

    async def answer(self, context: Context, variables: VariableValues) -> tuple[Any, list[GraphQLError]]:
        """Run the plan in one statement and return its data and errors.

        Raises:
            FailingFieldsError: Arguments are wrong of which the plan does not expect it.

        """
        run = Run(context, await self.arguments.bind_aside(context, variables))
        if self.reads.reads:
            await self.reads.fetch(run)
        if self.slow or run.has_more_records_than(_MANY_RECORDS):
            return await ANSWERING.run(self._answer, run)
        return self._answer(run)

    def _answer(self, run: Run) -> tuple[Any, list[GraphQLError]]:
        """Make the data and errors out of the records that were read."""
        data = {root.key: root.value(run) for root in self.roots}
        if run.nulled:
            return None, run.errors
        if not self.failures:
            return data, run.errors
        reported, errors = report(data, self.failures, run.bindings)
        return reported, errors if reported is None else run.errors + errors

    async def explain(self, context: Context, variables: VariableValues, *, analyze: bool) -> Explained:
        """Describe what the plan reads; with ``analyze`` also what each read takes, which runs it.

        Raises:
            FailingFieldsError: As ``answer`` does.

        """
        run = Run(context, await self.arguments.bind_aside(context, variables))
        return await explain(self.reads, run, analyze=analyze)

    def compile(self, variables: VariableValues) -> None:
        """Compile the statement for variables such as these, ahead of the requests that have them.

        Raises:
            FailingFieldsError: As ``answer`` does.
            LimitExceededError: The statement would be too long.

        """
        if not self.arguments.prepared:
            self.reads.compile(self.arguments.bind(NOBODY, variables))

    def outline(self) -> list[dict[str, Any]]:
        """Return the reads as a tree for the log, without arguments."""
        return outline(self.reads)


@dataclass(frozen=True)
class MutationField:
    """A field of a mutation: its write, the coercion of its arguments, and the selection of its result."""

    key: str
    nodes: list[FieldNode]
    declared: WriteField
    coerce: Callable[[VariableValues], dict[str, Any]]
    result: ResultSelection


@dataclass
class MutationPlan:
    """A compiled mutation: its writes run one after another, each followed by the reads of its selection."""

    arguments: ArgumentSlots
    """The arguments inside the selections of results."""
    fields: list[MutationField | RootField] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)

    async def answer(self, context: Context, variables: VariableValues) -> tuple[Any, list[GraphQLError]]:
        """Run the writes and return their data; one that fails is null, with an error, and the others go on.

        Raises:
            FailingFieldsError: Arguments inside a selection are wrong of which the plan does not expect it;
                nothing has run.

        """
        bindings = await self.arguments.bind_aside(context, variables)
        data: dict[str, Any] = {}
        errors: list[GraphQLError] = []
        for each in self.fields:
            if isinstance(each, RootField):
                data[each.key] = each.value(Run(context, bindings))
                continue
            data[each.key] = None
            written = False
            try:
                result = await each.declared.run(context, each.nodes[0].name.value, each.coerce(variables))
                written = True
                data[each.key] = await each.result.of(each.declared.returns(result), context, bindings)
            except Exception as error:  # noqa: BLE001  # reported as the error of this field
                if written and (known := client_error(error)) is not None:
                    known.message = f"the write was done; reading what it gave failed: {known.message}"
                    errors.append(located_error(known, each.nodes, [each.key]))
                else:
                    errors.append(located_error(error, each.nodes, [each.key]))
        if not self.failures:
            return data, errors
        try:
            reported, failed = report(data, self.failures, bindings)
        except LimitExceededError as error:
            error.message = (
                f"the writes without an error of their own were done, but of what they gave {error.message}"
            )
            return None, [*errors, located_error(error)]
        return reported, errors + failed

    async def explain(self, context: Context, variables: VariableValues, *, analyze: bool) -> Explained:  # noqa: ARG002  # as a query's
        """Refuse: the reads of a mutation cannot run without its writes."""
        raise UnplannedError

    def compile(self, variables: VariableValues) -> None:
        """Compile the statements of the selections as ``QueryPlan.compile`` does; raises as it does."""
        bindings = self.arguments.bind(NOBODY, variables)
        for each in self.fields:
            if isinstance(each, MutationField):
                each.result.compile(bindings)

    def outline(self) -> list[dict[str, Any]]:
        """Return the writes for the log, each with the reads of its selection, without arguments."""
        return [
            {"write": each.nodes[0].name.value, "reads": outline(each.result.reads)}
            for each in self.fields
            if isinstance(each, MutationField)
        ]


@dataclass
class ResultSelection:
    """The selection of a write's result: of rows, with the reads for them, or of a plain object."""

    reads: ReadSet | None = None
    projection: Projection | None = None
    fields: list[tuple[str, str, ResultSelection | None]] = field(default_factory=list)
    constants: dict[str, str] = field(default_factory=dict)

    async def of(self, result: Any, context: Context, bindings: Mapping[int, Any]) -> Any:
        """Return the response for a result."""
        several = isinstance(result, list)
        results = result if several else [result]
        if self.projection is None or self.reads is None:
            objects = [await self._object(each, context, bindings) for each in results]
        else:
            run = Run(context, bindings, results)
            if self.reads.reads:
                await self.reads.fetch(run)
            if run.has_more_records_than(_MANY_RECORDS):
                objects = await ANSWERING.run(self.projection.objects, run, results)
            else:
                objects = self.projection.objects(run, results)
        return objects if several else objects[0]

    def compile(self, bindings: Mapping[int, Any]) -> None:
        """Compile the statements of the selection ahead; raises LimitExceededError."""
        if self.reads is not None:
            self.reads.compile(bindings)
        for _, _, below in self.fields:
            if below is not None:
                below.compile(bindings)

    async def _object(self, result: Any, context: Context, bindings: Mapping[int, Any]) -> dict[str, Any]:
        object_: dict[str, Any] = {}
        for key, name, below in self.fields:
            value = getattr(result, name) if name else self.constants[key]
            object_[key] = await below.of(value, context, bindings) if below else _plain(value)
        return object_


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        return [_plain(each) for each in value]
    return str(value) if isinstance(value, UUID) else value


def constant(value: Any) -> Callable[[Run], Any]:
    """Return a function that answers a root field with the same value always."""
    return lambda _: value


def page_of(step: PageStep, run: Run) -> Any:
    """Answer a root field with a page of all the tenant's rows."""
    return step.values(run)[None]


def only_row(step: RowStep, run: Run) -> Any:
    """Answer a root field with the only row that there is."""
    [row] = step.values(run).values()
    return row


def row_by_key(
    declared: RowByKey, step: RowStep, slot: int, nodes: list[FieldNode], key: str, run: Run
) -> Any:
    """Answer a root field with the row that has a key, or with null and an error."""
    for row in step.values(run).values():
        return row
    _, _, arguments = run.bindings[slot]
    run.errors.append(_located(declared.missing(arguments), nodes, [key]))
    return None


def nodes_by_id(
    declared: NodesById, step: NodeStep, slot: int, nodes: list[FieldNode], key: str, run: Run
) -> Any:
    """Answer a root field with the rows of ids; an id without a row gives null and an error."""
    lookups: Sequence[NodeLookup] = run.bindings[slot]
    found = step.values(run)
    rows = []
    for index, lookup in enumerate(lookups):
        id_ = str(lookup.id)
        rows.append(found.get(id_))
        if id_ not in found:
            path: list[str | int] = [key, index] if declared.many else [key]
            run.errors.append(_located(lookup.missing, nodes, path))
    return rows if declared.many else rows[0]


def _located(error: AgentDataError, nodes: list[FieldNode], path: list[str | int]) -> GraphQLError:
    return GraphQLError(error.message, nodes, path=path, original_error=error)
