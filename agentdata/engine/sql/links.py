"""How rows of one table find rows of another: what relations, pages and filters all stand on.

A statement is built once for any project and any parents: both are parameters of it, which every execution
gives anew. ``reader.execute`` and plans give the project; the keys are given with each execution.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import ARRAY, String, Text, Uuid, and_, any_, bindparam, column, func, select
from sqlalchemy.dialects.postgresql import array

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import ColumnElement, Select

    from agentdata.engine.reference.reader import Reader
    from models import Base

PROJECT = "project_id"
"""The parameter that holds the project."""

KEYS = "keys"
"""The parameter that holds the keys of all parents."""


def owned(target: Any) -> ColumnElement[bool]:
    """Restrict a table that a statement names to the project, itself included."""
    key = target.project_id if hasattr(target, "project_id") else target.id
    return key == bindparam(PROJECT, type_=Uuid)  # type: ignore[no-any-return]  # an attribute found by its name


def keys_table() -> Any:
    """Give the parents' keys as a table with the column ``key``."""
    keys = bindparam(KEYS, type_=ARRAY(Uuid))
    return func.unnest(keys).table_valued(column("key", Uuid)).render_derived()


def among_keys(column: Any) -> ColumnElement[bool]:
    """Tell whether a column is one of the parents' keys."""
    # A key that is longer than the column is not one of its values; as the column's type it would be cut.
    type_ = Text() if isinstance(column.type, String) else column.type
    return column == any_(bindparam(KEYS, type_=ARRAY(type_)))  # type: ignore[no-any-return]  # a comparison


@dataclass(frozen=True)
class Via:
    """A table between two others that holds a pair of keys in each row."""

    model: type[Base]
    near: str
    far: str


@dataclass(frozen=True)
class Link:
    """The rows of ``model`` whose ``remote`` column is, or whose array holds, the parent's ``local`` column.

    Where an array holds it, both share ``root_id``, by which an index finds the few rows that may.
    With ``via``, another table holds the pairs of the parent's and the row's ids. Where no two rows can have
    the same ``remote`` a link is also a batch: it answers each key with its row or None.
    """

    model: type[Base]
    local: str = "id"
    remote: str = "id"
    via: Via | None = None
    fold_case: bool = False

    def holds(self, target: Any, key: Any) -> ColumnElement[bool]:
        """Tell whether a row of ``target`` (the model or an alias of it) belongs to a parent's key."""
        if self.via is not None:
            pair: Any = self.via.model.__table__.alias()
            pairs = select(1).where(
                owned(pair.c), pair.c[self.via.near] == key, pair.c[self.via.far] == target.id
            )
            # The key may belong to a statement further out, which SQLAlchemy would list here anew.
            return pairs.correlate_except(pair).exists()
        column: Any = getattr(target, self.remote)
        if isinstance(column.type, ARRAY):
            parent: Any = self.model.__table__.alias()
            root = select(parent.c.root_id).where(owned(parent.c), parent.c.id == key)
            shared = target.root_id == root.correlate_except(parent).scalar_subquery()
            return and_(shared, column.contains(array([key])))
        return column == key  # type: ignore[no-any-return]  # an attribute found by its name

    def some(self, target: Any, key: Any) -> Select[Any]:
        """Ask whether a row of ``target`` belongs to a parent's key; it may be found several times."""
        if self.via is None:
            return select(1).where(owned(target), self.holds(target, key))
        # The pairs are joined: PostgreSQL can begin at the rows, and go through their pairs to the parents.
        pair: Any = self.via.model.__table__.alias()
        pairs = select(1).select_from(pair).join(target, pair.c[self.via.far] == target.id)
        return pairs.where(owned(pair.c), owned(target), pair.c[self.via.near] == key)

    def rows(self, names: Sequence[str] | None = None) -> Select[Any]:
        """Give the row of each key, or some of its columns, as (key, …)."""
        remote: ColumnElement[Any] = getattr(self.model, self.remote)
        selected = [self.model] if names is None else [getattr(self.model, name) for name in names]
        if self.fold_case:
            # The database folds both, as it does for its index; nobody else folds quite as it does.
            given = func.unnest(bindparam(KEYS, type_=ARRAY(Text)))
            keys = given.table_valued(column("key", Text)).render_derived()
            joined = keys.join(self.model.__table__, func.lower(remote) == func.lower(keys.c.key))
            return select(keys.c.key, *selected).select_from(joined).where(owned(self.model))
        return select(remote, *selected).where(owned(self.model), among_keys(remote))

    async def fetch(self, reader: Reader, parents: list[Any]) -> Sequence[Any]:
        """Give the row of each key, in one statement."""
        found = await reader.pairs(self.rows(), {KEYS: parents})
        return [found.get(key) for key in parents]
