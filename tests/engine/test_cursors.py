"""A cursor is accepted by the list that issued it, and by no other."""

from __future__ import annotations

import base64
import hashlib
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from itertools import product
from random import Random
from typing import TYPE_CHECKING, Any
from uuid import UUID

import orjson
import pytest
from asyncpg.exceptions import InsufficientPrivilegeError
from hypothesis import assume, given
from hypothesis import strategies as st

from agentdata.administration import server_secret
from agentdata.database import Database
from agentdata.engine.sql.cursors import Signer, decode, encode
from agentdata.errors import BadUserInputError
from tests import factories

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from agentdata.database_urls import DatabaseUrls
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


SIGNER = Signer(b"secret", UUID(int=1))

VALUES = st.lists(
    st.one_of(
        st.none(),
        st.integers(-(2**63), 2**63 - 1),
        st.floats(allow_nan=False, allow_infinity=False),
        st.text(st.characters(exclude_categories=["Cs"])),
        st.datetimes(timezones=st.just(UTC)),
        st.uuids(),
        st.decimals(allow_nan=False, allow_infinity=False),
        st.booleans(),
    ),
    min_size=1,
    max_size=4,
)


def refusal(cursor: str, order: str, signer: Signer, types: list[type]) -> str:
    """Decode a cursor that must be refused, and return the message."""
    with pytest.raises(BadUserInputError) as refused:
        decode(cursor, order, signer, types, "after")
    return refused.value.message


def test_decimals_come_out_of_cursors_as_they_went_in() -> None:
    numbers = ["0", "1.25E-8", "10000000.3", "0.1234567890123456789", "5E-324", "999999999.000000001", "2.50"]
    for number in map(Decimal, numbers):
        cursor = encode([number, None], "sessions:cost_usd+,id+", SIGNER)
        types: list[type] = [Decimal, Decimal]
        assert decode(cursor, "sessions:cost_usd+,id+", SIGNER, types, "after") == [number, None]


@given(values=VALUES)
def test_values_come_out_of_cursors_as_they_went_in(values: list[Any]) -> None:
    cursor = encode(values, "x", SIGNER)
    assert decode(cursor, "x", SIGNER, [type(value) for value in values], "after") == values


@given(
    values=VALUES,
    place=st.integers(0, 10_000),
    length=st.integers(0, 3),
    inserted=st.text(st.sampled_from("AQgwxyz09-_+/=. \n\0é"), max_size=3),
)
def test_a_changed_cursor_is_refused(values: list[Any], place: int, length: int, inserted: str) -> None:
    cursor = encode(values, "x", SIGNER)
    place %= len(cursor) + 1
    changed = cursor[:place] + inserted + cursor[place + length :]
    assume(changed != cursor)
    assert "is not a cursor of this list" in refusal(changed, "x", SIGNER, [type(value) for value in values])


@given(data=st.binary(max_size=60))
def test_a_cursor_that_nobody_signed_is_refused(data: bytes) -> None:
    for forged in (data, data + orjson.dumps(["2026-01-01T00:00:00+00:00", str(UUID(int=1))])):
        cursor = base64.urlsafe_b64encode(forged).decode().rstrip("=")
        assert "is not a cursor of this list" in refusal(cursor, "x", SIGNER, [datetime, UUID])


def test_a_cursor_belongs_to_one_secret_one_tenant_and_one_order() -> None:
    cursor = encode([7], "x", SIGNER)
    assert decode(cursor, "x", Signer(b"secret", UUID(int=1)), [int], "after") == [7]
    refusal(cursor, "x", Signer(b"another", UUID(int=1)), [int])
    refusal(cursor, "x", Signer(b"secret", UUID(int=2)), [int])
    refusal(cursor, "y", SIGNER, [int])
    refusal(cursor, "", SIGNER, [int])


def test_a_cursor_from_before_signatures_is_refused_with_advice() -> None:
    payload = b"[7]"
    digest = hashlib.blake2b(payload, digest_size=6, key=UUID(int=1).bytes)
    digest.update(b"x")
    old = base64.urlsafe_b64encode(digest.digest() + payload).decode().rstrip("=")
    assert "leave it out to start from the first page" in refusal(old, "x", SIGNER, [int])


@pytest.mark.parametrize(
    ("value", "type_"), [(7, datetime), ("x", UUID), (0.5, Decimal), ("x", Decimal), (True, int), ([], str)]
)
def test_a_signed_cursor_whose_values_have_other_types_is_refused(value: Any, type_: type) -> None:
    refusal(encode([value], "x", SIGNER), "x", SIGNER, [type_])
    refusal(encode([], "x", SIGNER), "x", SIGNER, [type_])


async def test_servers_accept_the_cursors_of_those_that_share_their_secret(
    world: Api, database_urls: DatabaseUrls
) -> None:
    secret = await server_secret(database_urls.owner)
    assert await server_secret(database_urls.owner) == secret
    document = LATEST.replace("sessions(", "sessions(first: 2, ")

    @asynccontextmanager
    async def server(secret: bytes) -> AsyncIterator[Api]:
        database = Database(database_urls.request, pool_size=1, secret=secret)
        yield replace(world, database=database)
        await database.close()

    async with server(secret) as one, server(secret) as another, server(secret[::-1]) as stranger:
        cursor = await cursor_of(one, document)
        found = [(await server.ask(document, after=cursor))["sessions"]["nodes"] for server in (one, another)]
        assert found[0] == found[1] != []
        await assert_refused(stranger, document, cursor)
        await assert_refused(stranger.by_reference(), document, cursor)


async def test_a_new_secret_replaces_the_one_before_and_requests_cannot_read_it(
    database_urls: DatabaseUrls, database: Database
) -> None:
    before = await server_secret(database_urls.owner)
    after = await server_secret(database_urls.owner, new=True)
    assert len(before) == len(after) == 32
    assert before != after == await server_secret(database_urls.owner)
    with pytest.raises(InsufficientPrivilegeError):
        await database.statement(UUID(int=1), "SELECT secret FROM server_secrets", [])
