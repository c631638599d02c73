"""A cursor is accepted by the list that issued it, and by no other."""

from __future__ import annotations

import base64
from decimal import Decimal
from itertools import product
from random import Random
from typing import TYPE_CHECKING, Any

import pytest

from agentdata.engine.sql.cursors import decode, encode
from agentdata.errors import BadUserInputError
from tests import factories

if TYPE_CHECKING:
    from tests.api import Api

SESSIONS = """query ($after: String) {
    sessions(after: $after, orderBy: %s) { nodes { id } pageInfo { endCursor } }
}"""
LATEST = SESSIONS % "[{field: STARTED_AT, direction: DESC}]"


async def cursor_of(api: Api, document: str = LATEST) -> str:
    """Return a cursor of a list of this project."""
    return (await api.ask(document))["sessions"]["pageInfo"]["endCursor"]  # type: ignore[no-any-return]  # JSON


async def assert_refused(api: Api, document: str, cursor: str, field: str = "after") -> None:
    """Check that a cursor is refused."""
    error = await api.error(document, **{field: cursor})
    assert error["extensions"] == {"code": "BAD_USER_INPUT", "field": field}
    assert "is not a cursor of this list" in error["message"]


@pytest.mark.parametrize(
    "forged",
    [
        "",
        "x",
        "=",
        "====",
        "not a cursor",
        "MTIz",
        "AAAAAAAAAA",
        "é",
        "☃" * 10,
        "\0",
        "a" * 100_000,
        base64.urlsafe_b64encode(b"\0" * 6 + b'["2026-01-01T00:00:00+00:00", null]').decode(),
        base64.urlsafe_b64encode(b"\0" * 6 + b"[" * 500).decode(),
        base64.urlsafe_b64encode(b"\0" * 6 + b"{}").decode(),
    ],
)
async def test_a_forged_cursor_is_refused(world: Api, forged: str) -> None:
    await assert_refused(world, LATEST, forged)
    await assert_refused(world, LATEST.replace("after", "before"), forged, "before")


async def test_a_truncated_or_altered_cursor_is_refused(world: Api) -> None:
    random, cursor = Random(1), await cursor_of(world)  # noqa: S311  # the same positions each time
    for length in (1, 8, 9, len(cursor) // 2, len(cursor) - 2):
        await assert_refused(world, LATEST, cursor[:length])
    for place in random.sample(range(len(cursor) - 1), 20):
        other = "A" if cursor[place] != "A" else "B"
        await assert_refused(world, LATEST, cursor[:place] + other + cursor[place + 1 :])
    await assert_refused(world, LATEST, cursor + cursor)


@pytest.mark.parametrize(
    "order",
    [
        "[{field: STARTED_AT, direction: ASC}]",
        "[{field: CREATED_AT, direction: DESC}]",
        "[{field: QUALITY_SCORE, direction: DESC}]",
        "[{field: STARTED_AT, direction: DESC}, {field: CREATED_AT, direction: DESC}]",
        "[{field: CREATED_AT, direction: DESC}, {field: STARTED_AT, direction: DESC}]",
    ],
)
async def test_a_cursor_of_a_different_order_is_refused(world: Api, order: str) -> None:
    await assert_refused(world, SESSIONS % order, await cursor_of(world))


async def test_a_cursor_of_a_different_type_is_refused(world: Api) -> None:
    newest = "[{field: CREATED_AT, direction: DESC}]"
    cursor = await cursor_of(world, SESSIONS % newest)
    for noun in ("agents", "users", "messages", "toolCalls"):
        document = (
            f"query ($after: String) {{ {noun}(after: $after, orderBy: {newest}) {{ nodes {{ id }} }} }}"
        )
        await assert_refused(world, document, cursor)


async def test_a_cursor_of_another_project_is_refused(world: Api, api: Api) -> None:
    await factories.session(api)
    await assert_refused(api, LATEST, await cursor_of(world))
    await assert_refused(world, LATEST, await cursor_of(api))


async def test_a_cursor_works_with_any_filter_and_page_size_of_its_list(world: Api) -> None:
    cursor = await cursor_of(world, LATEST.replace("sessions(", "sessions(first: 5, "))
    document = """query ($after: String, $filter: SessionFilter) {
        sessions(first: 3, after: $after, filter: $filter) { nodes { isActive } }
    }"""
    nodes = (await world.ask(document, after=cursor, filter={"isActive": {"eq": True}}))["sessions"]["nodes"]
    assert nodes == [{"isActive": True}] * 3


async def test_a_cursor_stays_valid_after_its_row_is_deleted(api: Api) -> None:
    sessions: list[Any] = [await factories.session(api) for _ in range(3)]
    document = "query ($after: String) { sessions(first: 1, after: $after) { edges { cursor node { id } } } }"
    [edge] = (await api.ask(document))["sessions"]["edges"]
    await api.ask("mutation ($id: ID!) { deleteSession(id: $id) { ids } }", id=edge["node"]["id"])
    [following] = (await api.ask(document, after=edge["cursor"]))["sessions"]["edges"]
    assert [edge["node"]["id"], following["node"]["id"]] == [str(sessions[2].id), str(sessions[1].id)]


async def test_cursors_are_short_and_need_no_url_encoding(world: Api) -> None:
    cursor = await cursor_of(world)
    assert len(cursor) < 150
    assert cursor.replace("-", "").replace("_", "").isalnum()


COSTS = [
    None,
    0.0,
    1e-300,
    4e-10,
    1.25e-8,
    0.1,
    0.3,
    10_000_000.3,
    12_345_678.123456789,
    123_456_789.12345679,
]
"""Costs of a use each. Sessions cost their sum with another, which has more digits than a double."""

BY_COST = """query ($direction: OrderDirection!, $size: Int, $at: String) {
    list: %s(%s, orderBy: [{field: COST_USD, direction: $direction}]) {
        nodes { id costUsd } edges { cursor }
        pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
    }
}"""
FORWARD, BACK = "first: $size, after: $at", "last: $size, before: $at"


async def walked(ways: tuple[Api, Api], noun: str, direction: str, range_: str) -> list[Any]:
    """Walk a list by cost, a row a page, in two ways by turns; return its rows in the list's order."""
    found: list[Any] = []
    variables: dict[str, Any] = {"direction": direction, "size": 1}
    for number in range(100):
        page = (await ways[number % 2].ask(BY_COST % (noun, range_), **variables))["list"]
        info = page["pageInfo"]
        if range_ == FORWARD:
            found += page["nodes"]
            more, variables["at"] = info["hasNextPage"], info["endCursor"]
        else:
            found = page["nodes"] + found
            more, variables["at"] = info["hasPreviousPage"], info["startCursor"]
        if not more:
            return found
    raise AssertionError("the pages do not end")


async def test_pages_by_cost_give_each_row_once(api: Api) -> None:
    for cost in COSTS * 2:
        session = await factories.session(api)
        await factories.usage(api, *[factories.used(session.id, cost_usd=each) for each in (cost, 1e-12)])
    for noun, number in (("sessions", 20), ("usageRecords", 40)):
        for direction in ("ASC", "DESC"):
            [whole] = (await api.ask(BY_COST % (noun, FORWARD), direction=direction, size=500)).values()
            costs = [row["costUsd"] for row in whole["nodes"]]
            known = [cost for cost in costs if cost is not None]
            assert known == sorted(known, reverse=direction == "DESC")
            assert len({row["id"] for row in whole["nodes"]}) == len(costs) == number
            for range_, other in product((FORWARD, BACK), (api, api.by_reference())):
                assert await walked((api, other), noun, direction, range_) == whole["nodes"]


def test_decimals_come_out_of_cursors_as_they_went_in(api: Api) -> None:
    numbers = ["0", "1.25E-8", "10000000.3", "0.1234567890123456789", "5E-324", "999999999.000000001", "2.50"]
    for number in map(Decimal, numbers):
        cursor = encode([number, None], "sessions:cost_usd+,id+", api.project_id)
        assert decode(cursor, "sessions:cost_usd+,id+", api.project_id, [Decimal, Decimal], "after") == [
            number,
            None,
        ]


@pytest.mark.parametrize("old", [0.0, 10_000_000.3, 1e-9, 0.123456789, 999_999_999.0, 123_456.789])
def test_a_cursor_that_holds_a_double_stands_at_the_decimal(api: Api, old: float) -> None:
    cursor = encode([old], "x", api.project_id)
    assert decode(cursor, "x", api.project_id, [Decimal], "after") == [Decimal(repr(old))]


@pytest.mark.parametrize(
    "bad", [123_456_789.12345679, "NaN", "Infinity", "1E+999999999", "1E-999999999", "", "x", True, 7, [], {}]
)
def test_a_cursor_that_may_stand_elsewhere_is_refused(api: Api, bad: Any) -> None:
    cursor = encode([bad], "x", api.project_id)
    with pytest.raises(BadUserInputError, match="after is not a cursor of this list"):
        decode(cursor, "x", api.project_id, [Decimal], "after")
