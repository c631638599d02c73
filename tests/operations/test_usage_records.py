"""Usage is added to its session's totals exactly once, also with concurrent writers."""

from __future__ import annotations

import asyncio
import random
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import text

from agentdata.errors import NotFoundError
from agentdata.operations import messages, sessions, usage_records
from tests import factories
from tests.api import traffic
from tests.factories import said, used
from tests.writes import stored, untrue

if TYPE_CHECKING:
    from uuid import UUID

    from sqlalchemy.ext.asyncio import AsyncEngine

    from tests.api import Api

RECORD = """
mutation($records: [RecordUsageInput!]!) {
  recordUsage(records: $records) {
    id model promptTokens completionTokens costUsd timestamp createdAt agent { id } session { costUsd }
  }
}
"""
SESSION = """
query($id: ID!) {
  session(id: $id) {
    promptTokens completionTokens costUsd lastActivityAt statistics { promptTokens costUsd }
    usage { totalCount nodes { id model } }
  }
}
"""
DELETE = "mutation($id: ID!) { deleteUsageRecord(id: $id) { ids } }"
COST = "mutation($id: ID!, $cost: Float) { updateSession(id: $id, input: {costUsd: $cost}) { costUsd } }"


async def session_of(api: Api, id_: object) -> dict[str, Any]:
    """Read a session."""
    session: dict[str, Any] = (await api.ask(SESSION, id=str(id_)))["session"]
    return session


async def totals(api: Api, id_: object) -> tuple[int, int, float | None]:
    """Return the totals of a session."""
    session = await session_of(api, id_)
    return session["promptTokens"], session["completionTokens"], session["costUsd"]


async def sessions_with_wrong_cost(owner: AsyncEngine, api: Api) -> list[Any]:
    """Return the sessions whose cost is not exactly the sum of their usage; no client may have set it."""
    unequal = """
        SELECT s.id, s.cost_usd, used.cost FROM sessions s LEFT JOIN (
          SELECT session_id, sum(cost_usd) AS cost FROM usage_records
          WHERE project_id = :id GROUP BY session_id
        ) AS used ON used.session_id = s.id
        WHERE s.project_id = :id AND coalesce(s.cost_usd, 0) <> coalesce(used.cost, 0)"""
    async with owner.connect() as connection:
        return list((await connection.execute(text(unequal), {"id": api.project_id})).all())


async def test_totals_include_messages_and_usage(api: Api, owner: AsyncEngine) -> None:
    session = await factories.session(api)
    await factories.say(api, session.id, said(prompt_tokens=5, completion_tokens=1))
    assert await totals(api, session.id) == (5, 1, None)
    await factories.usage(api, used(session.id, prompt_tokens=10))
    assert await totals(api, session.id) == (15, 1, None)
    two = [used(session.id, completion_tokens=7, cost_usd=0.25), used(session.id, cost_usd=0.5)]
    await factories.usage(api, *two)
    assert await totals(api, session.id) == (15, 8, 0.75)
    found = await session_of(api, session.id)
    assert found["statistics"] == {"promptTokens": 15, "costUsd": 0.75}
    assert found["usage"]["totalCount"] == 3
    assert await untrue(owner, api) == []


async def test_usage_of_several_sessions_can_be_recorded_in_one_write(api: Api, owner: AsyncEngine) -> None:
    made = await factories.many_sessions(api, [{} for _ in range(50)])
    given = [
        {"sessionId": str(session.id), "model": f"{n}", "promptTokens": n, "costUsd": 0.1}
        for n in range(3)
        for session in made
    ]
    written = (await api.ask(RECORD, records=given))["recordUsage"]
    assert [each["model"] for each in written] == [each["model"] for each in given]
    # All three records of a session return its totals after the write.
    assert {each["session"]["costUsd"] for each in written} == {0.3}
    assert await totals(api, made[7].id) == (3, 0, 0.3)
    assert await untrue(owner, api) == []
    assert await sessions_with_wrong_cost(owner, api) == []


async def test_one_record_needs_no_list(api: Api) -> None:
    session = await factories.session(api)
    document = (
        'mutation($id: ID!) { recordUsage(records: {sessionId: $id, model: "small", promptTokens: 3}) {'
        " model promptTokens completionTokens cachedTokens costUsd } }"
    )
    assert (await api.ask(document, id=str(session.id)))["recordUsage"] == [
        {"model": "small", "promptTokens": 3, "completionTokens": 0, "cachedTokens": None, "costUsd": None}
    ]


async def test_the_agent_defaults_to_the_agent_of_the_session(api: Api) -> None:
    agent, other = await factories.agent(api), await factories.agent(api)
    session, without = await factories.session(api, agent_id=agent.id), await factories.session(api)
    given = [
        {"sessionId": str(session.id), "model": "a"},
        {"sessionId": str(session.id), "model": "a", "agentId": str(other.id)},
        {"sessionId": str(session.id), "model": "a", "agentId": None},
        {"sessionId": str(without.id), "model": "a"},
    ]
    written = (await api.ask(RECORD, records=given))["recordUsage"]
    agents = [each["agent"] and each["agent"]["id"] for each in written]
    assert agents == [str(agent.id), str(other.id), None, None]
    await api.ask("mutation($id: ID!) { deleteAgent(id: $id) { ids } }", id=str(other.id))
    data = await api.ask("{ usageRecords(filter: {agentId: {isNull: true}}) { totalCount } }")
    assert data["usageRecords"]["totalCount"] == 3


async def test_the_last_activity_is_the_latest_use(api: Api) -> None:
    session = await factories.session(
        api,
        status="COMPLETED",
        started_at=datetime(2020, 1, 1, tzinfo=UTC),
        ended_at=datetime(2020, 1, 1, tzinfo=UTC),
    )
    for year, last in ((2019, 2020), (2022, 2022), (2021, 2022)):
        await factories.usage(api, used(session.id, timestamp=datetime(year, 1, 1, tzinfo=UTC)))
        assert (await session_of(api, session.id))["lastActivityAt"] == f"{last}-01-01T00:00:00Z"
    [now] = await factories.usage(api, used(session.id))
    # The clock is read twice.
    assert timedelta(0) <= now.created_at - now.timestamp < timedelta(seconds=1)
    last_activity = (await session_of(api, session.id))["lastActivityAt"]
    assert datetime.fromisoformat(last_activity) == now.timestamp


async def test_a_cost_set_by_a_client_replaces_the_recorded_total(api: Api) -> None:
    session = await factories.session(api, cost_usd=1.0)
    [first] = await factories.usage(api, used(session.id, cost_usd=0.5))
    assert (await totals(api, session.id))[2] == 1.5
    assert (await api.ask(COST, id=str(session.id), cost=0.25))["updateSession"] == {"costUsd": 0.25}
    [second] = await factories.usage(api, used(session.id, cost_usd=0.125))
    assert (await totals(api, session.id))[2] == 0.375
    # Subtracting more than the cost leaves 0.
    for record, left in ((second, 0.25), (first, 0)):
        await api.ask(DELETE, id=str(record.id))
        assert (await totals(api, session.id))[2] == left
    [third] = await factories.usage(api, used(session.id, cost_usd=2))
    await api.ask(COST, id=str(session.id), cost=None)
    await api.ask(DELETE, id=str(third.id))
    assert (await totals(api, session.id))[2] is None


async def test_a_deleted_record_is_subtracted_once(api: Api, owner: AsyncEngine) -> None:
    session = await factories.session(api)
    made = await factories.usage(
        api,
        *[used(session.id, prompt_tokens=n, completion_tokens=1, cost_usd=0.000000001) for n in range(1, 21)],
    )
    results = await asyncio.gather(
        *(api.run(usage_records.delete, id_=made[n % 10].id) for n in range(30)), return_exceptions=True
    )
    assert sum(isinstance(each, list) for each in results) == 10
    assert all(isinstance(each, list | NotFoundError) for each in results), results
    assert await totals(api, session.id) == (sum(range(11, 21)), 10, 0.00000001)
    assert await untrue(owner, api) == []
    assert await sessions_with_wrong_cost(owner, api) == []
    error = await api.error(DELETE, id=str(made[0].id))
    assert error["extensions"] == {"code": "NOT_FOUND", "field": "id"}


async def test_costs_are_added_exactly(api: Api, owner: AsyncEngine) -> None:
    chance = random.Random(3)  # noqa: S311 - the same costs in each run
    session = await factories.session(api)
    costs = [chance.random() * 10 ** chance.randrange(-12, 4) for _ in range(2_000)]
    await factories.usage(api, *[used(session.id, cost_usd=cost) for cost in costs])
    assert await sessions_with_wrong_cost(owner, api) == []
    async with owner.connect() as connection:
        found = await connection.execute(
            text("SELECT cost_usd FROM sessions WHERE id = :id"), {"id": session.id}
        )
        assert Fraction(found.scalar_one()) == sum(Fraction(repr(cost)) for cost in costs)


@pytest.mark.parametrize("costs", [[999_999_999, 0.5], [999_999_999, 999_999_999]])
@pytest.mark.parametrize("count", [1, 2])
async def test_a_session_cost_above_the_limit_is_refused(
    api: Api, owner: AsyncEngine, costs: list[float], count: int
) -> None:
    made = await factories.many_sessions(api, [{} for _ in range(count)])
    before = await stored(owner, api)
    given = [
        {"sessionId": str(session.id), "model": "a", "costUsd": cost} for session in made for cost in costs
    ]
    error = await api.error(RECORD, records=given)
    assert error["extensions"] == {"code": "LIMIT_EXCEEDED", "field": "records"}
    assert await stored(owner, api) == before


@pytest.mark.parametrize(
    "bad",
    [
        {"model": ""},
        {"promptTokens": -1},
        {"promptTokens": None},
        {"costUsd": -0.1},
        {"costUsd": 1e9},
        {"cachedTokens": -1},
        {"runId": "x" * 256},
    ],
)
async def test_one_invalid_record_records_none(api: Api, owner: AsyncEngine, bad: dict[str, Any]) -> None:
    session = await factories.session(api)
    before = await stored(owner, api)
    good = {"sessionId": str(session.id), "model": "a", "promptTokens": 1}
    error = await api.error(RECORD, records=[good, good | bad])
    [field] = bad
    assert error["extensions"] == {"code": "BAD_USER_INPUT", "field": f"records.1.{field}"}
    assert await stored(owner, api) == before


@pytest.mark.parametrize("beside", [True, False])
async def test_a_session_or_agent_of_another_project_is_not_found(
    api: Api, other: Api, owner: AsyncEngine, *, beside: bool
) -> None:
    mine, theirs = await factories.session(api), await factories.session(other)
    agent = await factories.agent(other)
    before = (await stored(owner, api), await stored(owner, other))
    good = {"sessionId": str(mine.id), "model": "a", "promptTokens": 1}
    for bad in ({"sessionId": str(theirs.id)}, {"agentId": str(agent.id)}):
        error = await api.error(RECORD, records=[*([good] if beside else []), good | bad])
        [field] = bad
        assert error["extensions"] == {"code": "NOT_FOUND", "field": f"records.{int(beside)}.{field}"}
    assert (await stored(owner, api), await stored(owner, other)) == before


async def test_usage_of_one_session_takes_one_statement(api: Api, owner: AsyncEngine) -> None:
    one, two = await factories.session(api), await factories.session(api)
    with traffic(api.database) as seen:
        await factories.usage(api, *[used(one.id, prompt_tokens=2**31 - 1) for _ in range(10_000)])
    assert len(seen.statements) == 1
    assert not any(each.startswith("BEGIN") for each in seen.transactions)
    with traffic(api.database) as seen:
        await factories.usage(api, *[used(each.id) for each in (one, two) * 100])
    assert len(seen.statements) == 2
    assert (await totals(api, one.id))[0] == 10_000 * (2**31 - 1)
    assert await untrue(owner, api) == []


async def test_totals_are_right_after_concurrent_writes(api: Api, owner: AsyncEngine) -> None:
    chance = random.Random(5)  # noqa: S311 - the same actions in each run
    made = await factories.many_sessions(api, [{} for _ in range(6)])
    there: list[UUID] = []
    said_: list[UUID] = []

    async def act(number: int) -> None:
        kind = number % 5
        if kind < 2 or not there:
            # In random order, so that two writers may name the same sessions in opposite orders.
            given = [
                used(
                    chance.choice(made).id,
                    prompt_tokens=number,
                    completion_tokens=kind,
                    cost_usd=chance.choice([None, 0.000000001, 0.1, 7]),
                )
                for _ in range(chance.choice([1, 2, 12]))
            ]
            there.extend(record.id for record in await factories.usage(api, *given))
        elif kind == 2:
            await api.run(usage_records.delete, id_=there.pop(chance.randrange(len(there))))
        elif kind == 3 or not said_:
            [message] = await factories.say(api, chance.choice(made).id, said(prompt_tokens=number))
            said_.append(message.id)
        else:
            await api.run(messages.update, id_=chance.choice(said_), values={"prompt_tokens": number})

    for _ in range(5):
        results = await asyncio.gather(*map(act, range(25)), return_exceptions=True)
        assert all(each is None for each in results), results
        assert await untrue(owner, api) == []
        assert await sessions_with_wrong_cost(owner, api) == []


async def test_usage_with_an_idempotency_key_is_added_once(api: Api, owner: AsyncEngine) -> None:
    session = await factories.session(api)
    document = RECORD.replace("records: $records", 'records: $records, idempotencyKey: "k"')
    given = [{"sessionId": str(session.id), "model": "a", "promptTokens": 5, "costUsd": 0.5}] * 2
    answers = await asyncio.gather(*(api.ask(document, records=given) for _ in range(20)))
    assert all(answer == answers[0] for answer in answers)
    assert await totals(api, session.id) == (10, 0, 1)
    assert await untrue(owner, api) == []


async def test_usage_recorded_while_its_session_is_deleted_does_not_remain(
    api: Api, owner: AsyncEngine
) -> None:
    one, two = await factories.session(api), await factories.session(api)
    made = await factories.usage(api, used(one.id), used(one.id))
    results = await asyncio.gather(
        *(factories.usage(api, used(one.id, prompt_tokens=1)) for _ in range(5)),
        *(api.run(usage_records.delete, id_=record.id) for record in made),
        api.run(sessions.delete, id_=one.id),
        *(factories.usage(api, used(two.id, prompt_tokens=1), used(one.id)) for _ in range(5)),
        return_exceptions=True,
    )
    assert all(isinstance(each, list | NotFoundError) for each in results), results
    async with owner.connect() as connection:
        count = "SELECT count(*) FROM usage_records WHERE session_id = :id"
        assert (await connection.execute(text(count), {"id": one.id})).scalar_one() == 0
    # A write that names the deleted session records nothing for the other one either.
    assert await untrue(owner, api) == []


@pytest.mark.parametrize(
    ("cost", "number", "sum_"),
    [
        (1.25e-8, 1000, 1.25e-5),
        (4e-10, 1000, 4e-7),
        (5e-324, 3, 1.5e-323),
        (0.00034500000000000004, 3, 0.00103500000000000012),
    ],
)
async def test_tiny_costs_are_returned_and_summed_exactly(
    api: Api, cost: float, number: int, sum_: float
) -> None:
    parent = await factories.session(api)
    session = await factories.session(api, parent_id=parent.id)
    records = [{"sessionId": str(session.id), "model": "small", "costUsd": cost}] * number
    made = (await api.ask(RECORD, records=records))["recordUsage"]
    assert {(record["costUsd"], record["session"]["costUsd"]) for record in made} == {(cost, sum_)}
    document = """query ($id: ID!) {
        session(id: $id) {
            costUsd usage(first: 1) { nodes { costUsd } } tree { costUsd }
            statistics { costUsd models { costUsd } }
            series(metric: COST, from: "2020-01-01T00:00:00Z", to: "2100-01-01T00:00:00Z", interval: MONTH) {
                count sum mean min max p50
            }
        }
        parent: session(id: PARENT) { tree { costUsd } }
        project { statistics { costUsd } }
        topModels { nodes { costUsd } }
    } """.replace("PARENT", f'"{parent.id}"')
    data = await api.ask(document, id=str(session.id))
    [bucket] = [bucket for bucket in data["session"].pop("series") if bucket["count"]]
    assert bucket == {"count": number, "sum": sum_} | dict.fromkeys(("mean", "min", "max", "p50"), cost)
    assert data == {
        "session": {
            "costUsd": sum_,
            "usage": {"nodes": [{"costUsd": cost}]},
            "tree": {"costUsd": sum_},
            "statistics": {"costUsd": sum_, "models": [{"costUsd": sum_}]},
        },
        "parent": {"tree": {"costUsd": sum_}},
        "project": {"statistics": {"costUsd": sum_}},
        "topModels": {"nodes": [{"costUsd": sum_}]},
    }
    [*_, last] = made
    await api.ask(DELETE, id=last["id"])
    left = (await session_of(api, session.id))["costUsd"]
    assert left == float((number - 1) * Decimal(repr(cost)))


@pytest.mark.parametrize("cost", [0.1, 1.25e-8, 33.333333333333336, 5e-324, 99_999_999.0, 0.0, None])
async def test_a_cost_set_by_a_client_is_returned_exactly(api: Api, cost: float | None) -> None:
    session = await factories.session(api, cost_usd=cost)
    assert (await session_of(api, session.id))["costUsd"] == cost
    other = await factories.session(api)
    assert await api.ask(COST, id=str(other.id), cost=cost) == {"updateSession": {"costUsd": cost}}
    assert (await session_of(api, other.id))["costUsd"] == cost
    # Both stored costs are exactly equal, so the sessions stay in the order of their ids.
    await factories.usage(api, *[used(each.id, cost_usd=1e-300) for each in (session, other)])
    found = await api.ask("{ sessions(orderBy: [{field: COST_USD, direction: ASC}]) { nodes { id } } }")
    assert [node["id"] for node in found["sessions"]["nodes"]] == [str(session.id), str(other.id)]
