"""Syncs of knowledge bases: their status and times, and the last of each base."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from tests import factories

if TYPE_CHECKING:
    from tests.api import Api

RECORD = """mutation($input: RecordKnowledgeSyncInput!) { recordKnowledgeSync(input: $input) {
  id status added chunksWritten startedAt finishedAt error
} }"""
FINISH = """mutation($id: ID!, $input: FinishKnowledgeSyncInput!) {
  finishKnowledgeSync(id: $id, input: $input) {
    status kind commitSha added modified finishedAt error
  }
}"""
DAY = datetime(2026, 3, 1, tzinfo=UTC)


async def test_a_sync_runs_until_it_is_finished_once(api: Api) -> None:
    base = await factories.knowledge_base(api)
    given = {"knowledgeBaseId": str(base.id), "kind": "full", "added": 2}
    started = (await api.ask(RECORD, input=given))["recordKnowledgeSync"]
    assert (started["status"], started["finishedAt"], started["chunksWritten"]) == ("RUNNING", None, 0)
    await api.ask(
        "mutation($id: ID!) { updateKnowledgeSync(id: $id, input: {added: 3, modified: 1}) { id } }",
        id=started["id"],
    )
    finished = (
        await api.ask(FINISH, id=started["id"], input={"status": "SUCCEEDED", "commitSha": "c0ffee"})
    )["finishKnowledgeSync"]
    assert finished.pop("finishedAt") >= started["startedAt"]
    assert finished == {
        "status": "SUCCEEDED",
        "kind": "full",
        "commitSha": "c0ffee",
        "added": 3,
        "modified": 1,
        "error": None,
    }
    error = await api.error(FINISH, id=started["id"], input={"status": "FAILED"})
    assert error["extensions"] == {"code": "CONFLICT", "field": "id"}


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"finishedAt": "2026-03-01T00:00:00Z"}, "finishedAt"),
        ({"status": "RUNNING", "error": "no network"}, "error"),
        ({"status": "SUCCEEDED", "error": "no network"}, "error"),
        (
            {
                "status": "FAILED",
                "startedAt": "2026-03-02T00:00:00Z",
                "finishedAt": "2026-03-01T00:00:00Z",
            },
            "finishedAt",
        ),
        ({"added": -1}, "added"),
    ],
)
async def test_a_sync_that_contradicts_itself_is_refused(api: Api, given: dict[str, Any], field: str) -> None:
    base = await factories.knowledge_base(api)
    error = await api.error(RECORD, input={"knowledgeBaseId": str(base.id), **given})
    assert error["extensions"] == {"code": "BAD_USER_INPUT", "field": field}


async def test_a_sync_does_not_finish_as_running_or_before_its_start(api: Api) -> None:
    base = await factories.knowledge_base(api)
    sync = await factories.knowledge_sync(api, base.id, started_at=DAY)
    error = await api.error(FINISH, id=str(sync.id), input={"status": "RUNNING"})
    assert error["extensions"] == {"code": "BAD_USER_INPUT", "field": "status"}
    early = {"status": "FAILED", "finishedAt": "2026-02-01T00:00:00Z"}
    error = await api.error(FINISH, id=str(sync.id), input=early)
    assert error["extensions"] == {"code": "BAD_USER_INPUT", "field": "finishedAt"}


async def test_a_base_names_its_last_sync_and_the_latest_that_succeeded(api: Api) -> None:
    base, empty = await factories.knowledge_base(api, name="a"), await factories.knowledge_base(api, name="b")
    for day, (status, commit) in enumerate(
        [("SUCCEEDED", "1"), ("SUCCEEDED", "2"), ("SKIPPED", "3"), ("FAILED", "4"), ("RUNNING", "5")]
    ):
        at = DAY + timedelta(days=day)
        end = {} if status == "RUNNING" else {"finished_at": at + timedelta(hours=1)}
        await factories.knowledge_sync(api, base.id, status=status, commit_sha=commit, started_at=at, **end)
    data = await api.ask("""{ knowledgeBases(orderBy: [{field: NAME, direction: ASC}]) { nodes {
        lastCommitSha lastSyncedAt lastSync { status commitSha } syncs(first: 1) { totalCount }
    } } }""")
    assert empty.id
    assert data["knowledgeBases"]["nodes"] == [
        {
            "lastCommitSha": "2",
            "lastSyncedAt": "2026-03-02T01:00:00Z",
            "lastSync": {"status": "RUNNING", "commitSha": "5"},
            "syncs": {"totalCount": 5},
        },
        {"lastCommitSha": None, "lastSyncedAt": None, "lastSync": None, "syncs": {"totalCount": 0}},
    ]


async def test_a_sync_that_is_deleted_is_no_longer_the_last(api: Api) -> None:
    base = await factories.knowledge_base(api)
    syncs = [
        await factories.knowledge_sync(api, base.id, status="SUCCEEDED", commit_sha=commit, finished_at=DAY)
        for commit in ("1", "2")
    ]
    last = "{ knowledgeBases { nodes { lastCommitSha lastSync { commitSha } } } }"
    delete = "mutation($id: ID!) { deleteKnowledgeSync(id: $id) { ids } }"
    assert (await api.ask(last))["knowledgeBases"]["nodes"] == [
        {"lastCommitSha": "2", "lastSync": {"commitSha": "2"}}
    ]
    await api.ask(delete, id=str(syncs[1].id))
    assert (await api.ask(last))["knowledgeBases"]["nodes"] == [
        {"lastCommitSha": "1", "lastSync": {"commitSha": "1"}}
    ]
    error = await api.error(delete, id=str(syncs[1].id))
    assert error["extensions"] == {"code": "NOT_FOUND", "field": "id"}


async def test_syncs_of_another_system_are_recorded_together_or_not_at_all(api: Api) -> None:
    base = await factories.knowledge_base(api)
    record = """mutation($syncs: [RecordKnowledgeSyncInput!]!) {
        recordKnowledgeSyncs(syncs: $syncs) { commitSha startedAt finishedAt }
    }"""
    sync = {"knowledgeBaseId": str(base.id), "status": "SUCCEEDED", "commitSha": "1"}
    times = {"finishedAt": "2026-01-01T00:00:00Z"}
    data = await api.ask(record, syncs=[sync | times, sync | times | {"commitSha": "2"}])
    assert [each["commitSha"] for each in data["recordKnowledgeSyncs"]] == ["1", "2"]
    # Without a start it started when it finished, which is not in the future.
    assert data["recordKnowledgeSyncs"][0]["startedAt"] == "2026-01-01T00:00:00Z"
    error = await api.error(record, syncs=[sync, sync | {"knowledgeBaseId": str(api.project_id)}])
    assert error["extensions"] == {"code": "NOT_FOUND", "field": "syncs.1.knowledgeBaseId"}
    left = await api.ask("{ knowledgeSyncs { totalCount } }")
    assert left == {"knowledgeSyncs": {"totalCount": 2}}


async def test_a_sync_may_name_only_a_job_of_its_project(api: Api, other: Api) -> None:
    base = await factories.knowledge_base(api)
    [own] = await factories.enqueued(api, {"queue": "sync"})
    [foreign] = await factories.enqueued(other, {"queue": "sync"})
    given = {"knowledgeBaseId": str(base.id), "jobId": str(own.id)}
    recorded = (await api.ask(RECORD.replace("error", "job { id }"), input=given))["recordKnowledgeSync"]
    assert recorded["job"] == {"id": str(own.id)}
    error = await api.error(RECORD, input=given | {"jobId": str(foreign.id)})
    assert error["extensions"] == {"code": "NOT_FOUND", "field": "jobId"}
