"""Memories: their contents, revisions, links and sources."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest
from asyncpg.exceptions import ForeignKeyViolationError
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from agentdata.operations import memories
from tests import factories
from tests.api import traffic
from tests.factories import said

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

    from tests.api import Api

UPDATE = (
    "mutation($id: ID!, $input: UpdateMemoryInput!) { updateMemory(id: $id, input: $input) { id content } }"
)
LINK = (
    "mutation($id: ID!, $others: [ID!]!) {"
    " linkMemories(memoryId: $id, relatedMemoryIds: $others) { relatedMemories { nodes { id } } } }"
)
UNLINK = LINK.replace("linkMemories", "unlinkMemories")
HISTORY = (
    "query($id: ID!) { memory(id: $id) { content"
    " history { totalCount nodes { sequence content annotation { id } createdAt memory { id } } } } }"
)
CREATE_ALL = (
    "mutation($memories: [CreateMemoryInput!]!) { createMemories(memories: $memories) {"
    " content importance verificationStatus createdAt sourceMessages { nodes { content } } } }"
)


async def history(api: Api, id_: object) -> tuple[str, list[tuple[int, str]]]:
    """Return a memory's content, and its revisions, the latest first."""
    memory = (await api.ask(HISTORY, id=id_))["memory"]
    assert memory["history"]["totalCount"] == len(memory["history"]["nodes"])
    return memory["content"], [(each["sequence"], each["content"]) for each in memory["history"]["nodes"]]


async def related_ids(api: Api, *ids: object) -> list[set[str]]:
    """Return the ids of the memories that each memory is linked with."""
    data = await api.ask(
        "query($ids: [ID!]!) { nodes(ids: $ids) { ... on Memory { relatedMemories { nodes { id } } } } }",
        ids=list(ids),
    )
    return [{other["id"] for other in each["relatedMemories"]["nodes"]} for each in data["nodes"]]


async def test_a_memory_is_found_by_its_keys_and_through_its_relations(api: Api) -> None:
    user, agent = await factories.user(api), await factories.agent(api)
    session = await factories.session(api, user_id=user.id, agent_id=agent.id)
    [message] = await factories.say(api, session.id, said("I am a vegetarian"))
    memory = await factories.memory(
        api,
        content="Eats no meat",
        external_id="m-1",
        user_id=user.id,
        agent_id=agent.id,
        session_id=session.id,
        source_message_ids=[message.id],
    )
    one = {"nodes": [{"content": "Eats no meat"}]}
    memories_of = "memories { nodes { content } }"
    data = await api.ask(
        f"""query($user: ID!, $agent: ID!, $session: ID!, $message: ID!, $memory: ID!) {{
          user(id: $user) {{ {memories_of} }} agent(id: $agent) {{ {memories_of} }}
          session(id: $session) {{ {memories_of} }} message(id: $message) {{ {memories_of} }}
          memory(externalId: "m-1") {{ id user {{ id }} agent {{ id }} session {{ id }}
            sourceMessages {{ nodes {{ content }} }} }}
          node(id: $memory) {{ ... on Memory {{ content usefulness }} }}
        }}""",
        user=user.id,
        agent=agent.id,
        session=session.id,
        message=message.id,
        memory=memory.id,
    )
    for noun in ("user", "agent", "session", "message"):
        assert data[noun]["memories"] == one, noun
    assert data["memory"] == {
        "id": str(memory.id),
        "user": {"id": str(user.id)},
        "agent": {"id": str(agent.id)},
        "session": {"id": str(session.id)},
        "sourceMessages": {"nodes": [{"content": "I am a vegetarian"}]},
    }
    assert data["node"] == {"content": "Eats no meat", "usefulness": None}


async def test_several_memories_are_created_each_with_its_own_values(api: Api) -> None:
    session = await factories.session(api)
    first, second = await factories.say(api, session.id, said("one"), said("two"))
    given = [
        {"content": "a", "importance": 7.5},
        {"content": "b", "createdAt": "2020-01-01T00:00:00Z", "sourceMessageIds": [second.id, first.id]},
        {"content": "c", "verificationStatus": "DISPUTED", "sourceMessageIds": [first.id]},
    ]
    made = (await api.ask(CREATE_ALL, memories=given))["createMemories"]
    assert [(each["content"], each["importance"], each["verificationStatus"]) for each in made] == [
        ("a", 7.5, "UNVERIFIED"),
        ("b", 1, "UNVERIFIED"),
        ("c", 1, "DISPUTED"),
    ]
    assert [each["createdAt"] == "2020-01-01T00:00:00Z" for each in made] == [False, True, False]
    sources = [{message["content"] for message in each["sourceMessages"]["nodes"]} for each in made]
    assert sources == [set(), {"one", "two"}, {"one"}]


async def test_creating_fifty_memories_takes_as_many_statements_as_one(api: Api) -> None:
    session = await factories.session(api)
    said_before = await factories.say(api, session.id, *[said() for _ in range(3)])
    counts = []
    for number in (1, 50):
        values = [{"content": "x", "source_message_ids": [each.id for each in said_before]}] * number
        with traffic(api.database) as seen:
            made = await api.run(memories.create_all, memories=values)
        assert len({memory.id for memory in made}) == number
        counts.append(len(seen.statements))
    assert counts == [3, 3]


async def test_creating_a_memory_without_sources_takes_one_statement(api: Api) -> None:
    with traffic(api.database) as seen:
        await factories.memory(api)
    assert (len(seen.statements), "BEGIN" in "".join(seen.transactions)) == (1, False)


async def test_the_error_for_a_missing_source_names_the_index_of_its_memory(api: Api, other: Api) -> None:
    session = await factories.session(other)
    [theirs] = await factories.say(other, session.id, said())
    given = [{"content": "a"}, {"content": "b", "sourceMessageIds": [theirs.id]}]
    error = await api.error(CREATE_ALL, memories=given)
    assert error["extensions"] == {"code": "NOT_FOUND", "field": "memories.1.sourceMessageIds"}
    assert (await api.ask("{ memories { totalCount } }"))["memories"] == {"totalCount": 0}


async def test_sources_are_replaced_as_a_whole(api: Api) -> None:
    session = await factories.session(api)
    first, second = await factories.say(api, session.id, said("one"), said("two"))
    memory = await factories.memory(api, source_message_ids=[first.id])
    document = UPDATE.replace("id content", "sourceMessages { nodes { content } }")
    for ids, expected in (
        ([second.id, second.id], ["two"]),
        ([first.id, second.id], ["one", "two"]),
        ([], []),
    ):
        data = await api.ask(document, id=memory.id, input={"sourceMessageIds": ids})
        found = [message["content"] for message in data["updateMemory"]["sourceMessages"]["nodes"]]
        assert sorted(found) == expected


async def test_every_replaced_content_stays_in_the_history(api: Api) -> None:
    memory = await factories.memory(api, content="first")
    for content in ("second", "second", "third"):
        await api.ask(UPDATE, id=memory.id, input={"content": content})
    await api.ask(UPDATE, id=memory.id, input={"name": "A name"})
    assert await history(api, memory.id) == ("third", [(2, "second"), (1, "first")])


async def test_concurrent_updates_of_one_memory_lose_no_content(api: Api) -> None:
    memory = await factories.memory(api, content="0")
    given = [str(number) for number in range(1, 31)]
    await asyncio.gather(*(api.ask(UPDATE, id=memory.id, input={"content": content}) for content in given))
    content, before = await history(api, memory.id)
    assert [sequence for sequence, _ in before] == list(range(30, 0, -1))
    assert sorted([content, *[each for _, each in before]], key=int) == ["0", *given]
    data = await api.ask(HISTORY, id=memory.id)
    times = [each["createdAt"] for each in data["memory"]["history"]["nodes"]]
    assert times == sorted(times, reverse=True)


async def test_memories_are_linked_in_both_directions(api: Api) -> None:
    a, b, c = [str((await factories.memory(api)).id) for _ in range(3)]
    data = await api.ask(LINK, id=a, others=[b, c, b])
    assert {each["id"] for each in data["linkMemories"]["relatedMemories"]["nodes"]} == {b, c}
    await api.ask(LINK, id=b, others=[a])
    assert await related_ids(api, a, b, c) == [{b, c}, {a}, {a}]
    await api.ask(UNLINK, id=b, others=[a, c])
    assert await related_ids(api, a, b, c) == [{c}, set(), {a}]
    await api.ask("mutation($id: ID!) { deleteMemory(id: $id) { ids } }", id=c)
    assert await related_ids(api, a, b) == [set(), set()]


async def test_concurrent_links_from_both_sides_are_not_duplicated(api: Api) -> None:
    ids = [str((await factories.memory(api)).id) for _ in range(6)]
    others = {id_: [other for other in ids if other != id_] for id_ in ids}
    await asyncio.gather(*(api.ask(LINK, id=id_, others=others[id_]) for id_ in ids for _ in range(3)))
    assert await related_ids(api, *ids) == [set(others[id_]) for id_ in ids]
    await asyncio.gather(*(api.ask(UNLINK, id=id_, others=others[id_][:3]) for id_ in ids))
    left = await related_ids(api, *ids)
    assert left == [{other for other in others[id_] if id_ in left[ids.index(other)]} for id_ in ids]
    removed = {(id_, other) for id_ in ids for other in others[id_][:3]}
    assert all((id_, other) not in removed for id_, links in zip(ids, left, strict=True) for other in links)


async def test_linked_memories_can_be_deleted_concurrently(api: Api) -> None:
    """Each deletion deletes links that other deletions delete too."""
    ids = [str((await factories.memory(api)).id) for _ in range(12)]
    for id_ in ids:
        await api.ask(LINK, id=id_, others=[other for other in ids if other != id_])
    delete = "mutation($id: ID!) { deleteMemory(id: $id) { ids } }"
    answers = await asyncio.gather(*(api.answer(delete, id=id_) for id_ in ids))
    assert [answer.errors for answer in answers] == [[]] * 12
    assert (await api.ask("{ memories { totalCount } }"))["memories"] == {"totalCount": 0}


async def test_links_can_be_removed_from_both_sides_concurrently(api: Api) -> None:
    ids = [str((await factories.memory(api)).id) for _ in range(10)]
    others = {id_: [other for other in ids if other != id_] for id_ in ids}
    for id_ in ids:
        await api.ask(LINK, id=id_, others=others[id_])
    await asyncio.gather(*(api.ask(UNLINK, id=id_, others=others[id_]) for id_ in ids for _ in range(2)))
    assert await related_ids(api, *ids) == [set()] * 10


async def test_the_database_refuses_a_link_in_one_direction(api: Api, owner: AsyncEngine) -> None:
    a, b = [(await factories.memory(api)).id for _ in range(2)]
    async with owner.connect() as connection:
        with pytest.raises(DBAPIError) as refused:
            await connection.execute(
                text("INSERT INTO memory_links (project_id, memory_id, related_id) VALUES (:p, :a, :b)"),
                {"p": api.project_id, "a": a, "b": b},
            )
    assert refused.value.orig is not None
    assert type(refused.value.orig.__cause__) is ForeignKeyViolationError


@pytest.mark.parametrize("document", [LINK, UNLINK])
async def test_invalid_links_are_refused(api: Api, other: Api, document: str) -> None:
    mine, theirs = (await factories.memory(api)).id, (await factories.memory(other)).id
    for id_, others, code, field in (
        (mine, [mine], "BAD_USER_INPUT", "relatedMemoryIds"),
        (mine, [], "BAD_USER_INPUT", "relatedMemoryIds"),
        (mine, [theirs], "NOT_FOUND", "relatedMemoryIds"),
        (theirs, [mine], "NOT_FOUND", "memoryId"),
    ):
        error = await api.error(document, id=id_, others=others)
        assert error["extensions"] == {"code": code, "field": field}


async def test_a_memory_outlives_its_user_agent_and_session(api: Api) -> None:
    user, agent = await factories.user(api), await factories.agent(api)
    session = await factories.session(api)
    [message] = await factories.say(api, session.id, said())
    memory = await factories.memory(
        api, user_id=user.id, agent_id=agent.id, session_id=session.id, source_message_ids=[message.id]
    )
    for noun, id_ in (("User", user.id), ("Agent", agent.id), ("Session", session.id)):
        await api.ask(f"mutation($id: ID!) {{ delete{noun}(id: $id) {{ ids }} }}", id=id_)
    data: Any = await api.ask(
        "query($id: ID!) { memory(id: $id) { content user { id } agent { id } session { id }"
        " sourceMessages { totalCount } } }",
        id=memory.id,
    )
    assert data["memory"] == {
        "content": memory.content,
        "user": None,
        "agent": None,
        "session": None,
        "sourceMessages": {"totalCount": 0},
    }


async def test_a_memory_is_deleted_with_its_accesses_annotations_and_revisions(api: Api) -> None:
    memory = await factories.memory(api)
    await factories.memory_access(api, memory.id)
    await factories.memory_annotation(api, memory.id)
    await api.ask(UPDATE, id=memory.id, input={"content": "new"})
    data = await api.ask("mutation($id: ID!) { deleteMemory(id: $id) { ids } }", id=memory.id)
    assert [UUID(id_) for id_ in data["deleteMemory"]["ids"]] == [memory.id]
    nothing = {"totalCount": 0}
    counts = await api.ask(
        "{ memories { totalCount } memoryAccesses { totalCount } memoryAnnotations { totalCount }"
        " memoryRevisions { totalCount } }"
    )
    assert list(counts.values()) == [nothing] * 4
