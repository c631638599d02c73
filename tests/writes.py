"""The mutations that take input objects: the document of each, and its smallest valid input."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast
from uuid import uuid4

from graphql import (
    GraphQLInputObjectType,
    GraphQLList,
    GraphQLObjectType,
    get_named_type,
    get_nullable_type,
)
from sqlalchemy import text

from agentdata.engine.strawberry_access import core_schema
from models import Base
from models.enums import MessageRole
from schema.root import schema
from tests import factories

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

    from tests.api import Answer, Api

CONTRACT = core_schema(schema)
MUTATIONS = cast("GraphQLObjectType", CONTRACT.mutation_type).fields


@dataclass(frozen=True)
class InputMutation:
    """A mutation that takes an input object, or a list of one."""

    mutation: str
    input: str
    least: dict[str, Any]
    """The smallest valid input; `@noun` stands for the id of a row of that noun, `@new` for a new text."""
    target: tuple[str, str] | None = None
    """The argument for an id beside the input, and the noun of that id."""
    also: str = ""
    """Further arguments that the mutation requires, as literals."""

    @property
    def is_list(self) -> bool:
        """Whether the mutation takes a list of inputs."""
        return isinstance(get_nullable_type(MUTATIONS[self.mutation].args[self.argument].type), GraphQLList)

    @property
    def argument(self) -> str:
        """The name of the argument that takes the input."""
        arguments = MUTATIONS[self.mutation].args
        name: str
        [name] = [each for each in arguments if get_named_type(arguments[each].type).name == self.input]
        return name

    @property
    def fields(self) -> dict[str, Any]:
        """The fields of the input, by name."""
        fields: dict[str, Any] = cast("GraphQLInputObjectType", CONTRACT.type_map[self.input]).fields
        return fields

    @property
    def returns(self) -> GraphQLObjectType:
        """The type that the mutation returns."""
        return cast("GraphQLObjectType", get_named_type(MUTATIONS[self.mutation].type))

    def document(self, selection: str = "__typename") -> str:
        """Return a document that runs the mutation."""
        type_ = f"[{self.input}!]!" if self.is_list else f"{self.input}!"
        declared = f"${self.argument}: {type_}" + (", $target: ID!" if self.target else "")
        given = f"{self.argument}: ${self.argument}" + (f", {self.target[0]}: $target" if self.target else "")
        given += f", {self.also}" if self.also else ""
        return f"mutation({declared}) {{ {self.mutation}({given}) {{ {selection} }} }}"

    def variables(self, things: dict[str, str], values: dict[str, Any]) -> dict[str, Any]:
        """Return the variables of the document: the smallest input, and these values."""
        full = fill_in({**self.least, **values}, things)
        target = {"target": things[self.target[1]]} if self.target else {}
        return {self.argument: [full] if self.is_list else full, **target}

    async def answer(self, api: Api, things: dict[str, str], **values: Any) -> Answer:
        """Run the mutation and return its answer."""
        return await api.answer(self.document(), **self.variables(things, values))


_ACCESS = {"memoryId": "@memory", "accessType": "read", "accessedBy": "planner", "accessorType": "AGENT"}
_HELD_JOB = {"id": "@job", "lease": "@lease"}
_DOCUMENT = {"knowledgeBaseId": "@knowledge_base", "name": "A guide"}
_ANNOTATION = {"memoryId": "@memory", "annotationType": "verification", "content": "So it is"}

WRITES = [
    InputMutation("updateProject", "UpdateProjectInput", {}),
    InputMutation("createApiKey", "CreateApiKeyInput", {"name": "Key", "scopes": ["READ"]}),
    InputMutation("updateApiKey", "UpdateApiKeyInput", {}, ("id", "api_key")),
    InputMutation("createUser", "CreateUserInput", {}),
    InputMutation("updateUser", "UpdateUserInput", {}, ("id", "user")),
    InputMutation("createTeam", "CreateTeamInput", {"name": "@new"}),
    InputMutation("updateTeam", "UpdateTeamInput", {}, ("id", "team")),
    InputMutation("createAgent", "CreateAgentInput", {"name": "@new"}),
    InputMutation("updateAgent", "UpdateAgentInput", {}, ("id", "agent")),
    InputMutation(
        "createAgentVersion", "CreateAgentVersionInput", {"agentId": "@agent", "versionNumber": "@new"}
    ),
    InputMutation("updateAgentVersion", "UpdateAgentVersionInput", {}, ("id", "version")),
    InputMutation("createSession", "CreateSessionInput", {}),
    InputMutation("startSession", "StartSessionInput", {}),
    InputMutation("updateSession", "UpdateSessionInput", {}, ("id", "session")),
    InputMutation("endSession", "EndSessionInput", {}, ("id", "session")),
    InputMutation("appendMessages", "AppendMessageInput", {"role": "ASSISTANT"}, ("sessionId", "session")),
    InputMutation("updateMessage", "UpdateMessageInput", {}, ("id", "message")),
    InputMutation(
        "createToolCall", "NewToolCallInput", {"name": "find", "arguments": {}}, ("messageId", "message")
    ),
    InputMutation("recordToolResult", "RecordToolResultInput", {}, ("id", "call")),
    InputMutation("updateToolCall", "UpdateToolCallInput", {}, ("id", "call")),
    InputMutation("recordEvents", "RecordEventInput", {"eventType": "checkpoint"}, ("sessionId", "session")),
    InputMutation("recordUsage", "RecordUsageInput", {"sessionId": "@session", "model": "small"}),
    InputMutation("setSandbox", "SetSandboxInput", {"kind": "server"}, ("sessionId", "session")),
    InputMutation("updateSandbox", "UpdateSandboxInput", {}, ("id", "sandbox")),
    InputMutation("setModuleState", "SetModuleStateInput", {"moduleId": "@new", "state": {}}),
    InputMutation("setModuleStates", "SetModuleStateInput", {"moduleId": "@new", "state": {}}),
    InputMutation(
        "recordAgentMetrics",
        "RecordAgentMetricInput",
        {"agentId": "@agent", "metricType": "accuracy", "metricValue": 0.5},
    ),
    InputMutation(
        "recordSessionMetrics",
        "RecordSessionMetricInput",
        {"sessionId": "@session", "metricType": "engagement", "metricValue": 7},
    ),
    InputMutation("createMemory", "CreateMemoryInput", {"content": "A fact"}),
    InputMutation("createMemories", "CreateMemoryInput", {"content": "A fact"}),
    InputMutation("updateMemory", "UpdateMemoryInput", {}, ("id", "memory")),
    InputMutation("recordMemoryAccess", "RecordMemoryAccessInput", _ACCESS),
    InputMutation("recordMemoryAccesses", "RecordMemoryAccessInput", _ACCESS),
    InputMutation("annotateMemory", "AnnotateMemoryInput", _ANNOTATION),
    InputMutation("annotateMemories", "AnnotateMemoryInput", _ANNOTATION),
    InputMutation("enqueueJob", "EnqueueJobInput", {"queue": "mail"}),
    InputMutation("enqueueJobs", "EnqueueJobInput", {"queue": "mail"}),
    InputMutation("extendJobs", "ExtendJobInput", _HELD_JOB),
    InputMutation("completeJobs", "CompleteJobInput", _HELD_JOB),
    InputMutation("failJobs", "FailJobInput", {**_HELD_JOB, "error": "no"}),
    InputMutation("putSchedule", "PutScheduleInput", {"name": "@new", "queue": "mail", "cron": "0 0 * * *"}),
    InputMutation("createKnowledgeBase", "CreateKnowledgeBaseInput", {"name": "@new"}),
    InputMutation("updateKnowledgeBase", "UpdateKnowledgeBaseInput", {}, ("id", "knowledge_base")),
    InputMutation("putKnowledgeDocument", "PutKnowledgeDocumentInput", _DOCUMENT),
    InputMutation("putKnowledgeDocuments", "PutKnowledgeDocumentInput", _DOCUMENT),
    InputMutation(
        "updateKnowledgeDocument", "UpdateKnowledgeDocumentInput", {}, ("id", "knowledge_document")
    ),
    InputMutation(
        "putKnowledgeChunks",
        "KnowledgeChunkInput",
        {"content": "A passage"},
        ("documentId", "knowledge_document"),
    ),
    InputMutation(
        "putKnowledgeEmbeddings",
        "KnowledgeEmbeddingInput",
        {"chunkId": "@knowledge_chunk", "embedding": [1, 0.5, 0]},
        ("knowledgeBaseId", "knowledge_base"),
        also='model: "small"',
    ),
    InputMutation(
        "putMemoryEmbeddings",
        "MemoryEmbeddingInput",
        {"memoryId": "@memory", "embedding": [1, 0.5, 0]},
        also='model: "small"',
    ),
    InputMutation(
        "putMessageEmbeddings",
        "MessageEmbeddingInput",
        {"messageId": "@message", "embedding": [1, 0.5, 0]},
        also='model: "small"',
    ),
    InputMutation("recordKnowledgeSync", "RecordKnowledgeSyncInput", {"knowledgeBaseId": "@knowledge_base"}),
    InputMutation("recordKnowledgeSyncs", "RecordKnowledgeSyncInput", {"knowledgeBaseId": "@knowledge_base"}),
    InputMutation("updateKnowledgeSync", "UpdateKnowledgeSyncInput", {}, ("id", "knowledge_sync")),
    InputMutation(
        "finishKnowledgeSync", "FinishKnowledgeSyncInput", {"status": "SUCCEEDED"}, ("id", "knowledge_sync")
    ),
]


def inputs_of(mutation: str) -> list[str]:
    """Return the names of the arguments of a mutation that take an input object or a list of them."""
    arguments = MUTATIONS[mutation].args.items()
    return [name for name, each in arguments if isinstance(get_named_type(each.type), GraphQLInputObjectType)]


def fill_in(value: Any, things: dict[str, str]) -> Any:
    """Replace `@noun` by the id of that noun, and `@new` by a new text."""
    if isinstance(value, dict):
        return {name: fill_in(each, things) for name, each in value.items()}
    if isinstance(value, list):
        return [fill_in(each, things) for each in value]
    if isinstance(value, str) and value.startswith("@"):
        return uuid4().hex if value == "@new" else things[value[1:]]
    return value


async def some_of_each(api: Api) -> dict[str, str]:
    """Create a row of each noun, and return the ids by noun."""
    user = await factories.user(api)
    agent = await factories.agent(api)
    version = await factories.agent_version(api, agent.id)
    team = await factories.team(api)
    parent = await factories.session(api)
    session = await factories.session(api, agent_id=agent.id, user_id=user.id)
    call = factories.called(call_id="pending")
    [message] = await factories.say(
        api, session.id, factories.said(role=MessageRole.ASSISTANT, tool_calls=[call])
    )
    data = await api.ask(
        "query($id: ID!) { message(id: $id) { toolCalls { nodes { id } } } }", id=str(message.id)
    )
    sandbox = await factories.sandbox(api, session.id)
    await factories.module_state(api, module_id="cart", session_id=session.id)
    memory = await factories.memory(api)
    schedule = await factories.schedule(api)
    await factories.enqueued(api, {})
    [job] = await factories.claimed(api, lease_ms=86_400_000)
    base = await factories.knowledge_base(api, embedding_model="small", dimensions=3)
    document = await factories.knowledge_document(api, base.id)
    await factories.knowledge_chunks_of(api, document.id, "A passage")
    chunks = await api.ask("{ knowledgeChunks { nodes { id } } }")
    sync = await factories.knowledge_sync(api, base.id)
    made = await api.ask('mutation { createApiKey(input: {name: "Key", scopes: [READ]}) { apiKey { id } } }')
    project = (await api.ask("{ project { slug } }"))["project"]
    return {
        "slug": project["slug"],
        "user": str(user.id),
        "agent": str(agent.id),
        "version": str(version.id),
        "team": str(team.id),
        "parent": str(parent.id),
        "session": str(session.id),
        "message": str(message.id),
        "call": data["message"]["toolCalls"]["nodes"][0]["id"],
        "sandbox": str(sandbox.id),
        "memory": str(memory.id),
        "queue": str(schedule.queue_id),
        "schedule": str(schedule.id),
        "job": str(job.id),
        "lease": str(job.lease),
        "knowledge_base": str(base.id),
        "knowledge_document": str(document.id),
        "knowledge_chunk": chunks["knowledgeChunks"]["nodes"][0]["id"],
        "knowledge_sync": str(sync.id),
        "api_key": made["createApiKey"]["apiKey"]["id"],
    }


def _owner_column(table: str) -> str:
    return "id" if table == "projects" else "project_id"


async def stored(owner: AsyncEngine, api: Api) -> dict[str, str]:
    """Return the rows of a project in each table as one text, which is equal only for equal rows."""
    async with owner.connect() as connection:
        return {
            table.name: (
                await connection.execute(
                    text(
                        "SELECT coalesce(string_agg(t::text, chr(10) ORDER BY t::text), '')"  # noqa: S608 - one of our tables
                        f" FROM {table.name} t WHERE {_owner_column(table.name)} = :project_id"
                    ),
                    {"project_id": api.project_id},
                )
            ).scalar_one()
            for table in Base.metadata.sorted_tables
        }


UNTRUE = """
WITH said AS (
  SELECT session_id, count(*) AS messages, count(*) FILTER (WHERE role = 'USER') AS turns,
    coalesce(sum(prompt_tokens), 0) AS prompt, coalesce(sum(completion_tokens), 0) AS completion,
    max(sequence) AS last,
    -- A message dated in the future counted as of the time when it was written.
    max(created_at) FILTER (WHERE created_at <= updated_at) AS at
  FROM messages WHERE project_id = :project_id GROUP BY session_id
), used AS (
  SELECT session_id, sum(prompt_tokens) AS prompt, sum(completion_tokens) AS completion,
    max(timestamp) FILTER (WHERE timestamp <= created_at) AS at
  FROM usage_records WHERE project_id = :project_id GROUP BY session_id
), happened AS (
  SELECT session_id, max(sequence) AS last, max(timestamp) FILTER (WHERE timestamp <= created_at) AS at,
    count(*) FILTER (WHERE event_type = 'error') AS errors
  FROM session_events WHERE project_id = :project_id GROUP BY session_id
)
SELECT s.id FROM sessions s LEFT JOIN said ON said.session_id = s.id
LEFT JOIN used ON used.session_id = s.id LEFT JOIN happened ON happened.session_id = s.id
WHERE s.project_id = :project_id AND (
  s.error_count <> coalesce(happened.errors, 0) + (
    SELECT count(*) FROM tool_calls c WHERE c.session_id = s.id AND c.error IS NOT NULL
  )
  OR s.message_count <> coalesce(messages, 0) OR s.interaction_count <> coalesce(turns, 0)
  OR s.prompt_tokens <> coalesce(said.prompt, 0) + coalesce(used.prompt, 0)
  OR s.completion_tokens <> coalesce(said.completion, 0) + coalesce(used.completion, 0)
  OR s.last_sequence < coalesce(said.last, 0) OR s.last_event_sequence < coalesce(happened.last, 0)
  OR s.last_activity_at < greatest(said.at, used.at, happened.at) OR s.last_activity_at > clock_timestamp()
)
UNION ALL
SELECT a.id FROM agents a
WHERE a.project_id = :project_id AND (a.total_sessions, a.completed_sessions, a.failed_sessions) <> (
  SELECT count(*), count(*) FILTER (WHERE status = 'COMPLETED'), count(*) FILTER (WHERE status = 'FAILED')
  FROM sessions s WHERE s.project_id = :project_id AND s.agent_id = a.id
)
UNION ALL
SELECT m.id FROM memories m
LEFT JOIN (
  SELECT memory_id, count(*) AS accesses, max(created_at) AS at, count(usefulness) AS rated,
    (sum(usefulness::text::numeric) / round(count(usefulness)::numeric, 30))::float8 AS mean
  FROM memory_accesses
  WHERE project_id = :project_id GROUP BY memory_id
) a ON a.memory_id = m.id
WHERE m.project_id = :project_id
  AND ((m.access_count, m.rated_count) <> (coalesce(accesses, 0), coalesce(rated, 0))
    OR m.usefulness IS DISTINCT FROM mean OR m.last_accessed_at > clock_timestamp()
    OR (at IS NULL OR at <= clock_timestamp()) AND m.last_accessed_at IS DISTINCT FROM at)
UNION ALL
SELECT d.id FROM knowledge_documents d WHERE d.project_id = :project_id AND (
  d.chunk_count <> (SELECT count(*) FROM knowledge_chunks c WHERE c.document_id = d.id)
  OR d.last_accessed_at > clock_timestamp() OR (d.access_count = 0) <> (d.last_accessed_at IS NULL)
)
UNION ALL
SELECT v.id FROM knowledge_versions v WHERE v.project_id = :project_id
  AND (v.document_count <> (SELECT count(*) FROM knowledge_documents d WHERE d.version_id = v.id)
    OR v.chunk_count <> (SELECT count(*) FROM knowledge_chunks c WHERE c.version_id = v.id))
UNION ALL
SELECT c.id FROM knowledge_chunks c JOIN knowledge_documents d ON d.id = c.document_id
JOIN knowledge_versions v ON v.id = d.version_id WHERE c.project_id = :project_id
  AND ((c.knowledge_base_id, c.version_id, c.version) <> (v.knowledge_base_id, v.id, v.version)
    OR (d.knowledge_base_id, d.version) <> (v.knowledge_base_id, v.version))
UNION ALL
SELECT c.id FROM knowledge_chunks c JOIN knowledge_embeddings e ON e.chunk_id = c.id
WHERE c.project_id = :project_id
  AND (c.knowledge_base_id, c.version_id) <> (e.knowledge_base_id, e.version_id)
UNION ALL
SELECT m.id FROM messages m JOIN message_embeddings e ON e.message_id = m.id
WHERE m.project_id = :project_id AND m.session_id <> e.session_id
"""


async def untrue(owner: AsyncEngine, api: Api) -> list[Any]:
    """Return the ids of the rows whose counts, or copies of values, differ from the rows they are of."""
    async with owner.connect() as connection:
        return list(await connection.scalars(text(UNTRUE), {"project_id": api.project_id}))
