"""Filters on one value. All given conditions must hold."""

from __future__ import annotations

from datetime import datetime

import strawberry

from schema.declarations import input_type, optional
from schema.enums import (
    AccessKind,
    AccessorType,
    AuditKind,
    JobState,
    KnowledgeDocumentStatus,
    KnowledgeSyncStatus,
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
_GT, _GTE = "Greater than this value.", "Greater than or equal to this value."
_LT, _LTE = "Less than this value.", "Less than or equal to this value."
_IS_NULL = "If true, the value must be null; if false, it must not be."
_IS_EMPTY = "If true, the list must be empty; if false, it must not be."


@input_type
class IDFilter:
    """Conditions on an id. All given conditions must hold."""

    eq: strawberry.ID | None = optional(_EQ)
    in_: list[strawberry.ID] | None = optional(_IN, name="in")
    not_in: list[strawberry.ID] | None = optional(_NOT_IN)
    is_null: bool | None = optional(_IS_NULL)


@input_type
class StringFilter:
    """Conditions on a text, compared exactly and with regard to case. All given conditions must hold."""

    eq: str | None = optional(_EQ)
    ne: str | None = optional(_NE)
    in_: list[str] | None = optional(_IN, name="in")
    not_in: list[str] | None = optional(_NOT_IN)
    starts_with: str | None = optional("Starts with this text, with regard to case.")
    is_null: bool | None = optional(_IS_NULL)


@input_type
class BooleanFilter:
    """A condition on a Boolean."""

    eq: bool | None = optional(_EQ)


@input_type
class IntFilter:
    """Conditions on a whole number. All given conditions must hold."""

    eq: int | None = optional(_EQ)
    ne: int | None = optional(_NE)
    in_: list[int] | None = optional(_IN, name="in")
    gt: int | None = optional(_GT)
    gte: int | None = optional(_GTE)
    lt: int | None = optional(_LT)
    lte: int | None = optional(_LTE)
    is_null: bool | None = optional(_IS_NULL)


@input_type
class BigIntFilter:
    """Conditions on a whole number of up to 64 bits. All given conditions must hold."""

    eq: BigInt | None = optional(_EQ)
    ne: BigInt | None = optional(_NE)
    in_: list[BigInt] | None = optional(_IN, name="in")
    gt: BigInt | None = optional(_GT)
    gte: BigInt | None = optional(_GTE)
    lt: BigInt | None = optional(_LT)
    lte: BigInt | None = optional(_LTE)
    is_null: bool | None = optional(_IS_NULL)


@input_type
class FloatFilter:
    """Conditions on a number. All given conditions must hold."""

    eq: float | None = optional(_EQ)
    ne: float | None = optional(_NE)
    in_: list[float] | None = optional(_IN, name="in")
    gt: float | None = optional(_GT)
    gte: float | None = optional(_GTE)
    lt: float | None = optional(_LT)
    lte: float | None = optional(_LTE)
    is_null: bool | None = optional(_IS_NULL)


@input_type
class DateTimeFilter:
    """Conditions on a point in time, where later is greater. All given conditions must hold."""

    eq: datetime | None = optional(_EQ)
    ne: datetime | None = optional(_NE)
    in_: list[datetime] | None = optional(_IN, name="in")
    gt: datetime | None = optional(_GT)
    gte: datetime | None = optional(_GTE)
    lt: datetime | None = optional(_LT)
    lte: datetime | None = optional(_LTE)
    is_null: bool | None = optional(_IS_NULL)


@input_type
class ListFilter:
    """Conditions on a list of texts, such as tags. All given conditions must hold."""

    contains_all: list[str] | None = optional("Contains all of these; a list of 1 to 1,000.")
    contains_any: list[str] | None = optional("Contains at least one of these; a list of 1 to 1,000.")
    is_empty: bool | None = optional(_IS_EMPTY)


@input_type
class JSONFilter:
    """Conditions on a JSON value. All given conditions must hold."""

    contains: JSON | None = optional(
        "Contains this value: every key and value of an object, at the same place, and every item of an"
        " array."
    )
    has_key: str | None = optional(
        "Is an object with this key at its top level, or an array that contains this string."
    )
    is_empty: bool | None = optional(
        "If true, the value must be an empty object or array; if false, it must not be."
    )


@input_type
class SessionStatusFilter:
    """Conditions on the status of a session. All given conditions must hold."""

    eq: SessionStatus | None = optional(_EQ)
    in_: list[SessionStatus] | None = optional(_IN, name="in")
    not_in: list[SessionStatus] | None = optional(_NOT_IN)


@input_type
class MessageRoleFilter:
    """Conditions on the role of a message. All given conditions must hold."""

    eq: MessageRole | None = optional(_EQ)
    in_: list[MessageRole] | None = optional(_IN, name="in")
    not_in: list[MessageRole] | None = optional(_NOT_IN)


@input_type
class ToolCallStatusFilter:
    """Conditions on the status of a tool call. All given conditions must hold."""

    eq: ToolCallStatus | None = optional(_EQ)
    in_: list[ToolCallStatus] | None = optional(_IN, name="in")
    not_in: list[ToolCallStatus] | None = optional(_NOT_IN)


@input_type
class SandboxStatusFilter:
    """Conditions on the status of a sandbox. All given conditions must hold."""

    eq: SandboxStatus | None = optional(_EQ)
    in_: list[SandboxStatus] | None = optional(_IN, name="in")
    not_in: list[SandboxStatus] | None = optional(_NOT_IN)


@input_type
class JobStateFilter:
    """Conditions on the state of a job. All given conditions must hold."""

    eq: JobState | None = optional(_EQ)
    in_: list[JobState] | None = optional(_IN, name="in")
    not_in: list[JobState] | None = optional(_NOT_IN)


@input_type
class VerificationStatusFilter:
    """Conditions on a verification status. All given conditions must hold."""

    eq: VerificationStatus | None = optional(_EQ)
    in_: list[VerificationStatus] | None = optional(_IN, name="in")
    not_in: list[VerificationStatus] | None = optional(_NOT_IN)


@input_type
class AccessorTypeFilter:
    """Conditions on the kind of party that accessed a memory. All given conditions must hold."""

    eq: AccessorType | None = optional(_EQ)
    in_: list[AccessorType] | None = optional(_IN, name="in")
    not_in: list[AccessorType] | None = optional(_NOT_IN)


@input_type
class KnowledgeDocumentStatusFilter:
    """Conditions on the status of a document of a knowledge base. All given conditions must hold."""

    eq: KnowledgeDocumentStatus | None = optional(_EQ)
    in_: list[KnowledgeDocumentStatus] | None = optional(_IN, name="in")
    not_in: list[KnowledgeDocumentStatus] | None = optional(_NOT_IN)


@input_type
class KnowledgeSyncStatusFilter:
    """Conditions on the status of a sync. All given conditions must hold."""

    eq: KnowledgeSyncStatus | None = optional(_EQ)
    in_: list[KnowledgeSyncStatus] | None = optional(_IN, name="in")
    not_in: list[KnowledgeSyncStatus] | None = optional(_NOT_IN)


@input_type
class AccessKindFilter:
    """Conditions on the kind of an access. All given conditions must hold."""

    eq: AccessKind | None = optional(_EQ)
    in_: list[AccessKind] | None = optional(_IN, name="in")
    not_in: list[AccessKind] | None = optional(_NOT_IN)


@input_type
class AuditKindFilter:
    """Conditions on the kind of an audit trail's entry. All given conditions must hold."""

    eq: AuditKind | None = optional(_EQ)
    in_: list[AuditKind] | None = optional(_IN, name="in")
    not_in: list[AuditKind] | None = optional(_NOT_IN)
