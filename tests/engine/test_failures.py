"""Fields with wrong arguments fail alone; plans and the reference way agree on the rest."""

from __future__ import annotations

from typing import Any

import pytest

from tests import factories
from tests.api import EXECUTOR, Answer, Api


async def both(api: Api, document: str, **variables: Any) -> Answer:
    """Run an operation both ways, and return the answer, which has to be the same."""
    runs = EXECUTOR.reference_runs
    planned = await api.answer(document, **variables)
    assert EXECUTOR.reference_runs == runs
    assert planned == await api.by_reference().answer(document, **variables)
    return planned


MEMBERS = """query ($n: Int) { agentVersions(orderBy: [{field: CREATED_AT, direction: ASC}]) { nodes {
    createdBy { __typename
        ... on User { sessions(first: 1) { totalCount } }
        ... on Agent { sessions(first: $n) { totalCount } }
    }
} } }"""


async def test_a_wrong_argument_in_one_member_of_a_union_leaves_the_other_alone(api: Api) -> None:
    user, agent = await factories.user(api), await factories.agent(api)
    await factories.agent_version(api, agent.id, created_by_user_id=user.id)
    found = await both(api, MEMBERS, n=-1)
    right = {"__typename": "User", "sessions": {"totalCount": 0}}
    assert found == Answer({"agentVersions": {"nodes": [{"createdBy": right}]}}, [])
    await factories.agent_version(api, agent.id, created_by_agent_id=agent.id)
    found = await both(api, MEMBERS, n=-1)
    assert found.data == {"agentVersions": {"nodes": [{"createdBy": right}, {"createdBy": None}]}}
    [error] = found.errors
    assert error["path"] == ["agentVersions", "nodes", 1, "createdBy", "sessions"]
    assert error["extensions"] == {"code": "BAD_USER_INPUT", "field": "first"}


@pytest.mark.parametrize(
    ("document", "variables", "data"),
    [
        (
            'query ($n: String = "Agent") { __type(name: $n) { name } project { name } }',
            {"n": None},
            {"__type": None, "project": {"name": "Test"}},
        ),
        (
            'query ($n: String = "Team") { __type(name: $n) { name } }',
            {},
            {"__type": {"name": "Team"}},
        ),
        (
            (
                'query ($b: Boolean = true) { __type(name: "Deletion") {'
                " name fields(includeDeprecated: $b) { name } } project { name } }"
            ),
            {"b": None},
            {"__type": {"name": "Deletion", "fields": None}, "project": {"name": "Test"}},
        ),
        (
            (
                "query ($b: Boolean = true) { project { name } __schema { directives {"
                " args(includeDeprecated: $b) { name } } } }"
            ),
            {"b": None},
            None,
        ),
    ],
)
async def test_errors_of_introspection_stay_where_they_are(
    api: Api, document: str, variables: dict[str, Any], data: Any
) -> None:
    found = await both(api, document, **variables)
    assert found.data == data
    assert set(found.codes) <= {"BAD_USER_INPUT"}
    assert bool(found.errors) is (None in variables.values())


async def test_a_null_where_a_cost_needs_a_value_is_an_error_of_the_field(api: Api) -> None:
    nodes = 'query ($i: [ID!] = ["x"]) { project { name } nodes(ids: $i) { id } }'
    series = """query ($f: DateTime = "2026-01-01T00:00:00Z", $u: Interval = DAY) { project { name
        series(metric: SESSIONS_STARTED, from: $f, to: "2026-01-03T00:00:00Z", interval: $u) { start } } }"""
    for document, variables in ((nodes, {"i": None}), (series, {"f": None}), (series, {"u": None})):
        found = await both(api, document, **variables)
        assert found.codes == ["BAD_USER_INPUT"]
        assert found.data is None


async def test_literal_starts_of_buckets_do_not_stay_in_plans(api: Api) -> None:
    document = """query Literal { project { series(metric: SESSIONS_STARTED, interval: HOUR,
        from: "2026-01-01T00:00:00Z", to: "2026-02-01T00:00:00Z") { count } } }"""
    assert (await api.answer(document)).errors == []
    operation = EXECUTOR.operation(document, None)
    values = operation.values({})
    slots = operation.plan(EXECUTOR._compiler, values).arguments.slots  # noqa: SLF001  # what plans keep
    assert all("from" in slot.coerce(values) for slot in slots)


async def test_writes_with_thousands_of_failed_fields_say_that_they_were_done(api: Api) -> None:
    agent = await factories.agent(api)
    session = await factories.session(api, agent_id=agent.id)
    wrong = "agent { sessions(first: -1) { totalCount } }"
    fields = " ".join(f"a{number}: {wrong}" for number in range(51))
    document = (
        "mutation ($id: ID!, $messages: [AppendMessageInput!]!)"
        f" {{ appendMessages(sessionId: $id, messages: $messages) {{ {fields} }} }}"
    )
    said = [{"role": "ASSISTANT", "content": "x"}] * 100
    answer = await api.answer(document, id=str(session.id), messages=said)
    assert answer.data is None
    [error] = answer.errors
    assert error["extensions"]["code"] == "LIMIT_EXCEEDED"
    assert "were done" in error["message"]
    found = await api.ask("query ($id: ID!) { session(id: $id) { messageCount } }", id=str(session.id))
    assert found == {"session": {"messageCount": 100}}
