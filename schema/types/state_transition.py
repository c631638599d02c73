"""A transition between states of a module."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import strawberry

from agentdata.engine.fields import column, relation
from models import ModuleState as ModuleStateRow
from models import Session as SessionRow
from models import StateTransition as StateTransitionRow
from schema.declarations import object_type
from schema.scalars import JSON
from schema.types.node import Node

if TYPE_CHECKING:
    from schema.types.module_state import ModuleState
    from schema.types.session import Session


@object_type(model=StateTransitionRow)
class StateTransition(Node):
    """A transition from one state of a module to the next, recorded when the next state is set."""

    created_at: datetime = column("When the next state was set.")
    session: Annotated["Session", strawberry.lazy("schema.types.session")] | None = relation(
        SessionRow, "The session of the states; null outside of sessions.", local="session_id"
    )
    state: Annotated["ModuleState", strawberry.lazy("schema.types.module_state")] = relation(
        ModuleStateRow, "The state before the transition.", local="state_id"
    )
    next_state: Annotated["ModuleState", strawberry.lazy("schema.types.module_state")] | None = relation(
        ModuleStateRow, "The state after the transition.", local="next_state_id"
    )
    trigger_type: str = column(
        "The kind of trigger: `user_action`, `agent_decision`, `scheduled` or another value."
    )
    trigger_id: str | None = column("The id of the trigger, in any system.")
    transition_data: JSON = column("Any other data on the transition: a JSON object.")
    previous_values: JSON = column(
        "The values before the transition: a JSON object of the keys that were changed or removed, nested"
        " as in the state. Lists are compared as a whole."
    )
    new_values: JSON = column(
        "The values after the transition: a JSON object of the keys that were changed or added, nested as"
        " in the state. Lists are compared as a whole."
    )
