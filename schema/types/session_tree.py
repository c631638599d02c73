"""Totals over a tree of sessions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import strawberry

from agentdata.engine.fields import column
from resolvers import statistics
from schema.declarations import object_type
from schema.scalars import BigInt

if TYPE_CHECKING:
    from schema.types.statistics import Statistics


@object_type
class SessionTree:
    """Totals over a session and all sessions below it."""

    session_count: int = column("The number of sessions, this one included.")
    max_depth: int = column(
        "The greatest depth of the sessions, counted from the root of the whole tree, which has depth 0."
    )
    message_count: BigInt = column("The number of messages in the sessions.")
    prompt_tokens: BigInt = column("The number of prompt tokens that models read.")
    completion_tokens: BigInt = column("The number of completion tokens that models wrote.")
    cost_usd: float = column(
        "The total cost of the sessions, in US dollars. Sessions whose cost is unknown add nothing."
    )
    error_count: BigInt = column("The number of errors: failed tool calls, and events of the type `error`.")
    duration_ms: float = column(
        "The time from the earliest start to the latest end of the sessions, in milliseconds; an open"
        " session counts as ending now."
    )
    statistics: Annotated["Statistics", strawberry.lazy("schema.types.statistics")] = statistics.field(
        "Totals and means over the sessions of the tree.", by=statistics.TREE, inherits=True
    )
