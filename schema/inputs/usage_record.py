"""What clients say of the usage of models."""

from __future__ import annotations

from datetime import datetime
from enum import Enum
from typing import TYPE_CHECKING, Annotated

import strawberry

from models import Agent, Session
from schema.declarations import enum_type, enum_value, input_type, optional, required
from schema.enums import OrderDirection
from schema.inputs.filters import DateTimeFilter, IDFilter, StringFilter, ToMany
from schema.inputs.linked import linked

if TYPE_CHECKING:
    from schema.inputs.agent import AgentFilter
    from schema.inputs.session import SessionFilter


@input_type
class UsageRecordFilter:
    """Selects usage records. All conditions that are given must hold."""

    id: IDFilter | None = optional("By their ids.")
    session_id: IDFilter | None = optional("By the ids of their sessions.")
    agent_id: IDFilter | None = optional("By the ids of the agents that used the models.")
    run_id: StringFilter | None = optional("By the runs that they are part of.")
    model: StringFilter | None = optional("By the models that were used.")
    timestamp: DateTimeFilter | None = optional("By when the models were used.")
    session: Annotated["SessionFilter", strawberry.lazy("schema.inputs.session")] | None = linked(
        Session, "By their sessions.", local="session_id"
    )
    agent: Annotated["AgentFilter", strawberry.lazy("schema.inputs.agent")] | None = linked(
        Agent, "By the agents that used the models.", local="agent_id"
    )
    and_: list[UsageRecordFilter] | None = optional("All of these filters must hold.", name="and")
    or_: list[UsageRecordFilter] | None = optional("At least one of these filters must hold.", name="or")
    not_: UsageRecordFilter | None = optional("This filter must not hold.", name="not")


@input_type
class UsageRecordsFilter(ToMany):
    """Conditions on the usage records behind a relation to many."""

    some: UsageRecordFilter | None = optional("At least one of them meets this filter.")
    none: UsageRecordFilter | None = optional("None of them meets this filter.")


@enum_type
class UsageRecordOrderField(Enum):
    """The fields that usage records can be ordered by."""

    TIMESTAMP = enum_value("timestamp", "When the models were used.")
    COST_USD = enum_value("cost_usd", "What they cost; unknown comes before nothing.")


@input_type
class UsageRecordOrder:
    """A field to order usage records by, and the direction."""

    field: UsageRecordOrderField = required("The field to order by.")
    direction: OrderDirection = required("The direction of the order.")


@input_type
class RecordUsageInput:
    """A use of a model to record.

    Its tokens and cost count towards the totals of its session. Report tokens here or on messages, not
    both, or they count twice.
    """

    session_id: strawberry.ID = required("The id of the session that the model was used in.")
    agent_id: strawberry.ID | None = optional("The id of the agent that used it; the session's by default.")
    run_id: str | None = optional(
        "The run that it was part of, as the agent's framework names it; at most 255 characters."
    )
    model: str = required("The model that was used; at most 255 characters.")
    prompt_tokens: int | None = optional("How many tokens the model read; 0 by default.")
    completion_tokens: int | None = optional("How many tokens the model wrote; 0 by default.")
    cached_tokens: int | None = optional(
        "How many tokens came out of the provider's cache; null if that is unknown. They are not added to"
        " anything."
    )
    cost_usd: float | None = optional(
        "What it cost, in US dollars, from 0 to 999,999,999, to the billionth; null if that is unknown."
    )
    timestamp: datetime | None = optional("When the model was used; now by default.")
