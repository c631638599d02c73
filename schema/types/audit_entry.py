"""The audit trail of a session: everything that happened in it, in one order."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import strawberry

from agentdata.engine.fields import column, either
from models import Message as MessageRow
from models import SessionEvent as SessionEventRow
from models import StateTransition as StateTransitionRow
from models import ToolCall as ToolCallRow
from models import UsageRecord as UsageRecordRow
from resolvers import audit
from schema.declarations import object_type
from schema.enums import AuditKind
from schema.types.message import Message
from schema.types.session_event import SessionEvent
from schema.types.state_transition import StateTransition
from schema.types.tool_call import ToolCall
from schema.types.usage_record import UsageRecord

AuditSubject = Annotated[
    Message | SessionEvent | StateTransition | ToolCall | UsageRecord,
    strawberry.union("AuditSubject", description="The subject of an audit trail's entry."),
]


@object_type(model=audit.AuditEntry)
class AuditEntry:
    """One thing that happened in a session."""

    entry_id: strawberry.ID = column(
        "The id of the entry, not that of its subject. It never changes; `node` does not find it.",
        name="id",
    )
    at: datetime = column(
        "When it happened: the `createdAt` of a message, transition or tool call, or the `timestamp` of an"
        " event or usage record. A tool call is placed beside the message that makes it, whatever its"
        " `startedAt`."
    )
    kind: AuditKind = column("The kind of subject.")
    subject: AuditSubject = either(
        "What happened.",
        shared=False,
        message_id=MessageRow,
        event_id=SessionEventRow,
        state_transition_id=StateTransitionRow,
        tool_call_id=ToolCallRow,
        usage_id=UsageRecordRow,
    )
