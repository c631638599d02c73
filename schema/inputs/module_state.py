"""What clients say of the states of modules."""

from __future__ import annotations

from datetime import datetime
from enum import Enum
from typing import TYPE_CHECKING, Annotated

import strawberry

from models import ModuleState, Session, StateTransition
from schema.declarations import enum_type, enum_value, input_type, optional, required
from schema.enums import OrderDirection
from schema.inputs.filters import (
    BooleanFilter,
    DateTimeFilter,
    IDFilter,
    IntFilter,
    JSONFilter,
    StringFilter,
    ToMany,
)
from schema.inputs.linked import linked
from schema.scalars import JSON

if TYPE_CHECKING:
    from schema.inputs.session import SessionFilter
    from schema.inputs.state_transition import StateTransitionsFilter


@input_type
class ModuleStateFilter:
    """Selects states of modules. All conditions that are given must hold."""

    id: IDFilter | None = optional("By their ids.")
    module_id: StringFilter | None = optional("By the modules that they are states of.")
    session_id: IDFilter | None = optional(
        "By the ids of their sessions; null for those outside of sessions."
    )
    previous_state_id: IDFilter | None = optional(
        "By the ids of the states before them; null for first states."
    )
    version: IntFilter | None = optional("By their places in the history of their module.")
    state_type: StringFilter | None = optional("By what kind of state they are.")
    state: JSONFilter | None = optional("By their `state`.")
    state_hash: StringFilter | None = optional(
        "By the hashes of their `state`: equal states have equal hashes."
    )
    is_snapshot: BooleanFilter | None = optional("By whether they were set to be kept as snapshots.")
    expires_at: DateTimeFilter | None = optional("By when they expire.")
    created_at: DateTimeFilter | None = optional("By when they were set.")
    session: Annotated["SessionFilter", strawberry.lazy("schema.inputs.session")] | None = linked(
        Session, "By their sessions.", local="session_id"
    )
    previous_state: ModuleStateFilter | None = linked(
        ModuleState, "By the states before them.", local="previous_state_id"
    )
    next_states: ModuleStatesFilter | None = linked(
        ModuleState,
        "By the states after them; `{none: {}}` selects the latest state of each module.",
        remote="previous_state_id",
    )
    transitions: (
        Annotated["StateTransitionsFilter", strawberry.lazy("schema.inputs.state_transition")] | None
    ) = linked(StateTransition, "By the transitions from them.", remote="state_id")
    and_: list[ModuleStateFilter] | None = optional("All of these filters must hold.", name="and")
    or_: list[ModuleStateFilter] | None = optional("At least one of these filters must hold.", name="or")
    not_: ModuleStateFilter | None = optional("This filter must not hold.", name="not")


@input_type
class ModuleStatesFilter(ToMany):
    """Conditions on the states of modules behind a relation to many."""

    some: ModuleStateFilter | None = optional("At least one of them meets this filter.")
    none: ModuleStateFilter | None = optional("None of them meets this filter.")


@enum_type
class ModuleStateOrderField(Enum):
    """The fields that states of modules can be ordered by."""

    CREATED_AT = enum_value("created_at", "When they were set.")
    VERSION = enum_value("version", "Their places in the history of their module.")


@input_type
class ModuleStateOrder:
    """A field to order states of modules by, and the direction."""

    field: ModuleStateOrderField = required("The field to order by.")
    direction: OrderDirection = required("The direction of the order.")


@input_type
class SetModuleStateInput:
    """The state that a module has from now on, and what set it off."""

    module_id: str = required("The module: a name or id of your choice, of at most 255 characters.")
    session_id: strawberry.ID | None = optional(
        "The id of the session that it is the module's state in; without one, outside of all."
    )
    state: JSON = required("The whole state: a JSON object.")
    state_type: str | None = optional(
        "What kind of state it is, such as `user_preferences` or `workflow_progress`; at most 255 characters."
    )
    expected_version: int | None = optional(
        "The version of the latest state that you know of, expired or not; 0 if there is none. It is a"
        " CONFLICT if another one was set meanwhile. Without it, the state is set behind what is there."
    )
    is_snapshot: bool | None = optional(
        "Whether it is kept as a snapshot; by default it is if a `snapshotReason` is given."
    )
    snapshot_reason: str | None = optional("Why it is kept as a snapshot; only for a snapshot.")
    expires_at: datetime | None = optional(
        "When it ceases to be current; by default only when another one is set."
    )
    trigger_type: str | None = optional(
        "What kind of thing set it off: `user_action`, `agent_decision` (by default), `scheduled` or"
        " another; at most 255 characters. The first state of a module has no transition to say so."
    )
    trigger_id: str | None = optional(
        "The id of what set it off, in whatever system; at most 255 characters."
    )
    transition_data: JSON | None = optional(
        "Anything else about the transition: a JSON object; `{}` by default."
    )
