"""A cursor is accepted by the list that issued it, and by no other."""

from __future__ import annotations

import base64
from random import Random
from typing import TYPE_CHECKING, Any

import pytest

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
