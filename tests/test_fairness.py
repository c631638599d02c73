"""What one key or project asks for leaves room for others: connections, time, bytes and points."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import httpx
import psutil
import pytest
import strawberry
from sqlalchemy import text

from agentdata.administration import acting_in
from agentdata.app import create_app
from agentdata.connection import transaction
from agentdata.database_url import parse
from agentdata.operations import sessions
from agentdata.settings import Settings
from models.enums import ApiKeyScope
from schema.root import schema
from tests.databases import Server, run
from tests.serving import Key, make_key, serving
from tests.test_cli import environment, key_file, started
from tests.test_cli import serving as serving_process

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from sqlalchemy.ext.asyncio import AsyncEngine

    from agentdata.database_urls import DatabaseUrls

__all__ = ["environment", "started"]

MIB = 1024 * 1024


@strawberry.type
class Query:
    """A query that keeps a connection busy."""

    @strawberry.field
    async def sleep(self, info: strawberry.Info, seconds: float) -> bool:
        """Keep the database busy."""
        await info.context.reader.execute(text("SELECT pg_sleep(:seconds)").bindparams(seconds=seconds))
        return True


SLEEPING = strawberry.Schema(query=Query)
SLOW, QUICK = "{ sleep(seconds: 0.5) }", "{ sleep(seconds: 0) }"


class Client:
    """A client with a key."""

    def __init__(self, address: tuple[str, int] | str, secret: str) -> None:
        self.url = address if isinstance(address, str) else f"http://{address[0]}:{address[1]}/graphql"
        self.http = httpx.AsyncClient(
            headers={"Authorization": f"Bearer {secret}"},
            timeout=60,
            limits=httpx.Limits(max_connections=None),
        )

    async def post(self, query: str, *, cost: bool = False, **variables: Any) -> httpx.Response:
        """Send an operation."""
        content = {"query": query, "variables": variables} | ({"extensions": {"cost": True}} if cost else {})
        return await self.http.post(self.url, json=content)


@asynccontextmanager
async def served(
    urls: DatabaseUrls, served_schema: strawberry.Schema, *keys: Key, **settings: Any
) -> AsyncIterator[list[Client]]:
    """Serve a schema with some settings, and provide a client for each key."""
    app = create_app(Settings(**settings), urls.request, schema=served_schema)
    async with serving(app) as address:
        clients = [Client(address, key.secret) for key in keys]
        try:
            yield clients
        finally:
            for client in clients:
                await client.http.aclose()


def codes(response: httpx.Response) -> list[str]:
    """Return the codes of the errors of a response."""
    return [error["extensions"]["code"] for error in response.json().get("errors", ())]


async def running(server: Server, urls: DatabaseUrls, query: str) -> int:
    """Return how many connections run a statement that begins so, or wait in its transaction."""
    statement = (
        f"SELECT count(*) FROM pg_stat_activity WHERE datname = '{parse(urls.owner).url.database}'"  # noqa: S608  # of this file
        f" AND query LIKE '{query}%' AND state <> 'idle'"
    )
    return int((await asyncio.to_thread(run, server.admin, statement))[0])


async def test_ten_slow_queries_of_one_read_key_do_not_delay_another_project(
    database_server: Server, database_urls: DatabaseUrls
) -> None:
    keys = await make_key(database_urls, ApiKeyScope.READ), await make_key(database_urls)
    async with served(database_urls, SLEEPING, *keys, pool_size=4) as (greedy, other):
        await other.post(QUICK)
        slow = [asyncio.create_task(greedy.post(SLOW)) for _ in range(10)]
        while await running(database_server, database_urls, "SELECT pg_sleep") < 2:
            assert not any(task.done() for task in slow)
        began = time.monotonic()
        assert (await other.post(QUICK)).json() == {"data": {"sleep": True}}
        # The ten take 2.5 s on their two connections.
        assert time.monotonic() - began < 1
        assert not all(task.done() for task in slow)
        assert await running(database_server, database_urls, "SELECT pg_sleep") <= 2
        assert [each.json() for each in await asyncio.gather(*slow)] == [{"data": {"sleep": True}}] * 10


async def test_one_key_leaves_room_for_the_other_keys_of_its_project(
    database_server: Server, database_urls: DatabaseUrls
) -> None:
    key = await make_key(database_urls)
    async with served(database_urls, SLEEPING, key, pool_size=4, key_percent=25, project_percent=100) as [
        client
    ]:
        slow = [asyncio.create_task(client.post(SLOW)) for _ in range(3)]
        for _ in range(20):
            assert await running(database_server, database_urls, "SELECT pg_sleep") <= 1
        await asyncio.gather(*slow)


async def test_more_than_the_queue_holds_are_refused_with_503(database_urls: DatabaseUrls) -> None:
    keys = await make_key(database_urls), await make_key(database_urls)
    async with served(database_urls, SLEEPING, *keys, pool_size=2, queue_length=2) as (greedy, other):
        answers = await asyncio.gather(*[greedy.post(SLOW) for _ in range(6)], other.post(QUICK))
    refused = [each for each in answers if each.status_code != 200]
    assert len(refused) == 3, "one runs, and two wait"
    for each in refused:
        assert (each.status_code, codes(each)) == (503, ["OVERLOADED"])
        assert int(each.headers["retry-after"]) >= 1
        assert each.json()["data"] is None
    assert answers[-1].status_code == 200


async def test_a_query_is_stopped_in_the_database_at_the_time_limit(
    database_server: Server, database_urls: DatabaseUrls
) -> None:
    key = await make_key(database_urls)
    async with served(database_urls, SLEEPING, key, operation_timeout_s=0.3) as [client]:
        began = time.monotonic()
        response = await client.post("{ a: sleep(seconds: 60) b: sleep(seconds: 60) }")
        assert time.monotonic() - began < 5
        assert set(codes(response)) == {"TIMEOUT"}
        assert "time limit of 0.3 s" in response.json()["errors"][0]["message"]
        assert await running(database_server, database_urls, "SELECT pg_sleep") == 0
        assert (await client.post(QUICK)).json() == {"data": {"sleep": True}}


async def test_fifty_slow_writes_stop_at_the_time_limit_and_say_which_were_done(
    database_server: Server, database_urls: DatabaseUrls
) -> None:
    key = await make_key(database_urls)
    async with acting_in(database_urls.owner, key.slug) as write:
        free, locked = await sessions.start(write, {}), await sessions.start(write, {})
    rename = 'updateSession(id: "%s", input: {title: "renamed"}) { title }'
    fields = [f"f0: {rename % free.id}", *[f"f{number}: {rename % locked.id}" for number in range(1, 50)]]
    async with served(database_urls, schema, key, operation_timeout_s=0.5) as [client]:
        async with transaction(database_urls.owner) as connection:
            await connection.execute(
                text("SELECT FROM sessions WHERE project_id = :project AND id = :id FOR UPDATE"),
                {"project": key.project_id, "id": locked.id},
            )
            began = time.monotonic()
            response = await client.post("mutation { " + " ".join(fields) + " }")
            assert time.monotonic() - began < 5
        content = response.json()
        assert content["data"] == {"f0": {"title": "renamed"}} | {f"f{n}": None for n in range(1, 50)}
        assert codes(response) == ["TIMEOUT"] * 49
        stopped, *others = [error["message"] for error in content["errors"]]
        assert "the write was stopped at the operation's time limit of 0.5 s, and nothing of it" in stopped
        assert all("before this began, so nothing of it was done" in each for each in others)
        titles = (await client.post("{ sessions { nodes { title } } }")).json()["data"]["sessions"]["nodes"]
        assert sorted(str(each["title"]) for each in titles) == ["None", "renamed"]
        assert await running(database_server, database_urls, "UPDATE sessions") == 0


@pytest.mark.slow
async def test_a_deletion_in_parts_may_take_longer_than_other_operations(
    database_urls: DatabaseUrls, owner: AsyncEngine
) -> None:
    key = await make_key(database_urls)
    limit_s = 1.0
    async with served(database_urls, schema, key, operation_timeout_s=limit_s) as [client]:
        user = (await client.post("mutation { createUser(input: {}) { id } }")).json()["data"]["createUser"][
            "id"
        ]
        start = "mutation ($user: ID!) { startSession(input: {userId: $user}) { id } }"
        session = (await client.post(start, user=user)).json()["data"]["startSession"]["id"]
        async with owner.begin() as connection:
            await connection.execute(
                text(
                    "INSERT INTO messages (project_id, id, session_id, sequence, role, content, user_id)"
                    " SELECT :project, gen_random_uuid(), :session, n, 'USER', 'x', :user"
                    " FROM generate_series(1, 60000) AS n"
                ),
                {"project": key.project_id, "session": session, "user": user},
            )
            # Otherwise the first batches are planned for a table of few rows.
            await connection.execute(text("ANALYZE messages"))
        started = time.perf_counter()
        deleted = await client.post("mutation ($id: ID!) { deleteUser(id: $id) { ids } }", id=user)
        assert time.perf_counter() - started > limit_s
        assert deleted.json() == {"data": {"deleteUser": {"ids": [user]}}}


@pytest.mark.slow
async def test_two_hundred_aliases_of_one_large_text_are_refused_in_little_memory(
    environment: dict[str, str],
) -> None:
    with serving_process(environment) as server:
        client = Client(server.url, key_file(environment).read_text().strip())
        async with client.http:
            content = "x" * (15 * MIB)
            made = await client.post(
                "mutation($c: String!) { createMemory(input: {content: $c}) { id } }", c=content
            )
            id_ = made.json()["data"]["createMemory"]["id"]
            memory = "query($id: ID!) { memory(id: $id) { FIELDS } }"
            process = psutil.Process(server.process.pid)
            before = process.memory_info().rss
            aliases = " ".join(f"a{number}: content" for number in range(200))
            answer = asyncio.create_task(client.post(memory.replace("FIELDS", aliases), id=id_))
            peak = before
            while not answer.done():
                peak = max(peak, process.memory_info().rss)
                await asyncio.sleep(0.002)
            assert codes(await answer) == ["LIMIT_EXCEEDED"]
            [error] = (await answer).json()["errors"]
            assert "the answer would have more than 67,108,864 bytes; select fewer fields" in error["message"]
            assert peak - before < 200 * MIB
            once = await client.post(memory.replace("FIELDS", "content"), id=id_)
            assert once.json()["data"]["memory"]["content"] == content


async def test_rows_are_read_no_further_than_an_answer_may_be(database_urls: DatabaseUrls) -> None:
    key = await make_key(database_urls)
    append = """mutation($id: ID!, $messages: [AppendMessageInput!]!) {
      appendMessages(sessionId: $id, messages: $messages) { id }
    }"""
    async with served(database_urls, schema, key, max_answer_bytes=MIB) as [client]:
        started = await client.post("mutation { startSession(input: {}) { id } }")
        id_ = started.json()["data"]["startSession"]["id"]
        messages = [{"role": "USER", "content": "x" * 200_000} for _ in range(10)]
        assert codes(await client.post(append, id=id_, messages=messages)) == []
        response = await client.post("{ messages { nodes { content } } }")
        assert codes(response) == ["LIMIT_EXCEEDED"]
        assert "smaller pages" in response.json()["errors"][0]["message"]
        assert codes(await client.post("{ messages(first: 4) { nodes { content } } }")) == []
        # A write that was done says so.
        response = await client.post(
            append.replace("{ id }", "{ a: content b: content }"), id=id_, messages=messages
        )
        assert codes(response) == ["LIMIT_EXCEEDED"]
        assert (
            "was done" in response.json()["errors"][0]["message"]
            or "were done" in response.json()["errors"][0]["message"]
        )
        counted = await client.post("{ messages(first: 1) { totalCount } }")
        assert counted.json()["data"]["messages"]["totalCount"] == 20


async def test_a_key_that_spent_its_points_gets_429_and_others_go_on(database_urls: DatabaseUrls) -> None:
    keys = await make_key(database_urls), await make_key(database_urls)
    limits = {"rate_points_per_s": 0.001, "rate_burst_points": 100}
    async with served(database_urls, schema, *keys, **limits) as (client, other):
        first = (await client.post("{ project { name } }", cost=True)).json()["extensions"]["cost"]
        assert first["budget"] == 100
        assert 1 <= first["points"] <= 10
        # A new document costs a point for each 20 characters, once.
        assert first["left"] == 100 - first["points"] - 1
        second = (await client.post("{ project { name } }", cost=True)).json()["extensions"]["cost"]
        assert second["left"] in {first["left"] - first["points"], first["left"] - first["points"] + 1}
        refused = [await client.post("{ project { name } }") for _ in range(100)][-1]
        assert (refused.status_code, codes(refused)) == (429, ["RATE_LIMITED"])
        assert int(refused.headers["retry-after"]) > 1
        assert (await other.post("{ project { name } }")).status_code == 200
        dear = await other.post("{ messages { totalCount } }")
        assert codes(dear) == ["LIMIT_EXCEEDED"]
        assert "more than the 100 that a key may spend at once" in dear.json()["errors"][0]["message"]


async def test_documents_that_are_not_valid_cost_points(database_urls: DatabaseUrls) -> None:
    key = await make_key(database_urls)
    async with served(database_urls, schema, key, rate_points_per_s=0.001, rate_burst_points=100) as [client]:
        answers = [codes(await client.post(f"{{ nothing{'x' * 380}{n} }}")) for n in range(6)]
        assert answers == [["BAD_USER_INPUT"]] * 5 + [["RATE_LIMITED"]]
        assert codes(await client.post("{ " + "x" * 2_100 + " }")) == ["LIMIT_EXCEEDED"]


async def test_the_cost_is_told_to_those_who_ask_also_without_a_rate_limit(
    database_urls: DatabaseUrls,
) -> None:
    key = await make_key(database_urls, ApiKeyScope.READ)
    async with served(database_urls, schema, key) as [client]:
        assert "extensions" not in (await client.post("{ project { name } }")).json()
        cost = (await client.post("{ project { name } }", cost=True)).json()["extensions"]["cost"]
        assert cost == {"points": cost["points"], "budget": None, "left": None}
        wrong = await client.http.post(
            client.url, json={"query": "{ project { name } }", "extensions": {"cost": 1}}
        )
        assert codes(wrong) == ["BAD_USER_INPUT"]


async def test_keys_are_looked_up_while_operations_have_all_their_connections(
    database_urls: DatabaseUrls,
) -> None:
    keys = [await make_key(database_urls) for _ in range(3)]
    async with served(database_urls, SLEEPING, *keys, pool_size=10) as (*hogs, other):
        for hog in hogs:
            await hog.post(QUICK)
        asked = [asyncio.create_task(hog.post("{ sleep(seconds: 3) }")) for hog in hogs for _ in range(6)]
        await asyncio.sleep(0.5)
        started = time.perf_counter()
        assert not codes(await other.post("{ __typename }"))
        assert time.perf_counter() - started < 1
        await asyncio.gather(*asked)
