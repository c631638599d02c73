"""The floor of dashboards: hand-written handlers for searches, rankings, statistics and series."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from benchmarks.dataset import PROJECT

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    import asyncpg

    Connection = asyncpg.pool.PoolConnectionProxy[asyncpg.Record]
    Row = dict[str, Any]
    Handler = Callable[[Connection, dict[str, Any]], Awaitable[Row]]

_RANKED = 2_000
"""How many of the newest texts with the words are ranked."""

_LENGTHS = 6
"""The lengths of periods that the index of texts knows; each is sixteen times as long as the one before."""

_TOTALS = (
    'count(*) AS "sessionCount", coalesce(sum(message_count), 0) AS "messageCount",'
    ' coalesce(sum(prompt_tokens + completion_tokens), 0) AS "totalTokens",'
    ' coalesce(sum(cost_usd), 0)::float8 AS "costUsd", max(last_activity_at) AS "lastActivityAt"'
)
_STATISTICS = (
    'count(*) AS "sessionCount", count(*) FILTER (WHERE s.is_active) AS "openCount",'
    " count(*) FILTER (WHERE s.status = 'COMPLETED') AS \"completedCount\","
    " count(*) FILTER (WHERE s.status = 'FAILED') AS \"failedCount\","
    " count(*) FILTER (WHERE s.status = 'COMPLETED')::float8"
    " / nullif(count(*) FILTER (WHERE s.status IN ('COMPLETED', 'FAILED')), 0) AS \"successRate\","
    ' coalesce(sum(s.message_count), 0) AS "messageCount",'
    ' coalesce(sum(s.prompt_tokens), 0) AS "promptTokens",'
    ' coalesce(sum(s.completion_tokens), 0) AS "completionTokens",'
    ' coalesce(sum(s.cost_usd), 0)::float8 AS "costUsd", coalesce(sum(s.error_count), 0) AS "errorCount"'
)


async def search(db: Connection, variables: dict[str, Any]) -> Row:
    """Answer with the best of the newest messages that have the words."""
    ids = await (_newest_of_agent if "agent" in variables else _newest)(db, variables)
    rows = await db.fetch(
        'SELECT f.total, f.score, f.id, f.sequence, f.role, f.created_at AS "createdAt",'
        " search_excerpt(f.content, search_query($2), ARRAY(SELECT unnest(tsvector_to_array("
        "search_document($2))))) AS excerpt,"
        " s.id AS session_id, s.title, a.id AS agent_id, a.name AS agent_name,"
        " u.id AS user_id, u.name AS user_name"
        " FROM (SELECT m.*, count(*) OVER () AS total,"
        " ts_rank_cd(m.document, search_query($2), 1 | 32)::float8 AS score FROM ("
        "SELECT m.*, search_document(m.content) AS document FROM messages AS m"
        " WHERE m.project_id = $1 AND m.id = ANY($3) OFFSET 0"
        ") AS m WHERE m.document @@ search_query($2) ORDER BY score DESC, m.id DESC LIMIT 10) AS f"
        " JOIN sessions AS s ON s.project_id = $1 AND s.id = f.session_id"
        " LEFT JOIN agents AS a ON a.project_id = $1 AND a.id = s.agent_id"
        " LEFT JOIN users AS u ON u.project_id = $1 AND u.id = s.user_id"
        " ORDER BY f.score DESC, f.id DESC",
        PROJECT,
        variables["query"],
        ids,
    )
    nodes = []
    for row in rows:
        agent, user = _named(row, "agent"), _named(row, "user")
        session = {"id": row["session_id"], "title": row["title"], "agent": agent, "user": user}
        message = {name: row[name] for name in ("id", "sequence", "role", "createdAt")}
        nodes.append(
            {"score": row["score"], "excerpt": row["excerpt"], "message": message | {"session": session}}
        )
    return {"searchMessages": {"totalCount": rows[0]["total"] if rows else 0, "nodes": nodes}}


def _named(row: asyncpg.Record, of: str) -> Row | None:
    return {"id": row[f"{of}_id"], "name": row[f"{of}_name"]} if row[f"{of}_id"] else None


_HAS_WORDS = (
    "m.project_id = $1 AND ARRAY[m.project_id] @> ARRAY[$1::uuid]"
    " AND search_document(m.content) @@ (SELECT search_query($2))"
)


async def _newest(db: Connection, variables: dict[str, Any]) -> list[str]:
    """Return the ids of the newest messages with the words, as many as are ranked.

    The index finds the messages with the words in one period at once, however many others have them. So this
    looks at one period after another, from the newest message back; at longer ones while it finds few.
    """
    bounds = await db.fetchrow(
        "SELECT min(created_at) AS oldest, max(created_at) AS newest FROM messages WHERE project_id = $1",
        PROJECT,
    )
    if bounds is None or bounds["newest"] is None:
        return []
    ids: list[str] = []
    until, length = bounds["newest"] + timedelta(microseconds=1), 2
    while until > bounds["oldest"] and len(ids) < _RANKED:
        since = await db.fetchval(
            "SELECT (search_times($1::timestamptz - interval '1 microsecond'))[$2::int]", until, length
        )
        found = await db.fetch(
            f"SELECT m.id FROM messages AS m WHERE {_HAS_WORDS}"  # noqa: S608 - above
            " AND search_times(m.created_at) @> ARRAY[$3::timestamptz] AND m.created_at < $4"
            " ORDER BY m.created_at DESC, m.id DESC",
            PROJECT,
            variables["query"],
            since,
            until,
        )
        ids += [row["id"] for row in found]
        until = since
        if len(found) * 16 < _RANKED:
            length = min(length + 1, _LENGTHS)
    return ids[:_RANKED]


async def _newest_of_agent(db: Connection, variables: dict[str, Any]) -> list[str]:
    """Return the ids of the newest messages with the words in the sessions of an agent since a time."""
    rows = await db.fetch(
        f"SELECT m.id FROM messages AS m WHERE {_HAS_WORDS} AND m.created_at >= $3"  # noqa: S608 - above
        " AND m.session_id = ANY(ARRAY(SELECT id FROM sessions WHERE project_id = $1 AND agent_id = $4))"
        f" ORDER BY m.created_at DESC, m.id DESC LIMIT {_RANKED}",
        PROJECT,
        variables["query"],
        datetime.fromisoformat(variables["since"]),
        variables["agent"],
    )
    return [row["id"] for row in rows]


async def top_memories(db: Connection, _variables: dict[str, Any]) -> Row:
    """Answer with the most useful memories."""
    rows = await db.fetch(
        'SELECT usefulness, rated_count AS "ratedCount", access_count AS "accessCount",'
        ' last_accessed_at AS "lastAccessedAt", id, name, content FROM memories'
        " WHERE project_id = $1 ORDER BY usefulness DESC NULLS LAST, id DESC LIMIT 10",
        PROJECT,
    )
    total = await db.fetchval("SELECT count(*) FROM memories WHERE project_id = $1", PROJECT)
    return {
        "topMemories": {"totalCount": total, "nodes": list(_around(rows, "memory", "id", "name", "content"))}
    }


def _around(rows: list[asyncpg.Record], of: str, *names: str) -> Iterator[Row]:
    """Yield the rows as dictionaries, with the columns ``names`` in one of their own."""
    for row in rows:
        own = dict(row.items())
        inner = {name: own.pop(name) for name in names}
        yield own | {of: inner}


def _ranking(rows: list[asyncpg.Record], *of: str) -> Row:
    """Return a ranking, whose rows have the number of all in the column ``total``."""
    total = rows[0]["total"] if rows else 0
    nodes = list(_around(rows, *of)) if of else [dict(row.items()) for row in rows]
    for node in nodes:
        del node["total"]
    return {"totalCount": total, "nodes": nodes}


async def top_users(db: Connection, _variables: dict[str, Any]) -> Row:
    """Answer with the users with the most messages."""
    rows = await db.fetch(
        "SELECT r.*, u.name, u.email FROM ("  # noqa: S608 - columns
        f"SELECT user_id AS id, count(*) OVER () AS total, {_TOTALS} FROM sessions"
        " WHERE project_id = $1 AND user_id IS NOT NULL GROUP BY user_id"
        ' ORDER BY "messageCount" DESC, user_id DESC LIMIT 10'
        ") AS r JOIN users AS u ON u.project_id = $1 AND u.id = r.id"
        ' ORDER BY r."messageCount" DESC, r.id DESC',
        PROJECT,
    )
    return {"topUsers": _ranking(rows, "user", "id", "name", "email")}


async def top_users_errors(db: Connection, _variables: dict[str, Any]) -> Row:
    """Answer with the users with the most errors."""
    rows = await db.fetch(
        "SELECT r.*, u.name, u.email FROM ("
        'SELECT s.user_id AS id, count(*) OVER () AS total, count(*) AS "sessionCount",'
        ' sum(s.error_count) AS "errorCount" FROM sessions AS s'
        " WHERE s.project_id = $1 AND s.user_id IS NOT NULL GROUP BY s.user_id"
        ' ORDER BY "errorCount" DESC, s.user_id DESC LIMIT 10'
        ") AS r JOIN users AS u ON u.project_id = $1 AND u.id = r.id"
        ' ORDER BY r."errorCount" DESC, r.id DESC',
        PROJECT,
    )
    return {"topUsers": _ranking(rows, "user", "id", "name", "email")}


async def top_agents(db: Connection, _variables: dict[str, Any]) -> Row:
    """Answer with the agents with the highest success rates."""
    rows = await db.fetch(
        "SELECT r.*, a.name FROM ("  # noqa: S608 - columns
        "SELECT agent_id AS id, count(*) OVER () AS total,"
        " count(*) FILTER (WHERE status = 'COMPLETED')::float8"
        " / nullif(count(*) FILTER (WHERE status IN ('COMPLETED', 'FAILED')), 0) AS \"successRate\","
        f" {_TOTALS} FROM sessions WHERE project_id = $1 AND agent_id IS NOT NULL GROUP BY agent_id"
        ' ORDER BY "successRate" DESC NULLS LAST, agent_id DESC LIMIT 10'
        ") AS r JOIN agents AS a ON a.project_id = $1 AND a.id = r.id"
        ' ORDER BY r."successRate" DESC NULLS LAST, r.id DESC',
        PROJECT,
    )
    return {"topAgents": _ranking(rows, "agent", "id", "name")}


async def top_tools(db: Connection, _variables: dict[str, Any]) -> Row:
    """Answer with the tools with the most failures."""
    rows = await db.fetch(
        'SELECT count(*) OVER () AS total, name, count(*) AS "callCount",'
        " count(*) FILTER (WHERE status = 'FAILED') AS \"failedCount\","
        " count(*) FILTER (WHERE status = 'SUCCEEDED')::float8"
        " / nullif(count(*) FILTER (WHERE status IN ('SUCCEEDED', 'FAILED')), 0) AS \"successRate\","
        ' percentile_cont(0.5) WITHIN GROUP (ORDER BY duration_ms) AS "p50DurationMs",'
        ' percentile_cont(0.95) WITHIN GROUP (ORDER BY duration_ms) AS "p95DurationMs"'
        " FROM tool_calls WHERE project_id = $1 GROUP BY name"
        ' ORDER BY "failedCount" DESC, name DESC LIMIT 10',
        PROJECT,
    )
    return {"topTools": _ranking(rows)}


async def top_models(db: Connection, _variables: dict[str, Any]) -> Row:
    """Answer with the models with the most tokens, by messages and usage records."""
    rows = await db.fetch(
        'SELECT count(*) OVER () AS total, name, sum(messages) AS "messageCount", sum(usage) AS "usageCount",'
        ' sum(tokens) AS "totalTokens", coalesce(sum(cost), 0)::float8 AS "costUsd" FROM ('
        "SELECT model AS name, count(*) AS messages, 0 AS usage,"
        " coalesce(sum(prompt_tokens), 0) + coalesce(sum(completion_tokens), 0) AS tokens,"
        " NULL::numeric AS cost FROM messages WHERE project_id = $1"
        " AND (model IS NOT NULL OR prompt_tokens IS NOT NULL OR completion_tokens IS NOT NULL)"
        " GROUP BY model"
        " UNION ALL SELECT model, 0, count(*), sum(prompt_tokens) + sum(completion_tokens), sum(cost_usd)"
        " FROM usage_records WHERE project_id = $1 GROUP BY model"
        ') AS use GROUP BY name ORDER BY "totalTokens" DESC, name DESC LIMIT 10',
        PROJECT,
    )
    return {"topModels": _ranking(rows)}


async def statistics(db: Connection, variables: dict[str, Any]) -> Row:
    """Answer with statistics of all sessions, or of those since a time."""
    since = [datetime.fromisoformat(variables["since"])] if variables else []
    started = " AND s.started_at >= $2" if since else ""
    [row] = await db.fetch(
        f"SELECT {_STATISTICS} FROM sessions AS s WHERE s.project_id = $1{started}",  # noqa: S608 - of this file
        PROJECT,
        *since,
    )
    return {"project": {"statistics": dict(row.items())}}


async def agents_statistics(db: Connection, _variables: dict[str, Any]) -> Row:
    """Answer with agents and the statistics of each."""
    agents = {
        row["id"]: dict(row.items())
        for row in await db.fetch(
            "SELECT id, name FROM agents WHERE project_id = $1 ORDER BY name, id LIMIT 50", PROJECT
        )
    }
    for row in await db.fetch(
        f"SELECT s.agent_id, {_STATISTICS} FROM sessions AS s"  # noqa: S608 - of this file
        " WHERE s.project_id = $1 AND s.agent_id = ANY($2) GROUP BY s.agent_id",
        PROJECT,
        list(agents),
    ):
        own = dict(row.items())
        agents[own.pop("agent_id")]["statistics"] = own
    return {"agents": {"nodes": list(agents.values())}}


async def tokens_by_week(db: Connection, variables: dict[str, Any]) -> Row:
    """Answer with the tokens of the busiest agents in each week."""
    begin, end = (datetime.fromisoformat(variables[name]) for name in ("from", "to"))
    rows = await db.fetch(
        "SELECT g.start, g.sum::float8, a.id, a.name FROM ("
        "SELECT agent_id, date_trunc('week', at, 'UTC') AS start, sum(tokens) AS sum,"
        " sum(count(*)) OVER (PARTITION BY agent_id) AS number FROM ("
        "SELECT s.agent_id, m.created_at AS at,"
        " coalesce(m.prompt_tokens, 0) + coalesce(m.completion_tokens, 0) AS tokens FROM messages AS m"
        " JOIN sessions AS s ON s.project_id = $1 AND s.id = m.session_id"
        " WHERE m.project_id = $1 AND m.created_at >= $2 AND m.created_at < $3"
        " AND (m.prompt_tokens IS NOT NULL OR m.completion_tokens IS NOT NULL)"
        " UNION ALL SELECT s.agent_id, u.timestamp, u.prompt_tokens + u.completion_tokens"
        " FROM usage_records AS u JOIN sessions AS s ON s.project_id = $1 AND s.id = u.session_id"
        " WHERE u.project_id = $1 AND u.timestamp >= $2 AND u.timestamp < $3"
        ") AS use GROUP BY 1, 2) AS g JOIN agents AS a ON a.project_id = $1 AND a.id = g.agent_id"
        " ORDER BY g.number DESC, a.id, g.start",
        PROJECT,
        begin,
        end,
    )
    groups: dict[tuple[str, str], dict[datetime, float]] = {}
    for row in rows:
        groups.setdefault((row["id"], row["name"]), {})[row["start"]] = row["sum"]
    monday = (begin - timedelta(days=begin.weekday())).replace(hour=0, minute=0, second=0, microsecond=0)
    weeks = [monday + timedelta(weeks=week) for week in range((end - monday) // timedelta(weeks=1) + 1)]
    series = [
        {"start": week, "sum": sums.get(week, 0.0), "agent": {"id": id_, "name": name}}
        for (id_, name), sums in list(groups.items())[:10]
        for week in weeks
        if week < end
    ]
    return {"project": {"series": series}}


async def cost_by_month(db: Connection, variables: dict[str, Any]) -> Row:
    """Answer with the costs of each model in each month."""
    begin, end = (datetime.fromisoformat(variables[name]) for name in ("from", "to"))
    rows = await db.fetch(
        "SELECT model, date_trunc('month', timestamp, 'UTC') AS start, sum(cost_usd)::float8 AS sum,"
        " sum(count(*)) OVER (PARTITION BY model) AS number FROM usage_records"
        " WHERE project_id = $1 AND timestamp >= $2 AND timestamp < $3 AND cost_usd IS NOT NULL"
        " GROUP BY 1, 2 ORDER BY number DESC, model, start",
        PROJECT,
        begin,
        end,
    )
    groups: dict[str, dict[datetime, float]] = {}
    for row in rows:
        groups.setdefault(row["model"], {})[row["start"]] = row["sum"]
    months = [
        datetime(number // 12, number % 12 + 1, 1, tzinfo=UTC)
        for number in range(begin.year * 12 + begin.month - 1, end.year * 12 + end.month)
    ]
    series = [
        {"start": month, "sum": sums.get(month, 0.0), "model": model}
        for model, sums in list(groups.items())[:10]
        for month in months
        if month < end
    ]
    return {"project": {"series": series}}


HANDLERS: dict[str, Handler] = {
    "search-common": search,
    "search-rare": search,
    "search-filter": search,
    "top-memories": top_memories,
    "top-users": top_users,
    "top-users-errors": top_users_errors,
    "top-agents": top_agents,
    "top-tools": top_tools,
    "top-models": top_models,
    "statistics": statistics,
    "statistics-month": statistics,
    "statistics-day": statistics,
    "tokens-by-week": tokens_by_week,
    "cost-by-month": cost_by_month,
    "agents-statistics": agents_statistics,
}
"""The handler of each shape of dashboards."""
