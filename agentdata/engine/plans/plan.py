"""Plans of queries and of mutations: what runs, in which order, and what is told of what is not there."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from uuid import UUID

from graphql import (
    FieldNode,
    GraphQLError,
)
from graphql.error import located_error

from agentdata.engine.fields.mutations import Mutation
from agentdata.engine.fields.roots import AnyNode
from agentdata.engine.plans.explain import explain
from agentdata.engine.plans.run import Run, UnplannedError
from agentdata.engine.reporting import client_error
from agentdata.errors import AgentDataError
from models.enums import ApiKeyScope

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from graphql.execution.values import VariableValues

    from agentdata.context import Context, Principal
    from agentdata.engine.fields.roots import Sought
    from agentdata.engine.plans.explain import Explained
    from agentdata.engine.plans.projection import Rows
    from agentdata.engine.plans.statements import Query
    from agentdata.engine.plans.steps import LinkStep, NodeStep, PageStep


@dataclass(frozen=True)
class Root:
    """A field that an operation begins with: its key in the response and what gives its value."""

    key: str
    value: Callable[[Run], Any]


@dataclass(frozen=True)
class Place:
    """A place in the document: what it asks is read from each request's variables, and for its project."""

    number: int
    read: Callable[[VariableValues, Mapping[int, Any], UUID], Any]


@dataclass
class Plan:
    """A compiled query. It belongs to a document, not to a project or a key, and holds no data."""

    query: Query
    roots: list[Root] = field(default_factory=list)
    places: list[Place] = field(default_factory=list)
    scopes: set[ApiKeyScope] = field(default_factory=set)

    def given(self, principal: Principal, variables: VariableValues) -> dict[int, Any]:
        """Read all that the operation asks with these variables, before anything of it runs.

        Raises:
            UnplannedError: Something of it is wrong; the plain way says what, and where.

        """
        if not all(principal.may(scope) for scope in self.scopes):
            raise UnplannedError
        given: dict[int, Any] = {}
        try:
            for place in self.places:
                given[place.number] = place.read(variables, given, principal.project_id)
        except (AgentDataError, GraphQLError):
            raise UnplannedError from None
        return given

    async def answer(self, context: Context, variables: VariableValues) -> tuple[Any, list[GraphQLError]]:
        """Run the plan in one statement and give its data, and errors for what was not found.

        Raises:
            UnplannedError: As ``given`` does.

        """
        run = Run(context.principal, context.fetch, self.given(context.principal, variables))
        await self.query.run(run)
        return {root.key: root.value(run) for root in self.roots}, run.errors

    async def explain(self, context: Context, variables: VariableValues, *, analyze: bool) -> Explained:
        """Tell what the plan reads; with ``analyze`` also what each read takes, which runs it.

        Raises:
            UnplannedError: As ``given`` does.

        """
        run = Run(context.principal, context.fetch, self.given(context.principal, variables))
        return await explain(self.query, run, analyze=analyze)


@dataclass(frozen=True)
class Write:
    """A field of a mutation: what it does, how its arguments are read, and what is selected of its result."""

    key: str
    nodes: list[FieldNode]
    declared: Mutation
    given: Callable[[VariableValues], dict[str, Any]]
    selected: Selected


@dataclass
class MutationPlan:
    """A compiled mutation: its writes run one after another, each followed by the reads of its selection."""

    asked: Plan
    """What is asked of all results."""
    writes: list[Write] = field(default_factory=list)

    async def answer(self, context: Context, variables: VariableValues) -> tuple[Any, list[GraphQLError]]:
        """Run the writes and give their data; one that fails is null, with an error, and the others go on.

        Raises:
            UnplannedError: Something that is asked of a result is wrong; nothing has run.

        """
        given = self.asked.given(context.principal, variables)
        data: dict[str, Any] = {}
        errors: list[GraphQLError] = []
        for write in self.writes:
            data[write.key] = None
            done = False
            try:
                result = await write.declared.run(context, write.given(variables))
                done = True
                data[write.key] = await write.selected.of(result, context, given)
            except Exception as error:  # noqa: BLE001  # told as the error of this field
                if done and (known := client_error(error)) is not None:
                    known.message = f"the write was done; reading what it gave failed: {known.message}"
                    errors.append(located_error(known, write.nodes, [write.key]))
                else:
                    errors.append(located_error(error, write.nodes, [write.key]))
        return data, errors

    async def explain(self, context: Context, variables: VariableValues, *, analyze: bool) -> Explained:  # noqa: ARG002  # as a query's
        """Refuse: what is read after a write cannot be read without it."""
        raise UnplannedError


@dataclass
class Selected:
    """What is selected of what a write gave: of rows, with what is read for them, or of an object."""

    query: Query | None = None
    rows: Rows | None = None
    fields: list[tuple[str, str, Selected | None]] = field(default_factory=list)
    constants: dict[str, str] = field(default_factory=dict)

    async def of(self, result: Any, context: Context, given: dict[int, Any]) -> Any:
        """Give the response for a result."""
        several = isinstance(result, list)
        results = result if several else [result]
        if self.rows is None or self.query is None:
            made = [await self._object(each, context, given) for each in results]
        else:
            run = Run(context.principal, context.fetch, given, results)
            await self.query.run(run)
            made = self.rows.objects(run, results)
        return made if several else made[0]

    async def _object(self, result: Any, context: Context, given: dict[int, Any]) -> dict[str, Any]:
        made: dict[str, Any] = {}
        for key, name, below in self.fields:
            value = getattr(result, name) if name else self.constants[key]
            made[key] = await below.of(value, context, given) if below else _plainly(value)
        return made


def _plainly(value: Any) -> Any:
    if isinstance(value, list):
        return [_plainly(each) for each in value]
    return str(value) if isinstance(value, UUID) else value


def constant(value: Any) -> Callable[[Run], Any]:
    """Give what answers a root field with the same always."""
    return lambda _: value


def page_of(step: PageStep, run: Run) -> Any:
    """Answer a root field with a page of the whole project."""
    return step.values(run)[None]


def row_of(step: LinkStep, run: Run) -> Any:
    """Answer a root field with the only row that there is."""
    [row] = step.values(run).values()
    return row


def one_row(step: LinkStep, place: int, nodes: list[FieldNode], key: str, run: Run) -> Any:
    """Answer a root field with the row of one of its keys, or null and an error."""
    _, _, missing = run.given[place]
    for row in step.values(run).values():
        return row
    run.errors.append(_failed(missing, nodes, [key]))
    return None


def node_rows(
    declared: AnyNode, step: NodeStep, place: int, nodes: list[FieldNode], key: str, run: Run
) -> Any:
    """Answer a root field with the rows of ids; for each that is not there null, and an error."""
    sought: Sequence[Sought] = run.given[place]
    found = step.values(run)
    rows = []
    for index, each in enumerate(sought):
        id_ = str(each.id)
        rows.append(found.get(id_))
        if id_ not in found:
            path: list[str | int] = [key, index] if declared.many else [key]
            run.errors.append(_failed(each.missing, nodes, path))
    return rows if declared.many else rows[0]


def _failed(error: AgentDataError, nodes: list[FieldNode], path: list[str | int]) -> GraphQLError:
    return GraphQLError(error.message, nodes, path=path, original_error=error)
