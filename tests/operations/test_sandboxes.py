"""A session has at most one sandbox, also with concurrent writers."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from agentdata.errors import NotFoundError
from agentdata.operations import sandboxes, sessions
from tests import factories

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

    from tests.api import Api

SET = """
mutation($session: ID!, $input: SetSandboxInput!) {
  setSandbox(sessionId: $session, input: $input) {
    id kind externalServerId status selection user { id } session { sandbox { id } }
  }
}
"""
UPDATE = (
    "mutation($id: ID!, $input: UpdateSandboxInput!) {"
    " updateSandbox(id: $id, input: $input) { status kind } }"
)
DELETE = "mutation($id: ID!) { deleteSandbox(id: $id) { ids } }"
SESSION = "query($id: ID!) { session(id: $id) { sandbox { id status } } }"


async def test_set_sandbox_creates_a_sandbox_and_then_updates_it(api: Api) -> None:
    session, user = await factories.session(api), await factories.user(api)
    given = {"kind": "mock_game_server", "userId": str(user.id), "selection": {"map": "a"}}
    made = (await api.ask(SET, session=str(session.id), input=given))["setSandbox"]
    assert made == {
        "id": made["id"],
        "kind": "mock_game_server",
        "externalServerId": None,
        "status": "STOPPED",
        "selection": {"map": "a"},
        "user": {"id": str(user.id)},
        "session": {"sandbox": {"id": made["id"]}},
    }
    changed = {"status": "RUNNING", "externalServerId": "s-1", "userId": None}
    after = (await api.ask(SET, session=str(session.id), input=changed))["setSandbox"]
    assert after == made | {"status": "RUNNING", "externalServerId": "s-1", "user": None}
    updated = await api.ask(UPDATE, id=made["id"], input={"status": "ERROR"})
    assert updated["updateSandbox"] == {"status": "ERROR", "kind": "mock_game_server"}


async def test_a_sandbox_is_deleted_alone_or_with_its_session_and_outlives_its_user(api: Api) -> None:
    user = await factories.user(api)
    one, two = await factories.session(api), await factories.session(api)
    first = await factories.sandbox(api, one.id, user_id=user.id)
    await factories.sandbox(api, two.id, user_id=user.id)
    await api.ask("mutation($id: ID!) { deleteUser(id: $id) { ids } }", id=str(user.id))
    data = await api.ask("{ sandboxes(filter: {userId: {isNull: true}}) { totalCount } }")
    assert data["sandboxes"]["totalCount"] == 2
    assert (await api.ask(DELETE, id=str(first.id)))["deleteSandbox"] == {"ids": [str(first.id)]}
    assert (await api.ask(SESSION, id=str(one.id)))["session"] == {"sandbox": None}
    error = await api.error(DELETE, id=str(first.id))
    assert error["extensions"] == {"code": "NOT_FOUND", "field": "id"}
    await api.ask("mutation($id: ID!) { deleteSession(id: $id) { ids } }", id=str(two.id))
    assert (await api.ask("{ sandboxes { totalCount } }"))["sandboxes"]["totalCount"] == 0


async def test_sessions_can_be_filtered_by_their_sandbox(api: Api) -> None:
    for status in ("RUNNING", "ERROR", "STOPPED"):
        session = await factories.session(api, title=status)
        await factories.sandbox(api, session.id, status=status)
    await factories.session(api)
    data = await api.ask(
        "{ sessions(filter: {sandbox: {status: {in: [RUNNING, ERROR]}}}) { nodes { title } } }"
    )
    assert {node["title"] for node in data["sessions"]["nodes"]} == {"RUNNING", "ERROR"}


async def test_sessions_users_and_sandboxes_of_another_project_are_not_found(api: Api, other: Api) -> None:
    session, theirs = await factories.session(api), await factories.session(other)
    user, sandbox = await factories.user(other), await factories.sandbox(other, theirs.id)
    for id_, given, field in (
        (theirs.id, {}, "sessionId"),
        (session.id, {"userId": str(user.id)}, "userId"),
    ):
        error = await api.error(SET, session=str(id_), input=given)
        assert error["extensions"] == {"code": "NOT_FOUND", "field": field}
    for document in (UPDATE, DELETE):
        variables: dict[str, Any] = {"input": {"status": "ERROR"}} if document is UPDATE else {}
        error = await api.error(document, id=str(sandbox.id), **variables)
        assert error["extensions"] == {"code": "NOT_FOUND", "field": "id"}
        assert error["message"] == f"there is no sandbox {sandbox.id}"
    assert (await other.ask(SESSION, id=str(theirs.id)))["session"]["sandbox"]["status"] == "STOPPED"


async def test_thirty_concurrent_writers_create_one_sandbox(api: Api) -> None:
    session = await factories.session(api)
    fields = ("kind", "external_server_id")
    made = await asyncio.gather(
        *(factories.sandbox(api, session.id, **{fields[n % 2]: f"{n}"}) for n in range(30))
    )
    assert len({sandbox.id for sandbox in made}) == 1
    data = await api.ask("{ sandboxes { nodes { kind externalServerId createdAt updatedAt } } }")
    [node] = data["sandboxes"]["nodes"]
    # No writer overwrote the field that another had set.
    assert int(node["kind"]) % 2 == 0
    assert int(node["externalServerId"]) % 2 == 1
    assert node["updatedAt"] > node["createdAt"]


async def test_the_database_refuses_a_second_sandbox_of_a_session(api: Api, owner: AsyncEngine) -> None:
    session = await factories.session(api)
    await factories.sandbox(api, session.id)
    again = (
        "INSERT INTO sandboxes (project_id, id, session_id)"
        " SELECT project_id, gen_random_uuid(), session_id FROM sandboxes WHERE session_id = :id"
    )
    with pytest.raises(IntegrityError, match="sandboxes_project_id_session_id_key"):
        async with owner.begin() as connection:
            await connection.execute(text(again), {"id": session.id})


async def test_concurrent_writes_and_deletions_leave_at_most_one_sandbox(
    api: Api, owner: AsyncEngine
) -> None:
    for whole in (False, True) * 5:
        session = await factories.session(api)
        sandbox = await factories.sandbox(api, session.id)
        results = await asyncio.gather(
            *(factories.sandbox(api, session.id, kind=f"{n}") for n in range(5)),
            api.run(sandboxes.delete, id_=sandbox.id),
            api.run(sandboxes.update, id_=sandbox.id, values={"status": "ERROR"}),
            *([api.run(sessions.delete, id_=session.id)] if whole else []),
            *(factories.sandbox(api, session.id, kind=f"{n}") for n in range(5)),
            return_exceptions=True,
        )
        failed = [each for each in results if isinstance(each, BaseException)]
        assert all(isinstance(each, NotFoundError) for each in failed), failed
        async with owner.connect() as connection:
            count = "SELECT count(*) FROM sandboxes WHERE session_id = :id"
            left = (await connection.execute(text(count), {"id": session.id})).scalar_one()
        assert left == 0 if whole else left <= 1
