"""Scalars are read as the contract describes them, in variables and in literals."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests import factories

if TYPE_CHECKING:
    from tests.api import Api

BY_VARIABLE = """mutation ($id: ID!, $at: DateTime!) {
    updateSession(id: $id, input: {endedAt: $at, status: COMPLETED}) { endedAt }
}"""


@pytest.fixture(params=["planned", "reference"])
def either(request: pytest.FixtureRequest, api: Api) -> Api:
    """Provide a project whose operations run by plan, and one whose operations run the reference way."""
    return api if request.param == "planned" else api.by_reference()


@pytest.mark.parametrize(
    ("sent", "time"),
    [
        ("2126-01-31T12:00:00Z", "2126-01-31T12:00:00Z"),
        ("2126-01-31t12:00:00z", "2126-01-31T12:00:00Z"),
        ("2126-01-31T12:00:00z", "2126-01-31T12:00:00Z"),
        # RFC 3339, 5.6 allows a space for readability; Python and PostgreSQL write times like this.
        ("2126-01-31 12:00:00+00:00", "2126-01-31T12:00:00Z"),
        ("2126-01-31T12:00:00-00:00", "2126-01-31T12:00:00Z"),
        ("2126-01-31T12:00:00+23:59", "2126-01-30T12:01:00Z"),
        ("2126-01-31T12:00:00.5-08:00", "2126-01-31T20:00:00.500000Z"),
        ("2126-01-31T12:00:00.000001Z", "2126-01-31T12:00:00.000001Z"),
        ("2126-01-31T12:00:00.123456789Z", "2126-01-31T12:00:00.123456Z"),
        ("2126-12-31T23:59:60Z", "2127-01-01T00:00:00Z"),
        ("2126-06-30T15:59:60.5-08:00", "2126-07-01T00:00:00.500000Z"),
        ("9999-12-31T23:59:59+00:01", "9999-12-31T23:58:59Z"),
    ],
)
async def test_times_of_rfc_3339_are_accepted(either: Api, sent: str, time: str) -> None:
    session = await factories.session(either)
    literal = BY_VARIABLE.replace(", $at: DateTime!", "").replace("$at", f'"{sent}"')
    for answer in (
        await either.ask(BY_VARIABLE, id=session.id, at=sent),
        await either.ask(literal, id=session.id),
    ):
        assert answer == {"updateSession": {"endedAt": time}}


@pytest.mark.parametrize(
    "sent",
    [
        "2026-W05-6T12:00:00Z",
        "2026-031T12:00:00Z",
        "20260131T120000Z",
        "2026-01-31T120000Z",
        "2026-01-31_12:00:00Z",
        "2026-01-31  12:00:00Z",
        "2026-01-31T12:00Z",
        "2026-01-31T12Z",
        "2026-01-31T12:00:00",
        "2026-01-31T12:00:00 Z",
        "2026-01-31T12:00:00,5Z",
        "2026-01-31T12:00:00.Z",
        "2026-01-31T12:00:00+05",
        "2026-01-31T12:00:00+0530",
        "2026-01-31T12:00:00+05:30:15",
        "2026-01-31T12:00:00+05:60",
        "2026-01-31T12:00:00+24:00",
        "2026-01-31T24:00:00Z",
        "2026-01-31T12:60:00Z",
        "2026-01-31T12:00:60Z",
        "2026-01-30T23:59:60Z",
        "2026-01-31T12:00:61Z",
        "9999-12-31T23:59:60Z",
        "9999-12-31T23:59:59-01:00",
        "0001-01-01T00:00:00+01:00",
        "0000-01-01T00:00:00Z",
        "2026-02-29T12:00:00Z",
        " 2026-01-31T12:00:00Z",
        "2026-01-31T12:00:00Z\n",
        "\uff12\uff10\uff12\uff16-01-31T12:00:00Z",
        "1769860800",
    ],
)
async def test_times_that_do_not_follow_rfc_3339_are_refused(either: Api, sent: str) -> None:
    session = await factories.session(either)
    error = await either.error(BY_VARIABLE, id=session.id, at=sent)
    assert error["extensions"]["code"] == "BAD_USER_INPUT"
    assert "$at" in error["message"]
    assert "Z" in error["message"].rpartition("such as ")[2]
    literal = BY_VARIABLE.replace(", $at: DateTime!", "").replace("$at", f'"{sent.strip()}"')
    if sent == sent.strip():
        assert (await either.error(literal, id=session.id))["extensions"]["code"] == "BAD_USER_INPUT"


@pytest.mark.parametrize(
    ("declared", "said", "stored"),
    [
        ("$a: String", "{a: $a}", {}),
        ("$a: SessionStatus", "{a: $a, b: 1}", {"b": 1}),
        ("$a: JSON", "{a: [$a], b: [1, $a, {c: $a}]}", {"a": [None], "b": [1, None, {}]}),
        ("$a: DateTime", "{a: {b: {c: $a, d: [[$a]]}}}", {"a": {"b": {"d": [[None]]}}}),
        ("$a: [Int!]", "{a: $a, b: null}", {"b": None}),
        ("$a: SessionFilter", "{a: $a, b: []}", {"b": []}),
        ('$a: String = "said"', "{a: $a, b: [$a]}", {"a": "said", "b": ["said"]}),
        ("$a: Int = null", "{a: $a, b: [$a]}", {"a": None, "b": [None]}),
        ("$a: JSON", "$a", {}),
        ("$a: JSON = {b: 1}", "$a", {"b": 1}),
    ],
)
async def test_a_variable_without_a_value_is_omitted_from_json(
    either: Api, declared: str, said: str, stored: dict[str, Any]
) -> None:
    made = await either.ask(
        f"""mutation ({declared}) {{
            createSession(input: {{metadata: {said}}}) {{ id metadata }}
        }}"""
    )
    assert made["createSession"]["metadata"] == stored
    id_ = made["createSession"]["id"]
    appended = await either.ask(
        f"""mutation ($id: ID!, {declared}) {{
            appendMessages(sessionId: $id, messages: [{{role: USER}}, {{role: USER, rawPayload: {said}}}])
            {{ rawPayload }}
        }}""",
        id=id_,
    )
    payload = None if (said, stored) == ("$a", {}) else stored
    assert appended["appendMessages"] == [{"rawPayload": None}, {"rawPayload": payload}]
    found = await either.ask(
        f"""query ($id: ID!, {declared}) {{
            sessions(filter: {{id: {{eq: $id}}, metadata: {{contains: {said}}}}}) {{ totalCount }}
        }}""",
        id=id_,
    )
    assert found == {"sessions": {"totalCount": 1}}


@pytest.mark.parametrize(
    ("type_", "sent", "stored"),
    [
        ("DateTime!", "2026-01-31T12:00:00Z", "2026-01-31T12:00:00Z"),
        ("DateTime", "2026-01-31T13:00:00.5+01:00", "2026-01-31T12:00:00.500000Z"),
        (
            "[DateTime!]",
            ["2026-01-31 12:00:00z", "2026-02-01T00:00:00Z"],
            ["2026-01-31T12:00:00Z", "2026-02-01T00:00:00Z"],
        ),
        ("SessionStatus!", "COMPLETED", "COMPLETED"),
        (
            "[SessionOrder!]",
            [{"field": "CREATED_AT", "direction": "DESC"}],
            [{"field": "CREATED_AT", "direction": "DESC"}],
        ),
        (
            "SessionFilter",
            {"and": [{"startedAt": {"gte": "2026-01-31T12:00:00+00:00"}}]},
            {"and": [{"startedAt": {"gte": "2026-01-31T12:00:00Z"}}]},
        ),
        ("BigInt", 2**63 - 1, 2**63 - 1),
        ("ID", "01900000-0000-7000-8000-000000000000", "01900000-0000-7000-8000-000000000000"),
        ("ID", 5, "5"),
        ("Float", 0.1, 0.1),
        ("Boolean", True, True),
        (
            "JSON",
            {"at": "2026-01-31T12:00:00+00:00", "b": [None, 1.5]},
            {"at": "2026-01-31T12:00:00+00:00", "b": [None, 1.5]},
        ),
        ("String", "2026-01-31T12:00:00+00:00", "2026-01-31T12:00:00+00:00"),
    ],
)
async def test_a_variable_within_json_is_stored_in_the_format_of_responses(
    either: Api, type_: str, sent: Any, stored: Any
) -> None:
    made = await either.ask(
        f"""mutation ($a: {type_}) {{
            createSession(input: {{metadata: {{a: $a, b: [{{c: $a}}]}}}}) {{ id metadata }}
        }}""",
        a=sent,
    )
    document = {"a": stored, "b": [{"c": stored}]}
    assert made["createSession"]["metadata"] == document
    found = await either.ask(
        f"""query ($id: ID!, $a: {type_}, $document: JSON) {{
            one: sessions(filter: {{id: {{eq: $id}}, metadata: {{contains: {{a: $a, b: [{{c: $a}}]}}}}}}) {{
                totalCount
            }}
            same: sessions(filter: {{id: {{eq: $id}}, metadata: {{contains: $document}}}}) {{ totalCount }}
        }}""",
        id=made["createSession"]["id"],
        a=sent,
        document=document,
    )
    assert [each["totalCount"] for each in found.values()] == [1, 1]


async def test_a_time_within_json_is_found_by_its_text(either: Api) -> None:
    """A DateTime variable and a String variable with the same text find the same rows."""
    at = "2026-01-31T12:00:00Z"
    await either.ask(
        "mutation ($at: DateTime!) { createSession(input: {startedAt: $at, metadata: {at: $at}}) { id } }",
        at=at,
    )
    for type_ in ("String", "DateTime"):
        found = await either.ask(
            f"""query ($at: {type_}) {{
                sessions(filter: {{metadata: {{contains: {{at: $at}}}}}}) {{ nodes {{ startedAt metadata }} }}
            }}""",
            at=at,
        )
        assert found["sessions"]["nodes"] == [{"startedAt": at, "metadata": {"at": at}}]
