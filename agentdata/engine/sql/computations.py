"""Computations: statements that a function builds from a field's arguments.

Batch fields and lists of computed rows are computations. Arguments are bound in two parts: the shape, which
decides the SQL, and the values, which are its parameters. So a statement is built once for all arguments of
one shape.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import CompoundSelect, MetaData
from sqlalchemy.orm import DeclarativeBase

from models.base import Base

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from sqlalchemy import Select
    from strawberry.types.arguments import StrawberryArgument

    from agentdata.engine.preparations import Prepare
    from agentdata.engine.sql.filters import Filters, Term


class Bindings(NamedTuple):
    """Bound arguments: the shape that the SQL depends on, and the values of its parameters."""

    shape: tuple[tuple[str, Any], ...]
    values: dict[str, Any]


NO_BINDINGS = Bindings((), {})


@dataclass(frozen=True, eq=False)
class Computation:
    """A statement that a function builds.

    The function's keyword arguments come from these sources: the ``constants`` of the declaration; the terms
    of those field arguments that are ``filters``, under their own names; what ``binder`` makes of all other
    field arguments; and the ``situation``.
    """

    function: Callable[..., Any]
    constants: Mapping[str, Any] = field(default_factory=dict)
    filters: Mapping[str, Filters] = field(default_factory=dict)
    binder: Callable[..., Bindings] | None = None
    arguments: tuple[StrawberryArgument, ...] = ()
    is_complete: Callable[..., Any] | None = None
    """Builds, from the same arguments, the condition that the computation left no row out for its limits."""
    mode: Callable[..., str] | None = None
    """Returns, from the same arguments, the name of the way in which the rows are found."""
    prepare: Prepare | None = None
    """Prepares the arguments before they are bound, and before the operation takes a connection."""
    situation: Callable[[Any], Mapping[str, Any]] | None = None
    """Returns what else the SQL depends on, from the context: further keyword arguments of the function."""
    takes_first: bool = False
    """Whether the function takes ``first``: how many of the first rows by the list's own order are needed, as
    SQL; it may leave out all others. None if all are needed."""

    @property
    def takes_arguments(self) -> bool:
        """Whether the statement depends on arguments of the field."""
        return bool(self.arguments)

    @property
    def default_shape(self) -> tuple[tuple[str, Any], ...]:
        """The shape for default arguments; the statement's columns do not depend on the arguments."""
        return (*self.constants.items(), *dict.fromkeys(self.filters).items())

    def bind(self, arguments: Mapping[str, Any], context: Any) -> Bindings:
        """Bind a field's arguments for an operation.

        Raises:
            AgentDataError: A filter or another argument is wrong.

        """
        shape: dict[str, Any] = dict(self.constants)
        values: dict[str, Any] = {}
        for name, filters in self.filters.items():
            term: Term | None = None
            if arguments.get(name) is not None:
                term, parameters = filters.parse(arguments[name], name)
                values |= parameters
            shape[name] = term
        if self.binder is not None:
            bound = self.binder(arguments, **self.constants)
            shape |= dict(bound.shape)
            values |= bound.values
        if self.situation is not None:
            shape |= self.situation(context)
        return Bindings(tuple(shape.items()), values)

    def statement(self, shape: tuple[tuple[str, Any], ...]) -> Select[Any]:
        """Build the statement of a shape."""
        return self.function(**dict(shape))  # type: ignore[no-any-return]  # what the function returns

    def parts(self, shape: tuple[tuple[str, Any], ...], first: Any = None) -> Sequence[Any]:
        """Build the statements that together give the rows: several if the function returns a UNION ALL.

        Rows behind the ``first`` by the list's own order may be missing, unless it is None.
        """
        known = {"first": first} if self.takes_first else {}
        built = self.function(**dict(shape), **known)
        return built.selects if isinstance(built, CompoundSelect) else [built]


class ComputedRow(DeclarativeBase):
    """The declarative base of rows that a statement computes: they have columns and types, but no table.

    Attributes may not be called ``count`` or ``index``, which are methods of SQLAlchemy's rows.
    """

    metadata = MetaData()
    type_annotation_map = Base.type_annotation_map
