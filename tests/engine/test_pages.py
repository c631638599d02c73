"""Paging through a list in any order and direction returns every row once, in that order."""

from __future__ import annotations

from datetime import datetime
from itertools import product
from random import Random
from typing import TYPE_CHECKING, Any

import pytest

from tests import factories
from tests.contract import ConnectionField, camel_of, connections
from tests.sweeps import sweep

if TYPE_CHECKING:
    from tests.api import Api
    from tests.world import Rows

Order = tuple[tuple[str, str], ...]
"""The sort keys of an order, each a field and a direction."""

PAGED = list(connections())
PAGE = """
  nodes { id } edges { cursor node { id } }
  pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
"""


def orders(field: ConnectionField) -> list[Order]:
    """Return every order by one key, and some by two or three keys in mixed directions."""
    keys = list(product(field.order_fields, ("ASC", "DESC")))
    random = Random(str(field))  # noqa: S311  # the same choice each time
    combined = [tuple(random.choices(keys, k=k)) for k in (2, 3)]
    return [(), *[(key,) for key in keys], *combined]


def ordered(rows: list[dict[str, Any]], order: Order) -> list[str]:
    """Return the ids of rows, sorted by Python: null comes first, and ids break ties."""
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
    """A list, of the root or of one row, that a test pages through."""

    def __init__(self, api: Api, field: ConnectionField, parent: str | None, order: Order) -> None:
        self._api = api
        self._field = field
        self._variables: dict[str, Any] = {
            "order": [{"field": key, "direction": direction} for key, direction in order] or None
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
        """Return the ids of all pages, in list order; check each page against the Relay specification."""
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
            assert len(found) == size, "only the last page may be short"
            arguments[cursor] = info["startCursor" if backward else "endCursor"]


def parents_of(field: ConnectionField, rows: dict[str, Rows]) -> list[str | None]:
    """Return the parents with the longest, a short and an empty list, if there are such."""
    if field.at_root:
        return [None]
    by_length = sorted(rows[field.parent].values(), key=lambda row: (len(row[field.name]), row["id"]))
    some = [row for row in by_length if row[field.name]]
    assert len(some[-1][field.name]) > (0 if str(field) in AT_MOST_ONE else 2), "no list has several pages"
    return list(dict.fromkeys([some[-1]["id"], some[0]["id"], by_length[0]["id"]]))


AT_MOST_ONE = {"ModuleState.nextStates", "ModuleState.transitions"}
"""Lists that hold at most one row, because histories do not fork."""

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
    "Query.knowledgeSyncs": (("STARTED_AT", "DESC"),),
    "Query.queues": (("NAME", "ASC"),),
    "Query.schedules": (("NAME", "ASC"),),
    "Queue.schedules": (("NAME", "ASC"),),
    "Agent.knowledgeBases": (("NAME", "ASC"),),
    "KnowledgeBase.agents": (("NAME", "ASC"),),
    "KnowledgeBase.syncs": (("STARTED_AT", "DESC"),),
    "KnowledgeDocument.chunks": (("POSITION", "ASC"),),
    "Memory.history": (("SEQUENCE", "DESC"),),
    "Memory.sourceMessages": (("CREATED_AT", "ASC"),),
}
"""The default orders that descriptions promise; all other lists are sorted newest first."""


@pytest.mark.parametrize("field", sweep(3, PAGED), ids=str)
async def test_pages_in_every_order_and_direction_return_every_row_once(
    world: Api, rows: dict[str, Rows], field: ConnectionField
) -> None:
    longest, *_ = parents = parents_of(field, rows)
    for parent in parents:
        listed = list(rows[field.node].values())
        if parent is not None:
            ids = {row["id"] for row in rows[field.parent][parent][field.name]}
            listed = [row for row in listed if row["id"] in ids]
        # Orders do not depend on the length of a list, so only the longest one is paged in all orders.
        for number, order in enumerate(orders(field) if parent == longest else orders(field)[:3]):
            # A root list is paged in both directions in each order. Under a parent the condition behind a
            # cursor is the same, so there the orders by one key alternate: each key still gets both.
            takes_turns = not field.at_root and len(order) == 1
            directions = (number % 4 in {2, 3},) if takes_turns else (False, True)
            expected = ordered(listed, order or DEFAULTS.get(str(field), (("CREATED_AT", "DESC"),)))
            pages = List(world, field, parent, order)
            # This size gives a first, a middle and a short last page, if there are enough rows.
            size = max(2, len(listed) // 3 + 1)
            for backward in directions:
                assert await pages.walk(size, backward=backward) == expected, (order, backward)


@pytest.mark.parametrize("field", sweep(3, PAGED), ids=str)
async def test_a_page_can_begin_or_end_at_the_cursor_of_any_edge(
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


@pytest.mark.parametrize("directions", list(product(("ASC", "DESC"), repeat=2)), ids="-".join)
async def test_cursors_continue_past_nulls_in_several_sort_keys(
    api: Api, directions: tuple[str, str]
) -> None:
    scores = (None, 0.25, 0.25, 0.5)
    for quality, satisfaction in product(scores, scores):
        await factories.session(api, quality_score=quality, user_satisfaction=satisfaction)
    [field] = [each for each in PAGED if str(each) == "Query.sessions"]
    listed = (await api.ask("{ sessions { nodes { id qualityScore userSatisfaction } } }"))["sessions"][
        "nodes"
    ]
    for keys in (("QUALITY_SCORE",), ("QUALITY_SCORE", "USER_SATISFACTION")):
        order = tuple(zip(keys, directions, strict=False))
        ids, pages = ordered(listed, order), List(api, field, None, order)
        edges = (await pages.page())["edges"]
        assert [edge["node"]["id"] for edge in edges] == ids
        for index, edge in enumerate(edges):
            after = await pages.page("nodes { id }", first=3, after=edge["cursor"])
            assert [node["id"] for node in after["nodes"]] == ids[index + 1 : index + 4]
            before = await pages.page("nodes { id }", last=3, before=edge["cursor"])
            assert [node["id"] for node in before["nodes"]] == ids[max(index - 3, 0) : index]


@pytest.mark.parametrize("field", PAGED, ids=str)
async def test_total_counts_include_the_rows_of_all_pages(
    world: Api, rows: dict[str, Rows], field: ConnectionField
) -> None:
    for parent in parents_of(field, rows):
        expected = len(rows[field.node]) if parent is None else len(rows[field.parent][parent][field.name])
        for arguments in ({}, {"first": 1}, {"last": 1}, {"first": 0}):
            page = await List(world, field, parent, ()).page("totalCount nodes { id }", **arguments)
            assert page["totalCount"] == expected
            assert len(page["nodes"]) == min(expected, *(arguments.values() or [50]))


async def test_empty_pages_report_whether_there_are_more_rows(world: Api) -> None:
    for count, near, far in (
        ("first", "hasPreviousPage", "hasNextPage"),
        ("last", "hasNextPage", "hasPreviousPage"),
    ):
        data = await world.ask(f"{{ sessions({count}: 0) {{ {PAGE} }} }}")
        info = data["sessions"]["pageInfo"]
        assert data["sessions"]["edges"] == []
        assert (info[near], info[far], info["startCursor"], info["endCursor"]) == (False, True, None, None)


async def test_each_parent_has_its_own_page(world: Api, rows: dict[str, Rows]) -> None:
    data = await world.ask(
        "{ agents(first: 100) { nodes { id sessions(first: 3) { totalCount nodes { id } } } } }"
    )
    for agent in data["agents"]["nodes"]:
        sessions = rows["Agent"][agent["id"]]["sessions"]
        assert agent["sessions"]["totalCount"] == len(sessions)
        assert agent["sessions"]["nodes"] == sessions[:3]


async def test_rows_inserted_between_two_pages_cause_no_gaps_or_repeats(api: Api) -> None:
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
async def test_invalid_page_arguments_are_refused(
    world: Api, within: str, arguments: str, field: str
) -> None:
    answer = await world.answer(within % arguments)
    assert set(answer.codes) == {"BAD_USER_INPUT"}
    assert {error["extensions"]["field"] for error in answer.errors} <= {
        field,
        "before" if field == "last" else "after",
        "first",
    }


async def test_page_arguments_that_are_null_count_as_omitted(world: Api) -> None:
    nulls = "first: null, after: null, last: null, before: null, filter: null, orderBy: null"
    data = await world.ask(f"{{ a: agents {{ nodes {{ id }} }} b: agents({nulls}) {{ nodes {{ id }} }} }}")
    assert data["a"] == data["b"]


async def test_an_empty_order_means_the_default_order(world: Api) -> None:
    data = await world.ask("{ a: sessions { nodes { id } } b: sessions(orderBy: []) { nodes { id } } }")
    assert data["a"] == data["b"]
