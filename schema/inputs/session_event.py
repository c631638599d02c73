"""Inputs of the events of sessions."""

from __future__ import annotations

from datetime import datetime
from enum import Enum
from typing import TYPE_CHECKING, Annotated

import strawberry

from agentdata.engine.fields import ToMany, filter_on
from models import Session
from schema.declarations import enum_type, enum_value, input_type, optional, required
from schema.enums import OrderDirection
from schema.inputs.filters import DateTimeFilter, FloatFilter, IDFilter, IntFilter, JSONFilter, StringFilter
from schema.scalars import JSON

if TYPE_CHECKING:
    from schema.inputs.session import SessionFilter


@input_type
class SessionEventFilter:
    """Selects events of sessions. All given conditions must hold."""

    id: IDFilter | None = optional("The id of the event.")
    session_id: IDFilter | None = optional("The id of the session of the event.")
    sequence: IntFilter | None = optional("The position among the session's events, from 1.")
    event_type: StringFilter | None = optional("The kind of event.")
    event_data: JSONFilter | None = optional("The details of the event.")
    timestamp: DateTimeFilter | None = optional("When the event happened.")
    duration_ms: FloatFilter | None = optional("How long the event took, in milliseconds.")
    session: Annotated["SessionFilter", strawberry.lazy("schema.inputs.session")] | None = filter_on(
        Session, "Conditions on the session of the event.", local="session_id"
    )
    and_: list[SessionEventFilter] | None = optional("All of these filters must hold.", name="and")
    or_: list[SessionEventFilter] | None = optional("At least one of these filters must hold.", name="or")
    not_: SessionEventFilter | None = optional("This filter must not hold.", name="not")


@input_type
class SessionEventsFilter(ToMany):
    """Conditions on related events of sessions."""

    some: SessionEventFilter | None = optional("At least one related object meets this filter.")
    none: SessionEventFilter | None = optional("No related object meets this filter.")


@enum_type
class SessionEventOrderField(Enum):
    """The fields that events of sessions can be ordered by."""

    SEQUENCE = enum_value("sequence", "The position among the session's events, from 1.")
    TIMESTAMP = enum_value("timestamp", "When the event happened.")
    DURATION_MS = enum_value("duration_ms", "How long the event took, in milliseconds.")


@input_type
class SessionEventOrder:
    """A field to order events of sessions by, and the direction."""

    field: SessionEventOrderField = required("The field to order by.")
    direction: OrderDirection = required("The direction of the order.")


@input_type
class RecordEventInput:
    """An event of a session to record."""

    event_type: str = required(
        "The kind of event: `user_input`, `agent_response`, `error`, `checkpoint` or another value; at most"
        " 255 characters."
    )
    event_data: JSON | None = optional("The details of the event: a JSON object; `{}` by default.")
    timestamp: datetime | None = optional("When the event happened; now by default.")
    duration_ms: float | None = optional(
        "How long the event took, in milliseconds, from 0 to 1e12; null if unknown."
    )
