"""Fields may wait for something else before the operation takes a connection, by a plan and by reference."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime  # noqa: TC003 - SQLAlchemy reads annotations at run time
from typing import TYPE_CHECKING, Any
from uuid import UUID  # noqa: TC003 - as above

import pytest
import strawberry
from sqlalchemy import Select, Text, bindparam, select
from sqlalchemy.orm import Mapped, mapped_column
from strawberry.schema.config import StrawberryConfig

import models
from agentdata.engine.fields import Bindings, ComputedRow, Ordering, argument, column, computation, page
from agentdata.engine.plans.compiler import Compiler
from agentdata.engine.preparations import MAX_PREPARATIONS
from agentdata.engine.requests.executor import Executor
from agentdata.engine.sql.tenancy import owned
from agentdata.errors import ConflictError
from schema.declarations import object_type
from schema.inputs.agent import AgentOrder
from schema.scalars import SCALARS
from schema.types.agent import Agent
from schema.types.connection import Connection
from tests import factories

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Mapping

    from tests.api import Api

    Waiting = Callable[[Mapping[str, Any], Any], Awaitable[None]]


class Found(ComputedRow):
    """A row that a computation gives."""

    __tablename__ = "found"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    created_at: Mapped[datetime]
    name: Mapped[str]


def _found() -> Select[Any]:
    agent: Any = models.Agent
    return select(agent.id, agent.created_at, agent.name).where(
        owned(agent), agent.name == bindparam("name", type_=Text)
    )


def _bind(arguments: Mapping[str, Any]) -> Bindings:
    return Bindings((), {"name": arguments["translated"]})


prepared: list[str] = []
"""The texts that were prepared, in order."""
_waiting: list[Waiting] = []


async def _prepare(arguments: Mapping[str, Any], context: Any) -> Mapping[str, Any]:
    prepared.append(arguments["word"])
    for wait in _waiting:
        await wait(arguments, context)
    return {**arguments, "translated": arguments["word"].upper()}


@contextmanager
def waiting(wait: Waiting | None = None) -> Iterator[list[str]]:
    """Let preparations do something in the block, and provide the words that they prepared."""
    prepared.clear()
    _waiting[:] = [] if wait is None else [wait]
    try:
        yield prepared
    finally:
        _waiting.clear()


@object_type(model=Found)
class FoundAgent:
    """An agent that was found."""

    name: str = column("The name.")


FOUND = computation(_found, argument("word", str, "The word.", required=True), bind=_bind, prepare=_prepare)


@object_type
class Query:
    """The queries."""

    found: Connection[FoundAgent] = page(
        Found, "The agents found.", order=AgentOrder, default=(Ordering("name"),), computed=FOUND
    )
    agents: Connection[Agent] = page(models.Agent, "The agents.", order=AgentOrder)


SCHEMA = strawberry.Schema(query=Query, config=StrawberryConfig(scalar_map=SCALARS))
WAYS = {"plan": Executor(SCHEMA, compiler=Compiler(SCHEMA)), "reference": Executor(SCHEMA)}


@pytest.fixture(params=WAYS)
async def words(request: pytest.FixtureRequest, api: Api) -> Api:
    """Provide a project with the agents ONE and TWO, whose operations run one of the two ways."""
    for name in ("ONE", "TWO"):
        await factories.agent(api, name=name)
    return replace(api, executor=WAYS[request.param])


BOTH = """query Both($one: String!, $not: Boolean = false) {
  agents { totalCount }
  one: found(word: $one) { nodes { name } totalCount }
  two: found(word: "two") @skip(if: $not) { nodes { name } }
}"""


async def test_a_field_binds_the_arguments_that_were_prepared(words: Api) -> None:
    with waiting() as prepared:
        assert await words.ask(BOTH, one="one") == {
            "agents": {"totalCount": 2},
            "one": {"nodes": [{"name": "ONE"}], "totalCount": 1},
            "two": {"nodes": [{"name": "TWO"}]},
        }
        assert sorted(prepared) == ["one", "two"]


async def test_fields_that_are_skipped_are_not_prepared(words: Api) -> None:
    with waiting() as prepared:
        await words.ask(BOTH, one="one", **{"not": True})
        assert prepared == ["one"]


async def test_preparations_run_together_and_before_the_operation_takes_a_connection(words: Api) -> None:
    both = asyncio.Barrier(2)
    in_use: list[int] = []

    async def wait(*_: Any) -> None:
        async with asyncio.timeout(10):
            await both.wait()
        # The other fields of the operation get time to take one.
        for _turn in range(20):
            await asyncio.sleep(0)
        in_use.append(words.database.pool.in_use)

    with waiting(wait):
        await words.ask(BOTH, one="one")
    assert in_use == [0, 0]


async def test_a_preparation_that_fails_is_an_error_of_its_field_and_is_not_repeated(words: Api) -> None:
    async def fail(arguments: Mapping[str, Any], _: Any) -> None:
        if arguments["word"] == "one":
            raise ConflictError("not now", field="word")

    with waiting(fail) as prepared:
        answer = await words.answer(BOTH, one="one")
    [error] = answer.errors
    assert (error["message"], error["path"]) == ("not now", ["one"])
    assert error["extensions"] == {"code": "CONFLICT", "field": "word"}
    # The list may not be null, so nothing is left of the data.
    assert answer.data is None
    assert sorted(prepared) == ["one", "two"]


async def test_a_field_with_wrong_arguments_is_not_prepared(words: Api) -> None:
    with waiting() as prepared:
        answer = await words.answer("query ($word: String) { found(word: $word) { totalCount } }")
        assert answer.codes == ["BAD_USER_INPUT"]
        assert prepared == []


async def test_an_operation_may_have_so_many_prepared_fields_and_no_more(words: Api) -> None:
    def document(number: int) -> str:
        fields = [f'f{each}: found(word: "one") {{ totalCount }}' for each in range(number)]
        return f"{{ {' '.join(fields)} }}"

    with waiting() as prepared:
        assert len(await words.ask(document(MAX_PREPARATIONS))) == MAX_PREPARATIONS
        prepared.clear()
        error = await words.error(document(MAX_PREPARATIONS + 1))
        assert error["extensions"]["code"] == "LIMIT_EXCEEDED"
        assert len(prepared) == MAX_PREPARATIONS


async def test_preparations_end_with_their_operation(words: Api) -> None:
    begun, ended = asyncio.Event(), asyncio.Event()

    async def wait(*_: Any) -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    with waiting(wait):
        operation = asyncio.create_task(words.answer('{ found(word: "one") { totalCount } }'))
        async with asyncio.timeout(10):
            await begun.wait()
            operation.cancel()
            with pytest.raises(asyncio.CancelledError):
                await operation
            await ended.wait()


def test_only_pages_of_the_tenant_can_be_prepared() -> None:
    with pytest.raises(TypeError, match="only a page of the tenant"):
        page(Found, "The agents found.", order=AgentOrder, computed=FOUND, remote="id")
