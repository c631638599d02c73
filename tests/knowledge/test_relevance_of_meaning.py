"""Questions about the documentation find the page that answers them by words and meaning together.

The meaning comes from a real, small model behind an endpoint in a process of its own.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import venv
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from agentdata.embeddings import Embedder
from agentdata.worker.embedding import Embedding
from agentdata.worker.finding import Finder
from agentdata.worker.running import Worker
from tests.knowledge.relevance import QUESTIONS, any_word, sync_docs
from tests.resolvers.test_search_with_endpoint import in_project
from tests.serving import client_of, make_key
from tests.worker.waiting import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    import httpx
    from sqlalchemy.ext.asyncio import AsyncEngine

    from agentdata.database import Database
    from agentdata.database_urls import DatabaseUrls
    from tests.api import Api

pytestmark = pytest.mark.slow

MODEL = "wordllama"
LIBRARY = "wordllama==0.4.0.post1"
"""It is in no lock: only this test needs it, in an environment of its own."""

TAKE = """mutation($base: ID!, $model: String!) {
  updateKnowledgeBase(id: $base, input: {embeddingModel: $model}) { id }
}"""
COUNTS = "query($base: ID!) { knowledgeBase(id: $base) { chunkCount embeddedCount } }"
SEARCH = """query($query: String!, $base: ID!, $mode: SearchMode!) {
  searchKnowledge(query: $query, knowledgeBaseIds: [$base], mode: $mode, first: 50) {
    mode nodes { chunk { document { externalId } } }
  }
}"""


@pytest.fixture(scope="module")
def model_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Serve the model; skip these tests on a machine that cannot install it."""
    folder = tmp_path_factory.mktemp("model") / "venv"
    venv.create(folder, with_pip=False)
    python = folder / "bin/python"
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet", "--python", str(python)]
    command = [*pip, "install", "--only-binary", ":all:", LIBRARY]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)  # noqa: S603 a command of ours
    if done.returncode:
        problem = f"pip could not install {LIBRARY}: {done.stderr[-500:]}"
        if "CI" in os.environ:
            pytest.fail(problem)
        pytest.skip(problem)
    program = Path(__file__).parent / "model_endpoint.py"
    with subprocess.Popen([python, program], stdout=subprocess.PIPE, text=True) as server:  # noqa: S603 as above
        assert server.stdout is not None
        yield f"http://127.0.0.1:{int(server.stdout.readline())}"
        server.terminate()


@asynccontextmanager
async def _embedded(api: Api, base: str, urls: DatabaseUrls, embedder: Embedder) -> AsyncIterator[None]:
    """Run a block when all chunks of a base have the vectors that a worker made."""
    finder = Finder(urls.owner, api.project_id)
    worker = Worker(
        api.database,
        kinds=[Embedding(api.database, finder, embedder)],
        finder=finder,
        interval_s=0.01,
        grace_s=5,
    )
    task = asyncio.create_task(worker.run())

    async def counts() -> dict[str, int]:
        return (await api.ask(COUNTS, base=base))["knowledgeBase"]  # type: ignore[no-any-return]  # JSON

    try:
        await until(counts, lambda found: found["chunkCount"] == found["embeddedCount"] > 0)
        yield
    finally:
        worker.stop()
        await task
        await finder.close()


async def test_words_and_meaning_find_the_page_of_18_questions_among_the_first_three(
    model_url: str, database: Database, owner: AsyncEngine, database_urls: DatabaseUrls
) -> None:
    key = await make_key(database_urls)
    written = database.within(None)
    written.embedding_model = MODEL  # as a server with the endpoint has it, whose writes wake the worker
    api = await in_project(key.project_id, written, owner)
    base = await sync_docs(api)
    await api.ask(TAKE, base=base, model=MODEL)
    embedder = Embedder(model_url, MODEL, batch=64, requests=1, timeout_s=60)
    settings = {"embeddings_url": model_url, "embeddings_model": MODEL}
    async with (
        _embedded(api, base, database_urls, embedder),
        client_of(database_urls.request, key.secret, **settings) as client,
    ):
        found = {
            (mode, kind): await _found(client, base, mode, kind)
            for mode in ("HYBRID", "MEANING", "WORDS")
            for kind in ("question", "words")
        }
    await embedder.close()
    assert found["HYBRID", "question"] >= 18, found
    assert found["HYBRID", "words"] >= 18, found


async def _found(client: httpx.AsyncClient, base: str, mode: str, kind: str) -> int:
    """Count the questions whose page is among the first three."""
    found = 0
    for question, page in QUESTIONS:
        query = question if kind == "question" else any_word(question)
        variables = {"query": query, "base": base, "mode": mode}
        response = await client.post("/graphql", json={"query": SEARCH, "variables": variables})
        result = response.json()["data"]["searchKnowledge"]
        assert result["mode"] == mode
        pages = dict.fromkeys(node["chunk"]["document"]["externalId"] for node in result["nodes"])
        found += page in [*pages][:3]
    return found
