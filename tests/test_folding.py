"""Sums of folded sessions equal those of their rows, whatever is written, changed and deleted meanwhile."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import TYPE_CHECKING, Any
from unittest.mock import patch
from uuid import UUID

import pytest
from sqlalchemy import text

from agentdata.auth import valid_key
from agentdata.engine.plans.compiler import Compiler
from agentdata.engine.requests.executor import Executor
from agentdata.errors import ConflictError
from agentdata.folding import Folder
from agentdata.operations import api_keys, messages, sessions, tool_calls, usage_records
from agentdata.recounting import recount
from models.enums import ApiKeyScope, MessageRole
from resolvers import measures
from resolvers.measures import FEW
from schema.root import schema
from tests import factories
from tests.api import traffic

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy.ext.asyncio import AsyncEngine

    from agentdata.database_urls import DatabaseUrls
    from tests.api import Api

BEGIN = datetime(2026, 3, 28, 21, 30, tzinfo=UTC)
"""The start of the sessions of these tests: 80 hours with two whole days."""

HOURS = 80

ASKED = """query Sums($sessions: SessionFilter) {
  project { statistics(sessions: $sessions) {
    sessionCount openCount completedCount failedCount cancelledCount successRate messageCount interactionCount
    promptTokens completionTokens costUsd meanQualityScore meanUserSatisfaction errorCount
    latency { count meanMs p50Ms p95Ms p99Ms }
    tools {
      name callCount pendingCount succeededCount failedCount successRate
      meanDurationMs p50DurationMs p95DurationMs p99DurationMs
    }
    models { name messageCount usageCount promptTokens completionTokens costUsd }
  } }
  topTools(sessions: $sessions, orderBy: [{field: NAME, direction: ASC}]) { totalCount nodes {
    name callCount pendingCount succeededCount failedCount successRate
    meanDurationMs p50DurationMs p95DurationMs p99DurationMs
  } }
  topModels(sessions: $sessions, orderBy: [{field: NAME, direction: ASC}]) { totalCount nodes {
    name messageCount usageCount promptTokens completionTokens totalTokens costUsd
  } }
}"""


@pytest.fixture(scope="module")
def executor() -> Iterator[Executor]:
    """Provide an executor that reads totals, however few sessions there are."""
    with patch.object(measures, "FEW", -1):
        yield Executor(schema, compiler=Compiler(schema))


def ranges(random: Random) -> Iterator[dict[str, Any] | None]:
    """Yield filters of sessions: all of them, and ranges that begin and end within hours, hours and days."""
    yield None
    whole = BEGIN.replace(minute=0)
    for _ in range(3):
        first, last = sorted(random.sample(range(HOURS * 60), 2))
        yield {
            "startedAt": {
                random.choice(["gte", "gt"]): BEGIN + timedelta(minutes=first),
                random.choice(["lt", "lte"]): BEGIN + timedelta(minutes=last),
            }
        }
    since = whole + timedelta(hours=random.randrange(HOURS))
    until = since + timedelta(hours=random.choice([1, 3, 24]))
    yield {"startedAt": {"gte": since, "lt": until}}
    yield {"startedAt": {"gt": since, "lte": until}}
    yield {"startedAt": {"gte": whole + timedelta(hours=26, minutes=30)}}
    yield {"startedAt": {"lt": whole + timedelta(hours=3)}}


def assert_equal(found: Any, expected: Any, path: str = "") -> None:
    """Check that two answers are equal, but for percentiles, which may differ by 1 %."""
    if isinstance(expected, dict):
        assert found.keys() == expected.keys(), path
        for name in expected:
            assert_equal(found[name], expected[name], f"{path}.{name}")
    elif isinstance(expected, list):
        assert len(found) == len(expected), (path, found, expected)
        for number, each in enumerate(expected):
            assert_equal(found[number], each, f"{path}.{number}")
    elif path.rpartition(".")[2].startswith("p") and isinstance(expected, float):
        assert found == pytest.approx(expected, rel=0.01, abs=1e-6), path
    else:
        assert found == expected, path


def with_totals(api: Api, executor: Executor) -> Api:
    """Return the same key, which reads totals."""
    return replace(api, executor=executor, principal=replace(api.principal, has_totals=True))


async def assert_sums_are_right(api: Api, executor: Executor, random: Random) -> None:
    """Check sums from totals against sums from rows."""
    for sessions_ in ranges(random):
        by_rows = await api.ask(ASKED, sessions=sessions_)
        by_totals = await with_totals(api, executor).ask(ASKED, sessions=sessions_)
        assert_equal(by_totals, by_rows, str(sessions_))


class World:
    """A project in which random things are written, changed and deleted."""

    def __init__(self, api: Api, random: Random) -> None:
        self.api, self.random = api, random
        self.sessions: list[UUID] = []
        self.messages: dict[UUID, list[UUID]] = {}
        self.calls: dict[UUID, list[UUID]] = {}
        self.usage: dict[UUID, list[UUID]] = {}

    async def step(self) -> None:
        """Do one random thing."""
        doings = [self.begin, self.say, self.say, self.use, self.happen, self.settle, self.time_call]
        doings += [self.change_message, self.change_session, self.delete_message, self.delete_call]
        doings += [self.delete_use, self.delete_session, self.add_call]
        await (self.begin if not self.sessions else self.random.choice(doings))()

    def some(self, of: dict[UUID, list[UUID]]) -> tuple[UUID, UUID] | None:
        """Choose a session that has such rows, and one of them."""
        having = [session for session in self.sessions if of.get(session)]
        if not having:
            return None
        session = self.random.choice(having)
        return session, self.random.choice(of[session])

    async def begin(self) -> None:
        """Create a session."""
        started_at = BEGIN + timedelta(minutes=self.random.randrange(0, HOURS * 60, 15))
        status = self.random.choice(["ACTIVE", "PAUSED", "COMPLETED", "FAILED", "CANCELLED"])
        row = await factories.session(
            self.api,
            started_at=started_at,
            status=status,
            quality_score=self.random.choice([None, 0.1, 0.7]),
            user_satisfaction=self.random.choice([None, 0.2, 0.3]),
            cost_usd=self.random.choice([None, 0.1, 1e-9]),
        )
        self.sessions.append(row.id)

    async def say(self) -> None:
        """Append messages with calls."""
        random = self.random
        session = random.choice(self.sessions)
        outcomes: list[dict[str, Any]] = [{}, {"result": 1}, {"error": "no"}]
        calls = [
            factories.called(
                random.choice(["search", "Pay", "ä"]),
                duration_ms=random.choice([None, 0, 0.1, 1e-9, 17, 3_000.5, 5e9]),
                **random.choice(outcomes),
            )
            for _ in range(random.randrange(3))
        ]
        rows = await factories.say(
            self.api,
            session,
            factories.said(),
            factories.said(
                role=MessageRole.ASSISTANT,
                tool_calls=calls,
                model=random.choice([None, "small", "Large"]),
                latency_ms=random.choice([None, 0, 1, 40, 41, 1_000, 2**31 - 1]),
                prompt_tokens=random.choice([None, 7, 2**31 - 1]),
                completion_tokens=random.choice([None, 3]),
            ),
        )
        self.messages.setdefault(session, []).extend(row.id for row in rows)
        document = "query($id: ID!) { message(id: $id) { toolCalls { nodes { id } } } }"
        made = await self.api.ask(document, id=rows[1].id)
        self.calls.setdefault(session, []).extend(
            UUID(call["id"]) for call in made["message"]["toolCalls"]["nodes"]
        )

    async def use(self) -> None:
        """Record usage in two sessions at once."""
        random = self.random
        rows = await factories.usage(
            self.api,
            *[
                factories.used(
                    random.choice(self.sessions),
                    random.choice(["small", "only used"]),
                    prompt_tokens=random.choice([0, 5]),
                    cost_usd=random.choice([None, 0.1, 0.7]),
                )
                for _ in range(2)
            ],
        )
        for row in rows:
            self.usage.setdefault(row.session_id, []).append(row.id)

    async def happen(self) -> None:
        """Record an event."""
        kind = self.random.choice(["error", "checkpoint"])
        await factories.events(self.api, self.random.choice(self.sessions), factories.happened(kind))

    async def settle(self) -> None:
        """Record the result of a call, or fail because it has one."""
        if (call := self.some(self.calls)) is not None:
            with contextlib.suppress(ConflictError):
                await self.api.run(tool_calls.record_result, id_=call[1], values={"result": [1]})

    async def time_call(self) -> None:
        """Change how long a call took."""
        if (call := self.some(self.calls)) is not None:
            values = {"duration_ms": self.random.choice([1.5, None, 800])}
            await self.api.run(tool_calls.update, id_=call[1], values=values)

    async def add_call(self) -> None:
        """Add a call to the last message, if an assistant said it."""
        if (message := self.some(self.messages)) is not None:
            last = self.messages[message[0]][-1]
            try:
                row = await factories.tool_call(self.api, last, name="late")
            except Exception as error:  # noqa: BLE001 - only that of a user's message
                assert "ASSISTANT" in str(error)  # noqa: PT017 - and it must be that
            else:
                self.calls.setdefault(message[0], []).append(row.id)

    async def change_message(self) -> None:
        """Change what counts of a message."""
        if (message := self.some(self.messages)) is not None:
            values = {"latency_ms": self.random.choice([None, 9]), "model": self.random.choice([None, "new"])}
            await self.api.run(messages.update, id_=message[1], values=values)

    async def change_session(self) -> None:
        """Change what counts of a session, and when it started."""
        values = {"quality_score": self.random.random(), "status": "COMPLETED"}
        if self.random.random() < 0.5:
            values["started_at"] = BEGIN + timedelta(minutes=self.random.randrange(HOURS * 60))
        await self.api.run(sessions.update, id_=self.random.choice(self.sessions), values=values)

    async def delete_message(self) -> None:
        """Delete a message with its calls."""
        if (message := self.some(self.messages)) is not None:
            await self.api.run(messages.delete, id_=message[1])
            self.messages[message[0]].remove(message[1])
            # Its calls are gone, too; which ones these were does not matter.
            self.calls.pop(message[0], None)

    async def delete_call(self) -> None:
        """Delete a call."""
        if (call := self.some(self.calls)) is not None:
            await self.api.run(tool_calls.delete, id_=call[1])
            self.calls[call[0]].remove(call[1])

    async def delete_use(self) -> None:
        """Delete a usage record."""
        if (use := self.some(self.usage)) is not None:
            await self.api.run(usage_records.delete, id_=use[1])
            self.usage[use[0]].remove(use[1])

    async def delete_session(self) -> None:
        """Delete a session with all that it has."""
        session = self.random.choice(self.sessions)
        await self.api.run(sessions.delete, id_=session)
        self.sessions.remove(session)


async def rows_of(owner: AsyncEngine, api: Api, table: str) -> int:
    """Return how many rows of a table a project has."""
    async with owner.connect() as connection:
        found = await connection.execute(
            text(f"SELECT count(*) FROM {table} WHERE project_id = :project"),  # noqa: S608 - a table of ours
            {"project": api.project_id},
        )
        return int(found.scalar_one())


STALE = """
SELECT count(*) FROM sessions WHERE project_id = :project AND NOT EXISTS (
  SELECT FROM session_shares AS kept WHERE kept.project_id = :project AND kept.session_id = sessions.id
  AND kept.updated_at = sessions.updated_at
)"""


async def fold_everything(folder: Folder, owner: AsyncEngine, api: Api) -> None:
    """Fold until no session of a project is stale: transactions of the server itself may delay it."""
    async with asyncio.timeout(30), owner.connect() as connection:
        while True:
            await folder.fold()
            stale = await connection.scalar(text(STALE), {"project": api.project_id})
            await connection.rollback()
            if not stale:
                return
            await asyncio.sleep(0.05)


SEEDS = [0, *[pytest.param(seed, marks=pytest.mark.slow) for seed in range(1, 7)]]


@pytest.mark.parametrize("seed", SEEDS)
async def test_sums_are_right_whatever_happens_before_between_and_after_foldings(
    api: Api, owner: AsyncEngine, database_urls: DatabaseUrls, executor: Executor, seed: int
) -> None:
    random = Random(seed)  # noqa: S311  # made-up data
    world, folder = World(api, random), Folder(database_urls.owner, rest_s=0)
    for _ in range(4 if seed else 2):
        for _ in range(40):
            await world.step()
        await assert_sums_are_right(api, executor, random)
        await fold_everything(folder, owner, api)
        await assert_sums_are_right(api, executor, random)
    assert await rows_of(owner, api, "session_shares") == len(world.sessions)
    for session in world.sessions:
        await api.run(sessions.delete, id_=session)
    await assert_sums_are_right(api, executor, random)
    assert await rows_of(owner, api, "session_shares") == 0


async def test_sums_are_right_if_others_write_delete_and_fold_at_once(
    api: Api, owner: AsyncEngine, database_urls: DatabaseUrls, executor: Executor
) -> None:
    worlds = [World(api, Random(seed)) for seed in range(6)]  # noqa: S311  # made-up data
    folders = [Folder(database_urls.owner, rest_s=0) for _ in range(3)]
    writing = asyncio.gather(*map(write_much, worlds))

    async def fold(folder: Folder) -> None:
        while not writing.done():
            await folder.fold()

    await asyncio.gather(writing, *map(fold, folders))
    await fold_everything(folders[0], owner, api)
    await assert_sums_are_right(api, executor, Random(1))  # noqa: S311  # as above
    [totals] = [
        each
        for each in await recount(database_urls.owner, str(api.project_id))
        if each.table == "session_totals"
    ]
    assert totals.corrected == 0 < totals.rows
    await assert_sums_are_right(api, executor, Random(2))  # noqa: S311  # as above


async def write_much(world: World) -> None:
    """Do many random things."""
    for _ in range(40):
        await world.step()


async def test_a_session_is_not_folded_while_a_transaction_may_hide_an_earlier_change(
    api: Api, owner: AsyncEngine, database_urls: DatabaseUrls, executor: Executor
) -> None:
    first = await factories.session(api, started_at=BEGIN)
    folder = Folder(database_urls.owner, rest_s=0)
    async with owner.connect() as connection:
        # The time of the update is that of the transaction's start.
        await connection.execute(text("SELECT 1"))
        await factories.session(api, started_at=BEGIN)
        await folder.fold()
        await folder.fold()
        assert await rows_of(owner, api, "session_shares") == 0
        update = "UPDATE sessions SET quality_score = 0.5, updated_at = now() WHERE id = :id"
        await connection.execute(text(update), {"id": first.id})
        await connection.commit()
    await assert_sums_are_right(api, executor, Random(3))  # noqa: S311  # made-up data
    await fold_everything(folder, owner, api)
    assert await rows_of(owner, api, "session_shares") == 2
    await assert_sums_are_right(api, executor, Random(4))  # noqa: S311  # made-up data


async def until_of(owner: AsyncEngine, api: Api) -> datetime:
    """Return how far the sessions of a project are folded."""
    async with owner.connect() as connection:
        until = text("SELECT until FROM folded_until WHERE project_id = :project")
        found: datetime = (await connection.execute(until, {"project": api.project_id})).scalar_one()
        return found


async def test_sessions_are_found_after_the_clock_was_set_back(
    api: Api, owner: AsyncEngine, database_urls: DatabaseUrls, executor: Executor
) -> None:
    session = await factories.session(api, started_at=BEGIN)
    folder = Folder(database_urls.owner, rest_s=0)
    await fold_everything(folder, owner, api)
    async with owner.begin() as connection:
        # As if all that was so far had happened in the future.
        for table, column in (("folded_until", "until"), ("session_shares", "updated_at")):
            change = f"UPDATE {table} SET {column} = {column} + interval '1 hour' WHERE project_id = :project"  # noqa: S608 - tables of ours
            await connection.execute(text(change), {"project": api.project_id})
    assert folder._ended is not None  # noqa: SLF001 - as above
    folder._ended += timedelta(hours=1)  # noqa: SLF001
    await api.run(sessions.update, id_=session.id, values={"quality_score": 0.5})
    async with owner.connect() as connection:
        began = await connection.scalar(text("SELECT now()"))
        for _ in range(2):
            await folder.fold()
            assert await until_of(owner, api) < began
    await assert_sums_are_right(api, executor, Random(5))  # noqa: S311  # made-up data
    await fold_everything(folder, owner, api)
    assert await until_of(owner, api) > began
    await assert_sums_are_right(api, executor, Random(6))  # noqa: S311  # as above


async def test_an_end_user_sees_sums_of_their_own_sessions_only(
    api: Api, owner: AsyncEngine, database_urls: DatabaseUrls, executor: Executor
) -> None:
    user = await factories.user(api)
    mine = await factories.session(api, started_at=BEGIN, user_id=user.id)
    others = await factories.session(api, started_at=BEGIN)
    for session in (mine, others, others):
        await factories.say(api, session.id, factories.said(model="small", latency_ms=5))
    await fold_everything(Folder(database_urls.owner, rest_s=0), owner, api)
    asked = "{ project { statistics { sessionCount latency { count } models { messageCount } } } }"
    answer = await api.as_user(user.id).ask(asked)
    assert answer["project"]["statistics"] == {
        "sessionCount": 1,
        "latency": {"count": 1},
        "models": [{"messageCount": 1}],
    }
    everything = await with_totals(api, executor).ask(asked)
    assert everything["project"]["statistics"]["latency"] == {"count": 3}


async def test_keys_of_projects_with_many_sessions_read_totals(
    api: Api, other: Api, database_urls: DatabaseUrls, owner: AsyncEngine
) -> None:
    new = [{"started_at": BEGIN + timedelta(minutes=number)} for number in range(FEW + 1)]
    for place in range(0, len(new), 1_000):
        await factories.many_sessions(api, new[place : place + 1_000])
    await factories.session(other)
    folder = Folder(database_urls.owner, rest_s=0)
    for project in (api, other):
        await fold_everything(folder, owner, project)
    found = []
    for project in (api, other):
        _, secret = await project.run(api_keys.create, name="A key", scopes=[ApiKeyScope.READ])
        async with owner.connect() as connection:
            found.append((await valid_key(connection, api_keys.hash_secret(secret))).principal)
    assert [principal.has_totals for principal in found] == [True, False]
    keyed, asked = replace(api, principal=found[0]), "{ project { statistics { sessionCount } } }"
    with traffic(api.database) as seen:
        assert await keyed.ask(asked) == {"project": {"statistics": {"sessionCount": len(new)}}}
    assert "session_totals" in seen.statements[0]
    with traffic(api.database) as seen:
        assert await api.ask(asked) == {"project": {"statistics": {"sessionCount": len(new)}}}
    assert "session_totals" not in seen.statements[0]
