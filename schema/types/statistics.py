"""What sessions add up to."""

from __future__ import annotations

from resolvers import statistics
from resolvers.batches import Gives
from resolvers.fields import batch, column
from schema.declarations import object_type
from schema.scalars import BigInt


@object_type
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
    p50_duration_ms: float | None = column(
        "The median of their durations: half of the calls took no longer. In milliseconds."
    )
    p95_duration_ms: float | None = column(
        "The 95th percentile of their durations: 95 % of the calls took no longer. In milliseconds."
    )
    p99_duration_ms: float | None = column(
        "The 99th percentile of their durations: 99 % of the calls took no longer. In milliseconds."
    )


@object_type
class ModelStatistics:
    """What one model was used for: by messages, and by usage records."""

    name: str | None = column("The model; null for messages that have tokens and do not say of which model.")
    message_count: BigInt = column("How many messages name it; under null, those that have tokens.")
    usage_count: BigInt = column("How many usage records are of it.")
    prompt_tokens: BigInt = column(
        "How many prompt tokens it read: the sum over the messages and the usage records."
    )
    completion_tokens: BigInt = column(
        "How many completion tokens it wrote: the sum over the messages and the usage records."
    )
    cost_usd: float = column(
        "What its usage records cost, in US dollars; those whose cost is unknown, and messages, add nothing."
    )


@object_type
class LatencyStatistics:
    """How long messages took: those whose latency is known."""

    count_: BigInt = column("How many messages have a latency.", name="count")
    mean_ms: float | None = column("The mean, in milliseconds; null if there are none.")
    p50_ms: float | None = column(
        "The median, in milliseconds: half of the messages took no longer; null if there are none."
    )
    p95_ms: float | None = column(
        "The 95th percentile, in milliseconds: 95 % of the messages took no longer; null if there are none."
    )
    p99_ms: float | None = column(
        "The 99th percentile, in milliseconds: 99 % of the messages took no longer; null if there are none."
    )


@object_type
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
    error_count: BigInt = batch(
        statistics.error_counts,
        "How many errors there were: tool calls that failed, and events of the type `error`.",
        Gives.VALUE,
        inherits=True,
    )
    latency: LatencyStatistics = batch(
        statistics.latencies, "How long the messages in them took.", Gives.VALUES, inherits=True
    )
    tools: list[ToolStatistics] = batch(
        statistics.tools,
        "How the tools in them were called, the most called first; at most 500 tools.",
        Gives.OBJECTS,
        inherits=True,
    )
    models: list[ModelStatistics] = batch(
        statistics.models,
        "What models were used for in them, those of the most tokens first; at most 500 models.",
        Gives.OBJECTS,
        inherits=True,
    )
