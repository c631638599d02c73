"""GraphQL over HTTP: statuses, media types, and errors with codes for every mistake of a client."""

from __future__ import annotations

import asyncio
import http.client
import logging
import re
from typing import TYPE_CHECKING, Any

import httpx
import orjson
import pytest
import strawberry
from sqlalchemy import text
from strawberry.scalars import JSON

from agentdata.app import create_app
from agentdata.connection import transaction
from agentdata.errors import ConflictError
from agentdata.settings import Settings
from tests.serving import make_key, serving
from tests.test_compression import DECOMPRESS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.applications import Starlette

    from agentdata.database_urls import DatabaseUrls
    from agentdata.operations.unit_of_work import UnitOfWork
    from models import Project

GRAPHQL, PLAIN = "application/graphql-response+json", "application/json"
SLEEP = "{ sleep(seconds: 60) }"


@strawberry.input
class Thing:
    """A thing."""

    size: int


@strawberry.type
class Query:
    """The queries of these tests."""

    @strawberry.field
    def hello(self) -> str:
        """Return a greeting."""
        return "hi"

    @strawberry.field
    async def sleep(self, info: strawberry.Info, seconds: float) -> bool:
        """Keep the database busy."""
        await info.context.reader.execute(text("SELECT pg_sleep(:seconds)").bindparams(seconds=seconds))
        return True

    @strawberry.field
    async def doze(self, info: strawberry.Info, seconds: float) -> bool | None:
        """Keep the database busy; null if it fails."""
        await info.context.reader.execute(text("SELECT pg_sleep(:seconds)").bindparams(seconds=seconds))
        return True

    @strawberry.field
    def echo(
        self,
        text: str | None = None,
        number: int | None = None,
        share: float | None = None,
        thing: Thing | None = None,
    ) -> str:
        """Return the arguments as text."""
        return repr((text, number, share, thing))

    @strawberry.field
    def number(self) -> JSON:
        """Return a number that the JSON serializer cannot write."""
        return JSON(2**70)

    @strawberry.field
    def wide(self) -> int:
        """Return a number that is too large for Int."""
        return 2**40

    @strawberry.field
    def bug(self) -> str | None:
        """Raise an unexpected error."""
        raise KeyError("the password")

    @strawberry.field
    def nothing(self) -> str | None:
        """Return null, which is an answer."""
        return None

    @strawberry.field
    def conflict(self) -> str | None:
        """Raise an error of an operation."""
        raise ConflictError("it is taken", field="name")


async def rename(write: UnitOfWork, seconds: float) -> Project:
    """Change the project's name after some time."""
    project = await write.project()
    await write.execute(text("SELECT pg_sleep(:seconds)").bindparams(seconds=seconds))
    return await write.update(project, {"name": "written"})


@strawberry.type
class Mutation:
    """The mutations of these tests."""

    @strawberry.mutation
    async def write(self, info: strawberry.Info, seconds: float = 0) -> bool:
        """Write for some time."""
        await info.context.write(rename, {"seconds": seconds})
        return True


SCHEMA = strawberry.Schema(query=Query, mutation=Mutation)


@pytest.fixture(scope="module")
async def app(database_urls: DatabaseUrls) -> AsyncIterator[Starlette]:
    """Provide a server of the schema above."""
    app = create_app(Settings(max_body_bytes=100_000), database_urls.request, schema=SCHEMA)
    async with app.router.lifespan_context(app):
        yield app


@pytest.fixture(scope="module")
async def key(database_urls: DatabaseUrls) -> str:
    """Return a key to a project of these tests."""
    return (await make_key(database_urls)).secret


@pytest.fixture
async def anyone(app: Starlette) -> AsyncIterator[httpx.AsyncClient]:
    """Provide a client without a key."""
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://test", headers={"Accept": GRAPHQL}
    ) as client:
        yield client


@pytest.fixture
async def client(anyone: httpx.AsyncClient, key: str) -> httpx.AsyncClient:
    """Return a client with a key."""
    anyone.headers["Authorization"] = f"Bearer {key}"
    return anyone


def errors(response: httpx.Response) -> list[dict[str, Any]]:
    """Return the errors of a response, which must have no data."""
    assert list(response.json()) == ["errors"]
    found: list[dict[str, Any]] = response.json()["errors"]
    return found


async def test_a_query_by_post_is_answered(client: httpx.AsyncClient) -> None:
    response = await client.post("/graphql", json={"query": "{ hello }"})
    assert response.status_code == 200
    assert response.json() == {"data": {"hello": "hi"}}


async def test_a_query_by_get_is_answered(client: httpx.AsyncClient) -> None:
    query = "query A($n: Int) { echo(number: $n) hello } query B { hello }"
    parameters = {"query": query, "operationName": "A", "variables": '{"n": 1}'}
    response = await client.get("/graphql", params=parameters)
    assert response.json() == {"data": {"echo": "(None, 1, None, None)", "hello": "hi"}}


@pytest.mark.parametrize(
    ("accept", "media"),
    [
        (None, PLAIN),
        ("*/*", PLAIN),
        ("application/*", PLAIN),
        ("application/json, text/plain, */*", PLAIN),
        (f"{GRAPHQL}, */*", GRAPHQL),
        (f"*/*, {GRAPHQL.upper()}", GRAPHQL),
        (f"{GRAPHQL};q=0, */*", PLAIN),
        (PLAIN, PLAIN),
        (f"{GRAPHQL}, {PLAIN}", GRAPHQL),
        (f"{GRAPHQL};q=0.5, {PLAIN};q=0.9", PLAIN),
        (f"{PLAIN};q=0, */*;q=0.1", GRAPHQL),
        (f"{PLAIN}; charset=utf-8", PLAIN),
        ("text/html, */*;q=0.1", PLAIN),
        ("text/html", None),
        (f"{PLAIN};q=0", None),
        ("application/graphql-response+json;q=none", None),
        ("text/event-stream", None),
    ],
)
async def test_the_accept_header_chooses_the_media_type(
    client: httpx.AsyncClient, accept: str | None, media: str | None
) -> None:
    del client.headers["Accept"]
    headers = {"Accept": accept} if accept else {}
    response = await client.post("/graphql", json={"query": "{ hello }"}, headers=headers)
    assert response.status_code == (200 if media else 406)
    assert response.headers["Content-Type"] == f"{media or PLAIN}; charset=utf-8"


@pytest.mark.parametrize("coding", [*DECOMPRESS])
@pytest.mark.parametrize("length", [50, 10_000])
async def test_an_answer_is_compressed_for_a_client_that_accepts_it(
    client: httpx.AsyncClient, coding: str, length: int
) -> None:
    # The longer answer is compressed in a thread.
    query = "query ($text: String) {" + " ".join(f"a{n}: echo(text: $text)" for n in range(30)) + "}"
    body = {"query": query, "variables": {"text": "x" * length}}
    plain = await client.post("/graphql", json=body, headers={"Accept-Encoding": "identity"})
    assert "content-encoding" not in plain.headers
    async with client.stream("POST", "/graphql", json=body, headers={"Accept-Encoding": coding}) as response:
        received = b"".join([part async for part in response.aiter_raw()])
    assert response.headers["content-encoding"] == coding
    assert response.headers["content-length"] == str(len(received))
    assert response.headers["vary"].lower() == "accept-encoding"
    assert len(received) < len(plain.content) / 2
    assert DECOMPRESS[coding](received) == plain.content


async def test_a_short_answer_is_not_compressed(client: httpx.AsyncClient) -> None:
    response = await client.post("/graphql", json={"query": "{ hello }"}, headers={"Accept-Encoding": "gzip"})
    assert "content-encoding" not in response.headers
    assert response.json() == {"data": {"hello": "hi"}}


@pytest.mark.parametrize(("media", "status"), [(GRAPHQL, 400), (PLAIN, 200)])
@pytest.mark.parametrize(
    ("query", "variables"),
    [("{", None), ("{ nope }", None), ("query ($n: Int) { echo(number: $n) }", {"n": "one"})],
)
async def test_the_status_of_a_refused_operation_depends_on_the_media_type(
    client: httpx.AsyncClient, media: str, status: int, query: str, variables: dict[str, Any] | None
) -> None:
    body = {"query": query, "variables": variables}
    response = await client.post("/graphql", json=body, headers={"Accept": media})
    assert response.status_code == status
    [error] = errors(response)
    assert error["extensions"]["code"] == "BAD_USER_INPUT"
    assert error["locations"]


async def test_other_fields_are_answered_if_one_fails(client: httpx.AsyncClient) -> None:
    response = await client.post("/graphql", json={"query": "{ conflict hello }"})
    assert response.status_code == 200
    assert response.json() == {
        "data": {"conflict": None, "hello": "hi"},
        "errors": [
            {
                "message": "it is taken",
                "locations": [{"line": 1, "column": 3}],
                "path": ["conflict"],
                "extensions": {"code": "CONFLICT", "field": "name"},
            }
        ],
    }


@pytest.mark.parametrize("field", ["bug", "wide"])
async def test_an_internal_error_shows_only_an_id_that_is_in_the_log(
    client: httpx.AsyncClient, caplog: pytest.LogCaptureFixture, field: str
) -> None:
    response = await client.post("/graphql", json={"query": f"{{ {field} }}"})
    [error] = response.json()["errors"]
    assert error["message"] == "internal error"
    assert error["extensions"].keys() == {"code", "id"}
    assert error["extensions"]["code"] == "INTERNAL"
    [record] = [r for r in caplog.records if r.levelno == logging.ERROR]
    assert error["extensions"]["id"] in record.getMessage()
    assert " in " in record.__dict__["details"]
    # The text of an exception may hold contents, so no line has it.
    assert record.exc_info is None
    assert "the password" not in caplog.text + record.__dict__["details"]


async def test_an_answer_that_cannot_be_serialized_is_an_internal_error(client: httpx.AsyncClient) -> None:
    response = await client.post("/graphql", json={"query": "{ number }"})
    assert response.status_code == 500
    [error] = errors(response)
    assert error["extensions"]["code"] == "INTERNAL"


QUERY = {"query": "{ hello }"}
TYPES = (
    "query ($t: String, $n: Int, $f: Float, $i: Thing) { echo(text: $t, number: $n, share: $f, thing: $i) }"
)


@pytest.mark.parametrize(
    ("body", "message", "field"),
    [
        (b"", "the body is not valid JSON", None),
        (b"{", "the body is not valid JSON", None),
        (b'{"query": "\xff"}', "the body is not valid JSON", None),
        (b'{"query": "\\ud800"}', "the body is not valid JSON", None),
        (b'{"query": "{ hello }", "variables": {"n": NaN}}', "the body is not valid JSON", None),
        (b'{"query": "query ($f: Float) { echo(share: $f) }", "variables": {"f": 1e400}}', "$f", None),
        (b"[" * 2_000 + b"]" * 2_000, "the body is not valid JSON", None),
        (b'{"a":' * 2_000 + b"1" + b"}" * 2_000, "the body is not valid JSON", None),
        (b"5", "the body is JSON, but not an object", None),
        (b'"x"', "the body is JSON, but not an object", None),
        (b"null", "the body is JSON, but not an object", None),
        (orjson.dumps([QUERY, QUERY]), "batches are not supported", None),
        (b"{}", "`query` is missing", "query"),
        (b'{"query": null}', "`query` is missing", "query"),
        (b'{"query": " "}', "`query` is empty", "query"),
        (b'{"query": 5}', "`query` must be a string", "query"),
        (orjson.dumps(QUERY | {"variables": []}), "`variables` must be an object", "variables"),
        (orjson.dumps(QUERY | {"variables": "{}"}), "`variables` must be an object", "variables"),
        (orjson.dumps(QUERY | {"operationName": 5}), "`operationName` must be a string", "operationName"),
        (orjson.dumps(QUERY | {"extensions": 5}), "`extensions` must be an object", "extensions"),
        (orjson.dumps(QUERY | {"operationName": "A"}), "no operation with the name", "operationName"),
        (b'{"query": "query A { hello } query B { hello }"}', "(it has: A, B)", "operationName"),
        (b'{"query": "fragment F on Query { hello }"}', "Fragment 'F' is never used.", None),
        (b'{"query": "{ hello"}', "Syntax Error: Expected Name, found <EOF>.", None),
        (b'{"query": "{ hello }\\u0000"}', "Syntax Error: Unexpected character: U+0000.", None),
        (b'{"query": "{ nope }"}', "Cannot query field 'nope' on type 'Query'.", None),
        (b'{"query": "{ echo(no: 1) }"}', "Unknown argument 'no' on field 'Query.echo'.", None),
        (b'{"query": "{ hello { a } }"}', "must not have a selection", None),
        (b'{"query": "subscription { hello }"}', "subscription", None),
        (b'{"query": "{ echo(number: 1e9) }"}', "Int cannot represent non-integer value: 1e9", None),
        (b'{"query": "{ echo(number: 9999999999) }"}', "Int cannot represent non 32-bit", None),
        (
            orjson.dumps({"query": f"{{ echo(number: {'9' * 5_000}) }}"}),
            "Expected value of type 'Int', found: 9",
            None,
        ),
        (
            orjson.dumps({"query": TYPES, "variables": {"n": 2**40}}),
            "Variable '$n' has invalid value: Int",
            None,
        ),
        (
            orjson.dumps({"query": TYPES, "variables": {"n": "1"}}),
            "Variable '$n' has invalid value: Int",
            None,
        ),
        (
            orjson.dumps({"query": TYPES, "variables": {"n": 1.5}}),
            "Variable '$n' has invalid value: Int",
            None,
        ),
        (
            orjson.dumps({"query": TYPES, "variables": {"n": True}}),
            "Variable '$n' has invalid value: Int",
            None,
        ),
        (
            orjson.dumps({"query": TYPES, "variables": {"f": "NaN"}}),
            "Variable '$f' has invalid value: Float",
            None,
        ),
        (
            orjson.dumps({"query": TYPES, "variables": {"t": 5}}),
            "Variable '$t' has invalid value: String",
            None,
        ),
        (
            orjson.dumps({"query": TYPES, "variables": {"t": ["a"]}}),
            "Variable '$t' has invalid value: String",
            None,
        ),
        (orjson.dumps({"query": TYPES, "variables": {"i": {}}}), "to include required field 'size'", None),
        (orjson.dumps({"query": TYPES, "variables": {"i": {"size": 1, "x": 1}}}), "unknown field 'x'", None),
        (orjson.dumps({"query": TYPES, "variables": {"i": {"size": None}}}), "not to be null", None),
        (b'{"query": "query ($n: Int!) { echo(number: $n) }"}', "Variable '$n' has invalid value", None),
    ],
)
async def test_the_error_names_what_is_wrong_in_a_body(
    client: httpx.AsyncClient, body: bytes, message: str, field: str | None
) -> None:
    response = await client.post("/graphql", content=body, headers={"Content-Type": PLAIN})
    assert response.status_code == 400
    error = errors(response)[0]
    assert message in error["message"]
    assert len(error["message"]) <= 1_000
    assert error["extensions"] == {"code": "BAD_USER_INPUT"} | ({"field": field} if field else {})


@pytest.mark.parametrize(
    ("query_string", "message"),
    [
        ("", "`query` is missing"),
        ("query=", "`query` is missing"),
        ("query={hello}&query={hello}", "`query` appears 2 times in the URL"),
        ("query={hello}&variables=x", "`variables` is not valid JSON"),
        ("query={hello}&variables=[]", "`variables` must be an object"),
        ("query={hello}&extensions=5", "`extensions` must be an object"),
        ("query=%ff", "not UTF-8"),
        ("query={hello}" + "&a=1" * 60, "more than 50 parameters"),
    ],
)
async def test_the_error_names_what_is_wrong_in_a_url(
    client: httpx.AsyncClient, query_string: str, message: str
) -> None:
    response = await client.get(f"/graphql?{query_string}")
    assert response.status_code == 400
    [error] = errors(response)
    assert message in error["message"]
    assert error["extensions"]["code"] == "BAD_USER_INPUT"


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS"])
async def test_other_methods_are_not_allowed(client: httpx.AsyncClient, method: str) -> None:
    response = await client.request(method, "/graphql")
    assert response.status_code == 405
    assert response.headers["Allow"] == "GET, POST"
    assert errors(response)[0]["extensions"]["code"] == "BAD_USER_INPUT"


async def test_a_mutation_by_get_is_not_allowed(client: httpx.AsyncClient) -> None:
    response = await client.get("/graphql", params={"query": "mutation { write }"})
    assert response.status_code == 405
    assert response.headers["Allow"] == "POST"


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Type": ""},
        {"Content-Type": "text/plain"},
        {"Content-Type": "application/graphql"},
        {"Content-Type": "application/x-www-form-urlencoded"},
        {"Content-Type": "application/json; charset=latin-1"},
        {"Content-Type": PLAIN, "Content-Encoding": "gzip"},
    ],
)
async def test_content_other_than_json_in_utf_8_is_refused(
    client: httpx.AsyncClient, headers: dict[str, str]
) -> None:
    response = await client.post("/graphql", content=orjson.dumps(QUERY), headers=headers)
    assert response.status_code == 415
    assert errors(response)[0]["extensions"]["code"] == "BAD_USER_INPUT"


async def test_an_explicit_charset_of_utf_8_is_accepted(client: httpx.AsyncClient) -> None:
    headers = {"Content-Type": "Application/JSON; charset=UTF-8"}
    assert (await client.post("/graphql", content=orjson.dumps(QUERY), headers=headers)).status_code == 200


async def test_an_operation_with_too_many_root_fields_is_refused(client: httpx.AsyncClient) -> None:
    query = "{" + " ".join(f"a{i}: hello" for i in range(60)) + "}"
    response = await client.post("/graphql", json={"query": query})
    assert response.status_code == 400
    [error] = errors(response)
    assert error["extensions"] == {"code": "LIMIT_EXCEEDED", "field": "query"}
    assert "60 root fields, above the limit of 50" in error["message"]


@pytest.mark.parametrize("media", [GRAPHQL, PLAIN])
@pytest.mark.parametrize(
    ("authorization", "message"),
    [
        (None, "an API key is needed"),
        ("", "an API key is needed"),
        ("Basic YTpi", "the scheme is not supported"),
        ("Bearer", "does not look like an API key"),
        ("Bearer nonsense", "does not look like an API key"),
        (f"Bearer ad_aaaaaaaa_{'a' * 43}", "is not known"),
    ],
)
async def test_requests_without_a_valid_key_are_refused(
    anyone: httpx.AsyncClient, media: str, authorization: str | None, message: str
) -> None:
    headers = {"Accept": media} | ({} if authorization is None else {"Authorization": authorization})
    for response in (
        await anyone.post("/graphql", content=b"never read", headers=headers),
        await anyone.get(
            "/graphql", params={"query": "{ __schema { queryType { name } } }"}, headers=headers
        ),
    ):
        assert response.status_code == 401
        assert response.headers["WWW-Authenticate"] == 'Bearer realm="agentdata"'
        assert response.headers["Content-Type"].startswith(media)
        [error] = errors(response)
        assert message in error["message"]
        assert error["extensions"] == {"code": "UNAUTHENTICATED"}


async def test_browsers_get_the_page_without_a_key(anyone: httpx.AsyncClient) -> None:
    browser = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}
    for path in ("/graphql", "/graphql?query={hello}"):
        response = await anyone.get(path, headers=browser)
        assert response.status_code == 200
        assert response.headers["Content-Type"].startswith("text/html")
        assert "script-src 'self'" in response.headers["Content-Security-Policy"]
    assert (await anyone.get("/", headers=browser)).headers["Location"] == "/graphql"


async def test_the_health_check_needs_no_key(anyone: httpx.AsyncClient) -> None:
    response = await anyone.get("/health")
    assert response.status_code == 200
    assert response.json() == {"status": "ok"}


async def test_errors_without_a_database_reveal_nothing_about_it() -> None:
    """Both a request and the health check only say that the client may try again."""
    app = create_app(Settings(), "postgresql://ann:secret@localhost:1/none", schema=SCHEMA)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client,
    ):
        assert (await client.get("/health")).status_code == 503
        headers = {"Authorization": f"Bearer ad_aaaaaaaa_{'a' * 43}"}
        response = await client.post("/graphql", json=QUERY, headers=headers)
        assert response.status_code == 503
        assert response.headers["Retry-After"] == "1"
        [error] = errors(response)
        assert error["extensions"] == {"code": "OVERLOADED"}
        assert error["message"].startswith("the database was lost or has no room for this now; try again")


@pytest.mark.parametrize("path", ["/graphql", "/health", "/nowhere", "/"])
async def test_every_answer_has_the_security_headers(anyone: httpx.AsyncClient, path: str) -> None:
    headers = (await anyone.get(path)).headers
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers.get_list("Content-Security-Policy") == ["default-src 'none'; frame-ancestors 'none'"]


async def test_a_slash_behind_the_path_is_redirected(anyone: httpx.AsyncClient) -> None:
    response = await anyone.post("/graphql/", json={"query": "{ project { name } }"})
    assert response.status_code == 307
    assert response.headers["Location"].endswith("/graphql")


PAGE = {"Origin": "https://dashboard.example", "Accept": GRAPHQL}
ORIGINS = f"https://other.example, {PAGE['Origin']}"
EXPOSED = "Allow, Retry-After, WWW-Authenticate, X-Request-Id"


@pytest.fixture
async def page(database_urls: DatabaseUrls) -> AsyncIterator[httpx.AsyncClient]:
    """Provide a web page of an origin that the settings name."""
    settings = Settings(max_body_bytes=100_000, cors_origins=ORIGINS)
    app = create_app(settings, database_urls.request, schema=SCHEMA)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test", headers=PAGE) as page,
    ):
        yield page


def preflight(headers: str | None, method: str = "POST") -> dict[str, str]:
    """Return the headers of a CORS preflight request."""
    requested = {} if headers is None else {"Access-Control-Request-Headers": headers}
    return {"Access-Control-Request-Method": method} | requested


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize(
    "headers",
    [
        None,
        "authorization,content-type",
        "authorization, content-type, traceparent, tracestate",
        "sentry-trace, baggage",
        "apollographql-client-name, apollographql-client-version",
        "x-apollo-operation-name, x-request-id",
        "X-Anything-Else",
    ],
)
async def test_a_page_of_an_allowed_origin_may_send_any_header(
    page: httpx.AsyncClient, headers: str | None, method: str
) -> None:
    allowed = await page.options("/graphql", headers=preflight(headers, method))
    assert allowed.status_code == 200
    assert allowed.headers["Access-Control-Allow-Origin"] == PAGE["Origin"]
    assert allowed.headers.get("Access-Control-Allow-Headers") == headers
    assert allowed.headers["Access-Control-Allow-Methods"] == "GET, POST"
    assert allowed.headers["Access-Control-Max-Age"] == "7200"
    assert "Access-Control-Allow-Credentials" not in allowed.headers
    assert allowed.headers["X-Content-Type-Options"] == "nosniff"


async def test_pages_of_other_origins_and_other_methods_are_refused(
    page: httpx.AsyncClient, client: httpx.AsyncClient
) -> None:
    refused = await page.options("/graphql", headers=preflight(None) | {"Origin": "https://evil.example"})
    assert refused.status_code == 400
    assert "Access-Control-Allow-Origin" not in refused.headers
    assert (await page.options("/graphql", headers=preflight(None, "DELETE"))).status_code == 400
    # If the settings name no origins, no page may call the API.
    assert "Access-Control-Allow-Origin" not in (await client.get("/health", headers=PAGE)).headers


@pytest.mark.parametrize(
    ("query", "headers", "status"),
    [
        ("{ hello }", {}, 200),
        ("{ hello }", {"Authorization": ""}, 401),
        ("{ nope }", {}, 400),
        ("{ number }", {}, 500),
        ("{ hello }" + " " * 100_000, {}, 413),
        ("{ hello }", {"Content-Type": "text/plain"}, 415),
        ("{ hello }", {"Accept": "text/event-stream"}, 406),
    ],
)
async def test_a_page_of_an_allowed_origin_can_read_every_answer(
    page: httpx.AsyncClient, key: str, query: str, headers: dict[str, str], status: int
) -> None:
    all_headers = {"Authorization": f"Bearer {key}"} | headers
    answer = await page.post("/graphql", json={"query": query}, headers=all_headers)
    assert answer.status_code == status
    assert answer.headers["Access-Control-Allow-Origin"] == PAGE["Origin"]
    assert answer.headers["Access-Control-Expose-Headers"] == EXPOSED
    assert "Origin" in answer.headers["Vary"]


async def test_a_page_of_an_allowed_origin_can_read_retry_after() -> None:
    app = create_app(Settings(cors_origins=ORIGINS), "postgresql://localhost:1/none", schema=SCHEMA)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test", headers=PAGE) as page,
    ):
        headers = {"Authorization": f"Bearer ad_aaaaaaaa_{'a' * 43}"}
        for answer in (await page.get("/health"), await page.post("/graphql", json=QUERY, headers=headers)):
            assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
            assert answer.headers["Access-Control-Allow-Origin"] == PAGE["Origin"]
            assert answer.headers["Access-Control-Expose-Headers"] == EXPOSED


async def test_the_access_log_names_the_operation_and_no_secrets(
    client: httpx.AsyncClient, key: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "agentdata.access")
    parameters = {"query": "query Greeting { hello }", "variables": '{"password": "secret"}'}
    await client.get("/graphql", params=parameters)
    [line] = [r.getMessage() for r in caplog.records if r.name == "agentdata.access"]
    assert line.startswith("GET /graphql status=200 ms=")
    assert " operation=query:Greeting key=" in line
    assert "secret" not in line
    assert key not in line


async def test_the_access_log_counts_operations_without_a_plan(
    client: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "agentdata.access")
    # A field with a resolver of its own cannot be planned; the real contract has no such field.
    for query in ("{ __typename }", "{ hello }", "{ __schema { __typename } }", "{ hello }"):
        assert (await client.post("/graphql", json={"query": query})).status_code == 200
    lines = [r.getMessage() for r in caplog.records if r.name == "agentdata.access"]
    runs = [re.search(r" way=reference reference_runs=(\d+)$", line) for line in lines]
    planned, first, introspected, second = runs
    assert (planned, introspected) == (None, None)
    assert first is not None
    assert second is not None
    assert int(second[1]) == int(first[1]) + 1


@pytest.fixture
async def hurried(database_urls: DatabaseUrls, key: str) -> AsyncIterator[httpx.AsyncClient]:
    """Provide a client of a server that stops statements after 100 ms."""
    app = create_app(Settings(statement_timeout_ms=100), database_urls.request, schema=SCHEMA)
    headers = {"Authorization": f"Bearer {key}"}
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(
            transport=httpx.ASGITransport(app), base_url="http://test", headers=headers
        ) as client,
    ):
        yield client


@pytest.mark.parametrize("media", [GRAPHQL, PLAIN, "*/*"])
@pytest.mark.parametrize("field", ["sleep", "doze"])
async def test_a_timeout_without_any_answer_has_the_status_504(
    hurried: httpx.AsyncClient, field: str, media: str
) -> None:
    body = {"query": f"{{ {field}(seconds: 60) }}"}
    response = await hurried.post("/graphql", json=body, headers={"Accept": media})
    assert response.status_code == 504
    assert "Retry-After" not in response.headers
    [error] = response.json()["errors"]
    assert error["extensions"] == {"code": "TIMEOUT"}
    assert error["path"] == [field]
    assert (await hurried.post("/graphql", json=QUERY)).status_code == 200


@pytest.mark.parametrize(
    ("query", "codes"),
    [
        ("{ doze(seconds: 60) hello }", ["TIMEOUT"]),
        ("{ doze(seconds: 60) conflict }", ["CONFLICT", "TIMEOUT"]),
        ("{ nothing doze(seconds: 60) }", ["TIMEOUT"]),
        ("{ conflict }", ["CONFLICT"]),
    ],
)
async def test_an_answer_with_some_data_or_other_errors_has_the_status_200(
    hurried: httpx.AsyncClient, query: str, codes: list[str]
) -> None:
    response = await hurried.post("/graphql", json={"query": query})
    assert response.status_code == 200
    assert sorted(error["extensions"]["code"] for error in response.json()["errors"]) == codes


async def wait_until(url: str, condition: str) -> None:
    """Wait until a condition is true in the database."""
    async with transaction(url) as connection:
        async with asyncio.timeout(10):
            while not (await connection.execute(text(f"SELECT {condition}"))).scalar():
                await connection.execute(text("SELECT pg_sleep(0.01), pg_stat_clear_snapshot()"))


SLEEPING = "EXISTS (SELECT FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%' AND state = 'active')"


async def test_requests_succeed_again_after_a_lost_connection(
    client: httpx.AsyncClient, database_urls: DatabaseUrls
) -> None:
    request = asyncio.create_task(client.post("/graphql", json={"query": SLEEP}))
    await wait_until(database_urls.request, SLEEPING)
    async with transaction(database_urls.request) as connection:
        await connection.execute(
            text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%'")
        )
    response = await request
    assert (response.status_code, response.headers["Retry-After"]) == (503, "1")
    [error] = response.json()["errors"]
    assert error["extensions"] == {"code": "OVERLOADED"}
    assert (await client.post("/graphql", json={"query": "{ sleep(seconds: 0) }"})).status_code == 200


async def open_request(
    host: str, port: int, key: str, head: str = ""
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Open a connection and send the head of a request."""
    reader, writer = await asyncio.open_connection(host, port)
    writer.write(
        f"POST /graphql HTTP/1.1\r\nHost: test\r\nAuthorization: Bearer {key}\r\n"
        f"Content-Type: application/json\r\n{head}\r\n".encode()
    )
    await writer.drain()
    return reader, writer


async def write_endlessly(writer: asyncio.StreamWriter, chunk: bytes) -> None:
    """Write until the server closes the connection."""
    while True:
        writer.write(chunk)
        await writer.drain()


async def test_a_large_body_is_refused_while_it_is_received(app: Starlette, key: str) -> None:
    async with serving(app) as (host, port):
        reader, writer = await open_request(host, port, key, "Transfer-Encoding: chunked\r\n")
        chunk = b"8000\r\n" + b" " * 0x8000 + b"\r\n"
        with pytest.raises(ConnectionError):
            await write_endlessly(writer, chunk)
        writer.close()
        reader, writer = await open_request(host, port, key, "Content-Length: 100001\r\n")
        answer = await reader.read()
        writer.close()
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b'"code":"LIMIT_EXCEEDED"' in answer


def send_then_read_error(
    address: tuple[str, int], method: str, headers: dict[str, str], *, chunked: bool
) -> Any:
    """Send a body far above the limit as urllib does; return the status and the code of the first error."""
    connection = http.client.HTTPConnection(*address, timeout=30)
    body = b" " * 12 * 1024 * 1024
    content = iter([body[:100_000]] * 120) if chunked else body
    connection.request(method, "/graphql", content, headers | {"Connection": "close"}, encode_chunked=chunked)
    answer = connection.getresponse()
    error = orjson.loads(answer.read())["errors"][0]
    connection.close()
    return answer.status, error["extensions"]["code"]


@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize(
    ("method", "headers", "status", "code"),
    [
        ("POST", {}, 413, "LIMIT_EXCEEDED"),
        ("POST", {"Authorization": ""}, 401, "UNAUTHENTICATED"),
        ("POST", {"Authorization": f"Bearer ad_aaaaaaaa_{'a' * 43}"}, 401, "UNAUTHENTICATED"),
        ("POST", {"Content-Type": "text/plain"}, 415, "BAD_USER_INPUT"),
        ("POST", {"Content-Encoding": "gzip"}, 415, "BAD_USER_INPUT"),
        ("POST", {"Accept": "text/event-stream"}, 406, "BAD_USER_INPUT"),
        ("PUT", {}, 405, "BAD_USER_INPUT"),
        ("GET", {}, 400, "BAD_USER_INPUT"),
    ],
)
async def test_a_client_that_sends_all_of_a_large_body_gets_the_refusal(
    database_urls: DatabaseUrls,
    key: str,
    method: str,
    headers: dict[str, str],
    status: int,
    code: str,
    *,
    chunked: bool,
) -> None:
    app = create_app(Settings(max_body_bytes=4 * 1024 * 1024), database_urls.request, schema=SCHEMA)
    all_headers = {"Authorization": f"Bearer {key}", "Content-Type": PLAIN} | headers
    async with serving(app) as address:
        seen = await asyncio.to_thread(send_then_read_error, address, method, all_headers, chunked=chunked)
    assert seen == (status, code)


async def test_a_wrong_content_length_does_not_bypass_the_body_limit(client: httpx.AsyncClient) -> None:
    body = b" " * 100_001
    headers = {"Content-Type": PLAIN, "Content-Length": "5"}
    response = await client.post("/graphql", content=body, headers=headers)
    assert response.status_code == 413
    [error] = errors(response)
    assert "the limit of 100000 bytes" in error["message"]


async def test_a_query_is_cancelled_when_its_client_disconnects(
    app: Starlette, key: str, database_urls: DatabaseUrls
) -> None:
    body = orjson.dumps({"query": SLEEP})
    async with serving(app) as (host, port):
        for _ in range(15):  # more often than the pool has connections, so each must be returned
            _, writer = await open_request(host, port, key, f"Content-Length: {len(body)}\r\n")
            writer.write(body)
            await wait_until(database_urls.request, SLEEPING)
            writer.close()
            await wait_until(database_urls.request, f"NOT {SLEEPING}")


async def test_a_mutation_completes_after_its_client_disconnects(
    app: Starlette, key: str, database_urls: DatabaseUrls
) -> None:
    body = orjson.dumps({"query": "mutation { write(seconds: 0.3) }"})
    async with serving(app) as (host, port):
        _, writer = await open_request(host, port, key, f"Content-Length: {len(body)}\r\n")
        writer.write(body)
        await wait_until(database_urls.request, SLEEPING)
        writer.close()
        await wait_until(database_urls.owner, "EXISTS (SELECT FROM projects WHERE name = 'written')")


async def test_a_stopping_server_first_answers_its_requests(
    app: Starlette, key: str, database_urls: DatabaseUrls
) -> None:
    body = orjson.dumps({"query": "{ sleep(seconds: 0.3) }"})
    async with serving(app) as (host, port):
        reader, writer = await open_request(host, port, key, f"Content-Length: {len(body)}\r\n")
        writer.write(body)
        await wait_until(database_urls.request, SLEEPING)
    assert (await reader.read()).endswith(b'{"data":{"sleep":true}}')
    writer.close()
