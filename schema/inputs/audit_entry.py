"""Filters and orders of the audit trail of a session."""

from __future__ import annotations

from enum import Enum

from schema.declarations import enum_type, enum_value, input_type, optional, required
from schema.enums import OrderDirection
from schema.inputs.filters import AuditKindFilter, DateTimeFilter, IDFilter


@input_type
class AuditEntryFilter:
    """Selects entries of an audit trail. All given conditions must hold."""

    id: IDFilter | None = optional("The id of the subject.")
    kind: AuditKindFilter | None = optional(
        "The kind of subject; only subjects of these kinds are searched for."
    )
    at: DateTimeFilter | None = optional("When it happened.")
    and_: list[AuditEntryFilter] | None = optional("All of these filters must hold.", name="and")
    or_: list[AuditEntryFilter] | None = optional("At least one of these filters must hold.", name="or")
    not_: AuditEntryFilter | None = optional("This filter must not hold.", name="not")


@enum_type
class AuditEntryOrderField(Enum):
    """The fields that an audit trail can be ordered by."""

    AT = enum_value("at", "When it happened.")


@input_type
class AuditEntryOrder:
    """A field to order an audit trail by, and the direction."""

    field: AuditEntryOrderField = required("The field to order by.")
    direction: OrderDirection = required("The direction of the order.")
