"""Users: unique e-mail addresses and external ids, and deletion."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests import factories
from tests.factories import said

if TYPE_CHECKING:
    from tests.api import Api

CREATE = "mutation($input: CreateUserInput!) { createUser(input: $input) { id } }"
UPDATE = "mutation($id: ID!, $input: UpdateUserInput!) { updateUser(id: $id, input: $input) { id email } }"
DELETE = "mutation($id: ID!) { deleteUser(id: $id) { ids } }"


@pytest.mark.parametrize(
    ("field", "first", "second"),
    [
        ("email", "ann@example.org", "ann@example.org"),
        ("email", "ann@example.org", "ANN@Example.ORG"),
        ("email", "étienne@example.org", "ÉTIENNE@example.org"),
        ("externalId", "1", "1"),
    ],
)
async def test_an_email_or_external_id_in_use_conflicts(
    api: Api, field: str, first: str, second: str
) -> None:
    await api.ask(CREATE, input={field: first})
    error = await api.error(CREATE, input={field: second})
    assert error["extensions"] == {"code": "CONFLICT", "field": field}
    assert error["message"] == f"another user of this project has the same {field}"
    other = await factories.user(api)
    error = await api.error(UPDATE, id=str(other.id), input={field: second})
    assert error["extensions"] == {"code": "CONFLICT", "field": field}


async def test_keys_of_another_project_do_not_conflict(api: Api, other: Api) -> None:
    for project in (api, other):
        await project.ask(CREATE, input={"email": "ann@example.org", "externalId": "1"})


async def test_several_users_may_have_no_email_or_external_id(api: Api) -> None:
    for _ in range(2):
        await api.ask(CREATE, input={"email": None, "externalId": None})


async def test_the_case_of_an_email_address_can_be_changed(api: Api) -> None:
    user = await factories.user(api, email="ann@example.org")
    data = await api.ask(UPDATE, id=str(user.id), input={"email": "Ann@Example.org"})
    assert data["updateUser"]["email"] == "Ann@Example.org"


async def test_sessions_messages_and_agents_outlive_their_user(api: Api) -> None:
    user = await factories.user(api)
    agent = await factories.agent(api, owner_id=user.id)
    session = await factories.session(api, user_id=user.id, agent_id=agent.id)
    await factories.say(api, session.id, said())
    assert (await api.ask(DELETE, id=str(user.id)))["deleteUser"] == {"ids": [str(user.id)]}
    data = await api.ask(
        "query($id: ID!) { session(id: $id) { user { id } agent { owner { id } } messageCount"
        " messages { nodes { user { id } content } } } }",
        id=str(session.id),
    )
    assert data["session"] == {
        "user": None,
        "agent": {"owner": None},
        "messageCount": 1,
        "messages": {"nodes": [{"user": None, "content": "Hello"}]},
    }
    assert (await api.error(DELETE, id=str(user.id)))["extensions"] == {"code": "NOT_FOUND", "field": "id"}
