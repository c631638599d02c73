"""The contract equals the committed print, is described and complete, and only grows."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest
from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLObjectType,
    build_schema,
    find_breaking_changes,
    is_introspection_type,
    is_specified_scalar_type,
)

from schema.root import schema

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[1]
SCHEMA = build_schema(schema.as_str())

DOMAIN = {
    "Project": "id createdAt updatedAt name slug series statistics",
    "AccessRecord": (
        "id createdAt kind fields operationName documentHash objectIds objectCount apiKey user subject"
        " address requestId"
    ),
    "ApiKey": "id createdAt name prefix scopes lastUsedAt expiresAt revokedAt",
    "User": (
        "id createdAt updatedAt externalId email phoneNumber name userData sessions memories series"
        " statistics"
    ),
    "Team": "id createdAt updatedAt name externalId members sessions series statistics",
    "Agent": (
        "id createdAt updatedAt name externalId type description provider model temperature maxTokens"
        " systemPrompt config tools active runId owner specializations learningMode trainingStatus"
        " lastActiveAt totalSessions successRate versions activeVersion versionHistory sessions metrics"
        " knowledgeBases knowledgeBaseCount"
        " series memories statistics"
    ),
    "AgentVersion": (
        "id createdAt updatedAt agent versionNumber changes systemPrompt config createdBy isActive"
        " activatedAt deactivatedAt performance metrics series statistics"
    ),
    "AgentMetric": "id createdAt agent version metricType metricValue timestamp timeframe metadata",
    "Session": (
        "id createdAt updatedAt externalId title user agent agentVersion team status platform provider"
        " purpose businessContext tags qualityScore userSatisfaction learningOutcomes source context state"
        " metadata lastActivityAt startedAt endedAt isActive interactionCount messageCount promptTokens"
        " completionTokens costUsd parent children root depth ancestors descendants tree messages"
        " firstMessage lastMessage events usage sandbox moduleStates metrics series memories"
        " statistics"
    ),
    "SessionMetric": "id createdAt session metricType metricValue timestamp metadata",
    "Message": (
        "id createdAt updatedAt session externalId sequence role content parts mediaUrl mediaType user agent"
        " model tokenCount promptTokens completionTokens latencyMs feedback flagged rawPayload metadata"
        " redactedAt toolCalls toolCall embedding embeddedAt embeddingModel"
    ),
    "Memory": (
        "id createdAt updatedAt externalId name description content data memoryType user agent session"
        " importance confidence sourceType verificationStatus topics readMode expiresAt lastAccessedAt"
        " accessCount metadata relatedMemories accesses annotations usefulness sourceMessages history"
        " embedding embeddedAt embeddingModel"
    ),
    "MemoryAccess": "id createdAt memory accessType accessedBy accessorType context usefulness",
    "MemoryAnnotation": (
        "id createdAt updatedAt memory annotationType content createdBy isApplied appliedAt"
    ),
    "KnowledgeBase": (
        "id createdAt updatedAt name externalId description source refreshSchedule metadata agents versions"
        " documents chunks syncs lastSync lastCommitSha lastSyncedAt documentCount chunkCount"
        " accessCount lastAccessedAt"
        " embeddingModel dimensions nextEmbeddingModel nextDimensions embeddedCount nextEmbeddedCount"
    ),
    "KnowledgeVersion": (
        "id createdAt knowledgeBase version documentCount chunkCount documents embeddedCount"
        " nextEmbeddedCount"
    ),
    "KnowledgeDocument": (
        "id createdAt updatedAt knowledgeBase version externalId name type size hash status statusMessage"
        " metadata chunkCount accessCount lastAccessedAt chunks"
    ),
    "KnowledgeChunk": (
        "id createdAt knowledgeBase version document position content metadata tags embedding embeddedAt"
    ),
    "KnowledgeSync": (
        "id createdAt updatedAt knowledgeBase job status kind commitSha added modified removed chunksWritten"
        " startedAt finishedAt error"
    ),
    "ToolCall": (
        "id createdAt updatedAt message callId name arguments result error status startedAt durationMs"
    ),
    "SessionEvent": "id createdAt session eventType eventData timestamp sequence durationMs",
    "UsageRecord": (
        "id createdAt session agent runId model promptTokens completionTokens cachedTokens costUsd timestamp"
    ),
    "Sandbox": "id createdAt updatedAt session user kind externalServerId status selection",
    "ModuleState": (
        "id createdAt moduleId session version stateType state stateHash previousState isSnapshot"
        " snapshotReason expiresAt history nextStates transitions"
    ),
    "Queue": "id createdAt updatedAt name isPaused pausedAt counts oldestWaitingAt jobs schedules",
    "Job": (
        "id createdAt updatedAt queue schedule externalId name state data result error attempts maxAttempts"
        " priority runAt backoff backoffMs progress worker lease leaseExpiresAt startedAt finishedAt"
    ),
    "Schedule": (
        "id createdAt updatedAt queue name cron timeZone isActive jobName data priority maxAttempts backoff"
        " backoffMs nextRunAt lastRunAt jobs"
    ),
    "StateTransition": (
        "id createdAt state nextState triggerId triggerType transitionData previousValues newValues"
    ),
}
"""The fields that the domain requires of each noun."""

NAMED_BY_THE_DOMAIN = {"Memory.memoryType", "User.userData"}
"""Fields that repeat the name of their type, because users know them by this name."""


class Described(NamedTuple):
    """A part of the contract, with its path, such as `Query.agents(first:)`."""

    path: str
    name: str
    description: str | None


def _types() -> list[GraphQLNamedType]:
    return [
        type_
        for type_ in SCHEMA.type_map.values()
        if not is_introspection_type(type_) and not is_specified_scalar_type(type_)
    ]


def _parts() -> Iterator[Described]:
    for type_ in _types():
        yield Described(type_.name, type_.name, type_.description)
        if isinstance(type_, GraphQLEnumType):
            for name, value in type_.values.items():
                yield Described(f"{type_.name}.{name}", name, value.description)
        yield from _fields(type_)


def _fields(type_: GraphQLNamedType) -> Iterator[Described]:
    if isinstance(type_, GraphQLInputObjectType):
        for name, input_field in type_.fields.items():
            yield Described(f"{type_.name}.{name}", name, input_field.description)
    if isinstance(type_, GraphQLObjectType | GraphQLInterfaceType):
        for name, field in type_.fields.items():
            yield Described(f"{type_.name}.{name}", name, field.description)
            for argument_name, argument in field.args.items():
                path = f"{type_.name}.{name}({argument_name}:)"
                yield Described(path, argument_name, argument.description)


def test_the_committed_schema_is_the_print_of_the_contract() -> None:
    committed = (ROOT / "schema.graphql").read_text()
    assert committed == schema.as_str() + "\n", "run `agentdata schema print > schema.graphql`"


def test_everything_is_described_in_sentences() -> None:
    bad = [part.path for part in _parts() if not _is_prose(part.description or "")]
    assert bad == [], "describe these in sentences: a capital first, a period last, no repetition"


def _is_prose(description: str) -> bool:
    sentences = re.split(r"(?<=[.!?])\s+", description)
    return (
        re.match(r"[A-Z`]", description) is not None
        and description.endswith(".")
        and len(set(sentences)) == len(sentences)
        and re.search(r"\b(\w+) \1\b", description) is None
        and description == " ".join(description.split())
    )


@pytest.mark.parametrize(
    "text", ["", "Which agents", "which agents.", "It is is.", "It is. It is.", "It  is.", "It is. "]
)
def test_a_description_that_is_not_a_sentence_is_found(text: str) -> None:
    assert not _is_prose(text)


def test_names_follow_the_conventions_of_graphql() -> None:
    types = {type_.name for type_ in _types()}
    enum_values = {
        f"{type_.name}.{name}"
        for type_ in _types()
        if isinstance(type_, GraphQLEnumType)
        for name in type_.values
    }
    assert [name for name in types if not re.fullmatch(r"[A-Z][A-Za-z0-9]*", name)] == []
    for path, name, _ in _parts():
        rule = (
            r"[A-Z][A-Z0-9]*(_[A-Z0-9]+)*"
            if path in enum_values
            else r"[A-Z]\w*"
            if path in types
            else r"[a-z][A-Za-z0-9]*"
        )
        assert re.fullmatch(rule, name), path


def test_no_field_repeats_the_name_of_its_type() -> None:
    repeating = {
        f"{type_.name}.{field}"
        for type_ in _types()
        if isinstance(type_, GraphQLObjectType | GraphQLInterfaceType)
        for field in type_.fields
        if re.match(rf"{type_.name}(?=[A-Z]|$)", field[0].upper() + field[1:])
    }
    assert repeating == NAMED_BY_THE_DOMAIN


@pytest.mark.parametrize("noun", DOMAIN)
def test_a_noun_has_all_fields_of_the_domain(noun: str) -> None:
    type_ = SCHEMA.type_map[noun]
    assert isinstance(type_, GraphQLObjectType)
    assert set(DOMAIN[noun].split()) - set(type_.fields) == set()
    assert [interface.name for interface in type_.interfaces] == ["Node"]


def test_the_contract_only_grows() -> None:
    released = build_schema((ROOT / "schema.released.graphql").read_text())
    broken = [change.description for change in find_breaking_changes(released, SCHEMA)]
    assert broken == [], "clients break by this; CONTRIBUTING.md says what to do instead"


def test_a_breaking_change_is_found() -> None:
    changed = build_schema(schema.as_str().replace("\n  name: String!\n", "\n  name: String\n"))
    assert [change.description for change in find_breaking_changes(SCHEMA, changed)] != []
