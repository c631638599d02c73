"""Measures searches by meaning and writes of vectors, against plain SQL with pgvector in the same database.

    python -m benchmarks.vectors --chunks 200000

The vectors are made by a formula: each is the sum of four out of a few hundred random ones, as texts share
topics, and a little noise. The floor is a table of its own with the same vectors in half precision and an
index of the same kind. Recall compares the ten chunks found with the ten that an exact search finds.
"""

from __future__ import annotations

import asyncio
import base64
import struct
import tempfile
import time
from array import array
from operator import add
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Annotated, Any

import asyncpg
import typer
import uvloop
from rich.console import Console

from agentdata import migrations, provision
from agentdata.embedded import running
from agentdata.operations.api_keys import hash_secret
from benchmarks.contenders.run import CONTENDERS, serving
from benchmarks.database import Urls, connect
from benchmarks.dataset import API_KEY, PROJECT
from benchmarks.load import Client, request

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

BATCH = 200
"""How many chunks a request writes."""

WRITERS = 4
QUERIES = 200
CLIENTS = 16
FOUND = 10
TAGS = 100
"""A filter on one of so many tags keeps 1 %."""

PARTS = (51, 199, 401)
"""How many topics, parts and details there are. Without common divisors, all combinations occur."""

INDEX_S = 7_200
"""How long the index may take, in seconds."""

_BASE = """mutation ($dimensions: Int!) {
  createKnowledgeBase(input: {name: "Vectors", embeddingModel: "formula", dimensions: $dimensions}) { id }
}"""
_DOCUMENT = """mutation ($base: ID!, $name: String!) {
  putKnowledgeDocument(input: {knowledgeBaseId: $base, name: $name, externalId: $name}) { id }
}"""
_PUT = """mutation ($id: ID!, $chunks: [KnowledgeChunkInput!]!) {
  putKnowledgeChunks(documentId: $id, chunks: $chunks) { chunkCount }
}"""
_SEARCH = """query ($embedding: Vector!, $bases: [ID!], $filter: KnowledgeChunkFilter, $query: String) {
  searchKnowledge(
    embedding: $embedding, knowledgeBaseIds: $bases, filter: $filter, query: $query, first: 10
  ) { nodes { score chunk { content } } }
}"""
_FLOOR = "SELECT number, 1 - (embedding <=> $1) FROM floor ORDER BY embedding <=> $1 LIMIT 10"
_FLOOR_FILTERED = (
    "SELECT number, 1 - (embedding <=> $1) FROM floor WHERE tag = $2 ORDER BY embedding <=> $1 LIMIT 10"
)
_EXACT = "SET LOCAL enable_indexscan = off"


class Formula:
    """Makes the vector, the content and the tag of each chunk."""

    def __init__(self, dimensions: int) -> None:
        self.dimensions = dimensions
        random = Random(1)  # noqa: S311  # test data
        self._parts = [
            [self._gauss(random, weight) for _ in range(number)]
            for weight, number in zip((1.0, 0.7, 0.5), PARTS, strict=True)
        ]
        self._noise = array("f", [random.gauss(0, 0.25) for _ in range(dimensions + 10_007)])

    def _gauss(self, random: Random, weight: float) -> array[float]:
        return array("f", [random.gauss(0, weight) for _ in range(self.dimensions)])

    def vector(self, number: int) -> array[float]:
        """Return the vector of a chunk, or of a question: those have numbers below 0."""
        topic, part, detail = (
            parts[number * prime % len(parts)]
            for parts, prime in zip(self._parts, (7_919, 104_729, 1_299_709), strict=True)
        )
        at = number * 15_485_863 % 10_007
        noise = self._noise[at : at + self.dimensions]
        return array("f", map(add, map(add, topic, part), map(add, detail, noise)))

    def content(self, number: int) -> str:
        """Return the content of a chunk, which begins with its number."""
        return (
            f"{number} is about topic{number * 7_919 % PARTS[0]} and part{number * 104_729 % PARTS[1]}, as"
            f" the handbook says in detail{number * 1_299_709 % PARTS[2]}, and one has to read it twice to"
            " know what is meant."
        )

    @staticmethod
    def tag(number: int) -> str:
        """Return the tag of a chunk, which is independent of its vector."""
        return f"t{number * 32_452_843 % 9_973 % TAGS}"


def _sent(vector: array[float]) -> str:
    return base64.b64encode(vector.tobytes()).decode()


def _half(vector: array[float]) -> bytes:
    """Return a vector as pgvector reads one in half precision."""
    return struct.pack(f">HH{len(vector)}e", len(vector), 0, *vector)


async def _write(port: int, formula: Formula, chunks: int) -> str:
    """Write all chunks over HTTP; return the id of their base."""
    client = await Client.connect(port)
    made = await _ask(client, _BASE, dimensions=formula.dimensions)
    base: str = made["createKnowledgeBase"]["id"]
    client.close()
    starts = iter(range(0, chunks, BATCH))

    async def write() -> None:
        client = await Client.connect(port)
        for start in starts:
            document = await _ask(client, _DOCUMENT, base=base, name=f"document {start}")
            given = [
                {
                    "content": formula.content(number),
                    "tags": [formula.tag(number)],
                    "embedding": _sent(formula.vector(number)),
                }
                for number in range(start, min(start + BATCH, chunks))
            ]
            await _ask(client, _PUT, id=document["putKnowledgeDocument"]["id"], chunks=given)
        client.close()

    await asyncio.gather(*[write() for _ in range(WRITERS)])
    return base


async def _ask(client: Client, document: str, /, **variables: Any) -> Any:
    return await client.read(request("/graphql", {"query": document, "variables": variables}))


async def _fill_floor(urls: Urls, formula: Formula, chunks: int) -> tuple[float, float]:
    """Copy all vectors into the floor's table and index them; return both times in seconds."""

    def records() -> Iterator[tuple[int, str, bytes]]:
        for number in range(chunks):
            yield number, formula.tag(number), _half(formula.vector(number))

    async with connect(urls.owner) as connection:
        await _take_vectors(connection)
        size = formula.dimensions
        await connection.execute(
            f"CREATE TABLE floor (number int PRIMARY KEY, tag text, embedding halfvec({size}))"
        )
        began = time.perf_counter()
        await connection.copy_records_to_table("floor", records=records(), timeout=INDEX_S)
        copied = time.perf_counter()
        await connection.execute("SET maintenance_work_mem = '2GB'")
        await connection.execute(
            "CREATE INDEX ON floor USING hnsw (embedding halfvec_cosine_ops)", timeout=INDEX_S
        )
        await connection.execute("CREATE INDEX ON floor (tag)")
        indexed = time.perf_counter()
        await connection.execute("VACUUM (ANALYZE) floor", timeout=INDEX_S)
    return copied - began, indexed - copied


async def _take_vectors(connection: asyncpg.Connection) -> None:
    await connection.set_type_codec("halfvec", schema="public", encoder=bytes, decoder=bytes, format="binary")


async def _floor_connection(url: str) -> asyncpg.Connection:
    connection = await asyncpg.connect(url)
    await _take_vectors(connection)
    await connection.execute(
        "SET hnsw.ef_search = 100; SET hnsw.iterative_scan = relaxed_order; SET jit = off"
    )
    return connection


async def _truth(url: str, questions: Sequence[bytes], tag: str | None) -> list[set[int]]:
    """Return the numbers of the ten nearest chunks to each question, by an exact search."""
    connection = await _floor_connection(url)
    found = []
    for question in questions:
        async with connection.transaction():
            await connection.execute(_EXACT)
            found.append(await _nearest(connection, question, tag))
    await connection.close()
    return found


async def _nearest(connection: asyncpg.Connection, question: bytes, tag: str | None) -> set[int]:
    if tag is None:
        return {record[0] for record in await connection.fetch(_FLOOR, question)}
    return {record[0] for record in await connection.fetch(_FLOOR_FILTERED, question, tag)}


class Timed:
    """The latencies and the hits of searches."""

    def __init__(self) -> None:
        self.times: list[float] = []
        self.hits = 0
        self.wanted = 0

    def add(self, began: float, found: set[int], truth: set[int]) -> None:
        """Add a search."""
        self.times.append((time.perf_counter() - began) * 1000)
        self.hits += len(found & truth)
        self.wanted += len(truth)

    def __str__(self) -> str:
        """Return the recall and the median and late latencies."""
        times = sorted(self.times)
        return (
            f"recall@{FOUND} {self.hits / max(self.wanted, 1):.3f}, p50 {times[len(times) // 2]:.1f} ms,"
            f" p95 {times[int(len(times) * 0.95)]:.1f} ms"
        )


async def _searches(
    port: int, base: str, questions: Sequence[str], truth: Sequence[set[int]], **asked: Any
) -> Timed:
    """Run each search twice, and measure the second time."""
    client, timed = await Client.connect(port), Timed()
    for measured in (False, True):
        for question, right in zip(questions, truth, strict=True):
            began = time.perf_counter()
            data = await _ask(client, _SEARCH, embedding=question, bases=[base], **asked)
            if measured:
                nodes = data["searchKnowledge"]["nodes"]
                timed.add(began, {int(node["chunk"]["content"].split()[0]) for node in nodes}, right)
    client.close()
    return timed


async def _floor_searches(
    url: str, questions: Sequence[bytes], truth: Sequence[set[int]], tag: str | None
) -> Timed:
    connection, timed = await _floor_connection(url), Timed()
    for measured in (False, True):
        for question, right in zip(questions, truth, strict=True):
            began = time.perf_counter()
            found = await _nearest(connection, question, tag)
            if measured:
                timed.add(began, found, right)
    await connection.close()
    return timed


async def _rate(port: int, base: str, questions: Sequence[str], seconds: float) -> float:
    """Return the searches per second of several clients."""
    end = time.perf_counter() + seconds
    done = 0

    async def search(first: int) -> None:
        nonlocal done
        client, at = await Client.connect(port), first
        while time.perf_counter() < end:
            await _ask(client, _SEARCH, embedding=questions[at % len(questions)], bases=[base])
            at, done = at + 1, done + 1
        client.close()

    await asyncio.gather(*map(search, range(CLIENTS)))
    return done / seconds


async def _floor_rate(url: str, questions: Sequence[bytes], seconds: float) -> float:
    end = time.perf_counter() + seconds
    done = 0

    async def search(first: int) -> None:
        nonlocal done
        connection, at = await _floor_connection(url), first
        while time.perf_counter() < end:
            await _nearest(connection, questions[at % len(questions)], None)
            at, done = at + 1, done + 1
        await connection.close()

    await asyncio.gather(*map(search, range(CLIENTS)))
    return done / seconds


async def _measure(console: Console, port: int, urls: Urls, formula: Formula, chunks: int) -> None:
    def say(line: str) -> None:
        console.print(line, soft_wrap=True)

    began = time.perf_counter()
    base = await _write(port, formula, chunks)
    written = time.perf_counter() - began
    name = f"knowledge_embeddings_{formula.dimensions}_hnsw_idx"
    async with connect(urls.owner) as connection:
        while not await connection.fetchval(  # noqa: ASYNC110  # the server is another process
            "SELECT count(*) FROM pg_index WHERE indexrelid = to_regclass($1) AND indisvalid", name
        ):
            await asyncio.sleep(0.5)
        indexed = time.perf_counter() - began
        await connection.execute("VACUUM (ANALYZE)", timeout=INDEX_S)
    copied, built = await _fill_floor(urls, formula, chunks)
    ours, floor = chunks / indexed, chunks / (copied + built)
    say(
        f"writing: {chunks / written:,.0f} chunks/s, with the index {ours:,.0f}; the floor copies in"
        f" {copied:.0f} s and indexes in {built:.0f} s, {floor:,.0f} rows/s: {ours / floor:.2f} of the floor"
    )
    vectors = [formula.vector(-1 - number) for number in range(QUERIES)]
    sent, half = [_sent(each) for each in vectors], [_half(each) for each in vectors]
    truth = await _truth(urls.owner, half, None)
    say(f"one client: {await _searches(port, base, sent, truth)}")
    say(f"the floor: {await _floor_searches(urls.owner, half, truth, None)}")
    filter_ = {"tags": {"containsAny": ["t7"]}}
    narrow = await _truth(urls.owner, half, "t7")
    say(f"with a filter that keeps 1 %: {await _searches(port, base, sent, narrow, filter=filter_)}")
    say(f"the floor with it: {await _floor_searches(urls.owner, half, narrow, 't7')}")
    hybrid = await _searches(port, base, sent, truth, query="topic7 part30 or detail9")
    say(f"by words and meaning: {hybrid}")
    ours, floor = await _rate(port, base, sent, 10), await _floor_rate(urls.owner, half, 10)
    say(f"{CLIENTS} clients: {ours:,.0f} searches/s, the floor {floor:,.0f}: {ours / floor:.2f} of it")


async def _prepare(urls: Urls, superuser: str) -> None:
    await provision.ensure_role(urls.owner, request_url=urls.request)
    await provision.ensure_vectors(superuser)
    await migrations.upgrade(urls.owner)
    async with connect(urls.owner) as connection:
        await connection.execute("INSERT INTO projects (id, name, slug) VALUES ($1, 'V', 'v')", PROJECT)
        await connection.execute(
            "INSERT INTO api_keys (project_id, id, name, prefix, secret_hash, scopes)"
            " VALUES ($1, gen_random_uuid(), 'Key', left($2, 11), $3, '{WRITE}')",
            PROJECT,
            API_KEY,
            hash_secret(API_KEY),
        )


def main(
    chunks: Annotated[int, typer.Option(help="How many chunks have a vector.")] = 200_000,
    dimensions: Annotated[int, typer.Option(help="How many numbers a vector has.")] = 1_536,
) -> None:
    """Measure searches by meaning and writes of vectors."""
    console = Console(highlight=False)
    with tempfile.TemporaryDirectory(prefix="agentdata-vectors-") as folder:
        Path(folder).chmod(0o711)
        with running(Path(folder) / "data") as embedded:
            urls = Urls.of(embedded)
            asyncio.run(_prepare(urls, embedded.url("postgres")))
            with serving(CONTENDERS[0], urls, Path(folder)) as server:
                uvloop.run(_measure(console, server.port, urls, Formula(dimensions), chunks))


if __name__ == "__main__":
    typer.run(main)
