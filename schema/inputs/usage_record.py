"""What clients say of the usage of models."""

from __future__ import annotations

from datetime import datetime
from enum import Enum
from typing import TYPE_CHECKING, Annotated

import strawberry
from strawberry import UNSET

from models import Agent, Session
from schema.enums import OrderDirection
from schema.inputs.filters import DateTimeFilter, IDFilter, StringFilter, ToMany
from schema.inputs.linked import linked

if TYPE_CHECKING:
    from schema.inputs.agent import AgentFilter
    from schema.inputs.session import SessionFilter


@strawberry.input(description="Selects usage records. All conditions that are given must hold.")
class UsageRecordFilter:
    """Selects usage records. All conditions that are given must hold."""

    id: IDFilter | None = strawberry.field(default=UNSET, description="By their ids.")
    session_id: IDFilter | None = strawberry.field(default=UNSET, description="By the ids of their sessions.")
    agent_id: IDFilter | None = strawberry.field(
        default=UNSET, description="By the ids of the agents that used the models."
    )
    run_id: StringFilter | None = strawberry.field(
        default=UNSET, description="By the runs that they are part of."
    )
    model: StringFilter | None = strawberry.field(default=UNSET, description="By the models that were used.")
    timestamp: DateTimeFilter | None = strawberry.field(
        default=UNSET, description="By when the models were used."
    )
    session: Annotated["SessionFilter", strawberry.lazy("schema.inputs.session")] | None = linked(
        Session, "By their sessions.", local="session_id"
    )
    agent: Annotated["AgentFilter", strawberry.lazy("schema.inputs.agent")] | None = linked(
        Agent, "By the agents that used the models.", local="agent_id"
    )
    and_: list[UsageRecordFilter] | None = strawberry.field(
        default=UNSET, name="and", description="All of these filters must hold."
    )
    or_: list[UsageRecordFilter] | None = strawberry.field(
        default=UNSET, name="or", description="At least one of these filters must hold."
    )
    not_: UsageRecordFilter | None = strawberry.field(
        default=UNSET, name="not", description="This filter must not hold."
    )


@strawberry.input(description="Conditions on the usage records behind a relation to many.")
class UsageRecordsFilter(ToMany):
    """Conditions on the usage records behind a relation to many."""

    some: UsageRecordFilter | None = strawberry.field(
        default=UNSET, description="At least one of them meets this filter."
    )
    none: UsageRecordFilter | None = strawberry.field(
        default=UNSET, description="None of them meets this filter."
    )


@strawberry.enum(description="The fields that usage records can be ordered by.")
class UsageRecordOrderField(Enum):
    """The fields that usage records can be ordered by."""

    TIMESTAMP = strawberry.enum_value("timestamp", description="When the models were used.")
    COST_USD = strawberry.enum_value("cost_usd", description="What they cost; unknown comes before nothing.")


@strawberry.input(description="A field to order usage records by, and the direction.")
class UsageRecordOrder:
    """A field to order usage records by, and the direction."""

    field: UsageRecordOrderField = strawberry.field(description="The field to order by.")
    direction: OrderDirection = strawberry.field(description="The direction of the order.")


@strawberry.input(
    description=(
        "A use of a model to record. Its tokens and cost count towards the totals of its session. Report"
        " tokens here or on messages, not both, or they count twice."
    )
)
class RecordUsageInput:
    """A use of a model to record. Its tokens and cost count towards the totals of its session."""

    session_id: strawberry.ID = strawberry.field(
        description="The id of the session that the model was used in."
    )
    agent_id: strawberry.ID | None = strawberry.field(
        default=UNSET, description="The id of the agent that used it; the session's by default."
    )
    run_id: str | None = strawberry.field(
        default=UNSET,
        description=(
            "The run that it was part of, as the agent's framework names it; at most 255 characters."
        ),
    )
    model: str = strawberry.field(description="The model that was used; at most 255 characters.")
    prompt_tokens: int | None = strawberry.field(
        default=UNSET, description="How many tokens the model read; 0 by default."
    )
    completion_tokens: int | None = strawberry.field(
        default=UNSET, description="How many tokens the model wrote; 0 by default."
    )
    cached_tokens: int | None = strawberry.field(
        default=UNSET,
        description=(
            "How many tokens came out of the provider's cache; null if that is unknown. They are not added to"
            " anything."
        ),
    )
    cost_usd: float | None = strawberry.field(
        default=UNSET,
        description=("What it cost, in US dollars, from 0 to 999,999,999; null if that is unknown."),
    )
    timestamp: datetime | None = strawberry.field(
        default=UNSET, description="When the model was used; now by default."
    )
