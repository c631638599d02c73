"""Invalid input is refused with an error code and the name of the field, and nothing is written."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from graphql import GraphQLList, get_named_type, get_nullable_type

from models import (
    Agent,
    AgentMetric,
    AgentVersion,
    ApiKey,
    Job,
    KnowledgeBase,
    KnowledgeChunk,
    KnowledgeDocument,
    KnowledgeEmbedding,
    KnowledgeSync,
    Memory,
    MemoryAccess,
    MemoryAnnotation,
    MemoryEmbedding,
    Message,
    MessageEmbedding,
    ModuleState,
    Project,
    Sandbox,
    Schedule,
    Session,
    SessionEvent,
    SessionMetric,
    Team,
    ToolCall,
    UsageRecord,
    User,
)
from models.enums import ApiKeyScope
from tests.api import make_api
from tests.writes import MUTATIONS, WRITES, some_of_each, stored

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from sqlalchemy.ext.asyncio import AsyncEngine

    from agentdata.database import Database
    from tests.api import Api
    from tests.writes import InputMutation

MODELS = {
    "Project": Project,
    "ApiKey": ApiKey,
    "User": User,
    "Team": Team,
    "Agent": Agent,
    "Version": AgentVersion,
    "Session": Session,
    "Messages": Message,
    "Message": Message,
    "ToolCall": ToolCall,
    "ToolResult": ToolCall,
    "Events": SessionEvent,
    "Usage": UsageRecord,
    "Sandbox": Sandbox,
    "ModuleState": ModuleState,
    "ModuleStates": ModuleState,
    "AgentMetrics": AgentMetric,
    "SessionMetrics": SessionMetric,
    "Memory": Memory,
    "Memories": Memory,
    "MemoryAccess": MemoryAccess,
    "MemoryAccesses": MemoryAccess,
    "KnowledgeBase": KnowledgeBase,
    "KnowledgeDocument": KnowledgeDocument,
    "KnowledgeDocuments": KnowledgeDocument,
    "KnowledgeChunks": KnowledgeChunk,
    "KnowledgeEmbeddings": KnowledgeEmbedding,
    "MemoryEmbeddings": MemoryEmbedding,
    "MessageEmbeddings": MessageEmbedding,
    "KnowledgeSync": KnowledgeSync,
    "KnowledgeSyncs": KnowledgeSync,
    "annotateMemory": MemoryAnnotation,
    "annotateMemories": MemoryAnnotation,
    "enqueueJob": Job,
    "enqueueJobs": Job,
    "extendJobs": Job,
    "completeJobs": Job,
    "failJobs": Job,
    "Schedule": Schedule,
}
LEAKS = re.compile(
    r"sqlalchemy|asyncpg|Traceback|[A-Z]\w+Error\b|constraint|violates|relation \"|"
    r"SELECT |INSERT |UPDATE |DELETE |"
    r"[a-z]+_[a-z]+|\bobject at 0x|NoneType|\bNone\b|<class|\$\d"
)
"""Texts that would reveal internals: SQL, names of constraints and columns, Python's own messages."""

BY_MUTATION = pytest.mark.parametrize("write", WRITES, ids=lambda write: write.mutation)


@pytest.fixture(scope="module")
async def project(database: Database, owner: AsyncEngine) -> Api:
    """Provide a project, which no test of this module changes."""
    return await make_api(database, owner)


@pytest.fixture(scope="module")
async def ids(project: Api) -> dict[str, str]:
    """Provide the ids of one row of each noun."""
    return await some_of_each(project)


@pytest.fixture(scope="module")
async def foreign_ids(database: Database, owner: AsyncEngine) -> dict[str, str]:
    """Provide the ids of one row of each noun of another project."""
    return await some_of_each(await make_api(database, owner))


@pytest.fixture(autouse=True)
async def _check_that_nothing_is_written(
    project: Api, ids: dict[str, str], owner: AsyncEngine
) -> AsyncIterator[None]:
    """Check that no test writes anything."""
    assert ids
    before = await stored(owner, project)
    yield
    assert await stored(owner, project) == before


def check_refusal(answer: Any, code: str = "BAD_USER_INPUT", *, named: str | None = None) -> dict[str, Any]:
    """Check that an answer has one error with this code and name, which reveals no internals; return it."""
    assert answer.codes == [code], answer
    error: dict[str, Any]
    [error] = answer.errors
    # A message may repeat enum values and ids that the client sent.
    assert not LEAKS.search(error["message"]), error
    if named is not None:
        assert named in (error["extensions"].get("field") or error["message"]), error
    return error


def of_kind(write: InputMutation, kind: str) -> Iterator[tuple[str, bool]]:
    """Yield the fields of an input whose named type is `kind`, and whether they are lists."""
    for name, field in write.fields.items():
        if get_named_type(field.type).name == kind:
            yield name, isinstance(get_nullable_type(field.type), GraphQLList)


def column(write: InputMutation, field: str) -> Any:
    """Return the column that a field is stored in, if there is one."""
    model = MODELS[
        re.sub(
            r"^(create|update|start|end|append|record|set|put|finish)(Agent(?=Version))?", "", write.mutation
        )
    ]
    name = re.sub(r"([A-Z])", lambda found: f"_{found[1].lower()}", field)
    columns = model.__table__.c
    return columns.get(name, None)


@BY_MUTATION
async def test_text_with_a_nul_character_is_refused(
    project: Api, ids: dict[str, str], write: InputMutation
) -> None:
    for field, is_list in of_kind(write, "String"):
        for bad in ("a\0", "\0", "long \0 text"):
            values = {field: [bad] if is_list else bad}
            if field == "toolCallId":
                values["role"] = "TOOL"
            if field == "toolError":
                values |= {"role": "TOOL", "toolCallId": "pending"}
            check_refusal(await write.answer(project, ids, **values), named=field)


@BY_MUTATION
async def test_text_longer_than_its_column_is_refused(
    project: Api, ids: dict[str, str], write: InputMutation
) -> None:
    for field, is_list in of_kind(write, "String"):
        length = 255 if is_list else getattr(getattr(column(write, field), "type", None), "length", None)
        if length is None:
            continue
        bad = "x" * (length + 1)
        error = check_refusal(
            await write.answer(project, ids, **{field: [bad] if is_list else bad}), named=field
        )
        assert str(length) in error["message"]


@BY_MUTATION
async def test_blank_text_is_refused_in_required_fields_and_keys(
    project: Api, ids: dict[str, str], write: InputMutation
) -> None:
    for field, _ in of_kind(write, "String"):
        target = column(write, field)
        if target is not None and (not target.nullable or field in {"externalId", "email"}):
            for bad in ("", " ", "\t\n"):
                check_refusal(await write.answer(project, ids, **{field: bad}), named=field)


@BY_MUTATION
async def test_null_is_refused_in_required_fields(
    project: Api, ids: dict[str, str], write: InputMutation
) -> None:
    for field in write.fields:
        target = column(write, field)
        ends = write.mutation == "endSession" and field == "status"  # null means COMPLETED
        if target is not None and not target.nullable and not ends:
            check_refusal(await write.answer(project, ids, **{field: None}), named=field)


@BY_MUTATION
async def test_json_that_cannot_be_stored_is_refused(
    project: Api, ids: dict[str, str], write: InputMutation
) -> None:
    deep: Any = "deep"
    for _ in range(101):
        deep = {"a": deep}
    for field, _ in of_kind(write, "JSON"):
        kind = write.fields[field].description or ""
        for bad in (
            {"a": "\0"},
            {"\0": 1},
            {"a": {"b": [{"c": "x\0"}]}},
            {"a": [{"b\0": None}]},
            deep,
            {"a": deep},
            *(["text", 5, None, []] if "a JSON object, `{}`" in kind else []),
            *(["text", 5, None, {}] if "a JSON array" in kind else []),
        ):
            value = [bad] if "a JSON array" in kind and isinstance(bad, dict) and bad else bad
            check_refusal(await write.answer(project, ids, **{field: value}), named=field)


@BY_MUTATION
async def test_values_of_the_wrong_type_are_refused(
    project: Api, ids: dict[str, str], write: InputMutation
) -> None:
    wrong: dict[str, list[Any]] = {
        "String": [5, True, {"a": 1}, 1.5],
        "ID": [True, {"a": 1}, 1.5],
        "Int": ["5", 1.5, True, {}, 2**31, -(2**31) - 1],
        "Float": ["5", True, {}],
        "Boolean": ["true", 1, {}],
        "DateTime": [
            5,
            True,
            {},
            "",
            "today",
            "2026-01-31",
            "2026-01-31T12:00:00",
            "2026-02-30T00:00:00Z",
            "10000-01-01T00:00:00Z",
            "0001-01-01T00:00:00+01:00",
            "9999-12-31T23:59:59-01:00",
            "0000-01-01T00:00:00Z",
            "2026-01-31T25:00:00Z",
            "0001-01-01T00:00:00Z",
            "9999-12-31T23:59:59.999999Z",
            "-0001-01-01T00:00:00Z",
            "2026-01-31T12:00:00\0Z",
        ],
        "Vector": [
            5,
            True,
            {},
            "",
            "AAA=",
            "not base64",
            [],
            ["1"],
            [True],
            [None],
            [[1]],
            [0, 0, 0],
            [1e-9, 0, 0],
            [65_505, 0, 0],
            [10**400, 0, 0],
            [0.5] * 4_001,
            "AADAf/8/AAA=",
            "AACAfwAAgD8=",
        ],
        "SessionStatus": ["active", "DONE", 1, True, ""],
        "MessageRole": ["user", "FUNCTION", 1],
        "ApiKeyScope": ["admin", "ROOT", 1],
        "SandboxStatus": ["running", "PAUSED", 1],
        "VerificationStatus": ["verified", "DONE", 1],
        "AccessorType": ["agent", "TEAM", 1],
        "JobBackoff": ["fixed", "NONE", 1],
        "KnowledgeDocumentStatus": ["ready", "DONE", 1],
        "KnowledgeSyncStatus": ["running", "DONE", 1],
    }
    for kind, values in wrong.items():
        for field, is_list in of_kind(write, kind):
            for value in values:
                bad = [value] if is_list else value
                check_refusal(await write.answer(project, ids, **{field: bad}), named=field)


@BY_MUTATION
async def test_ids_that_are_invalid_unknown_or_of_another_project_are_refused(
    project: Api, ids: dict[str, str], foreign_ids: dict[str, str], write: InputMutation
) -> None:
    for field, is_list in of_kind(write, "ID"):
        if field == "lease":
            # A lease is no object: any but the right one is that of another worker.
            continue
        theirs = {
            "ownerId": "user",
            "parentId": "parent",
            "agentVersionId": "version",
            "memberIds": "agent",
            "agentIds": "agent",
            "knowledgeBaseId": "knowledge_base",
            "sourceMessageIds": "message",
            "chunkId": "knowledge_chunk",
            "id": "job",
        }
        noun = theirs.get(field) or re.sub(r"^createdBy|Id$", "", field).lower()
        agent = {"agentId": ids["agent"]} if field == "agentVersionId" else {}
        for bad, code in (
            (str(uuid4()), "NOT_FOUND"),
            (foreign_ids[noun], "NOT_FOUND"),
            ("nope", "BAD_USER_INPUT"),
            ("", "BAD_USER_INPUT"),
            (ids["user"] + "\0", "BAD_USER_INPUT"),
            (7, "BAD_USER_INPUT"),
        ):
            answer = await write.answer(project, ids, **{**agent, field: [bad] if is_list else bad})
            check_refusal(answer, code, named=field)
    if write.target:
        argument, noun = write.target
        document = write.document()
        for bad, code in (
            (str(uuid4()), "NOT_FOUND"),
            (foreign_ids[noun], "NOT_FOUND"),
            ("nope", "BAD_USER_INPUT"),
        ):
            result = {"result": 1} if write.mutation == "recordToolResult" else {}
            variables = write.variables(ids, result) | {"target": bad}
            check_refusal(await project.answer(document, **variables), code, named=argument)


@BY_MUTATION
async def test_unknown_fields_are_refused(project: Api, ids: dict[str, str], write: InputMutation) -> None:
    for field in ("nonsense", "id", "projectId", "totalSessions"):
        check_refusal(await write.answer(project, ids, **{field: "x"}), named=field)


NUMBERS: dict[str, list[float]] = {
    "temperature": [-0.1, 100.1, 1e308],
    "maxTokens": [0, -1],
    "qualityScore": [-0.1, 1.1, -1e-9],
    "userSatisfaction": [-1, 2],
    "costUsd": [-0.01, 1e9, 1e300],
    "durationMs": [-1, 1.1e12, 1e308],
    "tokenCount": [-1],
    "promptTokens": [-1],
    "completionTokens": [-1],
    "latencyMs": [-1],
    "cachedTokens": [-1],
    "expectedVersion": [-1],
    "size": [-1],
    "added": [-1],
    "modified": [-1],
    "removed": [-1],
    "chunksWritten": [-1],
    "metricValue": [-1.1e100, 1e101, 1e300],
    "maxAttempts": [0, 1_001],
    "backoffMs": [-1, 86_400_001],
    "leaseMs": [999, 86_400_001],
    "progress": [-0.1, 1.1],
}


@BY_MUTATION
async def test_numbers_out_of_range_are_refused(
    project: Api, ids: dict[str, str], write: InputMutation
) -> None:
    for field in write.fields:
        for bad in NUMBERS.get(field, ()):
            error = check_refusal(await write.answer(project, ids, **{field: bad}), named=field)
            assert "from" in error["message"] or "at least" in error["message"]


@pytest.mark.parametrize(
    ("document", "named"),
    [
        ("mutation { updateSession(id: SESSION, input: {qualityScore: 1e999}) { id } }", "qualityScore"),
        ("mutation { updateSession(id: SESSION, input: {costUsd: -1e999}) { id } }", "costUsd"),
        ("mutation { updateSession(id: SESSION, input: {metadata: {a: 1e999}}) { id } }", "metadata"),
        ("mutation { updateSession(id: SESSION, input: {metadata: {a: [1e999]}}) { id } }", "metadata"),
        ("mutation { updateSession(id: SESSION, input: {qualityScore: NaN}) { id } }", "NaN"),
        ("mutation { updateSession(id: SESSION, input: {qualityScore: Infinity}) { id } }", "Infinity"),
        (
            "mutation { updateSession(id: SESSION, input: {metadata: {a: 18446744073709551616}}) { id } }",
            "metadata",
        ),
        (
            "mutation { updateSession(id: SESSION, input: {metadata: {a: -9223372036854775809}}) { id } }",
            "metadata",
        ),
        (
            f"mutation {{ updateSession(id: SESSION, input: {{metadata: {{a: {'9' * 5000}}}}}) {{ id }} }}",
            "metadata",
        ),
        (f"mutation {{ updateAgent(id: AGENT, input: {{runId: {'9' * 5000}}}) {{ id }} }}", "Int"),
        (f"mutation {{ updateAgent(id: AGENT, input: {{temperature: {'9' * 5000}}}) {{ id }} }}", ""),
        ("mutation { updateAgent(id: AGENT, input: {runId: 2147483648}) { id } }", "32-bit"),
        ("mutation { updateAgent(id: AGENT, input: {maxTokens: 1.0}) { id } }", "Int"),
        (r'mutation { updateSession(id: SESSION, input: {title: "\uD800"}) { id } }', ""),
        (r'mutation { updateSession(id: SESSION, input: {metadata: {a: "\uDC00"}}) { id } }', ""),
        (r'mutation { updateSession(id: SESSION, input: {title: "\u0000"}) { id } }', "title"),
        ('mutation { updateSession(id: SESSION, input: {status: "ACTIVE"}) { id } }', "ACTIVE"),
        ("mutation { updateSession(id: SESSION, input: {title: ACTIVE}) { id } }", "ACTIVE"),
        ("mutation { updateSession(id: SESSION, input: {nonsense: 1}) { id } }", "nonsense"),
        ("mutation { updateSession(id: SESSION) { id } }", "input"),
        ("mutation { updateSession(id: SESSION, input: null) { id } }", "UpdateSessionInput!"),
        ("mutation { updateSession(input: {}) { id } }", "id"),
        ("mutation { updateSession(id: null, input: {}) { id } }", "ID!"),
        ("mutation { updateSession(id: SESSION, input: {}, force: true) { id } }", "force"),
        ("mutation { dropTables }", "dropTables"),
        ("mutation { createSession(input: {parentId: SESSION, depth: 0}) { id } }", "depth"),
        ("mutation { updateSession(id: SESSION, input: {parentId: SESSION}) { id } }", "parentId"),
        (
            'mutation { updateSession(id: SESSION, input: {endedAt: "2026-01-01T00:00:00Z"}) { id } }',
            "endedAt",
        ),
        (
            (
                'mutation { createSession(input: {status: FAILED, startedAt: "2026-01-02T00:00:00Z",'
                ' endedAt: "2026-01-01T00:00:00Z"}) { id } }'
            ),
            "endedAt",
        ),
        ("mutation { endSession(id: SESSION, input: {status: PAUSED}) { id } }", "status"),
        ("mutation { createSession(input: {agentVersionId: VERSION}) { id } }", "agentVersionId"),
        ("mutation { recordToolResult(id: CALL, input: {}) { id } }", "result"),
        ("mutation { recordToolResult(id: CALL, input: {error: null}) { id } }", "result"),
        ('mutation { recordToolResult(id: CALL, input: {result: 1, error: "x"}) { id } }', "error"),
        ('mutation { updateToolCall(id: CALL, input: {result: 1, error: "x"}) { id } }', "error"),
        ("mutation { appendMessages(sessionId: SESSION, messages: []) { id } }", "messages"),
        ("mutation { appendMessages(sessionId: SESSION, messages: [{}]) { id } }", "role"),
        ("mutation { appendMessages(sessionId: SESSION, messages: [null]) { id } }", "AppendMessageInput!"),
        ("mutation { appendMessages(sessionId: SESSION, messages: null) { id } }", "[AppendMessageInput!]!"),
        (
            (
                "mutation { appendMessages(sessionId: SESSION, messages: [{role: USER},"
                ' {role: USER, toolCalls: [{name: "a", arguments: 1}]}]) { id } }'
            ),
            "messages.1.toolCalls",
        ),
        (
            (
                "mutation { appendMessages(sessionId: SESSION, messages: [{role: ASSISTANT},"
                ' {role: ASSISTANT, toolCalls: [{name: "a", arguments: {}}, {name: "", arguments: {}}]}])'
                " { id } }"
            ),
            "messages.1.toolCalls.1.name",
        ),
        (
            (
                "mutation { appendMessages(sessionId: SESSION, messages: [{role: ASSISTANT,"
                ' toolCallId: "pending"}]) { id } }'
            ),
            "messages.0.toolCallId",
        ),
        (
            (
                "mutation { appendMessages(sessionId: SESSION, messages:"
                ' [{role: TOOL, toolError: "x"}]) { id } }'
            ),
            "messages.0.toolError",
        ),
        (
            (
                "mutation { appendMessages(sessionId: SESSION, messages:"
                ' [{role: TOOL, toolCallId: "?"}]) { id } }'
            ),
            "messages.0.toolCallId",
        ),
        (
            (
                "mutation { appendMessages(sessionId: SESSION, messages: [{role: USER}, {role: USER,"
                ' userId: "x"}]) { id } }'
            ),
            "messages.1.userId",
        ),
        ('mutation { createToolCall(messageId: CALL, input: {name: "a"}) { id } }', "arguments"),
        ('mutation { addSessionTags(sessionIds: [], tags: ["a"]) { id } }', "sessionIds"),
        ("mutation { addSessionTags(sessionIds: [SESSION], tags: []) { id } }", "tags"),
        ('mutation { addSessionTags(sessionIds: [SESSION], tags: [" "]) { id } }', "tags"),
        ("mutation { addSessionTags(sessionIds: [SESSION], tags: [null]) { id } }", "String!"),
        ('mutation { addSessionTags(sessionIds: ["x"], tags: ["a"]) { id } }', "sessionIds.0"),
        (r'mutation { addSessionTags(sessionIds: [SESSION], tags: ["\u0000"]) { id } }', "tags"),
        (r'mutation { removeSessionTags(sessionIds: [SESSION], tags: ["\u0000"]) { id } }', "tags"),
        ("mutation { removeSessionTags(sessionIds: [], tags: []) { id } }", "sessionIds"),
        ('mutation { renameSessionTag(from: "a", to: "a") { name } }', "to"),
        ('mutation { renameSessionTag(from: "a", to: "") { name } }', "to"),
        (r'mutation { renameSessionTag(from: "\u0000", to: "b") { name } }', "from"),
        (r'mutation { renameSessionTag(from: "a", to: "\u0000") { name } }', "to"),
        ("mutation { addTeamMembers(teamId: TEAM, agentIds: []) { id } }", "agentIds"),
        ('mutation { addTeamMembers(teamId: "x", agentIds: [AGENT]) { id } }', "teamId"),
        ("mutation { removeTeamMembers(teamId: TEAM, agentIds: []) { id } }", "agentIds"),
        ('mutation { createApiKey(input: {name: "a", scopes: []}) { secret } }', "scopes"),
        (
            (
                'mutation { createApiKey(input: {name: "a", scopes: [READ],'
                ' expiresAt: "2020-01-01T00:00:00Z"}) { secret } }'
            ),
            "expiresAt",
        ),
        ('mutation { updateProject(input: {slug: "Not a slug"}) { id } }', "slug"),
        ('mutation { updateProject(input: {slug: "-"}) { id } }', "slug"),
        ("{ sessions(filter: {promptTokens: {gt: 9223372036854775808}}) { totalCount } }", "64 bits"),
        ("{ sessions(filter: {promptTokens: {gt: 1.5}}) { totalCount } }", ""),
    ],
)
async def test_invalid_documents_are_refused(
    project: Api, ids: dict[str, str], document: str, named: str
) -> None:
    document = re.sub(r"\b(SESSION|AGENT|VERSION|CALL|TEAM)\b", lambda m: f'"{ids[m[1].lower()]}"', document)
    error = check_refusal(await project.answer(document), named=named or None)
    assert error["message"]


async def test_very_deep_json_is_refused(project: Api, ids: dict[str, str]) -> None:
    for depth in (102, 1_000, 2_400):
        values = f"{{metadata: {'{a: ' * depth}1{'}' * depth}}}"
        document = f'mutation {{ updateSession(id: "{ids["session"]}", input: {values}) {{ id }} }}'
        answer = await project.answer(document)
        assert answer.codes in (["BAD_USER_INPUT"], ["LIMIT_EXCEEDED"])
        assert not LEAKS.search(answer.errors[0]["message"])


@pytest.mark.parametrize(
    ("document", "variables", "code", "named"),
    [
        ("appendMessages(sessionId: SESSION, messages: $it)", [{"role": "USER"}] * 10_001, "", "messages"),
        ("recordEvents(sessionId: SESSION, events: $it)", [{"eventType": "a"}] * 10_001, "", "events"),
        ("recordEvents(sessionId: SESSION, events: $it)", [], "", "events"),
        (
            "recordEvents(sessionId: SESSION, events: $it)",
            [{"eventType": "a"}, {"eventType": " "}],
            "",
            "events.1.eventType",
        ),
        ("recordUsage(records: $it)", [{"sessionId": "nope", "model": "a"}] * 10_001, "", "records"),
        ("recordUsage(records: $it)", [], "", "records"),
        ("recordUsage(records: $it)", [{"sessionId": "nope", "model": "a"}], "", "records.0.sessionId"),
        (
            "recordSessionMetrics(metrics: $it)",
            [{"sessionId": "SESSION", "metricType": "a", "metricValue": 1}] * 10_001,
            "",
            "metrics",
        ),
        ("recordSessionMetrics(metrics: $it)", [], "", "metrics"),
        (
            "recordSessionMetrics(metrics: $it)",
            [{"sessionId": "nope", "metricType": "a", "metricValue": 1}],
            "",
            "metrics.0.sessionId",
        ),
        (
            "appendMessages(sessionId: SESSION, messages: $it)",
            [{"role": "ASSISTANT", "toolCalls": [{"name": "a", "arguments": {}}] * 1_001}],
            "",
            "messages.0.toolCalls",
        ),
        ('addSessionTags(sessionIds: $it, tags: ["a"])', ["SESSION"] * 1_001, "", "sessionIds"),
        ("addSessionTags(sessionIds: [SESSION], tags: $it)", [f"{n}" for n in range(101)], "", "tags"),
        ("addTeamMembers(teamId: TEAM, agentIds: $it)", ["AGENT"] * 1_001, "", "agentIds"),
        ('createTeam(input: {name: "T", memberIds: $it})', ["AGENT"] * 1_001, "", "memberIds"),
        ("createSession(input: {tags: $it})", [f"{n}" for n in range(101)], "LIMIT_EXCEEDED", "tags"),
        (
            "appendMessages(sessionId: SESSION, messages: $it)",
            [{"role": "USER", "externalId": "same"}] * 2,
            "CONFLICT",
            "externalId",
        ),
        ('addSessionTags(sessionIds: $it, tags: ["a"])', ["SESSION", "USER"], "NOT_FOUND", "sessionIds"),
        ("addTeamMembers(teamId: TEAM, agentIds: $it)", ["AGENT", "USER"], "NOT_FOUND", "agentIds"),
        ("removeTeamMembers(teamId: USER, agentIds: $it)", ["AGENT"], "NOT_FOUND", "teamId"),
        ('createTeam(input: {name: "T", memberIds: $it})', ["AGENT", "USER"], "NOT_FOUND", "memberIds"),
    ],
)
async def test_invalid_lists_are_refused(
    project: Api, ids: dict[str, str], document: str, variables: list[Any], code: str, named: str
) -> None:
    types = {
        "even": "[RecordEventInput!]!",
        "mess": "[AppendMessageInput!]!",
        "metr": "[RecordSessionMetricInput!]!",
        "reco": "[RecordUsageInput!]!",
        "tags": "[String!]!",
    }
    argument = re.search(r"(\w{4})\w*: \$it", document)
    assert argument
    type_ = types.get(argument[1], "[ID!]!")
    values = {noun.upper(): id_ for noun, id_ in ids.items()}
    document = re.sub(r"\b(SESSION|TEAM|USER)\b", lambda m: f'"{values[m[1]]}"', document)
    it = [values.get(value, value) if isinstance(value, str) else value for value in variables]
    answer = await project.answer(f"mutation($it: {type_}) {{ {document} {{ __typename }} }}", it=it)
    check_refusal(answer, code or "BAD_USER_INPUT", named=named)


@BY_MUTATION
async def test_keys_without_the_scope_of_a_mutation_are_refused(
    project: Api, ids: dict[str, str], write: InputMutation
) -> None:
    administers = write.mutation in {"updateProject", "createApiKey", "updateApiKey"}
    less = ApiKeyScope.WRITE if administers else ApiKeyScope.READ
    check_refusal(await write.answer(project.with_scopes(less), ids), "FORBIDDEN", named="scope")


async def test_every_mutation_is_refused_to_read_keys(project: Api, ids: dict[str, str]) -> None:
    for mutation, field in MUTATIONS.items():
        arguments = ", ".join(
            f"{name}: {_any(argument.type, ids)}"
            for name, argument in field.args.items()
            if name != "idempotencyKey"
        )
        answer = await project.with_scopes(ApiKeyScope.READ).answer(
            f"mutation {{ {mutation}({arguments}) {{ __typename }} }}"
        )
        assert answer.codes == ["FORBIDDEN"], (mutation, answer)


def _any(type_: Any, ids: dict[str, str]) -> str:
    """Return some value of a type as a literal."""
    kind = get_named_type(type_)
    if hasattr(kind, "fields"):
        required = {name: field for name, field in kind.fields.items() if str(field.type).endswith("!")}
        value = "{" + ", ".join(f"{name}: {_any(field.type, ids)}" for name, field in required.items()) + "}"
    else:
        value = {
            "ID": f'"{ids["session"]}"',
            "String": '"x"',
            "Boolean": "true",
            "Int": "1",
            "Float": "0.5",
            "DateTime": '"2999-01-01T00:00:00Z"',
            "Vector": "[1, 0.5]",
            "MessageRole": "USER",
            "ApiKeyScope": "READ",
            "AccessorType": "AGENT",
            "JobState": "COMPLETED",
            "KnowledgeDocumentStatus": "READY",
            "KnowledgeSyncStatus": "SUCCEEDED",
            "JSON": "{}",
        }[kind.name]
    return f"[{value}]" if isinstance(get_nullable_type(type_), GraphQLList) else value
