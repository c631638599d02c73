"""An operation needs the same few statements however much it reads, and reads one snapshot."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import text
from uuid_utils.compat import uuid7

from agentdata.database import Database
from agentdata.operations import messages
from models.enums import MessageRole
from tests import factories
from tests.api import Api, Traffic, make_api, traffic

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from sqlalchemy.ext.asyncio import AsyncEngine

DEEP = """
query ($agents: AgentFilter, $sessions: SessionFilter, $calls: ToolCallFilter) {
  agents(first: 500, filter: $agents, orderBy: [{field: NAME, direction: DESC}]) {
    totalCount
    pageInfo { hasNextPage endCursor }
    nodes {
      name
      lastActiveAt
      activeVersion { versionNumber }
      statistics { sessionCount tools { name callCount } }
      teams { nodes { name } }
      sessions(first: 3, filter: $sessions, orderBy: [{field: QUALITY_SCORE, direction: ASC}]) {
        totalCount
        pageInfo { hasNextPage }
        edges {
          cursor
          node {
            tags
            user { name }
            parent { title }
            ancestors { id }
            children { totalCount nodes { id } }
            firstMessage { content }
            lastMessage { content }
            tree { sessionCount durationMs }
            messages(last: 2, filter: {role: {in: [USER, ASSISTANT]}}) {
              totalCount
              nodes { content toolCalls(filter: $calls) { totalCount nodes { name answer { content } } } }
            }
          }
        }
      }
    }
  }
}
"""
FILTERS: dict[str, Any] = {
    "agents": {"sessions": {"some": {"messages": {"some": {"flagged": {"eq": False}}}}}},
    "sessions": {"or": [{"tags": {"containsAll": ["x"]}}, {"not": {"tags": {"containsAny": ["x"]}}}]},
    "calls": {"name": {"startsWith": "s"}},
}


def reads(statement: str) -> int:
    """Return the number of reads in the statement of a plan."""
    return statement.count("\nUNION ALL\n") + 1


READS = 22
"""One read for each field of `DEEP` that leads to other rows: 2 for the agents (rows, total), 5 below each
(last activity, active version, statistics and their tools, teams), 2 for the sessions, 9 below each (user,
parent, ancestors, children and their total, first and last message, tree), 2 for messages, 3 for calls."""


async def fill(api: Api, owner: AsyncEngine, count: int) -> None:
    """Create agents with everything that `DEEP` selects, and update the statistics of the planner."""
    user = await factories.user(api, name="ann")
    made = [await factories.agent(api, name=f"agent {number:03}") for number in range(count)]
    await factories.team(api, member_ids=[agent.id for agent in made])
    for agent in made[:3]:
        await factories.agent_version(api, agent.id, activate=True)
    roots = await factories.many_sessions(
        api, [{"agent_id": agent.id, "user_id": user.id, "tags": ["x"], "title": "root"} for agent in made]
    )
    children = await factories.many_sessions(
        api, [{"agent_id": root.agent_id, "parent_id": root.id} for root in roots]
    )
    said = {}
    for session in (*roots, *children):
        calls = [factories.called("search", call_id="a"), factories.called("book")]
        said[session.id] = [
            factories.said(),
            factories.said(None, role=MessageRole.ASSISTANT, tool_calls=calls),
            factories.said("found", role=MessageRole.TOOL, tool_call_id="a"),
        ]
    await api.run(messages.append_all, messages=said)
    async with owner.begin() as connection:
        await connection.execute(text("ANALYZE agents, sessions, messages, tool_calls"))


async def run_deep_query(api: Api) -> tuple[Any, Traffic]:
    """Run the query `DEEP`, and return its data and traffic."""
    with traffic(api.database) as seen:
        data = await api.ask(DEEP, **FILTERS)
        await asyncio.sleep(0)  # the driver logs a statement in the next turn of the loop
    return data, seen


async def test_a_deep_query_needs_one_statement_for_3_agents_and_for_300(
    api: Api, other: Api, owner: AsyncEngine
) -> None:
    await fill(api, owner, 3)
    await fill(other, owner, 300)
    few, few_traffic = await run_deep_query(api)
    many, many_traffic = await run_deep_query(other)
    for data, count in ((few, 3), (many, 300)):
        assert data["agents"]["totalCount"] == len(data["agents"]["nodes"]) == count
        for agent in data["agents"]["nodes"]:
            assert agent["sessions"]["totalCount"] == 2
            assert agent["statistics"]["tools"] == [
                {"name": "book", "callCount": 2},
                {"name": "search", "callCount": 2},
            ]
            for edge in agent["sessions"]["edges"]:
                [_, said] = edge["node"]["messages"]["nodes"]
                assert said["toolCalls"] == {
                    "totalCount": 1,
                    "nodes": [{"name": "search", "answer": {"content": "found"}}],
                }
    assert few_traffic.statements == many_traffic.statements
    [statement] = few_traffic.statements
    assert reads(statement) == READS


async def test_a_planned_operation_takes_one_connection_and_one_round_trip(world: Api) -> None:
    await run_deep_query(world)
    _, seen = await run_deep_query(world)
    assert len(seen.connections) == 1
    assert seen.transactions == []
    assert len(seen.statements) == 1


async def test_the_reference_way_takes_one_connection_and_one_transaction(world: Api) -> None:
    with traffic(world.database) as seen:
        await world.by_reference().ask("{ agents { nodes { id sessions { nodes { id } } } } }")
    assert len(seen.connections) == 1
    assert len(seen.statements) == 2
    assert seen.transactions[0].startswith("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")


async def test_only_selected_fields_cause_reads(world: Api) -> None:
    for document, count in (
        ("{ __typename }", 0),
        ("{ agents { __typename } }", 0),
        ("{ agents { totalCount } }", 1),
        ("{ agents { pageInfo { hasNextPage } nodes { id } edges { cursor } } }", 1),
        ("{ agents { totalCount nodes { id } } }", 2),
        ("{ sessions { nodes { id user { name } } } }", 2),
        # The foreign key of the session is enough to know the id.
        ("{ sessions { nodes { id user { id } } } }", 1),
        ("{ a: agents { nodes { id } } b: agents(first: 1) { nodes { id } } }", 2),
        (
            "{ agents { nodes { id sessions @include(if: false) { nodes { id } } } } }",
            1,
        ),
    ):
        with traffic(world.database) as seen:
            await world.ask(document)
        assert sum(map(reads, seen.statements)) == count, document
        assert len(seen.statements) == bool(count), document
        assert len(seen.connections) == bool(count), document


async def test_rows_that_several_fields_refer_to_are_read_once(world: Api) -> None:
    document = "{ sessions { nodes { agent { name } } } messages { nodes { agent { name } } } }"
    with traffic(world.database) as seen:
        await world.ask(document)
    assert sum(map(reads, seen.statements)) == 4


@pytest.fixture
async def single(database_url: str) -> AsyncIterator[Database]:
    """Provide a pool of one connection: an operation that needs two at once would wait for ever."""
    database = Database(database_url, pool_size=1)
    yield database
    await database.close()


async def test_one_connection_is_enough_for_any_operation(single: Database, owner: AsyncEngine) -> None:
    api = await make_api(single, owner)
    await fill(api, owner, 2)
    answers = await asyncio.wait_for(asyncio.gather(*[api.ask(DEEP, **FILTERS) for _ in range(5)]), 20)
    assert len(answers) == 5
    data = await api.ask("""mutation {
        a: createAgent(input: {name: "a"}) { name teams { totalCount } }
        b: createAgent(input: {name: "b"}) { name sessions { totalCount } }
    }""")
    assert data["b"] == {"name": "b", "sessions": {"totalCount": 0}}


@pytest.mark.parametrize("by_reference", [True, False])
async def test_an_operation_sees_all_or_nothing_of_a_concurrent_write(
    api: Api, owner: AsyncEngine, *, by_reference: bool
) -> None:
    agent = await factories.agent(api, name="before")
    await factories.session(api, agent_id=agent.id, title="before")
    asked = "agents { nodes { name sessions { totalCount nodes { agent { name } } } } }"
    one_way = api.by_reference() if by_reference else api
    async with owner.begin() as writing:
        # The reference way reads its agents, which takes its snapshot, and waits before its sessions. A plan
        # waits before it takes its snapshot.
        await writing.execute(text("LOCK TABLE sessions IN ACCESS EXCLUSIVE MODE"))
        asking = asyncio.create_task(one_way.ask(f"{{ {asked} }}"))
        await _wait_for_the_lock(owner)
        await writing.execute(
            text(
                "INSERT INTO sessions (project_id, id, root_id, agent_id, title, started_at,"
                " last_activity_at) VALUES (:project, :id, :id, :agent, 'after', now(), now())"
            ),
            {"project": api.project_id, "id": uuid7(), "agent": agent.id},
        )
        await writing.execute(text("UPDATE agents SET name = 'after' WHERE id = :id"), {"id": agent.id})
    name, count = ("before", 1) if by_reference else ("after", 2)
    sessions = {"totalCount": count, "nodes": [{"agent": {"name": name}}] * count}
    assert (await asking)["agents"] == {"nodes": [{"name": name, "sessions": sessions}]}
    assert (await api.ask("{ agents { nodes { name sessions { totalCount } } } }"))["agents"]["nodes"] == [
        {"name": "after", "sessions": {"totalCount": 2}}
    ]


async def _wait_for_the_lock(owner: AsyncEngine) -> None:
    waiting = text("SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'sessions'::regclass")
    async with asyncio.timeout(10), owner.connect() as watching:
        while not await watching.scalar(waiting):  # noqa: ASYNC110  # PostgreSQL does not notify about waits
            await asyncio.sleep(0.01)
