"""The closed sets of the domain, as the contract names them."""

from __future__ import annotations

from enum import Enum
from typing import Any

import strawberry

from models.enums import (
    AccessorType,
    ApiKeyScope,
    AuditKind,
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
    AuditKind,
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
    "AuditKind",
    "Interval",
    "MessageRole",
    "OrderDirection",
    "SandboxStatus",
    "SessionStatus",
    "ToolCallStatus",
    "VerificationStatus",
]


@strawberry.enum(description="How long the buckets of a series are, by the clock of its time zone.")
class Interval(Enum):
    """How long the buckets of a series are; the values are PostgreSQL's words for them."""

    MINUTE = strawberry.enum_value("minute", description="A minute.")
    HOUR = strawberry.enum_value("hour", description="An hour; one that the clock shows twice is two.")
    DAY = strawberry.enum_value(
        "day", description="A day from midnight to midnight, of 23 or 25 hours where the clock is changed."
    )
    WEEK = strawberry.enum_value("week", description="A week, from Monday to Sunday.")
    MONTH = strawberry.enum_value("month", description="A month, from its first day to its last.")


@strawberry.enum(description="The direction of an order.")
class OrderDirection(Enum):
    """The direction of an order."""

    ASC = strawberry.enum_value(
        "ASC", description="Ascending: from the least, earliest or alphabetically first; null comes first."
    )
    DESC = strawberry.enum_value(
        "DESC", description="Descending: from the greatest, latest or alphabetically last; null comes last."
    )
