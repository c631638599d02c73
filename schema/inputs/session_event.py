"""What clients say of the events of sessions."""

from __future__ import annotations

from datetime import datetime
from enum import Enum
from typing import TYPE_CHECKING, Annotated

import strawberry

from models import Session
from schema.declarations import enum_type, enum_value, input_type, optional, required
from schema.enums import OrderDirection
from schema.inputs.filters import (
    DateTimeFilter,
    FloatFilter,
    IDFilter,
    IntFilter,
    JSONFilter,
    StringFilter,
    ToMany,
)
from schema.inputs.linked import linked
from schema.scalars import JSON

if TYPE_CHECKING:
    from schema.inputs.session import SessionFilter


@input_type
class SessionEventFilter:
    """Selects events of sessions. All conditions that are given must hold."""

    id: IDFilter | None = optional("By their ids.")
    session_id: IDFilter | None = optional("By the ids of their sessions.")
    sequence: IntFilter | None = optional("By their places in their sessions, from 1.")
    event_type: StringFilter | None = optional("By what happened.")
    event_data: JSONFilter | None = optional("By what there is to say of them.")
    timestamp: DateTimeFilter | None = optional("By when they happened.")
    duration_ms: FloatFilter | None = optional("By how long they took, in milliseconds.")
    session: Annotated["SessionFilter", strawberry.lazy("schema.inputs.session")] | None = linked(
        Session, "By their sessions.", local="session_id"
    )
    and_: list[SessionEventFilter] | None = optional("All of these filters must hold.", name="and")
    or_: list[SessionEventFilter] | None = optional("At least one of these filters must hold.", name="or")
    not_: SessionEventFilter | None = optional("This filter must not hold.", name="not")


@input_type
class SessionEventsFilter(ToMany):
    """Conditions on the events of sessions behind a relation to many."""

    some: SessionEventFilter | None = optional("At least one of them meets this filter.")
    none: SessionEventFilter | None = optional("None of them meets this filter.")


@enum_type
class SessionEventOrderField(Enum):
    """The fields that events of sessions can be ordered by."""

    SEQUENCE = enum_value("sequence", "Their places in their sessions.")
    TIMESTAMP = enum_value("timestamp", "When they happened.")
    DURATION_MS = enum_value("duration_ms", "How long they took.")


@input_type
class SessionEventOrder:
    """A field to order events of sessions by, and the direction."""

    field: SessionEventOrderField = required("The field to order by.")
    direction: OrderDirection = required("The direction of the order.")


@input_type
class RecordEventInput:
    """An event of a session to record."""

    event_type: str = required(
        "What happened: `user_input`, `agent_response`, `error`, `checkpoint` or another; at most 255"
        " characters."
    )
    event_data: JSON | None = optional("What there is to say of it: a JSON object; `{}` by default.")
    timestamp: datetime | None = optional("When it happened; now by default.")
    duration_ms: float | None = optional("How long it took, in milliseconds; null if that is unknown.")
