"""Floods a process of its own with documents or filters that never come again, and prints how large it grows.

`python -m tests.engine.flood URL PROJECT documents|filters TIMES` prints the resident bytes before,
after so many questions, and after as many more. A process of its own, because in a used one, what others
left free would hide the growth; and no tracing of allocations, because that takes four times as long.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import sys
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

from agentdata.context import Context, Principal
from agentdata.database import Database
from agentdata.engine.plans.compiler import Compiler
from agentdata.engine.plans.statements import SqlCache
from agentdata.engine.requests.executor import Executor
from models.enums import ApiKeyScope
from schema.root import schema

if TYPE_CHECKING:
    from collections.abc import Iterator

    Question = tuple[str, dict[str, Any]]
    """A document and its variables."""

RESIDENT = Path("/proc/self/statm")
"""Where Linux tells how many pages a process holds."""

KEPT_CHARACTERS = 200_000
"""How much SQL is kept of each kind: a tenth of what a server keeps, to be full after fewer questions."""

SIZE = 2_000
"""How many characters a document has."""

ASKED = """
sessions(first: 3, filter: {title: {eq: "a"}}) { totalCount nodes {
  id title status tags metadata state context provider platform purpose source startedAt endedAt costUsd
  lastActivityAt qualityScore userSatisfaction messageCount interactionCount
  agent { id name model config type description provider temperature maxTokens systemPrompt tools active runId
    specializations learningMode trainingStatus createdAt updatedAt }
  messages(last: 2, filter: {role: {eq: USER}}) { totalCount nodes {
    id content parts metadata role sequence model tokenCount promptTokens completionTokens latencyMs feedback
    flagged rawPayload createdAt updatedAt } }
  tree { sessionCount messageCount promptTokens completionTokens costUsd maxDepth errorCount } } }
"""
FILTERED = """
query ($sessions: SessionFilter, $messages: MessageFilter) {
  sessions(filter: $sessions) { totalCount nodes { messages(filter: $messages) { totalCount nodes { id } } } }
}
"""


def documents() -> Iterator[Question]:
    """Give documents that ask for the same; each is compiled for itself."""
    for number in count():
        yield f"query Asked{number:06} {{ {ASKED} }}".ljust(SIZE), {}


def filters() -> Iterator[Question]:
    """Give one document, and one filter put together otherwise each time: each is another statement."""
    for number in count():
        filter_: dict[str, Any] = {"id": {"isNull": False}}
        for place in range(9):
            filter_ = {"not": filter_} if number >> place & 1 else {"and": [filter_]}
        yield FILTERED, {"sessions": filter_, "messages": filter_}


QUESTIONS = {"documents": documents, "filters": filters}


def resident() -> int:
    """Give how many bytes this process holds."""
    gc.collect()
    return int(RESIDENT.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


async def flood(url: str, project_id: UUID, kind: str, times: int) -> list[int]:
    """Ask twice so many questions and give how many bytes the process held, before, between and after."""
    database = Database(url)
    executor = Executor(schema, compiler=Compiler(schema, SqlCache(KEPT_CHARACTERS)))
    principal = Principal(project_id, uuid4(), frozenset(ApiKeyScope))
    questions = QUESTIONS[kind]()
    sizes = []
    for several in (10, times, times):
        for _ in range(several):
            document, variables = next(questions)
            context = Context(database, principal)
            result = await executor.execute(executor.operation(document, None), variables, context)
            await context.close()
            if result.errors:
                raise result.errors[0]
        sizes.append(resident())
    await database.close()
    return sizes


if __name__ == "__main__":
    _, url, project, kind, times = sys.argv
    print(json.dumps(asyncio.run(flood(url, UUID(project), kind, int(times)))))  # noqa: T201  # what it is for
