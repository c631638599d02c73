"""Teams and their members."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests import factories

if TYPE_CHECKING:
    from tests.api import Api

MEMBERS = "{ members { nodes { id } } }"
ADD = f"mutation($id: ID!, $agents: [ID!]!) {{ addTeamMembers(teamId: $id, agentIds: $agents) {MEMBERS} }}"
REMOVE = (
    f"mutation($id: ID!, $agents: [ID!]!) {{ removeTeamMembers(teamId: $id, agentIds: $agents) {MEMBERS} }}"
)


def ids(data: Any) -> set[str]:
    """Return the ids of the members."""
    [team] = data.values()
    return {node["id"] for node in team["members"]["nodes"]}


async def test_members_are_added_and_removed(api: Api) -> None:
    one, two, three = [str((await factories.agent(api)).id) for _ in range(3)]
    team = str((await factories.team(api)).id)
    assert ids(await api.ask(ADD, id=team, agents=[one, two, one])) == {one, two}
    assert ids(await api.ask(ADD, id=team, agents=[two, three])) == {one, two, three}
    assert ids(await api.ask(REMOVE, id=team, agents=[one])) == {two, three}
    assert ids(await api.ask(REMOVE, id=team, agents=[one, three])) == {two}


async def test_one_unknown_agent_adds_no_members(api: Api, other: Api) -> None:
    known, theirs = str((await factories.agent(api)).id), str((await factories.agent(other)).id)
    team = str((await factories.team(api)).id)
    error = await api.error(ADD, id=team, agents=[known, theirs])
    assert error["extensions"] == {"code": "NOT_FOUND", "field": "agentIds"}
    assert theirs in error["message"]
    assert ids(await api.ask(REMOVE, id=team, agents=[theirs])) == set()


@pytest.mark.parametrize("field", ["name", "externalId"])
async def test_a_team_name_or_external_id_in_use_conflicts(api: Api, field: str) -> None:
    create = "mutation($input: CreateTeamInput!) { createTeam(input: $input) { id } }"
    await api.ask(create, input={"name": "One", "externalId": "1"})
    error = await api.error(
        create, input={"name": "Two", "externalId": "2", field: {"name": "One"}.get(field, "1")}
    )
    assert error["extensions"] == {"code": "CONFLICT", "field": field}


async def test_agents_and_sessions_outlive_their_team(api: Api) -> None:
    agent = await factories.agent(api)
    team = await factories.team(api, member_ids=[agent.id])
    session = await factories.session(api, team_id=team.id)
    await api.ask("mutation($id: ID!) { deleteTeam(id: $id) { ids } }", id=str(team.id))
    data = await api.ask(
        "query($agent: ID!, $session: ID!) {"
        " agent(id: $agent) { teams { totalCount } } session(id: $session) { team { id } } }",
        agent=str(agent.id),
        session=str(session.id),
    )
    assert data == {"agent": {"teams": {"totalCount": 0}}, "session": {"team": None}}


async def test_a_deleted_agent_leaves_its_teams(api: Api) -> None:
    agent = await factories.agent(api)
    team = await factories.team(api, member_ids=[agent.id])
    await api.ask("mutation($id: ID!) { deleteAgent(id: $id) { ids } }", id=str(agent.id))
    assert ids(await api.ask(f"query($id: ID!) {{ team(id: $id) {MEMBERS} }}", id=str(team.id))) == set()
