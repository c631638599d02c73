"""Filters of every operator and combination find the rows that a reference in Python finds."""

from __future__ import annotations

import operator
from fractions import Fraction
from random import Random
from typing import TYPE_CHECKING, Any

import pytest

from tests import factories
from tests.contract import ConnectionField, roots, value_of
from tests.resolvers.reference import is_of_values, meets, operands, random_filter
from tests.sweeps import sweep

if TYPE_CHECKING:
    from tests.api import Api
    from tests.world import Rows

ROOTS = list(roots().values())
AT_ONCE = 5


async def found(api: Api, root: ConnectionField, filters: list[Any], rows: str = "nodes { id }") -> list[Any]:
    """Return the page that each filter finds."""
    pages = []
    for start in range(0, len(filters), AT_ONCE):
        some = {f"f{index}": filter_ for index, filter_ in enumerate(filters[start : start + AT_ONCE])}
        declared = ", ".join(f"${name}: {root.filter.name}" for name in some)
        fields = " ".join(f"{name}: {root.name}(first: 100, filter: ${name}) {{ {rows} }}" for name in some)
        data = await api.ask(f"query ({declared}) {{ {fields} }}", **some)
        pages += [data[name] for name in some]
    return pages


@pytest.mark.parametrize("root", ROOTS, ids=str)
async def test_each_operator_of_each_field_finds_the_rows_that_python_finds(
    world: Api, rows: dict[str, Rows], root: ConnectionField
) -> None:
    filters = []
    for name, field in root.filter.fields.items():
        if is_of_values(field.type):
            for op in field.type.fields:
                values = [value_of(row, name) for row in rows[root.node].values()]
                asked = operands(field.type.name, op, values)
                assert asked, f"no operands for {op} of {name}"
                filters += [{name: {op: operand}} for operand in asked]
    for filter_, page in zip(filters, await found(world, root, filters), strict=True):
        expected = {id_ for id_, row in rows[root.node].items() if meets(row, filter_, root.filter, rows)}
        assert {node["id"] for node in page["nodes"]} == expected, filter_


@pytest.mark.parametrize("root", sweep(3, ROOTS), ids=str)
async def test_random_filters_find_the_rows_that_python_finds(
    world: Api, rows: dict[str, Rows], root: ConnectionField
) -> None:
    def values(noun: str, name: str) -> list[Any]:
        return [value_of(row, name) for row in rows[noun].values()]

    random = Random(str(root))  # noqa: S311  # the same filters each time
    filters = [random_filter(random, root.filter, values, depth=3) for _ in range(40)]
    sizes = set()
    for filter_, page in zip(
        filters, await found(world, root, filters, "totalCount nodes { id }"), strict=True
    ):
        expected = {id_ for id_, row in rows[root.node].items() if meets(row, filter_, root.filter, rows)}
        assert {node["id"] for node in page["nodes"]} == expected, filter_
        assert page["totalCount"] == len(expected), filter_
        sizes.add(len(expected))
    assert len(sizes) > 2, "all filters find the same number of rows"


async def test_a_filter_applies_to_the_nodes_and_count_of_each_parents_page(
    world: Api, rows: dict[str, Rows]
) -> None:
    filter_ = {
        "qualityScore": {"gte": 0.5},
        "messages": {"some": {"role": {"eq": "USER"}}},
        "user": {"email": {"isNull": False}},
        "agent": {"teams": {"some": {"name": {"eq": "team 2"}}}},
    }
    document = """query ($filter: SessionFilter) {
        agents(first: 100) { nodes { id sessions(filter: $filter, first: 1) { totalCount nodes { id } } } }
    }"""
    [root] = [root for root in ROOTS if root.node == "Session"]
    counts = set()
    for agent in (await world.ask(document, filter=filter_))["agents"]["nodes"]:
        expected = [
            session["id"]
            for session in rows["Agent"][agent["id"]]["sessions"]
            if meets(rows["Session"][session["id"]], filter_, root.filter, rows)
        ]
        assert agent["sessions"]["totalCount"] == len(expected)
        assert [node["id"] for node in agent["sessions"]["nodes"]] == expected[:1]
        counts.add(len(expected))
    assert len(counts) > 1


async def test_all_conditions_of_some_must_hold_for_one_row(api: Api) -> None:
    both = await factories.agent(api, name="one session has both")
    apart = await factories.agent(api, name="each of two has one")
    await factories.session(api, agent_id=both.id, platform="web", title="a")
    await factories.session(api, agent_id=apart.id, platform="web", title="b")
    await factories.session(api, agent_id=apart.id, platform="slack", title="a")
    document = """query ($one: SessionFilter, $other: SessionFilter) {
        some: agents(filter: {sessions: {some: {and: [$one, $other]}}}) { nodes { name } }
        none: agents(filter: {sessions: {none: {and: [$one, $other]}}}) { nodes { name } }
    }"""
    document = document.replace("SessionFilter,", "SessionFilter!,").replace(
        "SessionFilter)", "SessionFilter!)"
    )
    data = await api.ask(document, one={"platform": {"eq": "web"}}, other={"title": {"eq": "a"}})
    assert data["some"]["nodes"] == [{"name": both.name}]
    assert data["none"]["nodes"] == [{"name": apart.name}]


async def test_teams_are_filtered_by_their_members(api: Api) -> None:
    ann, bob = await factories.agent(api, name="ann"), await factories.agent(api, name="bob")
    await factories.team(api, name="a", member_ids=[ann.id])
    await factories.team(api, name="b", member_ids=[bob.id])
    await factories.team(api, name="c")
    data = await api.ask("""{
        some: teams(filter: {members: {some: {name: {eq: "ann"}}}}) { nodes { name } }
        none: teams(filter: {members: {none: {name: {eq: "ann"}}}}) { nodes { name } }
        back: agents(filter: {teams: {some: {name: {eq: "b"}}}}) { nodes { name } }
        two: teams(filter: {members: {some: {teams: {some: {name: {eq: "b"}}}}}}) { nodes { name } }
    }""")
    names = {key: sorted(node["name"] for node in page["nodes"]) for key, page in data.items()}
    assert names == {"some": ["a"], "none": ["b", "c"], "back": ["bob"], "two": ["b"]}


async def test_starts_with_matches_exact_characters_without_wildcards(api: Api) -> None:
    names = ["50%_a\\b", "50%_A", "50xya", "50%", "\\50", "Ärger", "ärger", "😀 b"]
    for name in names:
        await factories.agent(api, name=name)
    document = """query ($prefix: String!) {
        agents(filter: {name: {startsWith: $prefix}}) { nodes { name } }
    }"""
    for prefix in ["", "5", "50%", "50%_", "50%_a\\", "\\", "_", "%", "Ä", "ä", "😀", *names]:
        nodes = (await api.ask(document, prefix=prefix))["agents"]["nodes"]
        assert {node["name"] for node in nodes} == {name for name in names if name.startswith(prefix)}


async def test_cost_filters_compare_the_costs_that_responses_show(api: Api) -> None:
    costs = [0.0, 1e-9, 0.1, 0.123456789, 0.3, 19.99, 1234567.123456789, 999_999_999.0]
    for cost in costs:
        await factories.session(api, cost_usd=cost)
    await factories.session(api)
    document = "query ($filter: SessionFilter) { sessions(filter: $filter) { nodes { costUsd } } }"
    for asked in [*costs, 0.1000000001, 1e-300, 1e300, -1e300, 5e-324]:
        for name, holds in {
            "eq": operator.eq,
            "lt": operator.lt,
            "lte": operator.le,
            "gt": operator.gt,
            "gte": operator.ge,
        }.items():
            nodes = (await api.ask(document, filter={"costUsd": {name: asked}}))["sessions"]["nodes"]
            found = sorted(node["costUsd"] for node in nodes)
            assert found == [cost for cost in costs if holds(cost, asked)], (name, asked)
        nodes = (await api.ask(document, filter={"costUsd": {"in": [asked, 7]}}))["sessions"]["nodes"]
        assert [node["costUsd"] for node in nodes] == [cost for cost in costs if cost == asked]


async def test_a_sum_of_costs_is_found_by_what_it_is_shown_as(api: Api) -> None:
    parts: list[list[float]] = [
        [0.1, 0.2],
        [0.00034500000000000004] * 3,
        [123_456_789.12345679, 1e-9, 1e-12],
        [0.7, 1e-20],
        [0.7],
        [33.333333333333336] * 7,
        [1.25e-8] * 5,
        [0.0],
    ]
    for costs in parts:
        session = await factories.session(api)
        await factories.usage(api, *[factories.used(session.id, cost_usd=cost) for cost in costs])
    await factories.session(api)
    document = "query ($filter: SessionFilter) { sessions(filter: $filter) { nodes { costUsd } } }"

    async def found(**asked: Any) -> list[Any]:
        nodes = (await api.ask(document, filter={"costUsd": asked}))["sessions"]["nodes"]
        return sorted((node["costUsd"] for node in nodes), key=lambda cost: (cost is None, cost))

    shown = [cost for cost in await found() if cost is not None]
    assert shown == sorted(float(sum(Fraction(repr(cost)) for cost in costs)) for costs in parts)
    for cost in shown:
        assert await found(eq=cost) == [each for each in shown if each == cost]
        assert await found(ne=cost) == [*[each for each in shown if each != cost], None]
        assert await found(**{"in": [cost, 5.5]}) == [each for each in shown if each == cost]
        assert await found(lt=cost) == [each for each in shown if each < cost]
        assert await found(lte=cost) == [each for each in shown if each <= cost]
        assert await found(gt=cost) == [each for each in shown if each > cost]
        assert await found(gte=cost) == [each for each in shown if each >= cost]


async def test_a_text_that_is_longer_than_any_is_not_one_of_them(api: Api) -> None:
    await factories.session(api, platform="p" * 255)
    document = "query ($filter: SessionFilter) { sessions(filter: $filter) { totalCount } }"
    for asked in ({"eq": "p" * 256}, {"in": ["p" * 256]}, {"startsWith": "p" * 256}):
        assert (await api.ask(document, filter={"platform": asked}))["sessions"]["totalCount"] == 0
    assert (await api.ask(document, filter={"platform": {"in": ["p" * 255]}}))["sessions"]["totalCount"] == 1


@pytest.mark.parametrize(
    ("filter_", "field"),
    [
        ({"name": None}, "filter.name"),
        ({"name": {"eq": None}}, "filter.name.eq"),
        ({"name": {"in": None}}, "filter.name.in"),
        ({"name": {"isNull": None}}, "filter.name.isNull"),
        ({"and": None}, "filter.and"),
        ({"not": None}, "filter.not"),
        ({"config": {"contains": None}}, "filter.config.contains"),
        ({"sessions": None}, "filter.sessions"),
        ({"sessions": {"some": None}}, "filter.sessions.some"),
        ({"sessions": {"some": {"user": {"email": None}}}}, "filter.sessions.some.user.email"),
        ({"and": []}, "filter.and"),
        ({"or": []}, "filter.or"),
        ({"not": {"or": []}}, "filter.not.or"),
        ({"name": {"in": []}}, "filter.name.in"),
        ({"name": {"notIn": []}}, "filter.name.notIn"),
        ({"specializations": {"containsAll": []}}, "filter.specializations.containsAll"),
        ({"name": {"in": ["a"] * 1_001}}, "filter.name.in"),
        ({"id": {"in": ["01900000-0000-7000-8000-000000000000"] * 1_001}}, "filter.id.in"),
        ({"id": {"eq": "no id"}}, "filter.id.eq"),
        ({"id": {"eq": ""}}, "filter.id.eq"),
        ({"id": {"in": ["01900000-0000-7000-8000-000000000000", "x"]}}, "filter.id.in"),
        ({"name": {"eq": "a\0b"}}, "filter.name.eq"),
        ({"name": {"startsWith": "\0"}}, "filter.name.startsWith"),
        ({"name": {"in": ["a", "\0"]}}, "filter.name.in"),
        ({"config": {"hasKey": "\0"}}, "filter.config.hasKey"),
        ({"config": {"contains": {"a": ["\0"]}}}, "filter.config.contains"),
        ({"config": {"contains": {"\0": 1}}}, "filter.config.contains"),
        ({"specializations": {"containsAny": ["\0"]}}, "filter.specializations.containsAny"),
    ],
)
async def test_an_invalid_filter_is_refused_with_the_path_of_its_field(
    world: Api, filter_: Any, field: str
) -> None:
    document = "query ($filter: AgentFilter) { agents(filter: $filter) { nodes { id } } }"
    error = await world.error(document, filter=filter_)
    assert (error["extensions"]["code"], error["extensions"]["field"]) == ("BAD_USER_INPUT", field)


async def test_too_many_conditions_are_refused_before_they_are_read(world: Api) -> None:
    document = "query ($filter: AgentFilter) { agents(filter: $filter) { nodes { id } } }"
    error = await world.error(document, filter={"or": [{}] * 1_001})
    assert error["extensions"] == {"code": "LIMIT_EXCEEDED", "field": "query"}


@pytest.mark.parametrize(
    ("noun", "filter_"),
    [
        ("agents", {"totalSessions": {"eq": 2**31}}),
        ("agents", {"totalSessions": {"in": [1, -(2**31) - 1]}}),
        ("agents", {"createdAt": {"gt": "2026-02-30T00:00:00Z"}}),
        ("agents", {"createdAt": {"gt": "2026-01-01T00:00:00"}}),
        ("agents", {"createdAt": {"gt": "0000-01-01T00:00:00Z"}}),
        ("agents", {"createdAt": {"gt": "10000-01-01T00:00:00Z"}}),
        ("agents", {"createdAt": {"gt": "0001-01-01T00:00:00+14:00"}}),
        ("agents", {"createdAt": {"gt": "9999-12-31T23:59:59-14:00"}}),
        ("agents", {"createdAt": {"gt": "yesterday"}}),
        ("agents", {"createdAt": {"gt": 0}}),
        ("agents", {"active": {"eq": "true"}}),
        ("agents", {"name": {"eq": 1}}),
        ("agents", {"name": {"like": "a"}}),
        ("agents", {"nickname": {"eq": "a"}}),
        ("agents", {"sessions": {"all": {}}}),
        ("sessions", {"promptTokens": {"eq": 2**63}}),
        ("sessions", {"promptTokens": {"eq": 1.5}}),
        ("sessions", {"status": {"eq": "OPEN"}}),
        ("sessions", {"qualityScore": {"gt": "1"}}),
        ("sessions", "all"),
    ],
)
async def test_filter_values_of_the_wrong_type_are_refused(world: Api, noun: str, filter_: Any) -> None:
    type_ = f"{noun.capitalize()[:-1]}Filter"
    document = f"query ($filter: {type_}) {{ {noun}(filter: $filter) {{ nodes {{ id }} }} }}"
    answer = await world.answer(document, filter=filter_)
    assert answer.codes == ["BAD_USER_INPUT"]


@pytest.mark.parametrize(
    ("noun", "filter_"),
    [
        ("Agent", {"createdAt": {"gt": "0001-01-01T00:00:00Z"}}),
        ("Agent", {"createdAt": {"lt": "9999-12-31T23:59:59.999999Z"}}),
        ("Agent", {"name": {"in": [f"agent {number:02}" for number in range(1_000)]}}),
        ("Agent", {"id": {"notIn": ["01900000-0000-7000-8000-000000000000"] * 1_000}}),
        ("Agent", {"name": {"ne": "'; DROP TABLE agents; --"}}),
        ("Agent", {"name": {"ne": "x" * 100_000}}),
        ("Agent", {"or": [{}] * 100}),
        ("Agent", {}),
        ("Agent", {"name": {}}),
        ("Agent", {"sessions": {}}),
        ("Session", {"promptTokens": {"gt": -(2**63)}}),
        (
            "Session",
            {"costUsd": {"isNull": True}, "or": [{"costUsd": {"isNull": True}}, {"costUsd": {"gt": 1e300}}]},
        ),
    ],
)
async def test_filter_values_at_their_bounds_are_accepted(
    world: Api, rows: dict[str, Rows], noun: str, filter_: dict[str, Any]
) -> None:
    [root] = [root for root in ROOTS if root.node == noun]
    [page] = await found(world, root, [filter_])
    expected = {id_ for id_, row in rows[noun].items() if meets(row, filter_, root.filter, rows)}
    assert {node["id"] for node in page["nodes"]} == expected
    assert expected


@pytest.mark.parametrize("depth", [50, 200, 900])
async def test_a_deep_filter_causes_no_internal_error(world: Api, depth: int) -> None:
    filter_: dict[str, Any] = {"name": {"eq": "a"}}
    for _ in range(depth):
        filter_ = {"not": filter_}
    answer = await world.answer(
        "query ($filter: AgentFilter) { agents(filter: $filter) { nodes { id } } }", filter=filter_
    )
    assert "INTERNAL" not in answer.codes


@pytest.mark.parametrize("root", ROOTS, ids=str)
async def test_a_filter_number_too_large_for_a_double_is_refused(world: Api, root: ConnectionField) -> None:
    names = [name for name, field in root.filter.fields.items() if str(field.type) == "FloatFilter"]
    for name in names:
        for asked in ("eq: 1e400", "gt: -1e400", f"in: [1, {'9' * 400}]"):
            document = f"{{ {root.name}(filter: {{{name}: {{{asked}}}}}) {{ totalCount }} }}"
            for api in (world, world.by_reference()):
                error = await api.error(document)
                assert error["extensions"] == {
                    "code": "BAD_USER_INPUT",
                    "field": f"filter.{name}.{asked.partition(':')[0]}",
                }
