"""How rows of one table find rows of another: what relations, pages and filters all stand on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import ARRAY, Uuid, any_, column, func, literal, select
from sqlalchemy.dialects.postgresql import array

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from sqlalchemy import ColumnElement

    from agentdata.execution.reader import Reader
    from models import Base


def keys_of(ids: Sequence[Any]) -> Any:
    """Give ids as a table with the column ``key``, so that one statement serves however many there are."""
    return func.unnest(literal(list(ids), ARRAY(Uuid))).table_valued(column("key", Uuid)).render_derived()


def among(column: Any, values: Sequence[Any]) -> ColumnElement[bool]:
    """Tell whether a column is one of some values, by the same statement however many there are."""
    return column == any_(literal(list(values), ARRAY(column.type)))  # type: ignore[no-any-return]  # a comparison


@dataclass(frozen=True)
class Via:
    """A table between two others that holds a pair of keys in each row."""

    model: type[Base]
    near: str
    far: str


@dataclass(frozen=True)
class Link:
    """The rows of ``model`` whose ``remote`` column is, or whose array holds, the parent's ``local`` column.

    With ``via``, another table holds the pairs of the parent's and the row's ids. Where no two rows can have
    the same ``remote`` a link is also a batch: it answers each key with its row or None.
    """

    model: type[Base]
    local: str = "id"
    remote: str = "id"
    via: Via | None = None
    fold_case: bool = False

    def holds(self, target: Any, key: Any, project_id: UUID) -> ColumnElement[bool]:
        """Tell whether a row of ``target`` (the model or an alias of it) belongs to a parent's key."""
        if self.via is not None:
            pair = self.via.model.__table__.alias()
            pairs = select(1).where(
                pair.c.project_id == project_id,
                pair.c[self.via.near] == key,
                pair.c[self.via.far] == target.id,
            )
            # The key may belong to a statement further out, which SQLAlchemy would list here anew.
            return pairs.correlate_except(pair).exists()
        column: Any = getattr(target, self.remote)
        if isinstance(column.type, ARRAY):
            return column.contains(array([key]))  # type: ignore[no-any-return]  # an attribute found by its name
        return column == key  # type: ignore[no-any-return]  # an attribute found by its name

    async def fetch(self, reader: Reader, parents: list[Any]) -> Sequence[Any]:
        """Give the row of each key, in one statement."""
        column: ColumnElement[Any] = getattr(self.model, self.remote)
        matched = func.lower(column, type_=column.type) if self.fold_case else column
        statement = select(matched, self.model).where(
            self.model.__table__.c.project_id == reader.project_id, among(matched, parents)
        )
        found = await reader.pairs(statement)
        return [found.get(key) for key in parents]
