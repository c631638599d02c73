"""A shop: a project of a few rows, each of them easy to count wrongly."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from agentdata.operations import knowledge_documents, memories, memory_accesses, memory_annotations
from models.enums import AccessorType, MessageRole
from tests import factories
from tests.factories import called, happened, measured, said, used

if TYPE_CHECKING:
    from tests.api import Api


async def open_shop(api: Api) -> None:
    """Fill a project with agents, users (one without sessions), conversations, memories and knowledge."""
    ann = await factories.user(api, name="Ann", email="Ann@Example.org")
    bob = await factories.user(api, name="Bob")
    await factories.user(api, name="Cid", email="cid@example.org")
    seller = await factories.agent(
        api, name="Seller", type="custom", owner_id=ann.id, tools=["search", {"name": "pay"}]
    )
    await factories.agent(api, name="Apprentice", type="custom", owner_id=bob.id, tools=[])
    await factories.agent(api, name="Planner", type="planner", tools=["plan"])
    sessions = await _add_sessions(api, seller, ann, bob)
    await _add_records(api, seller, sessions)
    await _add_memories(api, seller, ann, sessions)
    await _add_knowledge(api, seller)


async def _add_sessions(api: Api, seller: Any, ann: Any, bob: Any) -> list[Any]:
    """Create sessions that were active at several times: a tree of four, and three without relatives."""

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


async def _add_records(api: Api, seller: Any, sessions: list[Any]) -> None:
    """Record events, usage, states and metrics."""
    root, child, grandchild, *_ = sessions
    at = _ago(40)
    await factories.events(
        api,
        root.id,
        happened("user_input", timestamp=_ago(41)),
        # At the same time as the message and the usage record.
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
    # The clocks of Berlin went forward on March 29, after 01:59:59.
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


async def _add_memories(api: Api, seller: Any, ann: Any, sessions: list[Any]) -> None:
    """Create memories, accesses to them and annotations."""

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


async def _add_knowledge(api: Api, seller: Any) -> None:
    """Create two knowledge bases of an agent, with chunks in several versions, and syncs."""
    teas, rules = [
        await factories.knowledge_base(api, name=name, external_id=name, agent_ids=[seller.id])
        for name in ("teas", "rules")
    ]
    for base, version, chunks in (
        (teas, "v1", ["old"]),
        (teas, "v2", ["one", "two", "three"]),
        (rules, "v1", ["first", "second"]),
    ):
        documents = [await factories.knowledge_document(api, base.id, version=version) for _ in chunks]
        await factories.knowledge_chunks_of(api, documents[0].id, "replaced")
        for document, chunk in zip(documents, chunks, strict=True):
            await factories.knowledge_chunks_of(api, document.id, chunk)
        if base is teas:
            ids = [documents[0].id, documents[0].id, documents[-1].id]
            await api.run(knowledge_documents.record_accesses, document_ids=ids)
    for hours, status, commit, error in (
        (50, "SUCCEEDED", "c1", None),
        (40, "SUCCEEDED", "c2", None),
        (30, "SKIPPED", "c2", None),
        (20, "FAILED", None, "no network"),
    ):
        await factories.knowledge_sync(
            api, teas.id, status=status, commit_sha=commit, error=error, finished_at=_ago(hours)
        )
