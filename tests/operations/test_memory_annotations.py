"""Annotations change their memories when they are applied, once, and as a whole or not at all."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import text

from agentdata.operations import memory_annotations
from agentdata.operations.unit_of_work import UnitOfWork
from tests import factories
from tests.api import traffic
from tests.operations.test_memories import HISTORY, UPDATE, history

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

    from tests.api import Api

ANNOTATE = (
    "mutation($input: AnnotateMemoryInput!) { annotateMemory(input: $input) {"
    " id isApplied appliedAt verificationStatus createdBy { ... on User { name } }"
    " memory { content annotations { totalCount } } } }"
)
ANNOTATE_ALL = (
    "mutation($annotations: [AnnotateMemoryInput!]!) { annotateMemories(annotations: $annotations) {"
    " content verificationStatus createdAt memory { id } } }"
)
DELETE = "mutation($id: ID!) { deleteMemoryAnnotation(id: $id) { ids } }"
APPLY = (
    "mutation($id: ID!) { applyAnnotation(id: $id) {"
    " isApplied appliedAt memory { content verificationStatus } revision { content } } }"
)


async def test_an_annotation_changes_nothing_until_it_is_applied(api: Api) -> None:
    user = await factories.user(api, name="Ann")
    memory = await factories.memory(api, content="old")
    given = {
        "memoryId": memory.id,
        "annotationType": "correction",
        "content": "new",
        "createdByUserId": user.id,
    }
    made = (await api.ask(ANNOTATE, input=given))["annotateMemory"]
    assert made.pop("id")
    assert made == {
        "isApplied": False,
        "appliedAt": None,
        "verificationStatus": None,
        "createdBy": {"name": "Ann"},
        "memory": {"content": "old", "annotations": {"totalCount": 1}},
    }
    assert await history(api, memory.id) == ("old", [])


@pytest.mark.parametrize(
    ("kind", "values", "content", "status", "before"),
    [
        ("correction", {}, "new", "UNVERIFIED", "old"),
        ("enhancement", {}, "old\nnew", "UNVERIFIED", "old"),
        ("verification", {}, "old", "VERIFIED", None),
        ("verification", {"verification_status": "DISPUTED"}, "old", "DISPUTED", None),
    ],
)
async def test_what_is_applied(
    api: Api, kind: str, values: dict[str, Any], content: str, status: str, before: str | None
) -> None:
    memory = await factories.memory(api, content="old")
    annotation = await factories.memory_annotation(
        api, memory.id, annotation_type=kind, content="new", **values
    )
    applied = (await api.ask(APPLY, id=annotation.id))["applyAnnotation"]
    assert applied.pop("appliedAt")
    assert applied == {
        "isApplied": True,
        "memory": {"content": content, "verificationStatus": status},
        "revision": before and {"content": before},
    }
    after = (await api.ask(HISTORY, id=memory.id))["memory"]["history"]["nodes"]
    assert [(each["content"], each["annotation"]) for each in after] == (
        [(before, {"id": str(annotation.id)})] if before else []
    )


async def test_many_of_several_memories_come_back_in_order(api: Api) -> None:
    one, two = await factories.memory(api), await factories.memory(api)
    given = [
        {"memoryId": one.id, "annotationType": "verification", "content": "a"},
        {"memoryId": two.id, "annotationType": "correction", "content": "b"},
        {
            "memoryId": one.id,
            "annotationType": "remark",
            "content": "c",
            "createdAt": "2020-01-01T00:00:00Z",
        },
    ]
    made = (await api.ask(ANNOTATE_ALL, annotations=given))["annotateMemories"]
    assert [(each["content"], each["verificationStatus"], each["memory"]["id"]) for each in made] == [
        ("a", "VERIFIED", str(one.id)),
        ("b", None, str(two.id)),
        ("c", None, str(one.id)),
    ]
    assert [each["createdAt"] == "2020-01-01T00:00:00Z" for each in made] == [False, False, True]


async def test_many_cost_as_many_statements_as_one(api: Api) -> None:
    memory = await factories.memory(api)
    values = {"memory_id": memory.id, "annotation_type": "correction", "content": "new"}
    counts = []
    for number in (1, 100):
        with traffic(api.database) as seen:
            await api.run(memory_annotations.annotate_all, annotations=[values] * number)
        counts.append(len(seen.statements))
    assert counts == [2, 2]


async def test_all_or_none_are_put_on_their_memories(api: Api, other: Api) -> None:
    mine, theirs = await factories.memory(api), await factories.memory(other)
    good = {"memoryId": mine.id, "annotationType": "correction", "content": "new"}
    for bad, code, field in (
        (good | {"memoryId": theirs.id}, "NOT_FOUND", "memoryId"),
        (good | {"verificationStatus": "DISPUTED"}, "BAD_USER_INPUT", "verificationStatus"),
    ):
        error = await api.error(ANNOTATE_ALL, annotations=[good, bad])
        assert error["extensions"] == {"code": code, "field": f"annotations.1.{field}"}
    none = {"memoryAnnotations": {"totalCount": 0}}
    assert await api.ask("{ memoryAnnotations { totalCount } }") == none
    assert await other.ask("{ memoryAnnotations { totalCount } }") == none


async def test_what_an_annotation_did_outlives_it(api: Api) -> None:
    memory = await factories.memory(api, content="old")
    annotation = await factories.memory_annotation(api, memory.id, content="new")
    await api.ask(APPLY, id=annotation.id)
    assert (await api.ask(DELETE, id=annotation.id))["deleteMemoryAnnotation"]["ids"] == [str(annotation.id)]
    assert await history(api, memory.id) == ("new", [(1, "old")])
    nodes = (await api.ask(HISTORY, id=memory.id))["memory"]["history"]["nodes"]
    assert [each["annotation"] for each in nodes] == [None]
    for document in (DELETE, APPLY):
        error = await api.error(document, id=annotation.id)
        assert error["extensions"] == {"code": "NOT_FOUND", "field": "id"}


async def test_an_annotation_that_is_deleted_is_applied_before_or_never(api: Api) -> None:
    """What applies it, what deletes it and what deletes its memory neither fail nor wait for each other."""
    memories = [await factories.memory(api, content="old") for _ in range(12)]
    annotations = [await factories.memory_annotation(api, memory.id, content="new") for memory in memories]
    delete_memory = "mutation($id: ID!) { deleteMemory(id: $id) { ids } }"
    answers = await asyncio.gather(
        *(
            each
            for place, (memory, annotation) in enumerate(zip(memories, annotations, strict=True))
            for each in (
                api.answer(APPLY, id=annotation.id),
                api.answer(DELETE, id=annotation.id),
                *([api.answer(delete_memory, id=memory.id)] if place % 2 else []),
            )
        )
    )
    assert {code for answer in answers for code in answer.codes} <= {"NOT_FOUND"}
    for place, memory in enumerate(memories):
        if place % 2 == 0:
            content, before = await history(api, memory.id)
            assert (content, before) in [("old", []), ("new", [(1, "old")])]
    assert await api.ask("{ memoryAnnotations { totalCount } }") == {"memoryAnnotations": {"totalCount": 0}}


async def test_an_annotation_is_applied_once(api: Api) -> None:
    memory = await factories.memory(api)
    annotation = await factories.memory_annotation(api, memory.id)
    await api.ask(APPLY, id=annotation.id)
    before = await history(api, memory.id)
    error = await api.error(APPLY, id=annotation.id)
    assert error["extensions"] == {"code": "CONFLICT", "field": "id"}
    assert await history(api, memory.id) == before


@pytest.mark.parametrize(
    ("kind", "content", "before"),
    [
        ("correction", "more", [(1, "old")]),
        ("enhancement", "old\nmore", [(1, "old")]),
        ("verification", "old", []),
    ],
)
async def test_of_many_that_apply_one_annotation_one_wins(
    api: Api, kind: str, content: str, before: list[tuple[int, str]]
) -> None:
    memory = await factories.memory(api, content="old")
    annotation = await factories.memory_annotation(api, memory.id, annotation_type=kind, content="more")
    answers = await asyncio.gather(*(api.answer(APPLY, id=annotation.id) for _ in range(20)))
    lost = [error["extensions"] for answer in answers for error in answer.errors]
    assert lost == [{"code": "CONFLICT", "field": "id"}] * 19
    assert await history(api, memory.id) == (content, before)


async def test_an_annotation_that_is_being_deleted_is_not_applied(api: Api, owner: AsyncEngine) -> None:
    """What applies it waits for what deletes it, and then finds none."""
    memory = await factories.memory(api)
    annotation = await factories.memory_annotation(api, memory.id, annotation_type="verification")
    async with api.database.write(api.project_id) as session, asyncio.timeout(30):
        await memory_annotations.delete(UnitOfWork.within(session, api.project_id), annotation.id)
        applying = asyncio.create_task(api.answer(APPLY, id=annotation.id))
        async with owner.connect() as connection:
            waiting = text("SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype = 'transactionid'")
            while not (await connection.execute(waiting)).scalar():
                assert not applying.done()
    [error] = (await applying).errors
    assert error["extensions"] == {"code": "NOT_FOUND", "field": "id"}
    status = "query($id: ID!) { memory(id: $id) { verificationStatus } }"
    assert (await api.ask(status, id=memory.id))["memory"] == {"verificationStatus": "UNVERIFIED"}


async def test_all_annotations_of_a_memory_that_are_applied_at_once_count(api: Api) -> None:
    """None overwrites another, and a plain change between them is not lost either."""
    memory = await factories.memory(api, content="0")
    annotations = [
        await factories.memory_annotation(
            api, memory.id, annotation_type="enhancement", content=f"line {number}"
        )
        for number in range(15)
    ]
    await asyncio.gather(
        *(api.ask(APPLY, id=annotation.id) for annotation in annotations),
        api.ask(UPDATE, id=memory.id, input={"content": "changed"}),
    )
    content, before = await history(api, memory.id)
    assert [sequence for sequence, _ in before] == list(range(16, 0, -1))
    # Each content is the one before with a line more, but for the one that replaced all.
    told = [each for _, each in reversed(before)] + [content]
    steps = list(pairwise(told))
    assert [new for old, new in steps if not new.startswith(f"{old}\n")] == ["changed"]
    added = [new.removeprefix(f"{old}\n") for old, new in steps if new != "changed"]
    assert sorted(added) == sorted(annotation.content for annotation in annotations)


async def test_an_application_that_fails_half_way_leaves_nothing(api: Api) -> None:
    memory = await factories.memory(api, content="old")
    annotation = await factories.memory_annotation(api, memory.id, content="new")

    class StoppedError(Exception):
        """The writer is gone before its transaction is done."""

    async def apply_and_stop(write: UnitOfWork) -> None:
        await memory_annotations.apply(write, annotation.id)
        raise StoppedError

    with pytest.raises(StoppedError):
        await api.run(apply_and_stop)
    assert await history(api, memory.id) == ("old", [])
    applied = (await api.ask(APPLY, id=annotation.id))["applyAnnotation"]
    assert applied["memory"]["content"] == "new"


async def test_only_what_has_a_meaning_can_be_applied(api: Api) -> None:
    memory = await factories.memory(api)
    annotation = await factories.memory_annotation(api, memory.id, annotation_type="remark")
    error = await api.error(APPLY, id=annotation.id)
    assert error["extensions"] == {"code": "BAD_USER_INPUT", "field": "id"}
    data = await api.ask("{ memoryAnnotations { nodes { isApplied } } }")
    assert data["memoryAnnotations"]["nodes"] == [{"isApplied": False}]


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"verificationStatus": "VERIFIED"}, "verificationStatus"),
        ({"createdByUserId": "@user", "createdByAgentId": "@agent"}, "createdByAgentId"),
        ({"content": " "}, "content"),
    ],
)
async def test_what_an_annotation_cannot_say(api: Api, values: dict[str, Any], field: str) -> None:
    memory = await factories.memory(api)
    ids = {"@user": (await factories.user(api)).id, "@agent": (await factories.agent(api)).id}
    given = {"memoryId": memory.id, "annotationType": "correction", "content": "new"}
    given |= {name: ids.get(value, value) for name, value in values.items()}
    error = await api.error(ANNOTATE, input=given)
    assert error["extensions"] == {"code": "BAD_USER_INPUT", "field": field}


async def test_what_is_another_projects_can_neither_be_annotated_nor_applied(api: Api, other: Api) -> None:
    memory = await factories.memory(other, content="theirs")
    annotation = await factories.memory_annotation(other, memory.id)
    given = {"memoryId": memory.id, "annotationType": "correction", "content": "new"}
    error = await api.error(ANNOTATE, input=given)
    assert error["extensions"] == {"code": "NOT_FOUND", "field": "memoryId"}
    error = await api.error(APPLY, id=annotation.id)
    assert error["extensions"] == {"code": "NOT_FOUND", "field": "id"}
    assert await history(other, memory.id) == ("theirs", [])
