"""A state of a module."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import strawberry

from agentdata.engine.fields import Gives, Ordering, batch, column, page, relation
from models import ModuleState as ModuleStateRow
from models import Session as SessionRow
from models import StateTransition as StateTransitionRow
from resolvers import module_states
from schema.declarations import object_type
from schema.inputs.module_state import ModuleStateFilter, ModuleStateOrder
from schema.inputs.state_transition import StateTransitionFilter, StateTransitionOrder
from schema.scalars import JSON
from schema.types.connection import Connection
from schema.types.node import Node

if TYPE_CHECKING:
    from schema.types.session import Session
    from schema.types.state_transition import StateTransition


@object_type(model=ModuleStateRow)
class ModuleState(Node):
    """One state of a module, inside or outside of a session. States are added and never change."""

    created_at: datetime = column("When the state was set.")
    module_id: str = column("The module of the state.")
    session: Annotated["Session", strawberry.lazy("schema.types.session")] | None = relation(
        SessionRow, "The session of the state; null outside of sessions.", local="session_id"
    )
    version: int = column("The position in the history of the module in the session: 1, 2, 3 and so on.")
    state_type: str | None = column("The kind of state, such as `user_preferences` or `workflow_progress`.")
    state: JSON = column("The whole state: a JSON object.")
    state_hash: str = column(
        "The SHA-256 of the state's canonical JSON, as 64 hexadecimal digits: equal states have equal"
        " hashes. The canonical form is that of RFC 8785, except that whole numbers beyond 2^53 keep all of"
        " their digits."
    )
    previous_state: Annotated["ModuleState", strawberry.lazy("schema.types.module_state")] | None = relation(
        ModuleStateRow, "The state before this one; null for the first one.", local="previous_state_id"
    )
    is_snapshot: bool = column("Whether the state is kept as a snapshot.")
    snapshot_reason: str | None = column("Why the state is kept as a snapshot.")
    expires_at: datetime | None = column("When the state ceases to be current, even if no other follows it.")
    is_current: bool = batch(
        module_states.are_current,
        "Whether the state is current: no other state has followed it, and it has not expired.",
        Gives.VALUE,
    )
    history: list[Annotated["ModuleState", strawberry.lazy("schema.types.module_state")]] = batch(
        module_states.histories,
        f"The states before this one, latest first; at most {module_states.MAX_HISTORY}.",
        Gives.ROWS,
        model=ModuleStateRow,
    )
    next_states: Connection[Annotated["ModuleState", strawberry.lazy("schema.types.module_state")]] = page(
        ModuleStateRow,
        "The state after this one, if there is one: histories do not fork.",
        filter_=ModuleStateFilter,
        order=ModuleStateOrder,
        remote="previous_state_id",
        default=(Ordering("version"),),
    )
    transitions: Connection[
        Annotated["StateTransition", strawberry.lazy("schema.types.state_transition")]
    ] = page(
        StateTransitionRow,
        "The transition from this state to the next one, if there is one.",
        filter_=StateTransitionFilter,
        order=StateTransitionOrder,
        remote="state_id",
        default=(Ordering("created_at"),),
    )
    reached_by: Annotated["StateTransition", strawberry.lazy("schema.types.state_transition")] | None = (
        relation(
            StateTransitionRow,
            "The transition that led to this state; null for the first one.",
            remote="next_state_id",
        )
    )
