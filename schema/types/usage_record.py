"""One use of a model in a session."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import strawberry

from agentdata.engine.fields import column, relation
from models import Agent as AgentRow
from models import Session as SessionRow
from models import UsageRecord as UsageRecordRow
from schema.declarations import object_type
from schema.types.node import Node

if TYPE_CHECKING:
    from schema.types.agent import Agent
    from schema.types.session import Session


@object_type(model=UsageRecordRow)
class UsageRecord(Node):
    """One use of a model in a session, which counts towards the session's totals. It never changes."""

    session: Annotated["Session", strawberry.lazy("schema.types.session")] = relation(
        SessionRow, "The session that used the model.", local="session_id"
    )
    agent: Annotated["Agent", strawberry.lazy("schema.types.agent")] | None = relation(
        AgentRow, "The agent that used the model.", local="agent_id"
    )
    run_id: str | None = column(
        "The run that used the model, by the name that the agent's framework gives it."
    )
    model: str = column("The model that was used.")
    prompt_tokens: int = column("The number of tokens that the model read.")
    completion_tokens: int = column("The number of tokens that the model wrote.")
    cached_tokens: int | None = column(
        "The number of tokens that came from the provider's cache; null if unknown."
    )
    cost_usd: float | None = column("The cost of the use, in US dollars; null if unknown.")
    timestamp: datetime = column("When the model was used.")
