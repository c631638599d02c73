"""The worked example of the engine's README is what the engine does."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

from agentdata.context import Context
from agentdata.engine.plans.compiler import Compiler
from agentdata.engine.requests.executor import Executor
from agentdata.principal import Principal
from models.enums import ApiKeyScope
from schema.root import schema

if TYPE_CHECKING:
    from tests.api import Api

README = (Path(__file__).parents[2] / "agentdata" / "engine" / "README.md").read_text(encoding="utf-8")


def block(language: str) -> str:
    """Return the only block of a language in the README's example."""
    example = README[README.index("## A query, step by step") :]
    found = re.search(rf"```{language}\n(.*?)```", example, re.DOTALL)
    assert found is not None
    return found[1]


def words(text: str) -> list[str]:
    """Return a text without its white space."""
    return text.split()


async def test_the_example_is_the_statement_of_its_query(api: Api) -> None:
    executor = Executor(schema, compiler=Compiler(schema))
    principal = Principal(api.project_id, UUID(int=0), frozenset(ApiKeyScope))
    operation = executor.operation(block("graphql"), None)
    variables: dict[str, Any] = {"first": 2}
    explained = await executor.explain(operation, variables, Context(api.database, principal), analyze=False)
    assert explained is not None
    assert words(explained.sql) == words(block("sql"))
    assert explained.parameters == [str(api.project_id), "COMPLETED", "True"]
