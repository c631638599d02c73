"""Search by text: what is found, how well it matches, and an excerpt of where.

The database reads texts and queries: the migrations 0012 and 0015 make `search_document` and the other
functions of that name, and say what they do.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from sqlalchemy import Float, Select, Text, Uuid, bindparam, cast, func, literal_column, select
from sqlalchemy.dialects.postgresql import array
from sqlalchemy.orm import Mapped, aliased, mapped_column

from agentdata.checks import check_text
from agentdata.engine.fields import Bindings, ComputedRow, Cost, argument, computation
from agentdata.engine.sql.filters import Term, condition
from agentdata.engine.sql.tenancy import TENANT, owned
from models import Memory, Message
from schema.inputs.memory import MemoryFilter
from schema.inputs.message import MessageFilter

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_RANKED = 2_000
"""How many rows that have the words are read and ranked, the newest ones.

Each costs some 100 ns a character of its text: 40 µs where that is short, 6 ms where it is 50,000 characters.
"""

MAX_QUERY = 1_000
"""How many characters a query has at most."""

_QUERY = "query"
_ASKED = bindparam(_QUERY, type_=Text)
_APART: Any = literal_column("0")
_BY_LENGTH = 1 | 32
"""How PostgreSQL is to rank: 1 divides by the logarithm of the text's length, 32 makes it less than 1."""


class MessageMatch(ComputedRow):
    """A message that was found, by its id."""

    __tablename__ = "message_matches"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    created_at: Mapped[datetime]
    rank: Mapped[float]
    excerpt: Mapped[str]


class MemoryMatch(ComputedRow):
    """A memory that was found, by its id."""

    __tablename__ = "memory_matches"

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


def _matches(model: Any, texts: Any, term: Term | None) -> Select[Any]:
    """Give what a query finds.

    An index tells which rows have the words, but not where they stand, nor how often: for that a row's text
    is read, which is what costs. So of rows with the words the newest are taken, and of those it is asked
    whether they match in every respect, and how well. Each step is one that PostgreSQL keeps apart
    (OFFSET 0): it would read texts more than once otherwise, or walk through rows from the newest on and read
    them all. The excerpt is outermost, where it is made of the rows of a page alone.
    """
    # Subqueries, which are run once: a plan that is kept for any query would read it for every row.
    exact = select(func.search_query(_ASKED)).scalar_subquery()
    words = select(func.tsvector_to_array(func.search_document(_ASKED))).scalar_subquery()
    read = aliased(model)
    has_words = _with_words(model, texts, term)
    newest = (
        select(has_words.c.id)
        .order_by(has_words.c.created_at.desc(), has_words.c.id.desc())
        .limit(literal_column(str(MAX_RANKED)))
        .subquery()
    )
    of_texts = texts(read)
    documents = (
        select(
            read.id,
            read.created_at,
            func.search_document(*of_texts).label("document"),
            # Empty texts say nothing: concat_ws leaves null out.
            (of_texts[0] if len(of_texts) == 1 else func.concat_ws(" · ", *of_texts)).label("text"),
        )
        .join(newest, read.id == newest.c.id)
        .where(owned(read))
        .offset(_APART)
        .subquery()
    )
    found = (
        select(
            documents.c.id,
            documents.c.created_at,
            cast(func.ts_rank_cd(documents.c.document, exact, literal_column(str(_BY_LENGTH))), Float).label(
                "rank"
            ),
            documents.c.text,
        )
        .where(documents.c.document.op("@@")(exact))
        .offset(_APART)
        .subquery()
    )
    excerpt = func.search_excerpt(found.c.text, exact, words, type_=Text).label("excerpt")
    return select(found.c.id, found.c.created_at, found.c.rank, excerpt)


def _with_words(model: Any, texts: Any, term: Term | None) -> Any:
    """Build the rows that have the words, wherever they stand, by an index alone."""
    row = aliased(model)
    # A subquery, because PostgreSQL is not to know the words when it plans: of those that most texts have it
    # would look through all texts of the table, whose words take it far longer to read than it reckons.
    loosely = select(func.search_loosely(_ASKED)).scalar_subquery()
    return (
        select(row.id, row.created_at)
        .where(
            owned(row),
            array([row.project_id]).contains(array([bindparam(TENANT, type_=Uuid)])),
            func.search_document(*texts(row)).op("@@")(loosely),
            *([] if term is None else [condition(row, term)]),
        )
        .offset(_APART)
        .subquery()
    )


def _complete(model: Any, texts: Any, term: Term | None) -> Select[Any]:
    """Build the condition that no row with the words was left out of the ranking.

    All of them are counted: a LIMIT would make PostgreSQL leave the index, and read texts one by one.
    """
    return select(func.count() <= MAX_RANKED).select_from(_with_words(model, texts, term))


def _asked(arguments: Mapping[str, Any]) -> Bindings:
    query = arguments[_QUERY]
    check_text(_QUERY, query, MAX_QUERY)
    return Bindings((), {_QUERY: query})


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

COST = Cost(rows=50_000)
"""Ranking reads thousands of texts to find the best."""

FOUND_MESSAGES = computation(
    _messages,
    _WORDS,
    argument("filter", MessageFilter, "Which messages to search; all by default.", filters=Message),
    bind=_asked,
    is_complete=_all_messages,
)
FOUND_MEMORIES = computation(
    _memories,
    _WORDS,
    argument("filter", MemoryFilter, "Which memories to search; all by default.", filters=Memory),
    bind=_asked,
    is_complete=_all_memories,
)
