"""Searches for a text alone, on a server that makes vectors of texts."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from agentdata.operations import embeddings
from agentdata.vectors import vector_of
from tests import factories
from tests.api import Api, make_api
from tests.embedding import DIMENSIONS, MODEL, Answer, endpoint, vector
from tests.serving import client_of, make_key

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from uuid import UUID

    import httpx
    from sqlalchemy.ext.asyncio import AsyncEngine

    from agentdata.database import Database
    from agentdata.database_urls import DatabaseUrls
    from tests.embedding import Endpoint
    from tests.serving import Key

KNOWLEDGE = """query Search($query: String, $mode: SearchMode, $least: Float) {
  searchKnowledge(query: $query, mode: $mode, minScore: $least) {
    mode isComplete nodes { similarity rank chunk { content } }
  }
}"""
TEXTS = ["The oven needs an hour to heat", "Open the window at noon", "Close the door"]


@pytest.fixture
def served() -> Iterator[Endpoint]:
    """Serve an endpoint."""
    with endpoint() as served:
        yield served


class Server:
    """A server with the endpoint, and a project on it whose texts have vectors of the endpoint's model."""

    def __init__(self, client: httpx.AsyncClient, key: Key) -> None:
        self._client = client
        self.project_id = key.project_id

    async def answer(self, document: str, **variables: Any) -> dict[str, Any]:
        """Run an operation over HTTP."""
        response = await self._client.post("/graphql", json={"query": document, "variables": variables})
        return response.json()  # type: ignore[no-any-return]  # JSON

    async def search(self, query: str, **variables: Any) -> tuple[str, list[str]]:
        """Search knowledge, and return the mode and the contents found."""
        answer = await self.answer(KNOWLEDGE, query=query, **variables)
        assert "errors" not in answer, answer["errors"]
        found = answer["data"]["searchKnowledge"]
        return found["mode"], [node["chunk"]["content"] for node in found["nodes"]]


@pytest.fixture
async def server(
    served: Endpoint, database: Database, owner: AsyncEngine, database_urls: DatabaseUrls
) -> AsyncIterator[Server]:
    """Serve a project with texts that have vectors."""
    key = await make_key(database_urls)
    api = await in_project(key.project_id, database, owner)
    base = await factories.knowledge_base(api, embedding_model=MODEL)
    document = await factories.knowledge_document(api, base.id)
    chunks = [{"content": text, "embedding": vector_of(vector(text))} for text in TEXTS]
    await factories.knowledge_chunks_of(api, document.id, *chunks)
    async with _client(served, database_urls, key) as client:
        yield Server(client, key)


async def in_project(project_id: UUID, database: Database, owner: AsyncEngine) -> Api:
    """Return an access to a project of the server, in this process."""
    principal = (await make_api(database, owner)).principal
    return Api(database, replace(principal, project_id=project_id))


@asynccontextmanager
async def _client(served: Endpoint, urls: DatabaseUrls, key: Key) -> AsyncIterator[httpx.AsyncClient]:
    settings = {
        "embeddings_url": served.url,
        "embeddings_model": MODEL,
        "embeddings_dimensions": DIMENSIONS,
        "embeddings_search_timeout_s": 2,
    }
    async with client_of(urls.request, key.secret, **settings) as client:
        yield client


QUESTION = "how long does the oven need"
"""Not all of its words are in any text."""


async def test_a_search_for_a_text_is_by_words_and_meaning(server: Server, served: Endpoint) -> None:
    mode, found = await server.search(QUESTION)
    assert (mode, found[0]) == ("HYBRID", TEXTS[0])
    assert served.texts == [QUESTION]
    assert (await server.search("door"))[1][0] == TEXTS[2]
    assert await server.search(QUESTION) == (mode, found)
    assert served.texts == [QUESTION, "door"]


async def test_words_alone_ask_the_endpoint_for_nothing(server: Server, served: Endpoint) -> None:
    assert await server.search("oven", mode="WORDS") == ("WORDS", [TEXTS[0]])
    assert served.requests == []


async def test_meaning_alone_finds_what_is_near_enough(server: Server) -> None:
    mode, found = await server.search(QUESTION, mode="MEANING", least=0.3)
    assert (mode, found) == ("MEANING", [TEXTS[0]])


async def test_if_the_endpoint_does_not_answer_searches_go_by_words_and_say_so(
    server: Server, served: Endpoint
) -> None:
    served.refuses = lambda _: Answer(503, b"")
    assert await server.search("oven") == ("WORDS", [TEXTS[0]])
    assert await server.search("window", mode="HYBRID", least=0.5) == ("WORDS", [TEXTS[1]])
    answer = await server.answer(KNOWLEDGE, query="door", mode="MEANING")
    assert answer["data"] is None
    [error] = answer["errors"]
    assert error["message"] == "the embeddings endpoint of this server is busy"
    assert error["extensions"] == {"code": "EMBEDDINGS_UNAVAILABLE"}


async def test_a_slow_endpoint_does_not_hold_up_searches_by_words(server: Server, served: Endpoint) -> None:
    served.waits.clear()
    assert await server.search("oven") == ("WORDS", [TEXTS[0]])


async def test_projects_without_vectors_ask_the_endpoint_for_nothing(
    served: Endpoint, database_urls: DatabaseUrls
) -> None:
    key = await make_key(database_urls)
    async with _client(served, database_urls, key) as client:
        server = Server(client, key)
        assert await server.search("oven") == ("WORDS", [])
        answer = await server.answer('{ searchMemories(query: "tea") { mode } }')
        assert answer == {"data": {"searchMemories": {"mode": "WORDS"}}}
        answer = await server.answer('{ searchMessages(query: "tea") { mode } }')
        assert answer == {"data": {"searchMessages": {"mode": "WORDS"}}}
        assert served.requests == []
        # A mode that needs a vector gets one.
        answer = await server.answer('{ searchMessages(query: "tea", mode: HYBRID) { mode } }')
        assert answer == {"data": {"searchMessages": {"mode": "HYBRID"}}}
        assert served.texts == ["tea"]


async def test_searches_of_one_operation_share_a_vector(
    server: Server, served: Endpoint, database: Database, owner: AsyncEngine
) -> None:
    api = await in_project(server.project_id, database, owner)
    memory = await factories.memory(api, content="The oven is new")
    given = [{"memory_id": memory.id, "embedding": vector_of(vector("The oven is new"))}]
    await api.run(embeddings.put_for_memories, model=MODEL, embeddings=given)
    answer = await server.answer(
        """query ($query: String!) {
          searchKnowledge(query: $query, first: 1) { mode nodes { chunk { content } } }
          searchMemories(query: $query, first: 1) { mode nodes { memory { content } } }
        }""",
        query="new oven",
    )
    assert answer == {
        "data": {
            "searchKnowledge": {"mode": "HYBRID", "nodes": [{"chunk": {"content": TEXTS[0]}}]},
            "searchMemories": {"mode": "HYBRID", "nodes": [{"memory": {"content": "The oven is new"}}]},
        }
    }
    assert served.texts == ["new oven"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"query": "x" * 1_001}, "query has 1001 characters; it may have at most 1000"),
        ({"mode": "MEANING"}, "the mode MEANING needs an embedding"),
        ({}, "give a query, an embedding, or both"),
    ],
)
async def test_wrong_arguments_are_refused_before_the_endpoint_is_asked(
    server: Server, served: Endpoint, arguments: dict[str, Any], message: str
) -> None:
    answer = await server.answer(KNOWLEDGE, **arguments)
    assert [error["message"] for error in answer["errors"]] == [message]
    assert served.requests == []
