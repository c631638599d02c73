"""Inputs of usage records."""

from __future__ import annotations

from datetime import datetime
from enum import Enum
from typing import TYPE_CHECKING, Annotated

import strawberry

from agentdata.engine.fields import ToMany, filter_on
from models import Agent, Session
from schema.declarations import enum_type, enum_value, input_type, optional, required
from schema.enums import OrderDirection
from schema.inputs.filters import DateTimeFilter, IDFilter, StringFilter

if TYPE_CHECKING:
    from schema.inputs.agent import AgentFilter
    from schema.inputs.session import SessionFilter


@input_type
class UsageRecordFilter:
    """Selects usage records. All given conditions must hold."""

    id: IDFilter | None = optional("The id of the usage record.")
    session_id: IDFilter | None = optional("The id of the session that used the model.")
    agent_id: IDFilter | None = optional("The id of the agent that used the model.")
    run_id: StringFilter | None = optional("The run that used the model.")
    model: StringFilter | None = optional("The model that was used.")
    timestamp: DateTimeFilter | None = optional("When the model was used.")
    session: Annotated["SessionFilter", strawberry.lazy("schema.inputs.session")] | None = filter_on(
        Session, "Conditions on the session that used the model.", local="session_id"
    )
    agent: Annotated["AgentFilter", strawberry.lazy("schema.inputs.agent")] | None = filter_on(
        Agent, "Conditions on the agent that used the model.", local="agent_id"
    )
    and_: list[UsageRecordFilter] | None = optional("All of these filters must hold.", name="and")
    or_: list[UsageRecordFilter] | None = optional("At least one of these filters must hold.", name="or")
    not_: UsageRecordFilter | None = optional("This filter must not hold.", name="not")


@input_type
class UsageRecordsFilter(ToMany):
    """Conditions on related usage records."""

    some: UsageRecordFilter | None = optional("At least one related object meets this filter.")
    none: UsageRecordFilter | None = optional("No related object meets this filter.")


@enum_type
class UsageRecordOrderField(Enum):
    """The fields that usage records can be ordered by."""

    TIMESTAMP = enum_value("timestamp", "When the model was used.")
    COST_USD = enum_value(
        "cost_usd", "The cost of the use, in US dollars; an unknown cost counts as less than any."
    )


@input_type
class UsageRecordOrder:
    """A field to order usage records by, and the direction."""

    field: UsageRecordOrderField = required("The field to order by.")
    direction: OrderDirection = required("The direction of the order.")


@input_type
class RecordUsageInput:
    """The use of a model to record.

    Its tokens and cost count towards the totals of its session. Report tokens either here or on messages,
    or they count twice.
    """

    session_id: strawberry.ID = required("The id of the session that used the model.")
    agent_id: strawberry.ID | None = optional(
        "The id of the agent that used the model; the session's agent by default."
    )
    run_id: str | None = optional(
        "The run that used the model, by the name that the agent's framework gives it; at most 255"
        " characters."
    )
    model: str = required("The model that was used; at most 255 characters.")
    prompt_tokens: int | None = optional("The number of tokens that the model read; 0 by default.")
    completion_tokens: int | None = optional("The number of tokens that the model wrote; 0 by default.")
    cached_tokens: int | None = optional(
        "The number of tokens that came from the provider's cache; null if unknown. They do not count"
        " towards any total."
    )
    cost_usd: float | None = optional(
        "The cost of the use, in US dollars, from 0 to 999,999,999; null if unknown."
    )
    timestamp: datetime | None = optional("When the model was used; now by default.")
