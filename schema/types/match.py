"""The results of searches."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import strawberry

from agentdata.engine.fields import column, relation
from models import KnowledgeChunk as KnowledgeChunkRow
from models import Memory as MemoryRow
from models import Message as MessageRow
from resolvers import search
from schema.declarations import object_type

if TYPE_CHECKING:
    from schema.types.knowledge_chunk import KnowledgeChunk
    from schema.types.memory import Memory
    from schema.types.message import Message

_SCORE = (
    "How well it matches, by which matches are ordered. In the mode WORDS the `rank`, and in the mode MEANING"
    " the `similarity`. In the mode HYBRID the sum of 1 / (60 + place) over the lists by words and by meaning"
    " in which it stands, at most 2 / 61."
)
_SIMILARITY = (
    "The cosine similarity of its vector to the embedding, from -1 to 1; null if it was not found by meaning."
    " If an index chose the nearest, vectors were compared in half precision, true to 0.001."
)
_RANK = (
    "How well the words match, from 0 to 1; null if it was not found by words. It grows with the occurrences"
    " of the words and with their closeness, and shrinks with the length of the text. Compare it only among"
    " matches of the same query."
)
_EXCERPT = (
    "The passages of {} that have the words, as HTML. Each word found is in a `<mark>` element, and all other"
    " text is escaped, so that it is safe to show in a page. At most two passages of about 24 words, with"
    " ` … ` between them. If it was found by meaning alone, the beginning: at most 300 characters."
)


@object_type(model=search.MessageMatch)
class MessageMatch:
    """A message that a search found."""

    message: Annotated["Message", strawberry.lazy("schema.types.message")] = relation(
        MessageRow, "The message.", local="id"
    )
    score: float = column(_SCORE)
    similarity: float | None = column(_SIMILARITY)
    rank: float | None = column(_RANK)
    excerpt: str = column(_EXCERPT.format("the content"))


@object_type(model=search.MemoryMatch)
class MemoryMatch:
    """A memory that a search found."""

    memory: Annotated["Memory", strawberry.lazy("schema.types.memory")] = relation(
        MemoryRow, "The memory.", local="id"
    )
    score: float = column(_SCORE)
    similarity: float | None = column(_SIMILARITY)
    rank: float | None = column(
        _RANK + " A word in the name weighs most, then one in the description, then one in the content."
    )
    excerpt: str = column(_EXCERPT.format("the name, description and content, with ` · ` between these,"))


@object_type(model=search.KnowledgeMatch)
class KnowledgeMatch:
    """A chunk of a document that a search found."""

    chunk: Annotated["KnowledgeChunk", strawberry.lazy("schema.types.knowledge_chunk")] = relation(
        KnowledgeChunkRow, "The chunk, which leads to its document.", local="id"
    )
    score: float = column(_SCORE)
    similarity: float | None = column(_SIMILARITY)
    rank: float | None = column(_RANK)
    excerpt: str = column(_EXCERPT.format("the content"))
