"""Inputs of access records."""

from __future__ import annotations

from enum import Enum

from schema.declarations import enum_type, enum_value, input_type, optional, required
from schema.enums import OrderDirection
from schema.inputs.filters import AccessKindFilter, DateTimeFilter, IDFilter, ListFilter, StringFilter


@input_type
class AccessRecordFilter:
    """Selects access records. All given conditions must hold."""

    id: IDFilter | None = optional("The id of the record.")
    created_at: DateTimeFilter | None = optional("When the access was.")
    kind: AccessKindFilter | None = optional("Whether the request wrote or read.")
    fields: ListFilter | None = optional("The names of the mutation, or of the root fields that were read.")
    operation_name: StringFilter | None = optional("The name of the operation in its document.")
    object_ids: ListFilter | None = optional("The ids of the objects that were written or deleted.")
    api_key_id: IDFilter | None = optional("The id of the API key.")
    user_id: IDFilter | None = optional("The id of the end user.")
    address: StringFilter | None = optional("The network address that the request came from.")
    request_id: StringFilter | None = optional("The id of the request.")
    and_: list[AccessRecordFilter] | None = optional("All of these filters must hold.", name="and")
    or_: list[AccessRecordFilter] | None = optional("At least one of these filters must hold.", name="or")
    not_: AccessRecordFilter | None = optional("This filter must not hold.", name="not")


@enum_type
class AccessRecordOrderField(Enum):
    """The fields that access records can be ordered by."""

    CREATED_AT = enum_value("created_at", "When the access was.")


@input_type
class AccessRecordOrder:
    """A field to order access records by, and the direction."""

    field: AccessRecordOrderField = required("The field to order by.")
    direction: OrderDirection = required("The direction of the order.")
