"""Makes the vectors that chunks and memories lack, of the model of the embeddings endpoint.

Each batch is read, sent to the endpoint, and stored on its own, and no connection is held while the endpoint
works. So a job that is broken off at any point goes on where it was, and one that runs twice does no harm.

The worker remembers until when a project was complete, so that it looks only at what was written since. It
remembers so for as long as it lives; its first look at a project goes through all texts.
"""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import UUID

from agentdata.errors import AgentDataError, BadUserInputError, NotFoundError
from agentdata.operations import embedding_jobs, embeddings, knowledge_embeddings
from agentdata.operations.unit_of_work import run
from agentdata.vectors import check_dimensions

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence

    from asyncpg import Record

    from agentdata.database import Database
    from agentdata.embeddings import Embedder
    from agentdata.operations.unit_of_work import UnitOfWork
    from agentdata.vectors import Vector
    from agentdata.worker.finding import Finder
    from agentdata.worker.running import Work

_PAGE = 5_000
"""How many texts one statement looks through for those without a vector."""

_OVERLAP = timedelta(minutes=10)
"""How long before a look a text may have been dated that the look did not see: no transaction is longer."""

_AGAIN_S = 60.0
"""How long after the end of a job its project is looked at again."""

_SWEEP_S = 300.0
"""How often all projects are looked at."""

_ATTEMPTS = 3
"""How often the vectors of a batch are stored while its texts are deleted."""

_LOOKS = 10
"""How many projects are looked at between two claims."""

_BEGINNING = datetime.min.replace(tzinfo=UTC)
_FIRST_ID = UUID(int=0)

_BASES = """
SELECT id, name, updated_at,
  CASE embedding_model WHEN $2 THEN dimensions ELSE next_dimensions END AS dimensions
FROM knowledge_bases
WHERE project_id = $1 AND (embedding_model = $2 OR next_embedding_model = $2) ORDER BY id"""

_PAGE_OF_CHUNKS = f"""
WITH page AS MATERIALIZED (
  SELECT id, created_at AS at FROM knowledge_chunks
  WHERE project_id = $1 AND knowledge_base_id = $5 AND (created_at, id) > ($3, $4)
  ORDER BY created_at, id LIMIT {_PAGE}
)
SELECT page.id, page.at, own.chunk_id IS NULL AS is_missing FROM page LEFT JOIN knowledge_embeddings AS own
  ON own.project_id = $1 AND own.chunk_id = page.id AND own.model = $2
ORDER BY page.at, page.id"""  # noqa: S608  # a number of this file

_PAGE_OF_MEMORIES = f"""
WITH page AS MATERIALIZED (
  SELECT id, updated_at AS at FROM memories WHERE project_id = $1 AND (updated_at, id) > ($3, $4)
  ORDER BY updated_at, id LIMIT {_PAGE}
)
SELECT page.id, page.at, own.memory_id IS NULL AS is_missing FROM page LEFT JOIN memory_embeddings AS own
  ON own.project_id = $1 AND own.memory_id = page.id AND own.model = $2
ORDER BY page.at, page.id"""  # noqa: S608  # as above

_CHUNKS = """
SELECT id, content FROM knowledge_chunks
WHERE project_id = $1 AND knowledge_base_id = $2 AND id = ANY($3::uuid[])"""

_MEMORIES = """
SELECT id, concat_ws(E'\\n\\n', name, description, content) AS content FROM memories
WHERE project_id = $1 AND id = ANY($2::uuid[])"""

_HOLD_MEMORIES = f"{_MEMORIES} ORDER BY id FOR NO KEY UPDATE"
"""Writers of the texts of memories wait, so that no vector of an older text comes after theirs."""


class _Source(NamedTuple):
    """The texts of a knowledge base, or the memories of the project."""

    base_id: UUID | None
    since: datetime
    dimensions: int | None = None
    """The size of the vectors that the base takes, if it is known."""
    name: str = ""
    """The name of the base."""

    def page(self, after: tuple[datetime, UUID], model: str) -> tuple[str, tuple[Any, ...]]:
        """Return the statement of the texts behind one, and its arguments."""
        if self.base_id is None:
            return _PAGE_OF_MEMORIES, (model, *after)
        return _PAGE_OF_CHUNKS, (model, *after, self.base_id)


@dataclass
class _Outcome:
    """The counts of a job so far."""

    sent: int = 0
    """How many texts were sent to the endpoint; some of them may have changed meanwhile."""
    embedded: int = 0
    refused: set[UUID] = field(default_factory=set)
    """The texts that the endpoint does not take, each of which was tried by itself."""
    failures: dict[UUID | None, AgentDataError] = field(default_factory=dict)
    """Why bases do not take the vectors."""


class Embedding:
    """The kind of work that makes vectors."""

    name = "embed"

    def __init__(self, database: Database, finder: Finder, embedder: Embedder) -> None:
        self.queue = embedding_jobs.queue_of(embedder.model)
        self._database = database
        self._finder = finder
        self._embedder = embedder
        self._complete_until: dict[UUID, datetime] = {}
        self._again: dict[UUID, float] = {}
        """When projects are to be looked at, by the clock of this process."""
        self._next_sweep = 0.0
        self._made: Vector | None = None
        """A vector that the endpoint has made: all others have its size."""

    async def work(self, work: Work) -> dict[str, int]:
        """Make all vectors that a project lacks; return how many were made, and how many texts were refused.

        Raises:
            AgentDataError: A base does not take the vectors; all others have theirs.
            EmbeddingsUnavailableError: The endpoint does not answer as it should.
            StoppedError: The worker ends.

        """
        outcome, before = _Outcome(), -1
        # Texts that are written meanwhile do not wake a job that is being done, so it looks again.
        while outcome.sent > before:
            began, before = datetime.now(UTC), outcome.sent
            for source in await self._sources(work.project_id):
                if source.base_id not in outcome.failures:
                    await self._fill(work, source, outcome)
            if not outcome.failures:
                self._complete_until[work.project_id] = began
        if outcome.failures:
            raise next(iter(outcome.failures.values()))
        return {"embedded": outcome.embedded, "refused": len(outcome.refused)}

    async def look(self) -> None:
        """Wake the jobs of projects that lack vectors, of a few projects whose time has come."""
        now = monotonic()
        if now >= self._next_sweep:
            self._next_sweep = now + _SWEEP_S
            found = await self._finder.projects_to_embed(self._embedder.model)
            self._again = {project_id: min(self._again.get(project_id, now), now) for project_id in found}
        due = sorted((at, project_id) for project_id, at in self._again.items() if at <= now)
        for _, project_id in due[:_LOOKS]:
            began = datetime.now(UTC)
            if await self._lacks(project_id):
                await run(self._database, project_id, _wake, {})
            else:
                self._complete_until[project_id] = began
            del self._again[project_id]

    def ended(self, project_id: UUID) -> None:
        """Look at a project again soon: a writer may have found the job before it had ended."""
        self._again.setdefault(project_id, monotonic() + _AGAIN_S)

    async def _lacks(self, project_id: UUID) -> bool:
        """Return whether a text of a project has no vector."""
        for source in await self._sources(project_id):
            async with aclosing(self._missing(project_id, source)) as pages:
                async for _ in pages:
                    return True
        return False

    async def _sources(self, project_id: UUID) -> list[_Source]:
        """Return where texts may lack vectors, each with the time since when."""
        until = self._complete_until.get(project_id)
        since = _BEGINNING if until is None else until - _OVERLAP
        bases = await self._database.statement(project_id, _BASES, (project_id, self._embedder.model))
        return [
            _Source(None, since),
            # A base that changed meanwhile may have another model.
            *[
                _Source(
                    base["id"],
                    since if base["updated_at"] < since else _BEGINNING,
                    base["dimensions"],
                    base["name"],
                )
                for base in bases
            ],
        ]

    async def _missing(self, project_id: UUID, source: _Source) -> AsyncGenerator[list[UUID], None]:
        """Yield the ids of texts without a vector, page by page."""
        after = (source.since, _FIRST_ID)
        while True:
            text, arguments = source.page(after, self._embedder.model)
            page = await self._database.statement(project_id, text, (project_id, *arguments))
            missing = [record["id"] for record in page if record["is_missing"]]
            if missing:
                yield missing
            if len(page) < _PAGE:
                return
            after = (page[-1]["at"], page[-1]["id"])

    async def _fill(self, work: Work, source: _Source, outcome: _Outcome) -> None:
        """Make the vectors of a source, in as many batches at a time as the endpoint takes requests."""
        running: set[asyncio.Task[None]] = set()
        size = self._embedder.batch
        if self._made is not None and source.dimensions is not None:
            # Vectors that the base would refuse are not made in the first place.
            try:
                check_dimensions("embedding", self._made, source.dimensions, self._embedder.model)
            except BadUserInputError as error:
                outcome.failures[source.base_id] = _failure(source, error)
                return
        try:
            async with aclosing(self._missing(work.project_id, source)) as pages:
                async for page in pages:
                    missing = [id_ for id_ in page if id_ not in outcome.refused]
                    for start in range(0, len(missing), size):
                        work.check()
                        if source.base_id in outcome.failures:
                            return
                        batch = self._embed(work, source, missing[start : start + size], outcome)
                        running.add(asyncio.create_task(batch))
                        if len(running) >= self._embedder.requests:
                            running = await _one_done(running)
            while running:
                running = await _one_done(running)
        finally:
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)

    async def _embed(self, work: Work, source: _Source, ids: Sequence[UUID], outcome: _Outcome) -> None:
        """Make and store the vectors of a batch."""
        base_id = source.base_id
        which = (_MEMORIES, ids) if base_id is None else (_CHUNKS, base_id, ids)
        text, *arguments = which
        records = await self._database.statement(work.project_id, text, (work.project_id, *arguments))
        texts: dict[UUID, str] = {record["id"]: record["content"] for record in records}
        outcome.sent += len(texts)
        made = await self._embedder.embed([*texts.values()])
        vectors = {id_: vector for id_, vector in zip(texts, made, strict=True) if vector is not None}
        outcome.refused |= texts.keys() - vectors.keys()
        if not vectors:
            return
        self._made = next(iter(vectors.values()))
        store = (
            partial(_store_memories, texts=texts)
            if base_id is None
            else partial(_store_chunks, base_id=base_id)
        )
        values = {"model": self._embedder.model, "vectors": vectors}
        for _ in range(_ATTEMPTS):
            try:
                # Added after the wait: other batches count meanwhile.
                stored = await run(self._database, work.project_id, store, values)
                outcome.embedded += stored
            except NotFoundError:
                # A text, or the whole base, was deleted just now; the next attempt leaves it out.
                continue
            except BadUserInputError as error:
                outcome.failures.setdefault(base_id, _failure(source, error))
            return


def _failure(source: _Source, error: BadUserInputError) -> BadUserInputError:
    """Return an error that also names the base that does not take the vectors."""
    if source.base_id is None:
        return error
    return BadUserInputError(f"the knowledge base {source.name}: {error}", field=error.field)


async def _wake(write: UnitOfWork) -> None:
    await embedding_jobs.wake(write)


async def _store_chunks(write: UnitOfWork, model: str, vectors: dict[UUID, Vector], *, base_id: UUID) -> int:
    """Store the vectors of those chunks that are still there, and return how many."""
    found = [*vectors.values()]
    paths = ["embedding"] * len(found)
    await knowledge_embeddings.hold(write, base_id, model, found, paths, "embeddingModel")
    kept = await write.fetch(_CHUNKS, write.project_id, base_id, [*vectors])
    return await _store(write, embeddings.CHUNKS, model, vectors, kept)


async def _store_memories(
    write: UnitOfWork, model: str, vectors: dict[UUID, Vector], *, texts: dict[UUID, str]
) -> int:
    """Store the vectors of those memories whose text is still the same, and return how many."""
    held = await write.fetch(_HOLD_MEMORIES, write.project_id, [*vectors])
    same = [record for record in held if record["content"] == texts[record["id"]]]
    return await _store(write, embeddings.MEMORIES, model, vectors, same)


async def _store(
    write: UnitOfWork,
    table: embeddings.Table,
    model: str,
    vectors: dict[UUID, Vector],
    kept: Sequence[Record],
) -> int:
    if kept:
        chosen = [(record["id"], vectors[record["id"]]) for record in kept]
        await embeddings.store(write, table, model, chosen, field="embedding")
    return len(kept)


async def _one_done(running: set[asyncio.Task[None]]) -> set[asyncio.Task[None]]:
    """Wait until one of the tasks has ended, and return the others; raise the error of one that failed."""
    done, others = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
    for task in done:
        task.result()
    return others
