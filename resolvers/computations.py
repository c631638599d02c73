"""Statements that a function builds of what a client asks: for batch fields, and lists of computed rows."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import CompoundSelect, MetaData
from sqlalchemy.orm import DeclarativeBase

from models import Base

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from sqlalchemy import Select

    from resolvers.filtering import Filters, Term


class Given(NamedTuple):
    """What one place in a document asks: what its statement depends on, and its parameters."""

    shape: tuple[tuple[str, Any], ...]
    values: dict[str, Any]


@dataclass(frozen=True, eq=False)
class Computation:
    """A statement that a function builds.

    ``bound`` are arguments that the declaration gives, ``filters`` those that clients give, each with what
    reads it; ``reads`` reads other arguments of clients, into what the statement depends on and parameters.
    """

    function: Callable[..., Any]
    bound: Mapping[str, Any] = field(default_factory=dict)
    filters: Mapping[str, Filters] = field(default_factory=dict)
    reads: Callable[[Mapping[str, Any]], Given] | None = None
    complete: Callable[..., Any] | None = None
    """Builds the condition, from the same arguments, that no row was left out because there are too many."""

    @property
    def takes_arguments(self) -> bool:
        """Tell whether clients say what it is about."""
        return bool(self.filters) or self.reads is not None

    @property
    def unasked(self) -> tuple[tuple[str, Any], ...]:
        """What the statement depends on where clients ask nothing in particular: its columns are the same."""
        return (*self.bound.items(), *dict.fromkeys(self.filters).items())

    def given(self, arguments: Mapping[str, Any]) -> Given:
        """Read what a client asks.

        Raises:
            AgentDataError: A filter or another argument is wrong.

        """
        shape: dict[str, Any] = dict(self.bound)
        values: dict[str, Any] = {}
        for name, filters in self.filters.items():
            term: Term | None = None
            if arguments.get(name) is not None:
                term, more = filters.read(arguments[name], name)
                values |= more
            shape[name] = term
        if self.reads is not None:
            more_shape, more = self.reads(arguments)
            shape |= dict(more_shape)
            values |= more
        return Given(tuple(shape.items()), values)

    def statement(self, shape: tuple[tuple[str, Any], ...]) -> Select[Any]:
        """Build the statement."""
        return self.function(**dict(shape))  # type: ignore[no-any-return]  # what the function gives

    def parts(self, shape: tuple[tuple[str, Any], ...]) -> Sequence[Any]:
        """Build the statements that together give the rows: several where the function unites them all."""
        built = self.function(**dict(shape))
        return built.selects if isinstance(built, CompoundSelect) else [built]


class Derived(DeclarativeBase):
    """The declarative base of rows that a statement computes: they have columns and types, but no table.

    Their attributes may not be called ``count`` or ``index``, which are methods of rows.
    """

    metadata = MetaData()
    type_annotation_map = Base.type_annotation_map
