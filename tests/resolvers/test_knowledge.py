"""Searches of knowledge find the chunks of the bases and versions that they name, as other searches do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from resolvers.search import MAX_BASES
from tests import factories
from tests.api import traffic

if TYPE_CHECKING:
    from tests.api import Api

SEARCH = """query(
  $query: String!, $bases: [ID!], $version: String, $filter: KnowledgeChunkFilter, $orderBy: [MatchOrder!]
) {
  searchKnowledge(
    query: $query, knowledgeBaseIds: $bases, version: $version, filter: $filter, orderBy: $orderBy
  ) { isComplete totalCount nodes { rank excerpt chunk { content document { name } } } }
}"""


@pytest.fixture
async def bases(api: Api) -> list[str]:
    """Provide three bases: of tea in two versions, of tea in one, and of coffee."""
    made = [await factories.knowledge_base(api, name=name) for name in ("tea", "more tea", "coffee")]
    for base, version, contents in (
        (made[0], "v1", ["old green tea", "old black tea"]),
        (made[0], "v2", ["tea, tea and more tea", "a cup of tea"]),
        (made[1], "v1", ["tea for two"]),
        (made[2], "v2", ["coffee"]),
    ):
        document = await factories.knowledge_document(api, base.id, name=base.name, version=version)
        chunks = [{"content": content, "tags": content.split()[:1]} for content in contents]
        await factories.knowledge_chunks_of(api, document.id, *chunks)
    return [str(base.id) for base in made]


async def found(api: Api, query: str, **asked: Any) -> set[str]:
    """Return the contents of the chunks that a search finds by both ways, which must agree."""
    answer = (await api.ask(SEARCH, query=query, **asked))["searchKnowledge"]
    assert (await api.by_reference().ask(SEARCH, query=query, **asked))["searchKnowledge"] == answer
    assert answer["isComplete"]
    assert answer["totalCount"] == len(answer["nodes"])
    return {node["chunk"]["content"] for node in answer["nodes"]}


async def test_a_search_finds_chunks_of_all_bases_and_versions_or_of_those_it_names(
    api: Api, bases: list[str]
) -> None:
    first = {"old green tea", "old black tea", "tea, tea and more tea", "a cup of tea"}
    assert await found(api, "tea") == {*first, "tea for two"}
    assert await found(api, "tea", bases=[bases[0]]) == first
    assert await found(api, "tea", bases=[bases[1], bases[2]]) == {"tea for two"}
    assert await found(api, "tea", version="v1") == {"old green tea", "old black tea", "tea for two"}
    assert await found(api, "tea", bases=[bases[0]], version="v2") == {
        "tea, tea and more tea",
        "a cup of tea",
    }
    assert await found(api, "tea", bases=[bases[2]]) == set()
    assert await found(api, "tea", version="v1" + "x" * 300) == set()
    assert await found(api, '"green tea" or coffee') == {"old green tea", "coffee"}


async def test_a_filter_of_chunks_narrows_a_search(api: Api, bases: list[str]) -> None:
    assert await found(api, "tea", filter={"tags": {"containsAny": ["old"]}, "position": {"eq": 2}}) == {
        "old black tea"
    }
    filter_ = {"document": {"name": {"eq": "tea"}}}
    assert await found(api, "tea", version="v2", filter=filter_) == {"tea, tea and more tea", "a cup of tea"}
    assert await found(api, "tea", bases=bases[1:], filter=filter_) == set()


async def test_the_best_match_comes_first_with_its_excerpt_in_one_statement(
    api: Api, bases: list[str]
) -> None:
    with traffic(api.database) as seen:
        answer = await api.ask(SEARCH, query="tea", bases=[bases[0]], version="v2")
    assert len(seen.statements) == 1
    best, second = answer["searchKnowledge"]["nodes"]
    assert best["rank"] > second["rank"] > 0
    assert best["excerpt"].count("<mark>tea</mark>") == 3
    assert second["chunk"] == {"content": "a cup of tea", "document": {"name": "tea"}}
    latest = {"field": "CREATED_AT", "direction": "ASC"}
    answer = await api.ask(SEARCH, query="tea", orderBy=[latest])
    assert answer["searchKnowledge"]["nodes"][-1]["chunk"]["content"] == "tea for two"


async def test_chunks_that_were_replaced_or_deleted_are_not_found(api: Api) -> None:
    base = await factories.knowledge_base(api)
    document = await factories.knowledge_document(api, base.id)
    await factories.knowledge_chunks_of(api, document.id, "old tea")
    await factories.knowledge_chunks_of(api, document.id, "new tea")
    assert await found(api, "tea") == {"new tea"}
    delete = "mutation($id: ID!) { deleteKnowledgeDocument(id: $id) { ids } }"
    await api.ask(delete, id=str(document.id))
    assert await found(api, "tea") == set()


async def test_a_search_finds_nothing_of_another_project_or_for_an_end_user(
    api: Api, other: Api, bases: list[str]
) -> None:
    assert await found(other, "tea") == set()
    assert await found(other, "tea", bases=bases) == set()
    user = await factories.user(api)
    assert await found(api.as_user(user.id), "tea") == set()


@pytest.mark.parametrize(
    ("asked", "field", "message"),
    [
        ({"bases": []}, "knowledgeBaseIds", f"from 1 to {MAX_BASES}"),
        ({"bases": ["x"]}, "knowledgeBaseIds", "id"),
        ({"bases": ["01900000-0000-7000-8000-000000000000"] * (MAX_BASES + 1)}, "knowledgeBaseIds", "1001"),
        ({"version": "a\0"}, "version", "NUL"),
        ({"filter": {"id": {"eq": "x"}}}, "filter.id.eq", "id"),
    ],
)
async def test_a_wrong_argument_is_named(api: Api, asked: dict[str, Any], field: str, message: str) -> None:
    for way in (api, api.by_reference()):
        error = await way.error(SEARCH, query="tea", **asked)
        assert error["extensions"] == {"code": "BAD_USER_INPUT", "field": field}
        assert message in error["message"]
