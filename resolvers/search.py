"""Full-text search: matches, their ranks, and their excerpts.

The database parses texts and queries: the migrations 0012 and 0015 create and describe `search_document` and
the other functions that begin with `search_`.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

import strawberry
from sqlalchemy import ARRAY, Float, Select, Text, Uuid, any_, bindparam, cast, func, literal_column, select
from sqlalchemy.dialects.postgresql import array
from sqlalchemy.orm import Mapped, aliased, mapped_column

from agentdata.checks import check_count, check_text
from agentdata.engine.binding.inputs import as_uuid
from agentdata.engine.fields import Bindings, ComputedRow, Cost, argument, computation
from agentdata.engine.sql.filters import Term, condition
from agentdata.engine.sql.tenancy import TENANT, owned
from models import KnowledgeChunk, Memory, Message
from schema.inputs.knowledge_chunk import KnowledgeChunkFilter
from schema.inputs.memory import MemoryFilter
from schema.inputs.message import MessageFilter

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Conditions = Callable[[Any], list[Any]]
    """Returns further conditions on a row."""

MAX_RANKED = 2_000
"""The maximum number of rows that are read and ranked: the newest of those that have the words.

Each costs about 100 ns per character of its text: 40 µs for a short one, 6 ms for 50,000 characters.
"""

MAX_QUERY = 1_000
"""The maximum number of characters of a query."""

_QUERY = "query"
_QUERY_TEXT = bindparam(_QUERY, type_=Text)
_FENCE: Any = literal_column("0")
"""OFFSET 0, which keeps PostgreSQL from merging a subquery into the statement around it."""

_RANK_FLAGS = 1 | 32
"""Flags of the rank: 1 divides it by the logarithm of the text's length, 32 makes it less than 1."""


MAX_BASES = 1_000
"""How many knowledge bases a search may name."""

_BASES, _VERSION = "bases", "version"


def _any_row(_row: Any) -> list[Any]:
    return []


class MessageMatch(ComputedRow):
    """A message that matches a query."""

    __tablename__ = "message_matches"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    created_at: Mapped[datetime]
    rank: Mapped[float]
    excerpt: Mapped[str]


class MemoryMatch(ComputedRow):
    """A memory that matches a query."""

    __tablename__ = "memory_matches"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    created_at: Mapped[datetime]
    rank: Mapped[float]
    excerpt: Mapped[str]


class KnowledgeMatch(ComputedRow):
    """A chunk of a document that matches a query."""

    __tablename__ = "knowledge_matches"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    created_at: Mapped[datetime]
    rank: Mapped[float]
    excerpt: Mapped[str]


def _message_texts(row: Any) -> list[Any]:
    return [row.content]


def _memory_texts(row: Any) -> list[Any]:
    return [row.name, row.description, row.content]


def _messages(filter: Term | None = None) -> Select[Any]:
    return _matches(Message, _message_texts, filter)


def _memories(filter: Term | None = None) -> Select[Any]:
    return _matches(Memory, _memory_texts, filter)


def _all_messages(filter: Term | None = None) -> Select[Any]:
    return _complete(Message, _message_texts, filter)


def _all_memories(filter: Term | None = None) -> Select[Any]:
    return _complete(Memory, _memory_texts, filter)


def _chunk_texts(row: Any) -> list[Any]:
    return [row.content]


def _knowledge(filter: Term | None = None, *, bases: bool = False, version: bool = False) -> Select[Any]:
    return _matches(KnowledgeChunk, _chunk_texts, filter, _among(bases=bases, version=version))


def _all_knowledge(filter: Term | None = None, *, bases: bool = False, version: bool = False) -> Select[Any]:
    return _complete(KnowledgeChunk, _chunk_texts, filter, _among(bases=bases, version=version))


def _among(*, bases: bool, version: bool) -> Conditions:
    """Return the conditions on a chunk by the bases and the version of a search, if it names any."""

    def conditions(chunk: Any) -> list[Any]:
        found = []
        if bases:
            found.append(chunk.knowledge_base_id == any_(bindparam(_BASES, type_=ARRAY(Uuid))))
        if version:
            # As a text: a longer one would be cut to the length of the column, and could equal another.
            found.append(chunk.version == bindparam(_VERSION, type_=Text))
        return found

    return conditions


def _matches(model: Any, texts: Any, term: Term | None, conditions: Conditions = _any_row) -> Select[Any]:
    """Select the rows that match a query.

    An index finds the rows that have the words, but not the positions of the words: for those, the text of a
    row has to be read, which is the expensive part. So only the newest rows with the words are ranked, and
    only they are checked against the whole query. OFFSET 0 separates the steps: otherwise PostgreSQL might
    read texts more than once, or go through the rows from the newest on and read all of them. The excerpt is
    outermost, so that it is only made for the rows of a page.
    """
    # Scalar subqueries run once; a cached generic plan would parse the query again for every row.
    exact = select(func.search_query(_QUERY_TEXT)).scalar_subquery()
    words = select(func.tsvector_to_array(func.search_document(_QUERY_TEXT))).scalar_subquery()
    ranked = aliased(model)
    has_words = _with_words(model, texts, term, conditions)
    newest = (
        select(has_words.c.id)
        .order_by(has_words.c.created_at.desc(), has_words.c.id.desc())
        .limit(literal_column(str(MAX_RANKED)))
        .subquery()
    )
    columns = texts(ranked)
    documents = (
        select(
            ranked.id,
            ranked.created_at,
            func.search_document(*columns).label("document"),
            # concat_ws skips texts that are null.
            (columns[0] if len(columns) == 1 else func.concat_ws(" · ", *columns)).label("text"),
        )
        .join(newest, ranked.id == newest.c.id)
        .where(owned(ranked))
        .offset(_FENCE)
        .subquery()
    )
    found = (
        select(
            documents.c.id,
            documents.c.created_at,
            cast(func.ts_rank_cd(documents.c.document, exact, literal_column(str(_RANK_FLAGS))), Float).label(
                "rank"
            ),
            documents.c.text,
        )
        .where(documents.c.document.op("@@")(exact))
        .offset(_FENCE)
        .subquery()
    )
    excerpt = func.search_excerpt(found.c.text, exact, words, type_=Text).label("excerpt")
    return select(found.c.id, found.c.created_at, found.c.rank, excerpt)


def _with_words(model: Any, texts: Any, term: Term | None, conditions: Conditions) -> Any:
    """Select the rows that have the words anywhere, by an index alone."""
    row = aliased(model)
    # A subquery hides the words from the planner: for words that most texts have, it would scan all texts of
    # the table, and it underestimates by far how long that takes.
    loose_query = select(func.search_loosely(_QUERY_TEXT)).scalar_subquery()
    return (
        select(row.id, row.created_at)
        .where(
            owned(row),
            array([row.project_id]).contains(array([bindparam(TENANT, type_=Uuid)])),
            func.search_document(*texts(row)).op("@@")(loose_query),
            *conditions(row),
            *([] if term is None else [condition(row, term)]),
        )
        .offset(_FENCE)
        .subquery()
    )


def _complete(model: Any, texts: Any, term: Term | None, conditions: Conditions = _any_row) -> Select[Any]:
    """Select whether every row with the words was ranked.

    All of them are counted: a LIMIT would make PostgreSQL read texts one by one instead of using the index.
    """
    return select(func.count() <= MAX_RANKED).select_from(_with_words(model, texts, term, conditions))


def _bind_query(arguments: Mapping[str, Any]) -> Bindings:
    query = arguments[_QUERY]
    check_text(_QUERY, query, MAX_QUERY)
    return Bindings((), {_QUERY: query})


def _bind_knowledge(arguments: Mapping[str, Any]) -> Bindings:
    bound = _bind_query(arguments)
    shape: list[tuple[str, Any]] = []
    values: dict[str, Any] = {}
    if (ids := arguments.get("knowledge_base_ids")) is not None:
        check_count("knowledgeBaseIds", ids, MAX_BASES)
        shape.append((_BASES, True))
        values[_BASES] = [as_uuid(id_, "knowledgeBaseIds") for id_ in ids]
    if (version := arguments.get(_VERSION)) is not None:
        check_text(_VERSION, version)
        shape.append((_VERSION, True))
        values[_VERSION] = version
    return Bindings((*bound.shape, *shape), bound.values | values)


_WORDS = argument(
    _QUERY,
    str,
    (
        f"The words to search for, in at most {MAX_QUERY:,} characters. All words must occur, in any order."
        ' `"two words"` in quotation marks must stand next to each other, `or` between words requires only'
        " one of them, and `-word` must not occur. No other character has a meaning, and no text is an error;"
        " a text without words finds nothing."
    ),
    required=True,
)

COST = Cost(rows=50_000, points=400, scan_points=200)
"""Ranking reads thousands of texts to find the best, and counting finds all of them."""

FOUND_MESSAGES = computation(
    _messages,
    _WORDS,
    argument("filter", MessageFilter, "Which messages to search; all by default.", filters=Message),
    bind=_bind_query,
    is_complete=_all_messages,
)
FOUND_MEMORIES = computation(
    _memories,
    _WORDS,
    argument("filter", MemoryFilter, "Which memories to search; all by default.", filters=Memory),
    bind=_bind_query,
    is_complete=_all_memories,
)
FOUND_KNOWLEDGE = computation(
    _knowledge,
    _WORDS,
    argument(
        "knowledge_base_ids",
        list[strawberry.ID],
        f"The ids of the knowledge bases to search, from 1 to {MAX_BASES:,}; all by default.",
    ),
    argument("version", str, "The version of the knowledge bases to search; all by default."),
    argument(
        "filter", KnowledgeChunkFilter, "Which chunks to search; all by default.", filters=KnowledgeChunk
    ),
    bind=_bind_knowledge,
    is_complete=_all_knowledge,
)
