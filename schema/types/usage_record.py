"""One use of a model in a session."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import strawberry

from models import Agent as AgentRow
from models import Session as SessionRow
from models import UsageRecord as UsageRecordRow
from resolvers.fields import column, relation
from schema.declarations import object_type
from schema.types.node import Node

if TYPE_CHECKING:
    from schema.types.agent import Agent
    from schema.types.session import Session


@object_type(model=UsageRecordRow)
class UsageRecord(Node):
    """One use of a model in a session, which its session's totals include. It never changes."""

    session: Annotated["Session", strawberry.lazy("schema.types.session")] = relation(
        SessionRow, "The session that the model was used in.", by="session_id"
    )
    agent: Annotated["Agent", strawberry.lazy("schema.types.agent")] | None = relation(
        AgentRow, "The agent that used it.", by="agent_id"
    )
    run_id: str | None = column("The run that it was part of, as the agent's framework names it.")
    model: str = column("The model that was used.")
    prompt_tokens: int = column("How many tokens the model read.")
    completion_tokens: int = column("How many tokens the model wrote.")
    cached_tokens: int | None = column(
        "How many tokens came out of the provider's cache; null if that is unknown."
    )
    cost_usd: float | None = column("What it cost, in US dollars; null if that is unknown.")
    timestamp: datetime = column("When the model was used.")
