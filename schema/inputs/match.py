"""The order of search matches."""

from __future__ import annotations

from enum import Enum

from schema.declarations import enum_type, enum_value, input_type, required
from schema.enums import OrderDirection


@enum_type
class MatchOrderField(Enum):
    """The fields that matches can be ordered by."""

    RANK = enum_value("rank", "How well the text matches.")
    CREATED_AT = enum_value(
        "created_at", "When the message was said, the memory was formed, or the chunk was recorded."
    )


@input_type
class MatchOrder:
    """A field to order matches by, and the direction."""

    field: MatchOrderField = required("The field to order by.")
    direction: OrderDirection = required("The direction of the order.")
