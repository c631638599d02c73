"""States of a module form a chain: none is overwritten or lost, and transitions have the differences."""

from __future__ import annotations

import asyncio
import random
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from sqlalchemy import text

from agentdata.errors import ConflictError, NotFoundError
from agentdata.operations import module_states, sessions
from agentdata.operations.states import changes, state_hash
from agentdata.operations.unit_of_work import UnitOfWork
from tests import factories

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.ext.asyncio import AsyncEngine

    from models import ModuleState
    from tests.api import Api

SET = """
mutation($input: SetModuleStateInput!) {
  setModuleState(input: $input) {
    id version stateHash isCurrent isSnapshot snapshotReason previousState { id }
  }
}
"""
SET_ALL = """
mutation($states: [SetModuleStateInput!]!) {
  setModuleStates(states: $states) { version session { id } previousState { version } }
}
"""
STATES = """
query($filter: ModuleStateFilter) {
  moduleStates(first: 500, filter: $filter, orderBy: [{field: VERSION, direction: ASC}]) {
    nodes {
      id moduleId version state stateHash isCurrent createdAt
      session { id }
      previousState { id }
      history { id }
      nextStates { nodes { id } }
      transitions { nodes { id state { id } nextState { id } } }
      reachedBy { id session { id } triggerType triggerId transitionData previousValues newValues createdAt }
    }
  }
}
"""
OF_SESSION = """
query($id: ID!, $filter: ModuleStateFilter) {
  session(id: $id) { currentModuleStates(filter: $filter) { moduleId version state } }
}
"""
OUTSIDE = """
query($filter: ModuleStateFilter) {
  project { currentModuleStates(filter: $filter) { moduleId version state } }
}
"""
PAST, FUTURE = "2020-01-01T00:00:00Z", "2999-01-01T00:00:00Z"


async def set_state(api: Api, **values: Any) -> dict[str, Any]:
    """Set a state, by default of the module `cart`."""
    state: dict[str, Any] = (await api.ask(SET, input={"moduleId": "cart", "state": {}, **values}))[
        "setModuleState"
    ]
    return state


async def read(api: Api, **filter_: Any) -> list[dict[str, Any]]:
    """Return states in the order of their versions; assert that they form a chain."""
    states: list[dict[str, Any]] = (await api.ask(STATES, filter=filter_))["moduleStates"]["nodes"]
    for place, state in enumerate(states):
        before, after = states[:place], states[place + 1 : place + 2]
        assert state["version"] == place + 1
        assert state["stateHash"] == state_hash(state["state"])
        assert state["previousState"] == ({"id": before[-1]["id"]} if before else None)
        assert [each["id"] for each in state["history"]] == [each["id"] for each in reversed(before)]
        assert [each["id"] for each in state["nextStates"]["nodes"]] == [each["id"] for each in after]
        assert [each["nextState"]["id"] for each in state["transitions"]["nodes"]] == [
            each["id"] for each in after
        ]
        if not before:
            assert state["reachedBy"] is None
            continue
        reached, [left] = state["reachedBy"], before[-1]["transitions"]["nodes"]
        assert reached["id"] == left["id"]
        assert reached["session"] == state["session"]
        assert reached["createdAt"] == state["createdAt"] >= before[-1]["createdAt"]
        assert (reached["previousValues"], reached["newValues"]) == changes(
            before[-1]["state"], state["state"]
        )
    return states


async def test_a_new_state_follows_the_latest_one(api: Api) -> None:
    session = str((await factories.session(api)).id)
    first = await set_state(api, sessionId=session, state={"items": {"tea": 1}, "paid": False})
    second = await set_state(
        api,
        sessionId=session,
        state={"paid": False, "items": {"tea": 2, "cup": 1}},
        triggerType="user_action",
        triggerId="click-7",
        transitionData={"button": "add"},
    )
    assert (first["version"], first["previousState"]) == (1, None)
    assert (second["version"], second["previousState"]) == (2, {"id": first["id"]})
    one, two = await read(api, moduleId={"eq": "cart"})
    assert one["state"] == {"items": {"tea": 1}, "paid": False}
    assert (one["isCurrent"], two["isCurrent"]) == (False, True)
    reached = {name: two["reachedBy"][name] for name in two["reachedBy"] if name not in {"id", "createdAt"}}
    assert reached == {
        "session": {"id": session},
        "triggerType": "user_action",
        "triggerId": "click-7",
        "transitionData": {"button": "add"},
        "previousValues": {"items": {"tea": 1}},
        "newValues": {"items": {"tea": 2, "cup": 1}},
    }


async def test_the_trigger_type_defaults_to_agent_decision(api: Api) -> None:
    for number in range(2):
        await set_state(api, state={"n": number})
    _, two = await read(api)
    assert (
        two["reachedBy"] | {"triggerType": "agent_decision", "triggerId": None, "transitionData": {}}
        == (two["reachedBy"])
    )


async def test_an_equal_state_is_a_new_row_with_the_same_hash(api: Api) -> None:
    one = await set_state(api, state={"a": 1, "b": [1.0]})
    two = await set_state(api, state={"b": [1], "a": 1.0})
    assert one["stateHash"] == two["stateHash"]
    assert [state["version"] for state in await read(api, stateHash={"eq": one["stateHash"]})] == [1, 2]
    [transition] = (await api.ask("{ stateTransitions { nodes { previousValues newValues } } }"))[
        "stateTransitions"
    ]["nodes"]
    assert transition == {"previousValues": {}, "newValues": {}}


async def test_each_module_in_each_session_has_its_own_chain(api: Api) -> None:
    one, two = [str((await factories.session(api)).id) for _ in range(2)]
    given = [
        {"moduleId": module, **({"sessionId": session} if session else {})}
        for session in (one, two, None)
        for module in ("cart", "plan")
    ]
    for _ in range(3):
        assert len({(await set_state(api, **each))["version"] for each in given}) == 1
    for session in (one, two):
        for module in ("cart", "plan"):
            states = await read(api, moduleId={"eq": module}, sessionId={"eq": session})
            assert len(states) == 3
    for module in ("cart", "plan"):
        assert len(await read(api, moduleId={"eq": module}, sessionId={"isNull": True})) == 3


async def test_each_project_has_its_own_chains(api: Api, other: Api) -> None:
    await set_state(api)
    assert (await set_state(other))["version"] == 1
    assert (await set_state(api))["version"] == 2


async def current(api: Api, session: str | None, **filter_: Any) -> list[tuple[Any, ...]]:
    """Return the current states within a session, or outside of sessions."""
    document, given = (OF_SESSION, {"id": session}) if session else (OUTSIDE, {})
    found = await api.ask(document, filter=filter_, **given)
    rows = found["session" if session else "project"]["currentModuleStates"]
    return [(row["moduleId"], row["version"], row["state"]) for row in rows]


@pytest.mark.parametrize("in_session", [True, False])
async def test_the_latest_unexpired_state_of_each_module_is_current(api: Api, *, in_session: bool) -> None:
    session = str((await factories.session(api)).id) if in_session else None
    where: dict[str, Any] = {"sessionId": session}
    assert await current(api, session) == []
    await set_state(api, **where, state={"n": 1})
    await set_state(api, **where, state={"n": 1}, moduleId="plan", expiresAt=FUTURE)
    assert await current(api, session) == [("plan", 1, {"n": 1}), ("cart", 1, {"n": 1})]
    await set_state(api, **where, state={"n": 2})
    assert await current(api, session) == [("cart", 2, {"n": 2}), ("plan", 1, {"n": 1})]
    assert await current(api, session, moduleId={"eq": "plan"}) == [("plan", 1, {"n": 1})]
    assert await current(api, session, state={"contains": {"n": 2}}) == [("cart", 2, {"n": 2})]
    # The filter selects among the current states, so an older state is not found.
    assert await current(api, session, version={"eq": 1}, moduleId={"eq": "cart"}) == []
    # Neither an expired state nor its predecessor is current.
    await set_state(api, **where, state={"n": 3}, expiresAt=PAST)
    assert await current(api, session) == [("plan", 1, {"n": 1})]
    assert (await set_state(api, **where, state={"n": 4}, expectedVersion=3))["isCurrent"]
    assert await current(api, session, moduleId={"eq": "cart"}) == [("cart", 4, {"n": 4})]
    states = await read(api, moduleId={"eq": "cart"})
    assert [state["isCurrent"] for state in states] == [False, False, False, True]


async def test_states_within_sessions_are_not_current_outside_of_them(api: Api) -> None:
    one, two = [str((await factories.session(api)).id) for _ in range(2)]
    await set_state(api, sessionId=one, state={"in": 1})
    await set_state(api, state={"in": 0})
    assert await current(api, one) == [("cart", 1, {"in": 1})]
    assert await current(api, two) == []
    assert await current(api, None) == [("cart", 1, {"in": 0})]


async def test_a_state_stops_being_current_when_it_expires(api: Api, owner: AsyncEngine) -> None:
    """Current states are determined on reading, so nothing has to run when a state expires."""
    id_ = (await set_state(api, expiresAt=FUTURE))["id"]
    asked = "query($id: ID!) { moduleState(id: $id) { isCurrent } project { currentModuleStates { id } } }"
    assert await api.ask(asked, id=id_) == {
        "moduleState": {"isCurrent": True},
        "project": {"currentModuleStates": [{"id": id_}]},
    }
    async with owner.begin() as connection:
        await connection.execute(
            text("UPDATE module_states SET expires_at = now() WHERE id = :id"), {"id": id_}
        )
    assert await api.ask(asked, id=id_) == {
        "moduleState": {"isCurrent": False},
        "project": {"currentModuleStates": []},
    }


async def test_a_snapshot_may_have_a_reason_and_a_reason_makes_a_snapshot(api: Api) -> None:
    plain = await set_state(api)
    assert (plain["isSnapshot"], plain["snapshotReason"]) == (False, None)
    cases: list[dict[str, Any]] = [{"isSnapshot": True}, {"snapshotReason": "Release"}]
    for given in (*cases, cases[0] | cases[1]):
        found = await set_state(api, **given)
        assert (found["isSnapshot"], found["snapshotReason"]) == (True, given.get("snapshotReason"))
    snapshots = await api.ask("{ moduleStates(filter: {isSnapshot: {eq: true}}) { totalCount } }")
    assert snapshots["moduleStates"]["totalCount"] == 3
    error = await api.error(
        SET, input={"moduleId": "cart", "state": {}, "isSnapshot": False, "snapshotReason": "x"}
    )
    assert error["extensions"] == {"code": "BAD_USER_INPUT", "field": "isSnapshot"}


@pytest.mark.parametrize("there", [0, 1, 3])
async def test_an_unexpected_version_conflicts(api: Api, there: int) -> None:
    for number in range(there):
        await set_state(api, state={"n": number}, expectedVersion=number)
    for expected in {0, 1, 2, 3, 4, 2**31 - 1} - {there}:
        error = await api.error(SET, input={"moduleId": "cart", "state": {}, "expectedVersion": expected})
        assert error["extensions"] == {"code": "CONFLICT", "field": "expectedVersion"}
        assert f"the current version is {there}, not {expected}" in error["message"]
    assert len(await read(api)) == there
    await set_state(api, expectedVersion=there)
    await set_state(api, expectedVersion=None)


async def test_states_of_one_write_follow_each_other(api: Api) -> None:
    session = str((await factories.session(api)).id)
    await set_state(api, state={"n": 0})
    states = [
        {"moduleId": "cart", "state": {"n": 1}, "expectedVersion": 1},
        {"moduleId": "cart", "state": {"n": 1}, "sessionId": session, "snapshotReason": "x"},
        {"moduleId": "cart", "state": {"n": 2, "m": {}}, "expectedVersion": 2, "triggerType": "scheduled"},
        {"moduleId": "plan", "state": {}, "expectedVersion": 0, "expiresAt": FUTURE, "triggerId": "t"},
    ]
    done = (await api.ask(SET_ALL, states=states))["setModuleStates"]
    assert done == [
        {"version": 2, "session": None, "previousState": {"version": 1}},
        {"version": 1, "session": {"id": session}, "previousState": None},
        {"version": 3, "session": None, "previousState": {"version": 2}},
        {"version": 1, "session": None, "previousState": None},
    ]
    found = await read(api, moduleId={"eq": "cart"}, sessionId={"isNull": True})
    assert [state["state"] for state in found] == [{"n": 0}, {"n": 1}, {"n": 2, "m": {}}]
    assert [state["reachedBy"] and state["reachedBy"]["triggerType"] for state in found] == [
        None,
        "agent_decision",
        "scheduled",
    ]


async def test_one_invalid_state_sets_none(api: Api) -> None:
    good = {"moduleId": "cart", "state": {}}
    for bad, code, field in (
        ({"expectedVersion": 7}, "CONFLICT", "states.1.expectedVersion"),
        ({"state": []}, "BAD_USER_INPUT", "states.1.state"),
        ({"moduleId": " "}, "BAD_USER_INPUT", "states.1.moduleId"),
        ({"triggerType": "x" * 256}, "BAD_USER_INPUT", "states.1.triggerType"),
        ({"triggerId": "x" * 256}, "BAD_USER_INPUT", "states.1.triggerId"),
        ({"triggerType": ""}, "BAD_USER_INPUT", "states.1.triggerType"),
        ({"transitionData": [1]}, "BAD_USER_INPUT", "states.1.transitionData"),
        ({"transitionData": None}, "BAD_USER_INPUT", "states.1.transitionData"),
        ({"sessionId": str(uuid4())}, "NOT_FOUND", "states.1.sessionId"),
    ):
        error = await api.error(SET_ALL, states=[good, good | bad])
        assert error["extensions"] == {"code": code, "field": field}
    for count in (0, module_states.MAX_STATES + 1):
        error = await api.error(SET_ALL, states=[good] * count)
        assert error["extensions"] == {"code": "BAD_USER_INPUT", "field": "states"}
    assert await read(api) == []


async def test_states_are_deleted_with_their_session(api: Api) -> None:
    session = str((await factories.session(api)).id)
    for _ in range(3):
        await set_state(api, sessionId=session)
        await set_state(api)
    await api.ask("mutation($id: ID!) { deleteSession(id: $id) { ids } }", id=session)
    left = await api.ask("{ moduleStates { totalCount } stateTransitions { totalCount } }")
    assert left == {"moduleStates": {"totalCount": 3}, "stateTransitions": {"totalCount": 2}}
    error = await api.error(SET, input={"moduleId": "cart", "state": {}, "sessionId": session})
    assert error["extensions"] == {"code": "NOT_FOUND", "field": "sessionId"}


async def test_a_session_lists_its_states_and_transitions_in_order(api: Api) -> None:
    session = str((await factories.session(api)).id)
    for number in range(4):
        await set_state(api, sessionId=session, moduleId="ab"[number % 2], state={"n": number})
    found = await api.ask(
        "query($id: ID!) { session(id: $id) { moduleStates { nodes { state } } stateTransitions(filter:"
        ' {newValues: {hasKey: "n"}}) { totalCount nodes { newValues } } } }',
        id=session,
    )
    assert [each["state"]["n"] for each in found["session"]["moduleStates"]["nodes"]] == [0, 1, 2, 3]
    assert found["session"]["stateTransitions"] == {
        "totalCount": 2,
        "nodes": [{"newValues": {"n": 2}}, {"newValues": {"n": 3}}],
    }
    selected = await api.ask(
        '{ sessions(filter: {moduleStates: {some: {moduleId: {eq: "a"}, nextStates: {none: {}}}}})'
        " { nodes { id } } }"
    )
    assert selected["sessions"]["nodes"] == [{"id": session}]


async def results_of(*writes: Any) -> list[Any]:
    """Run writes concurrently and return their results, including errors."""
    return list(await asyncio.gather(*writes, return_exceptions=True))


@pytest.mark.parametrize("in_session", [True, False])
async def test_twenty_concurrent_writers_make_one_chain(api: Api, *, in_session: bool) -> None:
    session = (await factories.session(api)).id if in_session else None
    made: Sequence[ModuleState] = await results_of(
        *(
            factories.module_state(api, session_id=session, state={"by": number, "all": {str(number): True}})
            for number in range(20)
        )
    )
    assert sorted(state.version for state in made) == list(range(1, 21))
    states = await read(api)
    assert {state["id"]: state["state"] for state in states} == {str(each.id): each.state for each in made}


async def test_concurrent_writers_of_overlapping_chains_neither_deadlock_nor_lose_states(api: Api) -> None:
    chance = random.Random(5)  # noqa: S311  # the same chains each time
    ids = [(await factories.session(api)).id for _ in range(2)]
    chains = [(session, module) for session in (*ids, None) for module in ("a", "b")]
    batches = [[chance.choice(chains) for _ in range(chance.randrange(1, 6))] for _ in range(30)]
    done = await results_of(
        *(
            api.run(
                module_states.set_all,
                states=[
                    {"session_id": session, "module_id": module, "state": {"batch": number, "place": place}}
                    for place, (session, module) in enumerate(batch)
                ],
            )
            for number, batch in enumerate(batches)
        )
    )
    assert [len(each) for each in done] == [len(batch) for batch in batches]
    for session, module in chains:
        of_session = {"isNull": True} if session is None else {"eq": str(session)}
        states = await read(api, moduleId={"eq": module}, sessionId=of_session)
        assert len(states) == sum(each == (session, module) for batch in batches for each in batch)
        # States of one write are consecutive and in order.
        for one, two in pairwise(states):
            if one["state"]["batch"] == two["state"]["batch"]:
                assert one["state"]["place"] < two["state"]["place"]
        runs = [each["state"]["batch"] for each in states]
        starts = runs[:1] + [after for before, after in pairwise(runs) if after != before]
        assert len(starts) == len(set(runs))


async def test_the_largest_write_takes_few_advisory_locks(api: Api) -> None:
    """PostgreSQL has memory for a few thousand locks, so a thousand per writer are too many."""
    states = [{"module_id": f"module {number}", "state": {}} for number in range(module_states.MAX_STATES)]
    async with api.database.write(api.project_id) as session:
        await module_states.set_all(UnitOfWork.within(session, api.project_id), states)
        held = await session.scalar(
            text("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()")
        )
    assert held is not None
    assert 1 < held <= module_states.LOCKS


@pytest.mark.parametrize("there", [0, 1, 5])
@pytest.mark.parametrize("writers", [2, 20])
async def test_one_of_the_writers_that_expect_the_same_version_wins(
    api: Api, there: int, writers: int
) -> None:
    for _ in range(there):
        await factories.module_state(api)
    done = await results_of(
        *(
            factories.module_state(api, state={"by": number}, expected_version=there)
            for number in range(writers)
        )
    )
    [winner] = [each for each in done if not isinstance(each, Exception)]
    lost = [each for each in done if isinstance(each, ConflictError)]
    assert len(lost) == writers - 1
    assert all(f"the current version is {there + 1}, not {there}" in each.message for each in lost)
    states = await read(api, moduleId={"eq": "module"})
    assert len(states) == there + 1
    assert states[-1]["state"] == winner.state


async def test_concurrent_increments_with_expected_versions_lose_none(api: Api) -> None:
    """Clients increment a value by reading, writing, and retrying after a conflict."""
    first_read = asyncio.Barrier(10)

    async def count() -> int:
        for tries in range(1, 1_000):
            found = await current(api, None)
            _, version, state = found[0] if found else (None, 0, {"n": 0})
            if tries == 1:
                await first_read.wait()
            try:
                await factories.module_state(api, state={"n": state["n"] + 1}, expected_version=version)
            except ConflictError:
                continue
            return tries
        raise AssertionError("every attempt conflicted")

    tries = await asyncio.gather(*(count() for _ in range(10)))
    assert tries.count(1) == 1, "all but one had read an outdated state"
    states = await read(api)
    assert [state["state"]["n"] for state in states] == list(range(1, 11))


async def test_states_set_while_their_session_is_deleted_do_not_remain(api: Api) -> None:
    for _ in range(5):
        session = (await factories.session(api)).id
        await factories.module_state(api, session_id=session)
        done = await results_of(
            *(factories.module_state(api, session_id=session) for _ in range(4)),
            api.run(sessions.delete, id_=session),
            *(factories.module_state(api, session_id=session) for _ in range(4)),
        )
        errors = [each for each in done if isinstance(each, Exception)]
        assert all(isinstance(each, NotFoundError) for each in errors), errors
        left = await api.ask("{ moduleStates { totalCount } stateTransitions { totalCount } }")
        assert left == {"moduleStates": {"totalCount": 0}, "stateTransitions": {"totalCount": 0}}


FORK = """
INSERT INTO module_states (project_id, id, module_id, version, state, state_hash, previous_state_id)
SELECT project_id, gen_random_uuid(), module_id, version + :ahead, state, '', previous_state_id
FROM module_states WHERE version = :version
"""


@pytest.mark.parametrize(
    ("statement", "constraint"),
    [
        (
            FORK.replace(":ahead", "1").replace(":version", "2"),
            "module_states_project_id_previous_state_id_key",
        ),
        (
            FORK.replace(":ahead", "0").replace(":version", "1"),
            "module_states_project_id_session_id_module_id_version_key",
        ),
        (
            "UPDATE module_states SET previous_state_id = NULL WHERE true",
            "module_states_previous_state_id_check",
        ),
        ("UPDATE module_states SET state = '[]' WHERE true", "module_states_state_check"),
        ("UPDATE module_states SET snapshot_reason = 'x' WHERE true", "module_states_snapshot_reason_check"),
        ("DELETE FROM module_states WHERE version = 1", "module_states_previous_state_"),
    ],
)
async def test_the_database_keeps_chains_from_forking(
    api: Api, owner: AsyncEngine, statement: str, constraint: str
) -> None:
    for _ in range(2):
        await factories.module_state(api)
    async with owner.connect() as connection:
        with pytest.raises(Exception, match=f'"{constraint}') as refused:
            await connection.execute(text(f"{statement} AND project_id = :mine"), {"mine": api.project_id})
        await connection.rollback()
    assert "IntegrityError" in type(refused.value).__name__


@pytest.mark.parametrize("table", ["module_states", "state_transitions"])
@pytest.mark.parametrize("privilege", ["UPDATE", "DELETE", "TRUNCATE"])
async def test_the_request_role_cannot_change_states_or_transitions(
    owner: AsyncEngine, table: str, privilege: str
) -> None:
    async with owner.connect() as connection:
        may = await connection.scalar(
            text("SELECT has_table_privilege('agentdata_app', :table, :privilege)"),
            {"table": table, "privilege": privilege},
        )
    assert may is False


async def test_states_of_one_write_have_the_same_time_and_later_states_a_later_time(api: Api) -> None:
    before = datetime.now(UTC) - timedelta(minutes=1)
    one, two = await api.run(module_states.set_all, states=[{"module_id": "cart", "state": {}}] * 2)
    three = await factories.module_state(api, module_id="cart")
    assert before < one.created_at == two.created_at < three.created_at
