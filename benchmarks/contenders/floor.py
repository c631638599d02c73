"""The floor: a hand-written handler for each shape, with about one statement per level of the answer.

It gives the guarantees of agentdata: it checks the key, reads from one snapshot, and sets the project for the
transaction under a role that is subject to row-level security. JSON is passed on as text, and orjson writes
the answer.
"""

from __future__ import annotations

import os
from contextlib import asynccontextmanager
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from uuid import UUID

import asyncpg
import orjson
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route
from uuid_utils import uuid7

from benchmarks.contenders.floor_dashboards import HANDLERS
from benchmarks.contenders.serving import serve
from benchmarks.dataset import API_KEY, PROJECT

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.requests import Request

    from benchmarks.contenders.floor_dashboards import Connection, Handler, Row

_SETTINGS = (
    f"SET LOCAL ROLE agentdata_app; SET LOCAL app.project_id = '{PROJECT}';"
    f" SET LOCAL statement_timeout = {os.environ['STATEMENT_TIMEOUT_MS']}"
)
_READ = f"BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; {_SETTINGS}"
_WRITE = f"BEGIN; {_SETTINGS}"
_PROJECTS = {f"Bearer {API_KEY}": PROJECT}

_SESSION = (
    'title, status, tags, started_at AS "startedAt", ended_at AS "endedAt", message_count AS "messageCount",'
    " metadata"
)
_MESSAGE = (
    'm.id, m.sequence, m.role, m.content, m.model, m.token_count AS "tokenCount",'
    ' m.prompt_tokens AS "promptTokens", m.completion_tokens AS "completionTokens",'
    ' m.latency_ms AS "latencyMs",'
    ' m.flagged, m.created_at AS "createdAt", m.metadata'
)
_WIDE = (
    'm.id, m.sequence, m.role, m.content, m.token_count AS "tokenCount", m.created_at AS "createdAt",'
    " m.metadata"
)


async def point(db: Connection, variables: dict[str, Any]) -> Row:
    """Answer with one session."""
    row = await db.fetchrow(
        f"SELECT id, {_SESSION} FROM sessions WHERE project_id = $1 AND id = $2",  # noqa: S608 - columns
        PROJECT,
        variables["id"],
    )
    return {"session": dict(row) if row else None}


async def inbox(db: Connection, _variables: dict[str, Any]) -> Row:
    """Answer with the latest sessions; one statement also reads their users, agents and last messages."""
    rows = await db.fetch(
        'SELECT s.id, s.title, s.status, s.tags, s.last_activity_at AS "lastActivityAt",'
        ' s.message_count AS "messageCount", s.interaction_count AS "interactionCount",'
        " u.id AS user_id, u.name AS user_name, u.email, a.id AS agent_id, a.name AS agent_name, a.model,"
        " m.id AS message_id, m.sequence, m.role, m.content, m.created_at"
        " FROM (SELECT * FROM sessions WHERE project_id = $1"
        " ORDER BY last_activity_at DESC, id DESC LIMIT 50) AS s"
        " LEFT JOIN users AS u ON u.project_id = $1 AND u.id = s.user_id"
        " LEFT JOIN agents AS a ON a.project_id = $1 AND a.id = s.agent_id"
        " LEFT JOIN LATERAL (SELECT * FROM messages AS m WHERE m.project_id = $1 AND m.session_id = s.id"
        " ORDER BY m.sequence DESC LIMIT 1) AS m ON true"
        " ORDER BY s.last_activity_at DESC, s.id DESC",
        PROJECT,
    )
    nodes = []
    for row in rows:
        own = dict(row.items())
        user = {"id": own.pop("user_id"), "name": own.pop("user_name"), "email": own.pop("email")}
        agent = {"id": own.pop("agent_id"), "name": own.pop("agent_name"), "model": own.pop("model")}
        message = {"id": own.pop("message_id")} | {n: own.pop(n) for n in ("sequence", "role", "content")}
        message["createdAt"] = own.pop("created_at")
        nodes.append(
            own
            | {
                "user": user if user["id"] else None,
                "agent": agent if agent["id"] else None,
                "lastMessage": message if message["id"] else None,
            }
        )
    return {"sessions": {"nodes": nodes}}


async def transcript(db: Connection, variables: dict[str, Any]) -> Row:
    """Answer with a session, its messages, and their calls, in three statements."""
    row = await db.fetchrow(
        'SELECT s.id, s.title, s.status, s.tags, s.started_at AS "startedAt", s.ended_at AS "endedAt",'
        ' s.message_count AS "messageCount", s.metadata,'
        " u.id AS user_id, u.name AS user_name, a.id AS agent_id, a.name AS agent_name FROM sessions AS s"
        " LEFT JOIN users AS u ON u.project_id = $1 AND u.id = s.user_id"
        " LEFT JOIN agents AS a ON a.project_id = $1 AND a.id = s.agent_id"
        " WHERE s.project_id = $1 AND s.id = $2",
        PROJECT,
        variables["id"],
    )
    if row is None:
        return {"session": None}
    session = dict(row.items())
    session["user"] = {"id": session.pop("user_id"), "name": session.pop("user_name")}
    session["agent"] = {"id": session.pop("agent_id"), "name": session.pop("agent_name")}
    rows = await db.fetch(
        f"SELECT {_MESSAGE} FROM messages AS m"  # noqa: S608 - columns
        " WHERE m.project_id = $1 AND m.session_id = $2 ORDER BY m.sequence LIMIT 200",
        PROJECT,
        variables["id"],
    )
    calls: dict[str, list[Row]] = {message["id"]: [] for message in rows}
    for call in await db.fetch(
        'SELECT message_id, id, call_id AS "callId", name, arguments, result, error, status,'
        ' duration_ms AS "durationMs" FROM tool_calls'
        " WHERE project_id = $1 AND message_id = ANY($2) ORDER BY message_id, position",
        PROJECT,
        list(calls),
    ):
        own = dict(call.items())
        calls[own.pop("message_id")].append(own)
    session["messages"] = {
        "nodes": [dict(m.items()) | {"toolCalls": {"nodes": calls[m["id"]]}} for m in rows]
    }
    return {"session": session}


async def tree(db: Connection, variables: dict[str, Any]) -> Row:
    """Answer with a tree; the totals of each session are added up here, from the leaves."""
    rows = await db.fetch(
        "SELECT s.id, s.title, s.status, s.depth, s.parent_id, s.started_at, s.ended_at, s.message_count,"
        " s.prompt_tokens, s.completion_tokens, s.cost_usd::float8 AS cost, now() AS now,"
        " s.error_count AS errors"
        " FROM sessions AS s WHERE s.project_id = $1 AND s.root_id = $2 ORDER BY s.started_at, s.id",
        PROJECT,
        variables["id"],
    )
    totals: dict[str, list[Any]] = {}
    for row in sorted(rows, key=lambda row: -row["depth"]):
        end = row["ended_at"] or row["now"]
        mine = [
            1, row["depth"], row["message_count"], row["prompt_tokens"], row["completion_tokens"],
            row["cost"] or 0.0, row["errors"], row["started_at"], end,
        ]  # fmt: skip
        below = totals.get(row["id"])
        total = _combined(mine, below) if below else mine
        totals[row["id"]] = total
        if row["parent_id"]:
            above = totals.get(row["parent_id"])
            totals[row["parent_id"]] = _combined(above, total) if above else total
    nodes = [
        {
            "id": row["id"], "title": row["title"], "status": row["status"], "depth": row["depth"],
            "startedAt": row["started_at"], "messageCount": row["message_count"],
            "tree": _totals(totals[row["id"]]),
        }
        | ({"parent": {"id": row["parent_id"]}} if row["parent_id"] else {})
        for row in rows
    ]  # fmt: skip
    return {"session": nodes[0] | {"descendants": {"nodes": nodes[1:]}} if nodes else None}


def _combined(one: list[Any], other: list[Any]) -> list[Any]:
    return [
        one[0] + other[0], max(one[1], other[1]), *(one[i] + other[i] for i in range(2, 7)),
        min(one[7], other[7]), max(one[8], other[8]),
    ]  # fmt: skip


def _totals(total: list[Any]) -> Row:
    names = (
        "sessionCount", "maxDepth", "messageCount", "promptTokens", "completionTokens", "costUsd",
        "errorCount",
    )  # fmt: skip
    return dict(zip(names, total, strict=False)) | {
        "durationMs": (total[8] - total[7]).total_seconds() * 1000
    }


async def overview(db: Connection, _variables: dict[str, Any]) -> Row:
    """Answer with agents, their active versions, their sessions, and the first messages of the sessions."""
    agents = {}
    for row in await db.fetch(
        'SELECT a.id, a.name, a.model, a.total_sessions AS "totalSessions", a.success_rate AS "successRate",'
        " v.id AS version_id, v.version_number, v.system_prompt, v.config, v.activated_at FROM agents AS a"
        " LEFT JOIN agent_versions AS v ON v.project_id = $1 AND v.agent_id = a.id AND v.is_active"
        " WHERE a.project_id = $1 ORDER BY a.name, a.id LIMIT 20",
        PROJECT,
    ):
        own = dict(row.items())
        version = {
            "id": own.pop("version_id"), "versionNumber": own.pop("version_number"),
            "systemPrompt": own.pop("system_prompt"), "config": own.pop("config"),
            "activatedAt": own.pop("activated_at"),
        }  # fmt: skip
        agents[own["id"]] = own | {"activeVersion": version if version["id"] else None}
    await _sessions(
        db,
        agents,
        's.id, s.title, s.status, s.started_at AS "startedAt", s.message_count AS "messageCount",'
        ' s.quality_score AS "qualityScore"',
        'm.id, m.sequence, m.role, m.content, m.created_at AS "createdAt"',
        5,
    )
    return {"agents": {"nodes": list(agents.values())}}


async def wide(db: Connection, _variables: dict[str, Any]) -> Row:
    """Answer with agents, sessions and messages."""
    rows = await db.fetch(
        "SELECT id, name FROM agents WHERE project_id = $1 ORDER BY name, id LIMIT 10", PROJECT
    )
    agents = {row["id"]: dict(row.items()) for row in rows}
    await _sessions(db, agents, 's.id, s.title, s.started_at AS "startedAt"', _WIDE, 20)
    return {"agents": {"nodes": list(agents.values())}}


async def _sessions(
    db: Connection, agents: dict[str, Row], session: str, message: str, messages: int
) -> None:
    """Add to agents their ten latest sessions with their first messages."""
    sessions: dict[str, Row] = {}
    for agent in agents.values():
        agent["sessions"] = {"nodes": []}
    for row in await db.fetch(
        f"SELECT k.id AS parent, s.* FROM unnest($2::uuid[]) AS k (id)"  # noqa: S608 - columns
        f" CROSS JOIN LATERAL (SELECT {session}"
        " FROM sessions AS s WHERE s.project_id = $1 AND s.agent_id = k.id"
        " ORDER BY s.started_at DESC, s.id DESC LIMIT 10) AS s",
        PROJECT,
        list(agents),
    ):
        own = dict(row.items())
        agents[own.pop("parent")]["sessions"]["nodes"].append(own)
        own["messages"] = {"nodes": []}
        sessions[own["id"]] = own
    for row in await db.fetch(
        f"SELECT k.id AS parent, m.* FROM unnest($2::uuid[]) AS k (id)"  # noqa: S608 - columns
        f" CROSS JOIN LATERAL (SELECT {message}"
        " FROM messages AS m WHERE m.project_id = $1 AND m.session_id = k.id"
        " ORDER BY m.sequence LIMIT $3) AS m",
        PROJECT,
        list(sessions),
        messages,
    ):
        own = dict(row.items())
        sessions[own.pop("parent")]["messages"]["nodes"].append(own)


async def page(db: Connection, variables: dict[str, Any]) -> Row:
    """Answer with a page after a cursor, and the total count."""
    where = (
        "project_id = $1 AND status = 'COMPLETED' AND tags @> $2 AND started_at >= $3 AND started_at < $4"
        " AND metadata @> $5"
    )
    values = [
        PROJECT, variables["tags"], datetime.fromisoformat(variables["from"]),
        datetime.fromisoformat(variables["to"]), orjson.dumps(variables["metadata"]).decode(),
    ]  # fmt: skip
    total = await db.fetchval(f"SELECT count(*) FROM sessions WHERE {where}", *values)  # noqa: S608 - columns
    after = ""
    more = list(values)
    if variables.get("after"):
        started, id_ = variables["after"].split(" ")
        more += [datetime.fromisoformat(started), id_]
        after = " AND (started_at, id) < ($6, $7)"
    rows = await db.fetch(
        'SELECT id, title, status, tags, started_at AS "startedAt",'  # noqa: S608 - columns
        ' quality_score AS "qualityScore", metadata'
        f" FROM sessions WHERE {where}{after} ORDER BY started_at DESC, id DESC LIMIT 26",
        *more,
    )
    last = rows[:25][-1] if rows else None
    info = {
        "hasNextPage": len(rows) > 25,  # noqa: PLR2004 - one more than the page holds
        "endCursor": f"{last['startedAt'].isoformat()} {last['id']}" if last else None,
    }
    return {
        "sessions": {"totalCount": total, "pageInfo": info, "nodes": [dict(row.items()) for row in rows[:25]]}
    }


_AUDIT_SOURCES = {
    "MESSAGE": ("messages", "created_at", {"sequence": "sequence", "role": "role", "content": "content"}),
    "EVENT": ("session_events", "timestamp", {"eventType": "event_type", "eventData": "event_data"}),
    "STATE_TRANSITION": (
        "state_transitions", "created_at",
        {"triggerType": "trigger_type", "previousValues": "previous_values", "newValues": "new_values"},
    ),
    "TOOL_CALL": ("tool_calls", "created_at", {"name": "name", "arguments": "arguments", "status": "status"}),
    "USAGE": (
        "usage_records", "timestamp",
        {"model": "model", "promptTokens": "prompt_tokens", "costUsd": "cost_usd::float8"},
    ),
}  # fmt: skip
"""Each kind with its table, the column of its time, and its fields with their columns."""


def _audit_select(kind: str) -> str:
    """Return the SELECT of the first rows of a kind, with null for the fields of other kinds."""
    table, at, _ = _AUDIT_SOURCES[kind]
    columns = ", ".join(
        f'{column if each == kind else "NULL::" + _TYPES.get(name, "text")} AS "{name}"'
        for each, (_, _, fields) in _AUDIT_SOURCES.items()
        for name, column in fields.items()
    )
    return (
        f"(SELECT '{kind}' AS kind, id, {at} AS at, {columns} FROM {table}"  # noqa: S608 - all from this file
        f" WHERE project_id = $1 AND session_id = $2 ORDER BY {at}, id LIMIT 100)"
    )


_TYPES = (
    {"sequence": "int", "promptTokens": "int", "costUsd": "float8"}
    | dict.fromkeys(("eventData", "previousValues", "newValues"), "jsonb")
    | {"arguments": "json"}
)
_AUDIT = " UNION ALL ".join(map(_audit_select, _AUDIT_SOURCES)) + " ORDER BY at, id LIMIT 100"


async def audit(db: Connection, variables: dict[str, Any]) -> Row:
    """Answer with the audit trail of a session, with all kinds in one statement."""
    id_ = await db.fetchval(
        "SELECT id FROM sessions WHERE project_id = $1 AND id = $2", PROJECT, variables["id"]
    )
    if id_ is None:
        return {"session": None}
    nodes = [
        {
            "id": f"{row['id'][:14]}8{row['id'][15:]}", "at": row["at"], "kind": row["kind"],
            "subject": {name: row[name] for name in _AUDIT_SOURCES[row["kind"]][2]},
        }
        for row in await db.fetch(_AUDIT, PROJECT, variables["id"])
    ]  # fmt: skip
    return {"session": {"id": id_, "auditTrail": {"nodes": nodes}}}


async def memories(db: Connection, _variables: dict[str, Any]) -> Row:
    """Answer with memories, their accesses, their annotations and their related memories."""
    found: dict[str, Row] = {}
    for row in await db.fetch(
        'SELECT id, name, content, data, memory_type AS "memoryType", importance, confidence,'
        ' verification_status AS "verificationStatus", topics, access_count AS "accessCount",'
        ' last_accessed_at AS "lastAccessedAt", created_at AS "createdAt" FROM memories'
        " WHERE project_id = $1 ORDER BY created_at DESC, id DESC LIMIT 100",
        PROJECT,
    ):
        lists: Row = {name: {"nodes": []} for name in _MEMORY_LISTS}
        found[row["id"]] = dict(row.items()) | lists
    for name, statement in _MEMORY_LISTS.items():
        for row in await db.fetch(
            "SELECT k.id AS parent, r.* FROM unnest($2::uuid[]) AS k (id)"  # noqa: S608 - of this file
            f" CROSS JOIN LATERAL ({statement}) AS r",
            PROJECT,
            list(found),
        ):
            own = dict(row.items())
            found[own.pop("parent")][name]["nodes"].append(own)
    return {"memories": {"nodes": list(found.values())}}


_MEMORY_LISTS = {
    "accesses": (
        'SELECT id, access_type AS "accessType", accessed_by AS "accessedBy",'
        ' accessor_type AS "accessorType", context, usefulness, created_at AS "createdAt"'
        " FROM memory_accesses WHERE project_id = $1 AND memory_id = k.id"
        " ORDER BY created_at DESC, id DESC LIMIT 5"
    ),
    "annotations": (
        'SELECT id, annotation_type AS "annotationType", content, is_applied AS "isApplied",'
        ' applied_at AS "appliedAt", created_at AS "createdAt"'
        " FROM memory_annotations WHERE project_id = $1 AND memory_id = k.id"
        " ORDER BY created_at DESC, id DESC LIMIT 10"
    ),
    "relatedMemories": (
        'SELECT m.id, m.name, m.content, m.memory_type AS "memoryType", m.importance,'
        ' m.created_at AS "createdAt" FROM memory_links AS l'
        " JOIN memories AS m ON m.project_id = $1 AND m.id = l.related_id"
        " WHERE l.project_id = $1 AND l.memory_id = k.id"
        " ORDER BY m.created_at DESC, m.id DESC LIMIT 10"
    ),
}
"""The lists of each memory, with the statement for one memory."""


async def series(db: Connection, variables: dict[str, Any]) -> Row:
    """Answer with the hours of a year; an index finds the metrics of one hour after the other."""
    agent = await db.fetchrow(
        "SELECT id, name FROM agents WHERE project_id = $1 AND id = $2", PROJECT, variables["id"]
    )
    if agent is None:
        return {"agent": None}
    rows = await db.fetch(
        "SELECT hour AS start, m.*"
        " FROM generate_series($4::timestamptz, $5::timestamptz - interval '1 hour', interval '1 hour')"
        " AS hour"
        " CROSS JOIN LATERAL (SELECT count(*) AS count, coalesce(sum(metric_value), 0) AS sum,"
        " sum(metric_value) / nullif(count(*), 0) AS mean, min(metric_value) AS min,"
        " max(metric_value) AS max,"
        " percentile_cont(0.5) WITHIN GROUP (ORDER BY metric_value) AS p50,"
        " percentile_cont(0.95) WITHIN GROUP (ORDER BY metric_value) AS p95,"
        " percentile_cont(0.99) WITHIN GROUP (ORDER BY metric_value) AS p99"
        " FROM agent_metrics AS m WHERE m.project_id = $1 AND m.agent_id = $2 AND m.metric_type = $3"
        " AND m.timestamp >= hour AND m.timestamp < hour + interval '1 hour') AS m",
        PROJECT,
        variables["id"],
        variables["type"],
        datetime.fromisoformat(variables["from"]),
        datetime.fromisoformat(variables["to"]),
    )
    return {"agent": dict(agent.items()) | {"series": [dict(row.items()) for row in rows]}}


async def append(db: Connection, variables: dict[str, Any]) -> Row:
    """Append messages in two statements; the lock of the session makes numbers and counts right."""
    messages = variables["messages"]
    session = await db.fetchrow(
        "UPDATE sessions SET message_count = message_count + $3, last_sequence = last_sequence + $3,"
        " interaction_count = interaction_count + $4, updated_at = clock_timestamp(),"
        " last_activity_at = greatest(last_activity_at, clock_timestamp())"
        " WHERE project_id = $1 AND id = $2 RETURNING last_sequence, user_id, agent_id",
        PROJECT,
        variables["session"],
        len(messages),
        sum(message["role"] == "USER" for message in messages),
    )
    if session is None:
        raise LookupError("there is no such session")
    speakers = {"USER": (session["user_id"], None), "ASSISTANT": (None, session["agent_id"])}
    first = session["last_sequence"] - len(messages) + 1
    rows = await db.fetch(
        "INSERT INTO messages"
        " (project_id, session_id, id, sequence, role, content, metadata, user_id, agent_id)"
        " SELECT $1, $2, * FROM unnest($3::uuid[], $4::int[], $5::text[], $6::text[], $7::jsonb[],"
        ' $8::uuid[], $9::uuid[]) RETURNING id, sequence, role, content, created_at AS "createdAt"',
        PROJECT,
        variables["session"],
        [str(uuid7()) for _ in messages],
        list(range(first, first + len(messages))),
        [message["role"] for message in messages],
        [message["content"] for message in messages],
        [orjson.dumps(message["metadata"]).decode() for message in messages],
        [speakers.get(message["role"], (None, None))[0] for message in messages],
        [speakers.get(message["role"], (None, None))[1] for message in messages],
    )
    return {"messages": [dict(row.items()) for row in rows]}


class _Floor:
    """The pool, and the transaction around every handler."""

    def __init__(self) -> None:
        self.pool: asyncpg.Pool[asyncpg.Record]

    @asynccontextmanager
    async def lifespan(self, _app: Starlette) -> AsyncIterator[None]:
        size = int(os.environ["POOL_SIZE"])
        # A transaction leaves no settings behind, so connections need no reset.
        async with asyncpg.create_pool(
            os.environ["DATABASE_URL"], min_size=size, max_size=size, init=_prepare, reset=_keep
        ) as self.pool:
            yield

    def route(self, name: str, handler: Handler, begin: str) -> Route:
        async def answer(request: Request) -> Response:
            if _PROJECTS.get(request.headers.get("authorization", "")) is None:
                return Response(status_code=401)
            variables = orjson.loads(await request.body())["variables"]
            async with self.pool.acquire() as connection:
                try:
                    await connection.execute(begin)
                    data = await handler(connection, variables)
                    await connection.execute("COMMIT")
                except BaseException:
                    await connection.execute("ROLLBACK")
                    raise
            body = orjson.dumps({"data": data}, default=_plain, option=orjson.OPT_UTC_Z)
            return Response(body, media_type="application/json")

        return Route(f"/{name}", answer, methods=["POST"])


async def _prepare(connection: asyncpg.Connection[asyncpg.Record]) -> None:
    await connection.set_type_codec("uuid", schema="pg_catalog", encoder=str, decoder=str, format="text")
    for name in ("json", "jsonb"):
        await connection.set_type_codec(
            name, schema="pg_catalog", encoder=str, decoder=orjson.Fragment, format="text"
        )


async def _keep(_connection: object) -> None:
    return


def _plain(value: object) -> object:
    match value:
        case UUID():
            return str(value)
        case Decimal():  # a sum of integers of 64 bits
            return int(value)
    raise TypeError


def main() -> None:
    """Serve until the process is terminated."""
    floor = _Floor()
    reads = [point, inbox, transcript, tree, overview, wide, page, audit, memories, series]
    routes = [floor.route(handler.__name__, handler, _READ) for handler in reads]
    routes += [floor.route(name, handler, _READ) for name, handler in HANDLERS.items()]
    routes += [floor.route(name, append, _WRITE) for name in ("append1", "append100")]
    serve(Starlette(routes=routes, lifespan=floor.lifespan))


if __name__ == "__main__":
    main()
