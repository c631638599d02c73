"""Flood the engine with documents or filters that never repeat, and print how much the process grows.

`python -m tests.engine.flood URL PROJECT documents|filters TIMES` prints the resident bytes before, after
TIMES requests, and after TIMES more. It runs in a new process, because free memory of a used one would hide
the growth, and does not trace allocations, because that takes four times as long.
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

from agentdata.context import Context
from agentdata.database import Database
from agentdata.engine.plans.compiler import Compiler
from agentdata.engine.plans.statements import SqlCache
from agentdata.engine.requests.executor import Executor
from agentdata.principal import Principal
from models.enums import ApiKeyScope
from schema.root import schema

if TYPE_CHECKING:
    from collections.abc import Iterator

    Request = tuple[str, dict[str, Any]]
    """A document and its variables."""

RESIDENT = Path("/proc/self/statm")
"""The file in which Linux reports the resident pages of this process."""

CACHE_CHARACTERS = 200_000
"""The size of the SQL cache: a tenth of a server's, so that fewer requests fill it."""

DOCUMENT_CHARACTERS = 2_000
"""The length of each document."""

SELECTION = """
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
FILTERED_QUERY = """
query ($sessions: SessionFilter, $messages: MessageFilter) {
  sessions(filter: $sessions) { totalCount nodes { messages(filter: $messages) { totalCount nodes { id } } } }
}
"""


def documents() -> Iterator[Request]:
    """Yield documents with the same selection and different names, so that each is compiled anew."""
    for number in count():
        yield f"query Flood{number:06} {{ {SELECTION} }}".ljust(DOCUMENT_CHARACTERS), {}


def filters() -> Iterator[Request]:
    """Yield one document with filters of different forms, so that each needs a new statement."""
    for number in count():
        filter_: dict[str, Any] = {"id": {"isNull": False}}
        for bit in range(9):
            filter_ = {"not": filter_} if number >> bit & 1 else {"and": [filter_]}
        yield FILTERED_QUERY, {"sessions": filter_, "messages": filter_}


REQUESTS = {"documents": documents, "filters": filters}


def resident() -> int:
    """Return the resident bytes of this process."""
    gc.collect()
    return int(RESIDENT.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


async def flood(url: str, project_id: UUID, kind: str, times: int) -> list[int]:
    """Run `times` requests twice; return the resident bytes before, between and after."""
    database = Database(url)
    executor = Executor(schema, compiler=Compiler(schema, SqlCache(CACHE_CHARACTERS)))
    principal = Principal(project_id, uuid4(), frozenset(ApiKeyScope))
    requests = REQUESTS[kind]()
    sizes = []
    for number in (10, times, times):
        for _ in range(number):
            document, variables = next(requests)
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
    print(json.dumps(asyncio.run(flood(url, UUID(project), kind, int(times)))))  # noqa: T201  # the output of this program
