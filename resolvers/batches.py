"""Batch fields: a function builds one statement that answers all parents by their keys."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any, NamedTuple

from agentdata.execution.links import KEYS
from resolvers.filtering import Filters, Term

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from sqlalchemy import Select

    from agentdata.execution.reader import Reader


class Gives(Enum):
    """What a batch gives for each parent."""

    VALUE = "one value: the statement's second column, or null"
    VALUES = "an object of the statement's columns"
    OBJECTS = "a list of objects of the statement's columns"
    ROW = "one row of a model, or null"
    ROWS = "a list of rows of a model"


class Given(NamedTuple):
    """What one place in a document asks of a batch: what its statement depends on, and its parameters."""

    shape: tuple[tuple[str, Any], ...]
    values: dict[str, Any]


@dataclass(frozen=True, eq=False)
class Batch:
    """A declared batch field.

    The function builds the statement: its first column is a parent's key, what follows is what that parent
    gets. ``bound`` are arguments that the declaration gives, ``filters`` those that clients give, each with
    what reads it; ``inherits`` says that the parent is what a batch gave, and that the statement is about
    what that one's was about, and about what is asked besides.
    """

    function: Callable[..., Select[Any]]
    gives: Gives
    model: Any = None
    bound: Mapping[str, Any] = field(default_factory=dict)
    filters: Mapping[str, Filters] = field(default_factory=dict)
    inherits: bool = False

    def given(self, arguments: Mapping[str, Any], parent: Given | None = None) -> Given:
        """Read what a client asks.

        Raises:
            BadUserInputError: A filter is wrong.

        """
        shape: dict[str, Any] = {}
        values: dict[str, Any] = {}
        if self.inherits and parent is not None:
            shape |= parent.shape
            values |= parent.values
        shape |= self.bound
        for name, filters in self.filters.items():
            term: Term | None = None
            if arguments.get(name) is not None:
                term, more = filters.read(arguments[name], name)
                values |= more
            shape[name] = term
        return Given(tuple(shape.items()), values)

    def statement(self, given: Given) -> Select[Any]:
        """Build the statement."""
        return self.function(**dict(given.shape))


@dataclass(frozen=True)
class Computed:
    """An object that a batch gave, which knows what it was asked, for batches below it."""

    row: Any
    key: Any
    given: Given

    def __getattr__(self, name: str) -> Any:
        """Give a column of the object."""
        return getattr(self.row, name)


@dataclass(frozen=True)
class Asked:
    """A batch as it stands at one place in a document."""

    batch: Batch
    given: Given

    async def fetch(self, reader: Reader, keys: list[Any]) -> Sequence[Any]:
        """Give what each key gets, by one statement."""
        found: dict[Any, list[Any]] = {key: [] for key in keys}
        statement = self.batch.statement(self.given)
        for row in await reader.execute(statement, {KEYS: keys, **self.given.values}):
            is_object = self.batch.gives in {Gives.VALUES, Gives.OBJECTS}
            found[row[0]].append(Computed(row, row[0], self.given) if is_object else row[1])
        many = self.batch.gives in {Gives.ROWS, Gives.OBJECTS}
        return [found[key] if many else next(iter(found[key]), None) for key in keys]
