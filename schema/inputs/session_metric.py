"""What clients say of the metrics of sessions."""

from __future__ import annotations

from datetime import datetime
from enum import Enum
from typing import TYPE_CHECKING, Annotated

import strawberry
from strawberry import UNSET

from models import Session
from schema.enums import OrderDirection
from schema.inputs.filters import DateTimeFilter, FloatFilter, IDFilter, StringFilter, ToMany
from schema.inputs.linked import linked
from schema.scalars import JSON

if TYPE_CHECKING:
    from schema.inputs.session import SessionFilter


@strawberry.input(description="Selects metrics of sessions. All conditions that are given must hold.")
class SessionMetricFilter:
    """Selects metrics of sessions. All conditions that are given must hold."""

    id: IDFilter | None = strawberry.field(default=UNSET, description="By their ids.")
    session_id: IDFilter | None = strawberry.field(default=UNSET, description="By the ids of their sessions.")
    metric_type: StringFilter | None = strawberry.field(default=UNSET, description="By what they measure.")
    metric_value: FloatFilter | None = strawberry.field(default=UNSET, description="By their values.")
    timestamp: DateTimeFilter | None = strawberry.field(
        default=UNSET, description="By the times that they are of."
    )
    session: Annotated["SessionFilter", strawberry.lazy("schema.inputs.session")] | None = linked(
        Session, "By their sessions.", local="session_id"
    )
    and_: list[SessionMetricFilter] | None = strawberry.field(
        default=UNSET, name="and", description="All of these filters must hold."
    )
    or_: list[SessionMetricFilter] | None = strawberry.field(
        default=UNSET, name="or", description="At least one of these filters must hold."
    )
    not_: SessionMetricFilter | None = strawberry.field(
        default=UNSET, name="not", description="This filter must not hold."
    )


@strawberry.input(description="Conditions on the metrics of sessions behind a relation to many.")
class SessionMetricsFilter(ToMany):
    """Conditions on the metrics of sessions behind a relation to many."""

    some: SessionMetricFilter | None = strawberry.field(
        default=UNSET, description="At least one of them meets this filter."
    )
    none: SessionMetricFilter | None = strawberry.field(
        default=UNSET, description="None of them meets this filter."
    )


@strawberry.enum(description="The fields that metrics of sessions can be ordered by.")
class SessionMetricOrderField(Enum):
    """The fields that metrics of sessions can be ordered by."""

    TIMESTAMP = strawberry.enum_value("timestamp", description="The times that they are of.")
    METRIC_VALUE = strawberry.enum_value("metric_value", description="Their values.")


@strawberry.input(description="A field to order metrics of sessions by, and the direction.")
class SessionMetricOrder:
    """A field to order metrics of sessions by, and the direction."""

    field: SessionMetricOrderField = strawberry.field(description="The field to order by.")
    direction: OrderDirection = strawberry.field(description="The direction of the order.")


@strawberry.input(description="A metric of a session to record.")
class RecordSessionMetricInput:
    """A metric of a session to record."""

    session_id: strawberry.ID = strawberry.field(description="The id of the session that is measured.")
    metric_type: str = strawberry.field(
        description=(
            "What is measured: `response_time`, `token_usage`, `user_engagement` or another; at most 255"
            " characters."
        )
    )
    metric_value: float = strawberry.field(
        description="What was measured, in the unit of its kind, from -1e100 to 1e100."
    )
    timestamp: datetime | None = strawberry.field(
        default=UNSET, description="The time that it is of; now by default."
    )
    metadata_: JSON | None = strawberry.field(
        default=UNSET, name="metadata", description="Anything else: a JSON object; `{}` by default."
    )
