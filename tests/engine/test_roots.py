"""Rows are found by ids and natural keys; rows of other projects are not found."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from models.enums import ApiKeyScope
from tests import factories
from tests.contract import QUERY, roots, row_types

if TYPE_CHECKING:
    from tests.api import Api
    from tests.world import Rows

UNKNOWN = "01900000-0000-7000-8000-000000000000"
NODE = "query ($id: ID!) { node(id: $id) { __typename id createdAt } }"
NODES = "query ($ids: [ID!]!) { nodes(ids: $ids) { __typename id } }"
SINGLE = {name: root.single for name, root in roots().items() if name not in {"ApiKey", "AccessRecord"}}
MALFORMED = [
    "",
    " ",
    "1",
    "x" * 36,
    UNKNOWN[:-1],
    f"{UNKNOWN}0",
    "\0",
    "☃",
    UNKNOWN.replace("-", "/"),
    "a" * 10_000,
]


async def test_node_finds_a_row_of_every_type(world: Api, rows: dict[str, Rows]) -> None:
    project = (await world.ask("{ project { id } }"))["project"]
    ids = {"Project": project["id"]} | {name: next(iter(found)) for name, found in rows.items()}
    assert set(ids) == set(row_types())
    for name, id_ in ids.items():
        node = (await world.ask(NODE, id=id_))["node"]
        assert (node["__typename"], node["id"]) == (name, id_)


async def test_nodes_returns_rows_of_all_types_in_the_order_of_the_ids(
    world: Api, rows: dict[str, Rows]
) -> None:
    ids = [id_ for found in rows.values() for id_ in list(found)[:3]] * 2
    ids = [*ids[::2], *ids[1::2]]
    assert [node["id"] for node in (await world.ask(NODES, ids=ids))["nodes"]] == ids


async def test_nodes_returns_null_and_an_error_for_each_unknown_id(world: Api, rows: dict[str, Rows]) -> None:
    session = next(iter(rows["Session"]))
    answer = await world.answer(NODES, ids=[UNKNOWN, session, "no id"])
    assert answer.data == {"nodes": [None, {"__typename": "Session", "id": session}, None]}
    extensions = {error["path"][-1]: error["extensions"] for error in answer.errors}
    assert extensions == {
        0: {"code": "NOT_FOUND", "field": "ids.0"},
        2: {"code": "BAD_USER_INPUT", "field": "ids.2"},
    }


@pytest.mark.parametrize("count", [0, 501])
async def test_nodes_takes_from_1_to_500_ids(world: Api, count: int) -> None:
    error = await world.error(NODES, ids=[UNKNOWN] * count)
    assert error["extensions"] == {"code": "BAD_USER_INPUT", "field": "ids"}


@pytest.mark.parametrize("malformed", MALFORMED)
async def test_an_invalid_id_is_refused(world: Api, malformed: str) -> None:
    error = await world.error(NODE, id=malformed)
    assert error["extensions"] == {"code": "BAD_USER_INPUT", "field": "id"}
    error = await world.error("query ($id: ID) { session(id: $id) { id } }", id=malformed)
    assert error["extensions"] == {"code": "BAD_USER_INPUT", "field": "id"}


async def test_a_row_is_found_by_each_of_its_keys(world: Api, rows: dict[str, Rows]) -> None:
    for type_, single in SINGLE.items():
        for key, argument in QUERY.fields[single].args.items():
            [row, *_] = [row for row in rows[type_].values() if row[key] is not None]
            document = f"query ($key: {argument.type}) {{ {single}({key}: $key) {{ id }} }}"
            assert (await world.ask(document, key=row[key]))[single]["id"] == row["id"]


async def test_a_user_is_found_by_an_email_in_any_case(api: Api) -> None:
    user = await factories.user(api, email="Ann@Example.org")
    for email in ("ann@example.org", "ANN@EXAMPLE.ORG"):
        data = await api.ask("query ($email: String) { user(email: $email) { id email } }", email=email)
        assert data["user"] == {"id": str(user.id), "email": "Ann@Example.org"}


@pytest.mark.parametrize(
    ("document", "code"),
    [
        ("{ agent { id } }", "BAD_USER_INPUT"),
        ("{ agent(id: null) { id } }", "BAD_USER_INPUT"),
        (f'{{ agent(id: "{UNKNOWN}", name: "a") {{ id }} }}', "BAD_USER_INPUT"),
        ('{ agent(name: "\\u0000") { id } }', "BAD_USER_INPUT"),
        ('{ agent(name: "no such agent") { id } }', "NOT_FOUND"),
        (f'{{ agent(id: "{UNKNOWN}") {{ id }} }}', "NOT_FOUND"),
        ('{ session(externalId: "") { id } }', "NOT_FOUND"),
        ('{ user(email: "%") { id } }', "NOT_FOUND"),
    ],
)
async def test_a_lookup_needs_exactly_one_key_and_an_existing_row(
    world: Api, document: str, code: str
) -> None:
    answer = await world.answer(document)
    assert answer.codes == [code]
    assert set(answer.data.values()) == {None}


async def test_a_row_of_another_project_reads_like_an_unknown_id(
    world: Api, api: Api, rows: dict[str, Rows]
) -> None:
    for type_, found in rows.items():
        for id_ in list(found)[:2]:
            asked = await api.error(NODE, id=id_)
            unknown = await api.error(NODE, id=UNKNOWN)
            assert asked["message"] == unknown["message"].replace(UNKNOWN, id_)
            assert asked["extensions"] == unknown["extensions"] == {"code": "NOT_FOUND", "field": "id"}
            answer = await api.answer(NODES, ids=[id_])
            assert (answer.data, answer.codes) == ({"nodes": [None]}, ["NOT_FOUND"])
            if type_ in SINGLE:
                single = SINGLE[type_]
                document = f"query ($id: ID) {{ {single}(id: $id) {{ id }} }}"
                asked, unknown = await api.error(document, id=id_), await api.error(document, id=UNKNOWN)
                assert asked["message"] == unknown["message"].replace(UNKNOWN, id_)
    project = await world.ask("{ project { id } }")
    assert (await api.error(NODE, id=project["project"]["id"]))["extensions"]["code"] == "NOT_FOUND"


async def test_natural_keys_of_another_project_find_nothing(api: Api, other: Api) -> None:
    await factories.agent(other, name="theirs", external_id="x")
    await factories.user(other, email="their@example.org")
    for sought in ('agent(name: "theirs")', 'agent(externalId: "x")', 'user(email: "their@example.org")'):
        assert (await api.error(f"{{ {sought} {{ id }} }}"))["extensions"]["code"] == "NOT_FOUND"
    ours: Any = await factories.agent(api, name="theirs", external_id="x")
    assert (await api.ask('{ agent(externalId: "x") { id } }'))["agent"]["id"] == str(ours.id)


async def test_api_keys_are_visible_only_to_admin_keys(world: Api, rows: dict[str, Rows]) -> None:
    reader = world.with_scopes(ApiKeyScope.READ, ApiKeyScope.WRITE)
    id_ = next(iter(rows["ApiKey"]))
    assert (await reader.error(NODE, id=id_))["extensions"]["code"] == "NOT_FOUND"
    assert (await reader.error("{ apiKeys { nodes { id } } }"))["extensions"]["code"] == "FORBIDDEN"
    assert (await reader.answer("{ apiKeys { totalCount } }")).data is None
    document = "query ($ids: [ID!]!) { nodes(ids: $ids) { ... on ApiKey { prefix } } }"
    answer = await reader.answer(document, ids=[id_])
    assert (answer.data, answer.codes) == ({"nodes": [None]}, ["NOT_FOUND"])
