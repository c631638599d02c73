"""Batch fields: a function builds one statement that answers all parents by their keys."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any

from agentdata.engine.sql.computations import Given
from agentdata.engine.sql.links import KEYS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from agentdata.engine.reference.reader import Reader
    from agentdata.engine.sql.computations import Computation


class Gives(Enum):
    """What a batch gives for each parent."""

    VALUE = "one value: the statement's second column, or null"
    VALUES = "an object of the statement's columns"
    OBJECTS = "a list of objects of the statement's columns"
    ROW = "one row of a model, or null"
    ROWS = "a list of rows of a model"


@dataclass(frozen=True, eq=False)
class Batch:
    """A declared batch field.

    The first column of its statement is a parent's key, what follows is what that parent gets. ``inherits``
    says that the parent is what a batch gave, and that the statement is about what that one's was about, and
    about what is asked besides.
    """

    computation: Computation
    gives: Gives
    model: Any = None
    inherits: bool = False

    def given(self, arguments: Mapping[str, Any], parent: Given | None = None) -> Given:
        """Read what a client asks.

        Raises:
            AgentDataError: A filter or another argument is wrong.

        """
        own = self.computation.given(arguments)
        if not self.inherits or parent is None:
            return own
        return Given(tuple((dict(parent.shape) | dict(own.shape)).items()), parent.values | own.values)


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
        statement = self.batch.computation.statement(self.given.shape)
        for row in await reader.execute(statement, {KEYS: keys, **self.given.values}):
            is_object = self.batch.gives in {Gives.VALUES, Gives.OBJECTS}
            found[row[0]].append(Computed(row, row[0], self.given) if is_object else row[1])
        many = self.batch.gives in {Gives.ROWS, Gives.OBJECTS}
        return [found[key] if many else next(iter(found[key]), None) for key in keys]
