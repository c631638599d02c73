"""Nodes: rows of any type, found by their ids alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from sqlalchemy import CompoundSelect, literal_column, select, union_all

from agentdata.engine.sql.links import among_keys
from agentdata.engine.sql.tenancy import owned

if TYPE_CHECKING:
    from collections.abc import Mapping


class _Client(Protocol):
    def may(self, scope: Any) -> bool: ...


@dataclass(frozen=True, eq=False)
class NodeTypes:
    """The models whose rows can be found by id, and the scopes that some of them need."""

    models: tuple[Any, ...]
    scopes: Mapping[Any, Any]

    def positions(self) -> CompoundSelect[Any]:
        """Select which model has a row with each id, as (id, position in ``models``)."""
        return union_all(
            *[
                select(model.id, literal_column(str(position))).where(owned(model), among_keys(model.id))
                for position, model in enumerate(self.models)
            ]
        )

    def visible(self, model: Any, client: _Client) -> bool:
        """Return whether a client may find rows of a model."""
        scope = self.scopes.get(model)
        return scope is None or client.may(scope)
