"""Writes of the states of modules. Nothing is overwritten: a state is set by adding one behind the latest."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from zlib import crc32

from uuid_utils.compat import uuid7

from agentdata.checks import check, check_not_empty, check_range
from agentdata.errors import BadUserInputError, ConflictError
from agentdata.operations.states import changes, state_hash
from models import ModuleState, StateTransition

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime
    from uuid import UUID

    from agentdata.operations.unit_of_work import UnitOfWork

    Chain = tuple[UUID | None, str]
    """The session, or none, and the module that states belong to."""

MAX_STATES = 1_000
"""How many states one write sets."""

LOCKS = 64
"""How many locks the chains of a project share. PostgreSQL has room for some thousands in all."""

DEFAULT_TRIGGER = "agent_decision"
"""What set a state off where nothing else is said."""

_LOCK = "SELECT pg_advisory_xact_lock(key) FROM unnest($1::bigint[]) AS key"
_LATEST = """
SELECT clock_timestamp() AS now, asked.session_id, asked.module_id, latest.id, latest.version, latest.state
FROM unnest($2::uuid[], $3::text[]) AS asked (session_id, module_id)
LEFT JOIN LATERAL (
  (SELECT id, version, state FROM module_states
   WHERE project_id = $1 AND session_id = asked.session_id AND module_id = asked.module_id
   ORDER BY version DESC LIMIT 1)
  -- An index is searched for what is null only where that is said outright.
  UNION ALL
  (SELECT id, version, state FROM module_states
   WHERE asked.session_id IS NULL AND project_id = $1 AND session_id IS NULL AND module_id = asked.module_id
   ORDER BY version DESC LIMIT 1)
) AS latest ON true"""
_OF_TRANSITION = ("trigger_type", "trigger_id", "transition_data")


@dataclass(frozen=True)
class _Latest:
    """The latest state of a chain; one without an id stands before the first."""

    id: UUID | None
    version: int
    state: dict[str, Any]


async def set_(write: UnitOfWork, values: dict[str, Any]) -> ModuleState:
    """Set the state of a module, in a session or outside of all.

    The values are those of the columns of the state and of its transition, and ``expected_version``, the
    version of the latest state that the client knows, 0 for none.

    Raises:
        NotFoundError: There is no such session.
        ConflictError: The latest state has another version than the one expected.

    """
    [state] = await _set(write, [values], "")
    return state


async def set_all(write: UnitOfWork, states: list[dict[str, Any]]) -> list[ModuleState]:
    """Set states, in order, all or none; several of one module follow each other.

    Raises:
        NotFoundError: One of the sessions is not there.
        ConflictError: A latest state has another version than the one expected.

    """
    check_not_empty("states", states, MAX_STATES)
    return await _set(write, states, "states")


async def _set(write: UnitOfWork, states: list[dict[str, Any]], path: str) -> list[ModuleState]:
    paths = [f"{path}.{place}." if path else "" for place in range(len(states))]
    for values, each in zip(states, paths, strict=True):
        _check(values, each)
    chains = [(values.get("session_id"), values["module_id"]) for values in states]
    now, latest = await _latest(write, dict.fromkeys(chains))
    rows, transitions = [], []
    for values, chain, each in zip(states, chains, paths, strict=True):
        before = latest[chain]
        _check_expected(values, before.version, each)
        row = {
            "id": uuid7(),
            **{name: value for name, value in values.items() if name not in _OF_TRANSITION},
            "is_snapshot": values.get("is_snapshot", values.get("snapshot_reason") is not None),
            "version": before.version + 1,
            "state_hash": state_hash(values["state"]),
            "previous_state_id": before.id,
            "created_at": now,
        }
        row.pop("expected_version", None)
        rows.append(row)
        # The first state goes on from nothing.
        if before.id is not None:
            transitions.append(_transition(values, before, row))
        latest[chain] = _Latest(row["id"], row["version"], values["state"])
    made = await write.insert(ModuleState, _alike(rows))
    await write.insert(StateTransition, _alike(transitions))
    return made


async def _latest(write: UnitOfWork, chains: Iterable[Chain]) -> tuple[datetime, dict[Chain, _Latest]]:
    """Give the time, and the latest state of each chain, which nobody else goes on from any more.

    There may be no row to lock yet, and none may be changed, so chains have locks that are no rows. The
    states are read by the statement after, which sees what those wrote who had the locks before.
    """
    chains = list(chains)
    # In the order of their keys, so that two writers cannot wait for each other.
    await write.fetch(_LOCK, sorted({_key(write.project_id, chain) for chain in chains}))
    sessions, modules = [session for session, _ in chains], [module for _, module in chains]
    records = await write.fetch(_LATEST, write.project_id, sessions, modules)
    latest = {
        (record["session_id"], record["module_id"]): _Latest(
            record["id"], record["version"] or 0, record["state"] or {}
        )
        for record in records
    }
    return records[0]["now"], latest


async def hold_all(write: UnitOfWork) -> None:
    """Hold all chains of the project, so that nobody goes on from a state while states are deleted."""
    await write.fetch(_LOCK, sorted(_lock(write.project_id, shared) for shared in range(LOCKS)))


def _key(project_id: UUID, chain: Chain) -> int:
    """Give the lock of a chain, one of a few of its project: writers that share one wait for each other."""
    session_id, module_id = chain
    shared = crc32(f"{session_id} {module_id}".encode()) % LOCKS
    return _lock(project_id, shared)


def _lock(project_id: UUID, shared: int) -> int:
    told = f"module states {project_id} {shared}".encode()
    return int.from_bytes(hashlib.sha256(told).digest()[:8], "big", signed=True)


def _check(values: dict[str, Any], path: str) -> None:
    check(ModuleState, values, path)
    check(StateTransition, values, path)
    if values.get("expected_version") is not None:
        check_range(f"{path}expectedVersion", values["expected_version"], 0, None)
    if values.get("snapshot_reason") is not None and values.get("is_snapshot") is False:
        raise BadUserInputError(
            "a state with a snapshotReason is a snapshot; leave isSnapshot out, or the reason",
            field=f"{path}isSnapshot",
        )


def _check_expected(values: dict[str, Any], version: int, path: str) -> None:
    expected = values.get("expected_version")
    if expected not in {None, version}:
        raise ConflictError(
            f"the current version is {version}, not {expected}: the state was set meanwhile; read it and try"
            " again",
            field=f"{path}expectedVersion",
        )


def _transition(values: dict[str, Any], before: _Latest, row: dict[str, Any]) -> dict[str, Any]:
    previous_values, new_values = changes(before.state, row["state"])
    return {
        "state_id": before.id,
        "next_state_id": row["id"],
        "session_id": row.get("session_id"),
        "trigger_type": DEFAULT_TRIGGER,
        "created_at": row["created_at"],
        **{name: values[name] for name in _OF_TRANSITION if name in values},
        "previous_values": previous_values,
        "new_values": new_values,
    }


def _alike(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Have all rows name the same columns, so that one statement takes them."""
    columns = dict.fromkeys(column for row in rows for column in row)
    return [{column: row.get(column) for column in columns} for row in rows]
