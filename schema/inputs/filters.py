"""What a filter may ask of one value. All that is asked together must hold together."""

from __future__ import annotations

from datetime import datetime

import strawberry
from strawberry import UNSET

from schema.enums import (
    AccessorType,
    MessageRole,
    SandboxStatus,
    SessionStatus,
    ToolCallStatus,
    VerificationStatus,
)
from schema.scalars import JSON, BigInt

_EQ = "Equal to this value."
_NE = "Not equal to this value; null counts as not equal."
_IN = "Equal to one of these values; a list of 1 to 1,000."
_NOT_IN = "Equal to none of these values; a list of 1 to 1,000. Null counts as equal to none."
_GT, _GTE = "Greater than this value.", "Greater than this value, or equal to it."
_LT, _LTE = "Less than this value.", "Less than this value, or equal to it."
_IS_NULL = "If true, the value must be null; if false, it must not be."
_IS_EMPTY = "If true, the list must be empty; if false, it must not be."


@strawberry.input(description="Conditions on an id. All that are given must hold.")
class IDFilter:
    """Conditions on an id. All that are given must hold."""

    eq: strawberry.ID | None = strawberry.field(default=UNSET, description=_EQ)
    in_: list[strawberry.ID] | None = strawberry.field(default=UNSET, description=_IN, name="in")
    not_in: list[strawberry.ID] | None = strawberry.field(default=UNSET, description=_NOT_IN)
    is_null: bool | None = strawberry.field(default=UNSET, description=_IS_NULL)


@strawberry.input(
    description="Conditions on a text, compared exactly, case included. All that are given must hold."
)
class StringFilter:
    """Conditions on a text, compared exactly, case included. All that are given must hold."""

    eq: str | None = strawberry.field(default=UNSET, description=_EQ)
    ne: str | None = strawberry.field(default=UNSET, description=_NE)
    in_: list[str] | None = strawberry.field(default=UNSET, description=_IN, name="in")
    not_in: list[str] | None = strawberry.field(default=UNSET, description=_NOT_IN)
    starts_with: str | None = strawberry.field(
        default=UNSET, description="Begins with this text, in the same case."
    )
    is_null: bool | None = strawberry.field(default=UNSET, description=_IS_NULL)


@strawberry.input(description="A condition on a Boolean.")
class BooleanFilter:
    """A condition on a Boolean."""

    eq: bool | None = strawberry.field(default=UNSET, description=_EQ)


@strawberry.input(description="Conditions on a whole number. All that are given must hold.")
class IntFilter:
    """Conditions on a whole number. All that are given must hold."""

    eq: int | None = strawberry.field(default=UNSET, description=_EQ)
    ne: int | None = strawberry.field(default=UNSET, description=_NE)
    in_: list[int] | None = strawberry.field(default=UNSET, description=_IN, name="in")
    gt: int | None = strawberry.field(default=UNSET, description=_GT)
    gte: int | None = strawberry.field(default=UNSET, description=_GTE)
    lt: int | None = strawberry.field(default=UNSET, description=_LT)
    lte: int | None = strawberry.field(default=UNSET, description=_LTE)
    is_null: bool | None = strawberry.field(default=UNSET, description=_IS_NULL)


@strawberry.input(description="Conditions on a whole number of up to 64 bits. All that are given must hold.")
class BigIntFilter:
    """Conditions on a whole number of up to 64 bits. All that are given must hold."""

    eq: BigInt | None = strawberry.field(default=UNSET, description=_EQ)
    ne: BigInt | None = strawberry.field(default=UNSET, description=_NE)
    in_: list[BigInt] | None = strawberry.field(default=UNSET, description=_IN, name="in")
    gt: BigInt | None = strawberry.field(default=UNSET, description=_GT)
    gte: BigInt | None = strawberry.field(default=UNSET, description=_GTE)
    lt: BigInt | None = strawberry.field(default=UNSET, description=_LT)
    lte: BigInt | None = strawberry.field(default=UNSET, description=_LTE)
    is_null: bool | None = strawberry.field(default=UNSET, description=_IS_NULL)


@strawberry.input(description="Conditions on a number. All that are given must hold.")
class FloatFilter:
    """Conditions on a number. All that are given must hold."""

    eq: float | None = strawberry.field(default=UNSET, description=_EQ)
    ne: float | None = strawberry.field(default=UNSET, description=_NE)
    in_: list[float] | None = strawberry.field(default=UNSET, description=_IN, name="in")
    gt: float | None = strawberry.field(default=UNSET, description=_GT)
    gte: float | None = strawberry.field(default=UNSET, description=_GTE)
    lt: float | None = strawberry.field(default=UNSET, description=_LT)
    lte: float | None = strawberry.field(default=UNSET, description=_LTE)
    is_null: bool | None = strawberry.field(default=UNSET, description=_IS_NULL)


@strawberry.input(
    description="Conditions on a point in time, where later is greater. All that are given must hold."
)
class DateTimeFilter:
    """Conditions on a point in time, where later is greater. All that are given must hold."""

    eq: datetime | None = strawberry.field(default=UNSET, description=_EQ)
    ne: datetime | None = strawberry.field(default=UNSET, description=_NE)
    in_: list[datetime] | None = strawberry.field(default=UNSET, description=_IN, name="in")
    gt: datetime | None = strawberry.field(default=UNSET, description=_GT)
    gte: datetime | None = strawberry.field(default=UNSET, description=_GTE)
    lt: datetime | None = strawberry.field(default=UNSET, description=_LT)
    lte: datetime | None = strawberry.field(default=UNSET, description=_LTE)
    is_null: bool | None = strawberry.field(default=UNSET, description=_IS_NULL)


@strawberry.input(description="Conditions on a list of texts, such as tags. All that are given must hold.")
class ListFilter:
    """Conditions on a list of texts, such as tags. All that are given must hold."""

    contains_all: list[str] | None = strawberry.field(
        default=UNSET, description="Contains all of these; a list of 1 to 1,000."
    )
    contains_any: list[str] | None = strawberry.field(
        default=UNSET, description="Contains at least one of these; a list of 1 to 1,000."
    )
    is_empty: bool | None = strawberry.field(default=UNSET, description=_IS_EMPTY)


@strawberry.input(description="Conditions on a JSON value. All that are given must hold.")
class JSONFilter:
    """Conditions on a JSON value. All that are given must hold."""

    contains: JSON | None = strawberry.field(
        default=UNSET,
        description=(
            "Contains this: every key and value of an object, at the same place, and every item of an array."
        ),
    )
    has_key: str | None = strawberry.field(
        default=UNSET,
        description="An object with this key at its top level, or an array that contains this string.",
    )
    is_empty: bool | None = strawberry.field(
        default=UNSET,
        description="If true, the value must be an empty object or array; if false, it must not be.",
    )


@strawberry.input(description="Conditions on the status of a session. All that are given must hold.")
class SessionStatusFilter:
    """Conditions on the status of a session. All that are given must hold."""

    eq: SessionStatus | None = strawberry.field(default=UNSET, description=_EQ)
    in_: list[SessionStatus] | None = strawberry.field(default=UNSET, description=_IN, name="in")
    not_in: list[SessionStatus] | None = strawberry.field(default=UNSET, description=_NOT_IN)


@strawberry.input(description="Conditions on the role of a message. All that are given must hold.")
class MessageRoleFilter:
    """Conditions on the role of a message. All that are given must hold."""

    eq: MessageRole | None = strawberry.field(default=UNSET, description=_EQ)
    in_: list[MessageRole] | None = strawberry.field(default=UNSET, description=_IN, name="in")
    not_in: list[MessageRole] | None = strawberry.field(default=UNSET, description=_NOT_IN)


@strawberry.input(description="Conditions on the status of a tool call. All that are given must hold.")
class ToolCallStatusFilter:
    """Conditions on the status of a tool call. All that are given must hold."""

    eq: ToolCallStatus | None = strawberry.field(default=UNSET, description=_EQ)
    in_: list[ToolCallStatus] | None = strawberry.field(default=UNSET, description=_IN, name="in")
    not_in: list[ToolCallStatus] | None = strawberry.field(default=UNSET, description=_NOT_IN)


@strawberry.input(description="Conditions on the status of a sandbox. All that are given must hold.")
class SandboxStatusFilter:
    """Conditions on the status of a sandbox. All that are given must hold."""

    eq: SandboxStatus | None = strawberry.field(default=UNSET, description=_EQ)
    in_: list[SandboxStatus] | None = strawberry.field(default=UNSET, description=_IN, name="in")
    not_in: list[SandboxStatus] | None = strawberry.field(default=UNSET, description=_NOT_IN)


@strawberry.input(description="Conditions on a verification status. All that are given must hold.")
class VerificationStatusFilter:
    """Conditions on a verification status. All that are given must hold."""

    eq: VerificationStatus | None = strawberry.field(default=UNSET, description=_EQ)
    in_: list[VerificationStatus] | None = strawberry.field(default=UNSET, description=_IN, name="in")
    not_in: list[VerificationStatus] | None = strawberry.field(default=UNSET, description=_NOT_IN)


@strawberry.input(description="Conditions on what kind of party used a memory. All that are given must hold.")
class AccessorTypeFilter:
    """Conditions on what kind of party used a memory. All that are given must hold."""

    eq: AccessorType | None = strawberry.field(default=UNSET, description=_EQ)
    in_: list[AccessorType] | None = strawberry.field(default=UNSET, description=_IN, name="in")
    not_in: list[AccessorType] | None = strawberry.field(default=UNSET, description=_NOT_IN)


class ToMany:
    """Marks a filter that asks of many rows at once, by ``some`` and ``none``."""
