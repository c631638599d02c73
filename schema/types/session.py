"""One conversation or run of an agent, in a tree of sessions."""

from __future__ import annotations

from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Annotated

import strawberry

from models import Agent as AgentRow
from models import AgentVersion as AgentVersionRow
from models import Memory as MemoryRow
from models import Message as MessageRow
from models import ModuleState as ModuleStateRow
from models import Sandbox as SandboxRow
from models import Session as SessionRow
from models import SessionEvent as SessionEventRow
from models import SessionMetric as SessionMetricRow
from models import StateTransition as StateTransitionRow
from models import Team as TeamRow
from models import ToolCall as ToolCallRow
from models import UsageRecord as UsageRecordRow
from models import User as UserRow
from resolvers import series, sessions, statistics
from resolvers.audit import AuditEntry as AuditEntryRow
from resolvers.audit import trail
from resolvers.batches import Gives
from resolvers.fields import batch, column, computation, page, relation
from resolvers.messages import first as first_message
from resolvers.messages import last as last_message
from resolvers.module_states import FILTER as STATES
from resolvers.module_states import current_in_sessions as current_states
from resolvers.paging import Ordering
from schema.enums import SessionStatus
from schema.inputs.audit_entry import AuditEntryFilter, AuditEntryOrder
from schema.inputs.memory import MemoryFilter, MemoryOrder
from schema.inputs.message import MessageFilter, MessageOrder
from schema.inputs.module_state import ModuleStateFilter, ModuleStateOrder
from schema.inputs.session import SessionFilter, SessionOrder
from schema.inputs.session_event import SessionEventFilter, SessionEventOrder
from schema.inputs.session_metric import SessionMetricFilter, SessionMetricOrder
from schema.inputs.state_transition import StateTransitionFilter, StateTransitionOrder
from schema.inputs.tool_call import ToolCallFilter, ToolCallOrder
from schema.inputs.usage_record import UsageRecordFilter, UsageRecordOrder
from schema.scalars import JSON, BigInt
from schema.types.connection import Connection
from schema.types.node import Node

if TYPE_CHECKING:
    from schema.types.agent import Agent
    from schema.types.agent_version import AgentVersion
    from schema.types.audit_entry import AuditEntry
    from schema.types.memory import Memory
    from schema.types.message import Message
    from schema.types.module_state import ModuleState
    from schema.types.sandbox import Sandbox
    from schema.types.series_bucket import SeriesBucket
    from schema.types.session_event import SessionEvent
    from schema.types.session_metric import SessionMetric
    from schema.types.session_tree import SessionTree
    from schema.types.state_transition import StateTransition
    from schema.types.statistics import Statistics
    from schema.types.team import Team
    from schema.types.tool_call import ToolCall
    from schema.types.usage_record import UsageRecord
    from schema.types.user import User


@strawberry.type(description="One conversation or run of an agent, in a tree of sessions.")
class Session(Node):
    """One conversation or run of an agent, in a tree of sessions."""

    external_id: str | None = column("Its id in another system, unique among the project's sessions.")
    title: str | None = column("What it is called.")
    user: Annotated["User", strawberry.lazy("schema.types.user")] | None = relation(
        UserRow, "The user whom it is with.", by="user_id"
    )
    agent: Annotated["Agent", strawberry.lazy("schema.types.agent")] | None = relation(
        AgentRow, "The agent that holds it.", by="agent_id"
    )
    agent_version: Annotated["AgentVersion", strawberry.lazy("schema.types.agent_version")] | None = relation(
        AgentVersionRow, "The version that the agent ran on.", by="agent_version_id"
    )
    team: Annotated["Team", strawberry.lazy("schema.types.team")] | None = relation(
        TeamRow, "The team that holds it.", by="team_id"
    )
    status: SessionStatus = column("Whether it is going on, and how it ended if not.")
    platform: str | None = column("Where it takes place, such as `web`, `slack` or `whatsapp`.")
    provider: str | None = column("Who serves the model, such as `openai` or `anthropic`.")
    purpose: str | None = column("What it is for.")
    business_context: JSON = column("The business context that it belongs to: a JSON object.")
    tags: list[str] = column("Its tags, in the order in which they were given.")
    quality_score: float | None = column("How good it was, from 0 to 1.")
    user_satisfaction: float | None = column("How satisfied the user was, from 0 to 1.")
    learning_outcomes: JSON = column("What was learned from it: a JSON object.")
    source: str | None = column(
        "What set it off: `user`, `webhook`, `scheduled_job`, `agent`, `api` or another."
    )
    context: JSON = column("What the agent was given to know: a JSON object.")
    state: JSON = column("What the agent keeps in it between turns: a JSON object.")
    state_value: JSON | None = batch(
        sessions.state_values,
        "What stands at one place in its state; null if there is nothing.",
        Gives.VALUE,
        arguments=[sessions.PATH],
        reads=sessions.path,
    )
    metadata_: JSON = column("Anything else: a JSON object.", name="metadata")
    last_activity_at: datetime = column(
        "When something last happened in it: a message, an event or the use of a model. It is never in the"
        " future, and follows what is deleted. Kept by the system."
    )
    started_at: datetime = column("When it began.")
    ended_at: datetime | None = column("When it ended; null while it is open.")
    is_active: bool = column("Whether it is open: ACTIVE or PAUSED.")
    interaction_count: int = column(
        "How many turns the user had: messages with the role USER. Kept by the system."
    )
    message_count: int = column("How many messages it has. Kept by the system.")
    prompt_tokens: BigInt = column(
        "How many prompt tokens models read for it: the sum over its messages and its usage records."
        " Kept by the system."
    )
    completion_tokens: BigInt = column(
        "How many completion tokens models wrote for it: the sum over its messages and its usage records."
        " Kept by the system."
    )
    cost_usd: float | None = column(
        "What it cost, in US dollars: what was last written, and the costs of the usage records that came"
        " since; null if that is unknown."
    )
    updated_at: datetime = column("When it last changed.")
    parent: Annotated["Session", strawberry.lazy("schema.types.session")] | None = relation(
        SessionRow, "The session directly above it; null for a root.", by="parent_id"
    )
    children: Connection[Annotated["Session", strawberry.lazy("schema.types.session")]] = page(
        SessionRow,
        "The sessions directly below it, the earliest first.",
        filter_=SessionFilter,
        order=SessionOrder,
        by="parent_id",
        default=(Ordering("started_at"),),
    )
    root: Annotated["Session", strawberry.lazy("schema.types.session")] = relation(
        SessionRow, "The root of its tree; itself for a root.", by="root_id"
    )
    depth: int = column("How many sessions are above it; 0 for a root, at most 100.")
    ancestors: list[Annotated["Session", strawberry.lazy("schema.types.session")]] = batch(
        sessions.ancestors,
        "The sessions above it, the root first, the parent last.",
        Gives.ROWS,
        model=SessionRow,
    )
    descendants: Connection[Annotated["Session", strawberry.lazy("schema.types.session")]] = page(
        SessionRow,
        "All sessions below it, at whatever depth, the earliest first.",
        filter_=SessionFilter,
        order=SessionOrder,
        by="ancestor_ids",
        default=(Ordering("started_at"),),
    )
    tree: Annotated["SessionTree", strawberry.lazy("schema.types.session_tree")] = batch(
        sessions.trees, "What it adds up to together with all sessions below it.", Gives.VALUES
    )
    messages: Connection[Annotated["Message", strawberry.lazy("schema.types.message")]] = page(
        MessageRow,
        "Its messages, in order.",
        filter_=MessageFilter,
        order=MessageOrder,
        by="session_id",
        default=(Ordering("sequence"),),
    )
    first_message: Annotated["Message", strawberry.lazy("schema.types.message")] | None = batch(
        first_message, "Its first message; null if it has none.", Gives.ROW, model=MessageRow
    )
    last_message: Annotated["Message", strawberry.lazy("schema.types.message")] | None = batch(
        last_message, "Its last message; null if it has none.", Gives.ROW, model=MessageRow
    )
    tool_calls: Connection[Annotated["ToolCall", strawberry.lazy("schema.types.tool_call")]] = page(
        ToolCallRow,
        "The tool calls of its messages, the earliest first.",
        filter_=ToolCallFilter,
        order=ToolCallOrder,
        by="session_id",
        default=(Ordering("created_at"),),
    )
    events: Connection[Annotated["SessionEvent", strawberry.lazy("schema.types.session_event")]] = page(
        SessionEventRow,
        "What happened in it, in order.",
        filter_=SessionEventFilter,
        order=SessionEventOrder,
        by="session_id",
        default=(Ordering("sequence"),),
    )
    usage: Connection[Annotated["UsageRecord", strawberry.lazy("schema.types.usage_record")]] = page(
        UsageRecordRow,
        "The uses of models in it, the earliest first.",
        filter_=UsageRecordFilter,
        order=UsageRecordOrder,
        by="session_id",
        default=(Ordering("timestamp"),),
    )
    sandbox: Annotated["Sandbox", strawberry.lazy("schema.types.sandbox")] | None = relation(
        SandboxRow, "The server that it tries things on; null if it has none.", remote="session_id"
    )
    module_states: Connection[Annotated["ModuleState", strawberry.lazy("schema.types.module_state")]] = page(
        ModuleStateRow,
        "All states that modules had in it, the earliest first.",
        filter_=ModuleStateFilter,
        order=ModuleStateOrder,
        by="session_id",
        default=(Ordering("created_at"),),
    )
    current_module_states: list[Annotated["ModuleState", strawberry.lazy("schema.types.module_state")]] = (
        batch(
            current_states,
            "The states that modules have in it now, the latest first; at most 500. Expired states are not"
            " current.",
            Gives.ROWS,
            model=ModuleStateRow,
            arguments=[STATES],
            filters={"filter": ModuleStateRow},
        )
    )
    state_transitions: Connection[
        Annotated["StateTransition", strawberry.lazy("schema.types.state_transition")]
    ] = page(
        StateTransitionRow,
        "The transitions between the states of modules in it, the earliest first.",
        filter_=StateTransitionFilter,
        order=StateTransitionOrder,
        by="session_id",
        default=(Ordering("created_at"),),
    )
    metrics: Connection[Annotated["SessionMetric", strawberry.lazy("schema.types.session_metric")]] = page(
        SessionMetricRow,
        "How it was measured, the latest first.",
        filter_=SessionMetricFilter,
        order=SessionMetricOrder,
        by="session_id",
        default=(Ordering("timestamp", descending=True),),
    )
    series: list[Annotated["SeriesBucket", strawberry.lazy("schema.types.series_bucket")]] = batch(
        series.measurements,
        "What was measured in it over time, without the sessions below it. In buckets, empty ones"
        " included: at most 11,000, and of all groups together 100,000.",
        Gives.OBJECTS,
        arguments=series.OF_SESSION,
        reads=partial(series.asked, column="id"),
        column="id",
    )
    memories: Connection[Annotated["Memory", strawberry.lazy("schema.types.memory")]] = page(
        MemoryRow,
        "The memories that come from it, the newest first.",
        filter_=MemoryFilter,
        order=MemoryOrder,
        by="session_id",
    )
    audit_trail: Connection[Annotated["AuditEntry", strawberry.lazy("schema.types.audit_entry")]] = page(
        AuditEntryRow,
        "All that happened in it, the earliest first: messages, events, transitions between states, tool"
        " calls and uses of models. What happened at the same time is in the order in which it was recorded.",
        filter_=AuditEntryFilter,
        order=AuditEntryOrder,
        by="session_id",
        default=(Ordering("at"),),
        computed=computation(trail),
    )
    statistics: Annotated["Statistics", strawberry.lazy("schema.types.statistics")] = batch(
        statistics.totals,
        "What it adds up to by itself, without the sessions below it; see `tree` for those.",
        Gives.VALUES,
        column="id",
    )


@strawberry.type(description="A tag that was renamed.")
class RenamedTag:
    """A tag that was renamed."""

    name: str = strawberry.field(description="What it is called from now on.")
    session_count: int = strawberry.field(description="How many sessions had the tag.")
