"""Requests with errors leave no cycles of frames: only collections of everything would free those."""

from __future__ import annotations

import gc
from types import FrameType
from typing import TYPE_CHECKING, Any

import pytest

from tests.serving import client_of, make_key

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agentdata.database_urls import DatabaseUrls

REQUESTS: list[dict[str, Any]] = [
    {"query": "{ project { id "},
    {"query": "{ project { nothing } }"},
    {"query": "query ($id: ID!) { session(id: $id) { id } }", "variables": {"id": {}}},
    {"query": '{ sessions(after: "no cursor") { totalCount } }'},
    {"query": "query ($id: ID!) { x: session(id: $id) { id } project { id } }", "variables": {"id": "no id"}},
    {"query": 'mutation { updateSession(id: "no id", input: {}) { id } }'},
]


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
