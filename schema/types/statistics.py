"""What sessions add up to."""

from __future__ import annotations

import strawberry

from resolvers import statistics
from resolvers.fields import batch, column
from schema.scalars import BigInt


@strawberry.type(description="How one tool was called.")
class ToolStatistics:
    """How one tool was called."""

    name: str = column("The name of the tool.")
    call_count: BigInt = column("How many calls there were.")
    pending_count: BigInt = column("How many have no answer yet.")
    succeeded_count: BigInt = column("How many gave a result.")
    failed_count: BigInt = column("How many gave an error.")
    success_rate: float | None = column("Which share of the settled calls gave a result, from 0 to 1.")
    mean_duration_ms: float | None = column(
        "How long a call took in the mean, in milliseconds, where that is known."
    )


@strawberry.type(description="What a number of sessions adds up to.")
class Statistics:
    """What a number of sessions adds up to."""

    session_count: BigInt = column("How many sessions there are.")
    active_count: BigInt = column("How many of them are open: active or paused.")
    completed_count: BigInt = column("How many ended as COMPLETED.")
    failed_count: BigInt = column("How many ended as FAILED.")
    cancelled_count: BigInt = column("How many ended as CANCELLED.")
    success_rate: float | None = column(
        "Which share of those that COMPLETED or FAILED were COMPLETED, from 0 to 1."
    )
    message_count: BigInt = column("How many messages they have.")
    interaction_count: BigInt = column("How many turns users had.")
    prompt_tokens: BigInt = column("How many tokens went into models.")
    completion_tokens: BigInt = column("How many tokens came out of models.")
    cost_usd: float = column("What they cost, in US dollars; sessions whose cost is not known add nothing.")
    mean_quality_score: float | None = column(
        "How good they were in the mean, from 0 to 1, where that is known."
    )
    mean_user_satisfaction: float | None = column(
        "How satisfied users were in the mean, from 0 to 1, where that is known."
    )
    tools: list[ToolStatistics] = batch(
        statistics.tools, "How their tools were called, the most called first; at most 500 tools."
    )
