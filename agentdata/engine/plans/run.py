"""Plans: an operation compiled once into one statement and into functions that make rows into the response.

Each field that leads to other rows is a **read** (`query.py`), and a **step** beside it makes its rows into
their part of the response (`rows.py`). Plans hold no data.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from graphql import FragmentDefinitionNode, GraphQLError, OperationDefinitionNode
    from graphql.execution.values import VariableValues

    from agentdata.engine.plans.explain import Explained
    from agentdata.engine.plans.statements import Read, Statement

    Record = Sequence[Any]


class UnplannedError(Exception):
    """A plan cannot hold the operation, or not with these values: it runs the plain way."""


class Plan(Protocol):
    """A compiled operation. It belongs to a document, not to a project or a key, and holds no data."""

    async def answer(self, context: Any, variables: VariableValues) -> tuple[Any, list[GraphQLError]]:
        """Run the plan for a request and give its data and errors.

        Raises:
            UnplannedError: Something of it is wrong; the plain way says what, and where. Nothing has run.

        """

    async def explain(self, context: Any, variables: VariableValues, *, analyze: bool) -> Explained:
        """Tell what the plan reads; with ``analyze`` also what each read takes, which runs it.

        Raises:
            UnplannedError: As ``answer`` does, or it is of an operation that writes.

        """


class Planner(Protocol):
    """What compiles operations."""

    def plan(
        self,
        operation: OperationDefinitionNode,
        fragments: Mapping[str, FragmentDefinitionNode],
        variables: VariableValues,
    ) -> Plan:
        """Compile an operation for the values that its @skip and @include have with these variables.

        Raises:
            UnplannedError: A plan cannot hold it.

        """


@dataclass
class Run:
    """One execution of a plan: for whom, what was asked, and what was read."""

    principal: Any
    fetch: Callable[[str, list[Any]], Any]
    given: Mapping[int, Any]
    written: Sequence[Any] = ()
    """The rows that a write gave."""
    errors: list[GraphQLError] = field(default_factory=list)
    records: list[list[Record]] = field(default_factory=list)
    statement: Statement | None = None

    def of(self, read: Read) -> list[Record]:
        """Give the records of a read."""
        return self.records[read.place]

    def places(self, read: Read) -> dict[str, int]:
        """Tell where in the records of a read its columns stand, those beside the selected ones included."""
        return self.statement.places[read.place] if self.statement else {}
