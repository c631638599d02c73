"""The world: a small project with some of everything, full of ties and nulls, and its rows in Python."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from random import Random
from typing import TYPE_CHECKING, Any

from sqlalchemy import text

from agentdata import folding
from agentdata.operations import (
    api_keys,
    embeddings,
    jobs,
    knowledge_documents,
    knowledge_embeddings,
    memories,
    memory_accesses,
    memory_annotations,
)
from agentdata.vectors import Vector, vector_of
from models import Base
from models.enums import (
    AccessorType,
    JobBackoff,
    KnowledgeDocumentStatus,
    KnowledgeSyncStatus,
    MessageRole,
    SandboxStatus,
    SessionStatus,
    VerificationStatus,
)
from tests import factories
from tests.contract import roots, row_types, selection

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

    from tests.api import Api

Rows = dict[str, dict[str, Any]]
"""Rows by id; each connection of a row is the list of its nodes."""

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
TITLES = (None, "50% off", "50_off", "50x off", "it's", 'say "hi"', "back\\slash", "Ünï ☃", "", "%", "_")
TAGS = ("new", "urgent", "it's", '"quoted"', "a,b", "{}", "100%")
DOCUMENTS: tuple[dict[str, Any], ...] = (
    {},
    {"a": 1},
    {"a": 1, "b": [1, 2, {"c": None}]},
    {"a": None},
    {"key with space": "x", "a": "1"},
    {"b": []},
    {"nested": {"a": 1, "tags": ["x", "y"]}},
)


ONE_OF_THREE = "(ascii(md5('{}' || id::text)) % 3)"


async def populate(api: Api, owner: AsyncEngine) -> None:
    """Fill a project with random rows, the same each time."""
    random = Random(7)  # noqa: S311  # made-up data

    def moment(days: int = 5) -> datetime:
        return BEGIN + timedelta(days=random.randrange(days))

    users = [
        await factories.user(
            api,
            name=random.choice([None, "ann", "bob", "bob"]),
            email=None if number % 3 == 0 else f"user{number}@Example.org",
            external_id=None if number % 2 else f"u-{number}",
            user_data=random.choice(DOCUMENTS),
        )
        for number in range(7)
    ]
    agents = [
        await factories.agent(
            api,
            name=f"agent {number:02}",
            type=random.choice([None, "planner", "custom"]),
            provider=random.choice([None, "openai", "local"]),
            model=random.choice([None, "small", "large"]),
            external_id=None if number % 2 else f"a-{number}",
            active=bool(random.randrange(2)),
            specializations=random.sample(TAGS, random.randrange(3)),
            learning_mode=random.choice([None, "active"]),
            training_status=random.choice([None, "initial"]),
            config=random.choice(DOCUMENTS),
            owner_id=users[0].id if number < 5 else random.choice([None, users[1].id]),
        )
        for number in range(9)
    ]
    teams = [
        await factories.team(
            api,
            name=f"team {number}",
            external_id=f"t-{number}" if number else None,
            member_ids=[agent.id for agent in agents[:members]],
        )
        for number, members in enumerate((0, 1, 6, 9))
    ]
    versions = [
        await factories.agent_version(
            api,
            agent.id,
            activate=bool(random.randrange(2)),
            config=random.choice([None, *DOCUMENTS]),
            **random.choice([{}, {"created_by_user_id": users[0].id}, {"created_by_agent_id": agents[3].id}]),
        )
        for agent in (agents[0],) * 6 + (agents[1],) * 3 + (agents[2],)
    ]
    sessions: list[Any] = []
    for _ in range(4):
        sessions += await factories.many_sessions(
            api, [_session(random, moment, sessions, users, agents, teams) for _ in range(9)]
        )
    messages: list[Any] = []
    for session in (sessions[0], *random.choices(sessions[1:], k=20)):
        messages += await factories.say(api, session.id, *_messages(random, moment))
    await _add_records(api, random, moment, sessions, users, agents)
    modules = [
        (module, random.choice([None, *sessions[:3]])) for module in ("cart", "cart", "50% off", "plan")
    ]
    for module, session in (*modules, *random.choices(modules, k=30)):
        await factories.module_state(api, **_state(random, moment, module, session))
    await _add_metrics(api, random, moment, versions, sessions)
    await _add_memories(random, moment, api, users, agents, sessions, messages)
    waiting = await _add_jobs(api, owner, random, moment)
    await _add_knowledge(random, moment, api, agents, waiting)
    for scopes in (["READ"], ["READ", "WRITE"], ["ADMIN"]):
        await api.run(api_keys.create, name="Key", scopes=scopes)
    for _ in range(4):
        await api.ask("mutation { updateProject(input: {}) { id } }")
    await _tie_times(api, owner)
    await fold(api, owner)


def _session(
    random: Random, moment: Any, parents: list[Any], users: list[Any], agents: list[Any], teams: list[Any]
) -> dict[str, Any]:
    status = random.choice(list(SessionStatus))
    started_at = moment()
    ended = (
        {}
        if status in {"ACTIVE", "PAUSED"}
        else {"ended_at": started_at + timedelta(days=random.randrange(3))}
    )
    return {
        "title": random.choice(TITLES),
        "external_id": random.choice([None, f"s-{random.randrange(10**9)}"]),
        "status": status,
        "user_id": random.choice([None, users[0].id, users[1].id, users[2].id]),
        "agent_id": random.choice([None, agents[0].id, agents[0].id, agents[1].id, agents[3].id]),
        "team_id": random.choice([None, teams[1].id, teams[2].id, teams[2].id]),
        "platform": random.choice([None, "web", "slack"]),
        "provider": random.choice([None, "openai"]),
        "source": random.choice([None, "user", "api"]),
        "tags": random.sample(TAGS, random.randrange(4)),
        "quality_score": random.choice([None, 0.0, 0.5, 1.0]),
        "user_satisfaction": random.choice([None, 0.25, 1.0]),
        "cost_usd": random.choice([None, 0.0, 0.125, 2.5]),
        "metadata_": random.choice(DOCUMENTS),
        "state": random.choice(DOCUMENTS),
        "context": random.choice(DOCUMENTS),
        "parent_id": random.choice([None, *[parent.id for parent in (parents[0], parents[-1])]])
        if parents
        else None,
        "started_at": started_at,
        **ended,
    }


async def _add_metrics(
    api: Api, random: Random, moment: Any, versions: list[Any], sessions: list[Any]
) -> None:
    def measured(*types: str) -> dict[str, Any]:
        return factories.measured(
            random.choice(types),
            random.choice([-1.5, 0.0, 0.25, 0.25, 120.0]),
            timestamp=moment(),
            metadata_=random.choice(DOCUMENTS),
        )

    await factories.measure_agents(
        api,
        *[
            {
                "agent_id": version.agent_id,
                "version_id": random.choice([None, version.id, versions[0].id])
                if version.agent_id == versions[0].agent_id
                else None,
                "timeframe": random.choice([None, "daily", "weekly"]),
                **measured("response_time", "accuracy"),
            }
            for version in random.choices(versions, k=30)
        ],
    )
    await factories.measure_sessions(
        api,
        *[
            {"session_id": session.id, **measured("response_time", "token_usage")}
            for session in (sessions[0],) * 5 + tuple(random.choices(sessions, k=25))
        ],
    )


def _messages(random: Random, moment: Any) -> list[dict[str, Any]]:
    outcomes: list[dict[str, Any]] = [
        {},
        {"result": None},
        {"result": 1},
        {"result": {"ok": True}},
        {"error": "no % left"},
    ]
    calls = [
        factories.called(
            random.choice(["search", "book", "pay"]),
            call_id=random.choice([None, f"call-{random.randrange(10**9)}"]),
            duration_ms=random.choice([None, 1.5, 20.0]),
            started_at=random.choice([None, moment()]),
            **random.choice(outcomes),
        )
        for _ in range(random.randrange(5))
    ]
    messages = [
        factories.said("Be kind", role=MessageRole.SYSTEM),
        factories.said(
            "Help",
            external_id=f"m-{random.randrange(10**9)}",
            feedback=random.choice([None, "good"]),
            media_type=random.choice([None, "image/png"]),
            flagged=bool(random.randrange(2)),
            metadata_=random.choice(DOCUMENTS),
            **random.choice([{}, {"created_at": moment()}]),
        ),
        factories.said(
            None,
            role=MessageRole.ASSISTANT,
            tool_calls=calls,
            model=random.choice([None, "small"]),
            token_count=random.choice([None, 1, 2]),
            prompt_tokens=random.choice([None, 10]),
            completion_tokens=random.choice([None, 2**31 - 1]),
            latency_ms=random.choice([None, 5]),
        ),
    ]
    named = next((call["call_id"] for call in calls if call["call_id"]), None)
    if named:
        messages.append(factories.said('{"found": 1}', role=MessageRole.TOOL, tool_call_id=named))
    return messages


async def _add_records(
    api: Api, random: Random, moment: Any, sessions: list[Any], users: list[Any], agents: list[Any]
) -> None:
    """Add events, usage records and sandboxes to sessions."""
    for session in (sessions[0], *random.choices(sessions[1:], k=10)):
        happened = [
            factories.happened(
                random.choice(["user_input", "error", "50% done"]),
                event_data=random.choice(DOCUMENTS),
                duration_ms=random.choice([None, 0.5, 20.0]),
                **random.choice([{}, {"timestamp": moment()}]),
            )
            for _ in range(7 if session is sessions[0] else random.randrange(1, 4))
        ]
        await factories.events(api, session.id, *happened)
    used = [
        factories.used(
            session.id,
            random.choice(["small", "large"]),
            run_id=random.choice([None, "run 1", "run_2"]),
            prompt_tokens=random.choice([0, 10, 2**31 - 1]),
            completion_tokens=random.choice([0, 3]),
            cached_tokens=random.choice([None, 0, 5]),
            cost_usd=random.choice([None, 0.0, 0.125]),
            **random.choice([{}, {"timestamp": moment()}]),
            **random.choice([{}, {"agent_id": None}, {"agent_id": agents[1].id}]),
        )
        for session in (*[sessions[0]] * 7, *random.choices(sessions, k=25))
    ]
    await factories.usage(api, *used)
    for session in sessions[::2]:
        await factories.sandbox(
            api,
            session.id,
            status=random.choice(list(SandboxStatus)),
            kind=random.choice([None, "mock_game_server"]),
            external_server_id=random.choice([None, "server 1", "server_2"]),
            user_id=random.choice([None, users[0].id, users[1].id]),
            selection=random.choice(DOCUMENTS),
        )


def _state(random: Random, moment: Any, module: str, session: Any) -> dict[str, Any]:
    return {
        "module_id": module,
        "session_id": session and session.id,
        "state": random.choice(DOCUMENTS),
        "state_type": random.choice([None, "workflow_progress", "user_preferences"]),
        "snapshot_reason": random.choice([None, None, "before a change"]),
        # In the past, or far in the future.
        "expires_at": random.choice([None, None, moment(), moment() + timedelta(days=36_500)]),
        "trigger_type": random.choice(["user_action", "scheduled"]),
        "trigger_id": random.choice([None, "job 1", "job 2"]),
        "transition_data": random.choice(DOCUMENTS),
    }


async def _add_memories(
    random: Random,
    moment: Any,
    api: Api,
    users: list[Any],
    agents: list[Any],
    sessions: list[Any],
    messages: list[Any],
) -> None:
    made = await api.run(
        memories.create_all,
        memories=[
            {
                "content": random.choice(["likes tea", "50% off", "it's"]),
                "external_id": random.choice([None, f"y-{random.randrange(10**9)}"]),
                "name": random.choice([None, "tea", "price", "price"]),
                "memory_type": random.choice([None, "fact", "preference"]),
                "user_id": random.choice([None, users[0].id, users[1].id]),
                "agent_id": random.choice([None, agents[0].id, agents[3].id]),
                "session_id": random.choice([None, sessions[0].id, sessions[1].id]),
                "importance": random.choice([0.0, 1.0, 2.5]),
                "confidence": random.choice([None, 0.0, 0.5, 1.0]),
                "source_type": random.choice([None, "user_input", "external"]),
                "verification_status": random.choice(list(VerificationStatus)),
                "topics": random.sample(TAGS, random.randrange(3)),
                "read_mode": random.choice([None, "always"]),
                "expires_at": random.choice([None, moment()]),
                "data": random.choice(DOCUMENTS),
                "metadata_": random.choice(DOCUMENTS),
                "source_message_ids": [each.id for each in random.sample(messages[:20], random.randrange(9))],
            }
            for _ in range(24)
        ],
    )
    for memory in (made[0], made[0], *random.choices(made[1:], k=8)):
        others = [other.id for other in random.sample(made, 3) if other is not memory]
        await api.run(memories.link, memory_id=memory.id, related_memory_ids=others)
    await api.run(
        memory_accesses.record_all,
        accesses=[
            {
                "memory_id": memory.id,
                "access_type": random.choice(["read", "update", "reference"]),
                "accessed_by": random.choice(["planner", "it's"]),
                "accessor_type": random.choice(list(AccessorType)),
                "context": random.choice(DOCUMENTS),
                "usefulness": random.choice([None, 0.0, 0.5, 1.0]),
                "created_at": moment(),
            }
            for memory in (*[made[0]] * 12, *random.choices(made[:9], k=40))
        ],
    )
    for memory in (*[made[0]] * 8, *random.choices(made[:6], k=20)):
        annotation = await factories.memory_annotation(
            api,
            memory.id,
            annotation_type=random.choice(["correction", "enhancement", "verification"]),
            **random.choice([{}, {"created_by_user_id": users[0].id}, {"created_by_agent_id": agents[3].id}]),
        )
        if random.randrange(3):
            await api.run(memory_annotations.apply, id_=annotation.id)
        else:
            await api.run(memories.update, id_=memory.id, values={"content": f"{random.randrange(9)} cups"})
    await _add_embeddings(api, made, messages)


async def _add_jobs(api: Api, owner: AsyncEngine, random: Random, moment: Any) -> list[Any]:
    """Add jobs in every state, whose times are so far away that no state changes while tests run.

    Returns some of them.
    """
    for number, queue in enumerate(("mail", "sync", "50% off")):
        for name in (f"nightly {number}", f"hourly {number}", f"weekly {number}"):
            await factories.schedule(
                api,
                name=name,
                queue=queue,
                cron=random.choice(["0 0 1 1 *", "30 3 1 1 *"]),
                time_zone=random.choice(["UTC", "Asia/Kolkata"]),
                is_active=number > 0,
                job_name=random.choice([None, "sync"]),
                data=random.choice(DOCUMENTS),
            )
    enqueued = [
        {
            "queue": random.choice(["mail", "mail", "sync"]),
            "name": random.choice([None, "sync", "50% off", "it's"]),
            "external_id": random.choice([None, f"j-{random.randrange(10**9)}"]),
            "data": random.choice(DOCUMENTS),
            "priority": random.choice([0, 0, 5]),
            "max_attempts": random.choice([1, 3]),
            "backoff": random.choice(list(JobBackoff)),
            "backoff_ms": 60_000,
            **random.choice([{}, {"run_at": moment()}]),
        }
        for _ in range(40)
    ]
    await factories.enqueued(api, *enqueued[:20])
    for worker in ("w-1", "w_2"):
        for job in await factories.claimed(api, worker=worker, limit=6):
            match random.randrange(4):
                case 0:
                    await api.run(jobs.complete, id_=job.id, lease=job.lease, result=random.choice(DOCUMENTS))
                case 1:
                    await api.run(jobs.fail, id_=job.id, lease=job.lease, error="no", retry=False)
                case 2:
                    await api.run(jobs.extend, id_=job.id, lease=job.lease, progress=random.choice([0, 0.5]))
    waiting = await factories.enqueued(api, *enqueued[20:])
    for job in waiting[:4]:
        await api.run(jobs.cancel, id_=job.id)
    await api.ask('mutation { pauseQueue(name: "50% off") { id } }')
    async with owner.begin() as connection:
        # The leases of one worker ran out, and delayed jobs of a high priority came due.
        leases = (
            "lease_expires_at = CASE WHEN worker = 'w_2' THEN timestamptz '2026-01-09Z'"
            " ELSE timestamptz '2900-01-01Z' END WHERE state = 'ACTIVE'"
        )
        delays = (
            "state = 'DELAYED', run_at = CASE WHEN priority = 0 THEN timestamptz '2900-01-01Z'"
            " ELSE timestamptz '2026-01-09Z' END WHERE state = 'WAITING' AND name IS NOT NULL"
        )
        scheduled = (
            "schedule_id = (SELECT id FROM schedules WHERE project_id = :id AND name = 'nightly 0')"
            " WHERE priority = 5"
        )
        for change in (leases, delays, scheduled):
            await connection.execute(
                text(f"UPDATE jobs SET {change} AND project_id = :id"),  # noqa: S608  # the texts above
                {"id": api.project_id},
            )
    return waiting


def _vector(random: Random) -> Vector:
    """Return a vector of few values, so that similarities have ties."""
    return vector_of([1, *random.choices([0.0, 0.5, -1.0], k=2)])


async def _add_embeddings(api: Api, memories: list[Any], messages: list[Any]) -> None:
    random = Random(5)  # noqa: S311  # test data
    for model in ("model 0", "model 9"):
        chosen = [{"memory_id": each.id, "embedding": _vector(random)} for each in memories[::2]]
        await api.run(embeddings.put_for_memories, model=model, embeddings=chosen)
        chosen = [{"message_id": each.id, "embedding": _vector(random)} for each in messages[::3]]
        await api.run(embeddings.put_for_messages, model=model, embeddings=chosen)


async def _add_knowledge(random: Random, moment: Any, api: Api, agents: list[Any], jobs: list[Any]) -> None:
    bases = [
        await factories.knowledge_base(
            api,
            name=f"base {number}",
            external_id=None if number % 2 else f"k-{number}",
            description=random.choice([None, "50% off"]),
            source=random.choice(DOCUMENTS),
            refresh_schedule=random.choice([None, "0 3 * * *"]),
            metadata_=random.choice(DOCUMENTS),
            agent_ids=[agent.id for agent in agents[: 2 * number]],
            **({"embedding_model": f"model {number}", "dimensions": 3} if number < 3 else {}),
        )
        for number in range(5)
    ]
    documents = [
        await factories.knowledge_document(
            api,
            base.id,
            name=random.choice(["guide", "price list", "it's"]),
            external_id=random.choice([None, f"docs/{number}.md"]),
            type=random.choice([None, "text/markdown"]),
            size=random.choice([None, 0, 2**33]),
            hash=random.choice([None, "abc", "abd"]),
            status=random.choice(list(KnowledgeDocumentStatus)),
            status_message=random.choice([None, "no such page"]),
            metadata_=random.choice(DOCUMENTS),
            **random.choice([{}, {"version": "a"}, {"version": "50%"}]),
        )
        for number, base in enumerate((*[bases[0]] * 8, *random.choices(bases[:4], k=12)))
    ]
    # Of its own, so that all else stays as it was.
    vectors = Random(5)  # noqa: S311  # test data
    for document in (documents[0], *random.choices(documents[1:], k=12)):
        embedded = document.knowledge_base_id in {base.id for base in bases[:2]}
        chunks = [
            {
                "content": random.choice(["The order of tea", "Two cups", "it's 50% off", "a the be"]),
                "tags": random.sample(TAGS, random.randrange(3)),
                "metadata_": random.choice(DOCUMENTS),
                **({"embedding": _vector(vectors)} if embedded and vectors.randrange(4) else {}),
            }
            for _ in range(7 if document is documents[0] else random.randrange(1, 5))
        ]
        await factories.knowledge_chunks_of(api, document.id, *chunks, status=None)
    await api.run(knowledge_embeddings.start, id_=bases[0].id, embedding_model="next", dimensions=2)
    for document in random.choices(documents, k=15):
        await api.run(knowledge_documents.record_accesses, document_ids=[document.id])
    for base in (*[bases[0]] * 6, *random.choices(bases[:4], k=10)):
        status = random.choice(list(KnowledgeSyncStatus))
        started_at = moment()
        finished = {"finished_at": started_at + timedelta(days=random.randrange(2))}
        await factories.knowledge_sync(
            api,
            base.id,
            status=status,
            kind=random.choice([None, "full", "incremental"]),
            commit_sha=random.choice([None, "c0ffee", "c0ffef"]),
            job_id=random.choice([None, *(job.id for job in jobs[:2])]),
            added=random.randrange(3),
            modified=random.randrange(3),
            removed=random.randrange(3),
            chunks_written=random.randrange(9),
            error=random.choice([None, "no network"]) if status == KnowledgeSyncStatus.FAILED else None,
            started_at=started_at,
            **({} if status == KnowledgeSyncStatus.RUNNING else finished),
        )


async def fold(api: Api, owner: AsyncEngine) -> None:
    """Fold the sessions of a project, which nothing writes to meanwhile."""
    async with owner.connect() as connection:
        now = await connection.scalar(text("SELECT clock_timestamp()"))
        await connection.rollback()
        await folding.fold_project(connection, api.project_id, now)


async def _tie_times(api: Api, owner: AsyncEngine) -> None:
    """Give rows of all tables one of three times, so that orders by time have ties."""
    async with owner.begin() as connection:
        for table in Base.metadata.sorted_tables:
            if not {"id", "project_id", "created_at"} <= {*table.c.keys()}:
                continue
            changes = [
                f"{column} = timestamptz '2026-02-01' + {ONE_OF_THREE.format(column)} * interval '1 hour'"
                for column in ("created_at", "updated_at")
                if column in table.c
            ]
            await connection.execute(
                text(f"UPDATE {table.name} SET {', '.join(changes)} WHERE project_id = :id"),  # noqa: S608  # our tables
                {"id": api.project_id},
            )
        # The key of the tests' requests is made up, so records would name none that can be read.
        await connection.execute(
            text(
                "UPDATE access_records AS record SET api_key_id = CASE WHEN kind = 'WRITE' THEN"
                " (SELECT id FROM api_keys AS key WHERE key.project_id = :id ORDER BY id LIMIT 1) END"
                " WHERE record.project_id = :id"
            ),
            {"id": api.project_id},
        )
        # Autovacuum may come too late, and some plans are slow without statistics of the tables.
        await connection.execute(text("ANALYZE"))


async def read(api: Api) -> dict[str, Rows]:
    """Return all rows of a project by type, read by simple queries without filters or orders."""
    rows: dict[str, Rows] = {}
    for name, root in roots().items():
        fields = selection(row_types()[name], first=80)
        data = await api.ask(f"{{ {root.name}(first: 120) {{ totalCount nodes {{ {fields} }} }} }}")
        found = data[root.name]["nodes"]
        assert len(found) == data[root.name]["totalCount"]
        rows[name] = {row["id"]: _flat(row) for row in found}
    return rows


def _flat(row: dict[str, Any]) -> dict[str, Any]:
    """Return a row with each connection replaced by the list of its nodes."""
    flat = {}
    for name, value in row.items():
        if isinstance(value, dict) and "totalCount" in value:
            assert not value["pageInfo"]["hasNextPage"], name
            flat[name] = value["nodes"]
        else:
            flat[name] = value
    return flat
