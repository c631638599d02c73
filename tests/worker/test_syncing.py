"""The worker syncs knowledge bases by jobs and schedules, and reads only folders that the operator allows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from agentdata.operations import jobs, knowledge_bases
from agentdata.operations.knowledge_refreshes import QUEUE
from agentdata.worker.syncing import Syncing
from tests import factories
from tests.operations.test_jobs import shift
from tests.worker.waiting import until

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy.ext.asyncio import AsyncEngine

    from tests.api import Api
    from tests.worker.conftest import Working

JOBS = "{ jobs { nodes { id name state result error } } }"
BASES = """{
  knowledgeBases { nodes {
    name source lastSync { status job { id } }
    documents { nodes { externalId version chunks { nodes { content } } } }
  } }
}"""
SCHEDULES = "{ schedules { nodes { name cron jobName data isActive queue { name } } } }"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Provide a folder with a file, beside another that may not be read."""
    for name in ("docs", "private"):
        (tmp_path / name).mkdir()
    (tmp_path / "docs" / "oven.md").write_text("# The oven\n\nHeat it for an hour.\n")
    (tmp_path / "private" / "key.md").write_text("# Keys\n\nNobody may read this.\n")
    return tmp_path / "docs"


async def ended(api: Api) -> dict[str, Any]:
    """Wait until the only job has ended, and return it."""

    async def look() -> dict[str, Any]:
        [job] = (await api.ask(JOBS))["jobs"]["nodes"] or [{"state": "WAITING"}]
        return job  # type: ignore[no-any-return]  # of the contract

    return await until(look, lambda job: job["state"] in {"COMPLETED", "FAILED"})


async def enqueue(api: Api, **data: Any) -> None:
    await api.run(jobs.enqueue, values={"queue": QUEUE, "name": "sync", "data": data})


async def test_a_job_syncs_a_base(api: Api, working: Working, folder: Path) -> None:
    await enqueue(api, base="Handbook", path=str(folder), version="v1")
    async with working([Syncing([folder.parent])]):
        job = await ended(api)
    [base] = (await api.ask(BASES))["knowledgeBases"]["nodes"]
    assert (base["name"], base["lastSync"]) == ("Handbook", {"status": "SUCCEEDED", "job": {"id": job["id"]}})
    [document] = base["documents"]["nodes"]
    assert (document["externalId"], document["version"]) == ("oven.md", "v1")
    assert "Heat it" in document["chunks"]["nodes"][0]["content"]
    del job["result"]["syncId"]
    assert job["result"] == {
        "added": 1, "modified": 0, "removed": 0, "unchanged": 0, "failed": 0, "chunks": 1,
    }  # fmt: skip


@pytest.mark.parametrize("path", ["{}/../private", "{}/private.link", "/etc", "docs", "", "/dev/null"])
async def test_other_folders_are_not_read(api: Api, working: Working, folder: Path, path: str) -> None:
    (folder / "private.link").symlink_to(folder.parent / "private")
    await enqueue(api, base="Handbook", path=path.format(folder))
    async with working([Syncing([folder])]):
        job = await ended(api)
    assert job["state"] == "FAILED"
    assert job["error"] == (
        "path must be an absolute path within one of the folders that the operator allows by"
        " AGENTDATA_KNOWLEDGE_PATHS"
    )
    assert (await api.ask(BASES))["knowledgeBases"]["nodes"] == []


@pytest.mark.parametrize(
    ("data", "error"),
    [
        ({}, "the data of the job must have a `base`"),
        ({"base": "Handbook"}, "the data of the job must have a `base`"),
        ({"base": 1, "path": "/"}, "base in the data of the job must be a text"),
        ({"knowledgeBaseId": "7"}, "knowledgeBaseId is no id"),
        ({"knowledgeBaseId": "01900000-0000-7000-8000-000000000001"}, "there is no knowledge base"),
    ],
)
async def test_a_job_with_wrong_data_fails(
    api: Api, working: Working, folder: Path, data: dict[str, Any], error: str
) -> None:
    await enqueue(api, **data)
    async with working([Syncing([folder])]):
        job = await ended(api)
    assert job["state"] == "FAILED"
    assert error in job["error"]


async def test_a_base_of_another_project_is_not_found(
    api: Api, other: Api, working: Working, folder: Path
) -> None:
    base = await factories.knowledge_base(other, source={"path": str(folder)})
    await enqueue(api, knowledgeBaseId=str(base.id))
    async with working([Syncing([folder])]):
        job = await ended(api)
    assert job["error"] == f"there is no knowledge base {base.id}"


async def test_a_base_with_a_path_is_synced_at_its_refresh_schedule(
    api: Api, owner: AsyncEngine, working: Working, folder: Path
) -> None:
    base = await factories.knowledge_base(
        api, refresh_schedule="0 3 * * *", source={"path": str(folder), "version": "v2"}
    )
    [schedule] = (await api.ask(SCHEDULES))["schedules"]["nodes"]
    assert schedule == {
        "name": f"agentdata.sync:{base.id}",
        "cron": "0 3 * * *",
        "jobName": "sync",
        "data": {"knowledgeBaseId": str(base.id)},
        "isActive": True,
        "queue": {"name": QUEUE},
    }
    await shift(owner, api, -48)
    async with working([Syncing([folder])]):
        job = await ended(api)
    assert job["state"] == "COMPLETED", job
    [found] = (await api.ask(BASES))["knowledgeBases"]["nodes"]
    assert found["name"] == base.name
    assert [each["version"] for each in found["documents"]["nodes"]] == ["v2"]
    # The sync keeps the path, and with it the schedule.
    assert found["source"]["path"] == str(folder)
    assert len((await api.ask(SCHEDULES))["schedules"]["nodes"]) == 1


async def test_the_schedule_of_a_base_follows_it(api: Api, folder: Path) -> None:
    base = await factories.knowledge_base(api, refresh_schedule="0 3 * * *")

    async def crons() -> list[str]:
        return [each["cron"] for each in (await api.ask(SCHEDULES))["schedules"]["nodes"]]

    assert await crons() == []
    await api.run(knowledge_bases.update, id_=base.id, values={"source": {"path": str(folder)}})
    assert await crons() == ["0 3 * * *"]
    await api.run(knowledge_bases.update, id_=base.id, values={"refresh_schedule": "0 4 * * *"})
    assert await crons() == ["0 4 * * *"]
    await api.run(knowledge_bases.update, id_=base.id, values={"refresh_schedule": None})
    assert await crons() == []
    await api.run(knowledge_bases.update, id_=base.id, values={"refresh_schedule": "0 5 * * *"})
    await api.run(knowledge_bases.delete, id_=base.id)
    assert await crons() == []


async def test_a_refresh_schedule_that_is_none_is_refused_if_there_is_a_path(api: Api) -> None:
    error = await api.error(
        "mutation ($path: JSON!) {"
        ' createKnowledgeBase(input: {name: "B", refreshSchedule: "often", source: $path}) { id } }',
        path={"path": "/srv"},
    )
    assert error["extensions"]["field"] == "refreshSchedule"
    assert error["message"].startswith("refreshSchedule")
