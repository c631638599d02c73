"""What a tree of sessions adds up to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import strawberry

from resolvers import statistics
from resolvers.fields import column
from schema.declarations import object_type
from schema.scalars import BigInt

if TYPE_CHECKING:
    from schema.types.statistics import Statistics


@object_type
class SessionTree:
    """What a session and all sessions below it add up to."""

    session_count: int = column("How many sessions there are, this one included.")
    max_depth: int = column(
        "The greatest depth among them, counted from the root of the whole tree, which has depth 0."
    )
    message_count: BigInt = column("How many messages they have.")
    prompt_tokens: BigInt = column("How many prompt tokens models read.")
    completion_tokens: BigInt = column("How many completion tokens models wrote.")
    cost_usd: float = column(
        "What they cost together, in US dollars; sessions whose cost is unknown add nothing."
    )
    error_count: BigInt = column(
        "How many errors there were: tool calls that failed, and events of the type `error`."
    )
    duration_ms: float = column(
        "From when the first of them began until the last of them ended, or until now where one is open,"
        " in milliseconds."
    )
    statistics: Annotated["Statistics", strawberry.lazy("schema.types.statistics")] = statistics.summed(
        "What its sessions add up to, or those of them that are asked for.", by=statistics.TREE, inherits=True
    )
