"""Write operations of module states. Nothing is overwritten: setting a state adds a row after the latest."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from zlib import crc32

from uuid_utils.compat import uuid7

from agentdata.checks import check, check_count, check_range
from agentdata.errors import BadUserInputError, ConflictError
from agentdata.operations.states import changes, state_hash
from models import ModuleState, StateTransition

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime
    from uuid import UUID

    from agentdata.operations.unit_of_work import UnitOfWork

    Chain = tuple[UUID | None, str]
    """The session (or None) and the module of a chain of states."""

MAX_STATES = 1_000
"""How many states one write may set."""

LOCKS = 64
"""How many locks the chains of a project share. PostgreSQL has memory for a few thousand locks in total."""

DEFAULT_TRIGGER = "agent_decision"
"""The default of ``trigger_type``."""

_LOCK = "SELECT pg_advisory_xact_lock(key) FROM unnest($1::bigint[]) AS key"
_LATEST = """
SELECT clock_timestamp() AS now, asked.session_id, asked.module_id, latest.id, latest.version, latest.state
FROM unnest($2::uuid[], $3::text[]) AS asked (session_id, module_id)
LEFT JOIN LATERAL (
  (SELECT id, version, state FROM module_states
   WHERE project_id = $1 AND session_id = asked.session_id AND module_id = asked.module_id
   ORDER BY version DESC LIMIT 1)
  -- PostgreSQL searches an index for nulls only if the condition is IS NULL.
  UNION ALL
  (SELECT id, version, state FROM module_states
   WHERE asked.session_id IS NULL AND project_id = $1 AND session_id IS NULL AND module_id = asked.module_id
   ORDER BY version DESC LIMIT 1)
) AS latest ON true"""
_TRANSITION_COLUMNS = ("trigger_type", "trigger_id", "transition_data")


@dataclass(frozen=True)
class _Latest:
    """The latest state of a chain; the id is None if the chain is empty."""

    id: UUID | None
    version: int
    state: dict[str, Any]


async def set_(write: UnitOfWork, values: dict[str, Any]) -> ModuleState:
    """Set the state of a module, within a session or outside of sessions.

    The values are those of the columns of the state and of its transition, and ``expected_version``: the
    version of the latest state that the client knows of, or 0 for none.

    Raises:
        NotFoundError: There is no such session.
        ConflictError: The latest state has another version than the one expected.

    """
    [state] = await _set(write, [values], "")
    return state


async def set_all(write: UnitOfWork, states: list[dict[str, Any]]) -> list[ModuleState]:
    """Set states in order, all or none; states of the same chain follow each other.

    Raises:
        NotFoundError: One of the sessions is not there.
        ConflictError: A latest state has another version than the one expected.

    """
    check_count("states", states, MAX_STATES)
    return await _set(write, states, "states")


async def _set(write: UnitOfWork, states: list[dict[str, Any]], path: str) -> list[ModuleState]:
    paths = [f"{path}.{index}." if path else "" for index in range(len(states))]
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
            **{name: value for name, value in values.items() if name not in _TRANSITION_COLUMNS},
            "is_snapshot": values.get("is_snapshot", values.get("snapshot_reason") is not None),
            "version": before.version + 1,
            "state_hash": state_hash(values["state"]),
            "previous_state_id": before.id,
            "created_at": now,
        }
        row.pop("expected_version", None)
        rows.append(row)
        # The first state of a chain has no transition.
        if before.id is not None:
            transitions.append(_transition(values, before, row))
        latest[chain] = _Latest(row["id"], row["version"], values["state"])
    inserted = await write.insert(ModuleState, _align_columns(rows))
    await write.insert(StateTransition, _align_columns(transitions))
    return inserted


async def _latest(write: UnitOfWork, chains: Iterable[Chain]) -> tuple[datetime, dict[Chain, _Latest]]:
    """Lock chains, and return the time and the latest state of each.

    A chain may have no row to lock yet, so chains have advisory locks. The states are read by a later
    statement, which sees the writes of those who held the locks before.
    """
    chains = list(chains)
    # In the order of their keys, so that two writers cannot deadlock.
    await write.fetch(_LOCK, sorted({_chain_lock(write.project_id, chain) for chain in chains}))
    sessions, modules = [session for session, _ in chains], [module for _, module in chains]
    records = await write.fetch(_LATEST, write.project_id, sessions, modules)
    latest = {
        (record["session_id"], record["module_id"]): _Latest(
            record["id"], record["version"] or 0, record["state"] or {}
        )
        for record in records
    }
    return records[0]["now"], latest


async def lock_all_chains(write: UnitOfWork) -> None:
    """Lock all chains of the project, so that no states are added while others are deleted."""
    await write.fetch(_LOCK, sorted(_lock_key(write.project_id, number) for number in range(LOCKS)))


def _chain_lock(project_id: UUID, chain: Chain) -> int:
    """Return the key of a chain's lock, which it shares with other chains of its project."""
    session_id, module_id = chain
    number = crc32(f"{session_id} {module_id}".encode()) % LOCKS
    return _lock_key(project_id, number)


def _lock_key(project_id: UUID, number: int) -> int:
    name = f"module states {project_id} {number}".encode()
    return int.from_bytes(hashlib.sha256(name).digest()[:8], "big", signed=True)


def _check(values: dict[str, Any], path: str) -> None:
    check(ModuleState, values, path)
    check(StateTransition, values, path)
    if values.get("expected_version") is not None:
        check_range(f"{path}expectedVersion", values["expected_version"], 0, None)
    if values.get("snapshot_reason") is not None and values.get("is_snapshot") is False:
        raise BadUserInputError(
            "a state with a snapshotReason is a snapshot; omit isSnapshot or snapshotReason",
            field=f"{path}isSnapshot",
        )


def _check_expected(values: dict[str, Any], version: int, path: str) -> None:
    expected = values.get("expected_version")
    if expected not in {None, version}:
        raise ConflictError(
            f"the current version is {version}, not {expected}: the state has changed; read it and try again",
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
        **{name: values[name] for name in _TRANSITION_COLUMNS if name in values},
        "previous_values": previous_values,
        "new_values": new_values,
    }


def _align_columns(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return rows that all have the same columns, so that one statement can insert them."""
    columns = dict.fromkeys(column for row in rows for column in row)
    return [{column: row.get(column) for column in columns} for row in rows]
