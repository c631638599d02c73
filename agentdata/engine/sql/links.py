"""Links: how rows of one table find rows of another. Relations, pages and filters all stand on them.

A statement is built once for any parents: their keys are a parameter. The reference way sends them; a plan
replaces the parameter by a SELECT of them from the read above.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import ARRAY, String, Text, Uuid, and_, any_, bindparam, column, func, select
from sqlalchemy.dialects.postgresql import array

from agentdata.engine.sql.tenancy import owned
from models.base import folded

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import ColumnElement, Select

KEYS = "keys"
"""The parameter that holds the keys of all parents."""


def keys_table() -> Any:
    """Return the parents' keys as a table with the column ``key``."""
    keys = bindparam(KEYS, type_=ARRAY(Uuid))
    return func.unnest(keys).table_valued(column("key", Uuid)).render_derived()


def among_keys(column: Any) -> ColumnElement[bool]:
    """Restrict a column to the parents' keys."""
    # A key that is longer than the column equals none of its values; cast to the column's type it would be
    # cut.
    type_ = Text() if isinstance(column.type, String) else column.type
    return column == any_(bindparam(KEYS, type_=ARRAY(type_)))  # type: ignore[no-any-return]  # a comparison


@dataclass(frozen=True)
class Via:
    """A table between two others; each of its rows holds a pair of their ids."""

    model: type[Any]
    near: str
    far: str


@dataclass(frozen=True)
class Link:
    """The rows of ``model`` whose ``remote`` column equals, or contains, the parent's ``local`` column.

    If ``remote`` is an array, parent and row share a ``root_id``; its index finds the few candidates.
    With ``via``, another table holds the pairs of the parent's id and the row's id.
    """

    model: type[Any]
    local: str = "id"
    remote: str = "id"
    via: Via | None = None
    fold_case: bool = False

    def matches(self, target: Any, key: Any) -> ColumnElement[bool]:
        """Build the condition that a row of ``target`` (the model or an alias) belongs to a parent's key."""
        if self.via is not None:
            pair: Any = self.via.model.__table__.alias()
            pairs = select(1).where(
                owned(pair), pair.c[self.via.near] == key, pair.c[self.via.far] == target.id
            )
            # The key may belong to an outer statement, whose table SQLAlchemy would otherwise list here
            # again.
            return pairs.correlate_except(pair).exists()
        column: Any = getattr(target, self.remote)
        if is_list_of_keys(self):
            parent: Any = self.model.__table__.alias()
            root = select(parent.c.root_id).where(owned(parent), parent.c.id == key)
            shared = target.root_id == root.correlate_except(parent).scalar_subquery()
            return and_(shared, column.contains(array([key])))
        return column == key  # type: ignore[no-any-return]  # an attribute found by its name

    def matching(self, target: Any, key: Any) -> Select[Any]:
        """Select 1 for each row of ``target`` that belongs to a parent's key, possibly several times."""
        if self.via is None:
            return select(1).where(owned(target), self.matches(target, key))
        # A join lets PostgreSQL begin at the rows and reach the parents through the pairs.
        pair: Any = self.via.model.__table__.alias()
        pairs = select(1).select_from(pair).join(target, pair.c[self.via.far] == target.id)
        return pairs.where(owned(pair), owned(target), pair.c[self.via.near] == key)

    def rows(self, names: Sequence[str] | None = None) -> Select[Any]:
        """Select the row of each key, or the named columns of it, as (key, …)."""
        remote: ColumnElement[Any] = getattr(self.model, self.remote)
        selected = [self.model] if names is None else [getattr(self.model, name) for name in names]
        if self.fold_case:
            # The database folds both sides, as it does for its index; no other program folds quite like it.
            texts = func.unnest(bindparam(KEYS, type_=ARRAY(Text)))
            keys = texts.table_valued(column("key", Text)).render_derived()
            joined = keys.join(self.model.__table__, folded(remote) == func.lower(keys.c.key))
            return select(keys.c.key, *selected).select_from(joined).where(owned(self.model))
        return select(remote, *selected).where(owned(self.model), among_keys(remote))


def is_list_of_keys(link: Link) -> bool:
    """Return whether the remote column of a link lists the keys of several parents."""
    return isinstance(link.model.__mapper__.columns[link.remote].type, ARRAY)
