"""The audit trail of a session: what happened in it, whatever it was, in one order."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import strawberry

from models import Message as MessageRow
from models import SessionEvent as SessionEventRow
from models import StateTransition as StateTransitionRow
from models import ToolCall as ToolCallRow
from models import UsageRecord as UsageRecordRow
from resolvers.fields import column, either
from schema.enums import AuditKind
from schema.types.message import Message
from schema.types.session_event import SessionEvent
from schema.types.state_transition import StateTransition
from schema.types.tool_call import ToolCall
from schema.types.usage_record import UsageRecord

AuditSubject = Annotated[
    Message | SessionEvent | StateTransition | ToolCall | UsageRecord,
    strawberry.union("AuditSubject", description="What an entry of an audit trail is about."),
]


@strawberry.type(description="One thing that happened in a session.")
class AuditEntry:
    """One thing that happened in a session."""

    entry_id: strawberry.ID = column(
        "The id of the entry, which is not that of its subject. It stays the same; `node` does not find it.",
        name="id",
    )
    at: datetime = column(
        "When it happened: the `createdAt` of a message, a transition or a tool call, the `timestamp` of an"
        " event or the use of a model. For a tool call it is not its `startedAt`: a call stands beside the"
        " message that makes it, whenever the tool began."
    )
    kind: AuditKind = column("What kind of thing it is.")
    subject: AuditSubject = either(
        "What happened.",
        message_id=MessageRow,
        event_id=SessionEventRow,
        state_transition_id=StateTransitionRow,
        tool_call_id=ToolCallRow,
        usage_id=UsageRecordRow,
    )
