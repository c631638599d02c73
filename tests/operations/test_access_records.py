"""Each write of a request leaves an access record in its transaction, and each read does if set so."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

from agentdata.access import origin
from agentdata.app import create_app
from agentdata.context import Context
from agentdata.errors import OverloadedError
from agentdata.operations import deletion
from agentdata.settings import Settings
from tests import factories
from tests.serving import make_key, serving
from tests.writes import WRITES, some_of_each

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

    from agentdata.database_urls import DatabaseUrls
    from tests.api import Api

RECORDS = """
{ accessRecords(orderBy: [{field: CREATED_AT, direction: ASC}]) { nodes {
    kind fields operationName documentHash objectIds objectCount apiKey { id } user { id } subject
    address requestId
} } }"""
CREATE = """
mutation($input: CreateUserInput!, $key: String) { createUser(input: $input, idempotencyKey: $key) { id } }"""


async def recorded(api: Api) -> list[dict[str, Any]]:
    """Return the records of a project, the oldest first."""
    found = await api.ask(RECORDS)
    assert await api.by_reference().ask(RECORDS) == found
    nodes: list[dict[str, Any]] = found["accessRecords"]["nodes"]
    return nodes


async def count(owner: AsyncEngine, api: Api) -> int:
    """Return how many records a project has."""
    async with owner.connect() as connection:
        counted = text("SELECT count(*) FROM access_records WHERE project_id = :id")
        return int((await connection.execute(counted, {"id": api.project_id})).scalar_one())


@pytest.mark.parametrize("write", WRITES, ids=lambda write: write.mutation)
async def test_each_mutation_leaves_one_record(api: Api, owner: AsyncEngine, write: Any) -> None:
    things = await some_of_each(api)
    before = await count(owner, api)
    given = {"result": 1} if write.mutation == "recordToolResult" else {}
    answer = await write.answer(api, things, **given)
    assert answer.errors == []
    [*_, last] = await recorded(api)
    assert await count(owner, api) == before + 1
    assert (last["kind"], last["fields"]) == ("WRITE", [write.mutation])
    assert (last["objectCount"], len(last["objectIds"])) == (1, 1)


async def test_a_record_names_what_was_written(api: Api) -> None:
    session = await factories.session(api)
    said = await api.ask(
        "mutation($id: ID!, $messages: [AppendMessageInput!]!)"
        " { appendMessages(sessionId: $id, messages: $messages) { id } }",
        id=str(session.id),
        messages=[{"role": "USER", "content": "Hello"}] * 150,
    )
    ids = [message["id"] for message in said["appendMessages"]]
    await api.ask("mutation($id: ID!) { deleteMessage(id: $id) { ids } }", id=ids[0])
    appended, deleted = await recorded(api)
    assert (appended["objectIds"], appended["objectCount"]) == (ids[:100], 150)
    assert (deleted["fields"], deleted["objectIds"]) == (["deleteMessage"], [ids[0]])
    found = await api.ask(
        "query($ids: [String!]) { accessRecords(filter: {objectIds: {containsAny: $ids}}) { totalCount } }",
        ids=[ids[0]],
    )
    assert found["accessRecords"]["totalCount"] == 2


async def test_a_write_that_is_refused_or_repeated_leaves_none(api: Api) -> None:
    made = await api.ask(CREATE, input={"externalId": "u-1"}, key="once")
    assert await api.ask(CREATE, input={"externalId": "u-1"}, key="once") == made
    assert (await api.answer(CREATE, input={"externalId": "u-1"})).codes == ["CONFLICT"]
    missing = 'mutation { appendMessages(sessionId: "%s", messages: [{role: USER}]) { id } }'
    assert (await api.answer(missing % api.project_id)).codes == ["NOT_FOUND"]
    assert (await api.with_scopes().answer(CREATE, input={})).codes == ["FORBIDDEN"]
    assert [record["fields"] for record in await recorded(api)] == [["createUser"]]


async def test_a_deletion_in_parts_has_a_record_before_the_first(api: Api) -> None:
    session = await factories.session(api)
    await factories.say(api, session.id, *[factories.said()] * (2 * deletion.FEW + 1))
    await api.ask("mutation($id: ID!) { deleteSession(id: $id) { ids } }", id=str(session.id))
    begun, done = await recorded(api)
    assert begun["fields"] == done["fields"] == ["deleteSession"]
    assert begun["objectIds"] == done["objectIds"] == [str(session.id)]


async def test_commands_of_the_operator_leave_none(api: Api) -> None:
    await factories.session(api)
    assert await recorded(api) == []


@pytest.mark.parametrize("change", ["UPDATE access_records SET address = NULL", "DELETE FROM access_records"])
async def test_requests_cannot_change_records(api: Api, change: str) -> None:
    await api.ask(CREATE, input={})
    with pytest.raises(ProgrammingError, match="permission denied"):
        async with api.database.write(api.project_id) as session:
            await session.execute(text(change))
    assert len(await recorded(api)) == 1


async def test_another_project_sees_no_records(api: Api, other: Api) -> None:
    await api.ask(CREATE, input={})
    assert await recorded(other) == []


@pytest.mark.parametrize("reads", [True, False])
async def test_a_record_says_who_and_from_where(
    database_urls: DatabaseUrls, owner: AsyncEngine, *, reads: bool
) -> None:
    key = await make_key(database_urls)
    make = "mutation Make { createUser(input: {}) { id } }"
    query = (
        "query Names { ...all again: users { totalCount } }"
        " fragment all on Query { project { name } users { totalCount } }"
    )
    settings = Settings(audit_reads=reads)
    async with (
        serving(create_app(settings, database_urls.request)) as (host, port),
        httpx.AsyncClient() as client,
    ):
        named = {"persistedQuery": {"version": 1, "sha256Hash": hashlib.sha256(query.encode()).hexdigest()}}
        ids = []
        for request, id_ in (
            ({"query": make}, "r-1"),
            ({"query": query, "extensions": named}, "r\t2"),
            ({"extensions": named}, "r-3"),
        ):
            response = await client.post(
                f"http://{host}:{port}/graphql",
                json=request,
                headers={"Authorization": f"Bearer {key.secret}", "X-Request-Id": id_},
            )
            assert "errors" not in response.json()
            ids.append(response.headers["X-Request-Id"])
    async with owner.connect() as connection:
        rows = await connection.execute(
            text(
                "SELECT kind, fields, operation_name, document_hash, object_count, api_key_id, address,"
                " request_id FROM access_records WHERE project_id = :id ORDER BY id"
            ),
            {"id": key.project_id},
        )
        found = [tuple(row) for row in rows]
    write = ("WRITE", ["createUser"], "Make", None, 1, key.id, "127.0.0.1", "r-1")
    assert found[0] == write
    # An id that could act on a terminal is replaced.
    assert (ids[0], ids[2]) == ("r-1", "r-3")
    assert ids[1] != "r\t2"
    digest = [hashlib.sha256(each.encode()).hexdigest() for each in (make, query)]
    assert found[1:] == (
        [
            ("READ", ["createUser"], "Make", digest[0], 0, key.id, "127.0.0.1", "r-1"),
            ("READ", ["project", "users"], "Names", digest[1], 0, key.id, "127.0.0.1", ids[1]),
            ("READ", ["project", "users"], "Names", digest[1], 0, key.id, "127.0.0.1", "r-3"),
        ]
        if reads
        else []
    )


async def test_writes_whose_answer_cannot_be_recorded_are_said_to_be_done(
    database_urls: DatabaseUrls, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: object) -> None:
        raise OverloadedError("all database connections are in use; try again shortly")

    monkeypatch.setattr(Context, "record_read", fail)
    key = await make_key(database_urls)
    async with (
        serving(create_app(Settings(audit_reads=True), database_urls.request)) as (host, port),
        httpx.AsyncClient(headers={"Authorization": f"Bearer {key.secret}"}) as client,
    ):
        url = f"http://{host}:{port}/graphql"
        written = await client.post(url, json={"query": "mutation { createUser(input: {}) { id } }"})
        read = await client.post(url, json={"query": "{ project { name } }"})
    assert (written.status_code, read.status_code) == (200, 503)
    assert written.json()["data"] is None
    assert "were done" in written.json()["errors"][0]["message"]
    assert "data" not in read.json()


@pytest.mark.parametrize("host", ["a" * 300, "a\x01b", "::1"])
def test_a_made_up_address_is_cut_or_left_out(host: str) -> None:
    address = origin({"client": (host, 0)}, None).address
    assert address == {"a\x01b": None}.get(host, host[:255])
