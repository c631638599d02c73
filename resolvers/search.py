"""Search: by the words of texts, by the meaning of their vectors, and by both together."""

from __future__ import annotations

from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any
from uuid import UUID

import strawberry
from sqlalchemy import (
    ARRAY,
    Float,
    Select,
    Text,
    Uuid,
    and_,
    any_,
    bindparam,
    case,
    cast,
    func,
    literal_column,
    null,
    select,
    tuple_,
)
from sqlalchemy.orm import Mapped, aliased, mapped_column

from agentdata.checks import check_count, check_range, check_text
from agentdata.engine.binding.inputs import as_uuid
from agentdata.engine.fields import Bindings, ComputedRow, Cost, argument, computation
from agentdata.engine.sql.tenancy import owned
from agentdata.errors import BadUserInputError, EmbeddingsUnavailableError
from agentdata.vectors import Vector
from models import (
    KnowledgeBase,
    KnowledgeChunk,
    KnowledgeEmbedding,
    KnowledgeVersion,
    Memory,
    MemoryEmbedding,
    Message,
    MessageEmbedding,
)
from resolvers.meaning import (
    MIN_SCORE,
    VECTOR,
    VECTOR_MODEL,
    Meaning,
    Vectors,
    has_all,
    nearest,
)
from resolvers.sizes import OF_BASES, OF_MEMORIES, OF_MESSAGES, Sizes, check_size
from resolvers.words import (
    FENCE,
    QUERY,
    QUERY_TEXT,
    Searched,
    all_ranked,
    exact_query,
    joined,
    ranked,
)
from schema.inputs.knowledge_chunk import KnowledgeChunkFilter
from schema.inputs.match import SearchMode
from schema.inputs.memory import MemoryFilter
from schema.inputs.message import MessageFilter

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from agentdata.context import Context
    from agentdata.engine.preparations import Prepare
    from agentdata.engine.sql.filters import Term

MAX_QUERY = 1_000
"""The maximum number of characters of a query."""

MAX_BASES = 1_000
"""How many knowledge bases a search may name."""

_DAMPING = 60
"""Of reciprocal rank fusion: how little the first places of a list count beside the next ones."""

_BEGINNING = 300
"""How many characters of a text its excerpt has at most, if no words of it were searched for."""

_ESCAPES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;"}
_BASES, _VERSION = "bases", "version"
_BASE_IDS: Any = bindparam(_BASES, type_=ARRAY(Uuid))


class _Match:
    """A row that matches a query, or whose vector is near to the given one."""

    id: Mapped[UUID] = mapped_column(primary_key=True)
    created_at: Mapped[datetime]
    score: Mapped[float]
    similarity: Mapped[float | None]
    rank: Mapped[float | None]
    excerpt: Mapped[str]


class MessageMatch(_Match, ComputedRow):
    """A message that a search found."""

    __tablename__ = "message_matches"


class MemoryMatch(_Match, ComputedRow):
    """A memory that a search found."""

    __tablename__ = "memory_matches"


class KnowledgeMatch(_Match, ComputedRow):
    """A chunk of a document that a search found."""

    __tablename__ = "knowledge_matches"


def _any_row(_row: Any) -> list[Any]:
    return []


_MODEL_NAME = bindparam(VECTOR_MODEL, type_=Text)
"""As a text: a longer one would be cut to the length of the column, and could equal another."""


def _own_vectors(model: Any, key: str) -> Callable[[Meaning], Vectors]:
    """Return the vectors of rows that each have their own models."""

    def vectors(meaning: Meaning) -> Vectors:
        def of_model(vector: Any) -> list[Any]:
            return [vector.model == _MODEL_NAME] if meaning.with_model else []

        return Vectors(model, key, of_model, _any_row, are_single=meaning.with_model)

    return vectors


def _chunk_vectors(meaning: Meaning, *, bases: bool) -> Vectors:
    """Return the vectors of chunks by the complete models of their bases."""

    def complete(*columns: Any) -> Select[Any]:
        found = select(*columns).where(
            owned(KnowledgeBase), KnowledgeBase.dimensions == literal_column(str(meaning.dimensions))
        )
        if meaning.with_model:
            found = found.where(KnowledgeBase.embedding_model == _MODEL_NAME)
        return found.where(KnowledgeBase.id == any_(_BASE_IDS)) if bases else found

    def of_complete_model(vector: Any) -> list[Any]:
        found = complete(KnowledgeBase.id, KnowledgeBase.embedding_model)
        # "IS TRUE" keeps PostgreSQL from joining the bases, which would cost the order of the index.
        return [tuple_(vector.knowledge_base_id, vector.model).in_(found).is_(True)]

    def of_complete_base(chunk: Any) -> list[Any]:
        return [chunk.knowledge_base_id == any_(func.array(complete(KnowledgeBase.id).scalar_subquery()))]

    def number() -> Select[Any]:
        of_bases = KnowledgeVersion.knowledge_base_id.in_(complete(KnowledgeBase.id))
        total = func.coalesce(func.sum(KnowledgeVersion.chunk_count), literal_column("0"))
        return select(total).where(owned(KnowledgeVersion), of_bases)

    return Vectors(
        KnowledgeEmbedding, "chunk_id", of_complete_model, of_complete_base, are_single=True, number=number
    )


def _messages() -> Searched:
    vectors = _own_vectors(MessageEmbedding, "message_id")
    return Searched(Message, lambda row: [row.content], vectors, _any_row, _any_row)


def _memories() -> Searched:
    vectors = _own_vectors(MemoryEmbedding, "memory_id")
    return Searched(Memory, lambda row: [row.name, row.description, row.content], vectors, _any_row, _any_row)


def _chunks(*, bases: bool = False, version: bool = False) -> Searched:
    """Return the chunks of the bases and of the version that a search names, or of all."""

    def of_bases(chunk: Any) -> list[Any]:
        return [chunk.knowledge_base_id == any_(_BASE_IDS)] if bases else []

    def of_version(chunk: Any) -> list[Any]:
        # As a text: a longer one would be cut to the length of the column, and could equal another.
        return [chunk.version == bindparam(_VERSION, type_=Text)] if version else []

    vectors = partial(_chunk_vectors, bases=bases)
    return Searched(KnowledgeChunk, lambda row: [row.content], vectors, of_bases, of_version)


def _matches(
    rows: Callable[..., Searched],
    *,
    filter: Term | None = None,
    meaning: Meaning | None = None,
    words: bool = True,
    first: Any = None,
    **which: bool,
) -> Select[Any]:
    """Select the rows that have the words of a query, that are nearest to a vector, or both.

    If ``first`` is given, no more of the first ones are needed.
    """
    searched = rows(**which)
    if meaning is None:
        return _by_words(searched, filter)
    # The places of a row in both lists make its score, so one that stands low in each may be among the first.
    read = None if words else first
    vectors = searched.vectors(meaning)
    near = nearest(searched.model, vectors, meaning, filter, searched.conditions, first=read).subquery()
    if not words:
        return _with_excerpts(
            searched, select(near.c.id, near.c.similarity, near.c.similarity.label("score"))
        )
    return _with_excerpts(searched, _fused(ranked(searched, filter), near), words=True)


def _by_words(searched: Searched, term: Term | None) -> Select[Any]:
    """Select the rows that have the words of a query."""
    found = ranked(searched, term)
    return select(
        found.c.id,
        found.c.created_at,
        found.c.rank.label("score"),
        cast(null(), Float).label("similarity"),
        found.c.rank,
        _marked(found.c.text).label("excerpt"),
    )


def _fused(ranked: Any, near: Any) -> Select[Any]:
    """Select the rows of both lists; the score adds the reciprocals of a row's places in them."""

    def places(list_: Any, by: str) -> Any:
        place = func.row_number().over(order_by=(list_.c[by].desc(), list_.c.id.desc()))
        reciprocal = cast(literal_column("1"), Float) / (place + literal_column(str(_DAMPING)))
        return select(list_.c.id, list_.c[by], reciprocal.label("part")).subquery()

    worded, meant = places(ranked, "rank"), places(near, "similarity")
    nothing: Any = literal_column("0")
    score = func.coalesce(worded.c.part, nothing) + func.coalesce(meant.c.part, nothing)
    return select(
        func.coalesce(worded.c.id, meant.c.id).label("id"),
        worded.c.rank,
        meant.c.similarity,
        score.label("score"),
    ).select_from(worded.join(meant, worded.c.id == meant.c.id, full=True))


def _with_excerpts(searched: Searched, found: Select[Any], *, words: bool = False) -> Select[Any]:
    """Select found rows with their excerpts: passages with the words, or the beginning."""
    matches, row = found.offset(FENCE).subquery(), aliased(searched.model)
    text = joined(searched.texts(row))
    rank: Any = cast(null(), Float).label("rank")
    excerpt = _beginning(text)
    if words:
        rank, excerpt = matches.c.rank, case((matches.c.rank.is_not(None), _marked(text)), else_=excerpt)
    return (
        select(row.id, row.created_at, matches.c.score, matches.c.similarity, rank, excerpt.label("excerpt"))
        .join(matches, row.id == matches.c.id)
        .where(owned(row))
    )


def _marked(text: Any) -> Any:
    """Return the passages of a text that have the words, as HTML."""
    return func.search_excerpt(text, exact_query(), _query_words(), type_=Text)


def _query_words() -> Any:
    return select(func.tsvector_to_array(func.search_document(QUERY_TEXT))).scalar_subquery()


def _beginning(text: Any) -> Any:
    """Return the beginning of a text, up to the end of a word, as HTML."""
    # A message may have no content.
    whole = func.coalesce(text, "")
    cut = func.regexp_replace(func.left(whole, literal_column(str(_BEGINNING))), r"\s+\S*$", "")
    beginning: Any = case((func.length(whole) <= literal_column(str(_BEGINNING)), whole), else_=cut)
    for character, escaped in _ESCAPES.items():
        beginning = func.replace(beginning, character, escaped, type_=Text)
    return beginning


def _complete(
    rows: Callable[..., Searched],
    *,
    filter: Term | None = None,
    meaning: Meaning | None = None,
    words: bool = True,
    **which: bool,
) -> Select[Any]:
    """Select whether every row with the words was ranked, and every row with a vector compared and listed."""
    searched, parts = rows(**which), []
    if words:
        parts.append(all_ranked(searched, filter))
    if meaning is not None:
        parts.append(has_all(searched.model, searched.vectors(meaning), meaning, filter, searched.conditions))
    return select(and_(*parts))


def _bind(arguments: Mapping[str, Any]) -> Bindings:
    """Bind the query, the vector and the mode of a search.

    Raises:
        BadUserInputError: One of them is wrong, or missing in this mode.

    """
    query, vector, mode = _mode(arguments)
    shape: list[tuple[str, Any]] = [("words", mode is not SearchMode.MEANING)]
    values: dict[str, Any] = {}
    if mode is not SearchMode.MEANING:
        check_text(QUERY, query, MAX_QUERY)
        values[QUERY] = query
    model, least = arguments.get("embedding_model"), arguments.get(MIN_SCORE)
    for name, given in (("embeddingModel", model), ("minScore", least)):
        if given is not None and vector is None:
            raise BadUserInputError(f"{name} is about an embedding; give one, or omit it", field=name)
    if model is not None:
        check_text("embeddingModel", model)
        values[VECTOR_MODEL] = model
    if least is not None:
        check_range("minScore", least, -1, 1)
        values[MIN_SCORE] = least
    if mode is SearchMode.WORDS or vector is None:
        return Bindings(tuple(shape), {QUERY: query})
    values[VECTOR] = vector
    shape.append(("meaning", Meaning(vector.dimensions, model is not None, least is not None)))
    return Bindings(tuple(shape), values)


def _mode(arguments: Mapping[str, Any]) -> tuple[str, Vector | None, SearchMode]:
    """Return the query, the vector and the mode of a search; without a mode, the others decide."""
    query: str | None = arguments.get(QUERY)
    vector: Vector | None = arguments.get("embedding")
    mode: SearchMode | None = arguments.get("mode")
    if mode is None:
        has_both = query is not None and vector is not None
        mode = SearchMode.HYBRID if has_both else SearchMode.WORDS if vector is None else SearchMode.MEANING
    if query is None and mode is not SearchMode.MEANING:
        raise BadUserInputError("give a query, an embedding, or both", field=QUERY)
    if vector is None and mode is not SearchMode.WORDS:
        raise BadUserInputError(f"the mode {mode.name} needs an embedding", field="embedding")
    return query or "", vector, mode


def _mode_name(*, words: bool = True, meaning: Meaning | None = None, **_: Any) -> str:
    """Return the mode of a search, by the shape of its arguments."""
    mode = SearchMode.WORDS if meaning is None else SearchMode.HYBRID if words else SearchMode.MEANING
    return mode.name


def _preparing(
    in_use: str | None,
    sizes: Sizes,
    others: Callable[[Mapping[str, Any]], tuple[list[UUID] | None, ...]] = lambda _: (),
) -> Prepare:
    """Return what gives a search for a text its vector, if this server makes vectors.

    Without a mode, it does so if the statement ``in_use`` finds vectors to compare with. A vector that the
    client gives must have one of the ``sizes``, whose further parameters are the ``others``.
    """

    async def prepare(arguments: Mapping[str, Any], context: Context) -> Mapping[str, Any]:
        query, mode = arguments.get(QUERY), arguments.get("mode")
        own = context.embedding_model
        vector, model = arguments.get("embedding"), arguments.get("embedding_model")
        if vector is not None and mode is not SearchMode.WORDS:
            if model is not None:
                check_text("embeddingModel", model)
            await check_size(context, sizes, vector, model, *others(arguments))
        if own is None or query is None or vector is not None:
            return arguments
        if mode is SearchMode.WORDS or model not in {None, own}:
            return arguments
        check_text(QUERY, query, MAX_QUERY)
        is_open = mode is None and arguments.get(MIN_SCORE) is None
        if is_open and (in_use is None or not await context.finds_vectors(in_use)):
            return arguments
        try:
            vector = await context.vector_of(query)
        except (BadUserInputError, EmbeddingsUnavailableError):
            if mode is SearchMode.MEANING:
                raise
            return {**arguments, "mode": SearchMode.WORDS, MIN_SCORE: None, "embedding_model": None}
        return {**arguments, "embedding": vector, "embedding_model": own}

    return prepare


_BASES_IN_USE = """
SELECT to_regtype('halfvec') IS NOT NULL AND EXISTS (
  SELECT FROM knowledge_bases WHERE project_id = $1 AND embedding_model = $2 AND dimensions IS NOT NULL
) AS found"""

_MEMORIES_IN_USE = """
SELECT to_regtype('halfvec') IS NOT NULL AND EXISTS (
  SELECT FROM (
    SELECT model FROM memory_embeddings WHERE project_id = $1 ORDER BY memory_id DESC LIMIT 1000
  ) AS own WHERE model = $2
) AS found"""
"""No index is by model, so this looks at the vectors of the newest memories."""


def _base_ids(arguments: Mapping[str, Any]) -> list[UUID] | None:
    """Return the ids of the bases that a search names, or None if it searches all.

    Raises:
        BadUserInputError: There are none or too many, or one is no id.

    """
    ids: list[str] | None = arguments.get("knowledge_base_ids")
    if ids is None:
        return None
    check_count("knowledgeBaseIds", ids, MAX_BASES)
    return [as_uuid(id_, "knowledgeBaseIds") for id_ in ids]


def _bind_knowledge(arguments: Mapping[str, Any]) -> Bindings:
    bound = _bind(arguments)
    shape: list[tuple[str, Any]] = []
    values: dict[str, Any] = {}
    if (ids := _base_ids(arguments)) is not None:
        shape.append((_BASES, True))
        values[_BASES] = ids
    if (version := arguments.get(_VERSION)) is not None:
        check_text(_VERSION, version)
        shape.append((_VERSION, True))
        values[_VERSION] = version
    return Bindings((*bound.shape, *shape), bound.values | values)


_SEARCH = (
    argument(
        QUERY,
        str,
        (
            f"The words to search for, in at most {MAX_QUERY:,} characters. All words must occur, in any"
            " order."
            ' `"two words"` in quotation marks must stand next to each other, `or` between words requires'
            " only one of them, and `-word` must not occur. No other character has a meaning, and no text is"
            " an error; a text without words finds nothing. Required unless there is an `embedding`."
        ),
    ),
    argument(
        "embedding",
        Vector,
        "The vector to compare with. Only vectors of the same size are compared; if there are vectors to"
        " search, but none of this size, it is refused. If it is missing, a server"
        " with an embeddings endpoint makes it of the `query`.",
    ),
    argument(
        "mode",
        SearchMode,
        "How to search; by default by all of `query` and `embedding` that is given, and by HYBRID, too, if"
        " this server makes the vector and there are others to compare it with. In the mode MEANING, a search"
        " without an `embedding` fails with EMBEDDINGS_UNAVAILABLE if the endpoint does not answer; in the"
        " mode HYBRID it then goes by words, and its connection says so by its `mode`.",
    ),
    argument(
        MIN_SCORE,
        float,
        "The least `similarity` of what is found by meaning, from -1 to 1; any by default. What has the words"
        " of the query is found whatever its similarity.",
    ),
)

_EMBEDDING_MODEL = argument(
    "embedding_model",
    str,
    "The model that made the `embedding`: only its vectors are compared. Give it if several models with"
    " vectors of this size are in use; by default vectors of any model are compared.",
)
_BASE_MODEL = argument(
    "embedding_model",
    str,
    "The model that made the `embedding`: only bases with this `embeddingModel` are searched by meaning. Give"
    " it if bases use several models with vectors of this size; all such bases by default.",
)

COST = Cost(rows=50_000, points=400, scan_points=200)
"""Ranking reads thousands of texts to find the best, and counting finds all of them."""

FOUND_MESSAGES = computation(
    partial(_matches, _messages),
    *_SEARCH,
    _EMBEDDING_MODEL,
    argument("filter", MessageFilter, "Which messages to search; all by default.", filters=Message),
    bind=_bind,
    is_complete=partial(_complete, _messages),
    mode=_mode_name,
    takes_first=True,
    # Nobody makes vectors of messages but clients, so a search for words asks for none by default.
    prepare=_preparing(None, OF_MESSAGES),
)
FOUND_MEMORIES = computation(
    partial(_matches, _memories),
    *_SEARCH,
    _EMBEDDING_MODEL,
    argument("filter", MemoryFilter, "Which memories to search; all by default.", filters=Memory),
    bind=_bind,
    is_complete=partial(_complete, _memories),
    mode=_mode_name,
    takes_first=True,
    prepare=_preparing(_MEMORIES_IN_USE, OF_MEMORIES),
)
FOUND_KNOWLEDGE = computation(
    partial(_matches, _chunks),
    *_SEARCH,
    _BASE_MODEL,
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
    is_complete=partial(_complete, _chunks),
    mode=_mode_name,
    takes_first=True,
    prepare=_preparing(_BASES_IN_USE, OF_BASES, lambda asked: (_base_ids(asked),)),
)
