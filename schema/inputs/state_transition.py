"""What clients ask of the transitions between states."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Annotated

import strawberry

from models import ModuleState, Session
from schema.declarations import enum_type, enum_value, input_type, optional, required
from schema.enums import OrderDirection
from schema.inputs.filters import DateTimeFilter, IDFilter, JSONFilter, StringFilter, ToMany
from schema.inputs.linked import linked

if TYPE_CHECKING:
    from schema.inputs.module_state import ModuleStateFilter
    from schema.inputs.session import SessionFilter


@input_type
class StateTransitionFilter:
    """Selects transitions between states. All conditions that are given must hold."""

    id: IDFilter | None = optional("By their ids.")
    session_id: IDFilter | None = optional(
        "By the ids of their sessions; null for those outside of sessions."
    )
    state_id: IDFilter | None = optional("By the ids of the states that they go on from.")
    next_state_id: IDFilter | None = optional("By the ids of the states that they lead to.")
    trigger_type: StringFilter | None = optional("By what kind of thing set them off.")
    trigger_id: StringFilter | None = optional("By the ids of what set them off.")
    new_values: JSONFilter | None = optional("By their `newValues`, such as a key that was changed.")
    created_at: DateTimeFilter | None = optional("By when the next state was set.")
    session: Annotated["SessionFilter", strawberry.lazy("schema.inputs.session")] | None = linked(
        Session, "By their sessions.", local="session_id"
    )
    state: Annotated["ModuleStateFilter", strawberry.lazy("schema.inputs.module_state")] | None = linked(
        ModuleState, "By the states that they go on from.", local="state_id"
    )
    next_state: Annotated["ModuleStateFilter", strawberry.lazy("schema.inputs.module_state")] | None = linked(
        ModuleState, "By the states that they lead to.", local="next_state_id"
    )
    and_: list[StateTransitionFilter] | None = optional("All of these filters must hold.", name="and")
    or_: list[StateTransitionFilter] | None = optional("At least one of these filters must hold.", name="or")
    not_: StateTransitionFilter | None = optional("This filter must not hold.", name="not")


@input_type
class StateTransitionsFilter(ToMany):
    """Conditions on the transitions behind a relation to many."""

    some: StateTransitionFilter | None = optional("At least one of them meets this filter.")
    none: StateTransitionFilter | None = optional("None of them meets this filter.")


@enum_type
class StateTransitionOrderField(Enum):
    """The fields that transitions can be ordered by."""

    CREATED_AT = enum_value("created_at", "When the next state was set.")


@input_type
class StateTransitionOrder:
    """A field to order transitions by, and the direction."""

    field: StateTransitionOrderField = required("The field to order by.")
    direction: OrderDirection = required("The direction of the order.")
