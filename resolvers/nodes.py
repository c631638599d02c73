"""The models whose rows `node` finds by their ids."""

from __future__ import annotations

from agentdata.engine.fields import NodeTypes
from models import (
    Agent,
    AgentMetric,
    AgentVersion,
    ApiKey,
    Memory,
    MemoryAccess,
    MemoryAnnotation,
    MemoryRevision,
    Message,
    ModuleState,
    Project,
    Sandbox,
    Session,
    SessionEvent,
    SessionMetric,
    StateTransition,
    Team,
    ToolCall,
    UsageRecord,
    User,
)
from models.enums import ApiKeyScope

NODES = NodeTypes(
    models=(
        Agent,
        AgentMetric,
        AgentVersion,
        ApiKey,
        Memory,
        MemoryAccess,
        MemoryAnnotation,
        MemoryRevision,
        Message,
        ModuleState,
        Project,
        Sandbox,
        Session,
        SessionEvent,
        SessionMetric,
        StateTransition,
        Team,
        ToolCall,
        UsageRecord,
        User,
    ),
    scopes={ApiKey: ApiKeyScope.ADMIN},
)
