"""Numbers too large to store are refused everywhere, and stored numbers are returned exactly."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import httpx
import orjson
import pytest
from sqlalchemy import text

from agentdata.app import create_app
from agentdata.exact_json import read_json, read_stored_json
from agentdata.operations.messages import result_of
from agentdata.settings import Settings
from tests.serving import make_key

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from sqlalchemy.ext.asyncio import AsyncEngine

    from agentdata.database_urls import DatabaseUrls

BIG = "123456789012345678901234567890"
TOO_LARGE = [BIG, f"-{BIG}", str(2**64), str(-(2**63) - 1), "1e400", "-1e400", "9" * 400, "9" * 5_000]
STORABLE = [
    "0",
    "-0.0",
    "1.5",
    "1e300",
    str(2**64 - 1),
    str(-(2**63)),
    f"{BIG}.5",
    f"0.{BIG}",
    f"1.{BIG}",
    "1e-400",
]


@pytest.mark.parametrize("number", [BIG, f"-{BIG}", str(2**64), str(-(2**63) - 1), "9" * 400])
@pytest.mark.parametrize("around", ["%s", "[%s]", '{"a": [1.5, {"b": %s}], "c": "%s"}', '{"%s": %s}'])
def test_integers_of_any_size_are_read_exactly(number: str, around: str) -> None:
    written = around.replace("%s", number)
    assert read_json(written) == read_json(written.encode()) == json.loads(written)


def test_a_large_text_is_searched_for_large_integers_in_pieces() -> None:
    for start in range(999_970, 1_000_002):
        head, tail = '{"a": "', '", "b": '
        written = head + "x" * (start - len(head + tail)) + tail + f"{2**64}}}"
        assert written.index("1") == start
        assert read_json(written.encode())["b"] == 2**64


@pytest.mark.parametrize("number", STORABLE)
def test_other_numbers_are_read_as_doubles(number: str) -> None:
    for written in (number, f'{{"a": [{number}, {BIG}, "{BIG}"]}}'):
        assert repr(read_json(written)) == repr(json.loads(written))


@pytest.mark.parametrize("number", [BIG, "1e400", "1"])
@pytest.mark.parametrize("wrong", ["NaN", "-Infinity", '"\\ud800"', "01", '"\x01"', "'a'", "tru"])
def test_invalid_json_is_refused_beside_any_number(number: str, wrong: str) -> None:
    for written in (f"[{number}, {wrong}]", f"[{wrong}, {number}]"):
        with pytest.raises(json.JSONDecodeError):
            read_json(written)
    with pytest.raises(json.JSONDecodeError):
        read_json(f"[{number}, ".encode() + b'"\xff"]')
    with pytest.raises(json.JSONDecodeError):
        read_json(f'[{number}, "\ud800"]')
    with pytest.raises(json.JSONDecodeError):
        read_json("[" * 5_000 + number + "]" * 5_000)


@pytest.mark.parametrize(
    "number", [*STORABLE, BIG, f"-{BIG}", f"{BIG}.{BIG}", f"0.{BIG}", "1" + "0" * 400, "1" + "0" * 5_000]
)
def test_numbers_of_the_database_are_written_exactly(number: str) -> None:
    for stored in (number, f'{{"a":[{number},{BIG},"{BIG}"]}}'):
        written = orjson.dumps(read_stored_json(stored)).decode()
        assert json.loads(written, parse_int=str, parse_float=_digits) == json.loads(
            stored, parse_int=str, parse_float=_digits
        )


def _digits(number: str) -> str:
    return str(float(number)) if len(number) < 19 else number


@pytest.mark.parametrize("number", TOO_LARGE)
def test_a_tool_answer_with_a_number_that_is_too_large_stays_text(number: str) -> None:
    assert result_of(f'{{"a": [{number}]}}') == f'{{"a": [{number}]}}'


@pytest.fixture(scope="module")
async def client(database_urls: DatabaseUrls) -> AsyncIterator[httpx.AsyncClient]:
    """Provide a client with a key to a project for the tests of this module."""
    app = create_app(Settings(), database_urls.request)
    key = await make_key(database_urls)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(
            transport=httpx.ASGITransport(app),
            base_url="http://test",
            headers={"Authorization": f"Bearer {key.secret}", "Accept": "application/json"},
        ) as client,
    ):
        yield client


async def post(client: httpx.AsyncClient, query: str, variables: str = "{}") -> dict[str, Any]:
    """Send variables as raw text, and return the answer with its numbers as texts."""
    body = f'{{"query": {json.dumps(query)}, "variables": {variables}}}'
    response = await client.post("/graphql", content=body, headers={"Content-Type": "application/json"})
    answer: dict[str, Any] = json.loads(response.content, parse_int=str, parse_float=str)
    return answer


CREATE = "mutation ($it: JSON) { createSession(input: {metadata: {a: [$it]}}) { metadata } }"
FIND = "query ($it: JSON) { sessions(filter: {metadata: {contains: {a: [$it]}}}) { totalCount } }"
AND_INTROSPECTION = ' __type(name: "User") { name } }'


@pytest.mark.parametrize("number", TOO_LARGE)
@pytest.mark.parametrize(
    "query", [CREATE, FIND, FIND[:-2] + AND_INTROSPECTION], ids=["write", "query", "with introspection"]
)
async def test_a_number_that_is_too_large_is_refused_in_literals_and_variables(
    client: httpx.AsyncClient, query: str, number: str
) -> None:
    literal = query.replace("($it: JSON) ", "").replace("$it", number)
    whole = query.replace("$it: JSON", "$it: JSON!").replace("{a: [$it]}", "$it")
    answers = [
        await post(client, literal),
        await post(client, query, f'{{"it": {number}}}'),
        await post(client, whole, f'{{"it": {{"a": [{{"b": {number}}}]}}}}'),
    ]
    if query != CREATE:
        given = {"query": query, "variables": f'{{"it": {number}}}'}
        answers.append((await client.get("/graphql", params=given)).json())
    for answer in answers:
        [error] = answer["errors"]
        assert error["extensions"]["code"] == "BAD_USER_INPUT"
        assert error["extensions"]["field"] in {"metadata", "filter.metadata.contains"}
        assert "number" in error["message"]
    for type_ in ("Int", "BigInt", "Float"):
        if type_ == "Float" and number in {BIG, f"-{BIG}", str(2**64), str(-(2**63) - 1)}:
            continue
        answer = await post(client, query.replace("JSON", type_), f'{{"it": {number}}}')
        [error] = answer["errors"]
        assert error["extensions"]["code"] == "BAD_USER_INPUT"
        assert "$it" in error["message"]


@pytest.mark.parametrize("number", ["1e300", str(2**64 - 1), str(-(2**63)), "0.1", f'"{BIG}"', '"1e400"'])
async def test_a_number_that_fits_is_stored(client: httpx.AsyncClient, number: str) -> None:
    literal = CREATE.replace("($it: JSON) ", "").replace("$it", number)
    for answer in (await post(client, literal), await post(client, CREATE, f'{{"it": {number}}}')):
        [stored] = answer["data"]["createSession"]["metadata"]["a"]
        assert stored == json.loads(number, parse_int=str) or float(stored) == float(number)


async def test_numbers_that_other_programs_stored_are_returned_exactly(
    client: httpx.AsyncClient, owner: AsyncEngine
) -> None:
    made = await post(client, "mutation { createSession(input: {}) { id } }")
    id_ = made["data"]["createSession"]["id"]
    document = {"big": BIG, "small": f"-{BIG}", "fraction": f"0.{BIG}", "huge": "1" + "0" * 400, "n": "1"}
    stored = "{" + ", ".join(f'"{name}": {number}' for name, number in document.items()) + "}"
    async with owner.begin() as connection:
        await connection.execute(
            text("UPDATE sessions SET metadata = CAST(:stored AS jsonb) WHERE id = :id"),
            {"stored": stored, "id": id_},
        )
    planned = f'{{ session(id: "{id_}") {{ metadata }} }}'
    written = f'mutation {{ updateSession(id: "{id_}", input: {{title: "a"}}) {{ metadata }} }}'
    for query in (planned, planned[:-1] + AND_INTROSPECTION, written):
        [session, *_] = (await post(client, query))["data"].values()
        assert session["metadata"] == document
