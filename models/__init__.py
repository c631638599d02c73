"""The tables, with one noun per file."""

from models.access_record import AccessRecord
from models.agent import Agent
from models.agent_metric import AgentMetric
from models.agent_version import AgentVersion
from models.api_key import ApiKey
from models.base import Base
from models.embedding import KnowledgeEmbedding, MemoryEmbedding, MessageEmbedding
from models.idempotency_key import IdempotencyKey
from models.job import Job
from models.knowledge_base import AgentKnowledgeBase, KnowledgeBase, KnowledgeVersion
from models.knowledge_chunk import KnowledgeChunk
from models.knowledge_document import KnowledgeDocument
from models.knowledge_sync import KnowledgeSync
from models.memory import Memory, MemoryLink, MemoryRevision, MemorySource
from models.memory_access import MemoryAccess
from models.memory_annotation import MemoryAnnotation
from models.message import Message
from models.module_state import ModuleState
from models.project import Project
from models.queue import Queue
from models.sandbox import Sandbox
from models.schedule import Schedule
from models.session import Session
from models.session_event import SessionEvent
from models.session_metric import SessionMetric
from models.state_transition import StateTransition
from models.team import Team, TeamMember
from models.tool_call import ToolCall
from models.total import FoldedUntil, SessionShare, SessionTotal
from models.usage_record import UsageRecord
from models.user import User

__all__ = [
    "AccessRecord",
    "Agent",
    "AgentKnowledgeBase",
    "AgentMetric",
    "AgentVersion",
    "ApiKey",
    "Base",
    "FoldedUntil",
    "IdempotencyKey",
    "Job",
    "KnowledgeBase",
    "KnowledgeChunk",
    "KnowledgeDocument",
    "KnowledgeEmbedding",
    "KnowledgeSync",
    "KnowledgeVersion",
    "Memory",
    "MemoryAccess",
    "MemoryAnnotation",
    "MemoryEmbedding",
    "MemoryLink",
    "MemoryRevision",
    "MemorySource",
    "Message",
    "MessageEmbedding",
    "ModuleState",
    "Project",
    "Queue",
    "Sandbox",
    "Schedule",
    "Session",
    "SessionEvent",
    "SessionMetric",
    "SessionShare",
    "SessionTotal",
    "StateTransition",
    "Team",
    "TeamMember",
    "ToolCall",
    "UsageRecord",
    "User",
]
