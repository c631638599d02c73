"""The models whose rows `node` finds by their ids."""

from __future__ import annotations

import models
from agentdata.engine.fields import NodeTypes
from models.enums import ApiKeyScope

NODES = NodeTypes(
    models=(
        models.AccessRecord,
        models.Agent,
        models.AgentMetric,
        models.AgentVersion,
        models.ApiKey,
        models.Job,
        models.KnowledgeBase,
        models.KnowledgeChunk,
        models.KnowledgeDocument,
        models.KnowledgeSync,
        models.KnowledgeVersion,
        models.Memory,
        models.MemoryAccess,
        models.MemoryAnnotation,
        models.MemoryRevision,
        models.Message,
        models.ModuleState,
        models.Project,
        models.Queue,
        models.Sandbox,
        models.Schedule,
        models.Session,
        models.SessionEvent,
        models.SessionMetric,
        models.StateTransition,
        models.Team,
        models.ToolCall,
        models.UsageRecord,
        models.User,
    ),
    scopes={models.AccessRecord: ApiKeyScope.ADMIN, models.ApiKey: ApiKeyScope.ADMIN},
)
