"""Documents that are compiled ahead: their first request finds everything compiled."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from agentdata.engine.plans.compiler import Compiler
from agentdata.engine.plans.statements import SqlCache
from agentdata.engine.requests.executor import Executor
from schema.root import schema
from tests import factories

if TYPE_CHECKING:
    from tests.api import Api

SESSIONS = """
query Sessions($id: ID!, $status: SessionStatus!, $first: Int = 3, $withTags: Boolean!) {
  session(id: $id) { title messages(last: 2) { nodes { content } } statistics { messageCount } }
  sessions(first: $first, filter: {status: {eq: $status}}) {
    totalCount nodes { id tags @include(if: $withTags) }
  }
}
"""

SERIES = """
query Series($from: DateTime!, $to: DateTime!) {
  project { series(metric: TOKENS, from: $from, to: $to, interval: DAY) { start sum } }
}
"""

RENAME = """
mutation Rename($id: ID!, $input: UpdateSessionInput!) {
  updateSession(id: $id, input: $input) { title agent { name } }
}
"""


class Watching(SqlCache):
    """Counts how often it is asked for the SQL of a read, which is when a statement is assembled."""

    asked = 0

    def read_sql(self, *args: Any) -> Any:
        """Count the question, and answer it."""
        self.asked += 1
        return super().read_sql(*args)


@pytest.fixture
def cache() -> Watching:
    return Watching()


@pytest.fixture
def compiling(api: Api, cache: Watching) -> Api:
    """Provide the API with nothing compiled."""
    return replace(api, executor=Executor(schema, compiler=Compiler(schema, cache)))


async def test_the_first_request_of_a_document_that_was_compiled_compiles_nothing(
    compiling: Api, cache: Watching
) -> None:
    session = await factories.session(compiling, title="Parcel")
    await compiling.executor.compile([SESSIONS, SERIES, RENAME])
    asked = cache.asked
    assert asked > 0
    found = await compiling.ask(SESSIONS, id=str(session.id), status="ACTIVE", withTags=True)
    assert found["session"]["title"] == "Parcel"
    times = {"from": "2026-01-01T00:00:00Z", "to": "2026-01-03T00:00:00Z"}
    assert len((await compiling.ask(SERIES, **times))["project"]["series"]) == 2
    renamed = await compiling.ask(RENAME, id=str(session.id), input={"title": "Letter"})
    assert renamed["updateSession"]["title"] == "Letter"
    assert cache.asked == asked


@pytest.mark.parametrize(
    "document",
    [
        "query ($after: String!) { sessions(after: $after) { nodes { id } } }",
        "query ($is: Vector!) { searchMessages(embedding: $is) { nodes { score } } }",
        "{ sessions(first: 5000) { nodes { id } } }",
    ],
)
async def test_a_document_whose_variables_cannot_be_made_up_is_left_to_its_first_request(
    compiling: Api, cache: Watching, document: str
) -> None:
    await compiling.executor.compile([document])
    assert compiling.executor.knows(document)
    assert cache.asked == 0
    await compiling.executor.compile([SERIES])
    assert cache.asked > 0
