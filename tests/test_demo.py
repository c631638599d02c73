"""The demo data shows every feature, is always the same, is loaded once, and leaves other data alone."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from agentdata.demo import load
from agentdata.operations import users
from models.enums import (
    AccessorType,
    JobState,
    KnowledgeDocumentStatus,
    KnowledgeSyncStatus,
    MessageRole,
    SessionStatus,
    ToolCallStatus,
    VerificationStatus,
)
from tests.databases import reachable_folder

if TYPE_CHECKING:
    from pathlib import Path

    from tests.api import Api

ALL = """
{
  users(first: 100) { nodes { name externalId email phoneNumber userData } }
  teams(first: 100) { nodes { name members(first: 100) { nodes { name } } } }
  agents(first: 100) { nodes {
    name type description provider model temperature systemPrompt config tools active specializations
    learningMode trainingStatus owner { name } totalSessions successRate lastActiveAt
    activeVersion { versionNumber }
    versionHistory { versionNumber activatedAt deactivatedAt createdBy { __typename } }
    metrics(first: 100) { nodes {
      metricType metricValue timestamp timeframe metadata version { versionNumber }
    } }
  } }
  sessions(first: 100, orderBy: [{field: STARTED_AT, direction: ASC}]) { nodes {
    externalId title status platform provider purpose businessContext tags qualityScore userSatisfaction
    learningOutcomes source context state metadata costUsd startedAt endedAt lastActivityAt messageCount
    promptTokens depth parent { externalId } user { name } agent { name } agentVersion { versionNumber }
    team { name }
    metrics(first: 100) { nodes { metricType metricValue timestamp metadata } }
    events(first: 100) { nodes { sequence eventType eventData timestamp durationMs } }
    usage(first: 100) { nodes {
      model promptTokens completionTokens cachedTokens costUsd runId timestamp agent { name }
    } }
    sandbox { kind externalServerId status selection user { name } }
    moduleStates(first: 100) { nodes {
      moduleId version stateType state stateHash isSnapshot snapshotReason expiresAt
      previousState { version }
      transitions(first: 10) { nodes { triggerType triggerId transitionData previousValues newValues } }
    } }
    messages(first: 50) { nodes {
      sequence role content parts mediaUrl mediaType model tokenCount latencyMs feedback flagged rawPayload
      metadata createdAt isRedacted: redactedAt
      toolCalls(first: 10) { nodes { name arguments result error status durationMs } }
      toolCall { name }
    } }
  } }
  memories(first: 100, orderBy: [{field: CREATED_AT, direction: ASC}]) { nodes {
    externalId name description content data memoryType importance confidence sourceType verificationStatus
    topics readMode expiresAt lastAccessedAt accessCount usefulness metadata createdAt
    user { name } agent { name } session { externalId }
    sourceMessages(first: 100) { nodes { content } }
    relatedMemories(first: 100) { nodes { externalId } }
    accesses(first: 100) { nodes { accessType accessedBy accessorType context usefulness createdAt } }
    annotations(first: 100) { nodes {
      annotationType content verificationStatus isApplied createdAt createdBy { __typename }
      revision { content }
    } }
    history(first: 100) { nodes { sequence content annotation { annotationType } } }
  } }
  queues(first: 100) { nodes { name isPaused counts { waiting delayed active completed failed cancelled } } }
  schedules(first: 100) { nodes {
    name cron timeZone isActive jobName data priority maxAttempts backoff backoffMs lastRunAt queue { name }
  } }
  jobs(first: 100) { nodes {
    name externalId state data result error attempts maxAttempts priority backoff backoffMs progress worker
    queue { name } schedule { name }
  } }
  knowledgeBases(first: 10, orderBy: [{field: CREATED_AT, direction: ASC}]) { nodes {
    name externalId description source refreshSchedule metadata createdAt documentCount chunkCount
    lastCommitSha lastSyncedAt lastSync { status } agents(first: 10) { nodes { name } }
    versions(first: 10, orderBy: [{field: VERSION, direction: ASC}]) { nodes {
      version documentCount chunkCount
    } }
    documents(first: 10, orderBy: [{field: NAME, direction: ASC}]) { nodes {
      version externalId name type size hash status statusMessage metadata chunkCount accessCount
      chunks(first: 10) { nodes { position content metadata tags } }
    } }
    syncs(first: 10) { nodes {
      status kind commitSha added modified removed chunksWritten startedAt finishedAt error
    } }
  } }
}
"""


async def _loaded(api: Api) -> dict[str, Any]:
    assert await api.run(load)
    found: dict[str, Any] = await api.ask(ALL)
    for session in found["sessions"]["nodes"]:
        for message in session["messages"]["nodes"]:
            message["isRedacted"] = message["isRedacted"] is not None
    return found


async def test_the_demo_shows_every_feature(api: Api) -> None:
    found = await _loaded(api)
    sessions = found["sessions"]["nodes"]
    said = [message for session in sessions for message in session["messages"]["nodes"]]
    calls = [call for message in said for call in message["toolCalls"]["nodes"]]
    agents = found["agents"]["nodes"]
    assert {session["status"] for session in sessions} == set(SessionStatus)
    assert {message["role"] for message in said} == set(MessageRole)
    assert {call["status"] for call in calls} == set(ToolCallStatus)
    assert {session["depth"] for session in sessions} == {0, 1, 2, 3, 4}
    assert {session["source"] for session in sessions} == {"user", "webhook", "scheduled_job", "agent", "api"}
    assert any(len(agent["versionHistory"]) > 1 and agent["activeVersion"] for agent in agents)
    assert {agent["active"] for agent in agents} == {True, False}
    assert any(0 < agent["successRate"] < 1 for agent in agents if agent["successRate"] is not None)
    for nodes in (agents, sessions):
        measured = [metric for node in nodes for metric in node["metrics"]["nodes"]]
        assert len({metric["metricType"] for metric in measured}) > 1
        for field in measured[0]:
            assert any(metric[field] for metric in measured), f"no metric has {field}"
    assert any(len(team["members"]["nodes"]) > 1 for team in found["teams"]["nodes"])
    [redacted] = [message for message in said if message["isRedacted"]]
    assert redacted["content"] is None
    assert all(message["toolCall"] for message in said if message["role"] == MessageRole.TOOL)
    jobs = found["jobs"]["nodes"]
    assert {job["state"] for job in jobs} == set(JobState)
    for field in ("result", "error", "progress", "worker", "priority"):
        assert any(job[field] for job in jobs), f"no job has {field}"
    assert {schedule["isActive"] for schedule in found["schedules"]["nodes"]} == {True, False}
    assert {queue["isPaused"] for queue in found["queues"]["nodes"]} == {True, False}
    memories = found["memories"]["nodes"]
    accesses = [access for memory in memories for access in memory["accesses"]["nodes"]]
    annotations = [annotation for memory in memories for annotation in memory["annotations"]["nodes"]]
    assert {memory["verificationStatus"] for memory in memories} == set(VerificationStatus)
    assert {access["accessorType"] for access in accesses} == set(AccessorType)
    assert {(each["annotationType"], each["isApplied"]) for each in annotations} == {
        *((kind, True) for kind in ("correction", "enhancement", "verification")),
        *((kind, False) for kind in ("correction", "remark")),
    }
    assert any(len(memory["relatedMemories"]["nodes"]) > 1 for memory in memories)
    assert any(len(memory["sourceMessages"]["nodes"]) > 1 for memory in memories)
    assert any(len(memory["history"]["nodes"]) > 1 for memory in memories)
    for noun in ("events", "usage", "moduleStates"):
        rows = [row for session in sessions for row in session[noun]["nodes"]]
        for field in rows[0]:
            assert any(row[field] for row in rows), f"none of the {noun} has {field}"
    states = [state for session in sessions for state in session["moduleStates"]["nodes"]]
    assert any(
        transition["previousValues"] for state in states for transition in state["transitions"]["nodes"]
    )
    assert any(session["sandbox"] and session["sandbox"]["selection"] for session in sessions)
    bases = found["knowledgeBases"]["nodes"]
    documents = [document for base in bases for document in base["documents"]["nodes"]]
    chunks = [chunk for document in documents for chunk in document["chunks"]["nodes"]]
    syncs = [sync for base in bases for sync in base["syncs"]["nodes"]]
    assert {document["status"] for document in documents} == set(KnowledgeDocumentStatus)
    assert {sync["status"] for sync in syncs} == set(KnowledgeSyncStatus)
    assert any(len(base["versions"]["nodes"]) > 1 for base in bases)
    assert any(len(base["agents"]["nodes"]) > 1 for base in bases)
    for noun, rows in (
        ("user", found["users"]["nodes"]),
        ("agent", agents),
        ("session", sessions),
        ("message", said),
        ("memory", memories),
        ("access to a memory", accesses),
        ("annotation on a memory", annotations),
        ("knowledge base", bases),
        ("knowledge document", documents),
        ("chunk", chunks),
        ("sync", syncs),
    ):
        for field in rows[0]:
            assert any(row[field] not in (None, {}, [], "", False) for row in rows), f"no {noun} has {field}"


async def test_the_demo_data_is_always_the_same(api: Api, other: Api) -> None:
    assert await _loaded(api) == await _loaded(other)


async def test_a_project_with_data_is_not_changed(api: Api, other: Api) -> None:
    await api.run(load)
    assert not await api.run(load)
    await other.run(users.create, values={"name": "Somebody"})
    assert not await other.run(load)
    assert await other.ask("{ agents { totalCount } }") == {"agents": {"totalCount": 0}}


def _demo(folder: Path) -> str:
    """Serve the demo until it answers, and return its output."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AGENTDATA_")} | {
        "AGENTDATA_PORT": "0",
        "AGENTDATA_DATA_DIR": str(folder / "mine"),
        "DATABASE_URL": "postgresql://nobody@localhost:1/mine",
    }
    printed = ""
    with subprocess.Popen(
        [sys.executable, "-m", "agentdata", "demo"],
        env=environment,
        cwd=folder,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout
        for line in process.stdout:
            printed += line
            if line.startswith("Try "):
                break
        url = re.search(r"^GraphQL +(\S+)$", printed, re.MULTILINE)
        assert url, printed
        answer = httpx.post(
            url[1],
            json={"query": "{ sessions { totalCount } }"},
            headers={"Authorization": f"Bearer {(folder / '.agentdata-demo/api-key').read_text().strip()}"},
        )
        assert answer.json() == {"data": {"sessions": {"totalCount": 14}}}
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=30) == 0
    return printed


@pytest.mark.slow
def test_the_demo_has_a_data_folder_of_its_own() -> None:
    with reachable_folder() as folder:
        assert "The demo data is loaded" in _demo(folder)
        assert "The demo data was loaded before" in _demo(folder)
        assert [path.name for path in folder.iterdir()] == [".agentdata-demo"]
