"""Inputs of versions of agents."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Annotated

import strawberry

from agentdata.engine.fields import ToMany, filter_on
from models import Agent, AgentMetric, Session
from schema.declarations import enum_type, enum_value, input_type, optional, required
from schema.enums import OrderDirection
from schema.inputs.filters import BooleanFilter, DateTimeFilter, IDFilter, StringFilter
from schema.scalars import JSON

if TYPE_CHECKING:
    from schema.inputs.agent import AgentFilter
    from schema.inputs.agent_metric import AgentMetricsFilter
    from schema.inputs.session import SessionsFilter


@input_type
class AgentVersionFilter:
    """Selects versions of agents. All given conditions must hold."""

    id: IDFilter | None = optional("The id of the version.")
    agent_id: IDFilter | None = optional("The id of the agent of the version.")
    version_number: StringFilter | None = optional("The version number.")
    is_active: BooleanFilter | None = optional("Whether the version is the agent's active one.")
    created_at: DateTimeFilter | None = optional("When the version was recorded.")
    updated_at: DateTimeFilter | None = optional("When the version last changed.")
    activated_at: DateTimeFilter | None = optional("When the version last became active.")
    agent: Annotated["AgentFilter", strawberry.lazy("schema.inputs.agent")] | None = filter_on(
        Agent, "Conditions on the agent of the version.", local="agent_id"
    )
    sessions: Annotated["SessionsFilter", strawberry.lazy("schema.inputs.session")] | None = filter_on(
        Session, "Conditions on the sessions that ran on the version.", remote="agent_version_id"
    )
    metrics: Annotated["AgentMetricsFilter", strawberry.lazy("schema.inputs.agent_metric")] | None = (
        filter_on(AgentMetric, "Conditions on the metrics of the version.", remote="version_id")
    )
    and_: list[AgentVersionFilter] | None = optional("All of these filters must hold.", name="and")
    or_: list[AgentVersionFilter] | None = optional("At least one of these filters must hold.", name="or")
    not_: AgentVersionFilter | None = optional("This filter must not hold.", name="not")


@input_type
class AgentVersionsFilter(ToMany):
    """Conditions on related versions of agents."""

    some: AgentVersionFilter | None = optional("At least one related object meets this filter.")
    none: AgentVersionFilter | None = optional("No related object meets this filter.")


@enum_type
class AgentVersionOrderField(Enum):
    """The fields that versions of agents can be ordered by."""

    CREATED_AT = enum_value("created_at", "When the version was recorded.")
    UPDATED_AT = enum_value("updated_at", "When the version last changed.")
    VERSION_NUMBER = enum_value("version_number", "The version number, ordered as text, by code point.")


@input_type
class AgentVersionOrder:
    """A field to order versions of agents by, and the direction."""

    field: AgentVersionOrderField = required("The field to order by.")
    direction: OrderDirection = required("The direction of the order.")


@input_type
class AgentVersionValues:
    """The values of a version of an agent."""

    changes: JSON | None = optional("What is new in the version: a JSON object; `{}` by default on creation.")
    system_prompt: str | None = optional("The instructions that frame the sessions of this version.")
    config: JSON | None = optional("The configuration of the version: a JSON object.")
    performance: JSON | None = optional(
        "How well the version performed: a JSON object; `{}` by default on creation."
    )


@input_type
class CreateAgentVersionInput(AgentVersionValues):
    """A version to add to an agent."""

    agent_id: strawberry.ID = required("The id of the agent.")
    version_number: str = required(
        "The version number, such as `1.1.0`, unique among the agent's versions; at most 64 characters."
    )
    created_by_user_id: strawberry.ID | None = optional("The id of the user who made the version.")
    created_by_agent_id: strawberry.ID | None = optional(
        "The id of the agent that made the version; not together with `createdByUserId`."
    )
    activate: bool | None = optional(
        "Whether the version becomes the agent's active one at once; false by default."
    )


@input_type
class UpdateAgentVersionInput(AgentVersionValues):
    """The changes to a version.

    Fields that are left out stay as they are; null clears a field that may be null.
    """

    version_number: str | None = optional(
        "The version number, such as `1.1.0`, unique among the agent's versions; at most 64 characters."
    )
