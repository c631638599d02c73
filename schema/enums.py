"""The closed sets of the domain, as the contract names them."""

from __future__ import annotations

from enum import Enum
from typing import Any

import strawberry

from models.enums import (
    AccessorType,
    ApiKeyScope,
    ClosedSet,
    MessageRole,
    SandboxStatus,
    SessionStatus,
    ToolCallStatus,
    VerificationStatus,
)


def _declare(closed_set: type[ClosedSet]) -> None:
    """Make a closed set an enum of the contract, described by its docstring and its members' meanings."""
    strawberry.enum(closed_set, description=closed_set.__doc__)
    definition: Any = closed_set.__strawberry_definition__  # type: ignore[attr-defined]  # set above
    for member, value in zip(closed_set, definition.values, strict=True):
        value.description = member.description


for _closed_set in (
    AccessorType,
    ApiKeyScope,
    MessageRole,
    SandboxStatus,
    SessionStatus,
    ToolCallStatus,
    VerificationStatus,
):
    _declare(_closed_set)

__all__ = [
    "AccessorType",
    "ApiKeyScope",
    "MessageRole",
    "OrderDirection",
    "SandboxStatus",
    "SessionStatus",
    "ToolCallStatus",
    "VerificationStatus",
]


@strawberry.enum(description="The direction of an order.")
class OrderDirection(Enum):
    """The direction of an order."""

    ASC = strawberry.enum_value(
        "ASC", description="Ascending: from the least, earliest or alphabetically first; null comes first."
    )
    DESC = strawberry.enum_value(
        "DESC", description="Descending: from the greatest, latest or alphabetically last; null comes last."
    )
