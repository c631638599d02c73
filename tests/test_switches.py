"""Introspection, suggestions, GET and GraphiQL: each can be switched off."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from graphql import get_introspection_query

from schema.root import schema
from tests.serving import client_of, make_key

if TYPE_CHECKING:
    import httpx

    from agentdata.database_urls import DatabaseUrls

BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
PROJECT = {"project": {"__typename": "Project"}}


@pytest.fixture(scope="module")
async def key(database_urls: DatabaseUrls) -> str:
    """Return a key to a project of these tests."""
    return (await make_key(database_urls)).secret


async def messages(client: httpx.AsyncClient, query: str, **variables: Any) -> list[str]:
    """Return the messages of a request that is refused."""
    response = await client.post("/graphql", json={"query": query, "variables": variables})
    assert response.status_code == 400
    assert list(response.json()) == ["errors"]
    return [error["message"] for error in response.json()["errors"]]


@pytest.mark.parametrize(
    "query",
    [
        get_introspection_query(),
        '{ __type(name: "Agent") { name } }',
        "{ project { id } __schema { types { name } } }",
        "{ a: __schema { b: types { name } } }",
        "query ($on: Boolean! = false) { project { id } __schema @include(if: $on) { types { name } } }",
        "{ ...F } fragment F on Query { ... { __schema { queryType { name } } } }",
        'query A { project { id } } query B { __type(name: "Agent") { name } }',
    ],
)
async def test_without_introspection_a_document_that_asks_for_the_schema_is_refused(
    database_urls: DatabaseUrls, key: str, query: str
) -> None:
    async with client_of(database_urls.request, key, introspection=False) as client:
        response = await client.post("/graphql", json={"query": query})
        assert response.status_code == 400
        error = response.json()["errors"][0]
        assert error["extensions"] == {"code": "FORBIDDEN", "field": "query"}
        assert error["message"].startswith("introspection is switched off on this server; leave out `__")
        assert error["locations"]


async def test_without_introspection_typename_still_works(database_urls: DatabaseUrls, key: str) -> None:
    async with client_of(database_urls.request, key, introspection=False) as client:
        response = await client.post("/graphql", json={"query": "{ __typename project { __typename } }"})
        assert response.json() == {"data": {"__typename": "Query"} | PROJECT}


TYPOS: list[tuple[str, dict[str, Any]]] = [
    ("{ projekt { id } }", {}),
    ("{ node(id: 1) { name } }", {}),
    ("{ sessions(frist: 1) { totalCount } }", {}),
    ("{ sessions(filter: {statos: {eq: FAILED}}) { totalCount } }", {}),
    ("{ sessions(filter: {status: {eq: FAILD}}) { totalCount } }", {}),
    ('{ sessions(filter: {status: {eq: "FAILED"}}) { totalCount } }', {}),
    ("query ($f: SessionFilta) { sessions(filter: $f) { totalCount } }", {}),
    (
        "query ($f: SessionFilter) { sessions(filter: $f) { totalCount } }",
        {"f": {"statos": {"eq": "FAILED"}}},
    ),
    ("query ($f: SessionFilter) { sessions(filter: $f) { totalCount } }", {"f": {"status": {"eq": "FAILD"}}}),
    ("{ project { id @inklude(if: true) } }", {}),
    ("{ project { ...G } } fragment F on Projekt { id }", {}),
]


@pytest.mark.parametrize(("query", "variables"), TYPOS)
async def test_errors_suggest_names_only_if_introspection_and_suggestions_are_on(
    database_urls: DatabaseUrls, key: str, query: str, variables: dict[str, Any]
) -> None:
    suggested = []
    for off in ({}, {"suggestions": False}, {"introspection": False}):
        async with client_of(database_urls.request, key, **off) as client:
            suggested.append("Did you mean" in " ".join(await messages(client, query, **variables)))
    assert suggested[1:] == [False, False]
    # The other errors are examples of those that never suggest a name.
    assert suggested[0] or "@inklude" in query or "...G" in query


async def test_without_suggestions_no_error_tells_a_name_that_the_client_did_not_send(
    database_urls: DatabaseUrls, key: str
) -> None:
    """Nearly every name of the schema is guessed with one letter too many."""
    core = schema._schema  # noqa: SLF001 - Strawberry has no public name for it
    names = sorted({*core.type_map, *(core.query_type.fields if core.query_type else ())})
    async with client_of(database_urls.request, key, suggestions=False) as client:
        for name in names[:: len(names) // 60]:
            for query in (
                f"{{ {name}x }}",
                f"query ($a: {name}x) {{ project {{ id }} }}",
                f"{{ sessions({name}x: 1) {{ totalCount }} }}",
            ):
                assert not [text for text in await messages(client, query) if "mean" in text]


async def test_without_get_only_posts_are_answered(database_urls: DatabaseUrls, key: str) -> None:
    async with client_of(database_urls.request, key, get=False) as client:
        refused = await client.get("/graphql", params={"query": "{ __typename }"})
        assert (refused.status_code, refused.headers["Allow"]) == (405, "POST")
        assert refused.json()["errors"][0]["message"] == "send GraphQL requests by POST"
        answered = await client.post("/graphql", json={"query": "{ __typename }"})
        assert answered.json() == {"data": {"__typename": "Query"}}
        page = await client.get("/graphql", headers={"Accept": BROWSER})
        assert page.headers["Content-Type"].startswith("text/html")


async def test_without_graphiql_browsers_get_no_page(database_urls: DatabaseUrls, key: str) -> None:
    async with client_of(database_urls.request, key, graphiql=False) as client:
        for path in ("/", "/graphiql/main.js"):
            assert (await client.get(path, headers={"Accept": BROWSER})).status_code == 404
        answered = await client.get("/graphql?query={__typename}", headers={"Accept": BROWSER})
        assert answered.json() == {"data": {"__typename": "Query"}}
        assert answered.headers["Content-Type"].startswith("application/json")
        assert (await client.get("/graphql", headers={"Accept": "text/html"})).status_code == 406


@pytest.mark.parametrize(
    "query",
    [
        "{ project { ... @defer { id } } }",
        '{ project { ...F @defer(label: "x", if: true) } } fragment F on Project { id }',
        "{ sessions { nodes @stream(initialCount: 1) { id } } }",
        "mutation { ... @defer { __typename } }",
    ],
)
async def test_incremental_delivery_is_refused_with_the_way_out(
    database_urls: DatabaseUrls, key: str, query: str
) -> None:
    async with client_of(database_urls.request, key) as client:
        # GraphQL's own rules have more to say about a root field of a mutation.
        message = (await messages(client, query))[-1]
        assert message.startswith(("@defer is not supported:", "@stream is not supported:"))
        assert message.endswith("leave it out, or send the slow part as a request of its own")
