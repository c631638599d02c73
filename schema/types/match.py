"""What searches by text find."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import strawberry

from models import Memory as MemoryRow
from models import Message as MessageRow
from resolvers import search
from resolvers.fields import column, relation
from schema.declarations import object_type

if TYPE_CHECKING:
    from schema.types.memory import Memory
    from schema.types.message import Message

_RANK = (
    "How well it matches, from 0 to 1: the more often and the closer together the words stand, and the"
    " shorter the text, the greater. It says something beside other matches of the same query only."
)
_EXCERPT = (
    "{} where the words stand, as HTML: every word that was found is in a `<mark>` element, and everything"
    " else is escaped, so that it is safe in a page whatever was said. At most two passages of some 24 words,"
    " with ` … ` between them."
)


@object_type(model=search.MessageMatch)
class MessageMatch:
    """A message that a search found."""

    message: Annotated["Message", strawberry.lazy("schema.types.message")] = relation(
        MessageRow, "The message.", by="id"
    )
    rank: float = column(_RANK)
    excerpt: str = column(_EXCERPT.format("Of its content"))


@object_type(model=search.MemoryMatch)
class MemoryMatch:
    """A memory that a search found."""

    memory: Annotated["Memory", strawberry.lazy("schema.types.memory")] = relation(
        MemoryRow, "The memory.", by="id"
    )
    rank: float = column(_RANK + " A word in the name weighs most, and one in the description more.")
    excerpt: str = column(_EXCERPT.format("Of its name, description and content, with ` · ` between them,"))
