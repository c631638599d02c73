"""Concurrent writers lose nothing, duplicate no sequence, and leave nothing half written."""

from __future__ import annotations

import asyncio
import copy
import random
from collections import Counter
from typing import TYPE_CHECKING, Any
from uuid import UUID

import httpx
import pytest
from sqlalchemy import text
from sqlalchemy import update as update_rows

from agentdata.app import create_app
from agentdata.connection import transaction
from agentdata.errors import ConflictError, NotFoundError
from agentdata.operations import agent_versions, agents, messages, sessions, teams, tool_calls
from agentdata.settings import Settings
from models import Agent
from models.enums import MessageRole
from tests import factories
from tests.factories import called, said
from tests.serving import make_key, serving
from tests.writes import untrue

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from sqlalchemy.ext.asyncio import AsyncEngine

    from agentdata.database_urls import DatabaseUrls
    from agentdata.operations.unit_of_work import UnitOfWork
    from tests.api import Api

APPEND = """
mutation($session: ID!, $messages: [AppendMessageInput!]!) {
  appendMessages(sessionId: $session, messages: $messages) { id sequence externalId }
}
"""
COUNTS = """
query($id: ID!, $after: String) {
  session(id: $id) {
    messageCount interactionCount promptTokens
    messages(first: 500, after: $after) { nodes { sequence externalId } pageInfo { endCursor hasNextPage } }
  }
}
"""


class Client:
    """A client over HTTP."""

    def __init__(self, url: str, secret: str) -> None:
        self.http = httpx.AsyncClient(
            headers={"Authorization": f"Bearer {secret}"},
            timeout=30,
            limits=httpx.Limits(max_connections=None),
            transport=httpx.AsyncHTTPTransport(limits=httpx.Limits(max_connections=None)),
        )
        self.url = url

    async def ask(self, document: str, **variables: Any) -> Any:
        """Send an operation, check that it has no errors, and return its data."""
        answer = await self.http.post(self.url, json={"query": document, "variables": variables})
        body = answer.json()
        assert "errors" not in body, body["errors"]
        return body["data"]

    async def append(self, session: str, *external_ids: str) -> list[dict[str, Any]]:
        """Append user messages of five tokens each."""
        given = [{"role": "USER", "promptTokens": 5, "externalId": id_} for id_ in external_ids]
        written: list[dict[str, Any]] = (await self.ask(APPEND, session=session, messages=given))[
            "appendMessages"
        ]
        return written

    async def session(self, id_: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        """Return a session and all its messages."""
        found: list[dict[str, Any]] = []
        after = None
        while True:
            session = (await self.ask(COUNTS, id=id_, after=after))["session"]
            found += session["messages"]["nodes"]
            if not session["messages"]["pageInfo"]["hasNextPage"]:
                return session, found
            after = session["messages"]["pageInfo"]["endCursor"]


@pytest.fixture
async def client(database_urls: DatabaseUrls, request: pytest.FixtureRequest) -> AsyncIterator[Client]:
    """Provide a client of a server, whose pool has as many connections as the parameter says."""
    key = await make_key(database_urls)
    app = create_app(Settings(pool_size=request.param, pool_timeout_s=60), database_urls.request)
    async with app.router.lifespan_context(app), serving(app) as (host, port):
        client = Client(f"http://{host}:{port}/graphql", key.secret)
        async with client.http:
            yield client


@pytest.mark.parametrize("client", [1, 20], indirect=True)
async def test_two_hundred_clients_can_append_to_one_session(client: Client) -> None:
    session = (await client.ask("mutation { startSession(input: {}) { id } }"))["startSession"]["id"]
    written = await asyncio.gather(
        *(
            client.append(session, *(f"{number}-{place}" for place in range(1 + number % 3)))
            for number in range(200)
        )
    )
    acknowledged = {message["sequence"]: message["externalId"] for many in written for message in many}
    count = sum(len(many) for many in written)
    assert sorted(acknowledged) == list(range(1, count + 1))
    # Messages of one request get consecutive sequences.
    assert all(many[-1]["sequence"] - many[0]["sequence"] == len(many) - 1 for many in written)
    found, rows = await client.session(session)
    assert {row["sequence"]: row["externalId"] for row in rows} == acknowledged
    assert (found["messageCount"], found["interactionCount"], found["promptTokens"]) == (
        count,
        count,
        5 * count,
    )


@pytest.mark.parametrize("client", [10], indirect=True)
async def test_fifty_clients_can_use_fifty_sessions_of_one_agent(client: Client) -> None:
    agent = (await client.ask('mutation { createAgent(input: {name: "A"}) { id } }'))["createAgent"]["id"]

    async def talk(number: int) -> None:
        made = await client.ask(
            "mutation($agent: ID!) { startSession(input: {agentId: $agent}) { id } }", agent=agent
        )
        session = made["startSession"]["id"]
        for turn in range(2):
            await client.append(session, f"{number}-{turn}")
        await client.ask("mutation($id: ID!) { endSession(id: $id) { id } }", id=session)
        found, rows = await client.session(session)
        assert [row["sequence"] for row in rows] == [1, 2]
        assert found["messageCount"] == 2

    await asyncio.gather(*map(talk, range(50)))
    asked = "query($id: ID!) { agent(id: $id) { totalSessions successRate } }"
    assert (await client.ask(asked, id=agent))["agent"] == {"totalSessions": 50, "successRate": 1}


BLOCKED = {
    "messages": "mutation($id: ID!) { appendMessages(sessionId: $id, messages: [{role: USER}]) { id } }",
    "events": 'mutation($id: ID!) { recordEvents(sessionId: $id, events: [{eventType: "a"}]) { id } }',
    "usage": 'mutation($id: ID!) { recordUsage(records: [{sessionId: $id, model: "small"}]) { id } }',
    "the session": 'mutation($id: ID!) { updateSession(id: $id, input: {title: "new"}) { id } }',
    "tags": 'mutation($id: ID!) { addSessionTags(sessionIds: [$id], tags: ["new"]) { id } }',
    "its sandbox": 'mutation($id: ID!) { setSandbox(sessionId: $id, input: {kind: "mock"}) { id } }',
}
"""Writes that lock a session."""

WAITING = """
SELECT count(*) FROM pg_stat_activity
WHERE wait_event_type = 'Lock' AND query LIKE '%sessions%' AND datname = current_database()"""


@pytest.mark.parametrize("what", BLOCKED)
@pytest.mark.parametrize("client", [10], indirect=True)
async def test_writers_that_wait_for_one_session_leave_connections_to_others(
    client: Client, owner: AsyncEngine, database_urls: DatabaseUrls, what: str
) -> None:
    start = "mutation { startSession(input: {}) { id } }"
    session, second = [(await client.ask(start))["startSession"]["id"] for _ in range(2)]
    neighbour = Client(client.url, (await make_key(database_urls)).secret)
    async with owner.connect() as connection, neighbour.http, asyncio.timeout(30):
        await connection.execute(text("SELECT id FROM sessions WHERE id = :id FOR UPDATE"), {"id": session})
        writers = [asyncio.create_task(client.ask(BLOCKED[what], id=session)) for _ in range(16)]
        async with transaction(database_urls.request) as watching:
            while (await watching.execute(text(WAITING))).scalar() != 2:
                await watching.execute(text("SELECT pg_stat_clear_snapshot()"))
        # None of these waits for the lock.
        for one in (client, neighbour):
            for _ in range(3):
                await one.ask("{ sessions(first: 5) { nodes { title messages(first: 5) { totalCount } } } }")
        assert len(await client.append(second, "first", "second")) == 2
        await neighbour.ask(start)
        assert not any(writer.done() for writer in writers)
        await connection.rollback()
        assert len(await asyncio.gather(*writers)) == 16


async def test_twenty_activations_leave_one_version_active(api: Api, owner: AsyncEngine) -> None:
    agent = await factories.agent(api)
    versions = [await factories.agent_version(api, agent.id) for _ in range(20)]
    await asyncio.gather(*(api.run(agent_versions.activate, id_=version.id) for version in versions))
    async with owner.connect() as connection:
        rows = await connection.execute(
            text(
                "SELECT is_active, activated_at, deactivated_at FROM agent_versions WHERE agent_id = :id"
                " ORDER BY activated_at"
            ),
            {"id": agent.id},
        )
        found = rows.all()
    assert [row.is_active for row in found] == [False] * 19 + [True]
    # Each version was deactivated at the time when the next one became active.
    assert [row.deactivated_at for row in found] == [*(row.activated_at for row in found[1:]), None]


async def test_ten_versions_created_as_active_at_once_leave_one_active(api: Api) -> None:
    agent = await factories.agent(api)
    await asyncio.gather(*(factories.agent_version(api, agent.id, activate=True) for _ in range(10)))
    data = await api.ask(
        "query($id: ID!) { agent(id: $id) { versions { nodes { isActive activatedAt deactivatedAt } } } }",
        id=str(agent.id),
    )
    nodes = data["agent"]["versions"]["nodes"]
    assert Counter(node["isActive"] for node in nodes) == {True: 1, False: 9}
    assert all((node["deactivatedAt"] is None) == node["isActive"] for node in nodes)
    assert all(node["isActive"] or node["deactivatedAt"] >= node["activatedAt"] for node in nodes)


async def test_counts_stay_right_while_sessions_are_created_moved_ended_and_deleted(
    api: Api, owner: AsyncEngine
) -> None:
    first, second = await factories.agent(api), await factories.agent(api)

    async def live(number: int) -> None:
        session = await factories.session(api, agent_id=(first, second)[number % 2].id)
        if number % 3 == 0:
            await api.run(sessions.delete, id_=session.id)
        elif number % 3 == 1:
            await api.run(
                sessions.update, id_=session.id, values={"agent_id": (second, first)[number % 2].id}
            )
        else:
            await api.run(sessions.end, id_=session.id, values={"status": "FAILED"})

    await asyncio.gather(*map(live, range(60)))
    assert await untrue(owner, api) == []


async def test_tagging_sessions_in_opposite_orders_does_not_deadlock(api: Api) -> None:
    ids = [str(session.id) for session in await factories.many_sessions(api, [{} for _ in range(60)])]
    keep, go = ids[:40], ids[40:]
    tag = "mutation($ids: [ID!]!, $tags: [String!]!) { addSessionTags(sessionIds: $ids, tags: $tags) { id } }"
    untag = 'mutation($ids: [ID!]!) { removeSessionTags(sessionIds: $ids, tags: ["none"]) { id } }'

    async def rename() -> None:
        await api.ask('mutation { renameSessionTag(from: "nowhere", to: "somewhere") { sessionCount } }')

    await asyncio.gather(
        *(api.ask(tag, ids=keep if n % 2 else keep[::-1], tags=[f"t{n}"]) for n in range(12)),
        *(api.ask(untag, ids=random.sample(keep, 30)) for _ in range(6)),
        *(rename() for _ in range(4)),
        *(api.ask("mutation($id: ID!) { deleteSession(id: $id) { ids } }", id=id_) for id_ in go),
    )
    data = await api.ask("{ sessions { totalCount nodes { tags } } }")
    assert data["sessions"]["totalCount"] == 40
    assert all(
        sorted(node["tags"]) == sorted(f"t{n}" for n in range(12)) for node in data["sessions"]["nodes"]
    )


async def test_a_deadlocked_write_is_retried(api: Api) -> None:
    first, second = await factories.agent(api), await factories.agent(api)
    begun = {first.id: asyncio.Event(), second.id: asyncio.Event()}
    attempts: Counter[UUID] = Counter()

    async def touch(write: UnitOfWork, ids: list[UUID]) -> list[Agent]:
        attempts[ids[0]] += 1
        for id_ in ids:
            change = (
                update_rows(Agent)
                .where(*write.in_project(Agent), Agent.id == id_)
                .values(run_id=Agent.run_id + 1)
            )
            await write.execute(change)
            begun[ids[0]].set()
            await begun[ids[1]].wait()
        return []

    for agent in (first, second):
        await api.run(agents.update, id_=agent.id, values={"run_id": 0})
    await asyncio.gather(api.run(touch, ids=[first.id, second.id]), api.run(touch, ids=[second.id, first.id]))
    assert sorted(attempts.values()) == [1, 2]
    data = await api.ask("{ agents { nodes { runId } } }")
    assert [node["runId"] for node in data["agents"]["nodes"]] == [2, 2]


async def test_a_write_does_not_change_its_arguments(api: Api) -> None:
    agent = await factories.agent(api)
    session = await factories.session(api, agent_id=agent.id)
    call = called(call_id="1", result={"a": 1})
    for operation, arguments in (
        (teams.create, {"values": {"name": "Team", "member_ids": [agent.id]}}),
        (agents.create, {"values": {"name": "Agent", "specializations": ["a", "a"]}}),
        (
            agent_versions.create,
            {"values": {"agent_id": agent.id, "version_number": "1", "activate": True}},
        ),
        (sessions.create, {"values": {"tags": ["a", "a"], "agent_id": agent.id}}),
        (sessions.end, {"id_": session.id, "values": {"quality_score": 1.0}}),
        (
            messages.append,
            {"session_id": session.id, "messages": [said(role=MessageRole.ASSISTANT, tool_calls=[call])]},
        ),
    ):
        before = copy.deepcopy(arguments)
        await api.run(operation, **arguments)
        assert arguments == before


async def test_a_child_created_while_its_parent_is_deleted_is_never_orphaned(
    api: Api, owner: AsyncEngine
) -> None:
    for tree in (False, True) * 5:
        parent = await factories.session(api)
        results = await asyncio.gather(
            api.run(sessions.delete, id_=parent.id, tree=tree),
            *(factories.session(api, parent_id=parent.id) for _ in range(5)),
            return_exceptions=True,
        )
        children = [result for result in results[1:] if not isinstance(result, NotFoundError)]
        assert all(getattr(child, "parent_id", None) == parent.id for child in children), results
        if tree:
            assert isinstance(results[0], list)
        elif not isinstance(results[0], list):
            assert isinstance(results[0], ConflictError)
            assert results[0].field == "tree"
        async with owner.connect() as connection:
            count = "SELECT count(*) FROM sessions WHERE root_id = :id"
            left = (await connection.execute(text(count), {"id": parent.id})).scalar_one()
        gone = not isinstance(results[0], BaseException)
        made = sum(not isinstance(result, BaseException) for result in results[1:])
        assert left == 0 if gone else left == made + 1


async def test_messages_appended_while_their_session_is_deleted_leave_no_rows(
    api: Api, owner: AsyncEngine
) -> None:
    session = await factories.session(api)
    await factories.say(api, session.id, said())
    results = await asyncio.gather(
        *(factories.say(api, session.id, said()) for _ in range(5)),
        api.run(sessions.delete, id_=session.id),
        *(factories.say(api, session.id, said()) for _ in range(5)),
        return_exceptions=True,
    )
    assert all(isinstance(each, list | NotFoundError) for each in results), results
    async with owner.connect() as connection:
        count = "SELECT count(*) FROM messages WHERE session_id = :id"
        assert (await connection.execute(text(count), {"id": session.id})).scalar_one() == 0


async def test_a_result_and_an_answer_recorded_at_once_agree(api: Api) -> None:
    session = await factories.session(api)
    for number in range(10):
        id_ = str(number)
        asks = said(role=MessageRole.ASSISTANT, tool_calls=[called(call_id=id_)])
        [message] = await factories.say(api, session.id, asks)
        call = (
            "query($id: ID!) { message(id: $id) { toolCalls { nodes { id status result answer { id } } } } }"
        )
        [made] = (await api.ask(call, id=str(message.id)))["message"]["toolCalls"]["nodes"]
        answer: Any
        recorded: Any
        answer, recorded = await asyncio.gather(
            factories.say(api, session.id, said("answered", role=MessageRole.TOOL, tool_call_id=id_)),
            api.run(tool_calls.record_result, id_=UUID(made["id"]), values={"result": "recorded"}),
            return_exceptions=True,
        )
        assert isinstance(answer, list)
        [found] = (await api.ask(call, id=str(message.id)))["message"]["toolCalls"]["nodes"]
        result = "answered" if isinstance(recorded, ConflictError) else "recorded"
        assert (found["status"], found["result"]) == ("SUCCEEDED", result)
        assert found["answer"] == {"id": str(answer[0].id)}


async def test_totals_stay_right_while_messages_are_appended_changed_and_deleted(
    api: Api, owner: AsyncEngine
) -> None:
    chance = random.Random(11)  # noqa: S311 - the same writes each time
    session = await factories.session(api)
    there: list[UUID] = []

    async def act(number: int) -> None:
        kind = number % 4
        if kind < 2 or not there:
            new = [
                said(
                    role=chance.choice([MessageRole.USER, MessageRole.ASSISTANT]),
                    prompt_tokens=number,
                    completion_tokens=kind or None,
                )
                for _ in range(1 + kind)
            ]
            there.extend(message.id for message in await factories.say(api, session.id, *new))
        elif kind == 2:
            values = {"prompt_tokens": chance.choice([None, 0, 7]), "completion_tokens": 2**31 - 1}
            await api.run(messages.update, id_=chance.choice(there), values=values)
        else:
            await api.run(messages.delete, id_=there.pop(chance.randrange(len(there))))

    for _ in range(4):
        results = await asyncio.gather(*map(act, range(20)), return_exceptions=True)
        # A write may find its message deleted by another.
        assert all(each is None or isinstance(each, NotFoundError) for each in results), results
        assert await untrue(owner, api) == []
