"""What clients say of the events of sessions."""

from __future__ import annotations

from datetime import datetime
from enum import Enum
from typing import TYPE_CHECKING, Annotated

import strawberry
from strawberry import UNSET

from models import Session
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


@strawberry.input(description="Selects events of sessions. All conditions that are given must hold.")
class SessionEventFilter:
    """Selects events of sessions. All conditions that are given must hold."""

    id: IDFilter | None = strawberry.field(default=UNSET, description="By their ids.")
    session_id: IDFilter | None = strawberry.field(default=UNSET, description="By the ids of their sessions.")
    sequence: IntFilter | None = strawberry.field(
        default=UNSET, description="By their places in their sessions, from 1."
    )
    event_type: StringFilter | None = strawberry.field(default=UNSET, description="By what happened.")
    event_data: JSONFilter | None = strawberry.field(
        default=UNSET, description="By what there is to say of them."
    )
    timestamp: DateTimeFilter | None = strawberry.field(default=UNSET, description="By when they happened.")
    duration_ms: FloatFilter | None = strawberry.field(
        default=UNSET, description="By how long they took, in milliseconds."
    )
    session: Annotated["SessionFilter", strawberry.lazy("schema.inputs.session")] | None = linked(
        Session, "By their sessions.", local="session_id"
    )
    and_: list[SessionEventFilter] | None = strawberry.field(
        default=UNSET, name="and", description="All of these filters must hold."
    )
    or_: list[SessionEventFilter] | None = strawberry.field(
        default=UNSET, name="or", description="At least one of these filters must hold."
    )
    not_: SessionEventFilter | None = strawberry.field(
        default=UNSET, name="not", description="This filter must not hold."
    )


@strawberry.input(description="Conditions on the events of sessions behind a relation to many.")
class SessionEventsFilter(ToMany):
    """Conditions on the events of sessions behind a relation to many."""

    some: SessionEventFilter | None = strawberry.field(
        default=UNSET, description="At least one of them meets this filter."
    )
    none: SessionEventFilter | None = strawberry.field(
        default=UNSET, description="None of them meets this filter."
    )


@strawberry.enum(description="The fields that events of sessions can be ordered by.")
class SessionEventOrderField(Enum):
    """The fields that events of sessions can be ordered by."""

    SEQUENCE = strawberry.enum_value("sequence", description="Their places in their sessions.")
    TIMESTAMP = strawberry.enum_value("timestamp", description="When they happened.")
    DURATION_MS = strawberry.enum_value("duration_ms", description="How long they took.")


@strawberry.input(description="A field to order events of sessions by, and the direction.")
class SessionEventOrder:
    """A field to order events of sessions by, and the direction."""

    field: SessionEventOrderField = strawberry.field(description="The field to order by.")
    direction: OrderDirection = strawberry.field(description="The direction of the order.")


@strawberry.input(description="An event of a session to record.")
class RecordEventInput:
    """An event of a session to record."""

    event_type: str = strawberry.field(
        description=(
            "What happened: `user_input`, `agent_response`, `error`, `checkpoint` or another; at most 255"
            " characters."
        )
    )
    event_data: JSON | None = strawberry.field(
        default=UNSET, description="What there is to say of it: a JSON object; `{}` by default."
    )
    timestamp: datetime | None = strawberry.field(
        default=UNSET, description="When it happened; now by default."
    )
    duration_ms: float | None = strawberry.field(
        default=UNSET,
        description="How long it took, in milliseconds, from 0 to 1e12; null if that is unknown.",
    )
