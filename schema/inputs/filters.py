"""What a filter may ask of one value. All that is asked together must hold together."""

from __future__ import annotations

from datetime import datetime

import strawberry
from strawberry import UNSET

from schema.enums import MessageRole, SessionStatus, ToolCallStatus
from schema.scalars import JSON, BigInt

_EQ = "It is this."
_NE = "It is not this; null is not this either."
_IN = "It is one of these, from 1 to 1,000."
_NOT_IN = "It is none of these, from 1 to 1,000; null is none of them."
_GT, _GTE = "It is greater than this.", "It is this or greater."
_LT, _LTE = "It is less than this.", "It is this or less."
_IS_NULL = "True: it is null. False: it is not."
_IS_EMPTY = "True: there is nothing in it. False: there is something."


@strawberry.input(description="Asks for ids.")
class IDFilter:
    """Asks for ids."""

    eq: strawberry.ID | None = strawberry.field(default=UNSET, description=_EQ)
    in_: list[strawberry.ID] | None = strawberry.field(default=UNSET, description=_IN, name="in")
    not_in: list[strawberry.ID] | None = strawberry.field(default=UNSET, description=_NOT_IN)
    is_null: bool | None = strawberry.field(default=UNSET, description=_IS_NULL)


@strawberry.input(description="Asks for text, exactly as it is written.")
class StringFilter:
    """Asks for text, exactly as it is written."""

    eq: str | None = strawberry.field(default=UNSET, description=_EQ)
    ne: str | None = strawberry.field(default=UNSET, description=_NE)
    in_: list[str] | None = strawberry.field(default=UNSET, description=_IN, name="in")
    not_in: list[str] | None = strawberry.field(default=UNSET, description=_NOT_IN)
    starts_with: str | None = strawberry.field(default=UNSET, description="It begins with this.")
    is_null: bool | None = strawberry.field(default=UNSET, description=_IS_NULL)


@strawberry.input(description="Asks for true or false.")
class BooleanFilter:
    """Asks for true or false."""

    eq: bool | None = strawberry.field(default=UNSET, description=_EQ)


@strawberry.input(description="Asks for whole numbers.")
class IntFilter:
    """Asks for whole numbers."""

    eq: int | None = strawberry.field(default=UNSET, description=_EQ)
    ne: int | None = strawberry.field(default=UNSET, description=_NE)
    in_: list[int] | None = strawberry.field(default=UNSET, description=_IN, name="in")
    gt: int | None = strawberry.field(default=UNSET, description=_GT)
    gte: int | None = strawberry.field(default=UNSET, description=_GTE)
    lt: int | None = strawberry.field(default=UNSET, description=_LT)
    lte: int | None = strawberry.field(default=UNSET, description=_LTE)
    is_null: bool | None = strawberry.field(default=UNSET, description=_IS_NULL)


@strawberry.input(description="Asks for whole numbers that may be large.")
class BigIntFilter:
    """Asks for whole numbers that may be large."""

    eq: BigInt | None = strawberry.field(default=UNSET, description=_EQ)
    ne: BigInt | None = strawberry.field(default=UNSET, description=_NE)
    in_: list[BigInt] | None = strawberry.field(default=UNSET, description=_IN, name="in")
    gt: BigInt | None = strawberry.field(default=UNSET, description=_GT)
    gte: BigInt | None = strawberry.field(default=UNSET, description=_GTE)
    lt: BigInt | None = strawberry.field(default=UNSET, description=_LT)
    lte: BigInt | None = strawberry.field(default=UNSET, description=_LTE)
    is_null: bool | None = strawberry.field(default=UNSET, description=_IS_NULL)


@strawberry.input(description="Asks for numbers.")
class FloatFilter:
    """Asks for numbers."""

    eq: float | None = strawberry.field(default=UNSET, description=_EQ)
    ne: float | None = strawberry.field(default=UNSET, description=_NE)
    in_: list[float] | None = strawberry.field(default=UNSET, description=_IN, name="in")
    gt: float | None = strawberry.field(default=UNSET, description=_GT)
    gte: float | None = strawberry.field(default=UNSET, description=_GTE)
    lt: float | None = strawberry.field(default=UNSET, description=_LT)
    lte: float | None = strawberry.field(default=UNSET, description=_LTE)
    is_null: bool | None = strawberry.field(default=UNSET, description=_IS_NULL)


@strawberry.input(description="Asks for moments.")
class DateTimeFilter:
    """Asks for moments."""

    eq: datetime | None = strawberry.field(default=UNSET, description=_EQ)
    ne: datetime | None = strawberry.field(default=UNSET, description=_NE)
    in_: list[datetime] | None = strawberry.field(default=UNSET, description=_IN, name="in")
    gt: datetime | None = strawberry.field(default=UNSET, description=_GT)
    gte: datetime | None = strawberry.field(default=UNSET, description=_GTE)
    lt: datetime | None = strawberry.field(default=UNSET, description=_LT)
    lte: datetime | None = strawberry.field(default=UNSET, description=_LTE)
    is_null: bool | None = strawberry.field(default=UNSET, description=_IS_NULL)


@strawberry.input(description="Asks for lists of text, such as tags.")
class ListFilter:
    """Asks for lists of text, such as tags."""

    contains_all: list[str] | None = strawberry.field(
        default=UNSET, description="It holds all of these, from 1 to 1,000."
    )
    contains_any: list[str] | None = strawberry.field(
        default=UNSET, description="It holds at least one of these, from 1 to 1,000."
    )
    is_empty: bool | None = strawberry.field(default=UNSET, description=_IS_EMPTY)


@strawberry.input(description="Asks for JSON.")
class JSONFilter:
    """Asks for JSON."""

    contains: JSON | None = strawberry.field(
        default=UNSET,
        description=(
            "It holds this: every key and value of an object, at the same place, and every item of an array."
        ),
    )
    has_key: str | None = strawberry.field(
        default=UNSET,
        description="It is an object with this key at its top, or an array with this string in it.",
    )
    is_empty: bool | None = strawberry.field(
        default=UNSET, description="True: it is an empty object or array. False: it is not."
    )


@strawberry.input(description="Asks for statuses of sessions.")
class SessionStatusFilter:
    """Asks for statuses of sessions."""

    eq: SessionStatus | None = strawberry.field(default=UNSET, description=_EQ)
    in_: list[SessionStatus] | None = strawberry.field(default=UNSET, description=_IN, name="in")
    not_in: list[SessionStatus] | None = strawberry.field(default=UNSET, description=_NOT_IN)


@strawberry.input(description="Asks for roles of messages.")
class MessageRoleFilter:
    """Asks for roles of messages."""

    eq: MessageRole | None = strawberry.field(default=UNSET, description=_EQ)
    in_: list[MessageRole] | None = strawberry.field(default=UNSET, description=_IN, name="in")
    not_in: list[MessageRole] | None = strawberry.field(default=UNSET, description=_NOT_IN)


@strawberry.input(description="Asks for statuses of tool calls.")
class ToolCallStatusFilter:
    """Asks for statuses of tool calls."""

    eq: ToolCallStatus | None = strawberry.field(default=UNSET, description=_EQ)
    in_: list[ToolCallStatus] | None = strawberry.field(default=UNSET, description=_IN, name="in")
    not_in: list[ToolCallStatus] | None = strawberry.field(default=UNSET, description=_NOT_IN)


class ToMany:
    """Marks a filter that asks of many rows at once, by ``some`` and ``none``."""
