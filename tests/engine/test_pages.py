"""Walking a list in any order and either direction gives every row once, in that order."""

from __future__ import annotations

from datetime import datetime
from itertools import product
from random import Random
from typing import TYPE_CHECKING, Any

import pytest

from tests import factories
from tests.contract import ConnectionField, camel_of, connections

if TYPE_CHECKING:
    from tests.api import Api
    from tests.world import Rows

Order = tuple[tuple[str, str], ...]
"""Keys of an order: a field and a direction each."""

PAGED = list(connections())
PAGE = """
  nodes { id } edges { cursor node { id } }
  pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
"""


def orders(field: ConnectionField) -> list[Order]:
    """Give every order by one key, and some by two or three keys that go different ways."""
    keys = list(product(field.order_fields, ("ASC", "DESC")))
    random = Random(str(field))  # noqa: S311  # a choice that is the same each time
    combined = [tuple(random.choices(keys, k=k)) for k in (2, 3)]
    return [(), *[(key,) for key in keys], *combined]


def ordered(rows: list[dict[str, Any]], order: Order) -> list[str]:
    """Give the ids of rows in an order, as Python sorts: null is smallest, ids tell equal rows apart."""
    rows = sorted(rows, key=lambda row: str(row["id"]), reverse=order[-1][1] == "DESC")
    for field, direction in reversed(order):
        name = camel_of(field)
        rows.sort(key=lambda row: _sortable(row[name]), reverse=direction == "DESC")
    return [row["id"] for row in rows]


def _sortable(value: Any) -> tuple[Any, ...]:
    if value is None:
        return (0,)
    if isinstance(value, str) and value[4:5] == "-" and value.endswith("Z"):
        return (1, datetime.fromisoformat(value))
    return (1, value)


class List:
    """A list that a test pages through: of the root or of one row."""

    def __init__(self, api: Api, field: ConnectionField, parent: str | None, order: Order) -> None:
        self._api = api
        self._field = field
        self._variables: dict[str, Any] = {
            "order": [{"field": key, "direction": way} for key, way in order] or None
        }
        if parent:
            self._variables["parent"] = parent

    async def page(self, fields: str = PAGE, **arguments: Any) -> dict[str, Any]:
        """Read a page by `first`, `after`, `last` and `before`."""
        types = {"first": "Int", "last": "Int", "after": "String", "before": "String"}
        declared = "".join(f", ${name}: {types[name]}" for name in arguments)
        passed = "".join(f", {name}: ${name}" for name in arguments)
        selected = f"list: {self._field.name}(orderBy: $order{passed}) {{ {fields} }}"
        if not self._field.at_root:
            declared += ", $parent: ID!"
            selected = f"node(id: $parent) {{ ... on {self._field.parent} {{ {selected} }} }}"
        document = f"query ($order: {self._field.order_by}{declared}) {{ {selected} }}"
        data = await self._api.ask(document, **self._variables, **arguments)
        return data["list"] if self._field.at_root else data["node"]["list"]  # type: ignore[no-any-return]  # JSON

    async def walk(self, size: int, *, backward: bool = False) -> list[str]:
        """Give the ids of all pages, in the list's order, and hold each page to the Relay specification."""
        count, cursor = ("last", "before") if backward else ("first", "after")
        near, far = ("hasNextPage", "hasPreviousPage") if backward else ("hasPreviousPage", "hasNextPage")
        ids: list[str] = []
        arguments: dict[str, Any] = {count: size}
        while True:
            page = await self.page(**arguments)
            info, edges = page["pageInfo"], page["edges"]
            found = [node["id"] for node in page["nodes"]]
            assert found == [edge["node"]["id"] for edge in edges]
            ids = found + ids if backward else ids + found
            cursors = [edge["cursor"] for edge in edges]
            assert [info["startCursor"], info["endCursor"]] == (
                [cursors[0], cursors[-1]] if cursors else [None, None]
            )
            assert info[near] == (cursor in arguments)
            if not info[far]:
                return ids
            assert len(found) == size, "a page that is not the last is full"
            arguments[cursor] = info["startCursor" if backward else "endCursor"]


def parents_of(field: ConnectionField, rows: dict[str, Rows]) -> list[str | None]:
    """Give the row with the longest list, one with a short list, and one without any, as far as there are."""
    if field.at_root:
        return [None]
    by_length = sorted(rows[field.parent].values(), key=lambda row: (len(row[field.name]), row["id"]))
    some = [row for row in by_length if row[field.name]]
    assert len(some[-1][field.name]) > (0 if str(field) in AT_MOST_ONE else 2), "no list has several pages"
    return list(dict.fromkeys([some[-1]["id"], some[0]["id"], by_length[0]["id"]]))


AT_MOST_ONE = {"ModuleState.nextStates", "ModuleState.transitions"}
"""Lists that the domain knows by their plural, but that never have more: histories do not fork."""

DEFAULTS: dict[str, Order] = {
    "Query.sessionEvents": (("TIMESTAMP", "DESC"),),
    "Query.agentMetrics": (("TIMESTAMP", "DESC"),),
    "Query.sessionMetrics": (("TIMESTAMP", "DESC"),),
    "Query.sessions": (("STARTED_AT", "DESC"),),
    "Query.usageRecords": (("TIMESTAMP", "DESC"),),
    "Agent.metrics": (("TIMESTAMP", "DESC"),),
    "Agent.sessions": (("STARTED_AT", "DESC"),),
    "AgentVersion.sessions": (("STARTED_AT", "DESC"),),
    "AgentVersion.metrics": (("TIMESTAMP", "DESC"),),
    "Agent.teams": (("NAME", "ASC"),),
    "Team.members": (("NAME", "ASC"),),
    "Team.sessions": (("STARTED_AT", "DESC"),),
    "User.sessions": (("STARTED_AT", "DESC"),),
    "Session.children": (("STARTED_AT", "ASC"),),
    "Session.descendants": (("STARTED_AT", "ASC"),),
    "Session.messages": (("SEQUENCE", "ASC"),),
    "Session.toolCalls": (("CREATED_AT", "ASC"),),
    "Session.events": (("SEQUENCE", "ASC"),),
    "Session.usage": (("TIMESTAMP", "ASC"),),
    "Session.moduleStates": (("CREATED_AT", "ASC"),),
    "Session.stateTransitions": (("CREATED_AT", "ASC"),),
    "ModuleState.nextStates": (("VERSION", "ASC"),),
    "ModuleState.transitions": (("CREATED_AT", "ASC"),),
    "Session.metrics": (("TIMESTAMP", "DESC"),),
    "Message.toolCalls": (("POSITION", "ASC"),),
    "Memory.history": (("SEQUENCE", "DESC"),),
    "Memory.sourceMessages": (("CREATED_AT", "ASC"),),
}
"""The orders that descriptions promise; everything else comes the newest first."""


@pytest.mark.parametrize("field", PAGED, ids=str)
async def test_every_order_is_walked_both_ways(
    world: Api, rows: dict[str, Rows], field: ConnectionField
) -> None:
    longest, *_ = parents = parents_of(field, rows)
    for parent in parents:
        listed = list(rows[field.node].values())
        if parent is not None:
            ids = {row["id"] for row in rows[field.parent][parent][field.name]}
            listed = [row for row in listed if row["id"] in ids]
        # The shape of a list makes no difference to an order: one list is walked in all of them.
        for number, order in enumerate(orders(field) if parent == longest else orders(field)[:3]):
            # A list of the root goes both ways in each order. What comes behind a cursor is said the same way
            # under a parent: there the orders by one key take turns, each key has both ways.
            takes_turns = not field.at_root and len(order) == 1
            ways = (number % 4 in {2, 3},) if takes_turns else (False, True)
            expected = ordered(listed, order or DEFAULTS.get(str(field), (("CREATED_AT", "DESC"),)))
            pages = List(world, field, parent, order)
            # A first page, one in the middle, and one that is not full, as far as there are so many rows.
            size = max(2, len(listed) // 3 + 1)
            for backward in ways:
                assert await pages.walk(size, backward=backward) == expected, (order, backward)


@pytest.mark.parametrize("field", PAGED, ids=str)
async def test_the_cursor_of_any_edge_leads_on_from_it(
    world: Api, rows: dict[str, Rows], field: ConnectionField
) -> None:
    for order in orders(field)[:3]:
        pages = List(world, field, parents_of(field, rows)[0], order)
        edges = (await pages.page(first=500))["edges"]
        ids = [edge["node"]["id"] for edge in edges]
        for index in (0, len(edges) // 2, len(edges) - 1):
            after = await pages.page("nodes { id }", after=edges[index]["cursor"])
            assert [node["id"] for node in after["nodes"]] == ids[index + 1 :][:50]
            before = await pages.page("nodes { id }", before=edges[index]["cursor"])
            assert [node["id"] for node in before["nodes"]] == ids[:index][-50:]


@pytest.mark.parametrize("ways", list(product(("ASC", "DESC"), repeat=2)), ids="-".join)
async def test_cursors_lead_on_past_nulls_of_several_keys(api: Api, ways: tuple[str, str]) -> None:
    scores = (None, 0.25, 0.25, 0.5)
    for quality, satisfaction in product(scores, scores):
        await factories.session(api, quality_score=quality, user_satisfaction=satisfaction)
    [field] = [each for each in PAGED if str(each) == "Query.sessions"]
    listed = (await api.ask("{ sessions { nodes { id qualityScore userSatisfaction } } }"))["sessions"][
        "nodes"
    ]
    for keys in (("QUALITY_SCORE",), ("QUALITY_SCORE", "USER_SATISFACTION")):
        order = tuple(zip(keys, ways, strict=False))
        ids, pages = ordered(listed, order), List(api, field, None, order)
        edges = (await pages.page())["edges"]
        assert [edge["node"]["id"] for edge in edges] == ids
        for index, edge in enumerate(edges):
            after = await pages.page("nodes { id }", first=3, after=edge["cursor"])
            assert [node["id"] for node in after["nodes"]] == ids[index + 1 : index + 4]
            before = await pages.page("nodes { id }", last=3, before=edge["cursor"])
            assert [node["id"] for node in before["nodes"]] == ids[max(index - 3, 0) : index]


@pytest.mark.parametrize("field", PAGED, ids=str)
async def test_total_counts_say_how_many_there_are_on_all_pages(
    world: Api, rows: dict[str, Rows], field: ConnectionField
) -> None:
    for parent in parents_of(field, rows):
        expected = len(rows[field.node]) if parent is None else len(rows[field.parent][parent][field.name])
        for arguments in ({}, {"first": 1}, {"last": 1}, {"first": 0}):
            page = await List(world, field, parent, ()).page("totalCount nodes { id }", **arguments)
            assert page["totalCount"] == expected
            assert len(page["nodes"]) == min(expected, *(arguments.values() or [50]))


async def test_pages_of_no_rows_say_whether_there_are_more(world: Api) -> None:
    for count, near, far in (
        ("first", "hasPreviousPage", "hasNextPage"),
        ("last", "hasNextPage", "hasPreviousPage"),
    ):
        data = await world.ask(f"{{ sessions({count}: 0) {{ {PAGE} }} }}")
        info = data["sessions"]["pageInfo"]
        assert data["sessions"]["edges"] == []
        assert (info[near], info[far], info["startCursor"], info["endCursor"]) == (False, True, None, None)


async def test_each_parent_has_pages_of_its_own(world: Api, rows: dict[str, Rows]) -> None:
    data = await world.ask(
        "{ agents(first: 100) { nodes { id sessions(first: 3) { totalCount nodes { id } } } } }"
    )
    for agent in data["agents"]["nodes"]:
        sessions = rows["Agent"][agent["id"]]["sessions"]
        assert agent["sessions"]["totalCount"] == len(sessions)
        assert agent["sessions"]["nodes"] == sessions[:3]


async def test_rows_that_come_between_two_pages_are_neither_lost_nor_repeated(api: Api) -> None:
    async def names(document: str, **variables: Any) -> tuple[list[str], str]:
        page = (await api.ask(document, **variables))["agents"]
        return [node["name"] for node in page["nodes"]], page["pageInfo"]["endCursor"]

    for name in ("b", "d", "f", "h"):
        await factories.agent(api, name=name)
    by_name = """query ($after: String) {
        agents(first: 2, after: $after, orderBy: [{field: NAME, direction: ASC}]) {
            nodes { name } pageInfo { endCursor }
        }
    }"""
    first, cursor = await names(by_name)
    for name in ("a", "c", "e"):
        await factories.agent(api, name=name)
    second, _ = await names(by_name, after=cursor)
    assert (first, second) == (["b", "d"], ["e", "f"])


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        ("first: -1", "first"),
        ("first: 501", "first"),
        ("last: -1", "last"),
        ("last: 501", "last"),
        ("first: 1, last: 1", "first"),
        ('after: "x", before: "x"', "first"),
        ('first: 1, before: "x"', "first"),
        ('last: 1, after: "x"', "last"),
    ],
)
@pytest.mark.parametrize(
    "within",
    ["{ page: agents(%s) { nodes { id } } }", "{ agents { nodes { sessions(%s) { nodes { id } } } } }"],
)
async def test_pages_that_cannot_be_are_refused(world: Api, within: str, arguments: str, field: str) -> None:
    answer = await world.answer(within % arguments)
    assert set(answer.codes) == {"BAD_USER_INPUT"}
    assert {error["extensions"]["field"] for error in answer.errors} <= {
        field,
        "before" if field == "last" else "after",
        "first",
    }


async def test_explicit_nulls_are_as_if_not_given(world: Api) -> None:
    nulls = "first: null, after: null, last: null, before: null, filter: null, orderBy: null"
    data = await world.ask(f"{{ a: agents {{ nodes {{ id }} }} b: agents({nulls}) {{ nodes {{ id }} }} }}")
    assert data["a"] == data["b"]


async def test_an_empty_order_is_the_order_by_default(world: Api) -> None:
    data = await world.ask("{ a: sessions { nodes { id } } b: sessions(orderBy: []) { nodes { id } } }")
    assert data["a"] == data["b"]
