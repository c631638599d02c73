"""The attributes of models that queries read: columns, and hybrids, which SQL computes from columns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from models.base import hybrids_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy.types import TypeEngine


def types_of(model: Any) -> Mapping[str, TypeEngine[Any]]:
    """Return the types of a model's columns and hybrids by their names."""
    columns = {key: column.type for key, column in model.__mapper__.columns.items()}
    return columns | {name: getattr(model, name).type for name in hybrids_of(model)}
