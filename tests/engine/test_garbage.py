"""Requests leave no reference cycles behind: only collections of everything would free those."""

from __future__ import annotations

import asyncio
import gc
import weakref
from dataclasses import replace
from types import FrameType
from typing import TYPE_CHECKING, Any

import pytest

from agentdata.engine.plans.compiler import Compiler
from agentdata.engine.plans.statements import SqlCache
from agentdata.engine.requests.executor import Executor
from schema.root import schema
from tests.serving import client_of, make_key

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agentdata.database_urls import DatabaseUrls
    from tests.api import Api

REQUESTS: list[dict[str, Any]] = [
    {"query": "{ project { id "},
    {"query": "{ project { nothing } }"},
    {"query": "query ($id: ID!) { session(id: $id) { id } }", "variables": {"id": {}}},
    {"query": '{ sessions(after: "no cursor") { totalCount } }'},
    {"query": "query ($id: ID!) { x: session(id: $id) { id } project { id } }", "variables": {"id": "no id"}},
    {"query": 'mutation { updateSession(id: "no id", input: {}) { id } }'},
]

NESTED = """
query ($id: ID!, $first: Int) {
  node(id: $id) { __typename id ... on Session { title agent { id name } } }
  wrong: sessions(after: "no cursor") { totalCount }
  agents(first: $first, orderBy: [{field: NAME, direction: ASC}]) {
    totalCount
    pageInfo { hasNextPage endCursor }
    edges {
      cursor
      node {
        name
        statistics { sessionCount }
        sessions(first: 2, filter: {title: {startsWith: "a"}}) {
          totalCount
          nodes { tree { errorCount } parent { id } messages(last: 2) { nodes { role } } }
        }
      }
    }
  }
}
"""


@pytest.fixture
def garbage() -> Iterator[list[Any]]:
    """Keep what the garbage collector finds, instead of freeing it."""
    gc.collect()
    gc.set_debug(gc.DEBUG_SAVEALL)
    yield gc.garbage
    gc.set_debug(0)
    gc.garbage.clear()


async def test_requests_with_errors_leave_no_frames(database_urls: DatabaseUrls, garbage: list[Any]) -> None:
    key = await make_key(database_urls)
    async with client_of(database_urls.request, key.secret) as client:
        garbage.clear()
        for number in range(3):
            for request in REQUESTS:
                # A comment makes the document a new one.
                content = request | {"query": f"{request['query']} # {number}"}
                answer = await client.post("/graphql", json=content)
                assert answer.json()["errors"]
        gc.collect()
        frames = [each.f_code for each in garbage if isinstance(each, FrameType)]
    assert [code.co_qualname for code in frames if "/agentdata/" in code.co_filename] == []


async def test_plans_that_are_no_longer_cached_are_freed_at_once(api: Api, garbage: list[Any]) -> None:
    # A cache of statements that has no room: it would hold the reads.
    executor = Executor(schema, compiler=Compiler(schema, SqlCache(0)))
    asked = replace(api, executor=executor).answer(NESTED, id=str(api.project_id), first=2)
    # A task of its own, as a request has: its log line knows the plan.
    answer = await asyncio.create_task(asked)
    assert [error["path"] for error in answer.errors] == [["wrong"]]
    # What the libraries left while they validated the document and wrote the SQL is not meant.
    gc.set_debug(0)
    garbage.clear()
    gc.collect()
    gc.set_debug(gc.DEBUG_SAVEALL)
    operation = weakref.ref(executor.operation(NESTED, None))
    del executor, asked
    assert operation() is None
    gc.collect()
    assert garbage == []
