"""One conversation or run of an agent, in a tree of sessions."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import strawberry

from agentdata.engine.fields import Cost, Gives, Ordering, batch, column, computation, page, relation
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
from resolvers.messages import first as first_message
from resolvers.messages import last as last_message
from resolvers.module_states import FILTER as STATES
from resolvers.module_states import MAX_CURRENT
from resolvers.module_states import current_in_sessions as current_states
from schema.declarations import object_type
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


@object_type(model=SessionRow)
class Session(Node):
    """One conversation or run of an agent, in a tree of sessions."""

    external_id: str | None = column(
        "The id of the session in another system, unique among the project's sessions."
    )
    title: str | None = column("The title of the session.")
    user: Annotated["User", strawberry.lazy("schema.types.user")] | None = relation(
        UserRow, "The user whom the session is with.", local="user_id"
    )
    agent: Annotated["Agent", strawberry.lazy("schema.types.agent")] | None = relation(
        AgentRow, "The agent that holds the session.", local="agent_id"
    )
    agent_version: Annotated["AgentVersion", strawberry.lazy("schema.types.agent_version")] | None = relation(
        AgentVersionRow, "The version that the agent ran on.", local="agent_version_id"
    )
    team: Annotated["Team", strawberry.lazy("schema.types.team")] | None = relation(
        TeamRow, "The team that holds the session.", local="team_id"
    )
    status: SessionStatus = column("Whether the session is open, and how it ended if not.")
    platform: str | None = column("Where the session takes place, such as `web`, `slack` or `whatsapp`.")
    provider: str | None = column("The provider of the model, such as `openai` or `anthropic`.")
    purpose: str | None = column("What the session is for.")
    business_context: JSON = column("The business context of the session: a JSON object.")
    tags: list[str] = column("The tags of the session, in the order in which they were given.")
    quality_score: float | None = column("How good the session was, from 0 to 1.")
    user_satisfaction: float | None = column("How satisfied the user was, from 0 to 1.")
    learning_outcomes: JSON = column("What was learned from the session: a JSON object.")
    source: str | None = column(
        "What triggered the session: `user`, `webhook`, `scheduled_job`, `agent`, `api` or another value."
    )
    context: JSON = column("The context that the agent was given: a JSON object.")
    state: JSON = column("What the agent keeps in the session between turns: a JSON object.")
    state_value: JSON | None = batch(
        sessions.state_values,
        "The value at one path of the session's `state`; null if there is none.",
        Gives.VALUE,
        arguments=[sessions.PATH],
        bind=sessions.path,
    )
    metadata_: JSON = column("Any other data: a JSON object.", name="metadata")
    last_activity_at: datetime = column(
        "When something last happened in the session: a message, an event or the use of a model. Never in the"
        " future; deletions move it back. Maintained automatically."
    )
    started_at: datetime = column("When the session started.")
    ended_at: datetime | None = column("When the session ended; null while it is open.")
    is_active: bool = column("Whether the session is open: ACTIVE or PAUSED.")
    interaction_count: int = column(
        "The number of user turns: messages with the role USER. Maintained automatically."
    )
    message_count: int = column("The number of messages in the session. Maintained automatically.")
    error_count: int = column(
        "The number of errors: failed tool calls, and events of the type `error`. Maintained automatically."
    )
    prompt_tokens: BigInt = column(
        "The number of prompt tokens that models read: the sum over messages and usage records. Maintained"
        " automatically."
    )
    completion_tokens: BigInt = column(
        "The number of completion tokens that models wrote: the sum over messages and usage records."
        " Maintained automatically."
    )
    cost_usd: float | None = column(
        "The cost of the session, in US dollars: the value last written, plus the costs of later usage"
        " records; null if unknown."
    )
    updated_at: datetime = column("When the session last changed.")
    parent: Annotated["Session", strawberry.lazy("schema.types.session")] | None = relation(
        SessionRow, "The session directly above this one; null for a root.", local="parent_id"
    )
    children: Connection[Annotated["Session", strawberry.lazy("schema.types.session")]] = page(
        SessionRow,
        "The sessions directly below this one, earliest first.",
        filter_=SessionFilter,
        order=SessionOrder,
        remote="parent_id",
        default=(Ordering("started_at"),),
    )
    root: Annotated["Session", strawberry.lazy("schema.types.session")] = relation(
        SessionRow, "The root of the session's tree; the session itself if it is a root.", local="root_id"
    )
    depth: int = column("The number of sessions above this one: 0 for a root, at most 100.")
    ancestors: list[Annotated["Session", strawberry.lazy("schema.types.session")]] = batch(
        sessions.ancestors,
        "The sessions above this one, from the root to the parent.",
        Gives.ROWS,
        model=SessionRow,
    )
    descendants: Connection[Annotated["Session", strawberry.lazy("schema.types.session")]] = page(
        SessionRow,
        "All sessions below this one, at any depth, earliest first.",
        filter_=SessionFilter,
        order=SessionOrder,
        remote="ancestor_ids",
        default=(Ordering("started_at"),),
    )
    tree: Annotated["SessionTree", strawberry.lazy("schema.types.session_tree")] = batch(
        sessions.trees,
        "Totals over the session and all sessions below it.",
        Gives.OBJECT,
        cost=Cost(parent_points=0.1),
    )
    messages: Connection[Annotated["Message", strawberry.lazy("schema.types.message")]] = page(
        MessageRow,
        "The messages of the session, in order.",
        filter_=MessageFilter,
        order=MessageOrder,
        remote="session_id",
        default=(Ordering("sequence"),),
    )
    first_message: Annotated["Message", strawberry.lazy("schema.types.message")] | None = batch(
        first_message, "The first message; null if there is none.", Gives.ROW, model=MessageRow
    )
    last_message: Annotated["Message", strawberry.lazy("schema.types.message")] | None = batch(
        last_message, "The last message; null if there is none.", Gives.ROW, model=MessageRow
    )
    tool_calls: Connection[Annotated["ToolCall", strawberry.lazy("schema.types.tool_call")]] = page(
        ToolCallRow,
        "The tool calls of the session, earliest first.",
        filter_=ToolCallFilter,
        order=ToolCallOrder,
        remote="session_id",
        default=(Ordering("created_at"),),
    )
    events: Connection[Annotated["SessionEvent", strawberry.lazy("schema.types.session_event")]] = page(
        SessionEventRow,
        "The events of the session, in order.",
        filter_=SessionEventFilter,
        order=SessionEventOrder,
        remote="session_id",
        default=(Ordering("sequence"),),
    )
    usage: Connection[Annotated["UsageRecord", strawberry.lazy("schema.types.usage_record")]] = page(
        UsageRecordRow,
        "The usage records of the session, earliest first.",
        filter_=UsageRecordFilter,
        order=UsageRecordOrder,
        remote="session_id",
        default=(Ordering("timestamp"),),
    )
    sandbox: Annotated["Sandbox", strawberry.lazy("schema.types.sandbox")] | None = relation(
        SandboxRow, "The sandbox of the session; null if it has none.", remote="session_id"
    )
    module_states: Connection[Annotated["ModuleState", strawberry.lazy("schema.types.module_state")]] = page(
        ModuleStateRow,
        "All states of modules in the session, earliest first.",
        filter_=ModuleStateFilter,
        order=ModuleStateOrder,
        remote="session_id",
        default=(Ordering("created_at"),),
    )
    current_module_states: list[Annotated["ModuleState", strawberry.lazy("schema.types.module_state")]] = (
        batch(
            current_states,
            f"The current states of modules in the session, latest first; at most {MAX_CURRENT}."
            " Expired states are not current.",
            Gives.ROWS,
            model=ModuleStateRow,
            arguments=[STATES],
        )
    )
    state_transitions: Connection[
        Annotated["StateTransition", strawberry.lazy("schema.types.state_transition")]
    ] = page(
        StateTransitionRow,
        "The transitions between states of modules in the session, earliest first.",
        filter_=StateTransitionFilter,
        order=StateTransitionOrder,
        remote="session_id",
        default=(Ordering("created_at"),),
    )
    metrics: Connection[Annotated["SessionMetric", strawberry.lazy("schema.types.session_metric")]] = page(
        SessionMetricRow,
        "The metrics of the session, latest first.",
        filter_=SessionMetricFilter,
        order=SessionMetricOrder,
        remote="session_id",
        default=(Ordering("timestamp", descending=True),),
    )
    series: list[Annotated["SeriesBucket", strawberry.lazy("schema.types.series_bucket")]] = series.field(
        "Measurements of the session over time, without the sessions below it.",
        by="id",
        arguments=series.SESSION_ARGUMENTS,
    )
    memories: Connection[Annotated["Memory", strawberry.lazy("schema.types.memory")]] = page(
        MemoryRow,
        "The memories that come from the session, newest first.",
        filter_=MemoryFilter,
        order=MemoryOrder,
        remote="session_id",
    )
    audit_trail: Connection[Annotated["AuditEntry", strawberry.lazy("schema.types.audit_entry")]] = page(
        AuditEntryRow,
        "Everything that happened in the session, earliest first: messages, events, transitions, tool calls"
        " and usage records. Entries of the same time are in the order in which they were recorded.",
        filter_=AuditEntryFilter,
        order=AuditEntryOrder,
        remote="session_id",
        default=(Ordering("at"),),
        computed=computation(trail),
        # Each entry is looked for in five tables.
        cost=Cost(parent_points=2, object_points=0.05),
    )
    statistics: Annotated["Statistics", strawberry.lazy("schema.types.statistics")] = batch(
        statistics.totals,
        "Totals over the session alone; see `tree` for the sessions below it.",
        Gives.OBJECT,
        cost=statistics.COSTS["id"],
        column="id",
    )


@object_type
class RenamedTag:
    """The result of renaming a tag."""

    name: str = strawberry.field(description="The new name of the tag.")
    session_count: int = strawberry.field(description="The number of sessions that had the tag.")
