"""Rankings equal those of plain SQL to the last digit, and their pages return every row once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import product
from random import Random
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import pytest
from graphql import GraphQLEnumType, GraphQLInputObjectType, GraphQLObjectType, get_named_type, is_leaf_type
from sqlalchemy import text

from agentdata.operations import memories, memory_accesses
from models.enums import AccessorType, MessageRole
from tests import factories
from tests.api import make_api, traffic
from tests.contract import QUERY, TYPES, camel_of, node_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from sqlalchemy.ext.asyncio import AsyncEngine

    from agentdata.database import Database
    from tests.api import Api

RANKINGS = ("topUsers", "topAgents", "topTools", "topModels", "topMemories")

SESSIONS = """
    SELECT {0} AS id, count(*) AS "sessionCount",
        count(*) FILTER (WHERE status = 'COMPLETED') AS "completedCount",
        count(*) FILTER (WHERE status = 'FAILED') AS "failedCount",
        count(*) FILTER (WHERE status = 'COMPLETED')::float
            / nullif(count(*) FILTER (WHERE status IN ('COMPLETED', 'FAILED')), 0) AS "successRate",
        sum(message_count)::bigint AS "messageCount", sum(interaction_count)::bigint AS "interactionCount",
        sum(prompt_tokens)::bigint AS "promptTokens", sum(completion_tokens)::bigint AS "completionTokens",
        sum(prompt_tokens + completion_tokens)::bigint AS "totalTokens",
        coalesce(sum(cost_usd), 0)::float AS "costUsd",
        sum((SELECT count(*) FROM tool_calls AS c WHERE c.session_id = sessions.id AND c.status = 'FAILED')
            + (SELECT count(*) FROM session_events AS e
               WHERE e.session_id = sessions.id AND e.event_type = 'error'))::bigint AS "errorCount",
        max(last_activity_at) AS "lastActivityAt"
    FROM sessions WHERE project_id = :project AND {0} IS NOT NULL AND {1} GROUP BY {0}
"""

PLAIN_SQL = {
    "topUsers": SESSIONS.replace("{0}", "user_id"),
    "topAgents": SESSIONS.replace("{0}", "agent_id"),
    "topTools": """
        SELECT name, count(*) AS "callCount", count(*) FILTER (WHERE status = 'PENDING') AS "pendingCount",
            count(*) FILTER (WHERE status = 'SUCCEEDED') AS "succeededCount",
            count(*) FILTER (WHERE status = 'FAILED') AS "failedCount",
            count(*) FILTER (WHERE status = 'SUCCEEDED')::float
                / nullif(count(*) FILTER (WHERE status <> 'PENDING'), 0) AS "successRate",
            (sum(duration_ms::text::numeric) / nullif(count(duration_ms), 0)::numeric(50, 30))::float
                AS "meanDurationMs",
            percentile_cont(0.5) WITHIN GROUP (ORDER BY duration_ms) AS "p50DurationMs",
            percentile_cont(0.95) WITHIN GROUP (ORDER BY duration_ms) AS "p95DurationMs",
            percentile_cont(0.99) WITHIN GROUP (ORDER BY duration_ms) AS "p99DurationMs"
        FROM tool_calls WHERE project_id = :project
            AND session_id IN (SELECT id FROM sessions WHERE project_id = :project AND {1})
        GROUP BY name
    """,
    "topModels": """
        SELECT model AS name, count(message) AS "messageCount", count(usage) AS "usageCount",
            coalesce(sum(prompt), 0)::bigint AS "promptTokens",
            coalesce(sum(completion), 0)::bigint AS "completionTokens",
            (coalesce(sum(prompt), 0) + coalesce(sum(completion), 0))::bigint AS "totalTokens",
            coalesce(sum(cost), 0)::float AS "costUsd"
        FROM (
            SELECT model, id AS message, NULL::uuid AS usage, prompt_tokens AS prompt,
                completion_tokens AS completion, NULL::numeric AS cost, session_id
            FROM messages WHERE project_id = :project
                AND (model IS NOT NULL OR prompt_tokens IS NOT NULL OR completion_tokens IS NOT NULL)
            UNION ALL
            SELECT model, NULL, id, prompt_tokens, completion_tokens, cost_usd, session_id
            FROM usage_records WHERE project_id = :project
        ) AS uses
        WHERE session_id IN (SELECT id FROM sessions WHERE project_id = :project AND {1})
        GROUP BY model
    """,
    "topMemories": """
        SELECT id, access_count AS "accessCount", last_accessed_at AS "lastAccessedAt",
            (SELECT (sum(usefulness::text::numeric) / nullif(count(usefulness), 0)::numeric(50, 30))::float
             FROM memory_accesses WHERE memory_id = memories.id) AS usefulness,
            (SELECT count(usefulness) FROM memory_accesses WHERE memory_id = memories.id) AS "ratedCount"
        FROM memories WHERE project_id = :project AND {1}
    """,
}
"""Each ranking in plain SQL, with a condition on sessions or memories."""

DEFAULTS = {
    "topUsers": "MESSAGE_COUNT",
    "topAgents": "SUCCESS_RATE",
    "topTools": "FAILED_COUNT",
    "topModels": "TOTAL_TOKENS",
    "topMemories": "USEFULNESS",
}
"""The default order of each ranking, as its description promises: the highest of this field first."""


def node_type(ranking: str) -> GraphQLObjectType:
    """Return the type of the rows of a ranking."""
    type_ = TYPES[node_of(QUERY.fields[ranking])]
    assert isinstance(type_, GraphQLObjectType)
    return type_


def selection(ranking: str) -> str:
    """Return a selection of all fields of a ranking, with only the ids of related rows."""
    return " ".join(
        name if is_leaf_type(get_named_type(field.type)) else f"{name} {{ id }}"
        for name, field in node_type(ranking).fields.items()
    )


def numbers(ranking: str) -> list[str]:
    """Return the leaf fields of the rows of a ranking."""
    return [
        name for name, field in node_type(ranking).fields.items() if is_leaf_type(get_named_type(field.type))
    ]


def order_fields(ranking: str) -> list[str]:
    """Return the fields that a ranking can be ordered by."""
    order: Any = get_named_type(QUERY.fields[ranking].args["orderBy"].type)
    enum = get_named_type(order.fields["field"].type)
    assert isinstance(enum, GraphQLEnumType)
    return [*enum.values]


def order_type(ranking: str) -> str:
    """Return the type of the order of a ranking."""
    return str(QUERY.fields[ranking].args["orderBy"].type)


def flat(row: dict[str, Any]) -> dict[str, Any]:
    """Return a row in the form of the plain SQL: with the id of the ranked row, and times as datetimes."""
    found: dict[str, Any] = {}
    for name, value in row.items():
        if isinstance(value, dict):
            found["id"] = value["id"]
        elif name.endswith("At") and value is not None:
            found[name] = datetime.fromisoformat(value)
        else:
            found[name] = value
    return found


def key_of(row: dict[str, Any]) -> str | None:
    """Return the key that identifies a row."""
    key: str | None = row["id"] if "id" in row else row["name"]
    return key


def sortable(value: Any) -> tuple[Any, ...]:
    """Return a sort key that puts null first."""
    return (0,) if value is None else (1, value)


def ordered(rows: list[dict[str, Any]], *order: tuple[str, str]) -> list[str | None]:
    """Return the keys of rows, sorted by Python; keys break ties."""
    rows = sorted(rows, key=lambda row: sortable(key_of(row)), reverse=order[-1][1] == "DESC")
    for field, direction in reversed(order):
        name = camel_of(field)
        rows.sort(key=lambda row: sortable(row[name]), reverse=direction == "DESC")
    return [key_of(row) for row in rows]


async def in_plain_sql(
    api: Api, owner: AsyncEngine, ranking: str, condition: str = "true"
) -> list[dict[str, Any]]:
    """Return all rows of a ranking, read by plain SQL."""
    async with owner.connect() as connection:
        found = await connection.execute(
            text(PLAIN_SQL[ranking].replace("{1}", condition)), {"project": api.project_id}
        )
        return [
            {name: str(value) if name == "id" else value for name, value in row._mapping.items()}  # noqa: SLF001  # public in SQLAlchemy, despite its name
            for row in found
        ]


async def ranked(api: Api, ranking: str, arguments: str = "first: 500") -> list[dict[str, Any]]:
    """Return the rows of a ranking, read through the API."""
    data = await api.ask(f"{{ {ranking}({arguments}) {{ nodes {{ {selection(ranking)} }} }} }}")
    return [flat(row) for row in data[ranking]["nodes"]]


@pytest.fixture(scope="module")
async def busy(database: Database, owner: AsyncEngine) -> Api:
    """Provide a project with much to rank: with ties, nulls, and fractions that are not exact."""
    api = await make_api(database, owner)
    random = Random(11)  # noqa: S311  # made-up data
    begin = datetime(2026, 1, 1, tzinfo=UTC)
    users = [await factories.user(api, name=f"user {number}") for number in range(9)]
    agents = [await factories.agent(api) for _ in range(7)]
    sessions = await factories.many_sessions(
        api,
        [
            {
                "user_id": random.choice([None, *[user.id for user in users[:8]]]),
                # One agent has only open sessions, and one has no sessions.
                **(
                    {"agent_id": agents[5].id, "status": "ACTIVE"}
                    if number % 20 == 0
                    else {
                        "agent_id": random.choice([None, *[agent.id for agent in agents[:5]]]),
                        "status": random.choice(["COMPLETED", "FAILED", "CANCELLED"]),
                    }
                ),
                "started_at": begin + timedelta(days=number % 10),
                "cost_usd": random.choice([None, 0.1, 0.2, 0.3, 1e-9, 123_456.789]),
            }
            for number in range(100)
        ],
    )
    tools = ("search", "book", "pay", "Pay", "zahle ä", "_", "never settled")
    outcomes: list[dict[str, Any]] = [{}, {"result": 1}, {"error": "no"}]
    for session in random.choices(sessions, k=70):
        calls = [
            factories.called(
                name,
                duration_ms=random.choice([None, 0.1, 0.2, 0.3, 1e-7, 5e9]),
                **(outcomes[0] if name == "never settled" else random.choice(outcomes)),
            )
            for name in random.choices(tools, k=4)
        ]
        await factories.say(
            api,
            session.id,
            factories.said(),
            factories.said(
                role=MessageRole.ASSISTANT,
                tool_calls=calls,
                model=random.choice([None, "small", "large", "Large", "huge"]),
                prompt_tokens=random.choice([None, 7, 2**31 - 1]),
                completion_tokens=random.choice([None, 3]),
            ),
        )
        happened = [random.choice(["error", "errors", "checkpoint"]) for _ in range(3)]
        await factories.events(api, session.id, *map(factories.happened, happened))
    await factories.usage(
        api,
        *[
            factories.used(
                random.choice(sessions).id,
                random.choice(["small", "huge", "only used"]),
                prompt_tokens=random.choice([0, 10]),
                completion_tokens=random.choice([0, 5]),
                cost_usd=random.choice([None, 0.1, 0.2, 0.7]),
            )
            for _ in range(60)
        ],
    )
    remembered = await api.run(
        memories.create_all,
        memories=[
            {"content": "likes tea", "agent_id": random.choice([None, agents[0].id])} for _ in range(20)
        ],
    )
    await api.run(
        memory_accesses.record_all,
        accesses=[
            {
                "memory_id": random.choice(remembered[:15]).id,
                "access_type": "read",
                "accessed_by": "planner",
                "accessor_type": AccessorType.AGENT,
                "usefulness": random.choice([None, None, 0.1, 0.2, 0.3, 0.7]),
                "created_at": begin + timedelta(days=random.randrange(3)),
            }
            for _ in range(60)
        ],
    )
    return api


@pytest.mark.parametrize("ranking", RANKINGS)
async def test_every_number_equals_that_of_plain_sql(busy: Api, owner: AsyncEngine, ranking: str) -> None:
    rows = await in_plain_sql(busy, owner, ranking)
    found = await ranked(busy, ranking)
    assert len(rows) > 3
    assert sorted(found, key=lambda row: sortable(key_of(row))) == sorted(
        rows, key=lambda row: sortable(key_of(row))
    )
    # The plain SQL covers every field.
    assert {*rows[0]} - {"id"} == {*numbers(ranking)}


@pytest.mark.parametrize("ranking", RANKINGS)
async def test_a_ranking_is_sorted_by_its_main_number_by_default(busy: Api, ranking: str) -> None:
    rows = await ranked(busy, ranking)
    assert [key_of(row) for row in rows] == ordered(rows, (DEFAULTS[ranking], "DESC"))


@pytest.mark.parametrize(
    ("ranking", "arguments", "condition"),
    [
        *[
            (ranking, f"sessions: {filter_}", condition)
            for ranking in RANKINGS[:4]
            for filter_, condition in (
                (
                    '{startedAt: {gte: "2026-01-03T00:00:00Z", lt: "2026-01-05T00:00:00Z"}}',
                    "started_at >= '2026-01-03Z' AND started_at < '2026-01-05Z'",
                ),
                ("{status: {eq: COMPLETED}}", "status = 'COMPLETED'"),
                ("{userId: {isNull: true}}", "user_id IS NULL"),
                (
                    '{toolCalls: {some: {name: {eq: "pay"}}}}',
                    "id IN (SELECT session_id FROM tool_calls WHERE name = 'pay')",
                ),
            )
        ],
        ("topMemories", "memories: {agentId: {isNull: true}}", "agent_id IS NULL"),
        ("topMemories", "memories: {accessCount: {gte: 3}}", "access_count >= 3"),
    ],
)
async def test_a_filter_selects_the_sessions_or_memories_that_are_ranked(
    busy: Api, owner: AsyncEngine, ranking: str, arguments: str, condition: str
) -> None:
    expected = {key_of(row): row for row in await in_plain_sql(busy, owner, ranking, condition)}
    found = await ranked(busy, ranking, f"{arguments}, first: 500")
    assert {key_of(row): row for row in found} == expected
    assert len(found) == len(expected)
    data = await busy.ask(f"{{ {ranking}({arguments}) {{ totalCount }} }}")
    assert data[ranking]["totalCount"] == len(expected)


async def paged(
    api: Api, ranking: str, order: list[dict[str, str]], size: int, *, backward: bool
) -> list[str | None]:
    """Return the keys of all pages, in the order of the ranking."""
    count, cursor = ("last", "before") if backward else ("first", "after")
    document = f"""query ($order: {order_type(ranking)}, $size: Int, $cursor: String) {{
        {ranking}(orderBy: $order, {count}: $size, {cursor}: $cursor) {{
            totalCount nodes {{ {selection(ranking)} }} edges {{ cursor }}
            pageInfo {{ hasNextPage hasPreviousPage startCursor endCursor }}
        }}
    }}"""
    found: list[str | None] = []
    at = None
    while True:
        page = (await api.ask(document, order=order, size=size, cursor=at))[ranking]
        keys = [key_of(flat(row)) for row in page["nodes"]]
        found = keys + found if backward else found + keys
        info = page["pageInfo"]
        assert [info["startCursor"], info["endCursor"]] == [page["edges"][i]["cursor"] for i in (0, -1)]
        if not info["hasPreviousPage" if backward else "hasNextPage"]:
            assert page["totalCount"] == len(found)
            return found
        assert len(keys) == size
        at = info["startCursor" if backward else "endCursor"]


@pytest.mark.parametrize("ranking", RANKINGS)
async def test_pages_in_every_order_and_direction_return_every_row_once(busy: Api, ranking: str) -> None:
    rows = await ranked(busy, ranking)
    fields = order_fields(ranking)
    # A ranking can be ordered by every leaf field.
    assert {camel_of(field) for field in fields} == {*numbers(ranking)}
    singles = [((field, way),) for field, way in product(fields, ("ASC", "DESC"))]
    pairs = [
        ((one, "DESC"), (other, way))
        for one, other in zip(fields, [*fields[1:], fields[0]], strict=True)
        for way in ("ASC", "DESC")
    ]
    size = len(rows) // 3 + 1  # three pages
    for number, order in enumerate((*singles, *pairs)):
        expected = ordered(rows, *order)
        given = [{"field": field, "direction": way} for field, way in order]
        # Orders by two keys alternate in direction, since each key was paged in both directions alone.
        for backward in (False, True) if len(order) == 1 else (number // 2 % 2 == 1,):
            assert await paged(busy, ranking, given, size, backward=backward) == expected, order


@pytest.mark.parametrize("ranking", RANKINGS)
async def test_rankings_can_be_filtered_by_every_number(busy: Api, ranking: str) -> None:
    rows = await ranked(busy, ranking)
    filter_: Any = QUERY.fields[ranking].args["filter"].type
    assert isinstance(filter_, GraphQLInputObjectType)
    for name in numbers(ranking):
        known = sorted({row[name] for row in rows if row[name] is not None})
        middle = known[len(known) // 2]
        sent = middle.isoformat() if isinstance(middle, datetime) else middle
        document = f"""query ($eq: {filter_}, $other: {filter_}) {{
            eq: {ranking}(filter: $eq, first: 500) {{ totalCount nodes {{ {selection(ranking)} }} }}
            other: {ranking}(filter: $other, first: 500) {{ totalCount nodes {{ {selection(ranking)} }} }}
        }}"""
        data = await busy.ask(document, eq={name: {"eq": sent}}, other={"not": {name: {"in": [sent]}}})
        for alias, keeps in (("eq", True), ("other", False)):
            found = [flat(row) for row in data[alias]["nodes"]]
            expected = [row for row in rows if (row[name] == middle) is keeps]
            assert found == expected, (name, alias)
            assert data[alias]["totalCount"] == len(expected)


async def test_rankings_can_be_filtered_by_the_ranked_row(busy: Api) -> None:
    data = await busy.ask("""{
        topUsers { nodes { user { id name } messageCount } }
        one: topUsers(filter: {user: {name: {in: ["user 3", "user 8"]}}}) {
            totalCount nodes { user { id name } messageCount }
        }
        topAgents { nodes { agent { id name } } }
        topTools(filter: {name: {eq: "pay"}}) { totalCount nodes { name } }
        topMemories(first: 1) { nodes { memory { id usefulness } usefulness } }
    }""")
    third = [row for row in data["topUsers"]["nodes"] if row["user"]["name"] == "user 3"]
    # The other user has no sessions, and is not ranked.
    assert data["one"] == {"totalCount": 1, "nodes": third}
    assert data["topTools"] == {"totalCount": 1, "nodes": [{"name": "pay"}]}
    [memory] = data["topMemories"]["nodes"]
    assert memory["usefulness"] == memory["memory"]["usefulness"]
    ids = await busy.ask(
        """query ($user: ID!, $agent: ID!, $memory: ID!) {
            topUsers(filter: {userId: {eq: $user}}) { nodes { user { id } } }
            topAgents(filter: {agentId: {eq: $agent}}) { nodes { agent { id } } }
            topMemories(filter: {memoryId: {eq: $memory}}) { nodes { memory { id } } }
        }""",
        user=data["topUsers"]["nodes"][1]["user"]["id"],
        agent=data["topAgents"]["nodes"][1]["agent"]["id"],
        memory=memory["memory"]["id"],
    )
    assert ids["topUsers"]["nodes"] == [{"user": {"id": data["topUsers"]["nodes"][1]["user"]["id"]}}]
    assert ids["topAgents"]["nodes"] == [{"agent": {"id": data["topAgents"]["nodes"][1]["agent"]["id"]}}]
    assert ids["topMemories"]["nodes"] == [{"memory": {"id": memory["memory"]["id"]}}]


async def test_tokens_of_all_models_add_up_to_those_of_all_sessions(busy: Api) -> None:
    data = await busy.ask("""{
        topModels { nodes { promptTokens completionTokens totalTokens } }
        project { statistics { promptTokens completionTokens } }
    }""")
    models = data["topModels"]["nodes"]
    assert {
        name: sum(model[name] for model in models) for name in ("promptTokens", "completionTokens")
    } == data["project"]["statistics"]


@pytest.mark.usefixtures("busy")
async def test_rankings_of_an_empty_project_are_empty(other: Api) -> None:
    asked = " ".join(f"{ranking} {{ totalCount nodes {{ {selection(ranking)} }} }}" for ranking in RANKINGS)
    assert await other.ask(f"{{ {asked} }}") == {
        ranking: {"totalCount": 0, "nodes": []} for ranking in RANKINGS
    }


async def test_one_statement_reads_all_rankings(busy: Api) -> None:
    asked = " ".join(f"{ranking} {{ totalCount nodes {{ {selection(ranking)} }} }}" for ranking in RANKINGS)
    with traffic(busy.database) as seen:
        await busy.ask(f"{{ {asked} }}")
    assert len(seen.statements) == 1


@pytest.mark.parametrize(
    ("selection_", "reads", "avoids"),
    [
        ("topUsers { nodes { errorCount } }", ["sum(sessions_1.error_count)"], ["cost_usd)"]),
        ("topUsers { totalCount nodes { costUsd } }", ["cost_usd)"], ["error_count)", "max("]),
        ("topTools { nodes { p99DurationMs } }", ["tool_calls", "percentile_cont"], ["sessions"]),
        ("topTools { nodes { callCount } }", ["tool_calls"], ["sessions", "percentile_cont", "avg"]),
        ("topMemories { totalCount }", ["memories"], ["memory_accesses"]),
    ],
)
async def test_numbers_that_are_not_selected_are_not_computed(
    busy: Api, owner: AsyncEngine, selection_: str, reads: list[str], avoids: list[str]
) -> None:
    sent: list[tuple[str, Sequence[Any]]] = []
    statement = busy.database.statement

    async def recorded(project_id: UUID, written: str, arguments: Sequence[Any], **how: Any) -> list[Any]:
        sent.append((written, arguments))
        return await statement(project_id, written, arguments, **how)

    with patch.object(busy.database, "statement", recorded):
        await busy.ask(f"{{ {selection_} }}")
    [(written, arguments)] = sent
    async with owner.connect() as connection:
        driver: Any = (await connection.get_raw_connection()).driver_connection
        lines = await driver.fetch(f"EXPLAIN (VERBOSE) {written}", *arguments)
    plan = "\n".join(line[0] for line in lines)
    assert all(each in plan for each in reads), plan
    assert not any(each in plan for each in avoids), plan


async def test_counts_can_be_compared_with_64_bit_numbers(api: Api) -> None:
    asked = "{ topTools(filter: {failedCount: {lt: 4611686018427387904}}) { totalCount } }"
    assert await api.ask(asked) == {"topTools": {"totalCount": 0}}
