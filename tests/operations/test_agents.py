"""Agents: unique names, specializations, and deletion."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from models.enums import MessageRole
from tests import factories
from tests.factories import said

if TYPE_CHECKING:
    from tests.api import Api

CREATE = "mutation($input: CreateAgentInput!) { createAgent(input: $input) { id } }"


@pytest.mark.parametrize(("field", "value"), [("name", "Ada"), ("externalId", "1")])
async def test_an_agent_name_or_external_id_in_use_conflicts(
    api: Api, other: Api, field: str, value: str
) -> None:
    taken = {"name": "Ada", "externalId": "1"}
    for project in (api, other):
        await project.ask(CREATE, input=taken)
    error = await api.error(CREATE, input={"name": "Ben", "externalId": "2", field: value})
    assert error["extensions"] == {"code": "CONFLICT", "field": field}


async def test_duplicate_specializations_are_removed(api: Api) -> None:
    document = CREATE.replace("{ id }", "{ specializations }")
    data = await api.ask(document, input={"name": "Ada", "specializations": ["b", "a", "b"]})
    assert data["createAgent"]["specializations"] == ["b", "a"]


async def test_sessions_and_messages_outlive_their_agent(api: Api) -> None:
    agent = await factories.agent(api)
    version = await factories.agent_version(api, agent.id, activate=True, created_by_agent_id=agent.id)
    session = await factories.session(api, agent_id=agent.id)
    assert session.agent_version_id == version.id
    await factories.say(api, session.id, said(role=MessageRole.ASSISTANT))
    data = await api.ask("mutation($id: ID!) { deleteAgent(id: $id) { ids } }", id=str(agent.id))
    assert data["deleteAgent"] == {"ids": [str(agent.id)]}
    data = await api.ask(
        "query($id: ID!) { session(id: $id) { agent { id } agentVersion { id }"
        " messages { nodes { agent { id } } } } }",
        id=str(session.id),
    )
    assert data["session"] == {"agent": None, "agentVersion": None, "messages": {"nodes": [{"agent": None}]}}
    gone = await api.error("query($id: ID!) { agentVersion(id: $id) { id } }", id=str(version.id))
    assert gone["extensions"]["code"] == "NOT_FOUND"
    await api.ask("mutation($id: ID!) { endSession(id: $id) { id } }", id=str(session.id))
