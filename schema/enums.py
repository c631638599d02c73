"""The closed sets of the domain, as the contract names them."""

from __future__ import annotations

from enum import Enum
from typing import Any

import strawberry

from models.enums import ApiKeyScope, ClosedSet, MessageRole, SessionStatus, ToolCallStatus


def _declare(closed_set: type[ClosedSet]) -> None:
    """Make a closed set an enum of the contract, described by its docstring and its members' meanings."""
    strawberry.enum(closed_set, description=closed_set.__doc__)
    definition: Any = closed_set.__strawberry_definition__  # type: ignore[attr-defined]  # set above
    for member, value in zip(closed_set, definition.values, strict=True):
        value.description = member.description


for _closed_set in (ApiKeyScope, MessageRole, SessionStatus, ToolCallStatus):
    _declare(_closed_set)

__all__ = ["ApiKeyScope", "MessageRole", "OrderDirection", "SessionStatus", "ToolCallStatus"]


@strawberry.enum(description="Which way an order goes.")
class OrderDirection(Enum):
    """Which way an order goes."""

    ASC = strawberry.enum_value(
        "ASC", description="The smallest, earliest or first in the alphabet comes first; null before all."
    )
    DESC = strawberry.enum_value(
        "DESC", description="The greatest, latest or last in the alphabet comes first; null after all."
    )
