"""One execution of a plan, and the two reasons for which a plan does not answer."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from uuid import UUID

from agentdata.engine.sql.cursors import Signer

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from graphql import GraphQLError

    from agentdata.engine.context import Context

    Record = Sequence[Any]
    """A row as the driver returns it."""


class UnplannedError(Exception):
    """A plan cannot hold the operation; the reference way runs it."""


class FailingFieldsError(Exception):
    """Some fields have wrong arguments; a plan that expects that has to be compiled. Nothing has run."""

    def __init__(self, paths: frozenset[str]) -> None:
        super().__init__(paths)
        self.paths = paths
        """The paths of these fields in the response, keys joined by dots."""


class _Nobody:
    """Stands for the context while arguments are bound before any request."""

    signer = Signer(bytes(32), UUID(int=0))
    has_totals = False

    def require(self, scope: Any) -> None:
        """Have every scope: nothing runs for nobody."""


NOBODY: Any = _Nobody()


@dataclass
class Run:
    """One execution of a plan: for whom, with which arguments, and the records that were read."""

    context: Context
    bindings: Mapping[int, Any]
    """The bound arguments of each slot."""
    written: Sequence[Any] = ()
    """The rows that a write returned."""
    errors: list[GraphQLError] = field(default_factory=list)
    nulled: bool = False
    """Whether an error has made the data as a whole null."""
    records: list[list[Record]] = field(default_factory=list)
    """The records of each read, by its position."""
    columns: Sequence[Mapping[str, int]] = ()
    """For each read, where in its records each column stands, extra columns included."""

    def has_more_records_than(self, number: int) -> bool:
        """Return whether all reads together found more records than a number."""
        return sum(map(len, self.records)) > number
