"""The depth of JSON is checked before it is stored or compared."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from agentdata.checks import MAX_JSON_DEPTH
from tests import factories

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.api import Api

WRAPS: dict[str, Callable[[Any, int], Any]] = {
    "objects": lambda value, _: {"a": value},
    "arrays": lambda value, _: [value],
    "both": lambda value, level: {"a": value} if level % 2 else [value],
}


@pytest.fixture(params=["planned", "plain"])
def either(request: pytest.FixtureRequest, api: Api) -> Api:
    """Provide a project that plans answer, and one that the reference way answers."""
    return api if request.param == "planned" else api.by_reference()


def nested(levels: int, wrap: str, innermost: Any) -> Any:
    """Return JSON of so many levels; an empty object or array counts as a level, a scalar does not."""
    value = innermost
    for level in range(levels if not isinstance(innermost, dict | list) else levels - 1):
        value = WRAPS[wrap](value, level)
    return value


def literal(value: Any) -> str:
    """Return JSON as a GraphQL literal."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {literal(each)}" for key, each in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(literal, value)) + "]"
    return f'"{value}"' if isinstance(value, str) else str(value)


def request_parts(how: str, value: Any) -> tuple[str, str, dict[str, Any]]:
    """Return how to send JSON: the declaration of variables, the argument's text, and the variables."""
    if how == "literal":
        return "", literal(value), {}
    if how == "variable":
        return "($it: JSON)", "$it", {"it": value}
    [(key, inner)] = value.items() if isinstance(value, dict) else enumerate(value)
    return "($it: JSON)", f"{{{key}: $it}}" if isinstance(value, dict) else "[$it]", {"it": inner}


@pytest.mark.parametrize("innermost", [{}, [], "text", 1], ids=str)
@pytest.mark.parametrize("wrap", WRAPS)
@pytest.mark.parametrize("how", ["literal", "variable", "variable in a literal"])
async def test_json_may_nest_up_to_100_levels(either: Api, wrap: str, innermost: Any, how: str) -> None:
    session = await factories.session(either)
    for levels in (2, MAX_JSON_DEPTH, MAX_JSON_DEPTH + 1):
        value = nested(levels, wrap, innermost)
        declared, argument, variables = request_parts(how, value)
        answer = await either.answer(
            f"""mutation {declared} {{ appendMessages(
                sessionId: "{session.id}", messages: [{{role: USER, rawPayload: {argument}}}]
            ) {{ rawPayload }} }}""",
            **variables,
        )
        if levels > MAX_JSON_DEPTH:
            assert answer.codes == ["BAD_USER_INPUT"]
            assert answer.errors[0]["extensions"]["field"] == "messages.0.rawPayload"
            assert "deeper than 100 levels" in answer.errors[0]["message"]
        else:
            assert answer.data == {"appendMessages": [{"rawPayload": value}]}


@pytest.mark.parametrize("how", ["literal", "variable", "variable in a literal"])
async def test_json_in_filters_may_nest_up_to_100_levels(either: Api, how: str) -> None:
    value = nested(MAX_JSON_DEPTH, "objects", "text")
    session = await factories.session(either, metadata_=value)
    for levels in (2, MAX_JSON_DEPTH, MAX_JSON_DEPTH + 1):
        declared, argument, variables = request_parts(how, nested(levels, "objects", "text"))
        answer = await either.answer(
            f"""query {declared} {{
                sessions(filter: {{metadata: {{contains: {argument}}}}}) {{ nodes {{ id }} }}
            }}""",
            **variables,
        )
        if levels > MAX_JSON_DEPTH:
            assert answer.codes == ["BAD_USER_INPUT"]
            assert answer.errors[0]["extensions"]["field"] == "filter.metadata.contains"
        else:
            found = [{"id": str(session.id)}] if levels == MAX_JSON_DEPTH else []
            assert answer.data == {"sessions": {"nodes": found}}
