"""Many rows of every table, in the proportions of a large project, for the tests of indexes.

Row 7 of every thousand is the rare one: nearly no other row has its values. The first project is the one that
is read. It has most of the sessions and messages, as a large project would, but few of the agents, teams and
versions: one project has few of them, but all projects together may have many.
"""

from __future__ import annotations

import re
from uuid import UUID

PROJECTS = [UUID(f"01900000-000{number}-7000-8000-000000000000") for number in range(3)]
RARE = 7
ROWS = {
    "users": (4_000, 2_000, 2_000),
    "agents": (500, 1_500, 1_500),
    "agent_versions": (1_000, 3_000, 3_000),
    "teams": (500, 1_500, 1_500),
    "team_members": (1_000, 3_000, 3_000),
    "api_keys": (200, 1_000, 1_000),
    "sessions": (10_000, 3_000, 3_000),
    "messages": (30_000, 6_000, 6_000),
    "tool_calls": (10_000, 2_000, 2_000),
    "session_events": (10_000, 2_000, 2_000),
    "usage_records": (10_000, 2_000, 2_000),
    "sandboxes": (5_000, 1_000, 1_000),
    "module_states": (10_000, 2_000, 2_000),
    "state_transitions": (7_500, 1_500, 1_500),
    "agent_metrics": (10_000, 2_000, 2_000),
    "session_metrics": (10_000, 2_000, 2_000),
    "memories": (10_000, 2_000, 2_000),
    "memory_links": (10_000, 2_000, 2_000),
    "memory_sources": (10_000, 2_000, 2_000),
    "memory_accesses": (10_000, 2_000, 2_000),
    "memory_annotations": (10_000, 2_000, 2_000),
    "memory_revisions": (10_000, 2_000, 2_000),
    "knowledge_bases": (500, 1_500, 1_500),
    "agent_knowledge_bases": (1_000, 3_000, 3_000),
    "knowledge_versions": (1_000, 3_000, 3_000),
    "knowledge_documents": (10_000, 2_000, 2_000),
    "knowledge_chunks": (20_000, 4_000, 4_000),
    "knowledge_embeddings": (20_000, 4_000, 4_000),
    "memory_embeddings": (10_000, 2_000, 2_000),
    "message_embeddings": (10_000, 2_000, 2_000),
    "access_records": (10_000, 2_000, 2_000),
    "queues": (100, 100, 100),
    "schedules": (200, 200, 200),
    "jobs": (10_000, 2_000, 2_000),
    "knowledge_syncs": (5_000, 1_000, 1_000),
}
"""How many rows of each table each project has."""

_KINDS = {table: kind for kind, table in enumerate(ROWS, start=1)}


def row_id(table: str, number: int, project: int = 0) -> UUID:
    """Return the id of a row."""
    return UUID(f"01900000-000{project}-7{_KINDS[table]:03x}-8000-{number:012x}")


def statements() -> list[str]:
    """Return the statements that fill empty tables."""
    made = []
    for project, key in enumerate(PROJECTS):
        own = f"'{key}', 'Many rows', 'many-{project}'"
        made.append(f"INSERT INTO projects (id, name, slug) VALUES ({own})")  # noqa: S608  # of this file
        for table, columns in _COLUMNS.items():
            given = {"project_id": f"'{key}'", **columns}
            names, values = ", ".join(given), _sql(", ".join(given.values()), project)
            rows = f"generate_series(0, {ROWS[table][project] - 1}) AS i"
            made.append(f"INSERT INTO {table} ({names}) SELECT {values} FROM {rows}")  # noqa: S608  # as above
    # GIN indexes merge their list of pending entries on VACUUM.
    return [*made, "VACUUM (ANALYZE)"]


def _sql(template: str, project: int) -> str:
    """Replace `#table` by the table's number of rows, and `@table[number]` by the id of a row."""
    counted = re.sub(r"#(\w+)", lambda found: str(ROWS[found[1]][project]), template)
    return re.sub(r"@(\w+)\[([^]]*)\]", lambda found: _id(found[1], found[2], project), counted)


def _id(table: str, number: str, project: int) -> str:
    prefix = str(row_id(table, 0, project))[:24]
    return f"('{prefix}' || lpad(to_hex(({number})::int), 12, '0'))::uuid"


def _rare(value: str, otherwise: str) -> str:
    return f"CASE WHEN i % 1000 = {RARE} THEN {value} ELSE {otherwise} END"


def _one_in(parts: int, value: str) -> str:
    """Return SQL for a value in one of so many rows, including the rare ones, and null in the others."""
    return f"CASE WHEN i % {parts} = 0 OR i % 1000 = {RARE} THEN {value} END"


_TIME = "timestamptz '2026-01-01Z' + i * interval '1 minute'"
_TIMES = {"created_at": _TIME, "updated_at": f"{_TIME} + interval '1 second'"}
_JSON = f"""CASE WHEN i % 1000 = {RARE} THEN '{{"rare": true}}'::jsonb
    WHEN i % 3 = 0 THEN '{{}}'::jsonb ELSE jsonb_build_object('region', i % 2, 'build', i) END"""
_LABEL = _rare("'rare'", "(ARRAY['one', 'two', 'three'])[1 + i % 3]")
_LABELS = (
    f"CASE WHEN i % 1000 = {RARE} THEN ARRAY['rare'] WHEN i % 3 = 0 THEN '{{}}' ELSE ARRAY['common'] END"
)
_VECTOR = {
    "model": _rare("'rare'", "'common'"),
    "dimensions": _rare("2", "3"),
    "embedding": _rare("'{1,1}'", "ARRAY[1, i, 0]"),
    "created_at": _TIME,
}
_ERROR = f"i % 1000 = {RARE} OR i % 50 = 1"

_MEASURED = {
    "metric_type": _LABEL,
    "metric_value": "(i * 7 % 10007) / 100.0",
    "timestamp": _TIME,
    "metadata": _JSON,
    "created_at": _TIME,
}

_COLUMNS: dict[str, dict[str, str]] = {
    "users": {
        "id": "@users[i]",
        "external_id": "'user-' || i",
        "email": _rare("'Rare' || i || '@example.com'", "'user' || i || '@example.com'"),
        "name": _rare("'Rare'", "'User ' || i"),
        "user_data": _JSON,
        **_TIMES,
    },
    "agents": {
        "id": "@agents[i]",
        "external_id": "'agent-' || i",
        "name": "'Agent ' || i",
        "type": _LABEL,
        "provider": _LABEL,
        "model": _LABEL,
        "config": _JSON,
        "active": "i % 3 > 0",
        "owner_id": _one_in(2, "@users[i]"),
        "specializations": _LABELS,
        "learning_mode": _LABEL,
        "training_status": _LABEL,
        "total_sessions": "i",
        "completed_sessions": "i / 2",
        "failed_sessions": "i / 3",
        **_TIMES,
    },
    "agent_versions": {
        "id": "@agent_versions[i]",
        "agent_id": "@agents[i / 2]",
        "version_number": "'1.' || i",
        "is_active": "i % 2 = 1",
        "activated_at": _one_in(2, _TIME),
        **_TIMES,
    },
    "teams": {"id": "@teams[i]", "external_id": "'team-' || i", "name": "'Team ' || i", **_TIMES},
    "team_members": {"team_id": "@teams[i / 2]", "agent_id": "@agents[i * 7 % #agents]"},
    "api_keys": {
        "id": "@api_keys[i]",
        "name": "'Key ' || i",
        "prefix": "'ad_' || i",
        "secret_hash": "sha256((@api_keys[i])::text::bytea)",
        "scopes": "'{READ}'",
        "last_used_at": _one_in(2, _TIME),
        "expires_at": _one_in(2, _TIME),
        "revoked_at": _one_in(2, _TIME),
        **_TIMES,
    },
    "sessions": {
        "id": "@sessions[i]",
        "external_id": _one_in(2, "'session-' || i"),
        "title": _one_in(2, _rare("'Rare'", "'Session ' || i % 100")),
        "user_id": _one_in(2, "@users[i * 13 % #users]"),
        "agent_id": "@agents[i % #agents]",
        "agent_version_id": "@agent_versions[i % #agents * 2 + 1]",
        "team_id": _one_in(2, "@teams[i % #teams]"),
        "status": _rare("'PAUSED'", "(ARRAY['COMPLETED', 'COMPLETED', 'FAILED'])[1 + i % 3]"),
        "platform": _LABEL,
        "provider": _LABEL,
        "source": _LABEL,
        "tags": _LABELS,
        "quality_score": _one_in(2, "(i % 1009) / 1009.0"),
        "user_satisfaction": _one_in(2, "(i % 1013) / 1013.0"),
        "context": _JSON,
        "state": _JSON,
        "metadata": _JSON,
        "last_activity_at": f"{_TIME} + interval '1 minute'",
        "started_at": _TIME,
        "ended_at": _rare("NULL", f"{_TIME} + interval '1 minute'"),
        "interaction_count": "i * 7 % 1009",
        "message_count": "i * 11 % 1013",
        "error_count": "i * 23 % 1009",
        "prompt_tokens": "i * 13 % 10007",
        "completion_tokens": "i * 17 % 10009",
        "cost_usd": _one_in(2, "(i * 19 % 10037) / 1000.0"),
        # Trees of ten: a root, and nine sessions below it, one of them below another.
        "root_id": "@sessions[i - i % 10]",
        "parent_id": (
            "CASE WHEN i % 10 = 9 THEN @sessions[i - 8] WHEN i % 10 > 0 THEN @sessions[i - i % 10] END"
        ),
        "ancestor_ids": (
            "CASE WHEN i % 10 = 9 THEN ARRAY[@sessions[i - 9], @sessions[i - 8]]"
            " WHEN i % 10 > 0 THEN ARRAY[@sessions[i - i % 10]] ELSE '{}' END"
        ),
        "depth": "CASE WHEN i % 10 = 9 THEN 2 WHEN i % 10 > 0 THEN 1 ELSE 0 END",
        **_TIMES,
    },
    "messages": {
        "id": "@messages[i]",
        "session_id": "@sessions[i / 3]",
        "external_id": _one_in(2, "'message-' || i"),
        "sequence": "1 + i % 3",
        "role": "(ARRAY['USER', 'ASSISTANT', 'TOOL'])[1 + i % 3]",
        "content": "'Something that was said at some length, number ' || i",
        "user_id": "CASE WHEN i % 3 = 0 THEN @users[i % #users] END",
        "agent_id": "CASE WHEN i % 3 = 1 THEN @agents[i % #agents] END",
        "model": f"CASE WHEN i % 3 = 1 OR i % 1000 = {RARE} THEN {_LABEL} END",
        "media_type": _one_in(200, _LABEL),
        "token_count": "i * 7 % 1009",
        "latency_ms": "CASE WHEN i % 3 = 1 THEN i * 11 % 10007 END",
        "feedback": _one_in(200, _LABEL),
        "flagged": f"i % 1000 = {RARE}",
        "redacted_at": _one_in(1000, _TIME),
        "metadata": _JSON,
        **_TIMES,
    },
    "tool_calls": {
        "id": "@tool_calls[i]",
        "message_id": "@messages[i * 3 + 1]",
        "session_id": "@sessions[i % #sessions]",
        "position": "0",
        "call_id": _one_in(2, "'call-' || i"),
        "name": _LABEL,
        "arguments": "'{}'",
        "error": f"CASE WHEN {_ERROR} THEN {_LABEL} END",
        "status": f"CASE WHEN {_ERROR} THEN 'FAILED' ELSE 'SUCCEEDED' END",
        "answer_id": f"CASE WHEN NOT ({_ERROR}) THEN @messages[i * 3 + 2] END",
        "started_at": _one_in(2, _TIME),
        "duration_ms": _one_in(2, "i * 7 % 10007"),
        **_TIMES,
    },
    "session_events": {
        "id": "@session_events[i]",
        "session_id": "@sessions[i % #sessions]",
        "sequence": "1 + i / #sessions",
        "event_type": _LABEL,
        "event_data": _JSON,
        "timestamp": _TIME,
        "duration_ms": _one_in(2, "i * 7 % 10007"),
        "created_at": _TIME,
    },
    "usage_records": {
        "id": "@usage_records[i]",
        "session_id": "@sessions[i % #sessions]",
        "agent_id": _one_in(2, "@agents[i % #agents]"),
        "run_id": _one_in(2, "'run-' || i"),
        "model": _LABEL,
        "prompt_tokens": "i * 7 % 1009",
        "completion_tokens": "i * 11 % 1013",
        "cost_usd": _one_in(2, "(i * 19 % 10037) / 1000.0"),
        "timestamp": _TIME,
        "created_at": _TIME,
    },
    "sandboxes": {
        "id": "@sandboxes[i]",
        "session_id": "@sessions[i]",
        "user_id": _one_in(2, "@users[i * 13 % #users]"),
        "kind": _one_in(2, _LABEL),
        "external_server_id": _one_in(2, "'server-' || i"),
        "status": _rare("'ERROR'", "(ARRAY['RUNNING', 'STOPPED', 'STOPPED'])[1 + i % 3]"),
        "selection": _JSON,
        **_TIMES,
    },
    # Each module has four states, and three transitions between them; of fifty modules one is in no session.
    "module_states": {
        "id": "@module_states[i]",
        "module_id": "'module-' || i / 4",
        "session_id": "CASE WHEN i / 4 % 50 > 0 THEN @sessions[i / 4] END",
        "version": "1 + i % 4",
        "state_type": _one_in(2, _LABEL),
        "state": _JSON,
        "state_hash": "encode(sha256(i::text::bytea), 'hex')",
        "previous_state_id": "CASE WHEN i % 4 > 0 THEN @module_states[i - 1] END",
        "is_snapshot": f"i % 1000 = {RARE}",
        "expires_at": _one_in(2, _TIME),
        "created_at": _TIME,
    },
    "state_transitions": {
        "id": "@state_transitions[i]",
        "state_id": "@module_states[i / 3 * 4 + i % 3]",
        "next_state_id": "@module_states[i / 3 * 4 + i % 3 + 1]",
        "session_id": "CASE WHEN i / 3 % 50 > 0 THEN @sessions[i / 3] END",
        "trigger_type": _LABEL,
        "trigger_id": _one_in(2, "'trigger-' || i"),
        "new_values": _JSON,
        "created_at": _TIME,
    },
    "agent_metrics": {
        "id": "@agent_metrics[i]",
        "agent_id": "@agents[i % #agents]",
        "version_id": _one_in(2, "@agent_versions[i % #agents * 2 + 1]"),
        "timeframe": _one_in(2, _LABEL),
        **_MEASURED,
    },
    "session_metrics": {
        "id": "@session_metrics[i]",
        "session_id": "@sessions[i % #sessions]",
        **_MEASURED,
    },
    "memories": {
        "id": "@memories[i]",
        "external_id": _one_in(2, "'memory-' || i"),
        "name": _one_in(2, _rare("'Rare'", "'Memory ' || i % 100")),
        "content": "'Something that is remembered, number ' || i",
        "data": _JSON,
        "memory_type": _LABEL,
        "user_id": _one_in(2, "@users[i * 13 % #users]"),
        "agent_id": _one_in(2, "@agents[i % #agents]"),
        "session_id": _one_in(2, "@sessions[i * 11 % #sessions]"),
        "importance": "i * 7 % 1009",
        "confidence": _one_in(2, "(i % 1013) / 1013.0"),
        "source_type": _LABEL,
        "verification_status": _rare("'DISPUTED'", "(ARRAY['UNVERIFIED', 'VERIFIED'])[1 + i % 2]"),
        "topics": _LABELS,
        "read_mode": _one_in(2, _LABEL),
        "expires_at": _one_in(2, _TIME),
        "last_accessed_at": _one_in(2, _TIME),
        "access_count": "i * 11 % 1013",
        "rated_count": "i * 13 % 1009",
        "usefulness_total": "(i * 13 % 1009) * (i % 1013) / 1013.0",
        "metadata": _JSON,
        **_TIMES,
    },
    # Pairs of memories, in both directions.
    "memory_links": {"memory_id": "@memories[i]", "related_id": "@memories[i + 1 - 2 * (i % 2)]"},
    "memory_sources": {"memory_id": "@memories[i]", "message_id": "@messages[i * 3]"},
    "memory_accesses": {
        "id": "@memory_accesses[i]",
        "memory_id": "@memories[i * 13 % #memories]",
        "access_type": _LABEL,
        "accessed_by": _rare("'rare'", "'agent ' || i % 10"),
        "accessor_type": _rare("'SYSTEM'", "(ARRAY['AGENT', 'USER'])[1 + i % 2]"),
        "usefulness": _one_in(2, "(i % 1009) / 1009.0"),
        "created_at": _TIME,
    },
    "memory_annotations": {
        "id": "@memory_annotations[i]",
        "memory_id": "@memories[i * 13 % #memories]",
        "annotation_type": _rare("'rare'", "(ARRAY['correction', 'verification'])[1 + i % 2]"),
        "content": "'Something that was noted, number ' || i",
        "verification_status": (
            f"CASE WHEN i % 1000 <> {RARE} AND i % 2 = 1"
            f" THEN CASE WHEN i % 1000 = {RARE + 2} THEN 'DISPUTED' ELSE 'VERIFIED' END END"
        ),
        "created_by_user_id": _one_in(2, "@users[i % #users]"),
        "applied_at": _one_in(1000, _TIME),
        **_TIMES,
    },
    "memory_revisions": {
        "id": "@memory_revisions[i]",
        "memory_id": "@memories[i / 2]",
        "sequence": "1 + i % 2",
        "content": "'Something that was remembered, number ' || i",
        "annotation_id": _one_in(2, "@memory_annotations[i]"),
        "created_at": _TIME,
    },
    "knowledge_bases": {
        "id": "@knowledge_bases[i]",
        "external_id": "'base-' || i",
        "name": "'Base ' || i",
        "source": _JSON,
        "refresh_schedule": _one_in(2, _LABEL),
        "metadata": _JSON,
        **_TIMES,
    },
    "agent_knowledge_bases": {
        "agent_id": "@agents[i / 2]",
        "knowledge_base_id": "@knowledge_bases[i * 7 % #knowledge_bases]",
    },
    "knowledge_versions": {
        "id": "@knowledge_versions[i]",
        "knowledge_base_id": "@knowledge_bases[i / 2]",
        "version": _rare("'rare'", "'v' || i % 2"),
        "document_count": "i * 7 % 1009",
        "chunk_count": "i * 11 % 1013",
        "created_at": _TIME,
    },
    "knowledge_documents": {
        "id": "@knowledge_documents[i]",
        "knowledge_base_id": "@knowledge_bases[i % #knowledge_versions / 2]",
        "version_id": "@knowledge_versions[i % #knowledge_versions]",
        "version": _rare("'rare'", "'v' || i % 2"),
        "external_id": _one_in(2, "'document-' || i"),
        "name": _rare("'Rare'", "'Document ' || i % 100"),
        "type": _one_in(2, _LABEL),
        "size": _one_in(2, "i * 13 % 10007"),
        "hash": _one_in(2, "'hash-' || i"),
        "status": _rare("'FAILED'", "'READY'"),
        "metadata": _JSON,
        "chunk_count": "2",
        "access_count": "i * 11 % 1013",
        "last_accessed_at": _one_in(2, _TIME),
        **_TIMES,
    },
    "knowledge_chunks": {
        "id": "@knowledge_chunks[i]",
        "knowledge_base_id": "@knowledge_bases[i / 2 % #knowledge_versions / 2]",
        "version_id": "@knowledge_versions[i / 2 % #knowledge_versions]",
        "version": _rare("'rare'", "'v' || i / 2 % 2"),
        "document_id": "@knowledge_documents[i / 2]",
        "position": "1 + i % 2",
        "content": "'Something that is known, number ' || i",
        "metadata": _JSON,
        "tags": _LABELS,
        "created_at": _TIME,
    },
    "knowledge_embeddings": {
        "chunk_id": "@knowledge_chunks[i]",
        "knowledge_base_id": "@knowledge_bases[i / 2 % #knowledge_versions / 2]",
        "version_id": "@knowledge_versions[i / 2 % #knowledge_versions]",
        **_VECTOR,
    },
    "memory_embeddings": {"memory_id": "@memories[i]", **_VECTOR},
    "message_embeddings": {
        "message_id": "@messages[i]",
        "session_id": "@sessions[i / 3]",
        **_VECTOR,
    },
    "access_records": {
        "id": "@access_records[i]",
        "kind": _rare("'READ'", "'WRITE'"),
        "fields": _rare("ARRAY['rare']", "ARRAY['appendMessages']"),
        "operation_name": _rare("'rare'", "'Append'"),
        "object_ids": _rare("ARRAY['rare']", "ARRAY['a']"),
        "object_count": "1",
        "api_key_id": "@api_keys[i % #api_keys]",
        "user_id": _one_in(1000, "@users[i % #users]"),
        "address": _rare("'rare'", "'127.0.0.1'"),
        "request_id": _rare("'rare'", "'request ' || i"),
        "created_at": _TIME,
    },
    "queues": {
        "id": "@queues[i]",
        "name": "'Queue ' || i",
        "paused_at": _one_in(10, _TIME),
        **_TIMES,
    },
    "schedules": {
        "id": "@schedules[i]",
        "queue_id": "@queues[i % #queues]",
        "name": "'Schedule ' || i",
        "cron": "'0 0 * * *'",
        "data": "'{}'",
        "is_active": "i % 3 > 0",
        "next_run_at": _one_in(2, _TIME),
        **_TIMES,
    },
    # Most jobs have ended; a few wait, are delayed or held.
    "jobs": {
        "id": "@jobs[i]",
        "queue_id": "@queues[i % #queues]",
        "schedule_id": _one_in(50, "@schedules[i % #schedules]"),
        "external_id": _one_in(2, "'job-' || i"),
        "name": _rare("'rare'", "'Job ' || i % 10"),
        "data": "'{}'",
        "state": (
            "CASE i % 1000 WHEN 7 THEN 'FAILED' WHEN 8 THEN 'WAITING' WHEN 9 THEN 'DELAYED'"
            " WHEN 10 THEN 'ACTIVE' WHEN 11 THEN 'CANCELLED' ELSE 'COMPLETED' END"
        ),
        "run_at": f"{_TIME} + interval '2 seconds'",
        "worker": "CASE WHEN i % 1000 NOT IN (8, 9) THEN " + _rare("'rare'", "'Worker ' || i % 10") + " END",
        "lease": "CASE WHEN i % 1000 = 10 THEN @jobs[i] END",
        "lease_expires_at": "CASE WHEN i % 1000 = 10 THEN timestamptz '2999-01-01Z' END",
        **_TIMES,
    },
    "knowledge_syncs": {
        "id": "@knowledge_syncs[i]",
        "knowledge_base_id": "@knowledge_bases[i % #knowledge_bases]",
        "job_id": _one_in(50, "@jobs[i % #jobs]"),
        "status": _rare("'FAILED'", "'SUCCEEDED'"),
        "kind": _one_in(2, _LABEL),
        "commit_sha": _one_in(2, "'commit-' || i"),
        "started_at": _TIME,
        "finished_at": f"{_TIME} + interval '1 minute'",
        **_TIMES,
    },
}
"""The SQL of each column in row `i`, a template for `_sql`."""
