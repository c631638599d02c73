"""Requests that are small to send and dear to answer are refused early, or read beside the event loop."""

from __future__ import annotations

import asyncio
import gc
import threading
import time
from typing import TYPE_CHECKING, Any

import httpx
import orjson
import pytest

from agentdata.app import create_app
from agentdata.engine.plans.compiler import Compiler
from agentdata.engine.reporting import request_errors
from agentdata.engine.requests.documents import Documents, InvalidRequestError
from agentdata.engine.requests.limits import Limits
from agentdata.engine.strawberry_access import core_schema
from agentdata.protocol import RefusalError, read_body_aside
from agentdata.settings import Settings
from schema.root import schema
from tests.serving import make_key, serving

if TYPE_CHECKING:
    from agentdata.database_urls import DatabaseUrls
    from tests.api import Api

CONTRACT = core_schema(schema)
FILTERED = "query ($f: SessionFilter) { sessions(filter: $f) { nodes { id } } }"


def chain(levels: int, fields: str = "parent root") -> str:
    """Return a document whose fragments each select two sessions with the next fragment."""
    fragments = " ".join(
        f"fragment f{level} on Session {{ "
        + " ".join(f"{name} {{ ...f{level + 1} }}" for name in fields.split())
        + " }"
        for level in range(levels)
    )
    return f'{{ session(externalId: "x") {{ ...f0 }} }} {fragments} fragment f{levels} on Session {{ title }}'


def parents(steps: int) -> dict[str, Any]:
    """Return a filter by the title of a parent of a parent, as many steps up as given."""
    filter_: dict[str, Any] = {"title": {"eq": "x"}}
    for _ in range(steps):
        filter_ = {"parent": filter_}
    return filter_


def literal(value: Any) -> str:
    """Write a value as GraphQL does, in which names have no quotes."""
    match value:
        case dict():
            return "{" + ", ".join(f"{name}: {literal(each)}" for name, each in value.items()) + "}"
        case list():
            return "[" + ", ".join(map(literal, value)) + "]"
    return orjson.dumps(value).decode()


def refusal(document: str, variables: dict[str, Any] | None = None) -> str:
    """Check that an operation is refused for a limit, before it is compiled, and return the message."""
    with pytest.raises(InvalidRequestError) as error:
        Documents(CONTRACT, Limits()).get(document).operation(None).values(variables or {})
    [entry] = request_errors(error.value.errors)
    assert entry["extensions"]["code"] == "LIMIT_EXCEEDED"
    return str(entry["message"])


def test_fragments_that_double_the_fields_are_refused_by_what_they_expand_to() -> None:
    began = time.process_time()
    assert "selects 163,838 fields" in refusal(chain(15))
    assert "selects 1,310,718 fields" in refusal(chain(18))
    assert time.process_time() - began < 1


def test_reads_are_limited_and_counted_as_the_compiler_makes_them() -> None:
    assert "makes 1,023 reads" in refusal(chain(9))
    for document in (
        chain(5),
        "{ agents { totalCount nodes { id sessions { totalCount edges { node { user { name } } } } } } }",
        '{ node(id: "x") { ... on Session { title } ... on Message { content session { title } } } }',
        "{ project { statistics { sessionCount } } messages { nodes { toolCalls { totalCount } } } }",
    ):
        operation = Documents(CONTRACT, Limits()).get(document).operation(None)
        plan = operation.plan(Compiler(schema), operation.values({}))
        assert 0 < len(plan.reads.reads) <= operation.size.reads  # type: ignore[union-attr]  # a query's


def test_a_selection_of_several_types_counts_once_for_each_of_them() -> None:
    one = Documents(CONTRACT, Limits()).get('{ node(id: "x") { id } }').operation(None).size
    two = Documents(CONTRACT, Limits()).get('{ node(id: "x") { id __typename } }').operation(None).size
    assert two.fields - one.fields == len(CONTRACT.get_possible_types(CONTRACT.type_map["Node"]))  # type: ignore[arg-type]  # an interface


@pytest.mark.parametrize(
    ("filter_", "message"),
    [
        ({"or": [{"or": [{"title": {"eq": "a"}}] * 1_000}] * 10}, "has 10,000 conditions"),
        ({"or": [{}] * 501}, "has 501 conditions"),
        ({"and": [{"title": {"eq": "a", "startsWith": "a"}}] * 251}, "has 502 conditions"),
        (parents(14), "follows 14 relations inside of each other"),
        (parents(7), "follows 7 relations inside of each other"),
        ({"and": [parents(6)] * 9}, "follows 54 relations in its filters"),
        ({"messages": {"some": {"session": parents(5)}}}, "follows 7 relations inside of each other"),
    ],
    ids=range(7),
)
def test_a_filter_with_too_many_conditions_or_relations_is_refused(
    filter_: dict[str, Any], message: str
) -> None:
    assert message in refusal(FILTERED, {"f": filter_})
    written = literal(filter_)
    if len(written) < 10_000:
        assert message in refusal(f"{{ sessions(filter: {written}) {{ nodes {{ id }} }} }}")


def test_a_list_of_values_is_one_condition_and_filters_of_all_fields_count_together() -> None:
    found = Documents(CONTRACT, Limits()).get(
        """query ($f: SessionFilter!, $title: StringFilter) {
            a: sessions(filter: {and: [$f, {title: $title}]}) { totalCount }
            b: sessions(filter: $f) { nodes { ...F } } c: session(id: "x") { ...F }
        }
        fragment F on Session { children(filter: $f) { nodes { id } } }"""
    )
    operation = found.operation(None)
    many = {"id": {"in": ["x"] * 1_000}}
    assert operation.values({"f": many, "title": {"eq": "x"}})
    assert operation.values({"f": {"or": [many] * 124}, "title": {"eq": "x"}})
    with pytest.raises(InvalidRequestError, match="has 501 conditions"):
        operation.values({"f": {"or": [many] * 125}, "title": {"eq": "x"}})


def test_each_float_of_a_list_is_a_condition() -> None:
    for filter_ in ({"costUsd": {"in": [0.5] * 501}}, {"or": [{"costUsd": {"in": [0.5] * 167}}] * 3}):
        assert "has 501 conditions" in refusal(FILTERED, {"f": filter_})
        assert "has 501 conditions" in refusal(f"{{ sessions(filter: {literal(filter_)}) {{ totalCount }} }}")


def test_conditions_count_for_each_range_behind_a_cursor() -> None:
    document = """query ($f: SessionFilter, $by: [SessionOrder!], $after: String) {
        sessions(filter: $f, orderBy: $by%s) { nodes { id } }
    }"""
    variables = {
        "f": {"or": [{"title": {"eq": "a"}}] * 100},
        "by": [{"field": "STARTED_AT", "direction": "ASC"}] * 3,
        "after": "x",
    }
    unused = document.replace(", $after: String", "") % ""
    assert Documents(CONTRACT, Limits()).get(unused).operation(None).values(variables)
    assert "has 706 conditions" in refusal(document % ", after: $after", variables)


def test_aliases_of_introspection_count() -> None:
    many = " ".join(f"a{i}: fields {{ name }}" for i in range(20))
    assert "may read 2,100,000 rows" in refusal(f"{{ __schema {{ types {{ {many} }} }} }}")


def test_a_long_alias_is_refused() -> None:
    assert "has an alias of 201 characters" in refusal(f"{{ agent {{ {'a' * 201}: id }} }}")


def test_a_document_with_many_faults_reports_some_of_them() -> None:
    with pytest.raises(InvalidRequestError) as error:
        Documents(CONTRACT, Limits()).get("{ agent { " + " ".join(f"nam{i}" for i in range(500)) + " } }")
    assert len(error.value.errors) == 21


async def test_an_answer_with_thousands_of_errors_is_refused(world: Api) -> None:
    fields = " ".join(f"a{i}: sessions(first: -1) {{ totalCount }}" for i in range(190))
    answer = await world.answer(f"{{ users(first: 500) {{ nodes {{ {fields} }} }} }}")
    assert {*answer.codes} <= {"BAD_USER_INPUT", "LIMIT_EXCEEDED"}
    assert len(answer.errors) <= 5_000


async def test_sql_that_is_too_long_is_refused(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agentdata.engine.plans.statements._MAX_CHARACTERS", 300)
    error = await api.error("{ agents { nodes { sessions { nodes { title messages { totalCount } } } } } }")
    assert error["extensions"] == {"code": "LIMIT_EXCEEDED", "field": "query"}
    assert "the SQL of the operation is longer than 300 characters" in error["message"]


async def test_an_operation_that_sends_too_many_values_to_the_database_is_refused(api: Api) -> None:
    ids = ["01900000-0000-7000-8000-000000000000"] * 1_000
    for conditions in (50, 51):
        answer = await api.answer(FILTERED, f={"and": [{"id": {"in": ids}}] * conditions})
        assert answer.codes == (["LIMIT_EXCEEDED"] if conditions > 50 else [])


async def test_the_largest_filters_are_answered(api: Api) -> None:
    for filter_ in (
        {"or": [{"or": [{"title": {"eq": "a"}}] * 49}] * 10},
        {"and": [parents(6)] * 8},
        {"costUsd": {"in": [0.5] * 500}},
        {"not": {"not": {"or": [{"parent": {"title": {"eq": "a"}}}] * 50}}},
    ):
        assert await api.ask(FILTERED, f=filter_) == {"sessions": {"nodes": []}}


async def test_a_body_with_a_million_values_is_refused() -> None:
    body = b'{"query": "{ a }", "variables": {"x": [' + b"[]," * 1_000_000 + b"1]}}"
    with pytest.raises(RefusalError) as error:
        await read_body_aside(body)
    assert error.value.error.code == "LIMIT_EXCEEDED"


async def test_a_large_body_is_read_as_a_small_one_is() -> None:
    values = [10**30, -1, 1.5, "é\n\\", {"a": [None, True]}, []]
    body = orjson.dumps({"query": "{ a }", "variables": {"x": "n" * 300_000}})
    large = body.replace(b'"x"', b'"y": ' + b"[" + b"1," * 110_000 + b"1" * 31 + b'], "x"')
    request = await read_body_aside(large)
    assert request.large
    assert request.variables["x"] == "n" * 300_000
    assert request.variables["y"][-2:] == [1, int("1" * 31)]
    assert not (await read_body_aside(orjson.dumps({"query": "{ a }", "variables": {"x": values[1:]}}))).large


_LONGEST_S = 0.05
"""How long one document may keep others waiting, in seconds of the loop's CPU."""

ATTACKS: dict[str, tuple[str, dict[str, Any]]] = {
    "fragments": (chain(15), {}),
    "reads": (chain(7), {}),
    "aliases": (
        "{ agents { nodes {"
        + " ".join(f"a{i}: sessions {{ nodes {{ id user {{ name }} }} }}" for i in range(190))
        + "} } }",
        {},
    ),
    "conditions": (FILTERED, {"f": {"or": [{"or": [{"title": {"eq": "a"}}] * 1_000}] * 10}}),
    "unknown fields": ("{ agent { " + " ".join(f"nam{i}" for i in range(2_400)) + " } }", {}),
    "unknown input fields": (
        "{ sessions(filter: {" + " ".join(f"titl{i}: 1" for i in range(1_200)) + "}) { nodes { id } } }",
        {},
    ),
    "unknown values": (FILTERED, {"f": {f"titl{i}": 1 for i in range(20_000)}}),
    "one key": ("{ agents { nodes { " + "sessions { nodes { id } } " * 600 + "} } }", {}),
    "series": (
        "{ project { "
        + " ".join(
            f'a{i}: series(metric: TOKENS, from: "2025-01-01T00:00:{i:02d}Z", to: "2026-01-01T00:00:00Z",'
            " interval: HOUR) { sum }"
            for i in range(12)
        )
        + "} }",
        {},
    ),
    "introspection": ("{ __schema { types { a: fields { name } b: fields { args { name } } } } }", {}),
}


class Held:
    """Measures how long the event loop's own thread computes without a break, in seconds of CPU.

    Garbage collections are left out: the process of the tests has more objects than a server.
    """

    def __init__(self) -> None:
        self.longest = 0.0
        self.turns = 0
        self._collecting = 0.0
        self._thread = threading.get_ident()
        gc.callbacks.append(self._collection)
        self._task = asyncio.create_task(self._measure())

    async def _measure(self) -> None:
        while True:
            began = time.thread_time() - self._collecting
            await asyncio.sleep(0)
            self.longest = max(self.longest, time.thread_time() - self._collecting - began)
            self.turns += 1

    def _collection(self, phase: str, _: Any) -> None:
        if threading.get_ident() == self._thread:
            now = time.thread_time()
            self._collecting += -now if phase == "start" else now

    async def stop(self) -> None:
        """Stop measuring."""
        gc.callbacks.remove(self._collection)
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)


@pytest.mark.parametrize("attack", ATTACKS)
async def test_an_attack_leaves_the_event_loop_free_for_others(
    attack: str, database_urls: DatabaseUrls
) -> None:
    document, variables = ATTACKS[attack]
    body = orjson.dumps({"query": document, "variables": variables})
    attacker, other = await make_key(database_urls), await make_key(database_urls)
    app = create_app(Settings(), database_urls.request)
    async with serving(app) as (host, port), httpx.AsyncClient(base_url=f"http://{host}:{port}") as client:

        async def send(secret: str, body: bytes) -> Any:
            headers = {"authorization": f"Bearer {secret}", "content-type": "application/json"}
            return (await client.post("/graphql", content=body, headers=headers, timeout=60)).json()

        small = b'{"query": "{ __typename }"}'
        # The first requests import, connect and compile what every later one uses.
        for secret in (attacker.secret, other.secret):
            await send(secret, b'{"query": "{ agents { nodes { id } } }"}')
            await send(secret, small)
        held = Held()
        attacks = asyncio.gather(*[send(attacker.secret, body) for _ in range(3)])
        answered = 0
        while not attacks.done():
            assert await send(other.secret, small) == {"data": {"__typename": "Query"}}
            answered += 1
        await held.stop()
        codes = {
            error["extensions"]["code"] for answer in await attacks for error in answer.get("errors", [])
        }
    assert codes <= {"LIMIT_EXCEEDED", "BAD_USER_INPUT", "NOT_FOUND", "OVERLOADED"}
    assert answered > 0
    assert held.turns > answered
    # Half of it is the client's work in the same loop.
    assert held.longest < _LONGEST_S
