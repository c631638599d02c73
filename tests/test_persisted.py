"""Documents that requests name: those that clients store by their hash, and trusted ones of a manifest."""

from __future__ import annotations

import json
from hashlib import md5, sha256
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from agentdata.app import create_app
from agentdata.persisted import Store
from agentdata.settings import Settings
from agentdata.setup_error import SetupError
from agentdata.sight.counts import COUNTS
from tests.serving import client_of, make_key

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    import httpx

    from agentdata.database_urls import DatabaseUrls

GRAPHQL, PLAIN = "application/graphql-response+json", "application/json"
QUERY = "{ project { __typename } }"
DATA = {"data": {"project": {"__typename": "Project"}}}
MUTATION = 'mutation { createUser(input: {name: "Ann"}) { name } }'

NOT_FOUND = [{"message": "PersistedQueryNotFound", "extensions": {"code": "PERSISTED_QUERY_NOT_FOUND"}}]
NOT_SUPPORTED = [
    {"message": "PersistedQueryNotSupported", "extensions": {"code": "PERSISTED_QUERY_NOT_SUPPORTED"}}
]


@pytest.fixture(scope="module")
async def key(database_urls: DatabaseUrls) -> str:
    """Return a key to a project of these tests."""
    return (await make_key(database_urls)).secret


@pytest.fixture
async def client(database_urls: DatabaseUrls, key: str) -> AsyncIterator[httpx.AsyncClient]:
    """Provide a client of a new server, which has no documents yet."""
    async with client_of(database_urls.request, key) as client:
        yield client


def hash_of(text: str) -> str:
    """Return the SHA-256 of a document as Apollo's clients send it."""
    return sha256(text.encode()).hexdigest()


def persisted(hash_: str, query: str | None = None, **more: Any) -> dict[str, Any]:
    """Return a request that names a document as Apollo's clients do, and may send it too."""
    request = {"extensions": {"persistedQuery": {"version": 1, "sha256Hash": hash_}}} | more
    return request if query is None else request | {"query": query}


async def get(client: httpx.AsyncClient, request: dict[str, Any], media: str = GRAPHQL) -> httpx.Response:
    """Send a request by GET."""
    parameters = {
        name: value if isinstance(value, str) else json.dumps(value) for name, value in request.items()
    }
    return await client.get("/graphql", params=parameters, headers={"Accept": media})


async def post(client: httpx.AsyncClient, request: dict[str, Any], media: str = GRAPHQL) -> httpx.Response:
    """Send a request by POST."""
    return await client.post("/graphql", json=request, headers={"Accept": media})


def code_and_field(response: httpx.Response) -> tuple[str, str | None]:
    """Return the code and field of the only error of a response without data."""
    assert list(response.json()) == ["errors"]
    [error] = response.json()["errors"]
    return error["extensions"]["code"], error["extensions"].get("field")


@pytest.mark.parametrize("media", [GRAPHQL, PLAIN])
async def test_a_document_is_asked_for_once_and_then_found_by_its_hash(
    client: httpx.AsyncClient, media: str
) -> None:
    for send in (post, get):
        unknown = await send(client, persisted(hash_of(QUERY)), media)
        assert (unknown.status_code, unknown.json()) == (200, {"errors": NOT_FOUND})
        assert unknown.headers["Cache-Control"] == "no-store"
    stored = await post(client, persisted(hash_of(QUERY), QUERY), media)
    assert (stored.status_code, stored.json()) == (200, DATA)
    for send in (post, get):
        for more in ({}, {"query": ""}, {"variables": {"unused": 1}}):
            found = await send(client, persisted(hash_of(QUERY), **more), media)
            assert (found.status_code, found.json()) == (200, DATA)


async def test_a_stored_document_takes_variables_and_an_operation_name(client: httpx.AsyncClient) -> None:
    text = "query A($n: Int!) { agents(first: $n) { totalCount } } query B { project { __typename } }"
    request = persisted(hash_of(text), operationName="B", variables={"n": 1})
    assert (await post(client, request | {"query": text})).json() == DATA
    assert (await get(client, request)).json() == DATA
    assert (await get(client, request | {"operationName": "A"})).json() == {
        "data": {"agents": {"totalCount": 0}}
    }
    assert code_and_field(await get(client, request | {"operationName": "C"})) == (
        "BAD_USER_INPUT",
        "operationName",
    )


async def test_a_document_is_stored_and_found_by_document_id_too(client: httpx.AsyncClient) -> None:
    request = {"documentId": f"sha256:{hash_of(QUERY)}"}
    for send in (post, get):
        response = await send(client, request)
        assert response.status_code == 400
        assert code_and_field(response) == ("PERSISTED_QUERY_NOT_FOUND", "documentId")
    assert (await post(client, request, PLAIN)).status_code == 200
    assert (await post(client, request | {"query": QUERY})).json() == DATA
    assert (await get(client, request)).json() == DATA
    assert (await get(client, persisted(hash_of(QUERY)))).json() == DATA


async def test_a_wrong_hash_is_refused_and_stores_nothing(client: httpx.AsyncClient) -> None:
    field = "extensions.persistedQuery.sha256Hash"
    for wrong in ("0" * 64, hash_of(QUERY).upper(), "GetProject", f"{hash_of(QUERY)} "):
        response = await post(client, persisted(wrong, QUERY))
        assert response.status_code == 400
        assert code_and_field(response) == ("BAD_USER_INPUT", field)
        assert (await post(client, persisted(wrong))).json() == {"errors": NOT_FOUND}
    assert (await post(client, persisted(hash_of(QUERY)))).json() == {"errors": NOT_FOUND}


@pytest.mark.parametrize("text", ["{", "{ nope }", "{ project { id } " + " " * 200_000 + "}"])
async def test_a_document_that_is_not_valid_is_not_stored(client: httpx.AsyncClient, text: str) -> None:
    response = await post(client, persisted(hash_of(text), text))
    assert response.status_code == 400
    assert code_and_field(response)[0] in {"BAD_USER_INPUT", "LIMIT_EXCEEDED"}
    assert (await post(client, persisted(hash_of(text)))).json() == {"errors": NOT_FOUND}


async def test_a_stored_mutation_runs_by_post_only(client: httpx.AsyncClient) -> None:
    written = await post(client, persisted(hash_of(MUTATION), MUTATION))
    assert written.json() == {"data": {"createUser": {"name": "Ann"}}}
    refused = await get(client, persisted(hash_of(MUTATION)))
    assert (refused.status_code, refused.headers["Allow"]) == (405, "POST")
    assert (await post(client, persisted(hash_of(MUTATION)))).json() == written.json()


async def test_each_project_has_documents_of_its_own(
    client: httpx.AsyncClient, database_urls: DatabaseUrls
) -> None:
    await post(client, persisted(hash_of(QUERY), QUERY))
    assert (await post(client, persisted(hash_of(QUERY)))).json() == DATA
    client.headers["Authorization"] = f"Bearer {(await make_key(database_urls)).secret}"
    assert (await post(client, persisted(hash_of(QUERY)))).json() == {"errors": NOT_FOUND}


async def test_a_hash_needs_an_api_key(client: httpx.AsyncClient) -> None:
    del client.headers["Authorization"]
    assert (await post(client, persisted("0" * 64))).status_code == 401


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        ({"extensions": {"persistedQuery": None}}, "query"),
        ({"extensions": {"persistedQuery": "0" * 64}}, "query"),
        ({"extensions": {"persistedQuery": []}}, "query"),
        ({"extensions": {"persistedQuery": {}}}, "extensions.persistedQuery.sha256Hash"),
        (persisted("") | {"query": QUERY}, "extensions.persistedQuery.sha256Hash"),
        (persisted("0" * 300), "extensions.persistedQuery.sha256Hash"),
        ({"extensions": {"persistedQuery": {"version": 2, "sha256Hash": "a"}}}, "extensions.persistedQuery"),
        (persisted("a", documentId="b"), None),
        ({"documentId": 5}, "documentId"),
        ({"documentId": "a", "query": 5}, "query"),
        ({"documentId": "a", "variables": []}, "variables"),
    ],
)
async def test_a_malformed_name_of_a_document_is_refused(
    client: httpx.AsyncClient, request_: dict[str, Any], field: str | None
) -> None:
    response = await post(client, request_)
    assert response.status_code == 400
    assert code_and_field(response) == ("BAD_USER_INPUT", field)


async def test_without_persisted_documents_clients_are_told_to_send_the_query(
    database_urls: DatabaseUrls, key: str
) -> None:
    async with client_of(database_urls.request, key, persisted_documents=False) as client:
        for send in (post, get):
            response = await send(client, persisted(hash_of(QUERY)))
            assert (response.status_code, response.json()) == (200, {"errors": NOT_SUPPORTED})
            # The hash is not looked at, as by a server that does not know the extension.
            assert (await send(client, persisted("0" * 64, QUERY))).json() == DATA
        refused = await post(client, {"documentId": "a"})
        assert code_and_field(refused) == ("PERSISTED_QUERY_NOT_SUPPORTED", "documentId")


def test_a_project_that_floods_the_store_loses_only_its_own_documents() -> None:
    flooding, *others = (uuid4() for _ in range(4))
    store = Store(max_bytes=100_000)
    for other in others:
        for i in range(5):
            store.put(other, f"{i}", "{ a }" * 200)
    for i in range(1_000):
        store.put(flooding, f"{i}", "{ a }" * 100)
    assert all(store.get(other, f"{i}") for other in others for i in range(5))
    kept = [i for i in range(1_000) if store.get(flooding, f"{i}")]
    assert kept == list(range(kept[0], 1_000))
    assert 60 < len(kept) < 100


def test_a_full_store_drops_the_document_that_was_not_used_for_the_longest_time() -> None:
    project = uuid4()
    store = Store(max_bytes=10_000)
    for i in range(5):
        store.put(project, f"{i}", "x" * 1_000)
    assert store.get(project, "0")
    store.put(project, "1", "x" * 1_000)
    for i in range(5, 8):
        store.put(project, f"{i}", "x" * 1_000)
    assert [i for i in range(8) if store.get(project, f"{i}")] == [0, 1, 4, 5, 6, 7]


def test_one_document_larger_than_the_store_is_not_kept() -> None:
    project = uuid4()
    store = Store(max_bytes=1_000)
    store.put(project, "a", "x" * 2_000)
    assert store.get(project, "a") is None
    store.put(project, "b", "x")
    assert store.get(project, "b") == "x"


APOLLO = {
    "format": "apollo-persisted-query-manifest",
    "version": 1,
    "operations": [
        {"id": hash_of(QUERY), "name": "GetProject", "type": "query", "body": QUERY},
        {"id": "custom", "name": "CreateUser", "type": "mutation", "body": MUTATION},
    ],
}
RELAY = {md5(QUERY.encode()).hexdigest(): QUERY}  # noqa: S324 - Relay's compiler names documents so


def settings(folder: Path, manifest: object, **more: Any) -> dict[str, Any]:
    """Return the settings for a manifest."""
    file = folder / "manifest.json"
    file.write_text(manifest if isinstance(manifest, str) else json.dumps(manifest))
    return {"trusted_documents_file": file} | more


@pytest.mark.parametrize("mode", ["also", "only"])
async def test_trusted_documents_are_found_by_each_kind_of_name(
    database_urls: DatabaseUrls, key: str, tmp_path: Path, mode: str
) -> None:
    for manifest, names in (
        (APOLLO, [hash_of(QUERY), f"sha256:{hash_of(QUERY)}"]),
        (RELAY, list(RELAY)),
        ({f"sha256:{hash_of(QUERY)}": QUERY}, [hash_of(QUERY)]),
    ):
        made = settings(tmp_path, manifest, trusted_documents=mode, persisted_documents=False)
        async with client_of(database_urls.request, key, **made) as client:
            for name in names:
                for request in (persisted(name), {"documentId": name}):
                    assert (await get(client, request)).json() == DATA
                    assert (await post(client, request)).json() == DATA


async def test_trusted_documents_are_compiled_before_their_first_requests(
    database_urls: DatabaseUrls, tmp_path: Path
) -> None:
    app = create_app(Settings(**settings(tmp_path, RELAY)), database_urls.request)
    before = COUNTS.compilations
    await app.state.compile_ahead(after_s=0)
    # The document that the server suggests and its plan, and the plan of the trusted one.
    assert COUNTS.compilations - before == 3


@pytest.mark.parametrize("media", [GRAPHQL, PLAIN])
async def test_only_trusted_documents_run_if_the_settings_say_so(
    database_urls: DatabaseUrls, key: str, tmp_path: Path, media: str
) -> None:
    made = settings(tmp_path, APOLLO, trusted_documents="only")
    async with client_of(database_urls.request, key, **made) as client:
        for request, field in (
            ({"query": "{ project { id } }"}, "query"),
            ({"query": "{ __schema { queryType { name } } }"}, "query"),
            ({"query": "query IntrospectionQuery { __schema { types { name } } }"}, "query"),
            ({"query": "{ __typename }"}, "query"),
            ({"query": "{"}, "query"),
            ({"query": QUERY + " "}, "query"),
            ({"documentId": "other"}, "documentId"),
            (persisted("0" * 64), "extensions.persistedQuery.sha256Hash"),
            (persisted(hash_of("{ project { id } }"), "{ project { id } }"), "query"),
            (persisted(hash_of(QUERY), "{ project { id } }"), "query"),
        ):
            for send in (post, get):
                response = await send(client, request, media)
                assert response.status_code == (400 if media == GRAPHQL else 200)
                assert code_and_field(response) == ("UNTRUSTED_DOCUMENT", field)
        # The text of a trusted document is the document, too.
        assert (await post(client, {"query": QUERY}, media)).json() == DATA
        assert (await post(client, persisted(hash_of(QUERY), QUERY), media)).json() == DATA
        written = {"data": {"createUser": {"name": "Ann"}}}
        assert (await post(client, {"documentId": "custom"}, media)).json() == written
        assert (await get(client, {"documentId": "custom"}, media)).status_code == 405


async def test_other_documents_run_and_are_stored_beside_trusted_ones(
    database_urls: DatabaseUrls, key: str, tmp_path: Path
) -> None:
    async with client_of(database_urls.request, key, **settings(tmp_path, APOLLO)) as client:
        other = "{ __typename }"
        assert (await post(client, {"query": other})).json() == {"data": {"__typename": "Query"}}
        assert (await post(client, persisted(hash_of(other)))).json() == {"errors": NOT_FOUND}
        await post(client, persisted(hash_of(other), other))
        assert (await post(client, persisted(hash_of(other)))).json() == {"data": {"__typename": "Query"}}
        written = {"data": {"createUser": {"name": "Ann"}}}
        assert (await post(client, persisted("custom", MUTATION))).json() == written
        # A client cannot give a trusted identifier another document.
        assert code_and_field(await post(client, persisted("custom", other)))[0] == "BAD_USER_INPUT"
        assert (await post(client, persisted(hash_of(QUERY), other))).status_code == 400
        assert (await post(client, persisted(hash_of(QUERY)))).json() == DATA


@pytest.mark.parametrize(
    ("manifest", "problem"),
    [
        ("{", r"it is not valid JSON \(.+ in line 1\)"),
        ([QUERY], "it must be the output of Apollo's generate-persisted-query-manifest, or an object"),
        ({"a": 5}, "it must be the output of Apollo's"),
        ({"a": {"text": QUERY}}, "it must be the output of Apollo's"),
        (APOLLO | {"version": 2}, "only version 1 of Apollo's manifests"),
        (APOLLO | {"operations": [5]}, "it must be the output of Apollo's"),
        (APOLLO | {"operations": [{"id": "a"}]}, "it must be the output of Apollo's"),
        ({"a": "{ nope }"}, "the document a is not valid: Cannot query field 'nope' .*line 1, column 3"),
        ({"a": "{"}, "the document a is not valid: Syntax Error"),
        ({"a": "fragment F on User { id }"}, "the document a is not valid: Fragment 'F' is never used"),
        ({hash_of(QUERY): QUERY, f"sha256:{hash_of(QUERY)}": MUTATION}, "two documents have the identifier"),
    ],
)
def test_a_server_with_a_wrong_manifest_does_not_start(
    tmp_path: Path, manifest: object, problem: str
) -> None:
    with pytest.raises(SetupError, match=rf"^AGENTDATA_TRUSTED_DOCUMENTS_FILE /\S+: {problem}"):
        create_app(Settings(**settings(tmp_path, manifest)), "postgresql://localhost:1/none")


def test_a_server_without_the_manifest_that_it_needs_does_not_start(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match="it cannot be read: No such file or directory"):
        create_app(Settings(trusted_documents_file=tmp_path / "none.json"), "postgresql://localhost:1/none")
    with pytest.raises(SetupError, match="AGENTDATA_TRUSTED_DOCUMENTS=only needs a manifest"):
        create_app(Settings(trusted_documents="only"), "postgresql://localhost:1/none")
