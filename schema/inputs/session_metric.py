"""What clients say of the metrics of sessions."""

from __future__ import annotations

from datetime import datetime
from enum import Enum
from typing import TYPE_CHECKING, Annotated

import strawberry

from models import Session
from schema.declarations import enum_type, enum_value, input_type, optional, required
from schema.enums import OrderDirection
from schema.inputs.filters import DateTimeFilter, FloatFilter, IDFilter, StringFilter, ToMany
from schema.inputs.linked import linked
from schema.scalars import JSON

if TYPE_CHECKING:
    from schema.inputs.session import SessionFilter


@input_type
class SessionMetricFilter:
    """Selects metrics of sessions. All conditions that are given must hold."""

    id: IDFilter | None = optional("By their ids.")
    session_id: IDFilter | None = optional("By the ids of their sessions.")
    metric_type: StringFilter | None = optional("By what they measure.")
    metric_value: FloatFilter | None = optional("By their values.")
    timestamp: DateTimeFilter | None = optional("By the times that they are of.")
    session: Annotated["SessionFilter", strawberry.lazy("schema.inputs.session")] | None = linked(
        Session, "By their sessions.", local="session_id"
    )
    and_: list[SessionMetricFilter] | None = optional("All of these filters must hold.", name="and")
    or_: list[SessionMetricFilter] | None = optional("At least one of these filters must hold.", name="or")
    not_: SessionMetricFilter | None = optional("This filter must not hold.", name="not")


@input_type
class SessionMetricsFilter(ToMany):
    """Conditions on the metrics of sessions behind a relation to many."""

    some: SessionMetricFilter | None = optional("At least one of them meets this filter.")
    none: SessionMetricFilter | None = optional("None of them meets this filter.")


@enum_type
class SessionMetricOrderField(Enum):
    """The fields that metrics of sessions can be ordered by."""

    TIMESTAMP = enum_value("timestamp", "The times that they are of.")
    METRIC_VALUE = enum_value("metric_value", "Their values.")


@input_type
class SessionMetricOrder:
    """A field to order metrics of sessions by, and the direction."""

    field: SessionMetricOrderField = required("The field to order by.")
    direction: OrderDirection = required("The direction of the order.")


@input_type
class RecordSessionMetricInput:
    """A metric of a session to record."""

    session_id: strawberry.ID = required("The id of the session that is measured.")
    metric_type: str = required(
        "What is measured: `response_time`, `token_usage`, `user_engagement` or another; at most 255"
        " characters."
    )
    metric_value: float = required("What was measured, in the unit of its kind, from -1e100 to 1e100.")
    timestamp: datetime | None = optional("The time that it is of; now by default.")
    metadata_: JSON | None = optional("Anything else: a JSON object; `{}` by default.", name="metadata")
