"""What all types of rows share."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import strawberry

from agentdata.engine.fields.declare import column


@strawberry.interface(description="An object with an id, by which `node` finds it.")
class Node:
    """Anything that has an id. Rows are instances of the model that has the type's name."""

    id: strawberry.ID = column("The id: a UUIDv7, unique across all types. `node` finds any object by it.")
    created_at: datetime = column("When it was recorded.")

    @classmethod
    def is_type_of(cls, row: object, _info: Any) -> bool:
        """Tell whether a row is of this type."""
        return type(row).__name__ == cls.__name__
