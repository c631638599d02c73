"""Searches by meaning, and by words and meaning together, compared with what Python computes."""

from __future__ import annotations

import math
import struct
from random import Random
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest
from sqlalchemy import make_url, text

from agentdata import vector_indexes
from agentdata.database import Database
from agentdata.operations import embeddings, knowledge_embeddings
from agentdata.vectors import vector_of
from resolvers import meaning
from tests import factories
from tests.api import Api, traffic
from tests.factories import said
from tests.worker.waiting import until

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.ext.asyncio import AsyncEngine

    from agentdata.database_urls import DatabaseUrls

SEARCH = """query(
  $query: String, $embedding: Vector, $model: String, $mode: SearchMode, $least: Float, $bases: [ID!]
  $version: String, $filter: KnowledgeChunkFilter, $first: Int, $after: String, $orderBy: [MatchOrder!]
) {
  searchKnowledge(
    query: $query, embedding: $embedding, embeddingModel: $model, mode: $mode, minScore: $least
    knowledgeBaseIds: $bases, version: $version, filter: $filter, first: $first, after: $after
    orderBy: $orderBy
  ) {
    isComplete totalCount pageInfo { hasNextPage endCursor }
    nodes { score similarity rank excerpt chunk { content } }
  }
}"""


def similarity(one: Sequence[float], other: Sequence[float]) -> float:
    """Return the cosine similarity of two vectors."""
    product = math.fsum(a * b for a, b in zip(one, other, strict=True))
    return product / math.hypot(*one) / math.hypot(*other)


def halved(numbers: Sequence[float]) -> tuple[float, ...]:
    """Return numbers in half precision."""
    kind = f"{len(numbers)}e"
    return struct.unpack(kind, struct.pack(kind, *numbers))


def numbers_of(random: Random, size: int = 8) -> list[float]:
    """Return the numbers of a vector in a random direction."""
    return [random.gauss(0, 1) for _ in range(size)]


async def found(api: Api, **asked: Any) -> dict[str, Any]:
    """Return what a search finds by both ways, which must agree."""
    answer = (await api.ask(SEARCH, **asked))["searchKnowledge"]
    assert (await api.by_reference().ask(SEARCH, **asked))["searchKnowledge"] == answer
    return answer  # type: ignore[no-any-return]  # an object of JSON


async def contents(api: Api, **asked: Any) -> list[str]:
    """Return the contents of the chunks that a search finds."""
    return [node["chunk"]["content"] for node in (await found(api, **asked))["nodes"]]


async def base_of(api: Api, vectors: dict[str, list[float] | None], **values: Any) -> str:
    """Create a base with chunks, each with a vector or none."""
    version = {"version": values.pop("version")} if "version" in values else {}
    base = await factories.knowledge_base(api, **{"embedding_model": "m", **values})
    document = await factories.knowledge_document(api, base.id, **version)
    chunks = [
        {"content": content, "tags": [content[0]]}
        | ({} if numbers is None else {"embedding": vector_of(numbers)})
        for content, numbers in vectors.items()
    ]
    await factories.knowledge_chunks_of(api, document.id, *chunks)
    return str(base.id)


CHUNKS: dict[str, list[float] | None] = {
    "green tea": [1, 0, 0],
    "black tea": [0.8, 0.6, 0],
    "coffee": [0, 1, 0],
    "water <b>": [-1, 0, 0],
    "tea without a vector": None,
}


async def test_the_nearest_chunks_come_first_with_their_similarity(api: Api) -> None:
    await base_of(api, CHUNKS)
    answer = await found(api, embedding=[2, 0, 0])
    assert [(node["chunk"]["content"], node["score"]) for node in answer["nodes"]] == [
        ("green tea", 1),
        ("black tea", pytest.approx(0.8)),
        ("coffee", 0),
        ("water <b>", -1),
    ]
    assert all(node["similarity"] == node["score"] and node["rank"] is None for node in answer["nodes"])
    assert answer["nodes"][-1]["excerpt"] == "water &lt;b&gt;"
    assert (answer["totalCount"], answer["isComplete"]) == (4, True)


async def test_a_search_by_meaning_takes_one_statement(api: Api) -> None:
    await base_of(api, CHUNKS)
    # The first one makes sure that there are vectors of this size.
    for statements in (2, 1, 1):
        with traffic(api.database) as seen:
            await api.ask(SEARCH, query="tea", embedding=[1, 0, 0])
        assert len(seen.statements) == statements


async def test_min_score_leaves_out_what_is_less_similar(api: Api) -> None:
    await base_of(api, CHUNKS)
    answer = await found(api, embedding=[1, 0, 0], least=0.5)
    assert [node["chunk"]["content"] for node in answer["nodes"]] == ["green tea", "black tea"]
    assert answer["totalCount"] == 2
    # Words find what they find.
    assert await contents(api, query="coffee", embedding=[1, 0, 0], least=0.9) == ["coffee", "green tea"]


async def test_both_ways_of_search_are_fused_by_their_places(api: Api) -> None:
    await base_of(api, CHUNKS)
    answer = await found(api, query="tea", embedding=[0, 1, 0])
    by_words = await contents(api, query="tea", mode="WORDS", embedding=[0, 1, 0])
    by_meaning = await contents(api, query="tea", mode="MEANING", embedding=[0, 1, 0])
    assert by_words == await contents(api, query="tea")
    assert by_meaning == await contents(api, embedding=[0, 1, 0])
    scores = {
        content: sum(1 / (61 + list_.index(content)) for list_ in (by_words, by_meaning) if content in list_)
        for content in {*by_words, *by_meaning}
    }
    assert {node["chunk"]["content"]: node["score"] for node in answer["nodes"]} == pytest.approx(scores)
    assert [node["score"] for node in answer["nodes"]] == sorted(scores.values(), reverse=True)
    assert (answer["totalCount"], answer["isComplete"]) == (5, True)
    parts = {node["chunk"]["content"]: node for node in answer["nodes"]}
    assert parts["green tea"]["excerpt"] == "green <mark>tea</mark>"
    assert parts["coffee"]["excerpt"] == "coffee"
    assert parts["coffee"]["rank"] is None
    assert parts["tea without a vector"]["similarity"] is None
    assert parts["tea without a vector"]["rank"] > 0


async def test_filters_versions_and_bases_restrict_a_search_by_meaning(api: Api) -> None:
    first = await base_of(api, CHUNKS, version="v1")
    await base_of(api, {"a lake": [1, 0, 0], "g": [0, 1, 0]}, version="v2")
    vector = [1, 0, 0]
    assert (await contents(api, embedding=vector))[:3] == ["a lake", "green tea", "black tea"]
    assert await contents(api, embedding=vector, bases=[first], first=1) == ["green tea"]
    assert await contents(api, embedding=vector, version="v2") == ["a lake", "g"]
    filter_ = {"tags": {"containsAny": ["g", "c"]}}
    assert set(await contents(api, embedding=vector, filter=filter_)) == {"green tea", "g", "coffee"}
    assert await contents(api, embedding=vector, filter=filter_, bases=[first]) == ["green tea", "coffee"]
    assert await contents(api, embedding=vector, filter={"id": {"in": [first]}}) == []


async def test_bases_of_other_sizes_and_models_are_not_compared(api: Api) -> None:
    await base_of(api, {"two": [1, 0]}, embedding_model="small")
    await base_of(api, {"three": [1, 0, 0]}, embedding_model="large")
    third = await base_of(api, {"three too": [1, 0, 0]}, embedding_model="larger")
    assert await contents(api, embedding=[1, 0]) == ["two"]
    assert set(await contents(api, embedding=[1, 0, 0])) == {"three", "three too"}
    assert await contents(api, embedding=[1, 0, 0], model="large") == ["three"]
    assert await contents(api, embedding=[1, 0, 0], model="larger", bases=[third]) == ["three too"]
    assert await contents(api, embedding=[1, 0, 0], model="unknown") == []
    # The vectors of a next model are not compared, although another base is complete with it.
    await api.run(knowledge_embeddings.start, id_=UUID(third), embedding_model="large", dimensions=3)
    [chunk] = (
        await api.ask('{ knowledgeChunks(filter: {version: {eq: "default"}}, first: 1) { nodes { id } } }')
    )["knowledgeChunks"]["nodes"]
    put = [{"chunk_id": UUID(chunk["id"]), "embedding": vector_of([0, 1, 0])}]
    await api.run(knowledge_embeddings.put, knowledge_base_id=UUID(third), model="large", embeddings=put)
    assert await contents(api, embedding=[0, 1, 0], model="large") == ["three"]


async def refusal(api: Api, document: str = SEARCH, **asked: Any) -> str:
    """Return why a vector is refused by both ways, which must agree."""
    messages: set[str] = set()
    for way in (api, api.by_reference()):
        error = await way.error(document, **asked)
        assert error["extensions"] == {"code": "BAD_USER_INPUT", "field": "embedding"}
        messages.add(str(error["message"]))
    [message] = messages
    return message


async def test_a_vector_of_a_size_that_no_base_has_is_refused(api: Api, other: Api) -> None:
    new = await factories.knowledge_base(api, embedding_model="new")
    assert await contents(api, embedding=[1, 0, 0, 0]) == []
    small = await base_of(api, {"two": [1, 0]}, embedding_model="small")
    large = await base_of(api, {"three": [1, 0, 0]}, embedding_model="large")
    hint = ": send a vector that the same model made"
    beginning = "embedding has 4 numbers; the vectors of the "
    for words in ({}, {"query": "two"}):
        of_all = await refusal(api, embedding=[1, 0, 0, 0], **words)
        assert of_all == f"{beginning}knowledge bases searched have 2 or 3{hint}"
    of_one = await refusal(api, embedding=[1, 0, 0, 0], bases=[large])
    assert of_one == f"{beginning}knowledge bases searched have 3{hint}"
    of_model = await refusal(api, embedding=[1, 0, 0, 0], model="small", bases=[small, large])
    assert of_model == f"{beginning}model small have 2{hint}"
    # What was found for all bases says nothing of one of them.
    assert await contents(api, embedding=[1, 0]) == ["two"]
    assert "have 3:" in await refusal(api, embedding=[1, 0], bases=[large, str(new.id)])
    # Searches by words do not compare it, and a base without vectors has no size yet.
    assert await contents(api, embedding=[1, 0, 0, 0], query="two", mode="WORDS") == ["two"]
    assert await contents(api, embedding=[1, 0, 0, 0], bases=[str(new.id)]) == []
    assert await contents(other, embedding=[1, 0, 0, 0]) == []


async def test_the_first_vectors_of_a_size_are_found_at_once(api: Api) -> None:
    await base_of(api, {"two": [1, 0]})
    await refusal(api, embedding=[1, 0, 0])
    await base_of(api, {"three": [1, 0, 0]})
    assert await contents(api, embedding=[1, 0, 0]) == ["three"]


@pytest.mark.parametrize("noun", ["memories", "messages"])
async def test_a_vector_of_a_size_that_no_memory_or_message_has_is_refused(
    api: Api, other: Api, noun: str
) -> None:
    search = f"""query($embedding: Vector!, $model: String) {{
      search{noun.capitalize()}(embedding: $embedding, embeddingModel: $model) {{ totalCount }}
    }}"""

    async def number(way: Api, **asked: Any) -> int:
        counts = [(await each.ask(search, **asked)).popitem()[1] for each in (way, way.by_reference())]
        assert counts[0] == counts[1]
        return int(counts[0]["totalCount"])

    user = await factories.user(api)
    assert await number(api, embedding=[1, 0, 0]) == 0
    kinds = {"small": [1, 0], "large": [1, 0, 0], "medium": [0, 1, 0], "wide": [1] * 1_200}
    session = await factories.session(api, user_id=user.id)
    memory = await factories.memory(api, user_id=user.id)
    [message] = await factories.say(api, session.id, said(content="tea"))
    put, id_ = (embeddings.put_for_memories, memory.id)
    if noun == "messages":
        put, id_ = (embeddings.put_for_messages, message.id)  # type: ignore[assignment]  # another row
    key = "memory_id" if noun == "memories" else "message_id"
    for model, numbers in kinds.items():
        await api.run(put, model=model, embeddings=[{key: id_, "embedding": vector_of(numbers)}])
    for numbers in kinds.values():
        assert await number(api, embedding=numbers) == 1
    hint = ": send a vector that the same model made"
    of_all = await refusal(api, search, embedding=[1, 0, 0, 0])
    assert of_all == f"embedding has 4 numbers; the vectors of the {noun} have 2, 3 or 1,200{hint}"
    of_model = await refusal(api, search, embedding=[1, 0, 0], model="small")
    assert of_model == f"embedding has 3 numbers; the vectors of the model small have 2{hint}"
    assert await number(api, embedding=[1, 0, 0], model="unknown") == 0
    assert await number(api.as_user(user.id), embedding=[1, 0, 0, 0]) == 0
    assert await number(other, embedding=[1, 0, 0, 0]) == 0


async def test_pages_go_through_all_matches_in_every_order(api: Api) -> None:
    random = Random(3)  # noqa: S311  # test data
    await base_of(api, {f"tea {n}": numbers_of(random) for n in range(30)})
    vector = numbers_of(random)
    for asked in ({"embedding": vector}, {"embedding": vector, "query": "tea"}):
        for order in (
            [],
            [{"field": "CREATED_AT", "direction": "ASC"}],
            [{"field": "RANK", "direction": "DESC"}],
        ):
            everything = await contents(api, orderBy=order, **asked)
            assert len(everything) == 30
            seen: list[str] = []
            after = None
            while True:
                page = await found(api, first=7, after=after, orderBy=order, **asked)
                seen += [node["chunk"]["content"] for node in page["nodes"]]
                after = page["pageInfo"]["endCursor"]
                if not page["pageInfo"]["hasNextPage"]:
                    break
            assert seen == everything


async def walked(api: Api, first: int, **asked: Any) -> list[str]:
    """Return the contents of the chunks on all pages of a size."""
    listed: list[str] = []
    after = None
    while True:
        page = await found(api, first=first, after=after, **asked)
        listed += [node["chunk"]["content"] for node in page["nodes"]]
        if not page["pageInfo"]["hasNextPage"]:
            return listed
        after = page["pageInfo"]["endCursor"]


async def test_pages_of_every_size_list_the_same_rows_of_one_distance(api: Api) -> None:
    base = await base_of(api, {f"number {n}": [1, 2, 3] for n in range(60)})
    everything = await walked(api, 60, embedding=[1, 0, 0], bases=[base])
    assert len(everything) == 60
    for first in (7, 25):
        assert await walked(api, first, embedding=[1, 0, 0], bases=[base]) == everything


async def test_an_index_gives_pages_of_every_size_the_same_rows(
    api: Api, database_urls: DatabaseUrls
) -> None:
    random = Random(9)  # noqa: S311  # test data
    same = numbers_of(random, 21)
    numbers = {f"{n}": same if n % 3 == 0 else numbers_of(random, 21) for n in range(2_300)}
    base = await large_base_of(api, numbers)
    assert "knowledge_embeddings_21_hnsw_idx" in await vector_indexes.update(database_urls.owner)
    for vector in (same, numbers_of(random, 21)):
        everything = await walked(api, 100, embedding=vector, bases=[base])
        assert len(everything) == meaning.MAX_NEAREST
        for first in (7, 30):
            assert await walked(api, first, embedding=vector, bases=[base]) == everything


async def test_only_the_nearest_are_listed_and_the_answer_says_so(api: Api) -> None:
    random = Random(4)  # noqa: S311  # test data
    numbers = {f"number {n}": numbers_of(random) for n in range(meaning.MAX_NEAREST + 20)}
    await base_of(api, {**numbers})
    vector = numbers_of(random)
    answer = await found(api, embedding=vector, first=500)
    nearest = sorted(numbers, key=lambda content: -similarity(numbers[content], vector))
    assert [node["chunk"]["content"] for node in answer["nodes"]] == nearest[: meaning.MAX_NEAREST]
    assert answer["totalCount"] == meaning.MAX_NEAREST
    assert not answer["isComplete"]
    assert (await found(api, embedding=vector, filter={"position": {"lt": 50}}))["isComplete"]


async def test_memories_and_messages_are_found_by_meaning(api: Api, other: Api) -> None:
    user = await factories.user(api)
    mine = await factories.memory(api, content="likes tea", user_id=user.id)
    theirs = await factories.memory(api, content="likes coffee")
    session = await factories.session(api, user_id=user.id)
    foreign = await factories.session(api)
    [said_] = await factories.say(api, session.id, said(content="tea, please"))
    [heard] = await factories.say(api, foreign.id, said(content="coffee, please"))
    for model, one, two in (("m", [1, 0], [0.6, 0.8]), ("n", [0, 1], [1, 0])):
        memories = [(mine.id, one), (theirs.id, two)]
        await api.run(
            embeddings.put_for_memories,
            model=model,
            embeddings=[{"memory_id": id_, "embedding": vector_of(each)} for id_, each in memories],
        )
        messages = [(said_.id, one), (heard.id, two)]
        await api.run(
            embeddings.put_for_messages,
            model=model,
            embeddings=[{"message_id": id_, "embedding": vector_of(each)} for id_, each in messages],
        )
    search = """query($embedding: Vector!, $model: String, $query: String) {
      memories: searchMemories(embedding: $embedding, embeddingModel: $model, query: $query) {
        isComplete nodes { similarity excerpt memory { content } }
      }
      messages: searchMessages(embedding: $embedding, embeddingModel: $model, query: $query) {
        isComplete nodes { similarity excerpt message { content } }
      }
    }"""

    async def texts(way: Api, **asked: Any) -> list[list[tuple[str, float]]]:
        data = await way.ask(search, **asked)
        assert await way.by_reference().ask(search, **asked) == data
        return [
            [(node[noun]["content"], round(node["similarity"], 3)) for node in data[field]["nodes"]]
            for field, noun in (("memories", "memory"), ("messages", "message"))
        ]

    assert await texts(api, embedding=[1, 0], model="m") == [
        [("likes tea", 1), ("likes coffee", 0.6)],
        [("tea, please", 1), ("coffee, please", 0.6)],
    ]
    # Of several models, the nearest vector of each counts.
    assert await texts(api, embedding=[1, 0]) == [
        [("likes coffee", 1), ("likes tea", 1)],
        [("coffee, please", 1), ("tea, please", 1)],
    ]
    assert await texts(api.as_user(user.id), embedding=[1, 0], model="n") == [
        [("likes tea", 0)],
        [("tea, please", 0)],
    ]
    assert await texts(other, embedding=[1, 0]) == [[], []]


async def test_nothing_of_another_project_or_for_an_end_user_is_found(api: Api, other: Api) -> None:
    base = await base_of(api, CHUNKS)
    user = await factories.user(api)
    for way in (other, api.as_user(user.id)):
        assert await contents(way, embedding=[1, 0, 0]) == []
        assert await contents(way, embedding=[1, 0, 0], query="tea", bases=[base]) == []


@pytest.mark.parametrize(
    ("asked", "field", "message"),
    [
        ({}, "query", "give a query, an embedding, or both"),
        ({"mode": "WORDS", "embedding": [1]}, "query", "give a query"),
        ({"mode": "MEANING", "query": "tea"}, "embedding", "MEANING needs an embedding"),
        ({"mode": "HYBRID", "query": "tea"}, "embedding", "HYBRID needs an embedding"),
        ({"mode": "HYBRID", "embedding": [1]}, "query", "give a query"),
        ({"query": "tea", "least": 0.5}, "minScore", "about an embedding"),
        ({"query": "tea", "model": "m"}, "embeddingModel", "about an embedding"),
        ({"embedding": [1], "least": 1.5}, "minScore", "from -1 to 1"),
        ({"embedding": [1], "model": "a\0"}, "embeddingModel", "NUL"),
        ({"embedding": [1], "query": "a\0"}, "query", "NUL"),
    ],
)
async def test_a_wrong_argument_is_named(api: Api, asked: dict[str, Any], field: str, message: str) -> None:
    for way in (api, api.by_reference()):
        error = await way.error(SEARCH, **asked)
        assert error["extensions"] == {"code": "BAD_USER_INPUT", "field": field}
        assert message in error["message"]


async def test_a_cursor_of_another_mode_is_refused(api: Api) -> None:
    await base_of(api, CHUNKS)
    asked = {"query": "tea", "embedding": [1, 0, 0], "first": 1}
    ends = {
        mode: (await found(api, mode=mode, **asked))["pageInfo"]["endCursor"]
        for mode in ("WORDS", "MEANING", "HYBRID")
    }
    for mode in ends:
        for other_mode, end in ends.items():
            if mode == other_mode:
                await found(api, mode=mode, after=end, **asked)
                continue
            for way in (api, api.by_reference()):
                error = await way.error(SEARCH, mode=mode, after=end, **asked)
                assert error["extensions"] == {"code": "BAD_USER_INPUT", "field": "after"}


async def test_vectors_of_several_models_take_one_place(api: Api) -> None:
    made = [await factories.memory(api, content=f"number {n}") for n in range(60)]
    for model in ("m", "n"):
        given = [{"memory_id": each.id, "embedding": vector_of([1, n])} for n, each in enumerate(made)]
        await api.run(embeddings.put_for_memories, model=model, embeddings=given)
    asked = """{ searchMemories(embedding: [1, 0], first: 100) {
      totalCount isComplete nodes { memory { content } }
    } }"""
    for way in (api, api.by_reference()):
        answer = (await way.ask(asked))["searchMemories"]
        assert (answer["totalCount"], answer["isComplete"]) == (60, True)
        assert [node["memory"]["content"] for node in answer["nodes"]] == [f"number {n}" for n in range(60)]


async def test_a_wrong_vector_is_refused(api: Api) -> None:
    for wrong in ([], [0, 0], ["a"], "no base64"):
        error = await api.error(SEARCH, embedding=wrong)
        assert error["extensions"]["code"] == "BAD_USER_INPUT"
        assert "embedding" in error["message"]


@pytest.fixture
async def many(api: Api) -> tuple[str, dict[str, list[float]]]:
    """Provide a base of more chunks than are compared one by one, in a size of their own."""
    random = Random(6)  # noqa: S311  # test data
    centers = [numbers_of(random, 19) for _ in range(50)]
    numbers = {
        f"number {n}": [each + random.gauss(0, 0.3) for each in centers[n % 50]]
        for n in range(meaning.MAX_COMPARED + 500)
    }
    return await large_base_of(api, numbers), numbers


async def large_base_of(api: Api, numbers: dict[str, list[float]]) -> str:
    """Create a base of chunks in several documents, whose tags are the ends of their contents."""
    base = await factories.knowledge_base(api, embedding_model="m")
    for start in range(0, len(numbers), 500):
        document = await factories.knowledge_document(api, base.id)
        part = [*numbers.items()][start : start + 500]
        chunks = [
            {"content": content, "tags": [content[-2:]], "embedding": vector_of(each)}
            for content, each in part
        ]
        await factories.knowledge_chunks_of(api, document.id, *chunks)
    return str(base.id)


async def test_an_index_finds_the_nearest_of_many_chunks(
    api: Api, owner: AsyncEngine, database_urls: DatabaseUrls, many: tuple[str, dict[str, list[float]]]
) -> None:
    base, numbers = many
    assert "knowledge_embeddings_19_hnsw_idx" in await vector_indexes.update(database_urls.owner)
    async with owner.connect() as connection:
        before = await connection.scalar(text(_USES))
    random = Random(7)  # noqa: S311  # test data
    hits = 0
    for _ in range(20):
        vector = [each + random.gauss(0, 0.3) for each in random.choice([*numbers.values()])]
        best = sorted(numbers, key=lambda content: -similarity(numbers[content], vector))[:10]
        answer = await found(api, embedding=vector, bases=[base], first=10)
        assert not answer["isComplete"]
        assert answer["totalCount"] == meaning.MAX_NEAREST
        listed = [node["chunk"]["content"] for node in answer["nodes"]]
        hits += len({*best} & {*listed})
        # A page that begins the list reads fewer vectors than the whole list.
        assert (await contents(api, embedding=vector, bases=[base], first=100))[:10] == listed
        for node in answer["nodes"]:
            exact = similarity(numbers[node["chunk"]["content"]], vector)
            assert node["similarity"] == pytest.approx(exact, abs=0.001)
    assert hits >= 0.97 * 200
    # A filter leaves so few that they are compared one by one.
    answer = await found(api, embedding=vector, bases=[base], filter={"tags": {"containsAny": ["07"]}})
    few = [content for content in numbers if content.endswith("07")]
    assert answer["isComplete"]
    assert [node["chunk"]["content"] for node in answer["nodes"]] == sorted(
        few, key=lambda content: -similarity(numbers[content], vector)
    )

    async def uses() -> int:
        # The session that searches reports its use of indexes once a second, when it searches again.
        await found(api, embedding=vector, bases=[base], first=10)
        async with owner.connect() as connection:
            return await connection.scalar(text(_USES)) or 0

    await until(uses, lambda uses: uses > before)


_USES = "SELECT idx_scan FROM pg_stat_user_indexes WHERE indexrelname = 'knowledge_embeddings_19_hnsw_idx'"


async def test_rows_are_compared_if_others_hide_them_from_the_index(
    api: Api, other: Api, owner: AsyncEngine, database_urls: DatabaseUrls
) -> None:
    random = Random(8)  # noqa: S311  # test data
    numbers = {f"number {n}": [-5, *numbers_of(random, 22)] for n in range(meaning.MAX_COMPARED + 100)}
    base = await large_base_of(api, numbers)
    # So many that the upper layers of the index, which are random, have some of them: a search that begins
    # among the others would look at enough of these to fill the list.
    nearer = {f"nearer {n}": [5, *(each / 10 for each in numbers_of(random, 22))] for n in range(1_000)}
    await large_base_of(api, nearer)
    await large_base_of(other, nearer)
    assert "knowledge_embeddings_23_hnsw_idx" in await vector_indexes.update(database_urls.owner)
    vector = [1, *[0.001] * 22]
    # Many are compared in half precision.
    best = sorted(numbers, key=lambda content: -similarity(halved(numbers[content]), halved(vector)))
    loaded = text("SELECT '[1]'::vector")  # a session knows the settings of pgvector once it has loaded it
    change = f"ALTER DATABASE {make_url(database_urls.request).database}"
    # As an index gives up that holds thousands of others, this one does after the first hundred.
    async with owner.begin() as connection:
        await connection.execute(loaded)
        await connection.execute(text(f"{change} SET hnsw.max_scan_tuples = 1"))
    hasty = Database(database_urls.request)
    try:
        answer = await found(Api(hasty, api.principal), embedding=vector, bases=[base])
    finally:
        await hasty.close()
        async with owner.begin() as connection:
            await connection.execute(loaded)
            await connection.execute(text(f"{change} RESET hnsw.max_scan_tuples"))
    assert [node["chunk"]["content"] for node in answer["nodes"]] == best[:50]
    assert (answer["totalCount"], answer["isComplete"]) == (meaning.MAX_NEAREST, False)
    assert (await contents(api, embedding=vector))[:1] != best[:1]
