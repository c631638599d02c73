"""The tables, one noun a file."""

from models.agent import Agent
from models.agent_metric import AgentMetric
from models.agent_version import AgentVersion
from models.api_key import ApiKey
from models.base import Base
from models.idempotency_key import IdempotencyKey
from models.message import Message
from models.project import Project
from models.session import Session
from models.session_metric import SessionMetric
from models.team import Team, TeamMember
from models.tool_call import ToolCall
from models.user import User

__all__ = [
    "Agent",
    "AgentMetric",
    "AgentVersion",
    "ApiKey",
    "Base",
    "IdempotencyKey",
    "Message",
    "Project",
    "Session",
    "SessionMetric",
    "Team",
    "TeamMember",
    "ToolCall",
    "User",
]
