"""How clients order what searches by text find."""

from __future__ import annotations

from enum import Enum

from schema.declarations import enum_type, enum_value, input_type, required
from schema.enums import OrderDirection


@enum_type
class MatchOrderField(Enum):
    """The fields that matches can be ordered by."""

    RANK = enum_value("rank", "How well they match.")
    CREATED_AT = enum_value("created_at", "When the messages were said, or the memories made.")


@input_type
class MatchOrder:
    """A field to order matches by, and the direction."""

    field: MatchOrderField = required("The field to order by.")
    direction: OrderDirection = required("The direction of the order.")
