"""The counts that agents keep of their sessions stay right whatever happens to the sessions."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from random import Random
from typing import TYPE_CHECKING, Any

import pytest

from agentdata.operations import agents, sessions
from models.enums import SessionStatus
from tests import factories

if TYPE_CHECKING:
    from tests.api import Api

COUNTS = """{ agents { nodes {
    name totalSessions successRate lastActiveAt
    sessions(first: 100) { totalCount nodes { status lastActivityAt } }
} } }"""


async def check_counts(api: Api) -> None:
    """Check the counts of all agents against their sessions."""
    for agent in (await api.ask(COUNTS))["agents"]["nodes"]:
        own_sessions = agent["sessions"]["nodes"]
        statuses = [session["status"] for session in own_sessions]
        completed, failed = statuses.count("COMPLETED"), statuses.count("FAILED")
        active = [datetime.fromisoformat(session["lastActivityAt"]) for session in own_sessions]
        assert agent["totalSessions"] == len(own_sessions) == agent["sessions"]["totalCount"]
        assert agent["successRate"] == (completed / (completed + failed) if completed + failed else None)
        last = agent["lastActiveAt"] and datetime.fromisoformat(agent["lastActiveAt"])
        assert last == max(active, default=None)


@pytest.mark.parametrize("seed", range(3))
async def test_counts_of_agents_match_their_sessions_after_each_write(api: Api, seed: int) -> None:
    random = Random(seed)  # noqa: S311  # the same operations each time
    made = [await factories.agent(api, name=f"agent {number}") for number in range(3)]
    ids: list[Any] = []

    def agent_id() -> Any:
        return random.choice([None, *[agent.id for agent in made]])

    for step in range(40):
        happening = (
            random.choice(["create", "start", "end", "update", "move", "say", "delete"]) if ids else "create"
        )
        id_: Any = random.choice(ids) if ids else None
        match happening:
            case "create":
                statuses = [
                    {"status": status, "agent_id": agent_id()}
                    for status in random.sample(list(SessionStatus), 2)
                ]
                ids += [session.id for session in await factories.many_sessions(api, statuses)]
            case "start":
                parent = random.choice([None, id_])
                session = await api.run(sessions.start, values={"agent_id": agent_id(), "parent_id": parent})
                ids.append(session.id)
            case "end":
                status = random.choice(["COMPLETED", "FAILED", "CANCELLED"])
                await api.answer(
                    """mutation ($id: ID!, $status: SessionStatus) {
                        endSession(id: $id, input: {status: $status}) { id }
                    }""",
                    id=str(id_),
                    status=status,
                )
            case "update":
                values = {"status": random.choice(list(SessionStatus))}
                await api.run(sessions.update, id_=id_, values=values)
            case "move":
                await api.run(sessions.update, id_=id_, values={"agent_id": agent_id()})
            case "say":
                later = datetime.now(UTC) + timedelta(hours=step)
                await factories.say(api, id_, factories.said(), factories.said(created_at=later))
            case "delete":
                gone = await api.run(sessions.delete, id_=id_, tree=True)
                ids = [each for each in ids if each not in gone]
        await check_counts(api)


async def test_reopening_a_session_reverts_the_success_rate(api: Api) -> None:
    agent = await factories.agent(api)
    session = await factories.session(api, agent_id=agent.id, status=SessionStatus.FAILED)
    for status, rate in (
        (SessionStatus.COMPLETED, 1.0),
        (SessionStatus.ACTIVE, None),
        (SessionStatus.FAILED, 0.0),
        (SessionStatus.CANCELLED, None),
    ):
        await api.run(sessions.update, id_=session.id, values={"status": status})
        [node] = (await api.ask("{ agents { nodes { totalSessions successRate } } }"))["agents"]["nodes"]
        assert node == {"totalSessions": 1, "successRate": rate}


async def test_deleting_an_agent_keeps_its_sessions(api: Api) -> None:
    agent = await factories.agent(api)
    await factories.session(api, agent_id=agent.id)
    await api.run(agents.delete, id_=agent.id)
    assert (await api.ask("{ sessions { nodes { agent { id } } } }"))["sessions"]["nodes"] == [
        {"agent": None}
    ]


async def test_version_history_lists_activated_versions_latest_first(api: Api) -> None:
    agent, other = await factories.agent(api), await factories.agent(api)
    first = await factories.agent_version(api, agent.id, version_number="1", activate=True)
    await factories.agent_version(api, agent.id, version_number="2", activate=True)
    await factories.agent_version(api, agent.id, version_number="3")
    await api.ask("mutation ($id: ID!) { activateAgentVersion(id: $id) { id } }", id=str(first.id))
    data = await api.ask("""{ agents { nodes {
        id activeVersion { versionNumber } versionHistory { versionNumber isActive } versions { totalCount }
    } } }""")
    assert {node.pop("id"): node for node in data["agents"]["nodes"]} == {
        str(other.id): {"activeVersion": None, "versionHistory": [], "versions": {"totalCount": 0}},
        str(agent.id): {
            "activeVersion": {"versionNumber": "1"},
            "versionHistory": [
                {"versionNumber": "1", "isActive": True},
                {"versionNumber": "2", "isActive": False},
            ],
            "versions": {"totalCount": 3},
        },
    }


async def test_tool_count_is_the_number_of_tools_of_an_agent(api: Api) -> None:
    await factories.agent(api, name="none")
    await factories.agent(api, name="two", tools=["search", {"name": "book"}])
    nodes = (await api.ask("{ agents { nodes { name toolCount } } }"))["agents"]["nodes"]
    assert {node["name"]: node["toolCount"] for node in nodes} == {"none": 0, "two": 2}
