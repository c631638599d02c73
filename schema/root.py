"""The root types of the contract, which are its table of contents."""

from __future__ import annotations

from datetime import datetime
from functools import partial

import strawberry
from strawberry.schema.config import StrawberryConfig

import models
from agentdata.engine.costs import ITEM_POINTS
from agentdata.engine.fields import (
    ID,
    Cost,
    Deleted,
    Ordering,
    computation,
    input_,
    mutation,
    page,
    parameter,
    roots,
)
from agentdata.operations import (
    agent_metrics,
    agent_versions,
    agents,
    api_keys,
    embeddings,
    jobs,
    knowledge_bases,
    knowledge_chunks,
    knowledge_documents,
    knowledge_embeddings,
    knowledge_syncs,
    memories,
    memory_accesses,
    memory_annotations,
    messages,
    module_states,
    projects,
    queues,
    sandboxes,
    schedules,
    session_events,
    session_metrics,
    sessions,
    teams,
    tool_calls,
    usage_records,
    users,
)
from agentdata.operations.api_keys import DEFAULT_OVERLAP_S
from agentdata.operations.jobs import DEFAULT_LEASE_MS
from models.knowledge_document import MAX_CHUNKS
from resolvers import rankings, search, words
from resolvers.api_keys import create as create_api_key
from resolvers.api_keys import rotate as rotate_api_key
from resolvers.measures import situation
from resolvers.nodes import NODES
from resolvers.statistics import SESSIONS
from schema.declarations import object_type
from schema.enums import ApiKeyScope, JobState, KnowledgeDocumentStatus
from schema.inputs.access_record import AccessRecordFilter, AccessRecordOrder
from schema.inputs.agent import AgentFilter, AgentOrder, CreateAgentInput, UpdateAgentInput
from schema.inputs.agent_metric import AgentMetricFilter, AgentMetricOrder, RecordAgentMetricInput
from schema.inputs.agent_version import (
    AgentVersionFilter,
    AgentVersionOrder,
    CreateAgentVersionInput,
    UpdateAgentVersionInput,
)
from schema.inputs.api_key import ApiKeyFilter, ApiKeyOrder, CreateApiKeyInput, UpdateApiKeyInput
from schema.inputs.embedding import (
    KnowledgeEmbeddingInput,
    MemoryEmbeddingInput,
    MessageEmbeddingInput,
)
from schema.inputs.job import (
    CompleteJobInput,
    EnqueueJobInput,
    ExtendJobInput,
    FailJobInput,
    JobFilter,
    JobOrder,
)
from schema.inputs.knowledge_base import (
    CreateKnowledgeBaseInput,
    KnowledgeBaseFilter,
    KnowledgeBaseOrder,
    KnowledgeVersionFilter,
    KnowledgeVersionOrder,
    UpdateKnowledgeBaseInput,
)
from schema.inputs.knowledge_chunk import KnowledgeChunkFilter, KnowledgeChunkInput, KnowledgeChunkOrder
from schema.inputs.knowledge_document import (
    KnowledgeDocumentFilter,
    KnowledgeDocumentOrder,
    PutKnowledgeDocumentInput,
    UpdateKnowledgeDocumentInput,
)
from schema.inputs.knowledge_sync import (
    FinishKnowledgeSyncInput,
    KnowledgeSyncFilter,
    KnowledgeSyncOrder,
    RecordKnowledgeSyncInput,
    UpdateKnowledgeSyncInput,
)
from schema.inputs.match import MatchOrder
from schema.inputs.memory import CreateMemoryInput, MemoryFilter, MemoryOrder, UpdateMemoryInput
from schema.inputs.memory_access import MemoryAccessFilter, MemoryAccessOrder, RecordMemoryAccessInput
from schema.inputs.memory_annotation import (
    AnnotateMemoryInput,
    MemoryAnnotationFilter,
    MemoryAnnotationOrder,
)
from schema.inputs.memory_revision import MemoryRevisionFilter, MemoryRevisionOrder
from schema.inputs.message import AppendMessageInput, MessageFilter, MessageOrder, UpdateMessageInput
from schema.inputs.module_state import ModuleStateFilter, ModuleStateOrder, SetModuleStateInput
from schema.inputs.project import UpdateProjectInput
from schema.inputs.queue import QueueFilter, QueueOrder
from schema.inputs.ranking import (
    AgentRankFilter,
    AgentRankOrder,
    MemoryRankFilter,
    MemoryRankOrder,
    ModelRankFilter,
    ModelRankOrder,
    ToolRankFilter,
    ToolRankOrder,
    UserRankFilter,
    UserRankOrder,
)
from schema.inputs.sandbox import SandboxFilter, SandboxOrder, SetSandboxInput, UpdateSandboxInput
from schema.inputs.schedule import PutScheduleInput, ScheduleFilter, ScheduleOrder
from schema.inputs.session import (
    CreateSessionInput,
    EndSessionInput,
    SessionFilter,
    SessionOrder,
    StartSessionInput,
    UpdateSessionInput,
)
from schema.inputs.session_event import RecordEventInput, SessionEventFilter, SessionEventOrder
from schema.inputs.session_metric import (
    RecordSessionMetricInput,
    SessionMetricFilter,
    SessionMetricOrder,
)
from schema.inputs.state_transition import StateTransitionFilter, StateTransitionOrder
from schema.inputs.team import CreateTeamInput, TeamFilter, TeamOrder, UpdateTeamInput
from schema.inputs.tool_call import (
    NewToolCallInput,
    RecordToolResultInput,
    ToolCallFilter,
    ToolCallOrder,
    UpdateToolCallInput,
)
from schema.inputs.usage_record import RecordUsageInput, UsageRecordFilter, UsageRecordOrder
from schema.inputs.user import CreateUserInput, UpdateUserInput, UserFilter, UserOrder
from schema.scalars import JSON, SCALARS
from schema.types.access_record import AccessRecord
from schema.types.agent import Agent
from schema.types.agent_metric import AgentMetric
from schema.types.agent_version import AgentVersion
from schema.types.api_key import ApiKey, CreatedApiKey
from schema.types.connection import Connection, SearchConnection
from schema.types.deletion import Deletion
from schema.types.job import Job
from schema.types.knowledge_base import KnowledgeBase, KnowledgeVersion
from schema.types.knowledge_chunk import KnowledgeChunk
from schema.types.knowledge_document import KnowledgeDocument
from schema.types.knowledge_sync import KnowledgeSync
from schema.types.match import KnowledgeMatch, MemoryMatch, MessageMatch
from schema.types.memory import Memory, MemoryRevision
from schema.types.memory_access import MemoryAccess
from schema.types.memory_annotation import MemoryAnnotation
from schema.types.message import Message
from schema.types.module_state import ModuleState
from schema.types.node import Node
from schema.types.project import Project
from schema.types.queue import Queue
from schema.types.ranking import AgentRank, MemoryRank, ModelRank, ToolRank, UserRank
from schema.types.sandbox import Sandbox
from schema.types.schedule import Schedule
from schema.types.session import RenamedTag, Session
from schema.types.session_event import SessionEvent
from schema.types.session_metric import SessionMetric
from schema.types.state_transition import StateTransition
from schema.types.team import Team
from schema.types.tool_call import ToolCall
from schema.types.usage_record import UsageRecord
from schema.types.user import User

write_users = partial(mutation, scope=ApiKeyScope.USERS_WRITE)
write_teams = partial(mutation, scope=ApiKeyScope.TEAMS_WRITE)
write_agents = partial(mutation, scope=ApiKeyScope.AGENTS_WRITE)
write_sessions = partial(mutation, scope=ApiKeyScope.SESSIONS_WRITE)
write_messages = partial(mutation, scope=ApiKeyScope.MESSAGES_WRITE)
write_events = partial(mutation, scope=ApiKeyScope.EVENTS_WRITE)
write_usage = partial(mutation, scope=ApiKeyScope.USAGE_WRITE)
write_sandboxes = partial(mutation, scope=ApiKeyScope.SANDBOXES_WRITE)
write_states = partial(mutation, scope=ApiKeyScope.STATES_WRITE)
write_metrics = partial(mutation, scope=ApiKeyScope.METRICS_WRITE)
write_memories = partial(mutation, scope=ApiKeyScope.MEMORIES_WRITE)
write_jobs = partial(mutation, scope=ApiKeyScope.JOBS_WRITE)
write_knowledge = partial(mutation, scope=ApiKeyScope.KNOWLEDGE_WRITE)

_LATEST = (Ordering("started_at", descending=True),)
_LAST = (Ordering("timestamp", descending=True),)
_LATEST_MEASURED = (Ordering("timestamp", descending=True),)
_LEASE = parameter("lease", strawberry.ID, "The lease under which the worker holds the job.")
_LEASE_MS = parameter(
    "lease_ms",
    int,
    "How long the lease lasts from now, in milliseconds, from 1,000 to 86,400,000 (a day).",
    default=DEFAULT_LEASE_MS,
)
_QUEUE_NAME = parameter("name", str, "The name of the queue.")

_EMBEDDING_MODEL = parameter(
    "model", str, "The name of the model that made the vectors; at most 255 characters."
)
_EMBEDDINGS_DELETED = parameter(
    "limit", int, "How many vectors to delete at most, from 1 to 10,000.", default=1_000
)
_BEST = (Ordering("score", descending=True),)


@object_type
class Query:
    """Everything that can be read. An answer shows one moment of the data of one project.

    A field needs the scope READ, which all others include, unless it says that it needs another.
    """

    project: Project = roots.tenant(models.Project, "The project of the API key.")
    node: Node | None = roots.node(NODES, "Any object, by its id; NOT_FOUND if there is none.")
    nodes: list[Node | None] = roots.nodes(
        NODES,
        f"Any objects, by 1 to {roots.MAX_IDS} ids, in the order of the ids; null and a NOT_FOUND error for"
        " each id without an object.",
    )

    user: User | None = roots.one(
        models.User, "A user, by exactly one key; NOT_FOUND if there is none.", "id", "email", "external_id"
    )
    users: Connection[User] = page(
        models.User, "The users, newest first.", filter_=UserFilter, order=UserOrder
    )
    team: Team | None = roots.one(
        models.Team, "A team, by exactly one key; NOT_FOUND if there is none.", "id", "name", "external_id"
    )
    teams: Connection[Team] = page(
        models.Team, "The teams, newest first.", filter_=TeamFilter, order=TeamOrder
    )
    agent: Agent | None = roots.one(
        models.Agent, "An agent, by exactly one key; NOT_FOUND if there is none.", "id", "name", "external_id"
    )
    agents: Connection[Agent] = page(
        models.Agent, "The agents, newest first.", filter_=AgentFilter, order=AgentOrder
    )
    agent_version: AgentVersion | None = roots.one(
        models.AgentVersion, "A version of an agent, by its id; NOT_FOUND if there is none.", "id"
    )
    agent_versions: Connection[AgentVersion] = page(
        models.AgentVersion,
        "The versions of all agents, newest first.",
        filter_=AgentVersionFilter,
        order=AgentVersionOrder,
    )
    agent_metric: AgentMetric | None = roots.one(
        models.AgentMetric, "A metric of an agent, by its id; NOT_FOUND if there is none.", "id"
    )
    agent_metrics: Connection[AgentMetric] = page(
        models.AgentMetric,
        "The metrics of all agents, latest first.",
        filter_=AgentMetricFilter,
        order=AgentMetricOrder,
        default=_LATEST_MEASURED,
    )
    session: Session | None = roots.one(
        models.Session, "A session, by exactly one key; NOT_FOUND if there is none.", "id", "external_id"
    )
    sessions: Connection[Session] = page(
        models.Session,
        "The sessions, latest first.",
        filter_=SessionFilter,
        order=SessionOrder,
        default=_LATEST,
    )
    message: Message | None = roots.one(
        models.Message, "A message, by exactly one key; NOT_FOUND if there is none.", "id", "external_id"
    )
    messages: Connection[Message] = page(
        models.Message,
        "The messages of all sessions, newest first.",
        filter_=MessageFilter,
        order=MessageOrder,
    )
    tool_call: ToolCall | None = roots.one(
        models.ToolCall, "A tool call, by its id; NOT_FOUND if there is none.", "id"
    )
    tool_calls: Connection[ToolCall] = page(
        models.ToolCall,
        "The tool calls of all messages, newest first.",
        filter_=ToolCallFilter,
        order=ToolCallOrder,
    )
    session_event: SessionEvent | None = roots.one(
        models.SessionEvent, "An event of a session, by its id; NOT_FOUND if there is none.", "id"
    )
    session_events: Connection[SessionEvent] = page(
        models.SessionEvent,
        "The events of all sessions, latest first.",
        filter_=SessionEventFilter,
        order=SessionEventOrder,
        default=_LAST,
    )
    usage_record: UsageRecord | None = roots.one(
        models.UsageRecord, "A usage record, by its id; NOT_FOUND if there is none.", "id"
    )
    usage_records: Connection[UsageRecord] = page(
        models.UsageRecord,
        "The usage records of all sessions, latest first.",
        filter_=UsageRecordFilter,
        order=UsageRecordOrder,
        default=_LAST,
    )
    sandbox: Sandbox | None = roots.one(
        models.Sandbox, "A sandbox, by its id; NOT_FOUND if there is none.", "id"
    )
    sandboxes: Connection[Sandbox] = page(
        models.Sandbox,
        "The sandboxes of all sessions, newest first.",
        filter_=SandboxFilter,
        order=SandboxOrder,
    )
    module_state: ModuleState | None = roots.one(
        models.ModuleState, "A state of a module, by its id; NOT_FOUND if there is none.", "id"
    )
    module_states: Connection[ModuleState] = page(
        models.ModuleState,
        "The states of all modules, newest first.",
        filter_=ModuleStateFilter,
        order=ModuleStateOrder,
    )
    state_transition: StateTransition | None = roots.one(
        models.StateTransition,
        "A transition between states of a module, by its id; NOT_FOUND if there is none.",
        "id",
    )
    state_transitions: Connection[StateTransition] = page(
        models.StateTransition,
        "The transitions between states of all modules, newest first.",
        filter_=StateTransitionFilter,
        order=StateTransitionOrder,
    )
    session_metric: SessionMetric | None = roots.one(
        models.SessionMetric, "A metric of a session, by its id; NOT_FOUND if there is none.", "id"
    )
    session_metrics: Connection[SessionMetric] = page(
        models.SessionMetric,
        "The metrics of all sessions, latest first.",
        filter_=SessionMetricFilter,
        order=SessionMetricOrder,
        default=_LATEST_MEASURED,
    )
    memory: Memory | None = roots.one(
        models.Memory, "A memory, by exactly one key; NOT_FOUND if there is none.", "id", "external_id"
    )
    memories: Connection[Memory] = page(
        models.Memory, "The memories, newest first.", filter_=MemoryFilter, order=MemoryOrder
    )
    memory_access: MemoryAccess | None = roots.one(
        models.MemoryAccess, "An access to a memory, by its id; NOT_FOUND if there is none.", "id"
    )
    memory_accesses: Connection[MemoryAccess] = page(
        models.MemoryAccess,
        "The accesses to all memories, latest first.",
        filter_=MemoryAccessFilter,
        order=MemoryAccessOrder,
    )
    memory_annotation: MemoryAnnotation | None = roots.one(
        models.MemoryAnnotation, "An annotation on a memory, by its id; NOT_FOUND if there is none.", "id"
    )
    memory_annotations: Connection[MemoryAnnotation] = page(
        models.MemoryAnnotation,
        "The annotations on all memories, newest first.",
        filter_=MemoryAnnotationFilter,
        order=MemoryAnnotationOrder,
    )
    memory_revision: MemoryRevision | None = roots.one(
        models.MemoryRevision,
        "A revision of a memory, by its id; NOT_FOUND if there is none.",
        "id",
    )
    memory_revisions: Connection[MemoryRevision] = page(
        models.MemoryRevision,
        "The revisions of all memories, most recently replaced first.",
        filter_=MemoryRevisionFilter,
        order=MemoryRevisionOrder,
    )
    queue: Queue | None = roots.one(
        models.Queue, "A queue of jobs, by exactly one key; NOT_FOUND if there is none.", "id", "name"
    )
    queues: Connection[Queue] = page(
        models.Queue,
        "The queues of jobs, ordered by name.",
        filter_=QueueFilter,
        order=QueueOrder,
        default=(Ordering("name"),),
    )
    job: Job | None = roots.one(
        models.Job, "A job, by exactly one key; NOT_FOUND if there is none.", "id", "external_id"
    )
    jobs: Connection[Job] = page(
        models.Job, "The jobs of all queues, newest first.", filter_=JobFilter, order=JobOrder
    )
    schedule: Schedule | None = roots.one(
        models.Schedule, "A schedule, by exactly one key; NOT_FOUND if there is none.", "id", "name"
    )
    schedules: Connection[Schedule] = page(
        models.Schedule,
        "The schedules of all queues, ordered by name.",
        filter_=ScheduleFilter,
        order=ScheduleOrder,
        default=(Ordering("name"),),
    )
    knowledge_base: KnowledgeBase | None = roots.one(
        models.KnowledgeBase,
        "A knowledge base, by exactly one key; NOT_FOUND if there is none.",
        "id",
        "name",
        "external_id",
    )
    knowledge_bases: Connection[KnowledgeBase] = page(
        models.KnowledgeBase,
        "The knowledge bases, newest first.",
        filter_=KnowledgeBaseFilter,
        order=KnowledgeBaseOrder,
    )
    knowledge_version: KnowledgeVersion | None = roots.one(
        models.KnowledgeVersion,
        "A version of a knowledge base, by its id; NOT_FOUND if there is none.",
        "id",
    )
    knowledge_versions: Connection[KnowledgeVersion] = page(
        models.KnowledgeVersion,
        "The versions of all knowledge bases, newest first.",
        filter_=KnowledgeVersionFilter,
        order=KnowledgeVersionOrder,
    )
    knowledge_document: KnowledgeDocument | None = roots.one(
        models.KnowledgeDocument,
        "A document of a knowledge base, by its id; NOT_FOUND if there is none.",
        "id",
    )
    knowledge_documents: Connection[KnowledgeDocument] = page(
        models.KnowledgeDocument,
        "The documents of all knowledge bases, newest first.",
        filter_=KnowledgeDocumentFilter,
        order=KnowledgeDocumentOrder,
    )
    knowledge_chunk: KnowledgeChunk | None = roots.one(
        models.KnowledgeChunk, "A chunk of a document, by its id; NOT_FOUND if there is none.", "id"
    )
    knowledge_chunks: Connection[KnowledgeChunk] = page(
        models.KnowledgeChunk,
        "The chunks of all documents, newest first.",
        filter_=KnowledgeChunkFilter,
        order=KnowledgeChunkOrder,
    )
    knowledge_sync: KnowledgeSync | None = roots.one(
        models.KnowledgeSync, "A sync of a knowledge base, by its id; NOT_FOUND if there is none.", "id"
    )
    knowledge_syncs: Connection[KnowledgeSync] = page(
        models.KnowledgeSync,
        "The syncs of all knowledge bases, latest first.",
        filter_=KnowledgeSyncFilter,
        order=KnowledgeSyncOrder,
        default=_LATEST,
    )
    top_users: Connection[UserRank] = page(
        rankings.UserRank,
        "A ranking of users by totals over their sessions, most messages first. Users with no matching"
        " session are left out.",
        filter_=UserRankFilter,
        order=UserRankOrder,
        default=(Ordering("message_count", descending=True),),
        computed=computation(rankings.of_sessions, SESSIONS, column="user_id"),
        cost=rankings.COST_OF_SESSIONS,
    )
    top_agents: Connection[AgentRank] = page(
        rankings.AgentRank,
        "A ranking of agents by totals over their sessions, highest success rate first: the share of"
        " COMPLETED sessions among those that COMPLETED or FAILED. Agents without such a session come last;"
        " agents with no matching session are left out.",
        filter_=AgentRankFilter,
        order=AgentRankOrder,
        default=(Ordering("success_rate", descending=True),),
        computed=computation(rankings.of_sessions, SESSIONS, column="agent_id"),
        cost=rankings.COST_OF_SESSIONS,
    )
    top_tools: Connection[ToolRank] = page(
        rankings.ToolRank,
        "A ranking of tools by their calls, most failures first. A filter on `name` gives the numbers of"
        " one tool.",
        filter_=ToolRankFilter,
        order=ToolRankOrder,
        default=(Ordering("failed_count", descending=True),),
        computed=computation(rankings.tools, SESSIONS, situation=situation),
        cost=rankings.COST_OF_CONTENTS,
    )
    top_models: Connection[ModelRank] = page(
        rankings.ModelRank,
        "A ranking of models by their use according to messages and usage records, most tokens first.",
        filter_=ModelRankFilter,
        order=ModelRankOrder,
        default=(Ordering("total_tokens", descending=True),),
        computed=computation(rankings.models, SESSIONS, situation=situation),
        cost=rankings.COST_OF_CONTENTS,
    )
    top_memories: Connection[MemoryRank] = page(
        rankings.MemoryRank,
        "A ranking of memories by their accesses, most useful first. Memories whose usefulness no access"
        " reports come last.",
        filter_=MemoryRankFilter,
        order=MemoryRankOrder,
        default=(Ordering("usefulness", descending=True),),
        computed=computation(rankings.memories, rankings.MEMORIES),
    )
    search_messages: SearchConnection[MessageMatch] = page(
        search.MessageMatch,
        "The messages whose content has the words of a query, or that are nearest to an embedding, best"
        f" matches first. Of the messages with the words, the newest {words.MAX_RANKED:,} are ranked and"
        " counted; `isComplete` tells whether there are more.",
        order=MatchOrder,
        default=_BEST,
        computed=search.FOUND_MESSAGES,
        cost=search.COST,
    )
    search_memories: SearchConnection[MemoryMatch] = page(
        search.MemoryMatch,
        "The memories whose name, description and content together have the words of a query, or that are"
        " nearest to an embedding, best matches first. Of the memories with the words, the newest"
        f" {words.MAX_RANKED:,} are ranked and counted; `isComplete` tells whether there are more.",
        order=MatchOrder,
        default=_BEST,
        computed=search.FOUND_MEMORIES,
        cost=search.COST,
    )
    search_knowledge: SearchConnection[KnowledgeMatch] = page(
        search.KnowledgeMatch,
        "The chunks of documents whose content has the words of a query, or that are nearest to an embedding,"
        f" best matches first. Of the chunks with the words, the newest {words.MAX_RANKED:,} are ranked and"
        " counted; `isComplete` tells whether there are more. By meaning, the bases are searched whose"
        " `dimensions` are those of the embedding.",
        order=MatchOrder,
        default=_BEST,
        computed=search.FOUND_KNOWLEDGE,
        cost=search.COST,
    )
    api_keys: Connection[ApiKey] = page(
        models.ApiKey,
        "The API keys of the project, newest first. Needs the scope ADMIN.",
        filter_=ApiKeyFilter,
        order=ApiKeyOrder,
        scope=ApiKeyScope.ADMIN,
    )
    access_records: Connection[AccessRecord] = page(
        models.AccessRecord,
        "The records of who wrote, and of who read if the server records it, latest first. Needs the scope"
        " ADMIN.",
        filter_=AccessRecordFilter,
        order=AccessRecordOrder,
        scope=ApiKeyScope.ADMIN,
    )


@object_type
class Mutation:
    """Everything that can be written.

    Each field is one transaction, which takes effect as a whole or not at all. Each says which scope it
    needs; WRITE includes all that end in `_WRITE`, and ADMIN includes WRITE.
    """

    update_project: Project | None = mutation(
        projects.update, "Change the project.", input_(UpdateProjectInput), scope=ApiKeyScope.ADMIN
    )
    create_api_key: CreatedApiKey | None = mutation(
        create_api_key, "Create an API key.", input_(CreateApiKeyInput), scope=ApiKeyScope.ADMIN
    )
    update_api_key: ApiKey | None = mutation(
        api_keys.update,
        "Change an API key. The change takes effect within a second.",
        ID,
        input_(UpdateApiKeyInput),
        scope=ApiKeyScope.ADMIN,
    )
    rotate_api_key: CreatedApiKey | None = mutation(
        rotate_api_key,
        "Create a successor of an API key, with its name and scopes, and let the key itself expire after an"
        " overlap, in which both are valid.",
        ID,
        parameter(
            "overlap_s",
            int,
            "How long the key stays valid, in seconds, from 0 to 2592000 (30 days); a day by default. A key"
            " that expires earlier keeps its expiry.",
            default=DEFAULT_OVERLAP_S,
        ),
        parameter(
            "expires_at",
            datetime | None,
            "When the successor expires, a time in the future, or null for never; by default when the key"
            " would have expired.",
            default=strawberry.UNSET,
        ),
        scope=ApiKeyScope.ADMIN,
    )
    revoke_api_key: ApiKey | None = mutation(
        api_keys.revoke,
        "Revoke an API key for good. It stops working within a second.",
        ID,
        scope=ApiKeyScope.ADMIN,
    )

    create_user: User | None = write_users(users.create, "Add a user.", input_(CreateUserInput), creates=True)
    update_user: User | None = write_users(users.update, "Change a user.", ID, input_(UpdateUserInput))
    delete_user: Deletion | None = write_users(
        users.delete,
        "Delete a user. The user's sessions, messages, agents and memories are kept, without a user.",
        ID,
        returns=Deleted,
    )

    create_team: Team | None = write_teams(teams.create, "Add a team.", input_(CreateTeamInput), creates=True)
    update_team: Team | None = write_teams(teams.update, "Change a team.", ID, input_(UpdateTeamInput))
    delete_team: Deletion | None = write_teams(
        teams.delete, "Delete a team. Its agents and sessions are kept.", ID, returns=Deleted
    )
    add_team_members: Team | None = write_teams(
        teams.add_members,
        "Add agents to a team; agents that are already members are ignored.",
        parameter("team_id", strawberry.ID, "The id of the team.", as_="id_"),
        parameter("agent_ids", list[strawberry.ID], "The ids of the agents, from 1 to 1,000."),
    )
    remove_team_members: Team | None = write_teams(
        teams.remove_members,
        "Remove agents from a team; agents that are not members are ignored.",
        parameter("team_id", strawberry.ID, "The id of the team.", as_="id_"),
        parameter("agent_ids", list[strawberry.ID], "The ids of the agents, from 1 to 1,000."),
    )

    create_agent: Agent | None = write_agents(
        agents.create, "Add an agent.", input_(CreateAgentInput), creates=True
    )
    update_agent: Agent | None = write_agents(agents.update, "Change an agent.", ID, input_(UpdateAgentInput))
    delete_agent: Deletion | None = write_agents(
        agents.delete,
        "Delete an agent with its versions and metrics. Its sessions, messages and memories are kept,"
        " without an agent.",
        ID,
        returns=Deleted,
    )
    create_agent_version: AgentVersion | None = write_agents(
        agent_versions.create, "Add a version to an agent.", input_(CreateAgentVersionInput), creates=True
    )
    update_agent_version: AgentVersion | None = write_agents(
        agent_versions.update, "Change a version of an agent.", ID, input_(UpdateAgentVersionInput)
    )
    activate_agent_version: AgentVersion | None = write_agents(
        agent_versions.activate,
        "Make a version the active one of its agent. The version that was active is deactivated.",
        ID,
    )
    delete_agent_version: Deletion | None = write_agents(
        agent_versions.delete,
        "Delete a version of an agent. Its sessions and metrics are kept, without a version.",
        ID,
        returns=Deleted,
    )

    create_session: Session | None = write_sessions(
        sessions.create,
        "Record a session in any status, such as one that took place earlier.",
        input_(CreateSessionInput),
        creates=True,
    )
    start_session: Session | None = write_sessions(
        sessions.start,
        "Start a session now, on its agent's active version unless another one is given.",
        input_(StartSessionInput),
        creates=True,
    )
    update_session: Session | None = write_sessions(
        sessions.update, "Change a session.", ID, input_(UpdateSessionInput)
    )
    end_session: Session | None = write_sessions(
        sessions.end,
        "End a session. Fails with CONFLICT if it has already ended.",
        ID,
        parameter(
            "input", EndSessionInput | None, "How the session ended.", as_="values", default=strawberry.UNSET
        ),
    )
    delete_session: Deletion | None = write_sessions(
        sessions.delete,
        "Delete a session with its messages, tool calls, events, usage records, states of modules, metrics"
        " and sandbox. Its memories are kept, without a session. Fails with CONFLICT if it has children and"
        " `tree` is not true.",
        ID,
        parameter("tree", bool, "Whether to delete all sessions below it as well.", default=False),
        returns=Deleted,
    )
    add_session_tags: list[Session] | None = write_sessions(
        sessions.add_tags,
        "Add tags to sessions, after the tags that they have.",
        parameter("session_ids", list[strawberry.ID], "The ids of the sessions, from 1 to 1,000.", as_="ids"),
        parameter("tags", list[str], "The tags, from 1 to 100."),
    )
    remove_session_tags: list[Session] | None = write_sessions(
        sessions.remove_tags,
        "Remove tags from sessions; sessions without the tags stay as they are.",
        parameter("session_ids", list[strawberry.ID], "The ids of the sessions, from 1 to 1,000.", as_="ids"),
        parameter("tags", list[str], "The tags, from 1 to 100."),
    )
    rename_session_tag: RenamedTag | None = write_sessions(
        sessions.rename_tag,
        "Rename a tag on every session of the project that has it.",
        parameter("from", str, "The tag to rename.", as_="old"),
        parameter("to", str, "The new name of the tag.", as_="new"),
    )

    append_messages: list[Message] | None = write_messages(
        messages.append,
        "Append messages to a session, in order, together with the tool calls that they make or answer.",
        parameter("session_id", strawberry.ID, "The id of the session."),
        parameter(
            "messages",
            list[AppendMessageInput],
            "The messages, from 1 to 10,000. Their `sequence` continues after the last message of the"
            " session.",
        ),
        creates=True,
    )
    update_message: Message | None = write_messages(
        messages.update, "Change a message.", ID, input_(UpdateMessageInput)
    )
    put_message_embeddings: list[Message] | None = write_messages(
        embeddings.put_for_messages,
        "Add the vectors that a model made of messages, or replace those that it made before: all of them, or"
        " none. A change of the content deletes them. Returns the messages in the order of the vectors.",
        _EMBEDDING_MODEL,
        parameter(
            "embeddings",
            list[MessageEmbeddingInput],
            "The vectors, from 1 to 1,000, each of another message.",
        ),
    )
    delete_message_embeddings: Deletion | None = write_messages(
        embeddings.delete_of_messages,
        "Delete the vectors that a model made of messages, such as one that is no longer used, and return the"
        " ids of these messages, which stay. If as many were deleted as `limit` allows, send it again to"
        " delete more.",
        _EMBEDDING_MODEL,
        _EMBEDDINGS_DELETED,
        returns=Deleted,
    )
    redact_message: Message | None = write_messages(
        messages.redact,
        "Remove the contents of a message and of its tool calls for good. Who spoke and when is kept.",
        ID,
    )
    delete_message: Deletion | None = write_messages(
        messages.delete,
        "Delete a message with its tool calls. The other messages keep their positions.",
        ID,
        returns=Deleted,
    )
    create_tool_call: ToolCall | None = write_messages(
        tool_calls.create,
        "Add a tool call to an ASSISTANT message, after the calls that it has.",
        parameter("message_id", strawberry.ID, "The id of the message."),
        input_(NewToolCallInput),
        creates=True,
    )
    record_tool_result: ToolCall | None = write_messages(
        tool_calls.record_result,
        "Record the outcome of a pending tool call. Fails with CONFLICT if the call is already settled.",
        ID,
        input_(RecordToolResultInput),
    )
    update_tool_call: ToolCall | None = write_messages(
        tool_calls.update, "Change a tool call.", ID, input_(UpdateToolCallInput)
    )
    delete_tool_call: Deletion | None = write_messages(
        tool_calls.delete, "Delete a tool call.", ID, returns=Deleted
    )

    record_events: list[SessionEvent] | None = write_events(
        session_events.record,
        "Record events of a session, in order: all of them, or none.",
        parameter("session_id", strawberry.ID, "The id of the session."),
        parameter(
            "events",
            list[RecordEventInput],
            "The events, from 1 to 10,000. Their `sequence` continues after the last event of the session.",
        ),
        creates=True,
    )
    delete_session_event: Deletion | None = write_events(
        session_events.delete,
        "Delete an event of a session. The other events keep their positions.",
        ID,
        returns=Deleted,
    )
    record_usage: list[UsageRecord] | None = write_usage(
        usage_records.record,
        "Record uses of models, in one session or in many: all of them, or none. Their tokens and costs are"
        " added to the totals of their sessions in the same transaction.",
        parameter("records", list[RecordUsageInput], "The usage records, from 1 to 10,000."),
        creates=True,
    )
    delete_usage_record: Deletion | None = write_usage(
        usage_records.delete,
        "Delete a usage record. Its tokens and cost are subtracted from the totals of its session.",
        ID,
        returns=Deleted,
    )
    set_sandbox: Sandbox | None = write_sandboxes(
        sandboxes.set_,
        "Change the sandbox of a session, or create one if the session has none.",
        parameter("session_id", strawberry.ID, "The id of the session."),
        input_(SetSandboxInput),
        creates=True,
    )
    update_sandbox: Sandbox | None = write_sandboxes(
        sandboxes.update, "Change a sandbox.", ID, input_(UpdateSandboxInput)
    )
    delete_sandbox: Deletion | None = write_sandboxes(
        sandboxes.delete, "Delete a sandbox. Its session is kept, without one.", ID, returns=Deleted
    )

    set_module_state: ModuleState | None = write_states(
        module_states.set_,
        "Set the state of a module: add a state after its latest, and record the transition between them.",
        input_(SetModuleStateInput),
        creates=True,
    )
    set_module_states: list[ModuleState] | None = write_states(
        module_states.set_all,
        "Set states of modules, in order: all of them, or none.",
        parameter(
            "states",
            list[SetModuleStateInput],
            "The states, from 1 to 1,000. States of the same module follow each other.",
        ),
        creates=True,
    )

    record_agent_metrics: list[AgentMetric] | None = write_metrics(
        agent_metrics.record,
        "Record metrics of agents: all of them, or none.",
        parameter("metrics", list[RecordAgentMetricInput], "The metrics, from 1 to 10,000."),
        creates=True,
    )
    delete_agent_metric: Deletion | None = write_metrics(
        agent_metrics.delete, "Delete a metric of an agent.", ID, returns=Deleted
    )
    record_session_metrics: list[SessionMetric] | None = write_metrics(
        session_metrics.record,
        "Record metrics of sessions: all of them, or none.",
        parameter("metrics", list[RecordSessionMetricInput], "The metrics, from 1 to 10,000."),
        creates=True,
    )
    delete_session_metric: Deletion | None = write_metrics(
        session_metrics.delete, "Delete a metric of a session.", ID, returns=Deleted
    )

    create_memory: Memory | None = write_memories(
        memories.create, "Add a memory.", input_(CreateMemoryInput), creates=True
    )
    create_memories: list[Memory] | None = write_memories(
        memories.create_all,
        "Add memories: all of them, or none.",
        parameter("memories", list[CreateMemoryInput], "The memories, from 1 to 1,000."),
        creates=True,
    )
    update_memory: Memory | None = write_memories(
        memories.update,
        "Change a memory. A replaced content stays in the memory's history.",
        ID,
        input_(UpdateMemoryInput),
    )
    delete_memory: Deletion | None = write_memories(
        memories.delete,
        "Delete a memory with its accesses, annotations, history and links.",
        ID,
        returns=Deleted,
    )
    link_memories: Memory | None = write_memories(
        memories.link,
        "Link a memory with others, both ways; memories that are already linked are ignored.",
        parameter("memory_id", strawberry.ID, "The id of the memory."),
        parameter(
            "related_memory_ids", list[strawberry.ID], "The ids of the other memories, from 1 to 1,000."
        ),
    )
    unlink_memories: Memory | None = write_memories(
        memories.unlink,
        "Unlink a memory from others, both ways; memories that are not linked are ignored.",
        parameter("memory_id", strawberry.ID, "The id of the memory."),
        parameter(
            "related_memory_ids", list[strawberry.ID], "The ids of the other memories, from 1 to 1,000."
        ),
    )
    put_memory_embeddings: list[Memory] | None = write_memories(
        embeddings.put_for_memories,
        "Add the vectors that a model made of memories, or replace those that it made before: all of them, or"
        " none. A change of the name, the description or the content deletes them. Returns the memories in"
        " the order of the vectors.",
        _EMBEDDING_MODEL,
        parameter(
            "embeddings", list[MemoryEmbeddingInput], "The vectors, from 1 to 1,000, each of another memory."
        ),
    )
    delete_memory_embeddings: Deletion | None = write_memories(
        embeddings.delete_of_memories,
        "Delete the vectors that a model made of memories, such as one that is no longer used, and return the"
        " ids of these memories, which stay. If as many were deleted as `limit` allows, send it again to"
        " delete more. Fails with CONFLICT if a worker makes vectors of this model.",
        _EMBEDDING_MODEL,
        _EMBEDDINGS_DELETED,
        returns=Deleted,
    )
    record_memory_access: MemoryAccess | None = write_memories(
        memory_accesses.record,
        "Record an access to a memory, which updates `accessCount` and `lastAccessedAt` of the memory.",
        input_(RecordMemoryAccessInput),
        creates=True,
    )
    record_memory_accesses: list[MemoryAccess] | None = write_memories(
        memory_accesses.record_all,
        "Record accesses to memories: all of them, or none. Each updates `accessCount` and `lastAccessedAt`"
        " of its memory.",
        parameter("accesses", list[RecordMemoryAccessInput], "The accesses, from 1 to 1,000."),
        creates=True,
    )
    annotate_memory: MemoryAnnotation | None = write_memories(
        memory_annotations.annotate,
        "Add an annotation to a memory. The memory does not change until the annotation is applied.",
        input_(AnnotateMemoryInput),
        creates=True,
    )
    annotate_memories: list[MemoryAnnotation] | None = write_memories(
        memory_annotations.annotate_all,
        "Add annotations to memories: all of them, or none.",
        parameter("annotations", list[AnnotateMemoryInput], "The annotations, from 1 to 1,000."),
        creates=True,
    )
    apply_annotation: MemoryAnnotation | None = write_memories(
        memory_annotations.apply,
        "Apply an annotation to its memory: a `correction` replaces the content, an `enhancement` is"
        " appended to it on a line of its own, and a `verification` sets `verificationStatus`. Fails with"
        " CONFLICT if the annotation is already applied.",
        ID,
    )
    delete_memory_annotation: Deletion | None = write_memories(
        memory_annotations.delete,
        "Delete an annotation on a memory. The changes that it made when it was applied are kept.",
        ID,
        returns=Deleted,
    )

    enqueue_job: Job | None = write_jobs(
        jobs.enqueue,
        "Add a job to a queue. If a job has the same `externalId`, that job is returned as it is.",
        input_(EnqueueJobInput),
        creates=True,
    )
    enqueue_jobs: list[Job] | None = write_jobs(
        jobs.enqueue_all,
        "Add jobs to queues: all of them, or none. If a job has the same `externalId` as one of them, that"
        " job is returned as it is.",
        parameter("jobs", list[EnqueueJobInput], "The jobs, from 1 to 1,000."),
        creates=True,
    )
    claim_jobs: list[Job] | None = write_jobs(
        jobs.claim,
        "Claim the next jobs of a queue for a worker: those of the highest priority, and of these the ones"
        " that came due first. It holds them under a lease. If the lease runs out before the worker extends"
        " it or settles them, another worker gets them. The list is empty if no job waits, or if the queue is"
        " paused or does not exist.",
        parameter("queue", str, "The name of the queue."),
        parameter("worker", str, "The name of the worker, at most 255 characters."),
        _LEASE_MS,
        parameter("limit", int, "How many jobs the worker takes at most, from 1 to 1,000.", default=1),
        cost=Cost(
            ("limit",),
            lambda arguments: min(max(arguments["limit"], 0), jobs.MAX_JOBS),
            object_points=ITEM_POINTS,
        ),
    )
    extend_job: Job | None = write_jobs(
        jobs.extend,
        "Let the lease of a job run out later. Fails with CONFLICT if the worker no longer holds the job.",
        ID,
        _LEASE,
        _LEASE_MS,
        parameter(
            "progress",
            float | None,
            "How far the work is, from 0 to 1; as it was by default.",
            default=strawberry.UNSET,
        ),
    )
    extend_jobs: list[Job] | None = write_jobs(
        jobs.extend_all,
        "Let the leases of jobs run out later: of all of them, or of none. Fails with CONFLICT if the worker"
        " no longer holds one of them.",
        parameter("jobs", list[ExtendJobInput], "The jobs, from 1 to 1,000."),
    )
    complete_job: Job | None = write_jobs(
        jobs.complete,
        "Complete a job. Fails with CONFLICT if the worker no longer holds it.",
        ID,
        _LEASE,
        parameter("result", JSON | None, "What the work resulted in: any JSON.", default=strawberry.UNSET),
    )
    complete_jobs: list[Job] | None = write_jobs(
        jobs.complete_all,
        "Complete jobs: all of them, or none. Fails with CONFLICT if the worker no longer holds one of them.",
        parameter("jobs", list[CompleteJobInput], "The jobs, from 1 to 1,000."),
    )
    fail_job: Job | None = write_jobs(
        jobs.fail,
        "Record that an attempt of a job failed. The job is DELAYED until its next attempt, or FAILED if it"
        " has none left. Fails with CONFLICT if the worker no longer holds it.",
        ID,
        _LEASE,
        parameter("error", str, "Why the attempt failed."),
        parameter(
            "retry", bool, "Whether the job may be tried again, if it has attempts left.", default=True
        ),
    )
    fail_jobs: list[Job] | None = write_jobs(
        jobs.fail_all,
        "Record that attempts of jobs failed: of all of them, or of none. Each job is DELAYED until its next"
        " attempt, or FAILED if it has none left. Fails with CONFLICT if the worker no longer holds one of"
        " them.",
        parameter("jobs", list[FailJobInput], "The jobs, from 1 to 1,000."),
    )
    retry_job: Job | None = write_jobs(
        jobs.retry,
        "Let a job that is FAILED, COMPLETED or CANCELLED wait again, with all of its attempts. Fails with"
        " CONFLICT if it has not ended.",
        ID,
    )
    retry_jobs: list[Job] | None = write_jobs(
        jobs.retry_all,
        "Let jobs that are FAILED, COMPLETED or CANCELLED wait again, with all of their attempts: all of"
        " them, or none. Fails with CONFLICT if one has not ended.",
        parameter("ids", list[strawberry.ID], "The ids of the jobs, from 1 to 1,000."),
    )
    cancel_job: Job | None = write_jobs(
        jobs.cancel,
        "Cancel a job. A worker that holds it can no longer settle it. Fails with CONFLICT if the job has"
        " ended.",
        ID,
    )
    cancel_jobs: list[Job] | None = write_jobs(
        jobs.cancel_all,
        "Cancel jobs: all of them, or none. Workers that hold them can no longer settle them. Fails with"
        " CONFLICT if one has ended.",
        parameter("ids", list[strawberry.ID], "The ids of the jobs, from 1 to 1,000."),
    )
    delete_job: Deletion | None = write_jobs(jobs.delete, "Delete a job.", ID, returns=Deleted)
    pause_queue: Queue | None = write_jobs(
        queues.pause,
        "Pause a queue: its jobs stay, and no worker gets one. Workers may settle the jobs that they hold.",
        _QUEUE_NAME,
    )
    resume_queue: Queue | None = write_jobs(queues.resume, "Resume a paused queue.", _QUEUE_NAME)
    clean_queue: Deletion | None = write_jobs(
        queues.clean,
        "Delete jobs of a queue that have ended. If as many were deleted as `limit` allows, send it again to"
        " delete more.",
        _QUEUE_NAME,
        parameter(
            "states",
            list[JobState] | None,
            "The states of the jobs to delete, some of COMPLETED, FAILED and CANCELLED; COMPLETED by"
            " default.",
            default=strawberry.UNSET,
        ),
        parameter(
            "finished_before",
            datetime | None,
            "Delete only jobs that ended before this time; now by default.",
            default=strawberry.UNSET,
        ),
        parameter("limit", int, "How many jobs to delete at most, from 1 to 10,000.", default=1_000),
        returns=Deleted,
    )
    delete_queue: Deletion | None = write_jobs(
        queues.delete, "Delete a queue with its jobs and schedules.", ID, returns=Deleted
    )
    put_schedule: Schedule | None = write_jobs(
        schedules.put,
        "Add a schedule, or change the schedule of the same name.",
        input_(PutScheduleInput),
        creates=True,
    )
    delete_schedule: Deletion | None = write_jobs(
        schedules.delete, "Delete a schedule. Its jobs are kept, without a schedule.", ID, returns=Deleted
    )
    create_knowledge_base: KnowledgeBase | None = write_knowledge(
        knowledge_bases.create, "Add a knowledge base.", input_(CreateKnowledgeBaseInput), creates=True
    )
    update_knowledge_base: KnowledgeBase | None = write_knowledge(
        knowledge_bases.update, "Change a knowledge base.", ID, input_(UpdateKnowledgeBaseInput)
    )
    delete_knowledge_base: Deletion | None = write_knowledge(
        knowledge_bases.delete,
        "Delete a knowledge base with its versions, documents, chunks and syncs. Its agents are kept.",
        ID,
        returns=Deleted,
    )
    delete_knowledge_version: Deletion | None = write_knowledge(
        knowledge_bases.delete_version,
        "Delete a version of a knowledge base with its documents and chunks.",
        ID,
        returns=Deleted,
    )
    link_knowledge_bases: Agent | None = write_knowledge(
        knowledge_bases.link,
        "Let an agent use knowledge bases; those that it uses already are ignored.",
        parameter("agent_id", strawberry.ID, "The id of the agent."),
        parameter(
            "knowledge_base_ids", list[strawberry.ID], "The ids of the knowledge bases, from 1 to 1,000."
        ),
    )
    unlink_knowledge_bases: Agent | None = write_knowledge(
        knowledge_bases.unlink,
        "Let an agent no longer use knowledge bases; those that it does not use are ignored.",
        parameter("agent_id", strawberry.ID, "The id of the agent."),
        parameter(
            "knowledge_base_ids", list[strawberry.ID], "The ids of the knowledge bases, from 1 to 1,000."
        ),
    )
    put_knowledge_document: KnowledgeDocument | None = write_knowledge(
        knowledge_documents.put,
        "Add a document to a version of a knowledge base, or change the one that has its `externalId` there.",
        input_(PutKnowledgeDocumentInput),
        creates=True,
    )
    put_knowledge_documents: list[KnowledgeDocument] | None = write_knowledge(
        knowledge_documents.put_all,
        "Add or change documents, each as by `putKnowledgeDocument`: all of them, or none.",
        parameter("documents", list[PutKnowledgeDocumentInput], "The documents, from 1 to 1,000."),
        creates=True,
    )
    update_knowledge_document: KnowledgeDocument | None = write_knowledge(
        knowledge_documents.update,
        "Change a document of a knowledge base.",
        ID,
        input_(UpdateKnowledgeDocumentInput),
    )
    delete_knowledge_document: Deletion | None = write_knowledge(
        knowledge_documents.delete, "Delete a document with its chunks.", ID, returns=Deleted
    )
    delete_knowledge_documents: Deletion | None = write_knowledge(
        knowledge_documents.delete_all,
        "Delete documents of a knowledge base with their chunks, by their external ids, such as the paths of"
        " files that are gone. External ids that no document has are ignored.",
        parameter("knowledge_base_id", strawberry.ID, "The id of the knowledge base."),
        parameter("external_ids", list[str], "The external ids of the documents, from 1 to 1,000."),
        parameter(
            "version",
            str | None,
            "The version to delete them from; all versions by default.",
            default=strawberry.UNSET,
        ),
        returns=Deleted,
    )
    put_knowledge_chunks: KnowledgeDocument | None = write_knowledge(
        knowledge_chunks.put,
        "Write the chunks of a document, in order, and set its status. They replace all chunks that the"
        " document has, unless `replace` is false.",
        parameter("document_id", strawberry.ID, "The id of the document."),
        parameter(
            "chunks",
            list[KnowledgeChunkInput],
            "The chunks, at most 1,000; none to empty the document. A document may have up to"
            f" {MAX_CHUNKS:,}: send the first with `replace`, and the others after them without.",
        ),
        parameter(
            "replace",
            bool,
            "Whether the chunks replace those that the document has. If false, they follow its last chunk,"
            " and there must be at least one.",
            default=True,
        ),
        parameter(
            "status",
            KnowledgeDocumentStatus | None,
            "The new status of the document, READY by default, which clears `statusMessage`; give PROCESSING"
            " if more chunks follow, and null to leave both as they are.",
            default=KnowledgeDocumentStatus.READY,
        ),
        parameter(
            "embedding_model",
            str | None,
            "The model that made the vectors of the chunks: the `embeddingModel` of the base, which is the"
            " default, or its `nextEmbeddingModel`.",
            default=strawberry.UNSET,
        ),
        creates=True,
    )
    put_knowledge_embeddings: KnowledgeBase | None = write_knowledge(
        knowledge_embeddings.put,
        "Add the vectors that a model made of chunks of a knowledge base, or replace those that it made"
        " before: all of them, or none. The first vectors of a base set its `dimensions`, unless it has"
        " them.",
        parameter("knowledge_base_id", strawberry.ID, "The id of the knowledge base."),
        parameter("model", str, "The model: the `embeddingModel` of the base, or its `nextEmbeddingModel`."),
        parameter(
            "embeddings",
            list[KnowledgeEmbeddingInput],
            "The vectors, from 1 to 1,000, each of another chunk of the base.",
        ),
    )
    start_knowledge_reembedding: KnowledgeBase | None = write_knowledge(
        knowledge_embeddings.start,
        "Let a knowledge base take vectors of another model beside those that it has, as its"
        " `nextEmbeddingModel`. Searches compare those of `embeddingModel` until"
        " `finishKnowledgeReembedding`. Fails with CONFLICT if another model is being filled in.",
        ID,
        parameter("embedding_model", str, "The name of the other model; at most 255 characters."),
        parameter("dimensions", int, "How many numbers its vectors have, from 1 to 4,000."),
    )
    finish_knowledge_reembedding: KnowledgeBase | None = write_knowledge(
        knowledge_embeddings.finish,
        "Let searches compare the vectors of `nextEmbeddingModel` from now on, which becomes the"
        " `embeddingModel`, and then delete the vectors of the model before. Fails with CONFLICT if chunks"
        " have no vector of the next model. Give the `embeddingModel` to be able to repeat it if no answer"
        " came.",
        ID,
        parameter(
            "embedding_model",
            str | None,
            "The name of the next model. If it is the `embeddingModel` of the base already, and no other is"
            " being filled in, this has been done before: it answers as it did then, and deletes what is left"
            " of other vectors. If it is neither, the mutation fails with CONFLICT.",
            default=strawberry.UNSET,
        ),
        parameter(
            "allow_missing",
            bool,
            "Whether to go on if chunks have no vector of the next model; searches by meaning then do not"
            " find them.",
            default=False,
        ),
    )
    cancel_knowledge_reembedding: KnowledgeBase | None = write_knowledge(
        knowledge_embeddings.cancel,
        "Give up the `nextEmbeddingModel` of a knowledge base, and delete all vectors that are not of its"
        " `embeddingModel`.",
        ID,
    )
    record_knowledge_accesses: list[KnowledgeDocument] | None = write_knowledge(
        knowledge_documents.record_accesses,
        "Count accesses to documents, which updates their `accessCount` and `lastAccessedAt`: all of them,"
        " or none. The result has each document once.",
        parameter(
            "document_ids",
            list[strawberry.ID],
            "The ids of the documents, from 1 to 1,000; an id that is given twice counts twice.",
        ),
        creates=True,
    )
    record_knowledge_sync: KnowledgeSync | None = write_knowledge(
        knowledge_syncs.record,
        "Record a sync of a knowledge base: one that starts, or one that has finished.",
        input_(RecordKnowledgeSyncInput),
        creates=True,
    )
    record_knowledge_syncs: list[KnowledgeSync] | None = write_knowledge(
        knowledge_syncs.record_all,
        "Record syncs of knowledge bases: all of them, or none.",
        parameter("syncs", list[RecordKnowledgeSyncInput], "The syncs, from 1 to 1,000."),
        creates=True,
    )
    update_knowledge_sync: KnowledgeSync | None = write_knowledge(
        knowledge_syncs.update, "Change a sync, such as its progress.", ID, input_(UpdateKnowledgeSyncInput)
    )
    finish_knowledge_sync: KnowledgeSync | None = write_knowledge(
        knowledge_syncs.finish,
        "Finish a sync that is RUNNING. Fails with CONFLICT if it has already finished.",
        ID,
        input_(FinishKnowledgeSyncInput),
    )
    delete_knowledge_sync: Deletion | None = write_knowledge(
        knowledge_syncs.delete, "Delete a sync.", ID, returns=Deleted
    )


schema = strawberry.Schema(query=Query, mutation=Mutation, config=StrawberryConfig(scalar_map=SCALARS))
"""The contract, which ``schema.graphql`` prints."""
