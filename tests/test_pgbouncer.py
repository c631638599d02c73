"""Behind PgBouncer in transaction mode, many clients share a few sessions without noticing."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import uuid4

import httpx
import pytest

from agentdata.app import create_app
from agentdata.database import Database
from agentdata.principal import Principal
from agentdata.settings import Settings
from models.enums import ApiKeyScope
from tests import commands, databases, factories
from tests.api import Api
from tests.pgbouncer import needs_pgbouncer, pgbouncer, version
from tests.serving import make_key
from tests.test_database import WAYS, by_statement, session_state

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agentdata.database_urls import DatabaseUrls
    from tests.serving import Key

pytestmark = needs_pgbouncer

SESSIONS = 2
"""The number of sessions on the server that all clients share."""

MESSAGES = [{"role": "USER", "content": f"message {place}"} for place in range(120)]

START = """
mutation($input: CreateSessionInput!, $idempotencyKey: String) {
  createSession(input: $input, idempotencyKey: $idempotencyKey) { id }
}
"""
APPEND = """
mutation($session: ID!, $messages: [AppendMessageInput!]!, $idempotencyKey: String) {
  appendMessages(sessionId: $session, messages: $messages, idempotencyKey: $idempotencyKey) { id sequence }
}
"""
RENAME = "mutation($id: ID!, $input: UpdateSessionInput!) { updateSession(id: $id, input: $input) { title } }"
READ = """
query($id: ID!) {
  project { slug }
  session(id: $id) { title messageCount messages(first: 500) { totalCount nodes { sequence content } } }
  sessions(first: 100) { nodes { title } }
  statistics: project { statistics { messageCount } }
}
"""


class Pooled(NamedTuple):
    """A running PgBouncer, and the options that URLs have for it."""

    urls: DatabaseUrls
    url_options: str
    keeps_statements: bool
    """Whether statements stay prepared: PgBouncer keeps them, and the URL allows it."""

    @property
    def url(self) -> str:
        """A URL for requests, with an application name by which the test finds its sessions."""
        return f"{self.urls.request}{self.url_options}&application_name=pooled-{uuid4().hex}"


@pytest.fixture(
    scope="module",
    params=[("&pgbouncer=true", 0), ("", 0), ("&pgbouncer=true", 100), ("", 100)],
    ids=["declared", "detected", "declared, keeps statements", "detected, keeps statements"],
)
def pooled(database_urls: DatabaseUrls, request: pytest.FixtureRequest) -> Iterator[Pooled]:
    """Provide the database through PgBouncer."""
    url_options, prepared = request.param
    if prepared and version() < (1, 21):
        pytest.skip("this PgBouncer keeps no prepared statements; 1.21 and newer do")
    with pgbouncer(database_urls, sessions=SESSIONS, prepared_statements=prepared) as urls:
        yield Pooled(urls, url_options, bool(prepared) and not url_options)


async def ask(client: httpx.AsyncClient, key: Key, query: str, **variables: Any) -> Any:
    """Send an operation, and return the data of its answer, which must have no errors."""
    answer = await client.post(
        "/graphql",
        json={"query": query, "variables": variables},
        headers={"Authorization": f"Bearer {key.secret}"},
        timeout=60,
    )
    assert answer.status_code == 200, answer.text
    assert "errors" not in answer.json(), answer.text
    return answer.json()["data"]


async def work(client: httpx.AsyncClient, key: Key, number: int) -> None:
    """Write a session and read it back, as one of many concurrent clients."""
    title = f"{key.slug} {number}"
    variables = {"input": {"title": "new"}, "idempotencyKey": f"start {number}"}
    id_ = (await ask(client, key, START, **variables))["createSession"]["id"]
    assert (await ask(client, key, START, **variables))["createSession"]["id"] == id_
    first = {"session": id_, "messages": MESSAGES, "idempotencyKey": f"append {number}"}
    written = (await ask(client, key, APPEND, **first))["appendMessages"]
    again, _ = await asyncio.gather(
        ask(client, key, APPEND, **first),
        ask(client, key, APPEND, session=id_, messages=[{"role": "USER", "content": "last"}]),
    )
    assert again["appendMessages"] == written
    renamed = await ask(client, key, RENAME, id=id_, input={"title": title})
    assert renamed == {"updateSession": {"title": title}}
    for _ in range(2):
        read = await ask(client, key, READ, id=id_)
        assert read["project"] == {"slug": key.slug}
        assert read["session"]["title"] == title
        assert read["session"]["messageCount"] == len(MESSAGES) + 1
        contents = [message["content"] for message in read["session"]["messages"]["nodes"]]
        assert contents == [*(message["content"] for message in MESSAGES), "last"]
        titles = {session["title"] for session in read["sessions"]["nodes"]}
        assert titles - {"new"} <= {f"{key.slug} {each}" for each in range(100)}


async def test_clients_of_several_projects_share_a_few_sessions(
    pooled: Pooled, database_urls: DatabaseUrls, database_server: databases.Server
) -> None:
    keys = [await make_key(database_urls) for _ in range(3)]
    url = pooled.url
    # Two servers, each with more connections than PgBouncer has sessions.
    apps = [create_app(Settings(pool_size=6), url) for _ in range(2)]
    clients = [httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") for app in apps]
    try:
        await asyncio.gather(*(work(clients[number % 2], key, number) for number in range(6) for key in keys))
        name = url.partition("application_name=")[2]
        used = f"SELECT count(*) FROM pg_stat_activity WHERE application_name = '{name}'"  # noqa: S608  # from this file
        assert 1 <= (await asyncio.to_thread(databases.run, database_server.admin, used))[0] <= SESSIONS
        for key in keys:
            counted = await ask(
                clients[0], key, "{ sessions { totalCount } project { statistics { messageCount } } }"
            )
            assert counted["sessions"]["totalCount"] == 6
            assert counted["project"]["statistics"]["messageCount"] == 6 * (len(MESSAGES) + 1)
    finally:
        for app, client in zip(apps, clients, strict=True):
            await client.aclose()
            async with app.router.lifespan_context(app):
                pass


async def test_the_reference_way_reads_through_pgbouncer(pooled: Pooled, database_urls: DatabaseUrls) -> None:
    key = await make_key(database_urls)
    database = Database(pooled.url)
    try:
        api = Api(database, Principal(key.project_id, key.id, frozenset(ApiKeyScope)))
        session = await factories.session(api, title="pooled")
        for way in (api.by_reference(), api, api.by_reference()):
            read = await way.ask(READ, id=str(session.id))
            assert read["project"] == {"slug": key.slug}
            assert read["session"]["title"] == "pooled"
    finally:
        await database.close()


async def test_end_users_on_shared_sessions_see_their_own_rows_alone(
    pooled: Pooled, database_urls: DatabaseUrls
) -> None:
    key = await make_key(database_urls)
    database = Database(pooled.url, pool_size=4)
    try:
        api = Api(database, Principal(key.project_id, key.id, frozenset(ApiKeyScope)))
        people = [await factories.user(api) for _ in range(3)]
        for person in people:
            await factories.session(api, user_id=person.id, title=str(person.id))
        everyone = {str(person.id) for person in people}

        async def titles(who: Api) -> set[str]:
            found = await who.ask("{ sessions { nodes { title } } }")
            return {session["title"] for session in found["sessions"]["nodes"]}

        for _ in range(5):
            clients = [api, *(api.as_user(person.id) for person in people)]
            clients += [client.by_reference() for client in clients]
            seen = await asyncio.gather(*map(titles, clients))
            assert seen == [everyone, *({str(person.id)} for person in people)] * 2
    finally:
        await database.close()


async def test_two_projects_on_shared_sessions_never_see_each_other(
    pooled: Pooled, database_urls: DatabaseUrls
) -> None:
    database = Database(pooled.url, pool_size=3)
    try:
        keys = [await make_key(database_urls) for _ in range(2)]
        for key in keys:
            text = "INSERT INTO agents (project_id, id, name) VALUES ($1, $2, 'Agent') RETURNING id"
            await database.statement(key.project_id, text, [key.project_id, uuid4()], writes=True)
        for way in WAYS:
            found = await asyncio.gather(
                *(each(database, key.project_id) for each in (way, by_statement) for key in keys)
            )
            assert found == [{key.project_id} for _ in range(2) for key in keys], way.__name__
        for _ in range(4):
            assert await session_state(database) == (True, None)
    finally:
        await database.close()


async def test_statements_stay_prepared_only_if_pgbouncer_keeps_them(
    pooled: Pooled, database_urls: DatabaseUrls
) -> None:
    database = Database(pooled.url, pool_size=3)
    try:
        key = await make_key(database_urls)
        mark = f"SELECT 1 AS mark_{uuid4().hex}"
        for _ in range(3):
            await asyncio.gather(*(database.statement(key.project_id, mark, []) for _ in range(6)))
        count_statements = "SELECT count(*) FROM pg_prepared_statements WHERE statement = $1"
        counts = [
            (await database.statement(key.project_id, count_statements, [mark]))[0][0] for _ in range(4)
        ]
        assert (max(counts) > 0) is pooled.keeps_statements
    finally:
        await database.close()


@pytest.mark.slow
def test_successive_commands_work_on_shared_sessions(pooled: Pooled) -> None:
    with databases.reachable_folder() as folder:
        environment = {
            "DATABASE_URL": pooled.urls.request + pooled.url_options,
            "AGENTDATA_MIGRATION_DATABASE_URL": pooled.urls.owner + pooled.url_options,
            "AGENTDATA_DATA_DIR": str(folder),
        }
        slugs = [f"pooled-{uuid4().hex}" for _ in range(3)]
        for slug in slugs:
            for arguments in (
                ["db", "init"],
                ["db", "upgrade"],
                ["projects", "create", slug],
                ["keys", "create", "--project", slug],
            ):
                done = commands.run(environment, arguments)
                assert done.returncode == 0, done.stderr
        found = commands.run(
            environment, ["explain", "--project", slugs[0], "--analyze", "{ project { slug } }"]
        )
        assert (found.returncode, slugs[0] in found.stdout or "projects" in found.stdout) == (0, True), (
            found.stderr
        )
        listed = commands.run(environment, ["projects", "list"])
        assert set(slugs) <= {line.partition("\t")[0] for line in listed.stdout.splitlines()}
