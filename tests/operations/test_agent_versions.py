"""At most one version of an agent is active, and versions stay with their agent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests import factories

if TYPE_CHECKING:
    from tests.api import Api

ACTIVATE = (
    "mutation($id: ID!) { activateAgentVersion(id: $id) {"
    " id isActive activatedAt deactivatedAt agent { activeVersion { id } } } }"
)
VERSION = "query($id: ID!) { agentVersion(id: $id) { isActive activatedAt deactivatedAt } }"


async def activate(api: Api, id_: object) -> dict[str, Any]:
    """Activate a version."""
    version: dict[str, Any] = (await api.ask(ACTIVATE, id=str(id_)))["activateAgentVersion"]
    assert version["isActive"]
    assert version["agent"]["activeVersion"]["id"] == str(id_)
    assert version["deactivatedAt"] is None
    return version


async def test_activating_a_version_deactivates_the_active_one(api: Api) -> None:
    agent = await factories.agent(api)
    one = await factories.agent_version(api, agent.id)
    two = await factories.agent_version(api, agent.id)
    assert not one.is_active
    assert one.activated_at is None
    first = await activate(api, one.id)
    second = await activate(api, two.id)
    previous = (await api.ask(VERSION, id=str(one.id)))["agentVersion"]
    assert previous == {
        "isActive": False,
        "activatedAt": first["activatedAt"],
        "deactivatedAt": second["activatedAt"],
    }
    again = await activate(api, one.id)
    assert again["activatedAt"] > second["activatedAt"]


async def test_activating_an_active_version_changes_nothing(api: Api) -> None:
    agent = await factories.agent(api)
    version = await factories.agent_version(api, agent.id, activate=True)
    assert await activate(api, version.id) == await activate(api, version.id)


async def test_a_new_version_can_be_created_active(api: Api) -> None:
    agent = await factories.agent(api)
    one = await factories.agent_version(api, agent.id, activate=True)
    two = await factories.agent_version(api, agent.id, activate=True)
    assert two.is_active
    assert (await api.ask(VERSION, id=str(one.id)))["agentVersion"]["deactivatedAt"] is not None


async def test_version_numbers_are_unique_within_an_agent(api: Api) -> None:
    one, two = await factories.agent(api), await factories.agent(api)
    for agent in (one, two):
        await factories.agent_version(api, agent.id, version_number="1.0")
    error = await api.error(
        'mutation($id: ID!) { createAgentVersion(input: {agentId: $id, versionNumber: "1.0"}) { id } }',
        id=str(one.id),
    )
    assert error["extensions"] == {"code": "CONFLICT", "field": "versionNumber"}


async def test_a_version_is_created_by_a_user_or_an_agent_not_by_both(api: Api) -> None:
    agent, user = await factories.agent(api), await factories.user(api)
    error = await api.error(
        "mutation($agent: ID!, $user: ID!) { createAgentVersion(input: {agentId: $agent,"
        ' versionNumber: "1", createdByUserId: $user, createdByAgentId: $agent}) { id } }',
        agent=str(agent.id),
        user=str(user.id),
    )
    assert error["extensions"] == {"code": "BAD_USER_INPUT", "field": "createdByAgentId"}


async def test_sessions_outlive_their_agent_version(api: Api) -> None:
    agent = await factories.agent(api)
    version = await factories.agent_version(api, agent.id, activate=True)
    session = await factories.session(api, agent_id=agent.id)
    delete = "mutation($id: ID!) { deleteAgentVersion(id: $id) { ids } }"
    assert (await api.ask(delete, id=str(version.id)))["deleteAgentVersion"] == {"ids": [str(version.id)]}
    data = await api.ask(
        "query($id: ID!) { session(id: $id) { agent { id activeVersion { id } } agentVersion { id } } }",
        id=str(session.id),
    )
    assert data["session"] == {"agent": {"id": str(agent.id), "activeVersion": None}, "agentVersion": None}
