"""How clients order what searches by text find."""

from __future__ import annotations

from enum import Enum

import strawberry

from schema.enums import OrderDirection


@strawberry.enum(description="The fields that matches can be ordered by.")
class MatchOrderField(Enum):
    """The fields that matches can be ordered by."""

    RANK = strawberry.enum_value("rank", description="How well they match.")
    CREATED_AT = strawberry.enum_value(
        "created_at", description="When the messages were said, or the memories made."
    )


@strawberry.input(description="A field to order matches by, and the direction.")
class MatchOrder:
    """A field to order matches by, and the direction."""

    field: MatchOrderField = strawberry.field(description="The field to order by.")
    direction: OrderDirection = strawberry.field(description="The direction of the order.")
