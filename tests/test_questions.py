"""The questions that the data is there to answer: each is one query, and its numbers are those of plain SQL.

The SQL is written by hand, one statement a question, and run as the owner of the tables: it shares nothing
with what answers queries. Questions on knowledge bases, their chunks and the jobs that sync them wait for
these nouns.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from html import unescape
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson
import pytest
from sqlalchemy import text

from agentdata import demo
from agentdata.operations import memories, memory_accesses, memory_annotations
from models.enums import AccessorType, MessageRole
from tests import factories
from tests.api import make_api, traffic
from tests.documentation import ROOT, examples
from tests.factories import called, happened, measured, said, used

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

    from agentdata.database import Database
    from tests.api import Api


class Asked(NamedTuple):
    """A project that questions are asked of, by a query and by SQL."""

    api: Api
    owner: AsyncEngine

    async def query(self, document: str, **variables: Any) -> Any:
        """Ask by one query."""
        return await in_one_statement(self.api, document, **variables)

    async def sql(self, statement: str, **values: Any) -> list[dict[str, Any]]:
        """Ask by SQL, with the project as `:project`; give rows as JSON has them, numbers nearly equal."""
        async with self.owner.connect() as connection:
            found = await connection.execute(text(statement), {"project": self.api.project_id, **values})
            rows = [dict(row) for row in found.mappings()]
        return nearly(orjson.loads(orjson.dumps(rows, default=_plain, option=orjson.OPT_UTC_Z)))  # type: ignore[no-any-return]  # a list stays one

    async def value(self, statement: str, **values: Any) -> Any:
        """Ask by SQL for one value."""
        [row] = await self.sql(statement, **values)
        [value] = row.values()
        return value


async def in_one_statement(api: Api, document: str, **variables: Any) -> Any:
    """Give the data of a query, which is held to being one statement."""
    with traffic(api.database) as seen:
        data = await api.ask(document, **variables)
    assert len(seen.statements) == 1
    return data


def _plain(value: object) -> object:
    """Give a number for one of the database's, and a text for its kind of UUID."""
    return float(value) if isinstance(value, Decimal) else str(value)


def nearly(value: Any) -> Any:
    """Give JSON that is equal to what differs from it by the order of additions only."""
    match value:
        case dict():
            return {key: nearly(each) for key, each in value.items()}
        case list():
            return [nearly(each) for each in value]
        case float():
            return pytest.approx(value)
        case _:
            return value


@pytest.fixture(scope="module")
async def some(world: Api, owner: AsyncEngine) -> Asked:
    """Provide the world: some of everything, with ties and nulls."""
    return Asked(world, owner)


@pytest.fixture(scope="module")
async def shop(database: Database, owner: AsyncEngine) -> Asked:
    """Provide a shop: a few rows, each there because it may be counted wrongly."""
    api = await make_api(database, owner)
    await open_shop(api)
    # Another shop has the same names and as much of everything.
    await open_shop(await make_api(database, owner))
    return Asked(api, owner)


@pytest.fixture(scope="module", params=["shop", "world"])
async def asked(request: pytest.FixtureRequest, shop: Asked, some: Asked) -> Asked:
    """Provide the one and the other."""
    return shop if request.param == "shop" else some


async def open_shop(api: Api) -> None:
    """Fill a project with two agents that sell, users of whom one never came, and what was learned."""
    ann = await factories.user(api, name="Ann", email="Ann@Example.org")
    bob = await factories.user(api, name="Bob")
    await factories.user(api, name="Cid", email="cid@example.org")
    seller = await factories.agent(
        api, name="Seller", type="custom", owner_id=ann.id, tools=["search", {"name": "pay"}]
    )
    await factories.agent(api, name="Apprentice", type="custom", owner_id=bob.id, tools=[])
    await factories.agent(api, name="Planner", type="planner", tools=["plan"])
    sessions = await _talk(api, seller, ann, bob)
    await _happen(api, seller, sessions)
    await _learn(api, seller, ann, sessions)


async def _talk(api: Api, seller: Any, ann: Any, bob: Any) -> list[Any]:
    """Have sessions that were active at several times: a tree of four, and three by themselves."""

    async def session(hours: float, **values: Any) -> Any:
        return await factories.session(api, started_at=_ago(hours), agent_id=seller.id, **values)

    root = await session(23.9, title="order", user_id=ann.id, state={"moduleId": "m1", "moduleName": "cart"})
    child = await session(30, title="pay", parent_id=root.id, user_id=ann.id, cost_usd=0.5, state={"step": 1})
    grandchild = await session(1, title="retry", parent_id=child.id, state={"moduleId": None})
    sibling = await session(90, title="ship", parent_id=root.id, status="FAILED", ended_at=_ago(80))
    long_ago = await session(24.1, title="chat", user_id=bob.id)
    empty = await session(5_000, title="silent", user_id=bob.id, status="COMPLETED", ended_at=_ago(4_999))
    nobody = await session(48, status="COMPLETED", ended_at=_ago(47))
    asks = said(
        None,
        role=MessageRole.ASSISTANT,
        model="large",
        latency_ms=900,
        prompt_tokens=100,
        completion_tokens=10,
        created_at=_ago(40),
        tool_calls=[
            called("search", call_id="1", duration_ms=20.0),
            called("pay", error="declined", duration_ms=5.0),
            called("pay", result={"paid": True}),
        ],
    )
    answers = said('{"found": 2}', role=MessageRole.TOOL, tool_call_id="1", created_at=_ago(39))
    await factories.say(api, root.id, said("Tea, please", created_at=_ago(41)), asks, answers)
    await factories.say(
        api,
        child.id,
        said("Card", created_at=_ago(29)),
        said("No", role=MessageRole.ASSISTANT, model="small", latency_ms=100, created_at=_ago(29)),
        said(
            None,
            role=MessageRole.ASSISTANT,
            created_at=_ago(28),
            prompt_tokens=3,
            tool_calls=[called("pay", error="timeout")],
        ),
    )
    await factories.say(
        api,
        long_ago.id,
        said("Hello", created_at=_ago(24.3)),
        said("Tea? <b>Tea</b> & milk, for the teapot", created_at=_ago(24.2)),
    )
    await factories.say(api, nobody.id, *[said("Hi", created_at=_ago(47.5))] * 3)
    return [root, child, grandchild, sibling, long_ago, empty, nobody]


def _ago(hours: float) -> datetime:
    return datetime.now(UTC) - timedelta(hours=hours)


async def _happen(api: Api, seller: Any, sessions: list[Any]) -> None:
    """Have events, uses of models, states and metrics."""
    root, child, grandchild, *_ = sessions
    at = _ago(40)
    await factories.events(
        api,
        root.id,
        happened("user_input", timestamp=_ago(41)),
        # At the same time as the message and the use of the model.
        happened("error", timestamp=at, event_data={"code": 504}, duration_ms=3.5),
        happened("error", timestamp=at),
        happened("checkpoint", timestamp=_ago(38)),
    )
    await factories.events(api, child.id, happened("error", timestamp=_ago(28)))
    await factories.usage(
        api,
        used(root.id, "large", prompt_tokens=50, completion_tokens=5, cost_usd=0.25, timestamp=at),
        used(root.id, "small", prompt_tokens=7, timestamp=_ago(37)),
        used(grandchild.id, "small", completion_tokens=2, cost_usd=0.125, timestamp=_ago(1)),
    )
    for number in range(3):
        await factories.module_state(
            api, module_id="cart", session_id=root.id, state={"items": {"tea": number // 2}}
        )
    await factories.module_state(api, module_id="plan", session_id=child.id)
    # The clock of Berlin was put forward on the 29th of March, after 01:59:59.
    moments = (
        "2026-03-22T23:30:00Z",
        "2026-03-28T22:59:59Z",
        "2026-03-28T23:00:00Z",
        "2026-03-29T00:30:00Z",
        "2026-03-29T01:30:00Z",
        "2026-03-29T21:59:59Z",
        "2026-03-29T22:00:00Z",
    )
    for number, moment in enumerate(moments):
        value: Any = {"metric_value": number * 1.5 - 2, "timestamp": datetime.fromisoformat(moment)}
        await factories.measure_agents(
            api,
            measured(agent_id=seller.id, **value),
            measured(agent_id=seller.id, **value),
            measured("accuracy", agent_id=seller.id, **value),
        )
        await factories.measure_sessions(api, measured("token_usage", session_id=root.id, **value))


async def _learn(api: Api, seller: Any, ann: Any, sessions: list[Any]) -> None:
    """Remember, use what is remembered, and note on it."""

    async def learned(content: str, **values: Any) -> Any:
        return await factories.memory(api, content=content, agent_id=seller.id, **values)

    tea = await learned("likes tea", user_id=ann.id, session_id=sessions[0].id, memory_type="preference")
    price = await learned("tea costs 3", memory_type="fact", importance=2.0)
    unused = await learned("open on Sundays")
    await factories.memory(api, content="of nobody")
    uses = [(tea, 1.0), (tea, 0.25), (tea, None), (price, 0.5), (unused, None)]
    await api.run(
        memory_accesses.record_all,
        accesses=[
            {
                "memory_id": memory.id,
                "access_type": "read",
                "accessed_by": "Seller",
                "accessor_type": AccessorType.AGENT,
                "usefulness": usefulness,
            }
            for memory, usefulness in uses
        ],
    )
    for memory, kind, content in (
        (price, "correction", "tea costs 4"),
        (price, "verification", "on the list"),
        (tea, "enhancement", "green"),
    ):
        made = await factories.memory_annotation(api, memory.id, annotation_type=kind, content=content)
        if memory is price:
            await api.run(memory_annotations.apply, id_=made.id)
    await api.run(memories.link, memory_id=tea.id, related_memory_ids=[price.id])


async def test_conversations_with_their_message_counts_newest_first(some: Asked) -> None:
    data = await some.query("""{
        sessions(first: 500, orderBy: [{field: CREATED_AT, direction: DESC}]) {
            totalCount nodes { id title createdAt messageCount agent { name } }
        }
    }""")
    rows = await some.sql("""
        SELECT s.id, s.title, s.created_at AS "createdAt",
            (SELECT count(*) FROM messages m WHERE m.session_id = s.id) AS "messageCount",
            CASE WHEN a.id IS NOT NULL THEN jsonb_build_object('name', a.name) END AS agent
        FROM sessions s LEFT JOIN agents a ON a.id = s.agent_id
        WHERE s.project_id = :project ORDER BY s.created_at DESC, s.id DESC
    """)
    assert data["sessions"] == {"totalCount": len(rows), "nodes": rows}
    assert 0 in {row["messageCount"] for row in rows}
    assert len({row["createdAt"] for row in rows}) < len(rows)


async def test_messages_of_a_conversation_in_order(some: Asked) -> None:
    session = await some.value(
        "SELECT session_id FROM messages WHERE project_id = :project"
        " GROUP BY session_id ORDER BY count(*) DESC LIMIT 1"
    )
    data = await some.query(
        """query($id: ID!) { session(id: $id) { messages(first: 500) { nodes {
            id sequence role content createdAt toolCalls { totalCount }
        } } } }""",
        id=session,
    )
    rows = await some.sql(
        """
        SELECT id, sequence, role, content, created_at AS "createdAt", jsonb_build_object('totalCount',
            (SELECT count(*) FROM tool_calls c WHERE c.message_id = m.id)) AS "toolCalls"
        FROM messages m WHERE project_id = :project AND session_id::text = :id ORDER BY sequence
        """,
        id=session,
    )
    assert data["session"]["messages"]["nodes"] == rows
    assert len(rows) > 2


async def test_messages_of_a_conversation_with_tool_calls_only(shop: Asked) -> None:
    """Those that call a tool, and those that are the answer of one."""
    data = await shop.query("""{ sessions(filter: {title: {eq: "order"}}) { nodes {
        messages(filter: {or: [{toolCalls: {some: {}}}, {toolCall: {}}]}) { nodes {
            sequence role tokenCount latencyMs
            toolCalls { nodes { name arguments result error status } }
            toolCall { name }
        } }
    } } }""")
    rows = await shop.sql("""
        SELECT m.sequence, m.role, m.token_count AS "tokenCount", m.latency_ms AS "latencyMs",
            jsonb_build_object('nodes', coalesce((
                SELECT jsonb_agg(jsonb_build_object('name', c.name, 'arguments', c.arguments,
                    'result', c.result, 'error', c.error, 'status', c.status) ORDER BY c.position)
                FROM tool_calls c WHERE c.message_id = m.id), '[]')) AS "toolCalls",
            (SELECT jsonb_build_object('name', c.name) FROM tool_calls c WHERE c.answer_id = m.id)
                AS "toolCall"
        FROM messages m JOIN sessions s ON s.id = m.session_id
        WHERE s.project_id = :project AND s.title = 'order'
            AND m.id IN (SELECT message_id FROM tool_calls UNION ALL SELECT answer_id FROM tool_calls)
        ORDER BY m.sequence
    """)
    assert [row["role"] for row in rows] == ["ASSISTANT", "TOOL"]
    assert data["sessions"]["nodes"] == [{"messages": {"nodes": rows}}]


async def test_conversations_whose_state_is_not_empty_with_keys_out_of_it(asked: Asked) -> None:
    data = await asked.query("""{
        sessions(first: 500, filter: {state: {isEmpty: false}}) { nodes {
            id agent { id }
            moduleId: stateValue(path: ["moduleId"]) moduleName: stateValue(path: ["moduleName"])
            a: stateValue(path: ["nested", "a"]) second: stateValue(path: ["b", "1"])
        } }
    }""")
    rows = await asked.sql("""
        SELECT id, CASE WHEN agent_id IS NOT NULL THEN jsonb_build_object('id', agent_id) END AS agent,
            state->'moduleId' AS "moduleId", state->'moduleName' AS "moduleName",
            state->'nested'->'a' AS a, state->'b'->1 AS second
        FROM sessions WHERE project_id = :project AND state <> '{}' ORDER BY started_at DESC, id DESC
    """)
    assert data["sessions"]["nodes"] == rows
    assert 0 < len(rows) < await asked.value("SELECT count(*) FROM sessions WHERE project_id = :project")


async def test_sessions_of_a_user_paged_with_a_total(some: Asked) -> None:
    rows = await some.sql("""
        SELECT id, started_at FROM sessions WHERE project_id = :project AND user_id =
            (SELECT user_id FROM sessions WHERE project_id = :project AND user_id IS NOT NULL
             GROUP BY 1 ORDER BY count(*) DESC, 1 LIMIT 1)
        ORDER BY started_at DESC, id DESC
    """)
    user = await some.value("SELECT user_id FROM sessions WHERE id::text = :id", id=rows[0]["id"])
    pages: list[list[str]] = []
    after = None
    while True:
        data = await some.query(
            """query($id: ID!, $after: String) { user(id: $id) { sessions(first: 3, after: $after) {
                totalCount nodes { id } pageInfo { hasNextPage endCursor }
            } } }""",
            id=user,
            after=after,
        )
        sessions = data["user"]["sessions"]
        assert sessions["totalCount"] == len(rows)
        pages.append([node["id"] for node in sessions["nodes"]])
        if not sessions["pageInfo"]["hasNextPage"]:
            break
        after = sessions["pageInfo"]["endCursor"]
    assert len(pages) == -(-len(rows) // 3) > 1
    assert [id_ for page in pages for id_ in page] == [row["id"] for row in rows]


@pytest.mark.parametrize("email", ["Ann@Example.org", "ann@example.ORG"])
async def test_a_user_by_email(shop: Asked, email: str) -> None:
    data = await shop.query(
        "query($email: String!) { user(email: $email) { id name email userData } }", email=email
    )
    assert [data["user"]] == await shop.sql(
        """
        SELECT id, name, email, user_data AS "userData" FROM users
        WHERE project_id = :project AND lower(email) = lower(:email)
        """,
        email=email,
    )


async def test_an_agent_by_name(shop: Asked) -> None:
    data = await shop.query(
        '{ agent(name: "Seller") { id name type totalSessions successRate owner { name } } }'
    )
    assert [data["agent"]] == await shop.sql("""
        SELECT a.id, a.name, a.type,
            (SELECT count(*) FROM sessions s WHERE s.agent_id = a.id) AS "totalSessions",
            (SELECT avg(CASE status WHEN 'COMPLETED' THEN 1.0 ELSE 0 END) FROM sessions s
             WHERE s.agent_id = a.id AND status IN ('COMPLETED', 'FAILED')) AS "successRate",
            (SELECT jsonb_build_object('name', u.name) FROM users u WHERE u.id = a.owner_id) AS owner
        FROM agents a WHERE a.project_id = :project AND a.name = 'Seller'
    """)


async def test_how_many_conversations_there_are_and_were_active_in_the_last_24_hours(shop: Asked) -> None:
    since = datetime.now(UTC) - timedelta(hours=24)
    data = await shop.query(
        """query($since: DateTime!) {
            all: sessions { totalCount }
            active: sessions(filter: {lastActivityAt: {gte: $since}}) { totalCount }
        }""",
        since=since.isoformat(),
    )
    [row] = await shop.sql(
        """
        SELECT count(*) AS all, count(*) FILTER (WHERE greatest(started_at,
            (SELECT max(created_at) FROM messages m WHERE m.session_id = s.id),
            (SELECT max(timestamp) FROM session_events e WHERE e.session_id = s.id),
            (SELECT max(timestamp) FROM usage_records u WHERE u.session_id = s.id)) >= :since) AS active
        FROM sessions s WHERE project_id = :project
        """,
        since=since,
    )
    assert {name: each["totalCount"] for name, each in data.items()} == row == {"all": 7, "active": 2}


async def test_custom_agents_with_counts_of_their_tools(shop: Asked) -> None:
    data = await shop.query("""{
        agents(filter: {type: {eq: "custom"}}) { nodes {
            id name model temperature toolCount owner { id }
        } }
    }""")
    rows = await shop.sql("""
        SELECT id, name, model, temperature, jsonb_array_length(tools) AS "toolCount",
            jsonb_build_object('id', owner_id) AS owner
        FROM agents WHERE project_id = :project AND type = 'custom' ORDER BY created_at DESC, id DESC
    """)
    assert data["agents"]["nodes"] == rows
    assert [row["toolCount"] for row in rows] == [0, 2]


@pytest.mark.parametrize(
    ("query", "condition"),
    [
        ("tea", r"content ~* '\ytea\y'"),
        ("please tea", r"content ~* '\ytea\y' AND content ~* '\yplease\y'"),
        ('"tea please"', r"content ~* '\ytea\W+please\y'"),
        ('"please tea"', "false"),
        ("hello or CARD", r"content ~* '\y(hello|card)\y'"),
        ("tea -please", r"content ~* '\ytea\y' AND content !~* '\yplease\y'"),
        ("<tea> & (:*", r"content ~* '\ytea\y'"),
        ("coffee", "false"),
    ],
)
async def test_what_was_said_in_these_words_the_best_first(shop: Asked, query: str, condition: str) -> None:
    data = await shop.query(
        """query($query: String!) { searchMessages(query: $query) {
            totalCount nodes { rank excerpt message { id content } }
        } }""",
        query=query,
    )
    rows = await shop.sql(
        f"""
        SELECT jsonb_build_object('id', id, 'content', content) AS message,
            ts_rank_cd(to_tsvector('simple', regexp_replace(content, '\\W+', ' ', 'g')),
                websearch_to_tsquery('simple', :words), 1 | 32) AS rank
        FROM messages WHERE project_id = :project AND {condition} ORDER BY rank DESC, id DESC
        """,  # noqa: S608  # texts of this test
        words=query.translate(str.maketrans("<>&(:*", "      ")),
    )
    found = data["searchMessages"]
    excerpts = [node.pop("excerpt") for node in found["nodes"]]
    assert found == {"totalCount": len(rows), "nodes": rows}
    for excerpt, row in zip(excerpts, rows, strict=True):
        assert "<mark>" in excerpt
        # Besides that it is the text, escaped.
        plain = unescape(excerpt.replace("<mark>", "").replace("</mark>", ""))
        assert plain in row["message"]["content"]
        assert "<b>" not in excerpt


async def test_what_is_remembered_in_these_words(shop: Asked) -> None:
    data = await shop.query("""{
        all: searchMemories(query: "tea") { totalCount nodes { memory { content } excerpt } }
        some: searchMemories(query: "tea", filter: {memoryType: {eq: "fact"}}) {
            nodes { memory { content } }
        }
    }""")
    rows = await shop.sql(r"""
        SELECT content, memory_type FROM memories WHERE project_id = :project
            AND concat_ws(' ', name, description, content) ~* '\ytea\y'
    """)
    assert data["all"]["totalCount"] == len(rows) == 2
    assert all("<mark>tea</mark>" in node["excerpt"] for node in data["all"]["nodes"])
    contents = sorted(node["memory"]["content"] for node in data["all"]["nodes"])
    assert contents == sorted(row["content"] for row in rows)
    facts = [{"memory": {"content": row["content"]}} for row in rows if row["memory_type"] == "fact"]
    assert data["some"]["nodes"] == facts


BERLIN = {
    # Hours are of real time. Days and weeks go by the clock on the wall, which skips an hour on the 29th.
    "HOUR": """SELECT start, start + interval '1 hour' AS until
        FROM generate_series(timestamptz '2026-03-28 23:00Z', '2026-03-29 21:00Z', '1 hour') AS start""",
    "DAY": """SELECT day AT TIME ZONE 'Europe/Berlin' AS start,
            (day + interval '1 day') AT TIME ZONE 'Europe/Berlin' AS until
        FROM generate_series(timestamp '2026-03-23', '2026-03-31', '1 day') AS day""",
    "WEEK": """SELECT monday AT TIME ZONE 'Europe/Berlin' AS start,
            (monday + interval '7 days') AT TIME ZONE 'Europe/Berlin' AS until
        FROM generate_series(timestamp '2026-03-16', '2026-03-30', '7 days') AS monday""",
}
"""The buckets of some time, by the clock of Berlin."""


@pytest.mark.parametrize("of", ["agent", "session"])
@pytest.mark.parametrize(
    ("interval", "begin", "end", "buckets"),
    [
        ("HOUR", "2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z", 23),
        ("DAY", "2026-03-22T23:00:00Z", "2026-03-31T22:00:00Z", 9),
        ("WEEK", "2026-03-15T23:00:00Z", "2026-04-05T22:00:00Z", 3),
    ],
)
async def test_metrics_over_time_in_a_time_zone(
    shop: Asked, of: str, interval: str, begin: str, end: str, buckets: int
) -> None:
    series = """series(
        metric: %s, metricType: $kind, from: $from, to: $to, interval: $interval, timeZone: "Europe/Berlin"
    ) { start count sum mean min max p50 p95 p99 }"""
    declared = "query($kind: String!, $from: DateTime!, $to: DateTime!, $interval: Interval!)"
    variables = {"from": begin, "to": end, "interval": interval}
    if of == "agent":
        kind = "response_time"
        document = f'{declared} {{ agent(name: "Seller") {{ {series % "AGENT_METRIC"} }} }}'
        found = (await shop.query(document, kind=kind, **variables))["agent"]
    else:
        kind = "token_usage"
        where = 'filter: {title: {eq: "order"}}'
        document = f"{declared} {{ sessions({where}) {{ nodes {{ {series % 'SESSION_METRIC'} }} }} }}"
        [found] = (await shop.query(document, kind=kind, **variables))["sessions"]["nodes"]
    rows = await shop.sql(
        f"""
        SELECT start, count(v), coalesce(sum(v), 0) AS sum, avg(v) AS mean, min(v), max(v),
            percentile_cont(0.5) WITHIN GROUP (ORDER BY v) AS p50,
            percentile_cont(0.95) WITHIN GROUP (ORDER BY v) AS p95,
            percentile_cont(0.99) WITHIN GROUP (ORDER BY v) AS p99
        FROM ({BERLIN[interval]}) AS bucket LEFT JOIN (
            SELECT timestamp AS at, metric_value AS v FROM {of}_metrics
            WHERE project_id = :project AND metric_type = :kind
        ) AS metric ON at >= start AND at < until
        GROUP BY start ORDER BY start
        """,  # noqa: S608  # texts of this test
        kind=kind,
    )
    assert found == {"series": rows}
    assert len(rows) == buckets
    assert {row["count"] > 0 for row in rows} == {True, False}


_TOKENS = """
    SELECT m.created_at, {message}, s.agent_id, s.agent_version_id, s.user_id, m.model, NULL, NULL
    FROM messages m JOIN sessions s ON s.id = m.session_id
    WHERE m.project_id = :project AND ({message}) IS NOT NULL
    UNION ALL
    SELECT u.timestamp, {record}, s.agent_id, s.agent_version_id, s.user_id, u.model, NULL, NULL
    FROM usage_records u JOIN sessions s ON s.id = u.session_id WHERE u.project_id = :project
"""
_BOTH = """CASE WHEN coalesce(m.prompt_tokens, m.completion_tokens) IS NOT NULL
    THEN coalesce(m.prompt_tokens, 0)::bigint + coalesce(m.completion_tokens, 0) END"""
MEASURED = {
    "AGENT_METRIC": """
        SELECT timestamp, metric_value, agent_id, version_id, NULL::uuid, NULL, NULL, metric_type
        FROM agent_metrics WHERE project_id = :project
    """,
    "SESSION_METRIC": """
        SELECT x.timestamp, x.metric_value, s.agent_id, s.agent_version_id, s.user_id,
            NULL, NULL, x.metric_type
        FROM session_metrics x JOIN sessions s ON s.id = x.session_id WHERE x.project_id = :project
    """,
    "MESSAGE_LATENCY": """
        SELECT m.created_at, m.latency_ms, s.agent_id, s.agent_version_id, s.user_id, m.model, NULL, NULL
        FROM messages m JOIN sessions s ON s.id = m.session_id
        WHERE m.project_id = :project AND m.latency_ms IS NOT NULL
    """,
    "PROMPT_TOKENS": _TOKENS.format(message="m.prompt_tokens", record="u.prompt_tokens"),
    "COMPLETION_TOKENS": _TOKENS.format(message="m.completion_tokens", record="u.completion_tokens"),
    "TOKENS": _TOKENS.format(message=_BOTH, record="u.prompt_tokens::bigint + u.completion_tokens"),
    "COST": """
        SELECT u.timestamp, u.cost_usd, s.agent_id, s.agent_version_id, s.user_id, u.model, NULL, NULL
        FROM usage_records u JOIN sessions s ON s.id = u.session_id
        WHERE u.project_id = :project AND u.cost_usd IS NOT NULL
    """,
    "SESSIONS_STARTED": """
        SELECT s.started_at, 1, s.agent_id, s.agent_version_id, s.user_id, NULL, NULL, NULL
        FROM sessions s WHERE s.project_id = :project
    """,
    "ERRORS": """
        SELECT c.created_at, 1, s.agent_id, s.agent_version_id, s.user_id, NULL, c.name, NULL
        FROM tool_calls c JOIN sessions s ON s.id = c.session_id
        WHERE c.project_id = :project AND c.status = 'FAILED'
        UNION ALL
        SELECT e.timestamp, 1, s.agent_id, s.agent_version_id, s.user_id, NULL, NULL, NULL
        FROM session_events e JOIN sessions s ON s.id = e.session_id
        WHERE e.project_id = :project AND e.event_type = 'error'
    """,
}
"""What is measured: when, the value, its agent, version, user, model, tool and type of metric."""
DIMENSIONS = {
    "AGENT": ("agent", "jsonb_build_object('id', agent_id)", "agent_id"),
    "AGENT_VERSION": ("agentVersion", "jsonb_build_object('id', version_id)", "version_id"),
    "USER": ("user", "jsonb_build_object('id', user_id)", "user_id"),
    "MODEL": ("model", "model", "model"),
    "TOOL": ("tool", "tool", "tool"),
    "METRIC_TYPE": ("metricType", "type", "type"),
}
"""Each dimension with its field, how SQL tells it, and the column that groups by it."""


@pytest.mark.parametrize(
    ("metric", "by"),
    [
        *((metric, []) for metric in MEASURED),
        ("AGENT_METRIC", ["METRIC_TYPE", "AGENT_VERSION"]),
        ("SESSION_METRIC", ["METRIC_TYPE"]),
        ("MESSAGE_LATENCY", ["MODEL", "AGENT"]),
        ("TOKENS", ["USER", "MODEL"]),
        ("COST", ["MODEL"]),
        ("SESSIONS_STARTED", ["AGENT", "USER"]),
        ("ERRORS", ["TOOL"]),
    ],
)
async def test_any_metric_by_the_day_in_groups(some: Asked, metric: str, by: list[str]) -> None:
    data = await some.query(
        """query($metric: SeriesMetric!, $by: [SeriesDimension!], $groups: Int) { project { series(
            metric: $metric, groupBy: $by, groups: $groups, interval: DAY, timeZone: "America/New_York"
            from: "2026-01-01T05:00:00Z", to: "2026-02-02T05:00:00Z"
        ) {
            start count sum mean min max p50 p95 p99
            agent { id } agentVersion { id } user { id } model tool metricType
        } } }""",
        metric=metric,
        by=by or None,
        groups=100 if by else None,
    )
    columns = [DIMENSIONS[each][2] for each in by]
    told = [
        f'CASE WHEN {column} IS NOT NULL THEN {expression} END AS "{field}"'
        if each in by
        else f'NULL AS "{field}"'
        for each, (field, expression, column) in DIMENSIONS.items()
    ]
    rows = await some.sql(f"""
        WITH measured (at, v, agent_id, version_id, user_id, model, tool, type) AS ({MEASURED[metric]}),
        day AS (
            SELECT local AT TIME ZONE 'America/New_York' AS start,
                (local + interval '1 day') AT TIME ZONE 'America/New_York' AS until
            FROM generate_series(timestamp '2026-01-01', '2026-02-01', '1 day') AS local
        ), found AS (
            SELECT {", ".join(["true AS one", *columns])} FROM measured
            WHERE at >= '2026-01-01T05:00Z' AND at < '2026-02-02T05:00Z'
            GROUP BY {", ".join(["one", *columns])}
        )
        SELECT start, {", ".join(told)}, count(v), coalesce(sum(v), 0) AS sum, avg(v) AS mean, min(v), max(v),
            percentile_cont(0.5) WITHIN GROUP (ORDER BY v) AS p50,
            percentile_cont(0.95) WITHIN GROUP (ORDER BY v) AS p95,
            percentile_cont(0.99) WITHIN GROUP (ORDER BY v) AS p99
        FROM day CROSS JOIN found LEFT JOIN (
            SELECT at, v{"".join(f", {column} AS its_{column}" for column in columns)} FROM measured
        ) AS measured ON at >= start AND at < until
            {"".join(f" AND its_{column} IS NOT DISTINCT FROM {column}" for column in columns)}
        GROUP BY {", ".join(["start", *columns])}
    """)  # noqa: S608  # texts of this test

    def place(row: dict[str, Any]) -> str:
        return str([row["start"], *(row[field] for field, *_ in DIMENSIONS.values())])

    assert sorted(data["project"]["series"], key=place) == sorted(rows, key=place)
    assert len(rows) == 32 * len({place(row | {"start": None}) for row in rows}) > 0
    assert {row["count"] > 0 for row in rows} == {True, False}


async def test_a_whole_tree_of_sessions_with_totals(shop: Asked) -> None:
    data = await shop.query("""{ sessions(filter: {title: {in: ["order", "pay", "silent"]}}) { nodes {
        title
        tree { sessionCount maxDepth messageCount promptTokens completionTokens costUsd errorCount }
        descendants(orderBy: [{field: STARTED_AT, direction: ASC}]) { nodes { title depth messageCount } }
    } } }""")
    rows = await shop.sql("""
        WITH RECURSIVE tree AS (
            SELECT id AS top, s.* FROM sessions s
            WHERE project_id = :project AND title IN ('order', 'pay', 'silent')
            UNION ALL
            SELECT tree.top, s.* FROM sessions s JOIN tree ON s.parent_id = tree.id
        )
        SELECT s.title, jsonb_build_object(
            'sessionCount', (SELECT count(*) FROM tree WHERE top = s.id),
            'maxDepth', (SELECT max(depth) FROM tree WHERE top = s.id),
            'messageCount', (SELECT count(*) FROM tree JOIN messages m ON m.session_id = tree.id
                WHERE top = s.id),
            'promptTokens', (SELECT coalesce(sum(prompt), 0) FROM tree, LATERAL (
                SELECT prompt_tokens FROM messages m WHERE m.session_id = tree.id
                UNION ALL SELECT prompt_tokens FROM usage_records u WHERE u.session_id = tree.id
                ) AS tokens (prompt) WHERE top = s.id),
            'completionTokens', (SELECT coalesce(sum(completion), 0) FROM tree, LATERAL (
                SELECT completion_tokens FROM messages m WHERE m.session_id = tree.id
                UNION ALL SELECT completion_tokens FROM usage_records u WHERE u.session_id = tree.id
                ) AS tokens (completion) WHERE top = s.id),
            'costUsd', (SELECT coalesce(sum(cost_usd), 0) FROM tree WHERE top = s.id),
            'errorCount', (SELECT count(*) FROM tree, LATERAL (
                SELECT FROM tool_calls c WHERE c.session_id = tree.id AND c.status = 'FAILED'
                UNION ALL
                SELECT FROM session_events e WHERE e.session_id = tree.id AND e.event_type = 'error'
                ) AS error WHERE top = s.id)
        ) AS tree, jsonb_build_object('nodes', (
            SELECT coalesce(jsonb_agg(jsonb_build_object('title', title, 'depth', depth, 'messageCount',
                (SELECT count(*) FROM messages m WHERE m.session_id = tree.id)) ORDER BY started_at), '[]')
            FROM tree WHERE top = s.id AND tree.id <> s.id
        )) AS descendants
        FROM sessions s WHERE project_id = :project AND title IN ('order', 'pay', 'silent')
        ORDER BY started_at DESC
    """)
    assert data["sessions"]["nodes"] == rows
    assert [row["tree"]["sessionCount"] for row in rows] == [4, 2, 1]


async def test_what_an_agent_learned_and_how_useful_it_was(shop: Asked) -> None:
    data = await shop.query("""{ agent(name: "Seller") { memories { totalCount nodes {
        content memoryType importance accessCount usefulness
        annotations { nodes { annotationType content isApplied } }
        history { nodes { content } }
        relatedMemories { nodes { content } }
    } } } }""")
    rows = await shop.sql("""
        SELECT m.content, m.memory_type AS "memoryType", m.importance,
            (SELECT count(*) FROM memory_accesses a WHERE a.memory_id = m.id) AS "accessCount",
            (SELECT avg(usefulness) FROM memory_accesses a WHERE a.memory_id = m.id) AS usefulness,
            jsonb_build_object('nodes', (SELECT coalesce(jsonb_agg(jsonb_build_object(
                'annotationType', annotation_type, 'content', n.content, 'isApplied', applied_at IS NOT NULL
                ) ORDER BY n.created_at DESC, n.id DESC), '[]')
                FROM memory_annotations n WHERE n.memory_id = m.id)) AS annotations,
            jsonb_build_object('nodes', (SELECT coalesce(jsonb_agg(jsonb_build_object('content', r.content)
                ORDER BY r.sequence DESC), '[]')
                FROM memory_revisions r WHERE r.memory_id = m.id)) AS history,
            jsonb_build_object('nodes', (SELECT coalesce(jsonb_agg(jsonb_build_object('content', o.content)),
                '[]') FROM memory_links l JOIN memories o ON o.id = l.related_id WHERE l.memory_id = m.id)
                ) AS "relatedMemories"
        FROM memories m JOIN agents a ON a.id = m.agent_id
        WHERE a.project_id = :project AND a.name = 'Seller' ORDER BY m.created_at DESC, m.id DESC
    """)
    assert data["agent"]["memories"] == {"totalCount": 3, "nodes": rows}
    assert [row["usefulness"] for row in rows] == [None, 0.5, 0.625]
    assert rows[1]["content"] == "tea costs 4"
    assert rows[1]["history"] == {"nodes": [{"content": "tea costs 3"}]}


STATISTICS = """
fragment All on Statistics {
    sessionCount openCount completedCount failedCount cancelledCount successRate
    messageCount interactionCount promptTokens completionTokens costUsd meanQualityScore meanUserSatisfaction
    errorCount latency { count meanMs p50Ms p95Ms p99Ms }
    tools {
        name callCount pendingCount succeededCount failedCount successRate
        meanDurationMs p50DurationMs p95DurationMs p99DurationMs
    }
    models { name messageCount usageCount promptTokens completionTokens costUsd }
}
"""
COUNTED = """
WITH RECURSIVE below (top, id) AS (
    SELECT id, id FROM sessions WHERE project_id = :project
    UNION ALL SELECT below.top, s.id FROM sessions s JOIN below ON s.parent_id = below.id
), counted AS (
    SELECT {parent} AS parent, s.* FROM {sessions}
    WHERE s.project_id = :project AND s.started_at >= :begin AND s.started_at < :end
), called AS (
    SELECT parent, t.* FROM counted JOIN tool_calls t ON t.session_id = counted.id
), tools AS (
    SELECT parent, name, count(*) AS calls, jsonb_build_object(
        'name', name, 'callCount', count(*),
        'pendingCount', count(*) FILTER (WHERE status = 'PENDING'),
        'succeededCount', count(*) FILTER (WHERE status = 'SUCCEEDED'),
        'failedCount', count(*) FILTER (WHERE status = 'FAILED'),
        'successRate', avg(CASE status WHEN 'SUCCEEDED' THEN 1.0 WHEN 'FAILED' THEN 0.0 END),
        'meanDurationMs', avg(duration_ms),
        'p50DurationMs', percentile_cont(0.5) WITHIN GROUP (ORDER BY duration_ms),
        'p95DurationMs', percentile_cont(0.95) WITHIN GROUP (ORDER BY duration_ms),
        'p99DurationMs', percentile_cont(0.99) WITHIN GROUP (ORDER BY duration_ms)) AS told
    FROM called GROUP BY parent, name
), used AS (
    SELECT parent, model, 1 AS said, 0 AS recorded, coalesce(m.prompt_tokens, 0) AS prompt,
        coalesce(m.completion_tokens, 0) AS completion, 0 AS cost
    FROM counted JOIN messages m ON m.session_id = counted.id
    WHERE model IS NOT NULL OR m.prompt_tokens IS NOT NULL OR m.completion_tokens IS NOT NULL
    UNION ALL
    SELECT parent, model, 0, 1, u.prompt_tokens, u.completion_tokens, coalesce(u.cost_usd, 0)
    FROM counted JOIN usage_records u ON u.session_id = counted.id
), models AS (
    SELECT parent, model, sum(prompt::bigint + completion) AS tokens, jsonb_build_object(
        'name', model, 'messageCount', sum(said), 'usageCount', sum(recorded),
        'promptTokens', sum(prompt), 'completionTokens', sum(completion), 'costUsd', sum(cost)) AS told
    FROM used GROUP BY parent, model
)
SELECT p.id, (
    SELECT jsonb_build_object('sessionCount', count(*),
        'openCount', count(*) FILTER (WHERE status IN ('ACTIVE', 'PAUSED')),
        'completedCount', count(*) FILTER (WHERE status = 'COMPLETED'),
        'failedCount', count(*) FILTER (WHERE status = 'FAILED'),
        'cancelledCount', count(*) FILTER (WHERE status = 'CANCELLED'),
        'successRate', avg(CASE status WHEN 'COMPLETED' THEN 1.0 WHEN 'FAILED' THEN 0.0 END),
        'costUsd', coalesce(sum(cost_usd), 0),
        'meanQualityScore', avg(quality_score), 'meanUserSatisfaction', avg(user_satisfaction))
    FROM counted WHERE parent = p.id
) || (
    SELECT jsonb_build_object('messageCount', count(*),
        'interactionCount', count(*) FILTER (WHERE m.role = 'USER'),
        'latency', jsonb_build_object('count', count(latency_ms), 'meanMs', avg(latency_ms),
            'p50Ms', percentile_cont(0.5) WITHIN GROUP (ORDER BY latency_ms),
            'p95Ms', percentile_cont(0.95) WITHIN GROUP (ORDER BY latency_ms),
            'p99Ms', percentile_cont(0.99) WITHIN GROUP (ORDER BY latency_ms)))
    FROM counted JOIN messages m ON m.session_id = counted.id WHERE parent = p.id
) || jsonb_build_object(
    'promptTokens', (SELECT coalesce(sum(prompt), 0) FROM used WHERE parent = p.id),
    'completionTokens', (SELECT coalesce(sum(completion), 0) FROM used WHERE parent = p.id),
    'errorCount', (SELECT count(*) FROM called WHERE parent = p.id AND status = 'FAILED') + (
        SELECT count(*) FROM counted JOIN session_events e ON e.session_id = counted.id
        WHERE parent = p.id AND event_type = 'error'),
    'tools', (SELECT coalesce(jsonb_agg(told ORDER BY calls DESC, name), '[]')
        FROM tools WHERE parent = p.id),
    'models', (SELECT coalesce(jsonb_agg(told ORDER BY tokens DESC, model), '[]')
        FROM models WHERE parent = p.id)
) AS statistics
FROM {parents} p WHERE {of_project} = :project
"""
RANGES = [
    ("0001-01-02T00:00:00Z", "9999-01-01T00:00:00Z"),
    ("2026-01-02T00:00:00Z", "2026-01-04T00:00:00Z"),
    ("1999-01-01T00:00:00Z", "1999-01-02T00:00:00Z"),
]
"""All time, one that some sessions began in, and one that none did."""


@pytest.mark.parametrize(("begin", "end"), RANGES, ids=["all time", "two days", "no session"])
@pytest.mark.parametrize(
    ("document", "parent"),
    [
        ("project { id statistics(sessions: $in) { ...All } }", "project_id"),
        ("users(first: 500) { nodes { id statistics(sessions: $in) { ...All } } }", "user_id"),
        ("agents(first: 500) { nodes { id statistics(sessions: $in) { ...All } } }", "agent_id"),
        (
            "agentVersions(first: 500) { nodes { id statistics(sessions: $in) { ...All } } }",
            "agent_version_id",
        ),
        ("teams(first: 500) { nodes { id statistics(sessions: $in) { ...All } } }", "team_id"),
        ("sessions(first: 500) { nodes { id tree { statistics(sessions: $in) { ...All } } } }", "top"),
        ("sessions(first: 500, filter: $in) { nodes { id statistics { ...All } } }", "id"),
    ],
    ids=["project", "user", "agent", "version", "team", "tree", "session"],
)
async def test_statistics_of_a_time(some: Asked, document: str, parent: str, begin: str, end: str) -> None:
    data = await some.query(
        f"query($in: SessionFilter) {{ {document} }} {STATISTICS}",
        **{"in": {"startedAt": {"gte": begin, "lt": end}}},
    )
    [field] = data
    nodes = [data[field]] if field == "project" else data[field]["nodes"]
    table = {"project": "projects", "agentVersions": "agent_versions"}.get(field, field)
    statement = COUNTED.format(
        parent=f"below.{parent}" if parent == "top" else f"s.{parent}",
        sessions="below JOIN sessions s ON s.id = below.id" if parent == "top" else "sessions s",
        parents=table,
        of_project="p.id" if field == "project" else "p.project_id",
    )
    times = {"begin": datetime.fromisoformat(begin), "end": datetime.fromisoformat(end)}
    rows = {row["id"]: row["statistics"] for row in await some.sql(statement, **times)}
    told = {node["id"]: node.get("statistics") or node["tree"]["statistics"] for node in nodes}
    assert told == {id_: rows[id_] for id_ in told}
    assert len(told) == len(rows) or parent == "id"


ADDED_UP = """
    SELECT jsonb_build_object('id', {key}) AS {noun}, count(*) AS "sessionCount",
        count(*) FILTER (WHERE status = 'COMPLETED') AS "completedCount",
        count(*) FILTER (WHERE status = 'FAILED') AS "failedCount",
        avg(CASE status WHEN 'COMPLETED' THEN 1.0 WHEN 'FAILED' THEN 0.0 END) AS "successRate",
        sum((SELECT count(*) FROM messages m WHERE m.session_id = s.id)) AS "messageCount",
        sum((SELECT coalesce(sum(prompt_tokens), 0) FROM messages m WHERE m.session_id = s.id)
            + (SELECT coalesce(sum(prompt_tokens), 0) FROM usage_records u WHERE u.session_id = s.id)
            ) AS "promptTokens",
        sum((SELECT coalesce(sum(completion_tokens), 0) FROM messages m WHERE m.session_id = s.id)
            + (SELECT coalesce(sum(completion_tokens), 0) FROM usage_records u WHERE u.session_id = s.id)
            ) AS "completionTokens",
        coalesce(sum(cost_usd), 0) AS "costUsd",
        sum((SELECT count(*) FROM tool_calls c WHERE c.session_id = s.id AND status = 'FAILED')
            + (SELECT count(*) FROM session_events e WHERE e.session_id = s.id AND event_type = 'error')
            ) AS "errorCount"
    FROM sessions s WHERE project_id = :project AND {key} IS NOT NULL GROUP BY {key}
"""
_OF_SESSIONS = (
    "sessionCount completedCount failedCount successRate messageCount promptTokens completionTokens costUsd"
    " errorCount"
)
RANKINGS = {
    "topUsers": (
        f"user {{ id }} {_OF_SESSIONS}",
        ADDED_UP.format(key="user_id", noun="user"),
        """ORDER BY "messageCount" DESC, "user"->>'id' DESC""",
    ),
    "topAgents": (
        f"agent {{ id }} {_OF_SESSIONS}",
        ADDED_UP.format(key="agent_id", noun="agent"),
        """ORDER BY "successRate" DESC NULLS LAST, agent->>'id' DESC""",
    ),
    "topTools": (
        "name callCount pendingCount succeededCount failedCount successRate meanDurationMs p95DurationMs",
        """
        SELECT name, count(*) AS "callCount", count(*) FILTER (WHERE status = 'PENDING') AS "pendingCount",
            count(*) FILTER (WHERE status = 'SUCCEEDED') AS "succeededCount",
            count(*) FILTER (WHERE status = 'FAILED') AS "failedCount",
            avg(CASE status WHEN 'SUCCEEDED' THEN 1.0 WHEN 'FAILED' THEN 0.0 END) AS "successRate",
            avg(duration_ms) AS "meanDurationMs",
            percentile_cont(0.95) WITHIN GROUP (ORDER BY duration_ms) AS "p95DurationMs"
        FROM tool_calls WHERE project_id = :project GROUP BY name
        """,
        """ORDER BY "failedCount" DESC, name DESC""",
    ),
    "topModels": (
        "name messageCount usageCount promptTokens completionTokens totalTokens costUsd",
        """
        SELECT name, sum(said) AS "messageCount", sum(used) AS "usageCount", sum(prompt) AS "promptTokens",
            sum(completion) AS "completionTokens", sum(prompt + completion) AS "totalTokens",
            sum(cost) AS "costUsd"
        FROM (
            SELECT model, 1, 0, coalesce(prompt_tokens, 0)::bigint, coalesce(completion_tokens, 0), 0
            FROM messages WHERE project_id = :project
                AND (model IS NOT NULL OR prompt_tokens IS NOT NULL OR completion_tokens IS NOT NULL)
            UNION ALL
            SELECT model, 0, 1, prompt_tokens, completion_tokens, coalesce(cost_usd, 0)
            FROM usage_records WHERE project_id = :project
        ) AS use (name, said, used, prompt, completion, cost) GROUP BY name
        """,
        """ORDER BY "totalTokens" DESC, name DESC""",
    ),
    "topMemories": (
        "memory { id } usefulness ratedCount accessCount lastAccessedAt",
        """
        SELECT jsonb_build_object('id', m.id) AS memory, avg(usefulness) AS usefulness,
            count(usefulness) AS "ratedCount", count(a.id) AS "accessCount",
            m.last_accessed_at AS "lastAccessedAt"
        FROM memories m LEFT JOIN memory_accesses a ON a.memory_id = m.id
        WHERE m.project_id = :project GROUP BY m.id, m.last_accessed_at
        """,
        """ORDER BY usefulness DESC NULLS LAST, memory->>'id' DESC""",
    ),
}
"""Users by messages, agents by success rate, tools by failures, models by tokens, memories by usefulness."""


@pytest.mark.parametrize("ranking", RANKINGS)
async def test_who_and_what_is_on_top(asked: Asked, ranking: str) -> None:
    fields, statement, order = RANKINGS[ranking]
    rows = await asked.sql(f"SELECT * FROM ({statement}) AS ranked {order}")  # noqa: S608  # texts of this test
    assert rows
    found: list[dict[str, Any]] = []
    after = None
    # Ties are paged through as all else is.
    while len(found) < len(rows):
        document = (
            f"query($after: String) {{ {ranking}(first: 2, after: $after) {{"
            f" totalCount nodes {{ {fields} }} pageInfo {{ endCursor }} }} }}"
        )
        page = (await asked.query(document, after=after))[ranking]
        assert page["totalCount"] == len(rows)
        assert page["nodes"]
        found += page["nodes"]
        after = page["pageInfo"]["endCursor"]
    assert found == rows


async def _trail(asked: Asked, session: str, filter_: dict[str, Any] | None = None) -> list[dict[str, Any]]:
    """Give all of an audit trail, in pages of three."""
    entries: list[dict[str, Any]] = []
    after = None
    while True:
        data = await asked.query(
            """query($id: ID!, $filter: AuditEntryFilter, $after: String) { session(id: $id) {
                auditTrail(first: 3, after: $after, filter: $filter) {
                    totalCount pageInfo { hasNextPage endCursor }
                    nodes { id at kind subject {
                        ... on Message { said: content }
                        ... on SessionEvent { event: eventType }
                        ... on StateTransition { triggerType previousValues newValues }
                        ... on ToolCall { tool: name status }
                        ... on UsageRecord { model promptTokens }
                    } }
                }
            } }""",
            id=session,
            filter=filter_,
            after=after,
        )
        trail = data["session"]["auditTrail"]
        entries += trail["nodes"]
        if not trail["pageInfo"]["hasNextPage"]:
            assert trail["totalCount"] == len(entries)
            return entries
        after = trail["pageInfo"]["endCursor"]


async def test_an_audit_trail_of_every_state_change_and_event_in_order(asked: Asked) -> None:
    session = await asked.value("""
        SELECT session_id FROM session_events WHERE project_id = :project
        GROUP BY session_id ORDER BY count(*) DESC LIMIT 1
    """)
    rows = await asked.sql(
        """
        SELECT * FROM (
            SELECT id, created_at AS at, 'MESSAGE' AS kind, jsonb_build_object('said', content) AS subject
            FROM messages WHERE session_id::text = :id
            UNION ALL
            SELECT id, timestamp, 'EVENT', jsonb_build_object('event', event_type)
            FROM session_events WHERE session_id::text = :id
            UNION ALL
            SELECT id, created_at, 'STATE_TRANSITION', jsonb_build_object('triggerType', trigger_type,
                'previousValues', previous_values, 'newValues', new_values)
            FROM state_transitions WHERE session_id::text = :id
            UNION ALL
            SELECT id, created_at, 'TOOL_CALL', jsonb_build_object('tool', name, 'status', status)
            FROM tool_calls WHERE session_id::text = :id
            UNION ALL
            SELECT id, timestamp, 'USAGE', jsonb_build_object('model', model, 'promptTokens', prompt_tokens)
            FROM usage_records WHERE session_id::text = :id
        ) AS trail ORDER BY at, id
        """,
        id=session,
    )
    assert {row["kind"] for row in rows} == {"MESSAGE", "EVENT", "STATE_TRANSITION", "TOOL_CALL", "USAGE"}
    assert len({row["at"] for row in rows}) < len(rows)
    assert await _trail(asked, session) == rows
    changes = {"kind": {"in": ["EVENT", "STATE_TRANSITION"]}}
    assert await _trail(asked, session, changes) == [
        row for row in rows if row["kind"] in {"EVENT", "STATE_TRANSITION"}
    ]


async def test_each_query_of_the_page_on_questions_is_one_statement(api: Api) -> None:
    await api.run(demo.load)
    for example in examples((ROOT / "docs" / "questions.md").read_text()):
        await in_one_statement(api, example.request["query"], **example.request.get("variables", {}))
