"""Operations are measured once per fragment, and those above a limit are refused with a way out."""

from __future__ import annotations

import time
from dataclasses import fields
from typing import TYPE_CHECKING, Any

import pytest
from graphql import (
    FragmentDefinitionNode,
    OperationDefinitionNode,
    get_introspection_query,
    parse,
)

from agentdata.engine.reporting import request_errors
from agentdata.engine.requests.documents import Document, Documents, InvalidRequestError, Operation
from agentdata.engine.requests.limits import Limits, Measure, Size
from agentdata.engine.strawberry_access import core_schema
from agentdata.errors import LimitExceededError
from schema.root import schema

if TYPE_CHECKING:
    from graphql.execution.values import VariableValues

CONTRACT = core_schema(schema)
UNLIMITED = Limits(*[10**18] * len(fields(Limits)))
SERIES = """query ($from: DateTime!, $to: DateTime!, $interval: Interval!) {
    agents(first: 50) { nodes {
        series(metric: AGENT_METRIC, from: $from, to: $to, interval: $interval) { sum }
    } }
}"""


def size(document: str, variables: dict[str, Any] | None = None) -> Size:
    """Return the size of the only operation of a document."""
    node = parse(document)
    fragments = {d.name.value: d for d in node.definitions if isinstance(d, FragmentDefinitionNode)}
    [operation] = [d for d in node.definitions if isinstance(d, OperationDefinitionNode)]
    return Measure(CONTRACT, fragments, coerced(document, variables or {})).operation(operation)


def coerced(document: str, variables: dict[str, Any]) -> VariableValues:
    """Return the variables of a document, coerced by the contract."""
    return parsed(document).values(variables)


def parsed(document: str, limits: Limits = UNLIMITED) -> Operation:
    """Return the only operation of a document, under these limits."""
    return Document(parse(document), CONTRACT, limits).operation(None)


@pytest.mark.parametrize(
    ("document", "rows"),
    [
        ("{ __typename }", 0),
        ("{ agent { id name } }", 1),
        ("{ session { parent { parent { id } } } }", 3),
        ("{ agents { totalCount } }", 5),
        ("{ sessions { nodes { parent { id } } } }", 50 * 2),
        ("{ agents(first: 3) { nodes { id } } }", 3),
        ("{ agents(last: 3) { nodes { id } } }", 3),
        ("{ agents(first: null) { nodes { id } } }", 5),
        ("{ agents(first: -3) { nodes { id } } }", 0),
        ("{ sessions(first: 3) { edges { node { parent { id } } } } }", 6),
        ("{ agents(first: 3) { nodes { sessions(first: 4) { nodes { id } } } } }", 3 * (1 + 4)),
        (
            "{ agents(first: 3) { nodes { ...{ ... on Agent { sessions(first: 4) { nodes { id }}}}}}}",
            15,
        ),
        ('{ nodes(ids: ["a", "b"]) { id } }', 2),
        ("{ __schema { types { name } } }", 100_000),
    ],
)
def test_rows_are_the_product_of_the_page_sizes(document: str, rows: int) -> None:
    assert size(document).rows == rows


def test_page_sizes_in_variables_count_by_their_values() -> None:
    document = "query ($n: Int, $ids: [ID!]!) { agents(first: $n) { nodes { id } } nodes(ids: $ids) { id } }"
    assert size(document, {"n": 7, "ids": ["a", "b"]}).rows == 9
    assert size(document, {"n": None, "ids": []}).rows == 5
    assert size(document, {"ids": []}).rows == 5


def test_a_search_counts_the_rows_that_it_ranks() -> None:
    asked = '{ searchMessages(query: "a", first: 3) { nodes { message { id } } } }'
    assert size(asked).rows == 50_000 + 3 * (1 + 1)


@pytest.mark.parametrize(
    ("begin", "end", "interval", "buckets"),
    [
        ("2026-01-01T00:00:00Z", "2026-01-01T00:10:00Z", "MINUTE", 10 + 1),
        ("2025-01-01T00:00:00Z", "2026-01-01T00:00:00Z", "HOUR", 365 * 24 + 1),
        ("2026-01-01T00:00:00+01:00", "2026-01-01T00:00:00Z", "DAY", 1 + 1),
        # The field refuses this, so it reads nothing.
        ("2020-01-01T00:00:00Z", "2026-01-01T00:00:00Z", "MINUTE", 0),
        ("2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z", "DAY", 0),
    ],
)
def test_a_series_counts_its_buckets(begin: str, end: str, interval: str, buckets: int) -> None:
    asked = f'series(metric: AGENT_METRIC, from: "{begin}", to: "{end}", interval: {interval}) {{ sum }}'
    assert size(f"{{ agent {{ {asked} }} }}").rows == 1 + buckets
    given = {"from": begin, "to": end, "interval": interval}
    assert size(SERIES, given).rows == 50 * (1 + buckets)


def test_a_series_in_a_time_zone_counts_one_more_bucket() -> None:
    asked = """{ project { series(
        metric: TOKENS, from: "2026-10-03T15:29:59Z", to: "2026-10-04T01:29:59Z", interval: HOUR%s
    ) { sum } } }"""
    zone = ', timeZone: "Australia/Lord_Howe"'
    assert size(asked % "").rows == 1 + 11
    assert size(asked % zone).rows == 1 + 12


GROUPED = """query ($to: DateTime!, $by: [SeriesDimension!], $groups: Int) { project { series(
    metric: TOKENS, from: "2026-01-01T00:00:00Z", to: $to, interval: HOUR, groupBy: $by, groups: $groups
) { sum } } }"""


@pytest.mark.parametrize(
    ("by", "groups", "times"),
    [
        (None, None, 1),
        ([], 7, 1),
        (["MODEL"], None, 10),
        (["MODEL", "USER"], 7, 7),
        (["MODEL"], 100, 100),
        # The field refuses this, so it reads nothing.
        (["MODEL"], 101, 0),
        (["MODEL"], -1, 0),
    ],
)
def test_a_grouped_series_counts_the_buckets_of_all_groups(
    by: list[str] | None, groups: int | None, times: int
) -> None:
    given = {"to": "2026-01-01T10:00:00Z", "by": by, "groups": groups}
    assert size(GROUPED, given).rows == 1 + 11 * times
    written = GROUPED.replace("$to: DateTime!, $by: [SeriesDimension!], $groups: Int", "$to: DateTime!")
    written = written.replace("$by", "null" if by is None else f"[{', '.join(by)}]")
    written = written.replace("$groups", "null" if groups is None else str(groups))
    assert size(written, {"to": given["to"]}).rows == 1 + 11 * times
    year = given | {"to": "2027-01-01T00:00:00Z"}
    hours = 365 * 24 + 1
    expected = hours * times if hours * times <= 100_000 else 0
    assert size(GROUPED, year).rows == 1 + expected


def test_a_series_grouped_by_a_bare_dimension_counts_all_groups() -> None:
    document = GROUPED.replace("groupBy: $by", "groupBy: MODEL").replace("$by: [SeriesDimension!], ", "")
    given = {"to": "2026-01-01T10:00:00Z", "groups": 3}
    assert size(document, given).rows == 1 + 11 * 3


def test_a_longer_series_is_refused_after_a_shorter_one_was_allowed() -> None:
    operation = parsed(SERIES, Limits(rows=50 * 26))
    day = {"from": "2026-01-01T00:00:00Z", "to": "2026-01-02T00:00:00Z"}
    for _ in range(2):
        assert operation.values(day | {"interval": "HOUR"})
    for longer in (day | {"interval": "MINUTE"}, day | {"interval": "HOUR", "to": "2026-01-03T00:00:00Z"}):
        with pytest.raises(InvalidRequestError):
            operation.values(longer)


def test_a_fragment_counts_each_time_it_is_spread() -> None:
    document = (
        "{ a: session { ...F } b: session { ...F } } fragment F on Session { x: title parent { y: title } }"
    )
    assert size(document) == Size(depth=3, root_fields=2, aliases=6, rows=4, fields=10, reads=4, name=1)


def test_a_deep_dashboard_query_is_within_the_default_limits() -> None:
    document = """{ agents(first: 50) { edges { node { sessions(first: 50) { nodes {
        messages(first: 50) { nodes { toolCalls { nodes { id } } } } } } } } } }"""
    found = size(document)
    Limits().check(found)
    assert 125_000 * 6 < found.rows < 1_000_000


@pytest.mark.parametrize(
    ("document", "message"),
    [
        (
            "{agents(first:500) {nodes {sessions(first:500) {nodes {messages(first:500) {nodes {id}}}}}}}",
            "the operation may read 125,250,500 rows, above the limit of 1,000,000; ask for smaller pages",
        ),
        (
            "{ session " + "{ parent " * 25 + "{ id }" + " }" * 26,
            "nests 27 fields deep, above the limit of 25",
        ),
        (
            "{" + " ".join(f"a{i}: agent {{ id }}" for i in range(51)) + "}",
            "has 51 root fields, above the limit of 50",
        ),
        (
            "{ agent {" + " ".join(f"a{i}: id" for i in range(201)) + "} }",
            "has 201 aliases, above the limit of 200",
        ),
    ],
)
def test_an_exceeded_limit_names_the_size_the_limit_and_a_way_out(document: str, message: str) -> None:
    with pytest.raises(LimitExceededError) as error:
        Limits().check(size(document))
    assert message in error.value.message


def test_nested_fragments_are_measured_in_linear_time() -> None:
    fragments = " ".join(
        f"fragment F{i} on Session {{ a: parent {{ ...F{i + 1} }} b: parent {{ ...F{i + 1} }} }}"
        for i in range(90)
    )
    document = f"{{ session {{ ...F0 }} }} {fragments} fragment F90 on Session {{ id }}"
    began = time.perf_counter()
    found = size(document)
    assert time.perf_counter() - began < 0.5  # visiting each of 2**90 spreads would never end
    assert found.depth == 92
    assert found.rows == found.aliases == 10**15


def refuse(document: str, limits: Limits | None = None) -> list[dict[str, Any]]:
    """Check that a document is refused, and return the errors."""
    with pytest.raises(InvalidRequestError) as error:
        Documents(CONTRACT, limits or Limits()).get(document)
    return request_errors(error.value.errors)


@pytest.mark.parametrize(
    "document",
    [
        "{" + " agent { id }" * 1_500 + "}",
        "#" * 200_001,
        '{ nodes(ids: "' + "x" * 200_001 + '") { id } }',
        "{" + "agent { id } " * 900 + "}",
    ],
)
def test_a_document_that_is_slow_to_parse_is_refused_early(document: str) -> None:
    [error] = refuse(document)
    assert error["extensions"] == {"code": "LIMIT_EXCEEDED", "field": "query"}


def test_standard_introspection_is_allowed_and_recursive_introspection_refused() -> None:
    documents = Documents(CONTRACT, Limits())
    query = get_introspection_query(
        descriptions=True,
        specified_by_url=True,
        directive_is_repeatable=True,
        schema_description=True,
        input_value_deprecation=True,
    )
    operation = documents.get(query).operation(None)
    assert operation.values({})
    [error] = refuse("{ __schema { types { fields { type { fields { type { fields { name } } } } } } } }")
    assert error["message"] == "Maximum introspection depth exceeded"


def test_used_documents_stay_cached_and_unused_ones_are_evicted() -> None:
    documents = Documents(CONTRACT, Limits())
    used = "{ agent { id } }"
    kept = documents.get(used)
    for number in range(200):
        documents.get(f"{{ agent {{ a{number}: id {' ' * 5_000} }} }}")
        assert documents.get(used) is kept
    for number in range(200):
        documents.get(f"{{ agent {{ b{number}: id {' ' * 5_000} }} }}")
    assert documents.get(used) is not kept


def test_larger_pages_are_refused_after_smaller_ones_were_allowed() -> None:
    document = "query ($n: Int) { agents(first: $n) { nodes { sessions(first: $n) { nodes { id } } } } }"
    operation = parsed(document, Limits())
    for _ in range(2):
        assert operation.values({"n": 50})
    with pytest.raises(InvalidRequestError):
        operation.values({"n": 1_001})


def test_an_optional_argument_whose_variable_is_not_sent_does_not_make_a_series_cheap() -> None:
    for name, type_ in (("timeZone", "String"), ("groups", "Int"), ("groupBy", "[SeriesDimension!]")):
        document = f"""query ($from: DateTime!, $z: {type_}) {{ agents(first: 50) {{ nodes {{
            series(metric: TOKENS, from: $from, to: "2027-01-01T00:00:00Z", interval: HOUR, {name}: $z) {{
                sum
            }}
        }} }} }}"""
        operation = parsed(document, Limits(rows=50 * 26))
        day, year = "2026-12-31T23:00:00Z", "2026-01-01T00:00:00Z"
        assert size(document, {"from": year}).rows > 50 * 8_000
        for variables in ({}, {"z": None}):
            assert operation.values({"from": day, **variables})
            with pytest.raises(InvalidRequestError):
                operation.values({"from": year, **variables})
