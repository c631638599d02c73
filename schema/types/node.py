"""The fields that all types of rows share."""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar

import strawberry

from resolvers.fields import column
from schema.declarations import interface_type


@interface_type
class Node:
    """An object with an id, by which `node` finds it."""

    id: strawberry.ID = column(
        "The id: a UUIDv7, unique across all types. `node` finds any object by its id."
    )
    created_at: datetime = column("When the object was recorded.")

    __model__: ClassVar[type[Any]]

    @classmethod
    def is_type_of(cls, row: object, _info: Any) -> bool:
        """Tell whether a row is one of the type's model. Rows that were just written name their model."""
        return getattr(row, "__model__", type(row)) is cls.__model__
