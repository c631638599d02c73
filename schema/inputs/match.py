"""The modes of searches, and the order of their matches."""

from __future__ import annotations

from enum import Enum

from schema.declarations import enum_type, enum_value, input_type, required
from schema.enums import OrderDirection


@enum_type
class SearchMode(Enum):
    """The ways to search."""

    HYBRID = enum_value(
        "HYBRID",
        "By words and by meaning: finds what has the words of the query or is near to the embedding, and"
        " prefers what stands high in both lists.",
    )
    MEANING = enum_value("MEANING", "By meaning: finds what is nearest to the embedding.")
    WORDS = enum_value("WORDS", "By words: finds what has the words of the query.")


@enum_type
class MatchOrderField(Enum):
    """The fields that matches can be ordered by."""

    SCORE = enum_value("score", "How well it matches, in the mode of the search.")
    RANK = enum_value("rank", "How well the words match; what was found by meaning alone comes last.")
    CREATED_AT = enum_value(
        "created_at", "When the message was said, the memory was formed, or the chunk was recorded."
    )


@input_type
class MatchOrder:
    """A field to order matches by, and the direction."""

    field: MatchOrderField = required("The field to order by.")
    direction: OrderDirection = required("The direction of the order.")
