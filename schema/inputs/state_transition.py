"""What clients ask of the transitions between states."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Annotated

import strawberry
from strawberry import UNSET

from models import ModuleState, Session
from schema.enums import OrderDirection
from schema.inputs.filters import DateTimeFilter, IDFilter, JSONFilter, StringFilter, ToMany
from schema.inputs.linked import linked

if TYPE_CHECKING:
    from schema.inputs.module_state import ModuleStateFilter
    from schema.inputs.session import SessionFilter


@strawberry.input(description="Selects transitions between states. All conditions that are given must hold.")
class StateTransitionFilter:
    """Selects transitions between states. All conditions that are given must hold."""

    id: IDFilter | None = strawberry.field(default=UNSET, description="By their ids.")
    session_id: IDFilter | None = strawberry.field(
        default=UNSET, description="By the ids of their sessions; null for those outside of sessions."
    )
    state_id: IDFilter | None = strawberry.field(
        default=UNSET, description="By the ids of the states that they go on from."
    )
    next_state_id: IDFilter | None = strawberry.field(
        default=UNSET, description="By the ids of the states that they lead to."
    )
    trigger_type: StringFilter | None = strawberry.field(
        default=UNSET, description="By what kind of thing set them off."
    )
    trigger_id: StringFilter | None = strawberry.field(
        default=UNSET, description="By the ids of what set them off."
    )
    new_values: JSONFilter | None = strawberry.field(
        default=UNSET, description="By their `newValues`, such as a key that was changed."
    )
    created_at: DateTimeFilter | None = strawberry.field(
        default=UNSET, description="By when the next state was set."
    )
    session: Annotated["SessionFilter", strawberry.lazy("schema.inputs.session")] | None = linked(
        Session, "By their sessions.", local="session_id"
    )
    state: Annotated["ModuleStateFilter", strawberry.lazy("schema.inputs.module_state")] | None = linked(
        ModuleState, "By the states that they go on from.", local="state_id"
    )
    next_state: Annotated["ModuleStateFilter", strawberry.lazy("schema.inputs.module_state")] | None = linked(
        ModuleState, "By the states that they lead to.", local="next_state_id"
    )
    and_: list[StateTransitionFilter] | None = strawberry.field(
        default=UNSET, name="and", description="All of these filters must hold."
    )
    or_: list[StateTransitionFilter] | None = strawberry.field(
        default=UNSET, name="or", description="At least one of these filters must hold."
    )
    not_: StateTransitionFilter | None = strawberry.field(
        default=UNSET, name="not", description="This filter must not hold."
    )


@strawberry.input(description="Conditions on the transitions behind a relation to many.")
class StateTransitionsFilter(ToMany):
    """Conditions on the transitions behind a relation to many."""

    some: StateTransitionFilter | None = strawberry.field(
        default=UNSET, description="At least one of them meets this filter."
    )
    none: StateTransitionFilter | None = strawberry.field(
        default=UNSET, description="None of them meets this filter."
    )


@strawberry.enum(description="The fields that transitions can be ordered by.")
class StateTransitionOrderField(Enum):
    """The fields that transitions can be ordered by."""

    CREATED_AT = strawberry.enum_value("created_at", description="When the next state was set.")


@strawberry.input(description="A field to order transitions by, and the direction.")
class StateTransitionOrder:
    """A field to order transitions by, and the direction."""

    field: StateTransitionOrderField = strawberry.field(description="The field to order by.")
    direction: OrderDirection = strawberry.field(description="The direction of the order.")
