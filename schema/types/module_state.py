"""One state of a module, in a session or outside of all. States are added, and never change."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import strawberry

from models import ModuleState as ModuleStateRow
from models import Session as SessionRow
from models import StateTransition as StateTransitionRow
from resolvers import module_states
from resolvers.batches import Gives
from resolvers.fields import batch, column, page, relation
from resolvers.paging import Ordering
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
    """One state of a module, in a session or outside of all. States are added, and never change."""

    created_at: datetime = column("When it was set.")
    module_id: str = column("The module that it is a state of.")
    session: Annotated["Session", strawberry.lazy("schema.types.session")] | None = relation(
        SessionRow, "The session that it is the module's state in; null outside of sessions.", by="session_id"
    )
    version: int = column("Its place in the history of the module in the session: 1, 2, 3 and so on.")
    state_type: str | None = column(
        "What kind of state it is, such as `user_preferences` or `workflow_progress`."
    )
    state: JSON = column("The whole state: a JSON object.")
    state_hash: str = column(
        "The SHA-256 of the state's canonical JSON, in 64 hexadecimal digits: equal states have equal hashes."
        " Canonical is what RFC 8785 says, except that whole numbers beyond 2^53 keep all of their digits."
    )
    previous_state: Annotated["ModuleState", strawberry.lazy("schema.types.module_state")] | None = relation(
        ModuleStateRow, "The state before it; null for the first one.", by="previous_state_id"
    )
    is_snapshot: bool = column("Whether it was set to be kept as a snapshot.")
    snapshot_reason: str | None = column("Why it is kept as a snapshot.")
    expires_at: datetime | None = column("When it ceases to be current, even if no other follows it.")
    is_current: bool = batch(
        module_states.are_current,
        "Whether it is what the module knows now: no other state has followed it, and it has not expired.",
        Gives.VALUE,
    )
    history: list[Annotated["ModuleState", strawberry.lazy("schema.types.module_state")]] = batch(
        module_states.histories,
        "The states before it, the latest first; at most 500.",
        Gives.ROWS,
        model=ModuleStateRow,
    )
    next_states: Connection[Annotated["ModuleState", strawberry.lazy("schema.types.module_state")]] = page(
        ModuleStateRow,
        "The state after it, if there is one: histories do not fork.",
        filter_=ModuleStateFilter,
        order=ModuleStateOrder,
        by="previous_state_id",
        default=(Ordering("version"),),
    )
    transitions: Connection[
        Annotated["StateTransition", strawberry.lazy("schema.types.state_transition")]
    ] = page(
        StateTransitionRow,
        "The transition from it to the next state, if there is one.",
        filter_=StateTransitionFilter,
        order=StateTransitionOrder,
        by="state_id",
        default=(Ordering("created_at"),),
    )
    reached_by: Annotated["StateTransition", strawberry.lazy("schema.types.state_transition")] | None = (
        relation(
            StateTransitionRow,
            "The transition that led to it; null for the first one.",
            remote="next_state_id",
        )
    )
