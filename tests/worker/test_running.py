"""A worker claims jobs, keeps their leases, settles them, and loses none when it ends."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from agentdata.errors import BadUserInputError, ConflictError
from agentdata.operations import jobs, queues
from agentdata.worker import running
from agentdata.worker.finding import Finder
from tests import factories
from tests.operations.test_jobs import shift
from tests.worker.waiting import until

if TYPE_CHECKING:
    from uuid import UUID

    from agentdata.database_urls import DatabaseUrls
    from agentdata.worker.running import Work
    from tests.api import Api
    from tests.worker.conftest import Working

QUEUE = "agentdata.test"
JOBS = """{
  jobs(orderBy: [{field: CREATED_AT, direction: ASC}]) {
    nodes { name state attempts result error progress worker lease }
  }
}"""


class Recording:
    """A kind of work that does what the names of its jobs say."""

    name = "test"

    def __init__(self, queue: str = QUEUE) -> None:
        self.queue = queue
        self.done: list[tuple[UUID, str | None]] = []
        self.running: Counter[UUID] = Counter()
        self.most_at_a_time = 0
        self.began, self.may_end = asyncio.Event(), asyncio.Event()
        self.ends: list[UUID] = []
        self.looks = 0

    async def work(self, work: Work) -> Any:
        """Do a job."""
        self.running[work.job.id] += 1
        self.most_at_a_time = max(self.most_at_a_time, *self.running.values())
        try:
            return await self._do(work)
        finally:
            self.running[work.job.id] -= 1

    async def _do(self, work: Work) -> Any:
        match work.job.name:
            case "refuse":
                raise BadUserInputError("never so", field="data")
            case "conflict":
                raise ConflictError("not now")
            case "fault":
                raise ValueError("a secret")
            case "wait":
                work.progress = 0.25
                self.began.set()
                await self.may_end.wait()
            case "patient":
                self.began.set()
                await work.stopping.wait()
                work.check()
            case "long":
                self.began.set()
                while not self.may_end.is_set():
                    work.check()
                    await asyncio.sleep(0.01)
        self.done.append((work.project_id, work.job.name))
        return {"done": work.job.name}

    async def look(self) -> None:
        """Count how often it is asked."""
        self.looks += 1

    async def is_done(self) -> bool:
        """Return whether a job was done."""
        return bool(self.done)

    async def is_idle(self) -> bool:
        """Return whether no job is being done."""
        return not self.running.total()

    async def has_looked(self) -> bool:
        """Return whether the worker has had time to claim jobs."""
        return self.looks >= 5

    def ended(self, project_id: UUID) -> None:
        """Record a job that was completed."""
        self.ends.append(project_id)


async def enqueue(api: Api, *names: str, queue: str = QUEUE, **values: Any) -> None:
    """Enqueue jobs of these names."""
    await api.run(jobs.enqueue_all, jobs=[{"queue": queue, "name": name, **values} for name in names])


async def seen(api: Api) -> list[dict[str, Any]]:
    return (await api.ask(JOBS))["jobs"]["nodes"]  # type: ignore[no-any-return]  # of the contract


async def reached(api: Api, *states: str) -> list[dict[str, Any]]:
    """Wait until the jobs of a project have these states, and return them."""
    return await until(lambda: seen(api), lambda found: [job["state"] for job in found] == [*states])


async def test_jobs_are_done_and_completed_with_their_result(api: Api, working: Working) -> None:
    kind = Recording()
    await enqueue(api, "one", "two", "three")
    async with working([kind]) as worker:
        found = await reached(api, *["COMPLETED"] * 3)
        assert [job["result"] for job in found] == [{"done": name} for name in ("one", "two", "three")]
        assert {job["worker"] for job in found} == {worker.name}
    assert kind.ends == [api.project_id] * 3
    assert kind.looks > 0


async def test_jobs_that_fail_are_tried_again_unless_their_input_is_wrong(api: Api, working: Working) -> None:
    await enqueue(api, "refuse", "conflict", "fault", backoff_ms=0, max_attempts=2)
    async with working([Recording()]):
        found = await reached(api, *["FAILED"] * 3)
    assert [(job["attempts"], job["error"]) for job in found] == [
        (1, "never so"),
        (2, "not now"),
        (2, "the worker ran into an error: ValueError"),
    ]


async def test_two_workers_never_do_one_job_at_a_time(api: Api, working: Working) -> None:
    kind = Recording()
    names = [f"job {number}" for number in range(40)]
    await enqueue(api, *names)
    async with working([kind]), working([kind]):
        await reached(api, *["COMPLETED"] * 40)
    assert sorted(name or "" for _, name in kind.done) == sorted(names)
    assert kind.most_at_a_time == 1


async def test_projects_take_turns(
    api: Api, other: Api, working: Working, database_urls: DatabaseUrls
) -> None:
    everywhere = Finder(database_urls.owner)
    # Other tests leave jobs behind.
    queue = f"{QUEUE}:{api.project_id}"
    kind = Recording(queue)
    await enqueue(api, *["mine"] * 20, queue=queue)
    await enqueue(other, *["theirs"] * 3, queue=queue)
    async with working([kind], slots=1, finder=everywhere):
        await reached(other, *["COMPLETED"] * 3)
        await reached(api, *["COMPLETED"] * 20)
    await everywhere.close()
    last = max(place for place, (project_id, _) in enumerate(kind.done) if project_id == other.project_id)
    assert last <= 6


async def test_a_long_job_gives_its_place_to_others_and_goes_on_later(
    api: Api, other: Api, working: Working, database_urls: DatabaseUrls, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "_TURN_S", 0.1)
    everywhere = Finder(database_urls.owner)
    queue = f"{QUEUE}:{api.project_id}"
    kind = Recording(queue)
    await enqueue(api, "long", queue=queue)
    async with working([kind], slots=1, finder=everywhere):
        await kind.began.wait()
        await enqueue(other, "theirs", queue=queue)
        await reached(other, "COMPLETED")
        kind.may_end.set()
        await reached(api, "COMPLETED")
    await everywhere.close()
    assert kind.done == [(other.project_id, "theirs"), (api.project_id, "long")]


async def test_one_queue_does_not_take_all_places(
    api: Api, other: Api, working: Working, database_urls: DatabaseUrls
) -> None:
    everywhere = Finder(database_urls.owner)
    slow, quick = (Recording(f"{QUEUE}:{name}:{api.project_id}") for name in ("slow", "quick"))
    for project in (api, other):
        await enqueue(project, "wait", queue=slow.queue)
    async with working([slow, quick], slots=2, finder=everywhere):
        await slow.began.wait()
        await enqueue(api, "quick", queue=quick.queue)
        await until(quick.is_done)
        assert sum(slow.running.values()) == 1
        slow.may_end.set()
        await reached(other, "COMPLETED")
    await everywhere.close()
    assert len(slow.done) == 2


async def test_a_worker_that_ends_lets_its_jobs_end(api: Api, working: Working) -> None:
    kind = Recording()
    await enqueue(api, "wait", "never")
    async with working([kind], slots=1) as worker:
        async with asyncio.timeout(10):
            await kind.began.wait()
        worker.stop()
        kind.may_end.set()
    assert [job["state"] for job in await seen(api)] == ["COMPLETED", "WAITING"]


@pytest.mark.parametrize(("name", "grace_s"), [("patient", 5), ("wait", 0)])
async def test_a_worker_that_ends_returns_jobs_that_have_not_ended(
    api: Api, working: Working, name: str, grace_s: float
) -> None:
    kind = Recording()
    await enqueue(api, name)
    async with working([kind], grace_s=grace_s):
        async with asyncio.timeout(10):
            await kind.began.wait()
        assert [job["state"] for job in await seen(api)] == ["ACTIVE"]
    [job] = await seen(api)
    assert (job["state"], job["attempts"], job["lease"], job["error"]) == ("WAITING", 0, None, None)
    assert kind.done == []


async def test_the_lease_of_long_work_is_extended_with_its_progress(api: Api, working: Working) -> None:
    kind = Recording()
    await enqueue(api, "wait")
    async with working([kind], lease_ms=1_000):
        await until(lambda: seen(api), lambda found: bool(found[0]["progress"]))
        kind.may_end.set()
        [job] = await reached(api, "COMPLETED")
    assert job["progress"] == 0.25
    assert job["attempts"] == 1


async def test_work_ends_if_its_job_is_cancelled(api: Api, working: Working) -> None:
    kind = Recording()
    await enqueue(api, "wait")
    async with working([kind], lease_ms=1_000):
        async with asyncio.timeout(20):
            await kind.began.wait()
        [row] = (await api.ask("{ jobs { nodes { id } } }"))["jobs"]["nodes"]
        await api.ask("mutation ($id: ID!) { cancelJob(id: $id) { state } }", id=row["id"])
        await until(kind.is_idle)
    assert kind.done == []
    assert [job["state"] for job in await seen(api)] == ["CANCELLED"]


async def test_paused_queues_and_other_queues_are_left_alone(api: Api, working: Working) -> None:
    kind = Recording()
    await enqueue(api, "one")
    await api.run(queues.pause, name=QUEUE)
    await factories.enqueued(api, {"queue": "mail"})
    async with working([kind]):
        await until(kind.has_looked)
        assert kind.done == []
        await api.run(queues.resume, name=QUEUE)
        await reached(api, "COMPLETED", "WAITING")


async def test_schedules_make_the_jobs_of_a_worker(api: Api, owner: Any, working: Working) -> None:
    await factories.schedule(api, queue=QUEUE, name="nightly", cron="0 3 * * *", job_name="one")
    await shift(owner, api, -48)
    async with working([Recording()]):
        [job] = await reached(api, "COMPLETED")
    assert job["name"] == "one"


async def test_a_worker_of_one_project_leaves_the_others_alone(
    api: Api, other: Api, working: Working
) -> None:
    kind = Recording()
    await enqueue(api, "one")
    await enqueue(other, "two")
    async with working([kind]):
        await reached(api, "COMPLETED")
    assert [job["state"] for job in await seen(other)] == ["WAITING"]
