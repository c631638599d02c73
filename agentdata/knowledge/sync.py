"""Brings a version of a knowledge base up to date with a folder, a git checkout or a file.

The command `agentdata knowledge sync` calls `sync`, and so does a worker for a job. Each document is written
in one transaction with its chunks, so a sync that is broken off leaves it as it was or complete, and the next
sync goes on. Only one sync of a base runs at a time: it holds a lock that ends with its connection.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import time
from collections import Counter
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import or_, select

from agentdata.checks import check
from agentdata.errors import AgentDataError, BadUserInputError, ConflictError, LimitExceededError
from agentdata.knowledge import files, reading, splitting
from agentdata.knowledge.parsing import Parser
from agentdata.operations import knowledge_bases, knowledge_chunks, knowledge_documents, knowledge_syncs
from agentdata.operations.knowledge_documents import DEFAULT_VERSION
from agentdata.operations.unit_of_work import UnitOfWork, run
from models import KnowledgeBase, KnowledgeVersion
from models.enums import KnowledgeDocumentStatus, KnowledgeSyncStatus

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from uuid import UUID

    from agentdata.database import Database
    from agentdata.knowledge.files import File, Source
    from agentdata.knowledge.splitting import Splitting

BINARY, EMPTY, GONE = "binary", "empty", "gone meanwhile"
"""Why a file that was opened has no document."""

FOREIGN = "document of a client"
"""Why a file was not opened: a client has written a document of its name, which a sync does not change."""

_SYNCED = "synced"
"""The key in the metadata of documents that syncs made, which only they remove."""

_CONNECTIONS = 2
"""One holds the lock, the other writes."""

_REPORT_S = 5.0
"""How often the row of a running sync gets its counts."""

_NAME_LENGTH = 255

_KEPT = ("chunkSize", "chunkOverlap", "include", "exclude")
"""The options that the source of a base may name for all versions."""

_LOCK = """
SELECT pg_try_advisory_xact_lock(hashtextextended($1::uuid::text || ' sync ' || $2::uuid::text, 0)) AS free"""

_HOLD = """
SELECT FROM knowledge_syncs WHERE project_id = $1 AND id = $2 AND status = 'RUNNING' FOR SHARE"""
"""Keeps a sync from being marked as ended by the next one, until the transaction ends."""

_STORED = """
SELECT external_id, hash, metadata ? 'synced' AS synced,
  CASE WHEN status = 'FAILED' THEN status_message END AS failure
FROM knowledge_documents
WHERE project_id = $1 AND knowledge_base_id = $2 AND version = $3 AND external_id IS NOT NULL"""


@dataclass(frozen=True)
class Options:
    """How to sync. The base keeps all but the last two for the version; None means as it was synced last."""

    chunk_size: int | None = None
    chunk_overlap: int | None = None
    """By default an eighth of the size."""
    include: tuple[str, ...] | None = None
    exclude: tuple[str, ...] | None = None
    replace: bool = False
    """Let the path take the place of the one that the version was synced from before."""
    dry_run: bool = False
    """Write nothing."""


class Change(Enum):
    """The change that a sync makes to the document of a file."""

    ADDED = "added"
    MODIFIED = "modified"
    REMOVED = "removed"
    UNCHANGED = "unchanged"
    SKIPPED = "skipped"


class Step(NamedTuple):
    """A file that a sync is done with."""

    done: int
    """How many files are done, of all that are there; those that are gone do not count."""
    total: int
    name: str
    change: Change
    chunks: int = 0
    reason: str | None = None
    """Why the file was skipped, or why its document is FAILED."""

    @property
    def has_failed(self) -> bool:
        """Whether the document is FAILED."""
        return self.reason is not None and self.change is not Change.SKIPPED


@dataclass
class Result:
    """The counts of a sync so far."""

    sync_id: UUID | None = None
    """The id of the `KnowledgeSync`; None for a dry run."""
    status: KnowledgeSyncStatus = KnowledgeSyncStatus.RUNNING
    kind: str = "incremental"
    commit: str | None = None
    added: int = 0
    modified: int = 0
    removed: int = 0
    unchanged: int = 0
    failed: int = 0
    """The documents of this sync that are FAILED; they count as added or modified, too."""
    chunks: int = 0
    skipped: Counter[str] = field(default_factory=Counter)
    """The numbers of files without a document, by reason."""

    @property
    def values(self) -> dict[str, Any]:
        """The counts as values of a `KnowledgeSync`."""
        return {
            "commit_sha": self.commit,
            "added": self.added,
            "modified": self.modified,
            "removed": self.removed,
            "chunks_written": self.chunks,
        }


class _Stored(NamedTuple):
    """A document that the version has."""

    hash: str | None
    synced: bool
    failure: str | None


class _Read(NamedTuple):
    """A file that was read: the values of its document, and its chunks; none if it failed."""

    values: dict[str, Any]
    chunks: list[dict[str, Any]]


class _Unread(NamedTuple):
    """A file that could not be read this time, so that its document stays as it is."""

    reason: str


class _Content(NamedTuple):
    """The content of a file that has changed, and the values of its document so far."""

    values: dict[str, Any]
    data: bytes


async def sync(
    database: Database,
    project_id: UUID,
    path: str | Path,
    base: str,
    *,
    version: str | None = None,
    options: Options | None = None,
    job_id: UUID | None = None,
    within: Path | None = None,
    on_step: Callable[[Step], None] | None = None,
) -> Result:
    """Bring a version of a knowledge base up to date with the files of a path, and return the counts.

    ``base`` is the name or the external id of the base, which is created if there is none. The database needs
    two connections. ``on_step`` is called for each file, from the event loop; files are read in threads, so
    other tasks run meanwhile. With ``job_id`` the recorded sync refers to that job.

    ``within`` is the only folder that may be read, without what is hidden or ignored by git: give it if
    ``path`` is from a client.

    A file that cannot be read becomes a document that is FAILED, and the sync goes on. If the task is
    cancelled, the sync is recorded as FAILED, and what it has written so far stays.

    Raises:
        BadUserInputError: The path cannot be read, has no files, or is not within the folder; or an option is
            not valid.
        ConflictError: Another sync of the base is running, or the version was synced from another path.

    """
    options = options or Options()
    if database.pool.size < _CONNECTIONS:
        raise BadUserInputError(
            "a sync needs two connections to the database; remove pool_size from its address"
        )
    version = version or DEFAULT_VERSION
    check(KnowledgeBase, {"name": base})
    check(KnowledgeVersion, {"version": version})
    row = await run(database, project_id, _find, {"name": base})
    under_way = _Sync(database, project_id, version, options, on_step, within)
    try:
        await under_way.begin(path, row)
    except AgentDataError as error:
        if row is not None and not options.dry_run:
            await _record_failure(database, project_id, row.id, job_id, error)
        raise
    if options.dry_run:
        await under_way.compare(None if row is None else row.id)
        return under_way.result
    row = row or await _create(database, project_id, base)
    async with AsyncExitStack() as stack:
        await _lock(UnitOfWork.on(database, project_id, stack), row)
        await under_way.run(row, job_id)
    return under_way.result


class _Sync:
    """A sync that is under way."""

    def __init__(
        self,
        database: Database,
        project_id: UUID,
        version: str,
        options: Options,
        on_step: Callable[[Step], None] | None,
        within: Path | None,
    ) -> None:
        self.result = Result()
        self._within = within
        self._database = database
        self._project_id = project_id
        self._version = version
        self._options = options
        self._on_step = on_step or (lambda _step: None)
        self._source: Source
        self._kept: dict[str, Any]
        self._splitting: Splitting
        self._reported = 0.0

    async def begin(self, path: str | Path, base: KnowledgeBase | None) -> None:
        """Find the files, with the options and those that the base has kept."""
        before = _kept(base.source if base is not None else {}, self._version)
        self._splitting, include, exclude = _settings(before, self._options)
        source = await asyncio.to_thread(
            files.find, Path(path), include=include, exclude=exclude, within=self._within
        )
        known = before.get("syncedFrom", source.identity)
        if known != source.identity and not self._options.replace:
            raise ConflictError(
                f"the version {self._version} is synced from {known}: choose another --version or --base, or"
                f" let {source.identity} take its place with --replace",
                field="path",
            )
        if not source.files:
            skipped = ", ".join(f"{number:,} {reason}" for reason, number in source.skipped.items())
            raise BadUserInputError(
                f"{path} has no files to read{f' ({skipped})' if skipped else ''}, so nothing is changed;"
                " deleteKnowledgeVersion deletes all documents of a version",
                field="path",
            )
        self._source = source
        self._kept = {
            "chunkSize": self._splitting.size,
            "chunkOverlap": self._splitting.overlap,
            "include": [*include],
            "exclude": [*exclude],
            "syncedFrom": source.identity,
        }
        self.result.commit = source.commit
        self.result.skipped.update(source.skipped)

    async def compare(self, base_id: UUID | None) -> None:
        """Count what would change, and write nothing."""
        await self._write_changes(base_id, {} if base_id is None else await self._stored(base_id))

    async def run(self, base: KnowledgeBase, job_id: UUID | None) -> None:
        """Write what has changed, and record the sync."""
        stored = await self._stored(base.id)
        digest = f":{self._splitting.digest}"
        if not any(each.synced and (each.hash or "").endswith(digest) for each in stored.values()):
            self.result.kind = "full"
        recorded = {"knowledge_base_id": base.id, "kind": self.result.kind, "job_id": job_id}
        kept = {self._version: self._kept}
        self.result.sync_id = await self._write(_open, base_id=base.id, kept=kept, recorded=recorded)
        try:
            await self._write_changes(base.id, stored)
        except BaseException as error:
            self.result.status = KnowledgeSyncStatus.FAILED
            # The database may be the reason; then the next sync marks this one.
            with suppress(Exception):
                await self._finish(_reason(error))
            raise
        result = self.result
        changed = result.added or result.modified or result.removed
        result.status = KnowledgeSyncStatus.SUCCEEDED if changed else KnowledgeSyncStatus.SKIPPED
        await self._finish()

    async def _write_changes(self, base_id: UUID | None, stored: dict[str, _Stored]) -> None:
        """Write the documents of files that have changed, and remove those of files that are gone."""
        self._reported = time.monotonic()
        total = len(self._source.files)
        async for done, file, found in self._read(stored):
            if isinstance(found, str):
                self.result.skipped[found] += 1
                if found is GONE:
                    # If the whole path has gone, as a disk does, the documents are still wanted.
                    stored.pop(_external_id(file.name), None)
                self._on_step(Step(done, total, file.name, Change.SKIPPED, reason=found))
                continue
            known = stored.pop(_external_id(file.name), None)
            if found is None or isinstance(found, _Unread):
                reason = None if found is None else found.reason
                self.result.unchanged += 1
                self.result.failed += reason is not None
                self._on_step(Step(done, total, file.name, Change.UNCHANGED, reason=reason))
                continue
            written = await self._put(base_id, found)
            change = Change.ADDED if known is None else Change.MODIFIED
            failure = written.values.get("status_message")
            self.result.added += known is None
            self.result.modified += known is not None
            self.result.chunks += len(written.chunks)
            self.result.failed += failure is not None
            self._on_step(Step(done, total, file.name, change, len(written.chunks), failure))
            await self._report()
        await self._remove(base_id, [name for name, document in stored.items() if document.synced])

    async def _stored(self, base_id: UUID) -> dict[str, _Stored]:
        """Return the documents of the version by their external ids."""

        async def find(write: UnitOfWork) -> dict[str, _Stored]:
            records = await write.fetch(_STORED, write.project_id, base_id, self._version)
            return {each["external_id"]: _Stored(*tuple(each)[1:]) for each in records}

        return await run(self._database, self._project_id, find, {})

    async def _read(
        self, stored: dict[str, _Stored]
    ) -> AsyncIterator[tuple[int, File, _Read | _Unread | str | None]]:
        """Read each file: yield why it was skipped, None if it has not changed, or its document."""
        async with Parser() as parser:
            for done, file in enumerate(self._source.files, start=1):
                known = stored.get(_external_id(file.name))
                if known is not None and not known.synced:
                    yield done, file, FOREIGN
                    continue
                found, is_committed = await asyncio.to_thread(_look, file, known, self._splitting)
                if not is_committed:
                    self.result.commit = None
                if isinstance(found, _Content):
                    yield done, file, await _document(parser, file, found, self._splitting)
                else:
                    yield done, file, found

    async def _put(self, base_id: UUID | None, read: _Read) -> _Read:
        """Write a document, or that it has failed if it has too many chunks."""
        if self._options.dry_run:
            return read
        own = {"knowledge_base_id": base_id, "version": self._version}
        try:
            await self._write(self._put_held, values=read.values | own, chunks=read.chunks)
        except LimitExceededError as error:
            read = _Read(_failed(read.values, error.message), [])
            await self._write(self._put_held, values=read.values | own, chunks=[])
        return read

    async def _put_held(self, write: UnitOfWork, **document: Any) -> None:
        await self._hold(write)
        await _put(write, **document)

    async def _remove(self, base_id: UUID | None, names: list[str]) -> None:
        total = len(self._source.files)
        for start in range(0, len(names), knowledge_documents.MAX_DOCUMENTS):
            batch = names[start : start + knowledge_documents.MAX_DOCUMENTS]
            if not self._options.dry_run:
                which = {"knowledge_base_id": base_id, "external_ids": batch, "version": self._version}
                await self._write(self._hold)
                # It deletes in transactions of its own.
                await self._write(knowledge_documents.delete_all, **which)
            for name in batch:
                self.result.removed += 1
                self._on_step(Step(total, total, name, Change.REMOVED))
            await self._report()

    async def _report(self) -> None:
        """Show the counts so far, now and then."""
        if self.result.sync_id is None or time.monotonic() - self._reported < _REPORT_S:
            return
        self._reported = time.monotonic()
        await self._write(knowledge_syncs.update, id_=self.result.sync_id, values=self.result.values)

    async def _finish(self, error: str | None = None) -> None:
        own = {"status": self.result.status, "error": error}
        await self._write(knowledge_syncs.finish, id_=self.result.sync_id, values=self.result.values | own)

    async def _hold(self, write: UnitOfWork) -> None:
        """Keep the next sync from beginning until the transaction ends.

        Raises:
            ConflictError: It has begun.

        """
        if not await write.fetch(_HOLD, write.project_id, self.result.sync_id):
            raise ConflictError(
                "another sync of the knowledge base has begun, because this one lost its connection",
                field="base",
            )

    async def _write(self, operation: Callable[..., Any], **arguments: Any) -> Any:
        return await run(self._database, self._project_id, operation, arguments)


def _settings(kept: dict[str, Any], options: Options) -> tuple[Splitting, tuple[str, ...], tuple[str, ...]]:
    """Return how to split, and the patterns of the files: those of the options, or else those kept.

    Raises:
        BadUserInputError: A size or a pattern is not valid.

    """
    size = _kept_number(kept, "chunkSize", options.chunk_size)
    if size is None:
        size = splitting.Splitting().size
    # Another size has another overlap, unless both are given.
    overlap = options.chunk_overlap
    if overlap is None and size == kept.get("chunkSize"):
        overlap = _kept_number(kept, "chunkOverlap", None)
    chosen = splitting.Splitting(size, size // 8 if overlap is None else overlap)
    chosen.check()
    include = _kept_patterns(kept, "include", options.include)
    return chosen, include, _kept_patterns(kept, "exclude", options.exclude)


def _versions(source: dict[str, Any]) -> dict[str, Any]:
    """Return what the source of a base keeps of the syncs of each version."""
    versions = source.get("versions")
    return versions if isinstance(versions, dict) else {}


def _kept(source: dict[str, Any], version: str) -> dict[str, Any]:
    """Return the options of the last sync of a version; those of the base itself are for the first sync."""
    kept = _versions(source).get(version)
    first = {name: source[name] for name in _KEPT if name in source}
    return first | (kept if isinstance(kept, dict) else {})


def _kept_number(kept: dict[str, Any], key: str, given: int | None) -> int | None:
    value = kept.get(key) if given is None else given
    if value is not None and (not isinstance(value, int) or isinstance(value, bool)):
        raise BadUserInputError(
            f"the source of the knowledge base has a {key} that is no whole number", field=key
        )
    return value


def _kept_patterns(kept: dict[str, Any], key: str, given: tuple[str, ...] | None) -> tuple[str, ...]:
    value = kept.get(key, []) if given is None else list(given)
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise BadUserInputError(
            f"the source of the knowledge base has an {key} that is no list of texts", field=key
        )
    return tuple(value)


def _look(
    file: File, known: _Stored | None, how: Splitting
) -> tuple[_Content | _Read | _Unread | str | None, bool]:
    """Read the content of a file, unless its document is up to date; and return whether it is committed.

    Instead of a content, return why it is skipped, None if its document is up to date, or why it failed.
    """
    values: dict[str, Any] = {
        "external_id": _external_id(file.name),
        "name": _short(PurePosixPath(file.name).name),
        "metadata_": {_SYNCED: True},
        "hash": None,
        "size": None,
        "type": None,
    }
    try:
        data = files.read(file.path)
    except FileNotFoundError:
        return GONE, False
    except (OSError, ValueError) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
        if isinstance(error, OSError) and known is not None and known.failure is None:
            # It may be over in a moment, and the document be the only copy.
            return _Unread(reason), False
        is_known = known is not None and known.failure == reason
        return None if is_known else _Read(_failed(values, reason), []), False
    values |= {"hash": f"{files.git_hash(data)}:{how.digest}", "size": len(data)}
    found: _Content | str | None = _Content(values, data)
    if known is not None and known.hash == values["hash"]:
        found = None
    elif not data.strip():
        found = EMPTY
    return found, file.is_committed(data)


async def _document(parser: Parser, file: File, content: _Content, how: Splitting) -> _Read | str:
    """Return the document of a content, or why the file is skipped."""
    try:
        parsed = await parser.parse(reading.clean(file.name), content.data, how)
    except reading.UnreadableError as error:
        return _Read(_failed(content.values, str(error)), [])
    if parsed is None:
        return BINARY
    name = _short(parsed.title) or content.values["name"]
    return _Read(content.values | {"name": name, "type": parsed.type}, parsed.chunks)


def _failed(values: dict[str, Any], reason: str) -> dict[str, Any]:
    return values | {"status": KnowledgeDocumentStatus.FAILED, "status_message": reason}


def _external_id(name: str) -> str:
    """Return the name of a file as an external id: one that is too long or no text ends with a digest."""
    text = name.encode(errors="replace").decode()
    if text == name and len(name) <= _NAME_LENGTH:
        return name
    digest = hashlib.sha256(os.fsencode(name)).hexdigest()[:32]
    return f"{text[: _NAME_LENGTH - len(digest) - 1]}~{digest}"


def _short(text: str) -> str:
    """Return a text as the name of a document."""
    return reading.clean(text).strip()[:_NAME_LENGTH]


def _reason(error: BaseException) -> str:
    """Return why a sync ended."""
    if isinstance(error, AgentDataError):
        return error.message
    if isinstance(error, asyncio.CancelledError | KeyboardInterrupt):
        return "the sync was interrupted"
    # Clients of the project read it, and the text of an unknown error may be about anything.
    return f"the sync was ended by an unexpected error ({type(error).__name__}); its output says which"


async def _find(write: UnitOfWork, name: str) -> KnowledgeBase | None:
    """Return the knowledge base with a name, or else with an external id."""
    statement = select(KnowledgeBase).where(
        *write.in_project(KnowledgeBase), or_(KnowledgeBase.name == name, KnowledgeBase.external_id == name)
    )
    found: list[KnowledgeBase] = [*await write.scalars(statement)]
    return min(found, key=lambda base: base.name != name, default=None)


async def _create(database: Database, project_id: UUID, name: str) -> KnowledgeBase:
    try:
        return await run(database, project_id, knowledge_bases.create, {"values": {"name": name}})
    except ConflictError:
        # Another sync has created it meanwhile.
        base = await run(database, project_id, _find, {"name": name})
        if base is None:
            raise
        return base


async def _lock(write: UnitOfWork, base: KnowledgeBase) -> None:
    """Lock a base against other syncs until the transaction ends.

    Raises:
        ConflictError: Another sync of the base is running.

    """
    # The transaction does nothing else, and some servers end those.
    await write.fetch("SET LOCAL idle_in_transaction_session_timeout = 0")
    [record] = await write.fetch(_LOCK, write.project_id, base.id)
    if not record["free"]:
        raise ConflictError(
            f"another sync of the knowledge base {base.name} is running; try again when it has finished",
            field="base",
        )


async def _open(write: UnitOfWork, base_id: UUID, kept: dict[str, Any], recorded: dict[str, Any]) -> UUID:
    """Keep the options of a sync, and record that it runs; others that still look so have died."""
    await knowledge_syncs.fail_running(
        write, base_id, "the sync ended without a result: its process was stopped, or lost the database"
    )
    before = (await write.get(KnowledgeBase, base_id, lock=True)).source
    source = before | {"versions": _versions(before) | kept}
    if source != before:
        await knowledge_bases.update(write, base_id, {"source": source})
    return (await knowledge_syncs.record(write, recorded)).id


async def _put(write: UnitOfWork, values: dict[str, Any], chunks: list[dict[str, Any]]) -> None:
    """Put a document with all of its chunks."""
    document = await knowledge_documents.put(write, values)
    failed = "status" in values
    for start in range(0, len(chunks) or 1, knowledge_chunks.MAX_PUT):
        await knowledge_chunks.put(
            write,
            document.id,
            chunks[start : start + knowledge_chunks.MAX_PUT],
            replace=start == 0,
            status=None if failed else KnowledgeDocumentStatus.READY,
        )


async def _record_failure(
    database: Database, project_id: UUID, base_id: UUID, job_id: UUID | None, error: AgentDataError
) -> None:
    values = {
        "knowledge_base_id": base_id,
        "status": KnowledgeSyncStatus.FAILED,
        "error": error.message,
        "job_id": job_id,
    }
    await run(database, project_id, knowledge_syncs.record, {"values": values})
