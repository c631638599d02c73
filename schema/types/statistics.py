"""What sessions add up to."""

from __future__ import annotations

import strawberry

from resolvers import statistics
from resolvers.batches import Gives
from resolvers.fields import batch, column
from schema.scalars import BigInt


@strawberry.type(description="How often one tool was called, and with what success.")
class ToolStatistics:
    """How often one tool was called, and with what success."""

    name: str = column("The name of the tool.")
    call_count: BigInt = column("How many calls there were.")
    pending_count: BigInt = column("How many have no answer yet.")
    succeeded_count: BigInt = column("How many gave a result.")
    failed_count: BigInt = column("How many gave an error.")
    success_rate: float | None = column(
        "The share of the settled calls that gave a result, from 0 to 1; null if none is settled."
    )
    mean_duration_ms: float | None = column(
        "The mean duration of the calls whose duration is known, in milliseconds; null if none is."
    )


@strawberry.type(description="Totals and means over a set of sessions.")
class Statistics:
    """Totals and means over a set of sessions."""

    session_count: BigInt = column("How many sessions there are.")
    open_count: BigInt = column("How many of them are open: active or paused.")
    completed_count: BigInt = column("How many ended as COMPLETED.")
    failed_count: BigInt = column("How many ended as FAILED.")
    cancelled_count: BigInt = column("How many ended as CANCELLED.")
    success_rate: float | None = column(
        "The share that COMPLETED of those that COMPLETED or FAILED, from 0 to 1; null if there are none."
    )
    message_count: BigInt = column("How many messages they have.")
    interaction_count: BigInt = column("How many turns users took: messages with the role USER.")
    prompt_tokens: BigInt = column("How many prompt tokens models read.")
    completion_tokens: BigInt = column("How many completion tokens models wrote.")
    cost_usd: float = column(
        "What they cost together, in US dollars; sessions whose cost is unknown add nothing."
    )
    mean_quality_score: float | None = column(
        "The mean quality score, from 0 to 1, of those that have one; null if none has."
    )
    mean_user_satisfaction: float | None = column(
        "The mean user satisfaction, from 0 to 1, of those that have one; null if none has."
    )
    tools: list[ToolStatistics] = batch(
        statistics.tools,
        "How the tools in them were called, the most called first; at most 500 tools.",
        Gives.OBJECTS,
        inherits=True,
    )
