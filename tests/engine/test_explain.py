"""Explaining plans: the reads, their rows and times, and who may see them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx
import pytest

from agentdata.app import create_app
from agentdata.cli.explain import lines
from agentdata.context import Context
from agentdata.settings import Settings
from models.enums import ApiKeyScope, MessageRole
from tests import factories
from tests.api import EXECUTOR
from tests.serving import Key, make_key

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from agentdata.database_urls import DatabaseUrls
    from agentdata.engine.plans.explain import Explained
    from tests.api import Api

QUERY = """query ($first: Int, $title: String) {
    sessions(first: $first, filter: {title: {eq: $title}}) {
        totalCount nodes { title agent { name } tree { messageCount } messages(first: 2) { nodes {
            sequence toolCalls { nodes { name } }
        } } parent { tree { messageCount } }
    } }
}"""


async def explain(api: Api, document: str, *, analyze: bool, **variables: Any) -> Explained | None:
    """Explain an operation."""
    operation = EXECUTOR.operation(document, None)
    return await EXECUTOR.explain(operation, variables, Context(api.database, api.principal), analyze=analyze)


@pytest.fixture
async def conversations(api: Api) -> Api:
    """Provide three sessions with the same title, one of them with messages and a tool call."""
    agent = await factories.agent(api, name="helper")
    for number in range(3):
        session = await factories.session(api, agent_id=agent.id, title="a")
        if number == 1:
            calls = [factories.called("search")]
            await factories.say(
                api,
                session.id,
                factories.said(),
                factories.said(None, role=MessageRole.ASSISTANT, tool_calls=calls),
            )
    return api


async def test_a_plan_is_a_tree_of_reads_with_their_sql(conversations: Api) -> None:
    plan = await explain(conversations, QUERY, analyze=False, first=2, title="a")
    assert plan is not None
    paths = {read.name: read.path for read in plan.reads}
    tree = {read.path: read.keys and paths[read.keys] for read in plan.reads}
    assert tree == {
        "sessions": None,
        "sessions.totalCount": None,
        "sessions.nodes.agent": "sessions",
        "sessions.nodes.messages": "sessions",
        "sessions.nodes.messages.nodes.toolCalls": "sessions.nodes.messages",
        "sessions.nodes.parent": "sessions",
        # One read serves both fields, and follows the read of the parents.
        "sessions.nodes.tree, sessions.nodes.parent.tree": "sessions.nodes.parent",
    }
    for read in plan.reads:
        assert read.sql in plan.sql
        assert read.rows is None
        assert read.milliseconds is None
    assert plan.parameters[0] == str(conversations.project_id)
    assert "a" in plan.parameters
    assert "LIMIT 2" in plan.sql


async def test_an_analyzed_plan_has_the_rows_and_time_of_each_read(conversations: Api) -> None:
    plan = await explain(conversations, QUERY, analyze=True, first=2, title="a")
    assert plan is not None
    rows = {read.path: read.rows for read in plan.reads}
    assert rows["sessions"] == 2
    assert rows["sessions.totalCount"] == 1
    assert rows["sessions.nodes.agent"] == 1
    assert rows["sessions.nodes.messages"] == 2
    assert rows["sessions.nodes.messages.nodes.toolCalls"] == 1
    assert rows["sessions.nodes.parent"] == 0
    assert rows["sessions.nodes.tree, sessions.nodes.parent.tree"] == 2
    assert plan.milliseconds is not None
    assert all(0 <= (read.milliseconds or 0) <= plan.milliseconds for read in plan.reads)
    single = await explain(conversations, "{ sessions { nodes { title } } }", analyze=True)
    assert single is not None
    assert [read.rows for read in single.reads] == [3]


async def test_a_plan_is_printed_as_a_tree(conversations: Api) -> None:
    plan = await explain(conversations, QUERY, analyze=True, first=2, title="a")
    assert plan is not None
    printed = lines(plan)
    titles = [line.split(" (r")[0] for line in printed if " rows, " in line]
    assert titles[:2] == ["sessions", "    sessions.nodes.agent"]
    assert "    sessions.nodes.messages" in titles
    assert "        sessions.nodes.messages.nodes.toolCalls" in titles
    assert any("$2 = " in line for line in printed)
    assert any(line.startswith("1 statement, 7 reads: ") for line in printed)


@pytest.mark.parametrize(
    "document",
    [
        "{ __schema { __typename } }",
        "{ sessions(first: -1) { totalCount } }",
        'mutation { createUser(input: {name: "never"}) { id } }',
    ],
)
async def test_an_operation_without_a_plan_is_not_explained_or_run(api: Api, document: str) -> None:
    assert await explain(api, document, analyze=True) is None
    assert (await api.ask("{ users { totalCount } }"))["users"]["totalCount"] == 0


@pytest.fixture(scope="module")
async def client(database_urls: DatabaseUrls) -> AsyncIterator[httpx.AsyncClient]:
    """Provide a server."""
    app = create_app(Settings(), database_urls.request)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client,
    ):
        yield client


async def send(client: httpx.AsyncClient, key: Key, query: str, explain: object) -> httpx.Response:
    """Send a query with the extension that asks for its plan."""
    return await client.post(
        "/graphql",
        json={"query": query, "extensions": {"explain": explain}},
        headers={"Authorization": f"Bearer {key.secret}"},
    )


async def test_a_response_to_an_admin_key_can_carry_its_plan(
    client: httpx.AsyncClient, database_urls: DatabaseUrls
) -> None:
    key = await make_key(database_urls, ApiKeyScope.ADMIN)
    response = await send(client, key, "{ project { id } users { totalCount } }", explain=True)
    content = response.json()
    assert content["data"]["users"] == {"totalCount": 0}
    plan = content["extensions"]["explain"]
    assert [read["path"] for read in plan["reads"]] == ["project", "users.totalCount"]
    assert [read["rows"] for read in plan["reads"]] == [1, 1]
    assert plan["milliseconds"] > 0
    assert plan["planningMilliseconds"] > 0
    unplanned = await send(client, key, "{ __schema { __typename } }", explain=True)
    assert unplanned.json()["extensions"] == {"explain": None}
    assert "extensions" not in (await send(client, key, "{ project { id } }", explain=False)).json()


async def test_a_plan_is_refused_to_keys_without_the_admin_scope(
    client: httpx.AsyncClient, database_urls: DatabaseUrls
) -> None:
    key = await make_key(database_urls, ApiKeyScope.WRITE)
    response = await send(client, key, "{ project { id } }", explain=True)
    assert response.status_code == httpx.codes.FORBIDDEN
    [error] = response.json()["errors"]
    assert error["extensions"]["code"] == "FORBIDDEN"
    assert "SELECT" not in response.text
    wrong = await send(client, key, "{ project { id } }", explain="yes")
    assert wrong.status_code == httpx.codes.BAD_REQUEST
    assert "extensions.explain" in wrong.json()["errors"][0]["message"]
