"""Claims enqueue one job for each tick of a schedule, whoever claims, and one for all missed ticks."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import text

from agentdata.operations import jobs
from tests import factories
from tests.operations.test_jobs import claim, shift

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

    from tests.api import Api

SCHEDULE = """
  id name cron timeZone isActive jobName data priority maxAttempts backoff backoffMs nextRunAt lastRunAt
  queue { name }
"""
PUT = f"mutation($input: PutScheduleInput!) {{ schedule: putSchedule(input: $input) {{ {SCHEDULE} }} }}"


async def put(api: Api, **values: Any) -> Any:
    """Put a schedule."""
    given = {"name": "nightly", "queue": "mail", "cron": "0 3 * * *", **values}
    return (await api.ask(PUT, input=given))["schedule"]


async def find(api: Api) -> Any:
    """Return the schedule."""
    return (await api.ask(f'{{ schedule(name: "nightly") {{ {SCHEDULE} jobs {{ totalCount }} }} }}'))[
        "schedule"
    ]


async def test_a_schedule_is_added_with_its_defaults_and_its_next_time(api: Api) -> None:
    made = await put(api, timeZone="Europe/Berlin")
    assert made == {
        "id": made["id"], "name": "nightly", "cron": "0 3 * * *", "timeZone": "Europe/Berlin",
        "isActive": True, "jobName": None, "data": {}, "priority": 0, "maxAttempts": 5,
        "backoff": "EXPONENTIAL", "backoffMs": 1000, "nextRunAt": made["nextRunAt"], "lastRunAt": None,
        "queue": {"name": "mail"},
    }  # fmt: skip
    next_run_at = datetime.fromisoformat(made["nextRunAt"])
    assert timedelta() < next_run_at - datetime.now(UTC) <= timedelta(days=1, hours=1)
    assert next_run_at.hour in {1, 2}


async def test_putting_a_schedule_again_changes_it_and_keeps_its_next_time(
    api: Api, owner: AsyncEngine
) -> None:
    made = await put(api, data={"a": 1})
    await shift(owner, api, hours=-48)
    late = (await find(api))["nextRunAt"]
    again = await put(api, priority=3, queue="sync")
    assert again == made | {"priority": 3, "queue": {"name": "sync"}, "nextRunAt": late}
    moved = await put(api, cron="30 3 * * *", queue="sync")
    assert moved["nextRunAt"] > made["nextRunAt"]
    stopped = await put(api, cron="30 3 * * *", isActive=False)
    assert (stopped["isActive"], stopped["nextRunAt"]) == (False, None)
    assert (await put(api, cron="30 3 * * *", isActive=True))["nextRunAt"] == moved["nextRunAt"]
    assert (await api.ask("{ schedules { totalCount } }"))["schedules"]["totalCount"] == 1


async def test_a_claim_enqueues_the_job_of_a_schedule_that_is_due(api: Api, owner: AsyncEngine) -> None:
    same = {"data": {"b": 1, "a": 2}, "priority": 2, "maxAttempts": 7, "backoff": "FIXED", "backoffMs": 5}
    made = await put(api, **same)
    assert await claim(api) == []
    # Two days later two ticks were missed, or three.
    await shift(owner, api, hours=-49)
    due = (await find(api))["nextRunAt"]
    [job] = await claim(api, limit=5)
    expected = {**same, "name": "nightly", "runAt": due, "schedule": {"name": "nightly"}}
    assert {name: job[name] for name in expected} == expected
    after = await find(api)
    assert (after["nextRunAt"], after["lastRunAt"]) == (made["nextRunAt"], due)
    assert after["jobs"] == {"totalCount": 1}
    assert await claim(api) == []


async def test_many_workers_enqueue_one_job_for_a_tick(api: Api, owner: AsyncEngine) -> None:
    await put(api, jobName="sync")
    for round_ in range(1, 4):
        await shift(owner, api)
        claimed = await asyncio.gather(
            *[
                api.run(jobs.claim, queue="mail", worker=f"w-{number}", lease_ms=86_400_000)
                for number in range(20)
            ]
        )
        # A worker that found the schedule in the hands of another one claims what is there.
        claimed.append(await api.run(jobs.claim, queue="mail", worker="w", lease_ms=86_400_000))
        assert (await find(api))["jobs"] == {"totalCount": round_}
        assert {job.name for found in claimed for job in found} == {"sync"}
        async with owner.begin() as connection:
            await connection.execute(
                text("UPDATE jobs SET lease_expires_at = '2900-01-01Z' WHERE project_id = :id"),
                {"id": api.project_id},
            )


async def test_a_schedule_that_is_not_active_or_of_a_paused_queue_enqueues_nothing(
    api: Api, owner: AsyncEngine
) -> None:
    await put(api)
    await factories.schedule(api, is_active=False)
    await api.ask('mutation { pauseQueue(name: "mail") { id } }')
    await shift(owner, api, hours=-48)
    assert await claim(api) == []
    assert (await find(api))["jobs"] == {"totalCount": 0}
    await api.ask('mutation { resumeQueue(name: "mail") { id } }')
    assert [job["name"] for job in await claim(api, limit=9)] == ["nightly"]


async def test_the_jobs_of_a_deleted_schedule_stay(api: Api, owner: AsyncEngine) -> None:
    made = await put(api)
    await shift(owner, api, hours=-48)
    [job] = await claim(api)
    await api.ask("mutation($id: ID!) { deleteSchedule(id: $id) { ids } }", id=made["id"])
    found = (await api.ask("query($id: ID!) { job(id: $id) { state schedule { id } } }", id=job["id"]))["job"]
    assert found == {"state": "ACTIVE", "schedule": None}


async def test_writers_of_the_same_new_schedule_get_one(api: Api) -> None:
    made = await asyncio.gather(*[factories.schedule(api, name="one", queue=f"q-{n % 3}") for n in range(9)])
    assert len({schedule.id for schedule in made}) == 1


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"cron": "every day"}, "cron"),
        ({"cron": "every day", "isActive": False}, "cron"),
        ({"timeZone": "Mars"}, "timeZone"),
        ({"timeZone": None}, "timeZone"),
        ({"name": " "}, "name"),
        ({"queue": ""}, "queue"),
        ({"data": 1}, "data"),
        ({"maxAttempts": 1_001}, "maxAttempts"),
    ],
)
async def test_wrong_values_are_named(api: Api, values: dict[str, Any], field: str) -> None:
    error = await api.error(PUT, input={"name": "nightly", "queue": "mail", "cron": "0 3 * * *", **values})
    assert error["extensions"] == {"code": "BAD_USER_INPUT", "field": field}


async def test_a_schedule_whose_time_zone_was_removed_stops_and_holds_up_nothing(
    api: Api, owner: AsyncEngine
) -> None:
    await put(api)
    await shift(owner, api, hours=-48)
    async with owner.begin() as connection:
        await connection.execute(
            text("UPDATE schedules SET time_zone = 'Old/Zone' WHERE project_id = :id"), {"id": api.project_id}
        )
    assert len(await claim(api, limit=5)) == 1
    assert (await find(api))["nextRunAt"] is None
