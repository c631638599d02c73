"""Twenty questions about the project's own documentation, and the page that answers each."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

from agentdata.knowledge.sync import Options, sync

if TYPE_CHECKING:
    from tests.api import Api

DOCS = Path(__file__).parents[2] / "docs"

QUESTIONS: list[tuple[str, str]] = [
    (each["question"], each["page"])
    for each in json.loads((Path(__file__).parent / "questions.json").read_text())
]

SEARCH = """query($query: String!, $bases: [ID!]) {
  searchKnowledge(query: $query, knowledgeBaseIds: $bases, first: 50) {
    nodes { chunk { document { externalId } } }
  }
}"""

_FUNCTION_WORDS = re.compile(
    r"\b(an?|and|are|as|at|be|by|can|do|does|for|from|has|have|how|i|if|in|is|its?|of|on|or|over|that|the|to|was"
    r"|what|when|which|who|why|with|without)\b"
)


async def sync_docs(api: Api, options: Options | None = None) -> str:
    """Sync the pages of this version into a knowledge base, and return its id."""
    options = options or Options(include=("/*.md",))
    await sync(api.database, api.project_id, DOCS, "handbook", options=options)
    found = await api.ask('{ knowledgeBases(filter: {name: {eq: "handbook"}}) { nodes { id } } }')
    return found["knowledgeBases"]["nodes"][0]["id"]  # type: ignore[no-any-return]  # JSON


def any_word(question: str) -> str:
    """Return a query for any of the words of a question that have a meaning of their own."""
    words = re.findall(r"\w+", _FUNCTION_WORDS.sub("", question.lower()))
    return " or ".join(dict.fromkeys(words))


async def first_pages(api: Api, base: str, query: str, number: int = 3) -> list[str]:
    """Return the pages with the best matches of a query, the best first."""
    found = await api.ask(SEARCH, query=query, bases=[base])
    pages = [node["chunk"]["document"]["externalId"] for node in found["searchKnowledge"]["nodes"]]
    return list(dict.fromkeys(pages))[:number]
