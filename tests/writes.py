"""The mutations that take input objects: how each is asked, and what it needs at the least."""

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

from models import Base
from models.enums import MessageRole
from schema.root import schema
from tests import factories

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

    from tests.api import Answer, Api

CONTRACT = schema._schema  # noqa: SLF001 - Strawberry has no public name for it
MUTATIONS = cast("GraphQLObjectType", CONTRACT.mutation_type).fields


@dataclass(frozen=True)
class Written:
    """A mutation that takes an input object, or a list of one."""

    mutation: str
    input: str
    least: dict[str, Any]
    """What the input must hold; a value `@noun` stands for the id of that noun."""
    target: tuple[str, str] | None = None
    """The argument beside the input, and the noun whose id it is."""

    @property
    def is_list(self) -> bool:
        """Tell whether it takes a list of inputs."""
        return isinstance(get_nullable_type(MUTATIONS[self.mutation].args[self.argument].type), GraphQLList)

    @property
    def argument(self) -> str:
        """The name of the argument that the input is."""
        arguments = MUTATIONS[self.mutation].args
        name: str
        [name] = [each for each in arguments if get_named_type(arguments[each].type).name == self.input]
        return name

    @property
    def fields(self) -> dict[str, Any]:
        """The fields of the input, by their names."""
        fields: dict[str, Any] = cast("GraphQLInputObjectType", CONTRACT.type_map[self.input]).fields
        return fields

    @property
    def returns(self) -> GraphQLObjectType:
        """The type of what it gives."""
        return cast("GraphQLObjectType", get_named_type(MUTATIONS[self.mutation].type))

    def document(self, selection: str = "__typename") -> str:
        """Give the document that asks it."""
        type_ = f"[{self.input}!]!" if self.is_list else f"{self.input}!"
        declared = f"${self.argument}: {type_}" + (", $target: ID!" if self.target else "")
        given = f"{self.argument}: ${self.argument}" + (f", {self.target[0]}: $target" if self.target else "")
        return f"mutation({declared}) {{ {self.mutation}({given}) {{ {selection} }} }}"

    def variables(self, things: dict[str, str], values: dict[str, Any]) -> dict[str, Any]:
        """Give the variables that ask it with values beside those that it needs."""
        full = named({**self.least, **values}, things)
        target = {"target": things[self.target[1]]} if self.target else {}
        return {self.argument: [full] if self.is_list else full, **target}

    async def answer(self, api: Api, things: dict[str, str], **values: Any) -> Answer:
        """Ask it."""
        return await api.answer(self.document(), **self.variables(things, values))


_ACCESS = {"memoryId": "@memory", "accessType": "read", "accessedBy": "planner", "accessorType": "AGENT"}
_ANNOTATION = {"memoryId": "@memory", "annotationType": "verification", "content": "So it is"}

WRITES = [
    Written("updateProject", "UpdateProjectInput", {}),
    Written("createApiKey", "CreateApiKeyInput", {"name": "Key", "scopes": ["READ"]}),
    Written("updateApiKey", "UpdateApiKeyInput", {}, ("id", "api_key")),
    Written("createUser", "CreateUserInput", {}),
    Written("updateUser", "UpdateUserInput", {}, ("id", "user")),
    Written("createTeam", "CreateTeamInput", {"name": "@new"}),
    Written("updateTeam", "UpdateTeamInput", {}, ("id", "team")),
    Written("createAgent", "CreateAgentInput", {"name": "@new"}),
    Written("updateAgent", "UpdateAgentInput", {}, ("id", "agent")),
    Written("createAgentVersion", "CreateAgentVersionInput", {"agentId": "@agent", "versionNumber": "@new"}),
    Written("updateAgentVersion", "UpdateAgentVersionInput", {}, ("id", "version")),
    Written("createSession", "CreateSessionInput", {}),
    Written("startSession", "StartSessionInput", {}),
    Written("updateSession", "UpdateSessionInput", {}, ("id", "session")),
    Written("endSession", "EndSessionInput", {}, ("id", "session")),
    Written("appendMessages", "AppendMessageInput", {"role": "ASSISTANT"}, ("sessionId", "session")),
    Written("updateMessage", "UpdateMessageInput", {}, ("id", "message")),
    Written(
        "createToolCall", "NewToolCallInput", {"name": "find", "arguments": {}}, ("messageId", "message")
    ),
    Written("recordToolResult", "RecordToolResultInput", {}, ("id", "call")),
    Written("updateToolCall", "UpdateToolCallInput", {}, ("id", "call")),
    Written("recordEvents", "RecordEventInput", {"eventType": "checkpoint"}, ("sessionId", "session")),
    Written("recordUsage", "RecordUsageInput", {"sessionId": "@session", "model": "small"}),
    Written("setSandbox", "SetSandboxInput", {"kind": "server"}, ("sessionId", "session")),
    Written("updateSandbox", "UpdateSandboxInput", {}, ("id", "sandbox")),
    Written("setModuleState", "SetModuleStateInput", {"moduleId": "@new", "state": {}}),
    Written("setModuleStates", "SetModuleStateInput", {"moduleId": "@new", "state": {}}),
    Written(
        "recordAgentMetrics",
        "RecordAgentMetricInput",
        {"agentId": "@agent", "metricType": "accuracy", "metricValue": 0.5},
    ),
    Written(
        "recordSessionMetrics",
        "RecordSessionMetricInput",
        {"sessionId": "@session", "metricType": "engagement", "metricValue": 7},
    ),
    Written("createMemory", "CreateMemoryInput", {"content": "A fact"}),
    Written("createMemories", "CreateMemoryInput", {"content": "A fact"}),
    Written("updateMemory", "UpdateMemoryInput", {}, ("id", "memory")),
    Written("recordMemoryAccess", "RecordMemoryAccessInput", _ACCESS),
    Written("recordMemoryAccesses", "RecordMemoryAccessInput", _ACCESS),
    Written("annotateMemory", "AnnotateMemoryInput", _ANNOTATION),
    Written("annotateMemories", "AnnotateMemoryInput", _ANNOTATION),
]


def inputs_of(mutation: str) -> list[str]:
    """Give the names of a mutation's arguments that are input objects, or lists of one."""
    arguments = MUTATIONS[mutation].args.items()
    return [name for name, each in arguments if isinstance(get_named_type(each.type), GraphQLInputObjectType)]


def named(value: Any, things: dict[str, str]) -> Any:
    """Put ids in the place of `@noun`, and a new text in that of `@new`."""
    if isinstance(value, dict):
        return {name: named(each, things) for name, each in value.items()}
    if isinstance(value, list):
        return [named(each, things) for each in value]
    if isinstance(value, str) and value.startswith("@"):
        return uuid4().hex if value == "@new" else things[value[1:]]
    return value


async def some_of_each(api: Api) -> dict[str, str]:
    """Make one of each noun and give their ids by noun."""
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
    made = await api.ask('mutation { createApiKey(input: {name: "Key", scopes: [READ]}) { apiKey { id } } }')
    return {
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
        "api_key": made["createApiKey"]["apiKey"]["id"],
    }


def _owner_column(table: str) -> str:
    return "id" if table == "projects" else "project_id"


async def stored(owner: AsyncEngine, api: Api) -> dict[str, str]:
    """Give what the database holds of a project, each table as one text that is equal only for equal rows."""
    async with owner.connect() as connection:
        return {
            table.name: (
                await connection.execute(
                    text(
                        "SELECT coalesce(string_agg(t::text, chr(10) ORDER BY t::text), '')"  # noqa: S608 - a table of ours
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
    -- What was dated in the future when it was written counted as of then.
    max(created_at) FILTER (WHERE created_at <= updated_at) AS at
  FROM messages WHERE project_id = :project_id GROUP BY session_id
), used AS (
  SELECT session_id, sum(prompt_tokens) AS prompt, sum(completion_tokens) AS completion,
    max(timestamp) FILTER (WHERE timestamp <= created_at) AS at
  FROM usage_records WHERE project_id = :project_id GROUP BY session_id
), happened AS (
  SELECT session_id, max(sequence) AS last, max(timestamp) FILTER (WHERE timestamp <= created_at) AS at
  FROM session_events WHERE project_id = :project_id GROUP BY session_id
)
SELECT s.id FROM sessions s LEFT JOIN said ON said.session_id = s.id
LEFT JOIN used ON used.session_id = s.id LEFT JOIN happened ON happened.session_id = s.id
WHERE s.project_id = :project_id AND (
  s.message_count <> coalesce(messages, 0) OR s.interaction_count <> coalesce(turns, 0)
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
  SELECT memory_id, count(*) AS accesses, max(created_at) AS at FROM memory_accesses
  WHERE project_id = :project_id GROUP BY memory_id
) a ON a.memory_id = m.id
WHERE m.project_id = :project_id
  AND (m.access_count <> coalesce(accesses, 0) OR m.last_accessed_at > clock_timestamp()
    OR (at IS NULL OR at <= clock_timestamp()) AND m.last_accessed_at IS DISTINCT FROM at)
"""


async def untrue(owner: AsyncEngine, api: Api) -> list[Any]:
    """Give the sessions, agents and memories whose counts are not those that their rows have."""
    async with owner.connect() as connection:
        return list(await connection.scalars(text(UNTRUE), {"project_id": api.project_id}))
