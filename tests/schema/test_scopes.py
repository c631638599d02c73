"""Each mutation and root field says which scope it needs, and a key without that scope gets nothing."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from graphql import is_required_argument

from agentdata.engine.strawberry_access import DECLARED
from models.enums import ApiKeyScope, included_scopes, scope_name
from resolvers.nodes import NODES
from tests.api import make_api
from tests.contract import QUERY, needs_arguments, row_types
from tests.test_bad_input import _any
from tests.writes import MUTATIONS, some_of_each, stored

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

    from agentdata.database import Database
    from tests.api import Api

NARROW = [scope for scope in ApiKeyScope if scope.endswith("_WRITE")]
ADMINISTERED = {"apiKeys": "ApiKey", "accessRecords": "AccessRecord"}
"""The root fields that need ADMIN, and the types of their rows."""

BY_MUTATION = pytest.mark.parametrize("mutation", MUTATIONS)


@pytest.fixture(scope="module")
async def project(database: Database, owner: AsyncEngine) -> Api:
    return await make_api(database, owner)


@pytest.fixture(scope="module")
async def ids(project: Api) -> dict[str, str]:
    return await some_of_each(project)


def needed(mutation: str) -> ApiKeyScope:
    """Return the scope that a mutation needs, by its declaration."""
    definition: Any = MUTATIONS[mutation].extensions["strawberry-definition"]
    scope: ApiKeyScope = definition.metadata[DECLARED].scope
    return scope


def document(mutation: str, ids: dict[str, str]) -> str:
    """Return a document that runs a mutation with all of its arguments."""
    arguments = ", ".join(
        f"{name}: {_any(argument.type, ids)}"
        for name, argument in MUTATIONS[mutation].args.items()
        if is_required_argument(argument)
    )
    return f"mutation {{ {mutation}({arguments}) {{ __typename }} }}"


def test_scopes_include_each_other() -> None:
    assert included_scopes(["READ"]) == {"READ"}
    assert included_scopes(["MESSAGES_WRITE"]) == {"READ", "MESSAGES_WRITE"}
    assert included_scopes(["WRITE"]) == {"READ", "WRITE", *NARROW}
    assert included_scopes(["ADMIN"]) == set(ApiKeyScope)
    assert included_scopes(["EVENTS_WRITE", "UNKNOWN"]) == {"READ", "EVENTS_WRITE"}
    assert included_scopes([]) == set()
    assert scope_name("messages:write") == scope_name("Messages_Write") == ApiKeyScope.MESSAGES_WRITE


def test_each_narrow_scope_is_needed_by_a_mutation() -> None:
    assert {needed(mutation) for mutation in MUTATIONS} == {*NARROW, ApiKeyScope.ADMIN}


@BY_MUTATION
def test_the_contract_says_which_scope_a_mutation_needs(mutation: str) -> None:
    description = MUTATIONS[mutation].description or ""
    assert re.findall(r"Needs the scope (\w+)\.", description) == [needed(mutation)]


@BY_MUTATION
async def test_a_key_with_every_other_scope_writes_nothing(
    project: Api, owner: AsyncEngine, ids: dict[str, str], mutation: str
) -> None:
    others = [scope for scope in ApiKeyScope if needed(mutation) not in included_scopes([scope])]
    before = await stored(owner, project)
    for api in (project, project.by_reference()):
        answer = await api.with_scopes(*others).answer(document(mutation, ids))
        assert (answer.data, answer.codes) == ({mutation: None}, ["FORBIDDEN"])
        assert answer.errors[0]["message"].endswith(f"the scope {needed(mutation)}")
    assert await stored(owner, project) == before


async def test_a_key_with_the_scope_may_write(owner: AsyncEngine, database: Database) -> None:
    for mutation in MUTATIONS:
        for held in {needed(mutation), ApiKeyScope.ADMIN}:
            api = await make_api(database, owner)
            answer = await api.with_scopes(held).answer(document(mutation, await some_of_each(api)))
            assert "FORBIDDEN" not in answer.codes, (mutation, held, answer)


def test_the_contract_says_which_root_fields_need_more_than_read() -> None:
    says = {name for name, field in QUERY.fields.items() if "Needs the scope" in (field.description or "")}
    assert says == ADMINISTERED.keys()


@pytest.mark.parametrize("held", [scope for scope in ApiKeyScope if scope != "ADMIN"])
async def test_only_administrators_read_what_needs_it(world: Api, held: ApiKeyScope) -> None:
    for api in (world, world.by_reference()):
        reader = api.with_scopes(held)
        for field in ADMINISTERED:
            listed = f"{{ found: {field} {{ totalCount nodes {{ id }} }} }}"
            answer = await reader.answer(listed)
            assert (answer.data, answer.codes) == (None, ["FORBIDDEN"])
            for row in (await api.ask(listed))["found"]["nodes"]:
                answer = await reader.answer("query($id: ID!) { node(id: $id) { id } }", id=row["id"])
                assert (answer.data, answer.codes) == ({"node": None}, ["NOT_FOUND"])


async def test_every_scope_reads_everything_else(world: Api) -> None:
    fields = [
        name
        for name, field in QUERY.fields.items()
        if name not in ADMINISTERED and not needs_arguments(field) and str(field.type).endswith("Connection!")
    ]
    assert len(fields) > 20
    listed = " ".join(f"{name}(first: 1) {{ totalCount }}" for name in fields)
    whole = await world.ask(f"{{ {listed} }}")
    for held in ApiKeyScope:
        assert await world.with_scopes(held).ask(f"{{ {listed} }}") == whole


def test_no_field_of_another_type_leads_to_what_needs_more_than_read() -> None:
    leading = {
        (name, field)
        for name, type_ in row_types().items()
        for field, declared in type_.fields.items()
        if re.search(rf"\b({'|'.join(ADMINISTERED.values())})", str(declared.type))
        and name not in ADMINISTERED.values()
    }
    assert leading == set()
    assert {model.__name__ for model in NODES.scopes} == set(ADMINISTERED.values())
