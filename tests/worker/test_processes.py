"""Workers as operators run them: processes that are asked to end, or killed."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import time
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

import httpx
import psutil
import pytest
from sqlalchemy import text

from tests.embedding import MODEL, vector
from tests.operations.test_jobs import shift
from tests.test_cli import AGENTDATA, environment, key_file, new_environment, refused, serving, started
from tests.worker.test_embedding import base_with, completed, job, stored
from tests.worker.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy.ext.asyncio import AsyncEngine

    from agentdata.database_urls import DatabaseUrls
    from tests.api import Api
    from tests.embedding import Endpoint

__all__ = ["environment", "started"]

pytestmark = pytest.mark.slow

TEXTS = [f"chunk {number}" for number in range(20)]


class Process:
    """A worker process that has begun to look for jobs."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        assert process.stdout
        self.printed = process.stdout.readline()
        assert self.printed, "the worker ended before it was ready"

    def end(self, how: signal.Signals) -> int:
        """Send a signal, and wait for the end."""
        self.process.send_signal(how)
        return self.process.wait(timeout=20)


@contextmanager
def worker(variables: dict[str, str], *options: str) -> Iterator[Process]:
    """Run a worker until the end of the block."""
    with subprocess.Popen(  # noqa: S603 a command of ours
        [*AGENTDATA, "worker", *options], env=variables, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            yield Process(process)
        finally:
            if process.poll() is None:
                process.kill()


@pytest.fixture
def variables(database_urls: DatabaseUrls, served: Endpoint) -> dict[str, str]:
    """Provide the environment of workers on the tests' database, with the endpoint."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AGENTDATA_")}
    return kept | {
        "DATABASE_URL": database_urls.request,
        "AGENTDATA_MIGRATION_DATABASE_URL": database_urls.owner,
        "AGENTDATA_EMBEDDINGS_URL": served.url,
        "AGENTDATA_EMBEDDINGS_MODEL": MODEL,
        "AGENTDATA_EMBEDDINGS_BATCH": "3",
        "AGENTDATA_SHUTDOWN_TIMEOUT_S": "1",
    }


async def start(stack: Any, variables: dict[str, str], api: Api) -> Process:
    found: Process = await asyncio.to_thread(
        stack.enter_context, worker(variables, "--project", str(api.project_id))
    )
    return found


@pytest.fixture
def stack() -> Iterator[Any]:
    """Provide what ends the workers of a test."""
    with ExitStack() as stack:
        yield stack


async def test_a_worker_that_is_killed_loses_nothing(
    embedded: Api, owner: AsyncEngine, served: Endpoint, variables: dict[str, str], stack: Any
) -> None:
    await base_with(embedded, *TEXTS)
    first = await start(stack, variables, embedded)
    await until(lambda: stored(owner, embedded), lambda found: len(found) >= 3)
    served.waits.clear()
    await until(lambda: job(embedded), lambda each: bool(each and each["state"] == "ACTIVE"))
    assert await asyncio.to_thread(first.end, signal.SIGKILL) == -signal.SIGKILL
    served.waits.set()
    found = await job(embedded)
    assert found is not None
    # Its lease has not run out yet.
    assert found["state"] == "ACTIVE"
    await shift(owner, embedded, -1)
    await start(stack, variables, embedded)
    done = await completed(embedded)
    assert done["attempts"] == 2
    assert await stored(owner, embedded) == {each: vector(each) for each in TEXTS}


async def test_a_worker_that_is_asked_to_end_returns_its_jobs(
    embedded: Api, owner: AsyncEngine, served: Endpoint, variables: dict[str, str], stack: Any
) -> None:
    await base_with(embedded, *TEXTS)
    served.waits.clear()
    first = await start(stack, variables, embedded)
    await until(_texts(served))
    assert await asyncio.to_thread(first.end, signal.SIGTERM) == 0
    served.waits.set()
    found = await job(embedded)
    assert found is not None
    assert (found["state"], found["attempts"], found["error"]) == ("WAITING", 0, None)
    await start(stack, variables, embedded)
    await completed(embedded)
    assert (await stored(owner, embedded)).keys() == {*TEXTS}


async def test_a_worker_goes_on_when_its_connections_were_cut(
    embedded: Api, owner: AsyncEngine, variables: dict[str, str], stack: Any
) -> None:
    name = f"worker-{embedded.project_id}"
    named = dict(variables)
    for variable in ("DATABASE_URL", "AGENTDATA_MIGRATION_DATABASE_URL"):
        joined = "&" if "?" in named[variable] else "?"
        named[variable] += f"{joined}application_name={name}"
    first = await start(stack, named, embedded)
    cut = text("SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = :name")

    async def cut_some() -> int:
        async with owner.connect() as connection:
            return int(await connection.scalar(cut, {"name": name}) or 0)

    assert await until(cut_some) > 0
    await base_with(embedded, *TEXTS)
    await completed(embedded)
    assert (await stored(owner, embedded)).keys() == {*TEXTS}
    assert first.process.poll() is None


async def test_several_workers_share_the_projects(
    embedded: Api, other: Api, owner: AsyncEngine, variables: dict[str, str], stack: Any
) -> None:
    for _ in range(2):
        await start(stack, variables, embedded)
    for _ in range(5):
        await base_with(embedded, *TEXTS)
    await until(lambda: stored(owner, embedded), lambda found: found.keys() == {*TEXTS})
    await completed(embedded)
    await base_with(other, "untouched", embedding_model=MODEL)
    assert await stored(owner, other) == {}


def _texts(served: Endpoint) -> Any:
    async def look() -> list[str]:
        return served.texts

    return look


def test_a_worker_without_work_says_what_to_set() -> None:
    with new_environment() as empty:
        assert "set AGENTDATA_EMBEDDINGS_URL to let it make vectors" in refused(empty, "worker")
        named = empty | {"AGENTDATA_EMBEDDINGS_URL": "http://one"}
        assert "but not AGENTDATA_EMBEDDINGS_MODEL" in refused(named, "worker")
        named = empty | {"AGENTDATA_KNOWLEDGE_PATHS": "docs, /nowhere"}
        assert "names docs, which is not the absolute path of a folder" in refused(named, "worker")
        named = empty | {"AGENTDATA_WORKER": "on"}
        assert "a worker has nothing to do" in refused(named, "serve")


def test_a_server_with_a_worker_makes_vectors_of_what_it_is_sent(
    environment: dict[str, str], served: Endpoint
) -> None:
    variables = environment | {
        "AGENTDATA_EMBEDDINGS_URL": served.url,
        "AGENTDATA_EMBEDDINGS_MODEL": MODEL,
        "AGENTDATA_WORKER": "on",
        "AGENTDATA_METRICS_PORT": "0",
        "AGENTDATA_LOG_LEVEL": "warning",
    }
    with serving(variables) as server:
        headers = {"Authorization": f"Bearer {key_file(environment).read_text().strip()}"}

        def ask(query: str, **values: Any) -> Any:
            sent = {"query": query, "variables": values}
            return httpx.post(server.url, json=sent, headers=headers).json()["data"]

        base = ask('mutation { createKnowledgeBase(input: {name: "B"}) { id embeddingModel } }')
        assert base["createKnowledgeBase"]["embeddingModel"] == MODEL
        document = ask(
            "mutation ($base: ID!) {"
            ' putKnowledgeDocument(input: {knowledgeBaseId: $base, name: "D"}) { id } }',
            base=base["createKnowledgeBase"]["id"],
        )
        ask(
            "mutation ($id: ID!) { putKnowledgeChunks(documentId: $id,"
            ' chunks: [{content: "The oven is hot"}, {content: "Close the door"}]) { id } }',
            id=document["putKnowledgeDocument"]["id"],
        )
        search = '{ searchKnowledge(query: "is it hot in there", mode: MEANING) { nodes { excerpt } } }'
        deadline = time.monotonic() + 30
        while not (found := ask(search)["searchKnowledge"]["nodes"]):
            assert time.monotonic() < deadline
        assert found[0] == {"excerpt": "The oven is hot"}
        url = re.search(r"^Metrics +(\S+)$", server.printed, re.MULTILINE)[1]  # type: ignore[index]  # it is there
        # The numbers of the worker are at most a second old.
        while 'agentdata_worker_jobs_total{kind="embed",outcome="completed"} 1' not in httpx.get(url).text:
            assert time.monotonic() < deadline
        assert 'agentdata_embedding_requests_total{outcome="ok"}' in httpx.get(url).text
        processes = psutil.Process(server.process.pid).children()
        assert len(processes) >= 2
        assert server.end(signal.SIGTERM) == 0
