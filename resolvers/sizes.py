"""The sizes of vectors that a search by meaning compares: a vector of another size would find nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from agentdata.errors import BadUserInputError
from models import MemoryEmbedding, MessageEmbedding

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agentdata.context import Context
    from agentdata.vectors import Vector

_MAX_NAMED = 10
"""How many sizes an error names."""

_MAX_KINDS = 1_000
"""How many pairs of a model and a size are looked at; of a project with more, any size is accepted."""


class Sizes(NamedTuple):
    """The owners of vectors, as an error names them, and the statement that selects the vectors' sizes.

    The parameters of the statement are the project, the model or null, and those of the search.
    """

    owners: str
    statement: str


def _of_own_models(table: str) -> str:
    """Return the statement for the vectors of a table, which skips from one pair to the next."""
    first = f"SELECT model, dimensions FROM {table} WHERE project_id = $1"  # noqa: S608  # names of the models
    order = "ORDER BY model, dimensions LIMIT 1"
    return f"""
WITH RECURSIVE kind AS (
  (SELECT *, 1 AS place FROM ({first} {order}) AS one)
  UNION ALL
  SELECT other.model, other.dimensions, kind.place + 1 FROM kind, LATERAL (
    {first} AND (model, dimensions) > (kind.model, kind.dimensions) {order}
  ) AS other WHERE kind.place < {_MAX_KINDS}
)
SELECT DISTINCT dimensions FROM kind
WHERE ($2::text IS NULL OR model = $2) AND (SELECT count(*) FROM kind) < {_MAX_KINDS}"""  # noqa: S608  # as above


OF_BASES = Sizes(
    "the knowledge bases searched",
    """
SELECT DISTINCT dimensions FROM knowledge_bases WHERE project_id = $1 AND dimensions IS NOT NULL
  AND ($2::text IS NULL OR embedding_model = $2) AND ($3::uuid[] IS NULL OR id = ANY($3))""",
)
OF_MEMORIES = Sizes("the memories", _of_own_models(MemoryEmbedding.__tablename__))
OF_MESSAGES = Sizes("the messages", _of_own_models(MessageEmbedding.__tablename__))


async def check_size(
    context: Context, sizes: Sizes, vector: Vector, model: str | None, *others: Sequence[Any] | None
) -> None:
    """Refuse a vector to search for if there are vectors, but none of its size.

    End users may see too few of the vectors for a look at all of them, so any size is accepted from them.

    Raises:
        BadUserInputError: All vectors that the search would compare have other sizes.

    """
    if context.viewer_id is not None:
        return
    found = await context.sizes_beside(vector.dimensions, sizes.statement, (model, *others))
    if not found:
        return
    named = [f"{size:,}" for size in sorted(found)]
    if len(named) > _MAX_NAMED:
        named[_MAX_NAMED - 1 :] = ["others"]
    listed = " or ".join([*([", ".join(named[:-1])] if named[:-1] else []), named[-1]])
    owners = sizes.owners if model is None else f"the model {model}"
    raise BadUserInputError(
        f"embedding has {vector.dimensions:,} numbers; the vectors of {owners} have {listed}: send a vector"
        " that the same model made",
        field="embedding",
    )
