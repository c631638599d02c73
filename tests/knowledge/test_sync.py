"""Syncs write what changed, remove what is gone, and go on after an interruption."""

from __future__ import annotations

import asyncio
import errno
import os
from typing import TYPE_CHECKING, Any

import pytest

from agentdata.errors import BadUserInputError, ConflictError
from agentdata.knowledge import files, sync
from agentdata.knowledge.sync import Change, Options, Result, Step
from agentdata.operations import knowledge_chunks
from tests import databases, factories
from tests.knowledge.checkouts import commit, write
from tests.knowledge.pdfs import pdf

if TYPE_CHECKING:
    from pathlib import Path

    from agentdata.operations.unit_of_work import UnitOfWork
    from tests.api import Api

DOCUMENTS = """query($base: String!) {
  knowledgeBases(filter: {name: {eq: $base}}) { nodes {
    source documentCount chunkCount lastCommitSha
    documents(first: 100, orderBy: [{field: NAME, direction: ASC}]) { nodes {
      id version externalId name type size status statusMessage metadata chunkCount updatedAt
      chunks(first: 100) { nodes { content metadata } }
    } }
    syncs(first: 100, orderBy: [{field: STARTED_AT, direction: ASC}]) { nodes {
      status kind commitSha added modified removed chunksWritten error job { name }
    } }
  } }
}"""


async def run(api: Api, path: Path, base: str = "handbook", **given: Any) -> Result:
    options = {name: given.pop(name) for name in [*given] if name in Options.__dataclass_fields__}
    return await sync.sync(api.database, api.project_id, path, base, options=Options(**options), **given)


async def stored(api: Api, base: str = "handbook") -> dict[str, Any]:
    [found] = (await api.ask(DOCUMENTS, base=base))["knowledgeBases"]["nodes"]
    found["documents"] = found["documents"]["nodes"]
    found["syncs"] = found["syncs"]["nodes"]
    return found  # type: ignore[no-any-return]  # JSON


def kept(base: dict[str, Any], version: str = "default") -> dict[str, Any]:
    """Return the options that a base keeps for a version."""
    return base["source"]["versions"][version]  # type: ignore[no-any-return]  # JSON


def changes(result: Result) -> tuple[int, int, int, int]:
    return result.added, result.modified, result.removed, result.unchanged


async def test_the_first_sync_creates_the_base_and_its_documents(api: Api, tmp_path: Path) -> None:
    write(tmp_path, {"oven.md": "# The oven\n\nHot.\n\n## Steam\n\nTen minutes.", "a/b.txt": "Lights out."})
    steps: list[Step] = []
    result = await run(api, tmp_path, on_step=steps.append)
    assert changes(result) == (2, 0, 0, 0)
    assert (result.status, result.kind, result.chunks) == ("SUCCEEDED", "full", 3)
    assert steps == [
        Step(1, 2, "a/b.txt", Change.ADDED, 1),
        Step(2, 2, "oven.md", Change.ADDED, 2),
    ]
    base = await stored(api)
    assert kept(base) == {
        "chunkSize": 1600,
        "chunkOverlap": 200,
        "include": [],
        "exclude": [],
        "syncedFrom": str(tmp_path),
    }
    oven, lights = base["documents"]
    assert (oven["externalId"], oven["name"], oven["type"]) == ("oven.md", "The oven", "text/markdown")
    assert (oven["version"], oven["status"], oven["metadata"]) == ("default", "READY", {"synced": True})
    assert oven["size"] == (tmp_path / "oven.md").stat().st_size
    assert [chunk["content"] for chunk in oven["chunks"]["nodes"]] == [
        "The oven\n\nHot.",
        "The oven > Steam\n\nTen minutes.",
    ]
    assert (lights["externalId"], lights["name"]) == ("a/b.txt", "b.txt")
    assert base["syncs"] == [
        {
            "status": "SUCCEEDED",
            "kind": "full",
            "commitSha": None,
            "added": 2,
            "modified": 0,
            "removed": 0,
            "chunksWritten": 3,
            "error": None,
            "job": None,
        }
    ]


async def test_the_next_sync_writes_only_what_has_changed(api: Api, tmp_path: Path) -> None:
    write(tmp_path, {"a.md": "A", "b.md": "B", "c.md": "C"})
    await run(api, tmp_path)
    before = {each["externalId"]: each for each in (await stored(api))["documents"]}
    write(tmp_path, {"b.md": "new", "d.md": "D"})
    (tmp_path / "c.md").unlink()
    result = await run(api, tmp_path)
    assert changes(result) == (1, 1, 1, 1)
    assert (result.status, result.kind) == ("SUCCEEDED", "incremental")
    after = {each["externalId"]: each for each in (await stored(api))["documents"]}
    assert after.keys() == {"a.md", "b.md", "d.md"}
    assert after["a.md"] == before["a.md"]
    assert after["b.md"]["chunks"]["nodes"][0]["content"] == "b\n\nnew"
    result = await run(api, tmp_path)
    assert (changes(result), result.status) == ((0, 0, 0, 3), "SKIPPED")
    assert [each["status"] for each in (await stored(api))["syncs"]] == ["SUCCEEDED", "SUCCEEDED", "SKIPPED"]


async def test_a_change_of_the_sizes_splits_everything_again_and_is_kept(api: Api, tmp_path: Path) -> None:
    write(tmp_path, {"a.md": "word " * 200, "b.md": "B"})
    await run(api, tmp_path)
    result = await run(api, tmp_path, chunk_size=400, chunk_overlap=0)
    assert (changes(result), result.kind, result.chunks) == ((0, 2, 0, 0), "full", 4)
    assert changes(await run(api, tmp_path)) == (0, 0, 0, 2)
    assert (kept(await stored(api))["chunkSize"], kept(await stored(api))["chunkOverlap"]) == (400, 0)
    # The overlap goes with its size.
    await run(api, tmp_path, chunk_size=800)
    assert kept(await stored(api))["chunkOverlap"] == 100


async def test_the_sizes_may_be_set_before_the_first_sync(api: Api, tmp_path: Path) -> None:
    await factories.knowledge_base(
        api, name="handbook", source={"url": "https://example.com", "chunkSize": 800}
    )
    await run(api, write(tmp_path, {"a.md": "A"}))
    base = await stored(api)
    assert base["source"].items() >= {"url": "https://example.com", "chunkSize": 800}.items()
    assert (kept(base)["chunkSize"], kept(base)["chunkOverlap"]) == (800, 100)


@pytest.mark.parametrize(
    ("source", "options", "message"),
    [
        ({}, {"chunk_size": 100}, "chunkSize must be from 200 to 20,000 characters, not 100"),
        ({}, {"chunk_size": 400, "chunk_overlap": 300}, "from 0 to half of chunkSize, 200, not 300"),
        ({"chunkSize": "long"}, {}, "has a chunkSize that is no whole number"),
        ({"include": "*.md"}, {}, "has an include that is no list of texts"),
    ],
)
async def test_options_that_cannot_be_used_are_refused(
    api: Api, tmp_path: Path, source: dict[str, Any], options: dict[str, Any], message: str
) -> None:
    await factories.knowledge_base(api, name="handbook", source=source)
    with pytest.raises(BadUserInputError, match=message):
        await run(api, write(tmp_path, {"a.md": "A"}), **options)
    [recorded] = (await stored(api))["syncs"]
    assert recorded["status"] == "FAILED"
    assert message in recorded["error"]


async def test_patterns_are_kept_and_remove_what_they_no_longer_choose(api: Api, tmp_path: Path) -> None:
    write(tmp_path, {"a.md": "A", "b.txt": "B", "tests/c.md": "C"})
    assert changes(await run(api, tmp_path)) == (3, 0, 0, 0)
    assert changes(await run(api, tmp_path, include=("*.md",), exclude=("tests/",))) == (0, 0, 2, 1)
    assert changes(await run(api, tmp_path)) == (0, 0, 0, 1)
    assert changes(await run(api, tmp_path, exclude=())) == (1, 0, 0, 1)


async def test_only_documents_of_syncs_are_removed(api: Api, tmp_path: Path) -> None:
    base = await factories.knowledge_base(api, name="handbook")
    await factories.knowledge_document(api, base.id, external_id="by-hand")
    await factories.knowledge_document(api, base.id)
    await factories.knowledge_document(api, base.id, external_id="a.md", version="other")
    write(tmp_path, {"a.md": "A", "b.md": "B"})
    await run(api, tmp_path)
    (tmp_path / "b.md").unlink()
    assert changes(await run(api, tmp_path)) == (0, 0, 1, 1)
    assert len((await stored(api))["documents"]) == 4


async def test_a_document_of_a_client_is_left_alone(api: Api, tmp_path: Path) -> None:
    base = await factories.knowledge_base(api, name="handbook")
    own = await factories.knowledge_document(api, base.id, external_id="a.md", name="By hand")
    await factories.knowledge_chunks_of(api, own.id, {"content": "kept"})
    write(tmp_path, {"a.md": "A", "b.md": "B"})
    steps: list[Step] = []
    for _ in range(2):
        result = await run(api, tmp_path, on_step=steps.append)
        assert result.skipped == {"document of a client": 1}
    assert steps[0] == Step(1, 2, "a.md", Change.SKIPPED, reason="document of a client")
    (tmp_path / "a.md").unlink()
    assert changes(await run(api, tmp_path)) == (0, 0, 0, 1)
    found = {each["externalId"]: each for each in (await stored(api))["documents"]}
    assert found["a.md"]["name"] == "By hand"
    assert found["a.md"]["chunks"]["nodes"][0]["content"] == "kept"


async def test_files_that_are_gone_during_a_sync_keep_their_documents_until_the_next(
    api: Api, tmp_path: Path
) -> None:
    write(tmp_path / "disk", {"a.md": "A", "b.md": "B"})
    await run(api, tmp_path / "disk")

    def unmount(step: Step) -> None:
        if step.done == 1:
            (tmp_path / "disk").rename(tmp_path / "away")

    result = await run(api, tmp_path / "disk", on_step=unmount)
    assert (changes(result), result.skipped) == ((0, 0, 0, 1), {"gone meanwhile": 1})
    assert (await stored(api))["documentCount"] == 2


async def test_each_version_keeps_its_own_patterns_and_sizes(api: Api, tmp_path: Path) -> None:
    write(tmp_path, {"a.md": "A", "b.txt": "B"})
    await run(api, tmp_path, version="all", chunk_size=800)
    await run(api, tmp_path, version="texts", include=("*.txt",))
    assert changes(await run(api, tmp_path, version="all")) == (0, 0, 0, 2)
    assert changes(await run(api, tmp_path, version="texts")) == (0, 0, 0, 1)
    base = await stored(api)
    assert [kept(base, version)["chunkSize"] for version in ("all", "texts")] == [800, 1600]


async def test_a_file_that_cannot_be_read_for_a_moment_keeps_its_document(
    api: Api, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, {"a.md": "A", "b.md": "B"})
    await run(api, tmp_path)

    def failing(path: Path) -> bytes:
        # The user of tests may be root, who can read everything.
        if path.name == "a.md":
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return path.read_bytes()

    steps: list[Step] = []
    with monkeypatch.context() as patch:
        patch.setattr(files, "read", failing)
        result = await run(api, tmp_path, on_step=steps.append)
    assert (changes(result), result.failed) == ((0, 0, 0, 2), 1)
    failed = [(step.name, step.reason) for step in steps if step.has_failed]
    assert failed == [("a.md", os.strerror(errno.EIO))]
    assert [each["chunkCount"] for each in (await stored(api))["documents"]] == [1, 1]
    assert changes(await run(api, tmp_path)) == (0, 0, 0, 2)


async def test_versions_stand_beside_each_other(api: Api, tmp_path: Path) -> None:
    one, two = write(tmp_path / "1", {"a.md": "old"}), write(tmp_path / "2", {"a.md": "new"})
    await run(api, one, version="v1")
    await run(api, two, version="v2")
    contents = {
        document["version"]: document["chunks"]["nodes"][0]["content"]
        for document in (await stored(api))["documents"]
    }
    assert contents == {"v1": "a\n\nold", "v2": "a\n\nnew"}


async def test_another_path_takes_the_place_of_the_first_only_if_it_is_said(api: Api, tmp_path: Path) -> None:
    one, two = write(tmp_path / "1", {"a.md": "A", "b.md": "B"}), write(tmp_path / "2", {"a.md": "A"})
    await run(api, one)
    with pytest.raises(ConflictError, match=f"the version default is synced from {one}: choose another"):
        await run(api, two)
    assert changes(await run(api, two, replace=True)) == (0, 0, 1, 1)
    assert changes(await run(api, two)) == (0, 0, 0, 1)


async def test_a_path_without_files_removes_nothing(api: Api, tmp_path: Path) -> None:
    write(tmp_path, {"a.md": "A"})
    await run(api, tmp_path)
    (tmp_path / "a.md").rename(tmp_path / ".a.md")
    with pytest.raises(BadUserInputError, match=r"has no files to read \(1 hidden\), so nothing is changed"):
        await run(api, tmp_path)
    assert (await stored(api))["documentCount"] == 1


async def test_files_that_cannot_be_read_become_documents_that_failed(
    api: Api, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "MAX_BYTES", 100_000)
    write(tmp_path, {"a.md": "A", "b.pdf": "broken", "c.txt": "c" * 100_001, "empty.md": " ", "x.png": b"\0"})
    steps: list[Step] = []
    result = await run(api, tmp_path, on_step=steps.append)
    assert (changes(result), result.failed, result.status) == ((3, 0, 0, 0), 2, "SUCCEEDED")
    assert result.skipped == {"empty": 1, "binary": 1}
    assert [step.name for step in steps if step.has_failed] == ["b.pdf", "c.txt"]
    failed = {
        each["externalId"]: each for each in (await stored(api))["documents"] if each["status"] == "FAILED"
    }
    assert failed.keys() == {"b.pdf", "c.txt"}
    assert failed["b.pdf"]["statusMessage"].startswith("cannot be read as a PDF: ")
    assert failed["c.txt"]["statusMessage"].startswith("has more than 0 MB")
    # The same fault is not reported again.
    again = await run(api, tmp_path)
    assert (changes(again), again.failed, again.status) == ((0, 0, 0, 3), 0, "SKIPPED")
    write(tmp_path, {"b.pdf": pdf("mended"), "a.md": b"%PDF- broken now"})
    mended = await run(api, tmp_path)
    assert (changes(mended), mended.failed) == ((0, 2, 0, 1), 1)
    found = {each["externalId"]: each for each in (await stored(api))["documents"]}
    assert (found["b.pdf"]["status"], found["b.pdf"]["statusMessage"]) == ("READY", None)
    assert (found["a.md"]["status"], found["a.md"]["chunkCount"]) == ("FAILED", 0)


async def test_a_document_with_too_many_chunks_fails_alone(
    api: Api, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(knowledge_chunks, "MAX_CHUNKS", 2)
    write(tmp_path, {"a.md": "word " * 300, "b.md": "B"})
    result = await run(api, tmp_path, chunk_size=400)
    assert (result.added, result.failed) == (2, 1)
    failed, ready = (await stored(api))["documents"]
    assert failed["statusMessage"].startswith("the document would have 5 chunks")
    assert (failed["status"], failed["chunkCount"], ready["status"]) == ("FAILED", 0, "READY")


async def test_a_document_of_many_chunks_is_written_whole(api: Api, tmp_path: Path) -> None:
    lines = [
        f"Line {number} of a long text, which goes on until it has about two hundred characters."
        for number in range(9_000)
    ]
    write(tmp_path, {"long.txt": "\n\n".join(lines)})
    result = await run(api, tmp_path, chunk_size=200, chunk_overlap=0)
    assert result.chunks > 2 * knowledge_chunks.MAX_PUT
    base = await stored(api)
    assert base["documents"][0]["chunkCount"] == base["chunkCount"] == result.chunks


async def test_names_that_are_too_long_or_no_text_have_documents_too(api: Api, tmp_path: Path) -> None:
    deep = "/".join(["folder" * 10] * 5) + "/a.md"
    write(tmp_path, {deep: "A", "b.md": "B"})
    (tmp_path / os.fsdecode(b"caf\xe9.md")).write_text("coffee")
    await run(api, tmp_path)
    ids = sorted(each["externalId"] for each in (await stored(api))["documents"])
    assert ids[0] == "b.md"
    assert ids[1].startswith("caf?.md~")
    assert (len(ids[2]), ids[2][:200]) == (255, deep[:200])
    assert changes(await run(api, tmp_path)) == (0, 0, 0, 3)


async def test_a_checkout_records_its_commit_unless_its_files_differ(api: Api, tmp_path: Path) -> None:
    write(tmp_path, {"a.md": "A", "b.md": "B"})
    first = commit(tmp_path)
    await run(api, tmp_path)
    assert (await stored(api))["lastCommitSha"] == first
    write(tmp_path, {"b.md": "changed"})
    assert changes(await run(api, tmp_path)) == (0, 1, 0, 1)
    second = commit(tmp_path)
    assert changes(await run(api, tmp_path)) == (0, 0, 0, 2)
    (tmp_path / "b.md").unlink()
    await run(api, tmp_path)
    assert [each["commitSha"] for each in (await stored(api))["syncs"]] == [first, None, second, None]


async def test_a_dry_run_tells_the_changes_and_writes_nothing(api: Api, tmp_path: Path) -> None:
    write(tmp_path, {"a.md": "A", "b.md": "B", "c.md": "C"})
    result = await run(api, tmp_path, dry_run=True)
    assert (changes(result), result.sync_id) == ((3, 0, 0, 0), None)
    assert (await api.ask("{ knowledgeBases { totalCount } }"))["knowledgeBases"]["totalCount"] == 0
    await run(api, tmp_path)
    before = await stored(api)
    write(tmp_path, {"a.md": "changed"})
    (tmp_path / "b.md").unlink()
    steps: list[Step] = []
    assert changes(await run(api, tmp_path, dry_run=True, on_step=steps.append)) == (0, 1, 1, 1)
    assert [(step.name, step.change) for step in steps] == [
        ("a.md", Change.MODIFIED),
        ("c.md", Change.UNCHANGED),
        ("b.md", Change.REMOVED),
    ]
    assert await stored(api) == before


async def test_a_second_sync_of_a_base_is_refused_while_one_runs(api: Api, tmp_path: Path) -> None:
    write(tmp_path, {f"{number}.md": "text" for number in range(20)})
    began, go_on = asyncio.Event(), asyncio.Event()
    put = sync._put  # noqa: SLF001 the moment between two documents

    async def waiting(write_: UnitOfWork, **values: Any) -> None:
        began.set()
        await go_on.wait()
        await put(write_, **values)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sync, "_put", waiting)
        first = asyncio.ensure_future(run(api, tmp_path))
        await began.wait()
        with pytest.raises(ConflictError, match="another sync of the knowledge base handbook is running"):
            await run(api, tmp_path)
        go_on.set()
        assert changes(await first) == (20, 0, 0, 0)
    assert [each["status"] for each in (await stored(api))["syncs"]] == ["SUCCEEDED"]


async def test_a_sync_that_lost_its_lock_ends_when_another_has_begun(
    api: Api, database_url: str, tmp_path: Path
) -> None:
    write(tmp_path, {f"{number}.md": "text" for number in range(5)})
    began, go_on = asyncio.Event(), asyncio.Event()
    document = sync._document  # noqa: SLF001 the moment between two documents

    async def waiting(*given: Any) -> Any:
        if not began.is_set():
            began.set()
            await go_on.wait()
        return await document(*given)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sync, "_document", waiting)
        first = asyncio.ensure_future(run(api, tmp_path))
        await began.wait()
        assert await asyncio.to_thread(databases.run, database_url, _CUT) == [True]
        assert sum(changes(await run(api, tmp_path))) == 5
        go_on.set()
        with pytest.raises(ConflictError, match="another sync of the knowledge base has begun"):
            await first
    base = await stored(api)
    assert sorted(each["status"] for each in base["syncs"]) == ["FAILED", "SUCCEEDED"]
    assert base["documentCount"] == base["chunkCount"] == 5


_CUT = """
SELECT pg_terminate_backend(pid, 60000) FROM pg_locks JOIN pg_database AS own ON own.oid = database
WHERE locktype = 'advisory' AND datname = current_database() AND objsubid = 1"""
"""Ends the session that holds the lock of a sync, and waits for its end.

No other session of this database holds a lock of one number.
"""


async def test_a_cancelled_sync_is_recorded_and_the_next_one_goes_on(api: Api, tmp_path: Path) -> None:
    write(tmp_path, {f"{number}.md": "text" for number in range(5)})
    tasks: list[asyncio.Task[Result]] = []

    def cancel(step: Step) -> None:
        if step.done == 2:
            tasks[0].cancel()

    tasks.append(asyncio.create_task(run(api, tmp_path, on_step=cancel)))
    with pytest.raises(asyncio.CancelledError):
        await tasks[0]
    base = await stored(api)
    assert [(each["status"], each["added"], each["error"]) for each in base["syncs"]] == [
        ("FAILED", 2, "the sync was interrupted")
    ]
    assert [each["status"] for each in base["documents"]] == ["READY"] * 2
    assert changes(await run(api, tmp_path)) == (3, 0, 0, 2)


async def test_a_sync_that_died_is_marked_by_the_next(api: Api, tmp_path: Path) -> None:
    base = await factories.knowledge_base(api, name="handbook")
    await factories.knowledge_sync(api, base.id)
    await run(api, write(tmp_path, {"a.md": "A"}))
    died, last = (await stored(api))["syncs"]
    assert died["status"] == "FAILED"
    assert died["error"].startswith("the sync ended without a result")
    assert last["status"] == "SUCCEEDED"


async def test_a_base_is_found_by_its_name_or_else_by_its_external_id(api: Api, tmp_path: Path) -> None:
    write(tmp_path, {"a.md": "A"})
    await factories.knowledge_base(api, name="Docs", external_id="handbook")
    await run(api, tmp_path)
    assert (await stored(api, "Docs"))["documentCount"] == 1
    await factories.knowledge_base(api, name="handbook")
    await run(api, tmp_path)
    assert (await stored(api))["documentCount"] == 1


async def test_projects_share_nothing(api: Api, other: Api, tmp_path: Path) -> None:
    write(tmp_path, {"a.md": "A"})
    assert changes(await run(api, tmp_path)) == (1, 0, 0, 0)
    assert changes(await run(other, tmp_path)) == (1, 0, 0, 0)


async def test_a_sync_names_its_job_and_stays_when_that_is_deleted(api: Api, tmp_path: Path) -> None:
    [job] = await factories.enqueued(api, {"queue": "knowledge", "name": "sync"})
    await run(api, write(tmp_path, {"a.md": "A"}), job_id=job.id)
    [recorded] = (await stored(api))["syncs"]
    assert recorded["job"] == {"name": "sync"}
    found = await api.ask(
        "query($job: ID!) { knowledgeSyncs(filter: {jobId: {eq: $job}}) { totalCount } }", job=job.id
    )
    assert found["knowledgeSyncs"]["totalCount"] == 1
    await api.ask("mutation($id: ID!) { deleteJob(id: $id) { ids } }", id=job.id)
    [recorded] = (await stored(api))["syncs"]
    assert (recorded["status"], recorded["job"]) == ("SUCCEEDED", None)


async def test_a_path_of_a_client_must_be_within_the_folder(api: Api, tmp_path: Path) -> None:
    inside, outside = write(tmp_path / "in", {"a.md": "A"}), write(tmp_path / "out", {"b.md": "B"})
    (inside / "link").symlink_to(outside)
    write(inside, {".env": "secret", ".ssh/key": "secret", "sub/.env": "secret"})
    assert changes(await run(api, inside, within=inside)) == (1, 0, 0, 0)
    for hidden in (".env", ".ssh", ".ssh/key", "sub/.env", "sub/../.env"):
        with pytest.raises(BadUserInputError, match="path must not lead to a hidden file or folder"):
            await run(api, inside / hidden, within=inside, replace=True)
    for path in (outside, inside / "link", inside / "../out"):
        with pytest.raises(BadUserInputError, match=f"path must be within {inside}"):
            await run(api, path, within=inside)


async def test_a_path_of_a_client_must_not_be_ignored_by_git(api: Api, tmp_path: Path) -> None:
    write(
        tmp_path, {".gitignore": "private/\nkey.txt\n", "a.md": "A", "private/b.md": "B", "key.txt": "secret"}
    )
    commit(tmp_path)
    for ignored in ("private", "private/b.md", "key.txt"):
        with pytest.raises(BadUserInputError, match="path must not lead to what git ignores"):
            await run(api, tmp_path / ignored, within=tmp_path)
    assert changes(await run(api, tmp_path, within=tmp_path)) == (1, 0, 0, 0)


async def test_a_document_that_was_deleted_is_written_again(api: Api, tmp_path: Path) -> None:
    write(tmp_path, {"a.md": "A", "b.md": "B"})
    await run(api, tmp_path)
    a = (await stored(api))["documents"][0]
    await api.ask("mutation($id: ID!) { deleteKnowledgeDocument(id: $id) { ids } }", id=a["id"])
    assert changes(await run(api, tmp_path)) == (1, 0, 0, 1)
    base = await stored(api)
    assert (base["documentCount"], base["chunkCount"]) == (2, 2)
