"""Totals and means over sessions."""

from __future__ import annotations

from agentdata.engine.fields import Gives, batch, column
from resolvers import statistics
from schema.declarations import object_type
from schema.scalars import BigInt


@object_type
class ToolStatistics:
    """How often one tool was called, and how its calls went.

    Over more than 2,000 sessions of a project, all of them or those of a time of their start, a percentile is
    true to 1 %.
    """

    name: str = column("The name of the tool.")
    call_count: BigInt = column("The number of calls.")
    pending_count: BigInt = column("The number of calls that are still pending.")
    succeeded_count: BigInt = column("The number of calls that returned a result.")
    failed_count: BigInt = column("The number of calls that failed.")
    success_rate: float | None = column(
        "The share of settled calls that returned a result, from 0 to 1; null if none is settled."
    )
    mean_duration_ms: float | None = column(
        "The mean of the known durations, in milliseconds; null if none is known."
    )
    p50_duration_ms: float | None = column(
        "The median of the known durations, in milliseconds: half of the calls took no longer. Null if none"
        " is known."
    )
    p95_duration_ms: float | None = column(
        "The 95th percentile of the known durations, in milliseconds: 95 % of the calls took no longer. Null"
        " if none is known."
    )
    p99_duration_ms: float | None = column(
        "The 99th percentile of the known durations, in milliseconds: 99 % of the calls took no longer. Null"
        " if none is known."
    )


@object_type
class ModelStatistics:
    """The use of one model according to messages and usage records."""

    name: str | None = column(
        "The name of the model; null for messages that have token counts but do not name a model."
    )
    message_count: BigInt = column(
        "The number of messages that name the model; where the name is null, of messages with token counts."
    )
    usage_count: BigInt = column("The number of usage records that name the model.")
    prompt_tokens: BigInt = column(
        "The number of prompt tokens that the model read: the sum over messages and usage records."
    )
    completion_tokens: BigInt = column(
        "The number of completion tokens that the model wrote: the sum over messages and usage records."
    )
    cost_usd: float = column(
        "The total cost of the usage records, in US dollars. Records whose cost is unknown add nothing, and"
        " messages have no cost."
    )


@object_type
class LatencyStatistics:
    """How long it took to write messages, over the messages whose latency is known.

    Over more than 2,000 sessions of a project, all of them or those of a time of their start, a percentile is
    true to 1 %.
    """

    count_: BigInt = column("The number of messages whose latency is known.", name="count")
    mean_ms: float | None = column("The mean latency, in milliseconds; null if none is known.")
    p50_ms: float | None = column(
        "The median latency, in milliseconds: half of the messages took no longer. Null if none is known."
    )
    p95_ms: float | None = column(
        "The 95th percentile, in milliseconds: 95 % of the messages took no longer. Null if none is known."
    )
    p99_ms: float | None = column(
        "The 99th percentile, in milliseconds: 99 % of the messages took no longer. Null if none is known."
    )


@object_type
class Statistics:
    """Totals and means over a set of sessions."""

    session_count: BigInt = column("The number of sessions.")
    open_count: BigInt = column("The number of sessions that are open: ACTIVE or PAUSED.")
    completed_count: BigInt = column("The number of sessions that ended as COMPLETED.")
    failed_count: BigInt = column("The number of sessions that ended as FAILED.")
    cancelled_count: BigInt = column("The number of sessions that ended as CANCELLED.")
    success_rate: float | None = column(
        "The share of COMPLETED sessions among those that COMPLETED or FAILED, from 0 to 1; null if there"
        " are none."
    )
    message_count: BigInt = column("The number of messages in the sessions.")
    interaction_count: BigInt = column("The number of user turns: messages with the role USER.")
    prompt_tokens: BigInt = column("The number of prompt tokens that models read.")
    completion_tokens: BigInt = column("The number of completion tokens that models wrote.")
    cost_usd: float = column(
        "The total cost of the sessions, in US dollars. Sessions whose cost is unknown add nothing."
    )
    mean_quality_score: float | None = column(
        "The mean of the known quality scores, from 0 to 1; null if none is known."
    )
    mean_user_satisfaction: float | None = column(
        "The mean of the known user satisfactions, from 0 to 1; null if none is known."
    )
    error_count: BigInt = column("The number of errors: failed tool calls, and events of the type `error`.")
    latency: LatencyStatistics = batch(
        statistics.latencies,
        "How long it took to write the messages of the sessions.",
        Gives.OBJECT,
        inherits=True,
        cost=statistics.COST_OF_PART,
    )
    tools: list[ToolStatistics] = batch(
        statistics.tools,
        f"How the tools were called in the sessions, most called first; at most {statistics.MAX_TOOLS}"
        " tools.",
        Gives.OBJECTS,
        inherits=True,
        cost=statistics.COST_OF_PART,
    )
    models: list[ModelStatistics] = batch(
        statistics.models,
        f"What the models were used for in the sessions, most tokens first; at most {statistics.MAX_MODELS}"
        " models.",
        Gives.OBJECTS,
        inherits=True,
        cost=statistics.COST_OF_PART,
    )
