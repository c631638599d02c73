"""Inputs of the metrics of sessions."""

from __future__ import annotations

from datetime import datetime
from enum import Enum
from typing import TYPE_CHECKING, Annotated

import strawberry

from agentdata.engine.fields import ToMany, filter_on
from models import Session
from schema.declarations import enum_type, enum_value, input_type, optional, required
from schema.enums import OrderDirection
from schema.inputs.filters import DateTimeFilter, FloatFilter, IDFilter, StringFilter
from schema.scalars import JSON

if TYPE_CHECKING:
    from schema.inputs.session import SessionFilter


@input_type
class SessionMetricFilter:
    """Selects metrics of sessions. All given conditions must hold."""

    id: IDFilter | None = optional("The id of the metric.")
    session_id: IDFilter | None = optional("The id of the session that was measured.")
    metric_type: StringFilter | None = optional("The kind of metric.")
    metric_value: FloatFilter | None = optional("The measured value, in the unit of its kind.")
    timestamp: DateTimeFilter | None = optional("When the session was measured.")
    session: Annotated["SessionFilter", strawberry.lazy("schema.inputs.session")] | None = filter_on(
        Session, "Conditions on the session that was measured.", local="session_id"
    )
    and_: list[SessionMetricFilter] | None = optional("All of these filters must hold.", name="and")
    or_: list[SessionMetricFilter] | None = optional("At least one of these filters must hold.", name="or")
    not_: SessionMetricFilter | None = optional("This filter must not hold.", name="not")


@input_type
class SessionMetricsFilter(ToMany):
    """Conditions on related metrics of sessions."""

    some: SessionMetricFilter | None = optional("At least one related object meets this filter.")
    none: SessionMetricFilter | None = optional("No related object meets this filter.")


@enum_type
class SessionMetricOrderField(Enum):
    """The fields that metrics of sessions can be ordered by."""

    TIMESTAMP = enum_value("timestamp", "When the session was measured.")
    METRIC_VALUE = enum_value("metric_value", "The measured value, in the unit of its kind.")


@input_type
class SessionMetricOrder:
    """A field to order metrics of sessions by, and the direction."""

    field: SessionMetricOrderField = required("The field to order by.")
    direction: OrderDirection = required("The direction of the order.")


@input_type
class RecordSessionMetricInput:
    """A metric of a session to record."""

    session_id: strawberry.ID = required("The id of the session that was measured.")
    metric_type: str = required(
        "The kind of metric: `response_time`, `token_usage`, `user_engagement` or another value; at most"
        " 255 characters."
    )
    metric_value: float = required("The measured value, in the unit of its kind, from -1e100 to 1e100.")
    timestamp: datetime | None = optional("When the session was measured; now by default.")
    metadata_: JSON | None = optional("Any other data: a JSON object; `{}` by default.", name="metadata")
