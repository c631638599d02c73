"""Every field of every input is written and read back; omitted fields stay, and null clears."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.writes import MUTATIONS, WRITES, InputMutation, fill_in, inputs_of, some_of_each

if TYPE_CHECKING:
    from graphql import GraphQLObjectType

    from tests.api import Api

AGENT = {
    "externalId": "e-1", "type": "planner", "description": "Plans ☃ 𝄞", "provider": "local", "model": "m-1",
    "temperature": 0.7, "maxTokens": 512, "systemPrompt": "Be brief.\n", "config": {"a": [1, {"b": None}]},
    "tools": ["find", {"name": "seek"}], "active": False, "runId": -7, "ownerId": "@user",
    "specializations": ["law", "tax"], "learningMode": "active", "trainingStatus": "trained", "name": "Ada",
}  # fmt: skip
USER = {
    "externalId": "e-1", "email": "Ann@Example.org", "phoneNumber": "+1 555", "name": "Ann",
    "userData": {"vip": True},
}  # fmt: skip
VERSION = {
    "changes": {"new": "all"}, "systemPrompt": "Be kind.", "config": {"k": 1.5}, "performance": {"p": 0.25},
    "versionNumber": "9.9",
}  # fmt: skip
STARTED = {
    "title": "A talk", "userId": "@user", "agentId": "@agent", "agentVersionId": "@version",
    "teamId": "@team", "platform": "web", "provider": "local", "purpose": "To try",
    "businessContext": {"b": 1}, "tags": ["x", "y"],
    "qualityScore": 0.5, "userSatisfaction": 1.0, "learningOutcomes": {"l": []}, "source": "api",
    "context": {"c": {}}, "state": {"s": "t"}, "metadata": {"m": 1e300}, "costUsd": 0.000000123,
    "externalId": "s-1",
}  # fmt: skip
CREATED = STARTED | {
    "status": "FAILED", "startedAt": "2025-01-01T00:00:00Z", "endedAt": "2025-01-01T00:00:00.000001Z",
}  # fmt: skip
MESSAGE = {
    "content": "Hello ☃", "parts": [{"type": "text"}], "mediaUrl": "https://example.org/a.png",
    "mediaType": "image/png", "userId": "@user", "agentId": "@agent", "model": "m-1", "tokenCount": 1,
    "promptTokens": 2, "completionTokens": 3, "latencyMs": 4, "feedback": "good", "flagged": True,
    "rawPayload": {"raw": [None]}, "metadata": {"n": 2**64 - 1}, "externalId": "m-1",
}  # fmt: skip
CALL = {"startedAt": "2025-01-01T10:00:00+02:00", "durationMs": 12.5, "callId": "c-9", "name": "seek"}
EVENT = {
    "eventType": "error", "eventData": {"code": [504]}, "timestamp": "2025-01-01T00:00:00.000001Z",
    "durationMs": 0.25,
}  # fmt: skip
USED = {
    "agentId": "@agent", "runId": "run-1", "promptTokens": 2**31 - 1, "completionTokens": 5,
    "cachedTokens": 0, "costUsd": 0.000000123, "timestamp": "2025-01-01T00:00:00.000001Z",
}  # fmt: skip
SANDBOX = {
    "userId": "@user", "kind": "mock_game_server", "externalServerId": "s-1", "status": "RUNNING",
    "selection": {"map": [1]},
}  # fmt: skip
MEASURED = {
    "metricType": "accuracy", "metricValue": -1e100, "timestamp": "2025-01-01T00:00:00.000001Z",
    "metadata": {"n": [None]},
}  # fmt: skip
MEMORY = {
    "externalId": "m-1", "name": "Diet", "description": "What is eaten", "data": {"meat": False},
    "memoryType": "fact", "userId": "@user", "agentId": "@agent", "sessionId": "@session", "importance": 7.5,
    "confidence": 0.25, "sourceType": "user_input", "verificationStatus": "DISPUTED",
    "topics": ["food", "health"], "readMode": "always", "expiresAt": "2999-01-01T00:00:00Z",
    "metadata": {"m": 1}, "content": "Eats no meat ☃", "sourceMessageIds": ["@message"],
}  # fmt: skip
REMEMBERED = MEMORY | {"createdAt": "2025-01-01T00:00:00Z"}
ACCESS = {
    "memoryId": "@memory", "accessType": "reference", "accessedBy": "a-1", "accessorType": "USER",
    "context": {"c": [1]}, "usefulness": 0.5, "createdAt": "2025-01-01T00:00:00Z",
}  # fmt: skip
NOTED = {"verificationStatus": "DISPUTED", "createdAt": "2025-01-01T00:00:00Z"}
ENDED = {
    "endedAt": "2999-01-01T00:00:00Z", "qualityScore": 1.0, "userSatisfaction": 0.0,
    "learningOutcomes": {"o": 1}, "costUsd": 1.5,
}  # fmt: skip

STATE = {
    "moduleId": "cart", "sessionId": "@session", "state": {"items": [1, {"n": 2**64 - 1}]},
    "stateType": "workflow_progress", "isSnapshot": True, "snapshotReason": "Checkout",
    "expiresAt": "2999-01-01T00:00:00Z", "triggerType": "user_action", "triggerId": "click 7",
    "transitionData": {"t": None},
}  # fmt: skip

ENQUEUED = {
    "queue": "sync", "name": "send", "externalId": "j-1", "data": {"b": 1, "a": [None]}, "priority": -3,
    "runAt": "2999-01-01T00:00:00Z", "maxAttempts": 1_000, "backoff": "FIXED", "backoffMs": 86_400_000,
}  # fmt: skip
PLANNED = {
    "name": "nightly", "queue": "sync", "cron": "30 3 * * 1-5", "timeZone": "Asia/Tokyo", "isActive": False,
    "jobName": "send", "data": {"b": 1, "a": [None]}, "priority": 2**31 - 1, "maxAttempts": 1,
    "backoff": "FIXED", "backoffMs": 0,
}  # fmt: skip
BASE = {
    "name": "Handbook", "externalId": "b-1", "description": "How it works ☃", "source": {"url": ["a"]},
    "refreshSchedule": "0 3 * * *", "metadata": {"m": None},
}  # fmt: skip
DOCUMENT = {
    "name": "Ovens", "externalId": "docs/ovens.md", "type": "text/markdown", "size": 2**62, "hash": "9f",
    "status": "FAILED", "statusMessage": "not readable", "metadata": {"m": [1]},
}  # fmt: skip
SYNC = {
    "kind": "full", "commitSha": "c0ffee", "added": 1, "modified": 2, "removed": 3,
    "chunksWritten": 2**31 - 1,
}  # fmt: skip
SYNCED = SYNC | {
    "status": "FAILED", "startedAt": "2025-01-01T00:00:00Z", "finishedAt": "2025-01-01T00:00:00.000001Z",
    "error": "no network", "jobId": "@job",
}  # fmt: skip

CASES: list[tuple[str, dict[str, Any]]] = [
    ("updateProject", {"name": "Renamed", "slug": "@slug"}),
    ("createApiKey", {"name": "Key 2", "scopes": ["READ", "WRITE"], "expiresAt": "2999-01-01T00:00:00Z"}),
    ("updateApiKey", {"name": "Key 3", "scopes": ["ADMIN"], "expiresAt": "2999-01-01T00:00:00Z"}),
    ("createUser", USER),
    ("updateUser", USER),
    ("createTeam", {"name": "Blue", "externalId": "t-1", "memberIds": ["@agent"]}),
    ("updateTeam", {"name": "Red", "externalId": "t-1"}),
    ("createAgent", AGENT),
    ("updateAgent", AGENT),
    ("createAgentVersion", VERSION | {"agentId": "@agent", "createdByUserId": "@user", "activate": True}),
    ("createAgentVersion", VERSION | {"agentId": "@agent", "createdByAgentId": "@agent", "activate": False}),
    ("updateAgentVersion", VERSION),
    ("createSession", CREATED | {"parentId": "@parent"}),
    ("startSession", STARTED | {"parentId": "@parent"}),
    ("updateSession", CREATED),
    ("endSession", ENDED | {"status": "CANCELLED"}),
    ("appendMessages", MESSAGE | {"role": "SYSTEM", "createdAt": "2025-01-01T00:00:00Z"}),
    ("appendMessages", {"role": "ASSISTANT", "toolCalls": [{"name": "find", "arguments": {"q": 1}}]}),
    ("appendMessages", {"role": "TOOL", "toolCallId": "pending", "toolError": "it is down"}),
    ("updateMessage", MESSAGE),
    ("createToolCall", CALL | {"arguments": {"q": [1]}, "result": {"r": 1}}),
    ("createToolCall", {"name": "find", "arguments": [], "error": "it is down"}),
    ("createToolCall", {"name": "find", "arguments": "as text", "result": "text"}),
    ("recordToolResult", {"result": [1], "startedAt": "2025-01-01T00:00:00Z", "durationMs": 0.0}),
    ("recordToolResult", {"error": "it is down"}),
    ("updateToolCall", CALL | {"arguments": 5, "result": False}),
    ("updateToolCall", {"error": "it is down"}),
    ("recordEvents", EVENT),
    ("recordUsage", USED),
    ("setSandbox", SANDBOX),
    ("updateSandbox", SANDBOX),
    ("setModuleState", STATE | {"expectedVersion": 1}),
    ("setModuleStates", STATE | {"expectedVersion": 1}),
    ("recordAgentMetrics", MEASURED | {"versionId": "@version", "timeframe": "daily"}),
    ("recordSessionMetrics", MEASURED),
    ("createMemory", REMEMBERED),
    ("createMemories", REMEMBERED),
    ("updateMemory", MEMORY),
    ("recordMemoryAccess", ACCESS),
    ("recordMemoryAccesses", ACCESS),
    ("annotateMemory", NOTED | {"createdByUserId": "@user"}),
    ("annotateMemory", {"annotationType": "correction", "createdByAgentId": "@agent"}),
    ("annotateMemories", NOTED | {"createdByUserId": "@user"}),
    ("annotateMemories", {"annotationType": "correction", "createdByAgentId": "@agent"}),
    ("enqueueJob", ENQUEUED),
    ("enqueueJobs", ENQUEUED),
    ("extendJobs", {"leaseMs": 60_000, "progress": 0.5}),
    ("completeJobs", {"result": [1, {"r": None}]}),
    ("failJobs", {"retry": False}),
    ("putSchedule", PLANNED),
    ("createKnowledgeBase", BASE | {"agentIds": ["@agent"]}),
    ("updateKnowledgeBase", BASE),
    ("putKnowledgeDocument", DOCUMENT | {"version": "v1"}),
    ("putKnowledgeDocuments", DOCUMENT | {"version": "v1"}),
    ("updateKnowledgeDocument", DOCUMENT),
    ("putKnowledgeChunks", {"content": "Heat it ☃", "tags": ["oven"], "metadata": {"page": 1}}),
    ("recordKnowledgeSync", SYNCED),
    ("recordKnowledgeSyncs", SYNCED),
    ("updateKnowledgeSync", SYNC),
    (
        "finishKnowledgeSync",
        {name: SYNCED[name] for name in SYNCED if name not in {"jobId", "kind", "startedAt"}}
        | {"finishedAt": "2999-01-01T00:00:00Z"},
    ),
]
BY_NAME = {write.mutation: write for write in WRITES}
SELECTIONS = {
    "memberIds": "members { nodes { id } }",
    "agentIds": "agents { nodes { id } }",
    "activate": "isActive",
    "sourceMessageIds": "sourceMessages { nodes { id } }",
    "toolCallId": "toolCall { callId }",
    "toolError": "toolCall { error }",
    "toolCalls": "toolCalls { nodes { name arguments } }",
    "createdByUserId": "createdBy { ... on Node { id } }",
    "createdByAgentId": "createdBy { ... on Node { id } }",
    "expectedVersion": "previousState { version }",
    "triggerType": "byType: reachedBy { triggerType }",
    "triggerId": "byId: reachedBy { triggerId }",
    "transitionData": "withData: reachedBy { transitionData }",
    "queue": "queueOf: queue { name }",
    "leaseMs": "leaseExpiresAt",
    "retry": "state",
}
CASES_BY_MUTATION = pytest.mark.parametrize(
    ("mutation", "values"), CASES, ids=[f"{mutation}-{place}" for place, (mutation, _) in enumerate(CASES)]
)


@pytest.fixture
async def things(api: Api) -> dict[str, str]:
    """Provide the ids of one object of each type."""
    return await some_of_each(api)


def selection(type_: GraphQLObjectType, field: str) -> str:
    """Return the selection that reads an input field back."""
    if field in SELECTIONS:
        return SELECTIONS[field]
    if field in type_.fields:
        return field
    return f"{field.removesuffix('Id')} {{ id }}"


def value(field: str, data: dict[str, Any]) -> Any:
    """Return the value that was read back for an input field."""
    name = selection_name(field, data)
    found = data[name]
    if isinstance(found, dict) and field != name:
        if "nodes" in found:
            return [node["id"] for node in found["nodes"]]
        [found] = found.values()
    elif field == "toolCalls":
        return found["nodes"]
    return found


def selection_name(field: str, data: dict[str, Any]) -> str:
    """Return the name under which an input field is read back."""
    return field if field in data else re.split(r"\W", SELECTIONS.get(field, field.removesuffix("Id")))[0]


def same_time(value: Any) -> Any:
    """Return a time as responses write it."""
    return value.replace("T10:00:00+02:00", "T08:00:00Z") if isinstance(value, str) else value


async def ask(
    api: Api, write: InputMutation, things: dict[str, str], values: dict[str, Any]
) -> dict[str, Any]:
    """Run a mutation and read all fields of its input back."""
    selections = {field: selection(write.returns, field) for field in write.fields}
    if write.mutation == "createApiKey":
        document = write.document("apiKey { " + " ".join(write.fields) + " }")
    elif write.mutation == "putKnowledgeChunks":
        document = write.document("chunks { nodes { " + " ".join(write.fields) + " } }")
    else:
        document = write.document(
            "status " * (write.returns.name == "ToolCall") + " ".join(selections.values())
        )
        # Selections of the same field are merged.
        document = document.replace("toolCall { callId } toolCall { error }", "toolCall { callId error }")
    data = (await api.ask(document, **write.variables(things, values)))[write.mutation]
    if write.mutation == "putKnowledgeChunks":
        data = data["chunks"]["nodes"]
    if write.is_list:
        [data] = data
    found: dict[str, Any] = data.get("apiKey", data)
    return found


@CASES_BY_MUTATION
async def test_every_field_is_read_back_as_written(
    api: Api, things: dict[str, str], mutation: str, values: dict[str, Any]
) -> None:
    given = fill_in(values, things)
    found = await ask(api, BY_NAME[mutation], things, given)
    for field, expected in given.items():
        if field in {"toolCallId", "toolError"}:
            assert found["toolCall"] == {"callId": "pending", "error": "it is down"}
        elif field == "leaseMs":
            assert found["leaseExpiresAt"] is not None
        elif field == "retry":
            assert found["state"] == "FAILED"
        else:
            assert value(field, found) == same_time(expected), field
    if "status" in found and ("result" in values or "error" in values):
        assert found["status"] == ("FAILED" if "error" in values else "SUCCEEDED")


@CASES_BY_MUTATION
async def test_an_update_keeps_omitted_fields_and_null_clears_fields(
    api: Api, things: dict[str, str], mutation: str, values: dict[str, Any]
) -> None:
    if not mutation.startswith("update"):
        return
    write, given = BY_NAME[mutation], fill_in(values, things)
    full = await ask(api, write, things, given)
    assert await ask(api, write, things, {}) == full
    for field in given:
        answer = await write.answer(api, things, **{field: None})
        after = await ask(api, write, things, {})
        if answer.errors:
            [error] = answer.errors
            assert error["extensions"] == {"code": "BAD_USER_INPUT", "field": field}
            assert after == full
        else:
            assert value(field, after) is None
            # Clearing an agent clears its version, and clearing a result changes the status.
            rest = {
                name for name in full if name not in {selection_name(field, full), "agentVersion", "status"}
            }
            assert {name: after[name] for name in rest} == {name: full[name] for name in rest}
            full = await ask(api, write, things, {name: given[name] for name in given if name != "endedAt"})


REQUIRED = {
    "name", "slug", "scopes", "userData", "config", "tools", "active", "specializations", "changes",
    "performance",
    "versionNumber", "businessContext", "tags", "learningOutcomes", "context", "state", "metadata", "status",
    "startedAt", "flagged", "arguments", "selection", "content", "data", "importance", "verificationStatus",
    "topics", "sourceMessageIds", "source", "added", "modified", "removed", "chunksWritten",
}  # fmt: skip


@pytest.mark.parametrize(
    "write", [w for w in WRITES if w.mutation.startswith("update")], ids=lambda w: w.mutation
)
async def test_null_is_refused_only_for_required_fields(
    api: Api, things: dict[str, str], write: InputMutation
) -> None:
    nullable = {
        ("updateUser", "name"),
        ("updateAgentVersion", "config"),
        ("updateMessage", "content"),
        ("updateToolCall", "startedAt"),
        ("updateMemory", "name"),
        ("updateSession", "source"),
    }
    for field in write.fields:
        answer = await write.answer(api, things, **{field: None})
        required = field in REQUIRED and (write.mutation, field) not in nullable
        # The dimensions of a base need its model.
        required |= (write.mutation, field) == ("updateKnowledgeBase", "embeddingModel")
        assert answer.codes == (["BAD_USER_INPUT"] if required else []), (field, answer)


def test_the_cases_cover_every_input_field() -> None:
    for write in WRITES:
        tried = {field for mutation, values in CASES if mutation == write.mutation for field in values}
        # test_embeddings.py has these, which depend on each other.
        of_vectors = {"embedding", "embeddingModel", "dimensions"} & set(write.fields)
        assert tried | set(write.least) | of_vectors == set(write.fields), write.mutation


def test_the_cases_cover_every_mutation() -> None:
    inputs = {"input", "messages", "events", "records", "states", "metrics"}
    with_input = {name for name, field in MUTATIONS.items() if inputs & set(field.args)}
    with_input = {name for name in MUTATIONS if inputs_of(name)}
    assert {write.mutation for write in WRITES} == with_input
    sources = "".join(path.read_text() for path in Path(__file__).parent.glob("test_*.py"))
    assert [name for name in MUTATIONS if not re.search(rf"\b{name}\b", sources)] == []
