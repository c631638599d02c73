"""What clients ask of the audit trail of a session."""

from __future__ import annotations

from enum import Enum

import strawberry
from strawberry import UNSET

from schema.enums import OrderDirection
from schema.inputs.filters import AuditKindFilter, DateTimeFilter, IDFilter


@strawberry.input(description="Selects entries of an audit trail. All conditions that are given must hold.")
class AuditEntryFilter:
    """Selects entries of an audit trail. All conditions that are given must hold."""

    id: IDFilter | None = strawberry.field(default=UNSET, description="By the ids of their subjects.")
    kind: AuditKindFilter | None = strawberry.field(
        default=UNSET, description="By what kind of thing happened; only such things are looked for."
    )
    at: DateTimeFilter | None = strawberry.field(default=UNSET, description="By when it happened.")
    and_: list[AuditEntryFilter] | None = strawberry.field(
        default=UNSET, name="and", description="All of these filters must hold."
    )
    or_: list[AuditEntryFilter] | None = strawberry.field(
        default=UNSET, name="or", description="At least one of these filters must hold."
    )
    not_: AuditEntryFilter | None = strawberry.field(
        default=UNSET, name="not", description="This filter must not hold."
    )


@strawberry.enum(description="The fields that an audit trail can be ordered by.")
class AuditEntryOrderField(Enum):
    """The fields that an audit trail can be ordered by."""

    AT = strawberry.enum_value("at", description="When it happened.")


@strawberry.input(description="A field to order an audit trail by, and the direction.")
class AuditEntryOrder:
    """A field to order an audit trail by, and the direction."""

    field: AuditEntryOrderField = strawberry.field(description="The field to order by.")
    direction: OrderDirection = strawberry.field(description="The direction of the order.")
