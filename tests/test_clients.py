"""GraphQL clients as they are, and the audits of GraphQL over HTTP, against a server on a port."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from agentdata.app import create_app
from agentdata.settings import Settings
from tests import test_http
from tests.serving import make_key, serving

if TYPE_CHECKING:
    from starlette.applications import Starlette

    from agentdata.database_urls import DatabaseUrls

pytestmark = pytest.mark.slow

FOLDER = Path(__file__).parent / "clients"
INSTALLED = FOLDER / "node_modules" / ".package-lock.json"

# Apollo Client prints the document before it hashes it, and these are in the form that it prints.
QUERY = "query Kind {\n  project {\n    __typename\n  }\n}"
DATA = {"project": {"__typename": "Project"}}


def sent(method: str, *parts: str, status: int = 200) -> dict[str, Any]:
    """Return a request that a client sent: its method, whether it had a query and a hash, and its status."""
    return {"method": method, "query": "query" in parts, "hash": "hash" in parts, "status": status}


@pytest.fixture(scope="module", autouse=True)
def _clients() -> None:
    """Install the clients if they are not; skip these tests on a machine that cannot."""
    problem = None
    if shutil.which("node") is None or (npm := shutil.which("npm")) is None:
        problem = "Node.js is not installed (Debian and Ubuntu: apt install nodejs npm)"
    elif not INSTALLED.exists() or INSTALLED.stat().st_mtime < (FOLDER / "package-lock.json").stat().st_mtime:
        command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
        done = subprocess.run(command, cwd=FOLDER, capture_output=True, text=True, check=False, timeout=300)  # noqa: S603 found above
        if done.returncode:
            problem = f"npm could not install the clients: {done.stderr[-500:]}"
    if problem is not None:
        if "CI" in os.environ:
            pytest.fail(problem)
        pytest.skip(problem)


@pytest.fixture(scope="module")
async def key(database_urls: DatabaseUrls) -> str:
    """Return a key to a project of these tests."""
    return (await make_key(database_urls)).secret


async def node(script: str, app: Starlette, key: str, **arguments: Any) -> Any:
    """Run a script against a server, and return what it printed."""
    async with app.router.lifespan_context(app), serving(app) as (host, port):
        given = json.dumps(arguments | {"url": f"http://{host}:{port}/graphql", "key": key})
        process = await asyncio.create_subprocess_exec(
            "node", script, given, cwd=FOLDER, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
        )
        output, problems = await process.communicate()
    assert process.returncode == 0, problems.decode()
    return json.loads(output)


async def ask(app: Starlette, key: str, **arguments: Any) -> tuple[list[Any], list[Any]]:
    """Ask with a client, and return the requests that it sent and the answers that it gave."""
    seen = await node("ask.mjs", app, key, **arguments)
    return seen["requests"], seen["answers"]


async def test_every_audit_of_graphql_over_http_succeeds(database_urls: DatabaseUrls, key: str) -> None:
    results = await node("audit.mjs", create_app(Settings(), database_urls.request), key)
    assert [result for result in results if result["status"] != "ok"] == []
    assert len(results) == 61


# After a miss, Apollo Client sends the document by POST, and urql by GET while the URL is short enough.
CLIENTS: list[tuple[str, dict[str, Any], str, str]] = [
    ("apollo", {}, "POST", "POST"),
    ("apollo", {"useGETForHashedQueries": True}, "GET", "POST"),
    ("urql", {}, "GET", "GET"),
    ("urql", {"preferGetForPersistedQueries": False}, "POST", "POST"),
]


@pytest.mark.parametrize(("client", "options", "first", "again"), CLIENTS)
async def test_a_client_sends_a_document_once_and_then_its_hash(
    database_urls: DatabaseUrls, key: str, client: str, options: dict[str, Any], first: str, again: str
) -> None:
    app = create_app(Settings(), database_urls.request)
    requests, answers = await ask(app, key, client=client, query=QUERY, times=3, options=options)
    by_hash = sent(first, "hash")
    assert requests == [by_hash, sent(again, "query", "hash"), by_hash, by_hash]
    assert [(answer["data"], answer["error"]) for answer in answers] == [(DATA, None)] * 3


@pytest.mark.parametrize(("client", "options", "first", "again"), CLIENTS)
async def test_a_client_sends_no_more_hashes_if_the_server_stores_no_documents(
    database_urls: DatabaseUrls, key: str, client: str, options: dict[str, Any], first: str, again: str
) -> None:
    app = create_app(Settings(persisted_documents=False), database_urls.request)
    requests, answers = await ask(app, key, client=client, query=QUERY, times=3, options=options)
    assert requests[:2] == [sent(first, "hash"), sent(again, "query")]
    assert [(request["query"], request["hash"]) for request in requests[2:]] == [(True, False)] * 2
    assert [(answer["data"], answer["error"]) for answer in answers] == [(DATA, None)] * 3


async def test_apollo_client_names_the_documents_of_its_manifest(
    database_urls: DatabaseUrls, key: str, tmp_path: Path
) -> None:
    id_ = sha256(QUERY.encode()).hexdigest()
    manifest = tmp_path / "persisted-query-manifest.json"
    operation = {"id": id_, "name": "Kind", "type": "query", "body": QUERY}
    document = {"format": "apollo-persisted-query-manifest", "version": 1, "operations": [operation]}
    manifest.write_text(json.dumps(document))
    settings = Settings(trusted_documents_file=manifest, trusted_documents="only")

    app = create_app(settings, database_urls.request)
    requests, answers = await ask(app, key, client="apollo", query=QUERY, times=2, id=id_)
    assert requests == [sent("POST", "hash")] * 2
    assert [answer["data"] for answer in answers] == [DATA] * 2

    app = create_app(settings, database_urls.request)
    requests, [answer] = await ask(app, key, client="apollo", query="{ project { id } }", id="unknown")
    assert requests == [sent("POST", "hash", status=400)]
    assert (answer["error"], answer["codes"]) == ("CombinedGraphQLErrors", ["UNTRUSTED_DOCUMENT"])


@pytest.mark.parametrize(
    ("client", "error"), [("apollo", "CombinedGraphQLErrors"), ("urql", "CombinedError")]
)
async def test_a_client_reads_the_code_of_an_answer_with_the_status_504(
    database_urls: DatabaseUrls, key: str, client: str, error: str
) -> None:
    settings = Settings(statement_timeout_ms=100)
    app = create_app(settings, database_urls.request, schema=test_http.SCHEMA)
    requests, [answer] = await ask(app, key, client=client, query=test_http.SLEEP)
    assert requests[-1]["status"] == 504
    assert (answer["data"], answer["error"], answer["codes"]) == (None, error, ["TIMEOUT"])


@pytest.mark.parametrize("handler", ["Defer20220824Handler", "GraphQL17Alpha9Handler"])
async def test_apollo_client_shows_why_incremental_delivery_is_refused(
    database_urls: DatabaseUrls, key: str, handler: str
) -> None:
    app = create_app(Settings(), database_urls.request)
    query = "{ project { id ... @defer { name } } }"
    _, [answer] = await ask(app, key, client="apollo", query=query, incremental=handler)
    assert (answer["data"], answer["codes"]) == (None, ["BAD_USER_INPUT"])
    assert answer["messages"][0].startswith("@defer is not supported: an answer comes as a whole")
