"""The current states of modules, and their histories.

A state is current if no other state follows it and it has not expired.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Select, and_, func, or_, select, true, union_all
from sqlalchemy.orm import aliased

from agentdata.engine.fields import argument
from agentdata.engine.sql.filters import Term, condition
from agentdata.engine.sql.links import among_keys, keys_table
from agentdata.engine.sql.tenancy import owned
from models import ModuleState
from schema.inputs.module_state import ModuleStateFilter

FILTER = argument(
    "filter", ModuleStateFilter, "Which states to include; all by default.", filters=ModuleState
)

MAX_CURRENT = 500
"""The maximum number of current states of a session, or of a project outside of sessions."""

MAX_HISTORY = 500
"""The maximum number of states in a history."""


def current_in_sessions(filter: Term | None = None) -> Select[Any]:
    """Select the current states of the modules of each session, the latest first."""
    keys = keys_table()
    state = aliased(ModuleState)
    return _current(keys, state, state.session_id == keys.c.key, filter)


def current_outside(filter: Term | None = None) -> Select[Any]:
    """Select the current states of the modules of each project outside of sessions, the latest first."""
    keys = keys_table()
    state = aliased(ModuleState)
    scope = and_(state.project_id == keys.c.key, state.session_id.is_(None))
    return _current(keys, state, scope, filter)


def are_current() -> Select[Any]:
    """Select whether each state is current."""
    state = aliased(ModuleState)
    return select(state.id, _is_current(state).label("value")).where(owned(state), among_keys(state.id))


def histories() -> Select[Any]:
    """Select the states before each state, the latest first."""
    keys = keys_table()
    state, earlier = aliased(ModuleState), aliased(ModuleState)

    def earlier_states(*scope: Any) -> Select[Any]:
        return (
            select(earlier)
            .where(
                owned(earlier),
                *scope,
                earlier.module_id == state.module_id,
                earlier.version < state.version,
            )
            .order_by(earlier.version.desc())
            .limit(MAX_HISTORY)
            .correlate(state)
        )

    # PostgreSQL only uses an index for nulls if the condition is IS NULL; one of the two finds nothing.
    found = union_all(
        earlier_states(earlier.session_id == state.session_id),
        earlier_states(state.session_id.is_(None), earlier.session_id.is_(None)),
    ).lateral()
    return (
        select(keys.c.key, aliased(ModuleState, found))
        .select_from(keys.join(state, state.id == keys.c.key).join(found, true()))
        .where(owned(state))
    )


def _current(keys: Any, state: Any, scope: Any, term: Term | None) -> Select[Any]:
    conditions = [] if term is None else [condition(state, term)]
    found = (
        select(state)
        .where(owned(state), scope, _is_current(state), *conditions)
        .order_by(state.created_at.desc(), state.id.desc())
        .limit(MAX_CURRENT)
        .lateral()
    )
    return select(keys.c.key, aliased(ModuleState, found)).select_from(keys.join(found, true()))


def _is_current(state: Any) -> Any:
    later = aliased(ModuleState)
    followed = select(1).where(owned(later), later.previous_state_id == state.id).correlate(state).exists()
    return and_(~followed, or_(state.expires_at.is_(None), state.expires_at > func.now()))
