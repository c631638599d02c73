"""Which states are current, and what came before them.

A state is current if no other has followed it and it has not expired.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Select, and_, func, or_, select, true, union_all
from sqlalchemy.orm import aliased

from agentdata.execution.links import among_keys, keys_table, owned
from models import ModuleState
from resolvers.fields import argument
from resolvers.filtering import Term, condition
from schema.inputs.module_state import ModuleStateFilter

FILTER = argument(
    "filter", ModuleStateFilter, "Which states to include; all by default.", filters=ModuleState
)

MAX_CURRENT = 500
"""How many current states are given of a session, or outside of sessions."""

MAX_HISTORY = 500
"""How many states a history shows."""


def current_in_sessions(filter: Term | None = None) -> Select[Any]:
    """Give the current states of the modules of each session, the latest first."""
    keys = keys_table()
    state = aliased(ModuleState)
    return _current(keys, state, state.session_id == keys.c.key, filter)


def current_outside(filter: Term | None = None) -> Select[Any]:
    """Give the current states of the modules of each project outside of sessions, the latest first."""
    keys = keys_table()
    state = aliased(ModuleState)
    own = and_(state.project_id == keys.c.key, state.session_id.is_(None))
    return _current(keys, state, own, filter)


def are_current() -> Select[Any]:
    """Tell of each state whether it is current."""
    state = aliased(ModuleState)
    return select(state.id, _is_current(state).label("value")).where(owned(state), among_keys(state.id))


def histories() -> Select[Any]:
    """Give the states before each state, the latest first."""
    keys = keys_table()
    state, earlier = aliased(ModuleState), aliased(ModuleState)

    def before(*own: Any) -> Select[Any]:
        return (
            select(earlier)
            .where(
                owned(earlier),
                *own,
                earlier.module_id == state.module_id,
                earlier.version < state.version,
            )
            .order_by(earlier.version.desc())
            .limit(MAX_HISTORY)
            .correlate(state)
        )

    # An index is searched for what is null only where that is said outright; one of the two gives nothing.
    found = union_all(
        before(earlier.session_id == state.session_id),
        before(state.session_id.is_(None), earlier.session_id.is_(None)),
    ).lateral()
    return (
        select(keys.c.key, aliased(ModuleState, found))
        .select_from(keys.join(state, state.id == keys.c.key).join(found, true()))
        .where(owned(state))
    )


def _current(keys: Any, state: Any, own: Any, term: Term | None) -> Select[Any]:
    asked = [] if term is None else [condition(state, term)]
    found = (
        select(state)
        .where(owned(state), own, _is_current(state), *asked)
        .order_by(state.created_at.desc(), state.id.desc())
        .limit(MAX_CURRENT)
        .lateral()
    )
    return select(keys.c.key, aliased(ModuleState, found)).select_from(keys.join(found, true()))


def _is_current(state: Any) -> Any:
    later = aliased(ModuleState)
    followed = select(1).where(owned(later), later.previous_state_id == state.id).correlate(state).exists()
    return and_(~followed, or_(state.expires_at.is_(None), state.expires_at > func.now()))
