"""Workers claim jobs, one worker a job, hold them under leases, and settle them; nothing is lost."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from sqlalchemy import text

from agentdata.operations import deletion, jobs, knowledge_syncs, queues
from models.enums import JobState
from tests import factories
from tests.api import traffic
from tests.models.test_indexes import nodes

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

    from tests.api import Api

JOB = """
  id name state data result error attempts maxAttempts priority runAt backoff backoffMs progress worker lease
  leaseExpiresAt startedAt finishedAt queue { name } schedule { name }
"""
ENQUEUE = f"mutation($input: EnqueueJobInput!) {{ job: enqueueJob(input: $input) {{ {JOB} }} }}"
CLAIM = f"""
mutation($queue: String! = "mail", $worker: String! = "w-1", $leaseMs: Int! = 60000, $limit: Int! = 1) {{
  jobs: claimJobs(queue: $queue, worker: $worker, leaseMs: $leaseMs, limit: $limit) {{ {JOB} }}
}}
"""
COMPLETE = f"""
mutation($id: ID!, $lease: ID!, $result: JSON) {{
  job: completeJob(id: $id, lease: $lease, result: $result) {{ {JOB} }}
}}
"""
FAIL = f"""
mutation($id: ID!, $lease: ID!, $error: String! = "no", $retry: Boolean! = true) {{
  job: failJob(id: $id, lease: $lease, error: $error, retry: $retry) {{ {JOB} }}
}}
"""
EXTEND = f"""
mutation($id: ID!, $lease: ID!, $leaseMs: Int! = 120000, $progress: Float) {{
  job: extendJob(id: $id, lease: $lease, leaseMs: $leaseMs, progress: $progress) {{ {JOB} }}
}}
"""
COUNTS = """
query($name: String! = "mail") {
  queue(name: $name) {
    isPaused oldestWaitingAt counts { waiting delayed active completed failed cancelled }
  }
}
"""
IN_STATE = """
query($name: String!, $state: JobState!) {
  jobs(filter: {queue: {name: {eq: $name}}, state: {eq: $state}}) { totalCount nodes { state } }
}
"""
STATES = [state.value for state in JobState]


async def enqueue(api: Api, **values: Any) -> Any:
    """Enqueue a job."""
    return (await api.ask(ENQUEUE, input={"queue": "mail", **values}))["job"]


async def claim(api: Api, **values: Any) -> Any:
    """Claim jobs."""
    return (await api.ask(CLAIM, **values))["jobs"]


async def held(api: Api, **values: Any) -> Any:
    """Enqueue a job and claim it."""
    await enqueue(api, **values)
    [job] = await claim(api)
    return job


async def counts(api: Api, name: str = "mail") -> dict[str, int]:
    """Return the counts of a queue that are not 0, and check that filters find as many jobs in each state."""
    found = (await api.ask(COUNTS, name=name))["queue"]["counts"]
    for state in STATES:
        listed = (await api.ask(IN_STATE, name=name, state=state))["jobs"]
        assert listed["totalCount"] == found[state.lower()]
        assert {job["state"] for job in listed["nodes"]} == {state} - {
            None if listed["totalCount"] else state
        }
    return {state: count for state, count in found.items() if count}


async def shift(owner: AsyncEngine, api: Api, hours: int = -24) -> None:
    """Let time pass for the jobs and schedules of a project, by moving all of their times."""
    times = {
        "jobs": ["run_at", "lease_expires_at", "started_at", "finished_at"],
        "schedules": ["next_run_at", "last_run_at"],
    }
    async with owner.begin() as connection:
        for table, columns in times.items():
            moved = ", ".join(f"{column} = {column} + interval '{hours} hours'" for column in columns)
            await connection.execute(
                text(f"UPDATE {table} SET {moved} WHERE project_id = :id"),  # noqa: S608  # our tables
                {"id": api.project_id},
            )


async def test_a_job_is_enqueued_with_its_defaults(api: Api) -> None:
    job = await enqueue(api, name="send", data={"b": 1, "a": [None]})
    assert job == {
        "id": job["id"], "name": "send", "state": "WAITING", "data": {"b": 1, "a": [None]}, "result": None,
        "error": None, "attempts": 0, "maxAttempts": 5, "priority": 0, "runAt": job["runAt"],
        "backoff": "EXPONENTIAL", "backoffMs": 1000, "progress": None, "worker": None, "lease": None,
        "leaseExpiresAt": None, "startedAt": None, "finishedAt": None, "queue": {"name": "mail"},
        "schedule": None,
    }  # fmt: skip
    assert await counts(api) == {"waiting": 1}


async def test_a_claimed_job_is_held_and_completed(api: Api) -> None:
    made = await enqueue(api)
    [job] = await claim(api)
    assert (job["id"], job["state"], job["worker"], job["attempts"]) == (made["id"], "ACTIVE", "w-1", 1)
    assert job["lease"]
    assert job["leaseExpiresAt"] > job["startedAt"]
    assert await claim(api, worker="w-2") == []
    assert await counts(api) == {"active": 1}
    done = (await api.ask(COMPLETE, id=job["id"], lease=job["lease"], result=[1, None]))["job"]
    assert (done["state"], done["result"], done["lease"], done["worker"]) == (
        "COMPLETED",
        [1, None],
        None,
        "w-1",
    )
    assert done["finishedAt"] >= done["startedAt"]
    assert await claim(api) == []
    assert await counts(api) == {"completed": 1}


async def test_jobs_are_claimed_by_priority_and_then_by_time(api: Api) -> None:
    for name, priority, hour in (("d", 0, 3), ("b", 5, 2), ("c", 0, 1), ("a", 5, 1)):
        await enqueue(api, name=name, priority=priority, runAt=f"2026-01-01T0{hour}:00:00Z")
    await enqueue(api, name="other", queue="sync", priority=9)
    assert [job["name"] for job in await claim(api, limit=3)] == ["a", "b", "c"]
    assert [job["name"] for job in await claim(api, limit=3)] == ["d"]


async def test_a_claim_of_a_queue_that_does_not_exist_is_empty(api: Api) -> None:
    assert await claim(api) == []
    assert (await api.ask("{ queues { totalCount } }"))["queues"]["totalCount"] == 0


async def test_a_delayed_job_waits_once_it_is_due_without_any_write(api: Api, owner: AsyncEngine) -> None:
    job = await enqueue(api, runAt="2900-01-01T00:00:00Z")
    assert job["state"] == "DELAYED"
    assert await claim(api) == []
    assert await counts(api) == {"delayed": 1}
    async with owner.begin() as connection:
        await connection.execute(text("UPDATE jobs SET run_at = now() WHERE id = :id"), {"id": job["id"]})
    assert await counts(api) == {"waiting": 1}
    # It comes due before others of a lower priority are claimed.
    await enqueue(api, priority=-1)
    [claimed] = await claim(api)
    assert claimed["id"] == job["id"]


async def test_a_lease_that_ran_out_returns_the_job_to_the_next_worker(api: Api, owner: AsyncEngine) -> None:
    job = await held(api)
    await shift(owner, api)
    assert await counts(api) == {"waiting": 1}
    [again] = await claim(api, worker="w-2")
    assert (again["id"], again["attempts"], again["worker"]) == (job["id"], 2, "w-2")
    assert again["error"] == "the lease of the worker w-1 ran out before it settled the job"
    for document in (COMPLETE, FAIL, EXTEND):
        error = await api.error(document, id=job["id"], lease=job["lease"])
        assert error["extensions"] == {"code": "CONFLICT", "field": "lease"}
        assert error["message"] == (
            f"the lease of the job {job['id']} ran out, and the worker w-2 holds the job now; leave the job"
            " to it"
        )
    assert await counts(api) == {"active": 1}


async def test_a_worker_that_is_late_settles_a_job_that_nobody_else_took(
    api: Api, owner: AsyncEngine
) -> None:
    job = await held(api)
    await shift(owner, api)
    done = await api.ask(COMPLETE, id=job["id"], lease=job["lease"])
    assert done["job"]["state"] == "COMPLETED"


async def test_a_lease_that_ran_out_ends_the_last_attempt(api: Api, owner: AsyncEngine) -> None:
    job = await held(api, maxAttempts=1)
    await shift(owner, api)
    assert await counts(api) == {"failed": 1}
    assert await claim(api) == []
    assert await counts(api) == {"failed": 1}
    found = (await api.ask("query($id: ID!) { job(id: $id) { error finishedAt lease } }", id=job["id"]))[
        "job"
    ]
    assert "ran out" in found["error"]
    assert found["finishedAt"]
    assert found["lease"] is None


async def test_a_lease_is_extended(api: Api) -> None:
    job = await held(api)
    later = (await api.ask(EXTEND, id=job["id"], lease=job["lease"], progress=0.5))["job"]
    assert later["leaseExpiresAt"] > job["leaseExpiresAt"]
    assert later["progress"] == 0.5
    again = (await api.ask(EXTEND, id=job["id"], lease=job["lease"]))["job"]
    assert again["progress"] == 0.5


async def test_a_failed_attempt_is_repeated_after_growing_pauses_and_then_fails(
    api: Api, owner: AsyncEngine
) -> None:
    await enqueue(api, maxAttempts=3, backoffMs=60_000)
    pauses = []
    for attempt in range(1, 4):
        [job] = await claim(api)
        assert job["attempts"] == attempt
        failed = (await api.ask(FAIL, id=job["id"], lease=job["lease"], error=f"no {attempt}"))["job"]
        assert (failed["error"], failed["lease"]) == (f"no {attempt}", None)
        if attempt < 3:
            assert (failed["state"], failed["finishedAt"]) == ("DELAYED", None)
            assert await claim(api) == []
            async with owner.begin() as connection:
                pause = "SELECT extract(epoch FROM run_at - updated_at) FROM jobs WHERE id = :id"
                pauses.append(await connection.scalar(text(pause), {"id": job["id"]}))
            await shift(owner, api)
    assert pauses == [60, 120]
    assert failed["state"] == "FAILED"
    assert failed["finishedAt"]
    assert await counts(api) == {"failed": 1}


@pytest.mark.parametrize(("backoff", "pause"), [("FIXED", 3_600), ("EXPONENTIAL", 86_400)])
async def test_pauses_are_fixed_or_grow_up_to_a_day(
    api: Api, owner: AsyncEngine, backoff: str, pause: int
) -> None:
    job = await held(api, maxAttempts=100, backoff=backoff, backoffMs=3_600_000)
    async with owner.begin() as connection:
        await connection.execute(text("UPDATE jobs SET attempts = 50 WHERE id = :id"), {"id": job["id"]})
    await api.ask(FAIL, id=job["id"], lease=job["lease"])
    async with owner.begin() as connection:
        found = "SELECT extract(epoch FROM run_at - updated_at) FROM jobs WHERE id = :id"
        assert await connection.scalar(text(found), {"id": job["id"]}) == pause


async def test_a_failure_that_is_not_to_be_repeated_is_final(api: Api) -> None:
    job = await held(api)
    failed = (await api.ask(FAIL, id=job["id"], lease=job["lease"], retry=False))["job"]
    assert (failed["state"], failed["attempts"]) == ("FAILED", 1)


async def test_a_job_that_has_ended_is_retried_with_all_attempts(api: Api) -> None:
    job = await held(api, maxAttempts=1)
    await api.ask(FAIL, id=job["id"], lease=job["lease"])
    retried = (await api.ask(f"mutation($id: ID!) {{ job: retryJob(id: $id) {{ {JOB} }} }}", id=job["id"]))[
        "job"
    ]
    assert (retried["state"], retried["attempts"], retried["error"]) == ("WAITING", 0, "no")
    error = await api.error("mutation($id: ID!) { retryJob(id: $id) { id } }", id=job["id"])
    assert error["extensions"]["code"] == "CONFLICT"
    assert error["message"] == f"the job {job['id']} has not ended: it is WAITING; cancel it first"
    [again] = await claim(api)
    done = (await api.ask(COMPLETE, id=again["id"], lease=again["lease"]))["job"]
    assert (done["state"], done["error"]) == ("COMPLETED", None)


async def test_a_cancelled_job_is_not_claimed_and_its_worker_cannot_settle_it(api: Api) -> None:
    document = "mutation($id: ID!) { job: cancelJob(id: $id) { state finishedAt lease } }"
    waiting, delayed = await enqueue(api), await enqueue(api, runAt="2900-01-01T00:00:00Z")
    [active] = await claim(api)
    assert active["id"] == waiting["id"]
    for job in (waiting, delayed):
        found = (await api.ask(document, id=job["id"]))["job"]
        assert (found["state"], found["lease"]) == ("CANCELLED", None)
        assert found["finishedAt"]
    error = await api.error(COMPLETE, id=active["id"], lease=active["lease"])
    assert error["extensions"] == {"code": "CONFLICT", "field": "lease"}
    assert error["message"].startswith(f"nobody holds the job {active['id']}, which is CANCELLED")
    error = await api.error(document, id=waiting["id"])
    assert error["extensions"] == {"code": "CONFLICT", "field": "id"}
    assert await counts(api) == {"cancelled": 2}


async def test_many_jobs_are_settled_together_or_not_at_all(api: Api) -> None:
    made = (
        await api.ask(
            "mutation($jobs: [EnqueueJobInput!]!) { jobs: enqueueJobs(jobs: $jobs) { id queue { name } } }",
            jobs=[{"queue": queue} for queue in ("mail", "sync", "mail", "mail")],
        )
    )["jobs"]
    assert [job["queue"]["name"] for job in made] == ["mail", "sync", "mail", "mail"]
    claimed = await claim(api, limit=10)
    assert [job["id"] for job in claimed] == [made[place]["id"] for place in (0, 2, 3)]
    complete = "mutation($jobs: [CompleteJobInput!]!) { jobs: completeJobs(jobs: $jobs) { id state } }"
    given = [{"id": job["id"], "lease": job["lease"], "result": {"n": 1}} for job in claimed]
    wrong = [*given[:2], {**given[2], "lease": str(uuid4())}]
    error = await api.error(complete, jobs=wrong)
    assert error["extensions"] == {"code": "CONFLICT", "field": "jobs.2.lease"}
    error = await api.error(complete, jobs=[*given, given[0]])
    assert error["extensions"] == {"code": "BAD_USER_INPUT", "field": "jobs.3"}
    error = await api.error(complete, jobs=[{"id": str(uuid4()), "lease": str(uuid4())}])
    assert error["extensions"] == {"code": "NOT_FOUND", "field": "jobs.0.id"}
    assert await counts(api) == {"active": 3}
    extend = "mutation($jobs: [ExtendJobInput!]!) { jobs: extendJobs(jobs: $jobs) { progress } }"
    progress = [{"id": job["id"], "lease": job["lease"], "progress": 0.25} for job in claimed]
    assert await api.ask(extend, jobs=progress) == {"jobs": [{"progress": 0.25}] * 3}
    fail = "mutation($jobs: [FailJobInput!]!) { jobs: failJobs(jobs: $jobs) { state } }"
    failed = [{"id": claimed[0]["id"], "lease": claimed[0]["lease"], "error": "no", "retry": False}]
    assert await api.ask(fail, jobs=failed) == {"jobs": [{"state": "FAILED"}]}
    done = (await api.ask(complete, jobs=given[:0:-1]))["jobs"]
    assert done == [{"id": each["id"], "state": "COMPLETED"} for each in given[:0:-1]]
    retry = "mutation($ids: [ID!]!) { jobs: retryJobs(ids: $ids) { state } }"
    assert await api.ask(retry, ids=[claimed[0]["id"]]) == {"jobs": [{"state": "WAITING"}]}
    cancel = "mutation($ids: [ID!]!) { jobs: cancelJobs(ids: $ids) { state } }"
    error = await api.error(cancel, ids=[claimed[0]["id"], claimed[1]["id"]])
    assert error["extensions"] == {"code": "CONFLICT", "field": "ids.1"}
    assert await api.ask(cancel, ids=[claimed[0]["id"]]) == {"jobs": [{"state": "CANCELLED"}]}


async def test_an_external_id_makes_enqueueing_repeatable(api: Api) -> None:
    first = await enqueue(api, externalId="e-1", name="one")
    assert await enqueue(api, externalId="e-1", name="two", queue="sync") == first
    given = [{"queue": "mail", "externalId": key} for key in ("e-2", "e-1", "e-2")] + [{"queue": "mail"}]
    document = "mutation($jobs: [EnqueueJobInput!]!) { jobs: enqueueJobs(jobs: $jobs) { id externalId } }"
    made = (await api.ask(document, jobs=given))["jobs"]
    assert [job["externalId"] for job in made] == ["e-2", "e-1", "e-2", None]
    assert made[1]["id"] == first["id"]
    assert made[0] == made[2]
    again = (await api.ask(document, jobs=given[:3]))["jobs"]
    assert again == made[:3]
    assert (await counts(api))["waiting"] == 3
    assert (await api.ask('{ job(externalId: "e-1") { name } }'))["job"]["name"] == "one"


async def test_writers_of_the_same_new_queue_and_job_get_one(api: Api) -> None:
    async def one() -> Any:
        values = [{"queue": "mail", "external_id": key} for key in ("a", "b")]
        return [job.id for job in await api.run(jobs.enqueue_all, jobs=values)]

    found = await asyncio.gather(*[one() for _ in range(20)])
    assert all(ids == found[0] for ids in found)
    assert await counts(api) == {"waiting": 2}


async def test_an_idempotency_key_repeats_a_claim_of_nothing_twice(api: Api) -> None:
    document = 'mutation { enqueueJob(input: {queue: "mail"}, idempotencyKey: "k") { id } }'
    assert await api.ask(document) == await api.ask(document)
    assert await counts(api) == {"waiting": 1}


async def test_five_hundred_workers_at_once_get_every_job_once(api: Api) -> None:
    await api.run(jobs.enqueue_all, jobs=[{"queue": "mail"}] * 1_000)

    async def work(number: int) -> list[Any]:
        return [job.id for job in await api.run(jobs.claim, queue="mail", worker=f"w-{number}", limit=2)]

    claimed = await asyncio.gather(*map(work, range(500)))
    assert [len(ids) for ids in claimed] == [2] * 500
    assert max(Counter(id_ for ids in claimed for id_ in ids).values()) == 1
    assert await counts(api) == {"active": 1_000}


async def test_workers_that_bring_jobs_up_to_date_at_once_lose_none_and_double_none(
    api: Api, owner: AsyncEngine
) -> None:
    await api.run(jobs.enqueue_all, jobs=[{"queue": "mail"}] * 60)
    await api.run(jobs.claim, queue="mail", worker="killed", limit=30)
    async with owner.begin() as connection:
        await connection.execute(
            text("UPDATE jobs SET state = 'DELAYED' WHERE project_id = :id AND state = 'WAITING'"),
            {"id": api.project_id},
        )
    await shift(owner, api)

    async def work(number: int) -> list[Any]:
        found: list[Any] = []
        while batch := await api.run(jobs.claim, queue="mail", worker=f"w-{number}", limit=3):
            found += [job.id for job in batch]
        return found

    claimed = await asyncio.gather(*map(work, range(10)))
    # A worker may end while another one brings jobs up to date, which the others then get.
    rest = await work(10)
    assert Counter(Counter([id_ for ids in [*claimed, rest] for id_ in ids]).values()) == {1: 60}


async def test_a_paused_queue_keeps_its_jobs(api: Api) -> None:
    job = await held(api)
    await enqueue(api)
    paused = await api.ask('mutation { pauseQueue(name: "mail") { isPaused pausedAt } }')
    assert paused["pauseQueue"]["isPaused"]
    again = await api.ask('mutation { pauseQueue(name: "mail") { isPaused pausedAt } }')
    assert again == paused
    await enqueue(api)
    assert await claim(api) == []
    assert (await api.ask(COUNTS))["queue"]["isPaused"]
    assert (await api.ask(COMPLETE, id=job["id"], lease=job["lease"]))["job"]["state"] == "COMPLETED"
    resumed = await api.ask('mutation { resumeQueue(name: "mail") { isPaused pausedAt } }')
    assert resumed["resumeQueue"] == {"isPaused": False, "pausedAt": None}
    assert len(await claim(api, limit=5)) == 2
    error = await api.error('mutation { pauseQueue(name: "none") { id } }')
    assert error["extensions"] == {"code": "NOT_FOUND", "field": "name"}


async def test_a_queue_is_cleaned_of_jobs_that_have_ended(api: Api) -> None:
    for _ in range(3):
        job = await held(api)
        await api.ask(COMPLETE, id=job["id"], lease=job["lease"])
    job = await held(api)
    await api.ask(FAIL, id=job["id"], lease=job["lease"], retry=False)
    await enqueue(api)

    async def clean(arguments: str) -> int:
        document = f'mutation {{ cleanQueue(name: "mail"{arguments}) {{ ids }} }}'
        return len((await api.ask(document))["cleanQueue"]["ids"])

    assert await clean(', finishedBefore: "2020-01-01T00:00:00Z"') == 0
    assert await clean(", limit: 2") == 2
    assert await clean("") == 1
    assert await counts(api) == {"failed": 1, "waiting": 1}
    assert await clean(", states: [FAILED, CANCELLED]") == 1
    assert await counts(api) == {"waiting": 1}
    for states in ("[WAITING]", "[]", "[FAILED, ACTIVE]"):
        error = await api.error(f'mutation {{ cleanQueue(name: "mail", states: {states}) {{ ids }} }}')
        assert error["extensions"] == {"code": "BAD_USER_INPUT", "field": "states"}


async def test_the_oldest_waiting_job_tells_how_long_a_queue_is_behind(api: Api, owner: AsyncEngine) -> None:
    await enqueue(api, runAt="2900-01-01T00:00:00Z")
    assert (await api.ask(COUNTS))["queue"]["oldestWaitingAt"] is None
    await enqueue(api, runAt="2026-02-01T00:00:00Z", priority=9)
    await enqueue(api, runAt="2026-01-01T00:00:00Z")
    assert (await api.ask(COUNTS))["queue"]["oldestWaitingAt"] == "2026-01-01T00:00:00Z"
    assert len(await claim(api, limit=2)) == 2
    assert (await api.ask(COUNTS))["queue"]["oldestWaitingAt"] is None
    await shift(owner, api)
    lost = (await api.ask("{ jobs(filter: {state: {eq: WAITING}}) { nodes { leaseExpiresAt } } }"))["jobs"]
    assert (await api.ask(COUNTS))["queue"]["oldestWaitingAt"] == min(
        each["leaseExpiresAt"] for each in lost["nodes"]
    )


async def test_a_deleted_queue_takes_its_jobs_and_schedules_with_it(api: Api) -> None:
    job = await held(api)
    await factories.schedule(api)
    await api.ask("mutation($id: ID!) { deleteJob(id: $id) { ids } }", id=job["id"])
    await enqueue(api)
    queue = (await api.ask('{ queue(name: "mail") { id jobs { totalCount } } }'))["queue"]
    assert queue["jobs"]["totalCount"] == 1
    await api.ask("mutation($id: ID!) { deleteQueue(id: $id) { ids } }", id=queue["id"])
    found = await api.ask("{ jobs { totalCount } schedules { totalCount } queues { totalCount } }")
    assert found == {"jobs": {"totalCount": 0}, "schedules": {"totalCount": 0}, "queues": {"totalCount": 0}}


@pytest.mark.parametrize("deleted", ["deleteJob", "cleanQueue", "deleteQueue"])
async def test_syncs_outlive_their_jobs(api: Api, deleted: str) -> None:
    job = await held(api)
    await api.ask(COMPLETE, id=job["id"], lease=job["lease"])
    base = await factories.knowledge_base(api)
    await factories.knowledge_sync(api, base.id, job_id=job["id"])
    queue = (await api.ask('{ queue(name: "mail") { id } }'))["queue"]["id"]
    document = {
        "deleteJob": f'mutation {{ deleteJob(id: "{job["id"]}") {{ ids }} }}',
        "cleanQueue": 'mutation { cleanQueue(name: "mail") { ids } }',
        "deleteQueue": f'mutation {{ deleteQueue(id: "{queue}") {{ ids }} }}',
    }
    assert len((await api.ask(document[deleted]))[deleted]["ids"]) == 1
    found = await api.ask("{ knowledgeSyncs { nodes { job { id } } } }")
    assert found["knowledgeSyncs"]["nodes"] == [{"job": None}]


async def test_a_queue_of_many_jobs_is_deleted_although_syncs_name_them(api: Api) -> None:
    base = await factories.knowledge_base(api)
    for _ in range(3):
        made = await factories.enqueued(api, *[{"queue": "mail"}] * deletion.FEW)
        syncs = [{"knowledge_base_id": base.id, "job_id": job.id} for job in made]
        await api.run(knowledge_syncs.record_all, syncs=syncs)
    queue = (await api.ask('{ queue(name: "mail") { id } }'))["queue"]["id"]
    await api.ask("mutation($id: ID!) { deleteQueue(id: $id) { ids } }", id=queue)
    found = await api.ask("{ jobs { totalCount } knowledgeSyncs { totalCount } }")
    assert found == {"jobs": {"totalCount": 0}, "knowledgeSyncs": {"totalCount": 3 * deletion.FEW}}


async def test_each_step_of_a_job_is_one_statement(api: Api) -> None:
    await enqueue(api)
    with traffic(api.database) as seen:
        await api.run(jobs.enqueue, values={"queue": "mail"})
        [job] = await api.run(jobs.claim, queue="mail", worker="w")
        await api.run(jobs.extend, id_=job.id, lease=job.lease)
        await api.run(jobs.complete, id_=job.id, lease=job.lease)
    assert len(seen.statements) == 4
    assert seen.transactions == []


async def test_a_claim_reads_no_more_jobs_than_it_takes(api: Api, owner: AsyncEngine) -> None:
    [first] = await factories.enqueued(api, {"priority": -1})
    fill = """
        INSERT INTO jobs (project_id, id, queue_id, state, data, run_at, finished_at, lease_expires_at)
        SELECT CAST(:project AS uuid), gen_random_uuid(), CAST(:queue AS uuid), state, '{}', at, at, at
        FROM generate_series(1, 1000) AS i, CAST('2900-01-01Z' AS timestamptz) AS at,
          unnest(ARRAY['WAITING', 'DELAYED', 'ACTIVE', 'COMPLETED']) AS state"""
    async with owner.begin() as connection:
        await connection.execute(text(fill), {"project": api.project_id, "queue": first.queue_id})
        # As autovacuum does, which would come too late here.
        await connection.execute(text("ANALYZE jobs"))
        driver: Any = (await connection.get_raw_connection()).driver_connection
        explained = await driver.fetchval(
            f"EXPLAIN (ANALYZE, TIMING OFF, BUFFERS OFF, FORMAT JSON) {jobs._CLAIM}",  # noqa: SLF001  # the statement
            *(api.project_id, "mail", "w", 60_000, 10, False, uuid4()),
        )
    [plan] = explained
    touched = [
        (node["Actual Rows"] + node.get("Rows Removed by Filter", 0)) * node["Actual Loops"]
        for node in nodes(plan["Plan"])
        if node.get("Relation Name") == "jobs" and node["Node Type"] != "ModifyTable"
    ]
    # Ten are found and locked, and ten are found by their ids.
    assert sum(touched) == 20


async def test_the_access_record_of_a_claim_lists_the_claimed_jobs(api: Api) -> None:
    await enqueue(api)
    await claim(api, limit=3)
    await claim(api)
    job = (await api.ask("{ jobs { nodes { id } } }"))["jobs"]["nodes"][0]["id"]
    records = (await api.ask("{ accessRecords { nodes { fields objectIds objectCount } } }"))["accessRecords"]
    assert records["nodes"] == [
        {"fields": [field], "objectIds": [job], "objectCount": 1} for field in ("claimJobs", "enqueueJob")
    ]


@pytest.mark.parametrize(
    ("document", "field"),
    [
        ('mutation { enqueueJob(input: {queue: " "}) { id } }', "queue"),
        ('mutation { enqueueJobs(jobs: [{queue: "a"}, {queue: ""}]) { id } }', "jobs.1.queue"),
        ('mutation { enqueueJob(input: {queue: "a", maxAttempts: 0}) { id } }', "maxAttempts"),
        ('mutation { enqueueJob(input: {queue: "a", backoffMs: -1}) { id } }', "backoffMs"),
        ('mutation { enqueueJob(input: {queue: "a", data: [1]}) { id } }', "data"),
        ('mutation { claimJobs(queue: "a", worker: "") { id } }', "worker"),
        ('mutation { claimJobs(queue: "a", worker: "w", leaseMs: 999) { id } }', "leaseMs"),
        ('mutation { claimJobs(queue: "a", worker: "w", limit: 0) { id } }', "limit"),
        ('mutation { cleanQueue(name: "a", limit: 10001) { ids } }', "limit"),
    ],
)
async def test_wrong_values_are_named(api: Api, document: str, field: str) -> None:
    error = await api.error(document)
    assert error["extensions"] == {"code": "BAD_USER_INPUT", "field": field}


async def test_an_end_user_sees_no_jobs(api: Api) -> None:
    await held(api)
    user = await factories.user(api)
    await factories.schedule(api)
    found = await api.as_user(user.id).ask(
        "{ jobs { totalCount } queues { totalCount } schedules { totalCount } }"
    )
    assert found == {"jobs": {"totalCount": 0}, "schedules": {"totalCount": 0}, "queues": {"totalCount": 0}}


async def test_another_project_has_queues_of_its_own(api: Api, other: Api) -> None:
    job = await held(api)
    await enqueue(other)
    assert [each["attempts"] for each in await claim(other, limit=9)] == [1]
    error = await other.error(COMPLETE, id=job["id"], lease=job["lease"])
    assert error["extensions"]["code"] == "NOT_FOUND"


async def test_cleaning_leaves_jobs_that_other_writers_hold(api: Api) -> None:
    job = await held(api)
    await api.ask(COMPLETE, id=job["id"], lease=job["lease"])
    cleaned = await asyncio.gather(*[api.run(queues.clean, name="mail") for _ in range(5)])
    assert sorted(map(len, cleaned)) == [0, 0, 0, 0, 1]


@pytest.mark.parametrize("mutation", ["pauseQueue", "resumeQueue", "cleanQueue"])
async def test_a_name_with_a_nul_character_is_refused(api: Api, mutation: str) -> None:
    selected = "{ ids }" if mutation == "cleanQueue" else "{ id }"
    answer = await api.answer(
        f"mutation($name: String!) {{ {mutation}(name: $name) {selected} }}", name="a\0"
    )
    assert answer.codes == ["BAD_USER_INPUT"]
