"""A repeated request with the same idempotency key returns the first result and writes nothing."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from tests import factories
from tests.writes import MUTATIONS, WRITES, fill_in, some_of_each, stored, untrue

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

    from tests.api import Api
    from tests.writes import InputMutation

CREATING = [write for write in WRITES if "idempotencyKey" in MUTATIONS[write.mutation].args]
USER = (
    "mutation($key: String, $name: String) { createUser(input: {name: $name}, idempotencyKey: $key) { id } }"
)


def with_key(write: InputMutation) -> str:
    """Return a document that runs a mutation with an idempotency key."""
    document = write.document("id createdAt")
    document = document.replace("mutation(", "mutation($key: String, ")
    return document.replace(f"{write.mutation}(", f"{write.mutation}(idempotencyKey: $key, ")


def test_every_creating_mutation_but_create_api_key_takes_a_key() -> None:
    creating = {
        name
        for name in MUTATIONS
        if name.startswith(("annotate", "append", "create", "enqueue", "put", "record", "set", "start"))
    }
    # The last one takes a key, too, but no input objects.
    others = {"createApiKey", "recordToolResult", "recordKnowledgeAccesses"}
    # These replace what is there, so that a second time changes nothing.
    others |= {f"put{kind}Embeddings" for kind in ("Knowledge", "Memory", "Message")}
    others |= {"startKnowledgeReembedding"}
    assert {write.mutation for write in CREATING} == creating - others


@pytest.mark.parametrize("write", CREATING, ids=lambda write: write.mutation)
async def test_a_repeated_request_returns_the_first_result_and_writes_nothing(
    api: Api, owner: AsyncEngine, write: InputMutation
) -> None:
    things = await some_of_each(api)
    # Fixed names, which a second write would find taken.
    least = {name: "same" if value == "@new" else value for name, value in write.least.items()}
    variables = write.variables(things, fill_in(least, things))
    if write.is_list:
        variables[write.argument] *= 3
    first = await api.ask(with_key(write), key="k", **variables)
    before = await stored(owner, api)
    assert await api.ask(with_key(write), key="k", **variables) == first
    assert await stored(owner, api) == before
    assert await untrue(owner, api) == []


@pytest.mark.parametrize("write", CREATING, ids=lambda write: write.mutation)
async def test_twenty_concurrent_requests_with_one_key_write_once(
    api: Api, owner: AsyncEngine, write: InputMutation
) -> None:
    things = await some_of_each(api)
    variables = write.variables(things, {})
    answers = await asyncio.gather(*(api.ask(with_key(write), key="k", **variables) for _ in range(20)))
    assert all(answer == answers[0] for answer in answers)
    assert await untrue(owner, api) == []
    before = await stored(owner, api)
    await api.ask(with_key(write), key=None, **write.variables(things, {}))
    assert await stored(owner, api) != before


async def test_the_same_key_with_another_input_conflicts(api: Api, owner: AsyncEngine) -> None:
    await api.ask(USER, key="k", name="Ann")
    before = await stored(owner, api)
    for name in ("Ben", "ann", None, "Ann "):
        error = await api.error(USER, key="k", name=name)
        assert error["extensions"] == {"code": "CONFLICT", "field": "idempotencyKey"}
    omitted = await api.error('mutation { createUser(input: {}, idempotencyKey: "k") { id } }')
    assert omitted["extensions"]["code"] == "CONFLICT"
    assert await stored(owner, api) == before


async def test_the_same_key_with_another_mutation_conflicts(api: Api) -> None:
    await api.ask('mutation { createSession(input: {}, idempotencyKey: "k") { id } }')
    error = await api.error('mutation { startSession(input: {}, idempotencyKey: "k") { id } }')
    assert error["extensions"] == {"code": "CONFLICT", "field": "idempotencyKey"}


async def test_the_order_of_input_fields_does_not_matter(api: Api) -> None:
    create = 'mutation($input: CreateUserInput!) { createUser(input: $input, idempotencyKey: "k") { id } }'
    first = await api.ask(create, input={"name": "Ann", "userData": {"a": 1, "b": {"c": 2, "d": 3}}})
    assert await api.ask(create, input={"userData": {"b": {"d": 3, "c": 2}, "a": 1}, "name": "Ann"}) == first


async def test_projects_can_use_the_same_key(api: Api, other: Api) -> None:
    mine = await api.ask(USER, key="k", name="Ann")
    assert await other.ask(USER, key="k", name="Ben") != mine
    assert await api.ask(USER, key="k", name="Ann") == mine


async def test_requests_without_a_key_all_write(api: Api) -> None:
    assert await api.ask(USER, key=None, name="Ann") != await api.ask(USER, key=None, name="Ann")
    assert await api.ask(USER, name="Ann") != await api.ask(USER, name="Ann")


async def test_a_repeated_request_returns_the_current_row(api: Api) -> None:
    create = 'mutation { createUser(input: {name: "Ann"}, idempotencyKey: "k") { id name } }'
    id_ = (await api.ask(create))["createUser"]["id"]
    await api.ask('mutation($id: ID!) { updateUser(id: $id, input: {name: "Eve"}) { id } }', id=id_)
    assert (await api.ask(create))["createUser"] == {"id": id_, "name": "Eve"}


async def test_a_result_that_was_deleted_since_is_reported_as_not_found(api: Api) -> None:
    id_ = (await api.ask(USER, key="k", name="Ann"))["createUser"]["id"]
    await api.ask("mutation($id: ID!) { deleteUser(id: $id) { ids } }", id=id_)
    error = await api.error(USER, key="k", name="Ann")
    assert error["extensions"] == {"code": "NOT_FOUND", "field": "idempotencyKey"}
    assert "deleted since" in error["message"]


async def test_a_result_list_that_lost_a_row_is_reported_as_not_found(api: Api) -> None:
    session = await factories.session(api)
    append = (
        "mutation($id: ID!) { appendMessages(sessionId: $id, messages: [{role: USER}, {role: USER}],"
        ' idempotencyKey: "k") { id } }'
    )
    [first, _] = (await api.ask(append, id=str(session.id)))["appendMessages"]
    await api.ask("mutation($id: ID!) { deleteMessage(id: $id) { ids } }", id=first["id"])
    error = await api.error(append, id=str(session.id))
    assert error["extensions"] == {"code": "NOT_FOUND", "field": "idempotencyKey"}


async def test_a_failed_request_leaves_its_key_unused(api: Api) -> None:
    create = 'mutation($email: String!) { createUser(input: {email: $email}, idempotencyKey: "k") { id } }'
    taken = await factories.user(api, email="a@example.org")
    error = await api.error(create, email="a@example.org")
    assert error["extensions"] == {"code": "CONFLICT", "field": "email"}
    await api.ask("mutation($id: ID!) { deleteUser(id: $id) { ids } }", id=str(taken.id))
    first = await api.ask(create, email="a@example.org")
    assert await api.ask(create, email="a@example.org") == first


@pytest.mark.parametrize("key", ["k" * 256, "a\0", "", " "])
async def test_invalid_keys_are_refused(api: Api, owner: AsyncEngine, key: str) -> None:
    before = await stored(owner, api)
    error = await api.error(USER, key=key, name="Ann")
    assert error["extensions"] == {"code": "BAD_USER_INPUT", "field": "idempotencyKey"}
    assert await stored(owner, api) == before


@pytest.mark.parametrize("key", ["k" * 255, "𝄞" * 255, "' OR 1=1 --", "{}"])
async def test_keys_may_have_up_to_255_characters_of_any_kind(api: Api, key: str) -> None:
    assert await api.ask(USER, key=key, name="Ann") == await api.ask(USER, key=key, name="Ann")


@pytest.mark.parametrize(
    "bad", ["18446744073709551616", "1e999", "{a: " * 150 + "1" + "}" * 150, r'"\u0000"']
)
async def test_input_that_cannot_be_stored_is_refused_even_with_a_key(api: Api, bad: str) -> None:
    document = f'mutation {{ createUser(input: {{userData: {{a: {bad}}}}}, idempotencyKey: "k") {{ id }} }}'
    assert (await api.error(document))["extensions"] == {"code": "BAD_USER_INPUT", "field": "userData"}


async def test_a_repeated_request_needs_the_scope_of_the_mutation(api: Api) -> None:
    await api.ask(USER, key="k", name="Ann")
    reader: Any = api.with_scopes()
    assert (await reader.error(USER, key="k", name="Ann"))["extensions"]["code"] == "FORBIDDEN"
