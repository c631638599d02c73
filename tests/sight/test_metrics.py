"""Metrics are right for one process and for several, bounded in their labels, and not for everybody."""

from __future__ import annotations

import asyncio
import re
import signal
import socket
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import httpx
import psutil
import pytest
from prometheus_client.parser import text_string_to_metric_families

from agentdata import refusals
from agentdata.app import create_app
from agentdata.database import Database
from agentdata.settings import Settings
from agentdata.sight.beside import Beside
from agentdata.sight.counts import BUCKETS_S, Counts
from agentdata.sight.metrics import Metrics
from agentdata.sight.sharing import SharedCounts
from tests.serving import make_key, serving
from tests.test_cli import answer, environment, key_file, started, workers
from tests.test_cli import serving as serving_process

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.applications import Starlette

    from agentdata.database_urls import DatabaseUrls
    from tests.serving import Key
    from tests.test_cli import Serving

__all__ = ["environment", "started"]

TOKEN = "the token of the metrics"
SETTINGS = Settings(metrics_token=TOKEN)  # type: ignore[arg-type]  # pydantic wraps it


class Scrape(dict[str, float]):
    """Samples by name and labels, such as `agentdata_errors_total{code="TIMEOUT"}`; zero if missing."""

    def __init__(self, text: str) -> None:
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                labels = ",".join(f'{name}="{value}"' for name, value in sorted(sample.labels.items()))
                self[sample.name + (f"{{{labels}}}" if labels else "")] = sample.value

    def __missing__(self, name: str) -> float:
        return 0

    def since(self, before: Scrape, name: str) -> float:
        """Return by how much a number grew."""
        return self[name] - before[name]


@pytest.fixture(scope="module")
async def key(database_urls: DatabaseUrls) -> Key:
    """Provide a key with all scopes."""
    return await make_key(database_urls)


@asynccontextmanager
async def client_of(app: Starlette, key: Key | None = None) -> AsyncIterator[httpx.AsyncClient]:
    """Serve on a real port."""
    headers = {"Authorization": f"Bearer {key.secret}"} if key else {}
    async with (
        serving(app) as (host, port),
        httpx.AsyncClient(base_url=f"http://{host}:{port}", headers=headers) as client,
    ):
        yield client


async def scrape(client: httpx.AsyncClient) -> Scrape:
    """Read the metrics on the port of the API."""
    response = await client.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"})
    assert response.status_code == 200
    assert response.headers["content-type"].startswith("text/plain; version=")
    return Scrape(response.text)


async def test_requests_errors_operations_and_statements_are_counted(
    database_urls: DatabaseUrls, key: Key
) -> None:
    async with client_of(create_app(SETTINGS, database_urls.request), key) as client:
        before = await scrape(client)
        sent = {"query": "query Slugs { project { slug } sessions(first: 7) { nodes { id } } }"}
        for _ in range(3):
            response = await client.post("/graphql", json=sent)
            assert response.json()["data"]["project"]["slug"] == key.slug
        await client.post("/graphql", json={"query": "{ project { slug } }"})
        accept = {"Accept": "application/graphql-response+json"}
        await client.post("/graphql", json={"query": "{ nope }"}, headers=accept)
        await client.post("/graphql", json=sent, headers={"Authorization": ""})
        after = await scrape(client)
    named = '{operation="Slugs",type="query"}'
    bucket = '{le="+Inf",operation="Slugs",type="query"}'
    expected = {
        'agentdata_requests_total{status="200"}': 5,  # with the first scrape
        'agentdata_requests_total{status="400"}': 1,
        'agentdata_requests_total{status="401"}': 1,
        'agentdata_errors_total{code="BAD_USER_INPUT"}': 1,
        'agentdata_errors_total{code="UNAUTHENTICATED"}': 1,
        f"agentdata_operation_duration_seconds_count{named}": 3,
        f"agentdata_operation_duration_seconds_bucket{bucket}": 3,
        'agentdata_operation_duration_seconds_count{operation="-",type="query"}': 1,
        "agentdata_reference_runs_total": 0,
        # Three documents and the plans of two of them.
        "agentdata_compilations_total": 5,
    }
    assert {name: after.since(before, name) for name in expected} == expected
    # Each query is one statement; the key's lookup and the record of its use are at least two more.
    assert after.since(before, "agentdata_statement_duration_seconds_count") >= 6
    assert after.since(before, "agentdata_operation_cost_total") > 3 * 7
    assert after.since(before, "agentdata_request_bytes_total") > 3 * len(sent["query"])
    assert after.since(before, "agentdata_response_bytes_total") > 3 * len(response.content)
    assert 0 < after.since(before, f"agentdata_operation_duration_seconds_sum{named}") < 10
    assert 0 < after.since(before, "agentdata_compile_seconds_total") < 10
    assert after["agentdata_requests_in_progress"] == 1
    assert (after["agentdata_pool_size"], after["agentdata_pool_in_use"]) == (20, 0)
    assert after["agentdata_pool_idle"] >= 1
    assert after['process_resident_memory_bytes{worker="0"}'] > 1e6


async def test_refusals_are_counted_by_kind(database_urls: DatabaseUrls) -> None:
    async with client_of(create_app(SETTINGS, database_urls.request)) as client:
        before = await scrape(client)
        refusals.count("a-test")
        refusals.count("a-test")
        after = await scrape(client)
    assert after.since(before, 'agentdata_refusals_total{kind="a-test"}') == 2


async def test_metrics_need_their_token_and_are_absent_without_one(
    database_urls: DatabaseUrls, key: Key
) -> None:
    async with client_of(create_app(SETTINGS, database_urls.request), key) as client:
        for headers in ({}, {"Authorization": ""}, {"Authorization": "Bearer nope"}):
            response = await client.get("/metrics", headers=headers)
            assert response.status_code == 401
            assert "agentdata_" not in response.text
    async with client_of(create_app(Settings(), database_urls.request), key) as client:
        assert (await client.get("/metrics")).status_code == 404


def test_names_of_operations_beyond_the_bound_are_counted_together() -> None:
    counts = Counts()
    for number in range(150):
        counts.observe(f"query:Made{number}", 0.001)
    counts.observe("mutation:Late", 31)
    counts.observe("query:Made0", 0.0011)
    assert len(counts.operations) == 102
    assert sum(counts.operations["query:other"][:-1]) == 50
    assert counts.operations["query:Made0"][:3] == [1, 1, 0]
    # The last bucket has no bound, and the sum stands behind it.
    assert counts.operations["mutation:other"][len(BUCKETS_S) :] == [1, 31]


def test_names_that_a_process_takes_over_count_towards_the_bound() -> None:
    counts = Counts()
    counts.know(f"query:Before{number}" for number in range(100))
    counts.observe("query:New", 0.1)
    assert "query:New" not in counts.operations
    assert counts.operations["query:other"][-1] == 0.1


def test_shared_counts_survive_their_process_and_a_torn_write() -> None:
    shared = SharedCounts(2)
    assert shared.read(1) is None
    for number in range(5):
        shared.write(1, {"number": number})
    assert shared.read(1) == {"number": 4}
    assert shared.read(0) is None
    # A process that dies while it writes leaves part of the buffer that is not read.
    at = shared._buffer(1, 6)  # noqa: SLF001  # no other way to write half
    shared._memory[at : at + 20] = b"x" * 20  # noqa: SLF001  # as above
    assert shared.read(1) == {"number": 4}
    with pytest.raises(ValueError, match="does not fit"):
        shared.write(0, {"long": "x" * 200_000})


def metrics_of(server: Serving) -> Scrape:
    """Read the metrics on their own port, by a new connection, which any of the processes may accept."""
    url = re.search(r"^Metrics +(\S+)$", server.printed, re.MULTILINE)[1]  # type: ignore[index]  # it is there
    response = httpx.get(url)
    assert response.status_code == 200
    return Scrape(response.text)


@pytest.mark.slow
def test_several_processes_tell_the_sum_of_their_counts_even_if_one_is_killed(
    environment: dict[str, str],
) -> None:
    settings = {"AGENTDATA_WORKERS": "2", "AGENTDATA_METRICS_PORT": "0", "AGENTDATA_LOG_LEVEL": "warning"}
    name = 'agentdata_operation_duration_seconds_count{operation="Ping",type="query"}'
    with serving_process(environment | settings) as server:
        key = key_file(environment).read_text().strip()
        for _ in range(40):
            assert answer(server, key, "query Ping { __typename }").status_code == 200
        deadline = time.monotonic() + 30
        seen: list[float] = []
        # The counts of the other process are at most a second old.
        while not seen or seen[-1] < 40:
            assert time.monotonic() < deadline, seen
            seen.append(metrics_of(server)[name])
        assert seen == sorted(seen)
        assert [metrics_of(server)[name] for _ in range(10)] == [40] * 10
        running = metrics_of(server)
        assert running["agentdata_pool_size"] == 40
        assert {f'process_open_fds{{worker="{place}"}}' for place in "01"} <= running.keys()
        killed = psutil.Process(min(workers(server)))
        killed.kill()
        killed.wait(10)
        while killed.pid in workers(server) or len(workers(server)) < 2:
            assert time.monotonic() < deadline
        for _ in range(10):
            assert answer(server, key, "query Ping { __typename }").status_code == 200
            seen.append(metrics_of(server)[name])
        while seen[-1] < 50:
            assert time.monotonic() < deadline, seen
            seen.append(metrics_of(server)[name])
        assert seen == sorted(seen)
        assert seen[-1] == 50
        # The port of the metrics serves nothing else, and the port of the API no metrics.
        url = re.search(r"^Metrics +(\S+)/metrics$", server.printed, re.MULTILINE)[1]  # type: ignore[index]  # it is there
        assert httpx.post(f"{url}/graphql", json={"query": "{ __typename }"}).status_code == 404
        assert httpx.get(server.url.replace("/graphql", "/metrics")).status_code == 404
        server.processes += [psutil.Process(pid) for pid in workers(server)]
        assert server.end(signal.SIGTERM) == 0


async def test_the_port_of_the_metrics_has_the_bounds_of_the_door() -> None:
    settings = Settings(database_url="postgresql://localhost/none", header_timeout_s=0.2)  # type: ignore[arg-type]  # pydantic wraps it
    with socket.create_server(("127.0.0.1", 0)) as listener:
        beside = Beside(settings, Metrics(Database("postgresql://localhost/none")), listener, first=True)
        beside.start()
        address = listener.getsockname()
        try:
            for sent, status in (
                (b"GET /metrics HTTP/1.1\r\nA: ", b" 408 "),
                (b"GET / HTTP/1.1\r\nA: " + b"a" * 17_000, b" 431 "),
            ):
                reader, writer = await asyncio.open_connection(*address)
                writer.write(sent)
                async with asyncio.timeout(5):
                    assert status in await reader.readline()
                writer.close()
            many = [await asyncio.open_connection(*address) for _ in range(40)]
            await asyncio.sleep(0.1)
            async with httpx.AsyncClient() as client:
                answer_ = await client.get(f"http://127.0.0.1:{address[1]}/metrics")
            assert answer_.status_code == 200
            for _, writer in many:
                writer.close()
        finally:
            await beside.stop()
