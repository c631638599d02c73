"""Arguments are converted to the names and types that operations take."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest
import strawberry
from graphql import GraphQLInputObjectType, get_named_type

from agentdata.engine.binding.inputs import fields_of, values_of
from agentdata.engine.fields import parameter
from agentdata.engine.fields.mutations import WriteField
from agentdata.engine.strawberry_access import declaration
from agentdata.errors import BadUserInputError
from models.enums import ApiKeyScope, MessageRole
from schema.inputs.api_key import CreateApiKeyInput
from schema.inputs.message import AppendMessageInput
from schema.inputs.session import CreateSessionInput
from tests.writes import MUTATIONS

if TYPE_CHECKING:
    from collections.abc import Mapping

ID = "01990000-0000-7000-8000-000000000001"
FIELDS = fields_of(
    [
        parameter("session_id", strawberry.ID, "A session.", as_="id_"),
        parameter("ids", list[strawberry.ID | None] | None, "Ids."),
        parameter("input", CreateSessionInput, "An input.", as_="values"),
        parameter("key", CreateApiKeyInput, "An input."),
        parameter("messages", list[AppendMessageInput], "Inputs."),
    ]
)


def test_arguments_get_python_names_and_types() -> None:
    now = datetime.now(UTC)
    raw = {
        "sessionId": ID,
        "ids": [ID, None],
        "input": {"userId": ID, "agentId": None, "tags": ["a"], "metadata": {"userId": "no id"}},
        "key": {"name": "A", "scopes": [ApiKeyScope.READ]},
        "messages": [
            {"role": MessageRole.USER, "createdAt": now},
            {
                "role": MessageRole.ASSISTANT,
                "toolCalls": [{"name": "find", "callId": "1"}],
                "promptTokens": 0,
            },
        ],
        "notDeclared": 1,
    }
    values = values_of(FIELDS, raw)
    assert values == {
        "id_": UUID(ID),
        "ids": [UUID(ID), None],
        "values": {"user_id": UUID(ID), "agent_id": None, "tags": ["a"], "metadata_": {"userId": "no id"}},
        "key": {"name": "A", "scopes": ["READ"]},
        "messages": [
            {"role": "USER", "created_at": now},
            {"role": "ASSISTANT", "tool_calls": [{"name": "find", "call_id": "1"}], "prompt_tokens": 0},
        ],
    }
    assert type(values["messages"][0]["role"]) is type(values["key"]["scopes"][0]) is str


@pytest.mark.parametrize(
    ("raw", "field"),
    [
        ({"sessionId": "x"}, "sessionId"),
        ({"ids": [ID, None, "x"]}, "ids.2"),
        ({"input": {"userId": "x"}}, "userId"),
        ({"messages": [{}, {"agentId": ""}]}, "messages.1.agentId"),
    ],
)
def test_an_invalid_id_is_refused_with_its_path(raw: Mapping[str, Any], field: str) -> None:
    with pytest.raises(BadUserInputError, match=f"^{field} is not an id") as refused:
        values_of(FIELDS, raw)
    assert refused.value.field == field


@pytest.mark.parametrize("name", MUTATIONS)
def test_every_argument_of_the_contract_is_converted(name: str) -> None:
    field = MUTATIONS[name]
    declared = declaration(field)
    assert isinstance(declared, WriteField)
    fields = fields_of(declared.arguments)
    assert fields.keys() == field.args.keys() - {"idempotencyKey"}
    for argument, (_, reading) in fields.items():
        of = get_named_type(field.args[argument].type)
        if isinstance(of, GraphQLInputObjectType):
            assert isinstance(reading, partial)
            each = reading.args[0]
            below = each.args[0] if isinstance(each, partial) else each
            assert below.keys() == of.fields.keys()
