"""Failures: fields with wrong arguments become null with an error; the rest of the plan answers as usual.

The compiler leaves the reads of such a field out and lets it answer ``Failed``. When the data is complete,
each ``Failed`` is reported and becomes null; where null is not allowed, the parent becomes null instead, as
the GraphQL specification has it (6.4.4, Handling Execution Errors).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from graphql import GraphQLList, GraphQLNonNull
from graphql.error import located_error

from agentdata.engine.plans.projection import Failed
from agentdata.errors import LimitExceededError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from graphql import FieldNode, GraphQLError, GraphQLOutputType

    Path = list[str | int]


MAX_ERRORS = 5_000
"""How many errors an answer may have; each is some 300 bytes and takes 20 microseconds."""


class Segment(NamedTuple):
    """A field on the way from the operation to a field: its key in the response, and its type."""

    key: str
    type: GraphQLOutputType


@dataclass(frozen=True)
class Failure:
    """A field that fails: where it stands, and the slot in which its error is bound."""

    segments: tuple[Segment, ...]
    nodes: list[FieldNode]
    slot: int
    depth: int
    """The number of loading fields above it: a field nearer to the root fails first."""


class _NulledError(Exception):
    """A value is null where its type does not allow that: the parent becomes null."""


def report(
    data: dict[str, Any], failures: Iterable[Failure], bindings: Mapping[int, Any]
) -> tuple[dict[str, Any] | None, list[GraphQLError]]:
    """Replace each ``Failed`` in the data by null, and return the data with one error for each.

    Raises:
        LimitExceededError: There are too many errors.

    """
    errors: list[GraphQLError] = []
    for failure in sorted(failures, key=lambda failure: failure.depth):
        reporter = _Reporter(failure, bindings[failure.slot], errors)
        try:
            data = reporter.object(data, 0, [])
        except _NulledError:
            return None, errors
    return data, errors


class _Reporter:
    """Reports one failure in all places. It copies what it changes: places may share an object."""

    def __init__(self, failure: Failure, error: Exception, errors: list[GraphQLError]) -> None:
        self._failure = failure
        self._error = error
        self._errors = errors

    def object(self, object_: dict[str, Any], at: int, path: Path) -> dict[str, Any]:
        """Report the failure in an object.

        Raises:
            _NulledError: The object has to be null.

        """
        if at == len(self._failure.segments):
            return object_
        segment = self._failure.segments[at]
        # An object of another type does not have the key, or has another value there.
        if segment.key not in object_:
            return object_
        value = self._value(object_[segment.key], segment.type, at, [*path, segment.key])
        return {**object_, segment.key: value}

    def _value(self, value: Any, type_: Any, at: int, path: Path) -> Any:
        if not isinstance(type_, GraphQLNonNull):
            try:
                return self._inner(value, type_, at, path)
            except _NulledError:
                return None
        return self._inner(value, type_.of_type, at, path)

    def _inner(self, value: Any, type_: Any, at: int, path: Path) -> Any:
        if isinstance(value, Failed) and value.slot == self._failure.slot:
            if len(self._errors) >= MAX_ERRORS:
                raise LimitExceededError(
                    f"more than {MAX_ERRORS:,} fields failed; mend the arguments of"
                    f" {'.'.join(map(str, path))}: {self._error}"
                )
            self._errors.append(located_error(self._error, self._failure.nodes, path))
            raise _NulledError
        if isinstance(type_, GraphQLList) and isinstance(value, list):
            return [*self._items(value, type_.of_type, at, path)]
        return self.object(value, at + 1, path) if isinstance(value, dict) else value

    def _items(self, items: list[Any], type_: Any, at: int, path: Path) -> Iterator[Any]:
        for index, item in enumerate(items):
            yield self._value(item, type_, at, [*path, index])
