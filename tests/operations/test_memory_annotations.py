"""Annotations change their memories when they are applied: once, and completely or not at all."""

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
async def test_applying_an_annotation_changes_its_memory_by_type(
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


async def test_annotations_of_several_memories_are_returned_in_order(api: Api) -> None:
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


async def test_adding_a_hundred_annotations_takes_as_many_statements_as_one(api: Api) -> None:
    memory = await factories.memory(api)
    values = {"memory_id": memory.id, "annotation_type": "correction", "content": "new"}
    counts = []
    for number in (1, 100):
        with traffic(api.database) as seen:
            await api.run(memory_annotations.annotate_all, annotations=[values] * number)
        counts.append(len(seen.statements))
    assert counts == [2, 2]


async def test_one_invalid_annotation_adds_none(api: Api, other: Api) -> None:
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


async def test_the_changes_of_an_applied_annotation_outlive_it(api: Api) -> None:
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


async def test_applying_and_deleting_annotations_concurrently_does_not_deadlock(api: Api) -> None:
    """Applying an annotation, deleting it and deleting its memory neither fail nor deadlock."""
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


async def test_an_annotation_can_be_applied_only_once(api: Api) -> None:
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
async def test_one_of_twenty_concurrent_applications_wins(
    api: Api, kind: str, content: str, before: list[tuple[int, str]]
) -> None:
    memory = await factories.memory(api, content="old")
    annotation = await factories.memory_annotation(api, memory.id, annotation_type=kind, content="more")
    answers = await asyncio.gather(*(api.answer(APPLY, id=annotation.id) for _ in range(20)))
    lost = [error["extensions"] for answer in answers for error in answer.errors]
    assert lost == [{"code": "CONFLICT", "field": "id"}] * 19
    assert await history(api, memory.id) == (content, before)


async def test_applying_an_annotation_that_is_being_deleted_finds_none(api: Api, owner: AsyncEngine) -> None:
    """Applying waits for the deletion, and then finds no annotation."""
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


async def test_concurrently_applied_annotations_of_one_memory_all_take_effect(api: Api) -> None:
    """No annotation overwrites another, and a concurrent update is not lost either."""
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
    # Each content is the previous one with another line, except the one that replaced it.
    contents = [each for _, each in reversed(before)] + [content]
    steps = list(pairwise(contents))
    assert [new for old, new in steps if not new.startswith(f"{old}\n")] == ["changed"]
    added = [new.removeprefix(f"{old}\n") for old, new in steps if new != "changed"]
    assert sorted(added) == sorted(annotation.content for annotation in annotations)


async def test_a_failed_application_changes_nothing(api: Api) -> None:
    memory = await factories.memory(api, content="old")
    annotation = await factories.memory_annotation(api, memory.id, content="new")

    class StoppedError(Exception):
        """Stops the writer before its transaction is committed."""

    async def apply_and_stop(write: UnitOfWork) -> None:
        await memory_annotations.apply(write, annotation.id)
        raise StoppedError

    with pytest.raises(StoppedError):
        await api.run(apply_and_stop)
    assert await history(api, memory.id) == ("old", [])
    applied = (await api.ask(APPLY, id=annotation.id))["applyAnnotation"]
    assert applied["memory"]["content"] == "new"


async def test_an_annotation_of_another_type_cannot_be_applied(api: Api) -> None:
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
async def test_contradictory_annotations_are_refused(api: Api, values: dict[str, Any], field: str) -> None:
    memory = await factories.memory(api)
    ids = {"@user": (await factories.user(api)).id, "@agent": (await factories.agent(api)).id}
    given = {"memoryId": memory.id, "annotationType": "correction", "content": "new"}
    given |= {name: ids.get(value, value) for name, value in values.items()}
    error = await api.error(ANNOTATE, input=given)
    assert error["extensions"] == {"code": "BAD_USER_INPUT", "field": field}


async def test_memories_of_another_project_can_neither_be_annotated_nor_changed(api: Api, other: Api) -> None:
    memory = await factories.memory(other, content="theirs")
    annotation = await factories.memory_annotation(other, memory.id)
    given = {"memoryId": memory.id, "annotationType": "correction", "content": "new"}
    error = await api.error(ANNOTATE, input=given)
    assert error["extensions"] == {"code": "NOT_FOUND", "field": "memoryId"}
    error = await api.error(APPLY, id=annotation.id)
    assert error["extensions"] == {"code": "NOT_FOUND", "field": "id"}
    assert await history(other, memory.id) == ("theirs", [])
