"""Inputs of states of modules."""

from __future__ import annotations

from datetime import datetime
from enum import Enum
from typing import TYPE_CHECKING, Annotated

import strawberry

from agentdata.engine.fields import ToMany, filter_on
from models import ModuleState, Session, StateTransition
from schema.declarations import enum_type, enum_value, input_type, optional, required
from schema.enums import OrderDirection
from schema.inputs.filters import BooleanFilter, DateTimeFilter, IDFilter, IntFilter, JSONFilter, StringFilter
from schema.scalars import JSON

if TYPE_CHECKING:
    from schema.inputs.session import SessionFilter
    from schema.inputs.state_transition import StateTransitionsFilter


@input_type
class ModuleStateFilter:
    """Selects states of modules. All given conditions must hold."""

    id: IDFilter | None = optional("The id of the state.")
    module_id: StringFilter | None = optional("The module of the state.")
    session_id: IDFilter | None = optional("The id of the session of the state; null outside of sessions.")
    previous_state_id: IDFilter | None = optional(
        "The id of the state before this one; null for the first one."
    )
    version: IntFilter | None = optional("The position in the history of the module.")
    state_type: StringFilter | None = optional("The kind of state.")
    state: JSONFilter | None = optional("The whole state.")
    state_hash: StringFilter | None = optional("The hash of the state: equal states have equal hashes.")
    is_snapshot: BooleanFilter | None = optional("Whether the state is kept as a snapshot.")
    expires_at: DateTimeFilter | None = optional(
        "When the state ceases to be current, even if no other follows it."
    )
    created_at: DateTimeFilter | None = optional("When the state was set.")
    session: Annotated["SessionFilter", strawberry.lazy("schema.inputs.session")] | None = filter_on(
        Session, "Conditions on the session of the state.", local="session_id"
    )
    previous_state: ModuleStateFilter | None = filter_on(
        ModuleState, "Conditions on the state before this one.", local="previous_state_id"
    )
    next_states: ModuleStatesFilter | None = filter_on(
        ModuleState,
        "Conditions on the state after this one; `{none: {}}` selects the latest state of each module.",
        remote="previous_state_id",
    )
    transitions: (
        Annotated["StateTransitionsFilter", strawberry.lazy("schema.inputs.state_transition")] | None
    ) = filter_on(
        StateTransition, "Conditions on the transition from this state to the next one.", remote="state_id"
    )
    and_: list[ModuleStateFilter] | None = optional("All of these filters must hold.", name="and")
    or_: list[ModuleStateFilter] | None = optional("At least one of these filters must hold.", name="or")
    not_: ModuleStateFilter | None = optional("This filter must not hold.", name="not")


@input_type
class ModuleStatesFilter(ToMany):
    """Conditions on related states of modules."""

    some: ModuleStateFilter | None = optional("At least one related object meets this filter.")
    none: ModuleStateFilter | None = optional("No related object meets this filter.")


@enum_type
class ModuleStateOrderField(Enum):
    """The fields that states of modules can be ordered by."""

    CREATED_AT = enum_value("created_at", "When the state was set.")
    VERSION = enum_value("version", "The position in the history of the module.")


@input_type
class ModuleStateOrder:
    """A field to order states of modules by, and the direction."""

    field: ModuleStateOrderField = required("The field to order by.")
    direction: OrderDirection = required("The direction of the order.")


@input_type
class SetModuleStateInput:
    """The new state of a module, and what triggered it."""

    module_id: str = required("The module: a name or id of your choice, of at most 255 characters.")
    session_id: strawberry.ID | None = optional(
        "The id of the session of the state; outside of sessions by default."
    )
    state: JSON = required("The whole state: a JSON object.")
    state_type: str | None = optional(
        "The kind of state, such as `user_preferences` or `workflow_progress`; at most 255 characters."
    )
    expected_version: int | None = optional(
        "The version of the latest state that you know of, expired or not; 0 if there is none. Fails with"
        " CONFLICT if another state was set meanwhile. Without this field, the state follows whichever is"
        " the latest."
    )
    is_snapshot: bool | None = optional(
        "Whether the state is kept as a snapshot; by default true if `snapshotReason` is given."
    )
    snapshot_reason: str | None = optional("Why the state is kept as a snapshot; only for a snapshot.")
    expires_at: datetime | None = optional(
        "When the state ceases to be current; by default only when another one is set."
    )
    trigger_type: str | None = optional(
        "The kind of trigger: `user_action`, `agent_decision` (by default), `scheduled` or another value;"
        " at most 255 characters. The first state of a module has no transition to record it."
    )
    trigger_id: str | None = optional("The id of the trigger, in any system; at most 255 characters.")
    transition_data: JSON | None = optional(
        "Any other data on the transition: a JSON object; `{}` by default."
    )
