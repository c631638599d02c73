"""Batches: fields whose values one statement computes for all parents at once."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any

from agentdata.engine.sql.computations import Bindings

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import Select

    from agentdata.engine.sql.computations import Computation


VALUE = "value"
"""The name of the second column of batches that return one value."""


class Gives(Enum):
    """The kinds of values that a batch can return for a parent."""

    VALUE = "one value: the statement's second column, or null"
    OBJECT = "an object of the statement's columns"
    OBJECTS = "a list of objects of the statement's columns"
    ROW = "one row of a model, or null"
    ROWS = "a list of rows of a model"

    @property
    def is_list(self) -> bool:
        """Whether each parent gets a list, which may be empty but is never null."""
        return self in {Gives.OBJECTS, Gives.ROWS}

    @property
    def is_object(self) -> bool:
        """Whether each parent gets objects made of the statement's columns, rather than a value or rows."""
        return self in {Gives.OBJECT, Gives.OBJECTS}


@dataclass(frozen=True, eq=False)
class Batch:
    """A declared batch field.

    The first column of its statement is a parent's key; the other columns are what that parent gets.
    ``inherits``: the parent object came from another batch; this statement uses the parent's arguments plus
    its own.
    """

    computation: Computation
    gives: Gives
    model: Any = None
    inherits: bool = False

    def bind(self, arguments: Mapping[str, Any], context: Any, parent: Bindings | None = None) -> Bindings:
        """Bind the field's arguments, after those of the parent's batch if the batch inherits them.

        Raises:
            AgentDataError: A filter or another argument is wrong.

        """
        own = self.computation.bind(arguments, context)
        if not self.inherits or parent is None:
            return own
        return Bindings(tuple((dict(parent.shape) | dict(own.shape)).items()), parent.values | own.values)

    def statement(self, shape: tuple[tuple[str, Any], ...], names: Sequence[str]) -> Select[Any]:
        """Build the statement of a shape with only the named columns behind the key."""
        statement = self.computation.statement(shape)
        key, *columns = statement.selected_columns
        if self.gives is Gives.VALUE:
            return statement.with_only_columns(key, columns[0].label(VALUE))
        if self.model is None:
            named = {column.key: column for column in columns}
            return statement.with_only_columns(key, *[named[name] for name in names])
        row = statement.column_descriptions[1]["entity"]
        return statement.with_only_columns(key, *[getattr(row, name) for name in names])
