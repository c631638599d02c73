"""Each access is counted exactly once, also with concurrent writers, and readers do not wait."""

from __future__ import annotations

import asyncio
from random import Random
from typing import TYPE_CHECKING, Any

from agentdata.operations import memories, memory_accesses
from agentdata.operations.unit_of_work import UnitOfWork
from models.enums import AccessorType
from tests import factories
from tests.api import traffic
from tests.operations.test_memories import UPDATE, history
from tests.operations.test_memory_annotations import APPLY
from tests.writes import untrue

if TYPE_CHECKING:
    from uuid import UUID

    from sqlalchemy.ext.asyncio import AsyncEngine

    from tests.api import Api

RECORD = (
    "mutation($input: RecordMemoryAccessInput!, $key: String) {"
    " recordMemoryAccess(input: $input, idempotencyKey: $key) { id memory { accessCount } } }"
)
RECORD_ALL = (
    "mutation($accesses: [RecordMemoryAccessInput!]!) {"
    " recordMemoryAccesses(accesses: $accesses) { usefulness context memory { id accessCount } } }"
)
COUNTS = (
    "query($id: ID!) { memory(id: $id) {"
    " accessCount lastAccessedAt updatedAt usefulness accesses { totalCount nodes { createdAt } } } }"
)


def access(memory_id: UUID, **values: Any) -> dict[str, Any]:
    """Return the input of an access."""
    return {
        "memoryId": str(memory_id),
        "accessType": "read",
        "accessedBy": "planner",
        "accessorType": "AGENT",
        **values,
    }


async def counts(api: Api, memory_id: UUID) -> dict[str, Any]:
    """Return the counts of a memory."""
    return (await api.ask(COUNTS, id=memory_id))["memory"]  # type: ignore[no-any-return]  # parsed JSON


async def test_an_access_is_counted_but_does_not_change_updated_at(api: Api) -> None:
    memory = await factories.memory(api)
    before = await counts(api, memory.id)
    assert (before["accessCount"], before["lastAccessedAt"], before["usefulness"]) == (0, None, None)
    for usefulness in (0.25, 0.75, None):
        await api.ask(RECORD, input=access(memory.id, usefulness=usefulness))
    after = await counts(api, memory.id)
    assert (after["accessCount"], after["accesses"]["totalCount"], after["usefulness"]) == (3, 3, 0.5)
    assert after["lastAccessedAt"] == after["accesses"]["nodes"][0]["createdAt"]
    assert after["updatedAt"] == before["updatedAt"]


async def test_an_earlier_access_does_not_lower_the_last_access(api: Api) -> None:
    memory = await factories.memory(api)
    for time in ("2025-05-05T00:00:00Z", "2024-04-04T00:00:00Z"):
        await api.ask(RECORD, input=access(memory.id, createdAt=time))
    after = await counts(api, memory.id)
    assert (after["accessCount"], after["lastAccessedAt"]) == (2, "2025-05-05T00:00:00Z")


async def test_accesses_of_several_memories_are_returned_in_order(api: Api) -> None:
    one, two = await factories.memory(api), await factories.memory(api)
    given = [
        access(one.id, usefulness=1.0),
        access(two.id, context={"a": [1]}),
        access(one.id, usefulness=0.5),
    ]
    made = (await api.ask(RECORD_ALL, accesses=given))["recordMemoryAccesses"]
    assert made == [
        {"usefulness": 1.0, "context": {}, "memory": {"id": str(one.id), "accessCount": 2}},
        {"usefulness": None, "context": {"a": [1]}, "memory": {"id": str(two.id), "accessCount": 1}},
        {"usefulness": 0.5, "context": {}, "memory": {"id": str(one.id), "accessCount": 2}},
    ]


async def test_one_access_or_a_hundred_take_one_statement(api: Api) -> None:
    memory = await factories.memory(api)
    values = {
        "memory_id": memory.id,
        "access_type": "read",
        "accessed_by": "x",
        "accessor_type": AccessorType.USER,
    }
    for number in (1, 100):
        with traffic(api.database) as seen:
            await api.run(memory_accesses.record_all, accesses=[values] * number)
        assert (len(seen.statements), "BEGIN" in "".join(seen.transactions)) == (1, False)
    assert (await counts(api, memory.id))["accessCount"] == 101


async def test_a_missing_memory_records_no_access(api: Api, other: Api, owner: AsyncEngine) -> None:
    mine, theirs = await factories.memory(api), await factories.memory(other)
    error = await api.error(RECORD_ALL, accesses=[access(mine.id), access(theirs.id)])
    assert error["extensions"] == {"code": "NOT_FOUND", "field": "accesses.1.memoryId"}
    error = await api.error(RECORD, input=access(theirs.id))
    assert error["extensions"] == {"code": "NOT_FOUND", "field": "memoryId"}
    assert (await counts(api, mine.id))["accessCount"] == 0
    assert (await counts(other, theirs.id))["accessCount"] == 0
    assert await untrue(owner, api) == []


async def test_concurrent_accesses_are_each_counted_once(api: Api, owner: AsyncEngine) -> None:
    """Single accesses and overlapping lists, some of them repeated with an idempotency key."""
    random = Random(5)  # noqa: S311  # made-up data
    ids = [(await factories.memory(api)).id for _ in range(5)]
    expected = dict.fromkeys(ids, 0)
    requests = []
    for number in range(60):
        chosen = random.choices(ids, k=random.choice([1, 3, 8]))
        for id_ in chosen:
            expected[id_] += 1
        if len(chosen) == 1:
            again = [api.ask(RECORD, input=access(chosen[0]), key=f"key {number}") for _ in range(3)]
            requests += again
        else:
            requests.append(api.ask(RECORD_ALL, accesses=[access(id_) for id_ in chosen]))
    random.shuffle(requests)
    await asyncio.gather(*requests)
    found = {id_: await counts(api, id_) for id_ in ids}
    assert {id_: each["accessCount"] for id_, each in found.items()} == expected
    assert {id_: each["accesses"]["totalCount"] for id_, each in found.items()} == expected
    for each in found.values():
        assert each["lastAccessedAt"] == max(access["createdAt"] for access in each["accesses"]["nodes"])
    assert await untrue(owner, api) == []


async def test_overlapping_lists_of_memories_do_not_deadlock(api: Api, owner: AsyncEngine) -> None:
    """Deadlocks are retried a few times only, so with unordered locks some of these writes would fail."""
    random = Random(6)  # noqa: S311  # made-up data
    made = await api.run(memories.create_all, memories=[{"content": f"{n}"} for n in range(200)])
    values = {"access_type": "read", "accessed_by": "x", "accessor_type": AccessorType.AGENT}
    lists = [[values | {"memory_id": memory.id} for memory in random.sample(made, 150)] for _ in range(60)]
    done = await asyncio.gather(*(api.run(memory_accesses.record_all, accesses=each) for each in lists))
    assert [len(each) for each in done] == [150] * 60
    assert await untrue(owner, api) == []


async def test_concurrent_accesses_and_updates_do_not_lose_each_other(api: Api, owner: AsyncEngine) -> None:
    memory = await factories.memory(api, content="0")
    annotations = [await factories.memory_annotation(api, memory.id, content=f"a{n}") for n in range(10)]
    await asyncio.gather(
        *(
            each
            for number, annotation in enumerate(annotations)
            for each in (
                api.ask(RECORD_ALL, accesses=[access(memory.id)] * 3),
                api.ask(APPLY, id=annotation.id),
                api.ask(RECORD, input=access(memory.id)),
                api.ask(UPDATE, id=memory.id, input={"content": f"u{number}", "importance": number}),
            )
        )
    )
    assert (await counts(api, memory.id))["accessCount"] == 40
    content, before = await history(api, memory.id)
    written = ["0", *(f"a{n}" for n in range(10)), *(f"u{n}" for n in range(10))]
    assert sorted([content, *(each for _, each in before)]) == sorted(written)
    assert await untrue(owner, api) == []


async def test_readers_do_not_wait_for_uncommitted_accesses(api: Api) -> None:
    """An access that is not yet committed is not visible, and does not block."""
    memory = await factories.memory(api)
    values = {
        "memory_id": memory.id,
        "access_type": "read",
        "accessed_by": "x",
        "accessor_type": AccessorType.USER,
    }
    async with api.database.write(api.project_id) as session:
        await memory_accesses.record(UnitOfWork.within(session, api.project_id), values)
        async with asyncio.timeout(5):
            during = await counts(api, memory.id)
            listed = await api.ask("{ memories(filter: {accessCount: {gt: 0}}) { totalCount } }")
    assert (during["accessCount"], during["accesses"]["totalCount"]) == (0, 0)
    assert listed["memories"]["totalCount"] == 0
    assert (await counts(api, memory.id))["accessCount"] == 1


async def test_accesses_during_the_deletion_of_their_memory_leave_nothing(
    api: Api, owner: AsyncEngine
) -> None:
    memories = [await factories.memory(api) for _ in range(10)]
    delete = "mutation($id: ID!) { deleteMemory(id: $id) { ids } }"
    answers = await asyncio.gather(
        *(
            each
            for memory in memories
            for each in (
                *(api.answer(RECORD, input=access(memory.id)) for _ in range(3)),
                api.answer(delete, id=memory.id),
            )
        )
    )
    assert {code for answer in answers for code in answer.codes} <= {"NOT_FOUND"}
    left = await api.ask("{ memories { totalCount } memoryAccesses { totalCount } }")
    assert left == {"memories": {"totalCount": 0}, "memoryAccesses": {"totalCount": 0}}
    assert await untrue(owner, api) == []
