"""Plans of queries and of mutations: what runs, in which order, and what is told of what is not there."""

from __future__ import annotations

from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from uuid import UUID

from graphql import (
    FieldNode,
    GraphQLError,
)
from graphql.error import located_error

from agentdata.errors import AgentDataError
from agentdata.execution.plan import Rows, Run, UnplannedError
from agentdata.execution.reporting import client_error
from models.enums import ApiKeyScope
from resolvers.mutations import Mutation
from resolvers.roots import AnyNode

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

    from graphql.execution.values import VariableValues

    from agentdata.context import Context, Principal
from resolvers.steps import ADMIN, LinkStep, NodeStep, PageStep

PROJECT = -2
"""Under this place of what was given stands the project."""


@dataclass(frozen=True)
class Root:
    """A field that an operation begins with: its key in the response and what gives its value."""

    key: str
    value: Callable[[Run], Any]


@dataclass(frozen=True)
class Asked:
    """What one place in the document asks, read anew from each request's variables."""

    place: int
    read: Callable[[VariableValues, Mapping[int, Any]], Any]


@dataclass
class Plan:
    """A compiled query. It belongs to a document, not to a project or a key, and holds no data."""

    roots: list[Root] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)
    scopes: set[ApiKeyScope] = field(default_factory=set)

    def given(self, principal: Principal, variables: VariableValues) -> dict[int, Any]:
        """Read all that the operation asks with these variables, before anything of it runs.

        Raises:
            UnplannedError: Something of it is wrong; the plain way says what, and where.

        """
        if not all(principal.may(scope) for scope in self.scopes):
            raise UnplannedError
        given: dict[int, Any] = {ADMIN: principal.may(ApiKeyScope.ADMIN), PROJECT: principal.project_id}
        try:
            for asked in self.asked:
                given[asked.place] = asked.read(variables, given)
        except (AgentDataError, GraphQLError):
            raise UnplannedError from None
        return given

    async def answer(self, context: Context, variables: VariableValues) -> tuple[Any, list[GraphQLError]]:
        """Run the plan in one transaction and give its data, and errors for what was not found.

        Raises:
            UnplannedError: As ``given`` does.

        """
        given = self.given(context.principal, variables)
        async with _reading(context, given) as run:
            return {root.key: await root.value(run) for root in self.roots}, run.errors


@asynccontextmanager
async def _reading(context: Context, given: dict[int, Any]) -> AsyncIterator[Run]:
    async with AsyncExitStack() as stack:
        yield Run(lambda: stack.enter_async_context(context.reading()), context.principal.project_id, given)


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

    reads: Plan
    writes: list[Write] = field(default_factory=list)

    async def answer(self, context: Context, variables: VariableValues) -> tuple[Any, list[GraphQLError]]:
        """Run the writes and give their data; one that fails is null, with an error, and the others go on.

        Raises:
            UnplannedError: Something that is asked of a result is wrong; nothing has run.

        """
        given = self.reads.given(context.principal, variables)
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


@dataclass
class Selected:
    """What is selected of what a write gave: of rows, or of an object that holds some."""

    rows: Rows | None = None
    fields: list[tuple[str, str, Selected | None]] = field(default_factory=list)
    constants: dict[str, str] = field(default_factory=dict)

    async def of(self, result: Any, context: Context, given: dict[int, Any]) -> Any:
        """Give the response for a result."""
        several = isinstance(result, list)
        results = result if several else [result]
        if self.rows is None:
            made = [await self._object(each, context, given) for each in results]
        elif self.rows.steps:
            async with _reading(context, given) as run:
                made = await self.rows.read(run, results)
        else:
            made = self.rows.made(results)
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

    async def give(_run: Run) -> Any:  # as the other roots are
        return value

    return give


async def page_of(step: PageStep, run: Run) -> Any:
    """Answer a root field with a page of the whole project."""
    return (await step.values(run, [None]))[None]


async def project_row(step: LinkStep, run: Run) -> Any:
    """Answer a root field with the project."""
    return (await step.values(run, [run.project_id]))[run.project_id]


async def one_row(steps: dict[str, LinkStep], place: int, nodes: list[FieldNode], key: str, run: Run) -> Any:
    """Answer a root field with the row of one of its keys, or null and an error."""
    by, value, missing = run.given[place]
    found = (await steps[by].values(run, [value])).get(value)
    if found is None:
        run.errors.append(_failed(missing, nodes, [key]))
    return found


async def node_rows(
    declared: AnyNode, step: NodeStep, place: int, nodes: list[FieldNode], key: str, run: Run
) -> Any:
    """Answer a root field with the rows of ids; for each that is not there null, and an error."""
    sought = run.given[place]
    ids = {each.id for each in sought if each.id is not None}
    found = await step.values(run, list(ids)) if ids else {}
    for index, each in enumerate(sought):
        if each.id not in found:
            path: list[str | int] = [key, index] if declared.many else [key]
            run.errors.append(_failed(each.missing, nodes, path))
    rows = [found.get(each.id) for each in sought]
    return rows if declared.many else rows[0]


def _failed(error: AgentDataError, nodes: list[FieldNode], path: list[str | int]) -> GraphQLError:
    return GraphQLError(error.message, nodes, path=path, original_error=error)
