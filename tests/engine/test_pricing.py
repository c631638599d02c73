"""The price of an operation follows from its document and sizes: points, keys, and repeated texts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from agentdata.engine.requests.executor import Executor
from schema.root import schema

if TYPE_CHECKING:
    from agentdata.engine.costs import Price

EXECUTOR = Executor(schema)


def price(document: str, **variables: Any) -> Price:
    """Return the price of an operation."""
    operation = EXECUTOR.operation(document, None)
    return operation.priced_values(variables)[1]


def test_a_small_request_costs_a_few_points_and_never_none() -> None:
    assert 1 <= price("{ __typename }").points <= 10
    assert 1 <= price("{ project { name } }").points <= 10


def test_larger_pages_cost_more_also_by_variables() -> None:
    document = (
        "query($first: Int) { sessions(first: $first)"
        " { nodes { id title messages(first: 10) { nodes { id } } } } }"
    )
    small, large = price(document, first=10), price(document, first=500)
    assert large.points > 10 * small.points
    assert price(document, first=10) == small


@pytest.mark.parametrize(
    ("dear", "cheap"),
    [
        ("{ messages(first: 5) { totalCount } }", "{ messages(first: 5) { nodes { id } } }"),
        (
            "{ messages { totalCount } }",
            "{ messages(filter: {role: {eq: USER}}) { totalCount } }",
        ),
        (
            '{ searchMessages(query: "a", first: 5) { nodes { message { id } } } }',
            "{ messages(first: 5) { nodes { id } } }",
        ),
        ("{ topTools(first: 5) { nodes { name } } }", "{ toolCalls(first: 5) { nodes { name } } }"),
        (
            "{ project { statistics { tools { name } } } }",
            "{ sessions(first: 1) { nodes { statistics { tools { name } } } } }",
        ),
    ],
)
def test_a_field_that_reads_many_rows_says_so(dear: str, cheap: str) -> None:
    assert price(dear).points > 5 * price(cheap).points


def test_a_series_costs_by_its_buckets() -> None:
    document = (
        "query($to: DateTime!) { project { series(metric: MESSAGE_LATENCY, interval: HOUR,"
        ' from: "2026-01-01T00:00:00Z", to: $to) { start count } } }'
    )
    day, month = price(document, to="2026-01-02T00:00:00Z"), price(document, to="2026-02-01T00:00:00Z")
    assert month.points > 4 * day.points


def test_items_that_are_written_count() -> None:
    document = (
        "mutation($m: [AppendMessageInput!]!) {"
        ' appendMessages(sessionId: "0190aaaa-0000-7000-8000-000000000000", messages: $m) { id } }'
    )
    one, hundred = ({"role": "USER", "content": "a"},), ({"role": "USER", "content": "a"},) * 100
    assert price(document, m=[*hundred]).points >= price(document, m=[*one]).points + 40


def test_texts_that_many_parents_share_or_aliases_repeat_are_counted() -> None:
    assert price("{ sessions(first: 50) { nodes { id title } } }").repeats == 1
    shared = price("{ sessions(first: 50) { nodes { agent { name systemPrompt } user { name } } } }")
    assert 100 <= shared.repeats <= 110
    nested = price(
        "{ sessions(first: 50) { nodes { agent {"
        " sessions(first: 10) { nodes { title agent { name } } } } } } }"
    )
    assert nested.repeats >= 50 + 50 * 10
    aliases = "".join(f"a{number}: content " for number in range(150))
    document = '{ message(id: "0190aaaa-0000-7000-8000-000000000000") { %s } }'
    assert price(document % aliases).repeats >= 150
    spread = "{ sessions(first: 5) { nodes { ...A ...B } } } fragment A on Session { a: title } "
    assert price(spread + "fragment B on Session { b: title c: title }").repeats >= 3


def test_values_whose_columns_bound_their_length_are_counted_as_bytes() -> None:
    short = price("{ sessions(first: 50) { nodes { __typename status agent { id name } tags } } }")
    assert short.long_repeats == 1
    assert 50 * 255 * 6 <= short.short_bytes <= 50 * 2_000
    contents = price("{ sessions(first: 50) { nodes { agent { id name systemPrompt } } } }")
    assert contents.long_repeats >= 50


def test_entries_of_an_audit_trail_do_not_share_their_subjects() -> None:
    trail = price(
        '{ session(id: "0190aaaa-0000-7000-8000-000000000000") { auditTrail(first: 100) { nodes {'
        " subject { ... on Message { content } } } } } }"
    )
    assert trail.long_repeats < 10


def test_an_empty_page_counts_its_connection() -> None:
    aliases = " ".join(f"{'a' * 190}{number}: hasNextPage" for number in range(150))
    document = (
        "query ($n: Int!) { sessions(first: 500) { nodes { messages(first: 40) { nodes {"
        f" toolCalls(first: $n) {{ pageInfo {{ {aliases} }} }} }} }} }} }} }}"
    )
    written = "{" + document.partition("{")[2].replace("$n", "0")
    for answer in (price(document, n=0), price(written)):
        assert answer.key_bytes > 500 * 40 * 150 * 190


def test_rows_below_a_row_that_many_parents_list_are_counted_for_each() -> None:
    listed = price(
        "{ memories(first: 500) { nodes { relatedMemories(first: 40) { nodes {"
        " sourceMessages(first: 1) { nodes { content } } } } } } }"
    )
    assert listed.long_repeats >= 500 * 40
    # Each pair of a memory and a related one has a record of its own.
    assert price("{ memories { nodes { relatedMemories { nodes { content } } } } }").long_repeats < 10
    descendants = "{ sessions(first: 50) { nodes { descendants(first: 9) { nodes { %s } } } } }"
    assert price(descendants % "messages(first: 1) { nodes { content } }").long_repeats >= 50 * 9
    assert price(descendants % "id title context").long_repeats < 10


def test_an_answer_of_many_written_rows_counts_them_all() -> None:
    document = (
        'mutation($e: [RecordEventInput!]!) { recordEvents(sessionId: "0190aaaa-0000-7000-8000-000000000000",'
        " events: $e) { eventType session { metadata } } }"
    )
    many = price(document, e=[{"eventType": "a"}] * 2_000)
    assert many.short_bytes >= 2_000 * 255 * 6
    assert many.long_repeats >= 2_000


def test_the_same_id_many_times_repeats_one_row() -> None:
    document = "query($ids: [ID!]!) { nodes(ids: $ids) { ... on Message { content } } }"
    ids = ["0190aaaa-0000-7000-8000-000000000000"] * 400
    assert price(document, ids=ids).repeats >= 400


def test_a_long_alias_counts_for_each_object_that_has_it() -> None:
    long = price("{ sessions(first: 500) { nodes { %s: id } } }" % ("a" * 200))
    assert long.key_bytes > 500 * 200
    assert price("{ sessions(first: 500) { nodes { id } } }").key_bytes < long.key_bytes


def test_a_claim_is_priced_by_its_limit() -> None:
    document = """mutation($limit: Int! = 1) {
      claimJobs(queue: "mail", worker: "w", limit: $limit) { id queue { name } }
    }"""
    few, many, most = (price(document, limit=limit).points for limit in (1, 100, 1_000))
    assert few == price(document).points
    assert many > few + 40
    assert most > many + 400
    assert price(document, limit=10**9).points == most
    assert price('mutation { claimJobs(queue: "mail", worker: "w") { id } }').points <= few
