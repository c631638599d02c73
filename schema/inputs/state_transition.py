"""Filters and orders of transitions between states."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Annotated

import strawberry

from agentdata.engine.fields import ToMany, filter_on
from models import ModuleState, Session
from schema.declarations import enum_type, enum_value, input_type, optional, required
from schema.enums import OrderDirection
from schema.inputs.filters import DateTimeFilter, IDFilter, JSONFilter, StringFilter

if TYPE_CHECKING:
    from schema.inputs.module_state import ModuleStateFilter
    from schema.inputs.session import SessionFilter


@input_type
class StateTransitionFilter:
    """Selects transitions between states. All given conditions must hold."""

    id: IDFilter | None = optional("The id of the transition.")
    session_id: IDFilter | None = optional("The id of the session of the states; null outside of sessions.")
    state_id: IDFilter | None = optional("The id of the state before the transition.")
    next_state_id: IDFilter | None = optional("The id of the state after the transition.")
    trigger_type: StringFilter | None = optional("The kind of trigger.")
    trigger_id: StringFilter | None = optional("The id of the trigger, in any system.")
    new_values: JSONFilter | None = optional("The changed and added values after the transition.")
    created_at: DateTimeFilter | None = optional("When the next state was set.")
    session: Annotated["SessionFilter", strawberry.lazy("schema.inputs.session")] | None = filter_on(
        Session, "Conditions on the session of the states.", local="session_id"
    )
    state: Annotated["ModuleStateFilter", strawberry.lazy("schema.inputs.module_state")] | None = filter_on(
        ModuleState, "Conditions on the state before the transition.", local="state_id"
    )
    next_state: Annotated["ModuleStateFilter", strawberry.lazy("schema.inputs.module_state")] | None = (
        filter_on(ModuleState, "Conditions on the state after the transition.", local="next_state_id")
    )
    and_: list[StateTransitionFilter] | None = optional("All of these filters must hold.", name="and")
    or_: list[StateTransitionFilter] | None = optional("At least one of these filters must hold.", name="or")
    not_: StateTransitionFilter | None = optional("This filter must not hold.", name="not")


@input_type
class StateTransitionsFilter(ToMany):
    """Conditions on related transitions."""

    some: StateTransitionFilter | None = optional("At least one related object meets this filter.")
    none: StateTransitionFilter | None = optional("No related object meets this filter.")


@enum_type
class StateTransitionOrderField(Enum):
    """The fields that transitions can be ordered by."""

    CREATED_AT = enum_value("created_at", "When the next state was set.")


@input_type
class StateTransitionOrder:
    """A field to order transitions by, and the direction."""

    field: StateTransitionOrderField = required("The field to order by.")
    direction: OrderDirection = required("The direction of the order.")
