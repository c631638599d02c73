"""Text searches find exactly the rows that have the words, for any text and any query."""

from __future__ import annotations

import asyncio
import html
import re
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from agentdata import administration, migrations, provision
from agentdata.context import Context
from agentdata.database import Database
from agentdata.database_url import parse
from agentdata.engine.plans.compiler import Compiler
from agentdata.engine.requests.executor import Executor
from agentdata.engine.sql.tenancy import TENANT
from agentdata.engine.strawberry_access import declaration
from agentdata.operations import memories, messages
from agentdata.setup_error import SetupError
from resolvers import words
from resolvers.search import MAX_QUERY
from resolvers.words import MAX_RANKED
from schema.root import schema
from tests import factories
from tests.api import make_api
from tests.contract import TYPES as CONTRACT
from tests.factories import said
from tests.models.test_indexes import explain, nodes

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from uuid import UUID

    from agentdata.database_urls import DatabaseUrls
    from agentdata.engine.sql.pages import Page
    from tests.api import Api
    from tests.databases import Server

MESSAGES = """query (
  $query: String!, $filter: MessageFilter, $orderBy: [MatchOrder!],
  $first: Int, $after: String, $last: Int, $before: String
) {
  searchMessages(
    query: $query, filter: $filter, orderBy: $orderBy
    first: $first, after: $after, last: $last, before: $before
  ) {
    totalCount
    nodes { rank excerpt message { id content sequence createdAt } }
    pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
  }
}"""
MEMORIES = """query ($query: String!, $filter: MemoryFilter) {
  searchMemories(query: $query, filter: $filter) {
    totalCount nodes { rank excerpt memory { id name content } }
  }
}"""


_QUERY: Any = CONTRACT["Query"]
SEARCH: Page = declaration(_QUERY.fields["searchMessages"])


async def say(api: Api, *contents: str | None, **values: Any) -> list[Any]:
    """Create a session with messages of these contents."""
    session = await factories.session(api)
    return await factories.say(api, session.id, *[said(content, **values) for content in contents])


async def found(api: Api, query: str, **asked: Any) -> list[str]:
    """Return the contents of the messages that a query finds, best match first."""
    answer = (await api.ask(MESSAGES, query=query, **asked))["searchMessages"]
    assert answer["totalCount"] >= len(answer["nodes"])
    return [match["message"]["content"] for match in answer["nodes"]]


async def excerpt(api: Api, query: str) -> str:
    """Return the excerpt of the one message that a query finds."""
    [match] = (await api.ask(MESSAGES, query=query))["searchMessages"]["nodes"]
    return match["excerpt"]  # type: ignore[no-any-return]  # JSON


async def test_a_search_finds_the_messages_that_have_all_words(api: Api) -> None:
    await say(api, "The refund was paid", "A refund is due", "Nothing was paid", None, "")
    assert await found(api, "refund") == ["A refund is due", "The refund was paid"]
    assert await found(api, "PAID refund") == ["The refund was paid"]
    assert await found(api, "refund cheque") == []


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ('"was paid"', {"The refund was paid", "Nothing was paid"}),
        ('"paid was"', set()),
        ("“was paid” refund", {"The refund was paid"}),
        ("paid -refund", {"Nothing was paid"}),
        ('paid -"refund was"', {"Nothing was paid"}),
        ("due or nothing", {"A refund is due", "Nothing was paid"}),
        ('"was paid', {"The refund was paid", "Nothing was paid"}),
        ("re-fund", set()),
        ("paid; (refund)", {"The refund was paid"}),
        ("paid - refund", {"The refund was paid"}),
        ("paid --nothing", {"Nothing was paid"}),
        ("refund & !paid | : * <->", {"The refund was paid"}),
        ("-refund", set()),
        ("refund or -paid", set()),
        ("", set()),
        (" \t\n", set()),
        ("?! \" ' - …", set()),
    ],
)
async def test_quotes_minus_and_or_in_a_query_are_understood(
    api: Api, query: str, expected: set[str]
) -> None:
    await say(api, "The refund was paid", "A refund is due", "Nothing was paid")
    assert set(await found(api, query)) == expected


@pytest.mark.parametrize(
    ("content", "queries"),
    [
        (
            "See src/models/message.py:12",
            ["models", "message", "py", "message.py", "src/models/message.py", "12"],
        ),
        ("Write to ann@example.com!", ["ann", "example", "ann@example.com"]),
        ("https://shop.example/cart?item=7&size=XL#top", ["shop", "cart", "item", "7", "xl", "top"]),
        ("dict[str, List<String>]", ["dict", "str", "list", "string", "List<String>"]),
        ("<b>bold</b> <!-- note --> &amp;", ["bold", "note", "amp"]),
        ("and/or, read-only: -5.25", ["or", "read", "read-only", "25", "5.25"]),
        ("snake_case and don't", ["snake", "case", "snake_case", "don't"]),
        (
            "“quoted”—dashed…elided «guillemets» 'single'",
            ["quoted", "dashed", "elided", "guillemets", "single"],
        ),
        ("great👍 5€ 你好、世界。", ["great", "5", "你好", "世界"]),
        ("Ünï café ÉCOLE straße", ["ünï", "café", "école", "straße"]),
        ("हिन्दी می‌خواهم Привет", ["हिन्दी", "می‌خواهم", "ПРИВЕТ"]),
    ],
)
async def test_words_are_found_between_any_punctuation(api: Api, content: str, queries: list[str]) -> None:
    await say(api, content)
    for query in queries:
        assert await found(api, query) == [content], query


NO_WORDS = {
    "joined pictures": "\U0001f469\u200d\U0001f52c",
    "joined pictures with a selector": "\u2764\ufe0f\u200d\U0001f525",
    "picture with a skin tone": "\U0001f9d1\U0001f3fd\u200d\U0001f3a4",
    "flag made of tags": "\U0001f3f4\U000e0067\U000e0062\U000e0077\U000e006c\U000e0073\U000e007f",
    "enclosing mark": "\u20e3",
    "selector": "\ufe0f\U000e0100",
    "joiner": "\u200d",
    "non-joiner": "\u200c",
    "format characters": "\u2060\u00ad\u061c\ufeff",
    "mark without a letter": "\u0301",
    "selector of Mongolian": "\u180b",
    "filler of Hangul": "\u3164",
    "private use": "\ue000\U000f0000\U00100000",
    "symbols": "\u02c2\u1fbd\u27e8\U0001d100\U0001fb00",
    "punctuation": "\u05f4\u0f0d\u104a\ua92e",
}


@pytest.mark.parametrize("nothing", NO_WORDS.values(), ids=NO_WORDS)
async def test_symbols_and_format_characters_are_not_words(api: Api, nothing: str) -> None:
    family = "\U0001f468\u200d\U0001f469\u200d\U0001f467"
    beside = f"{nothing}tea {nothing}cup {nothing} -{nothing}"
    await say(api, f"{family} family 1\ufe0f\u20e3", beside, nothing)
    assert await found(api, nothing) == []
    assert await found(api, f'"{nothing}"') == []
    assert await found(api, f"{nothing}tea {nothing} cup") == [beside]
    assert await found(api, f"tea -{nothing} cup") == [beside]
    assert await found(api, f"family -{nothing}1") == []
    shown = await excerpt(api, f"{nothing} tea cup")
    assert "<mark>tea</mark>" in shown
    assert "<mark>cup</mark>" in shown
    assert html.unescape(re.sub("</?mark>", "", shown)).strip() in beside


@pytest.mark.parametrize(
    ("word", "others"),
    [
        (
            "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",
            ["\u0645\u06cc", "\u062e\u0648\u0627\u0647\u0645"],
        ),
        ("\u0915\u094d\u200d\u0937", ["\u0915\u094d\u0937", "\u0937", "\u0915"]),
        ("cafe\u0301", ["cafe", "caf"]),
        ("\u05e9\u05b8\u05c1\u05dc\u05d5\u05b9\u05dd", ["\u05e9\u05dc\u05d5\u05dd"]),
    ],
    ids=["Persian", "Hindi", "accent", "Hebrew"],
)
async def test_joiners_and_accents_inside_a_word_are_part_of_it(
    api: Api, word: str, others: list[str]
) -> None:
    await say(api, f"so {word}, or ({word}\u200c) and {word}\u200d\U0001f44d")
    for asked in (word, f"\u200d{word}", f"{word}\u200c"):
        assert (await excerpt(api, asked)).count(f"<mark>{word}</mark>") == 3
    for other in others:
        assert await found(api, other) == []


async def test_a_word_with_an_accent_differs_from_one_without(api: Api) -> None:
    await say(api, "cafe", "café")
    assert await found(api, "café") == ["café"]


async def test_matches_have_the_ranks_of_postgresql_best_first(api: Api, owner: AsyncEngine) -> None:
    contents = [
        "tea",
        "tea tea tea",
        "green tea and black tea",
        "tea " + "milk " * 50,
        "black milk",
        "black tea",
    ]
    await say(api, *contents)
    for query in ("tea", "black tea", '"black tea"', "tea -milk", "green or milk"):
        answer = (await api.ask(MESSAGES, query=query))["searchMessages"]
        async with owner.connect() as connection:
            rows = await connection.execute(
                text(
                    "SELECT id, ts_rank_cd(document, query, 33)::float8 FROM messages,"
                    " to_tsvector('simple', content) AS document,"
                    " websearch_to_tsquery('simple', :query) AS query"
                    " WHERE project_id = :project AND document @@ query ORDER BY 2 DESC, 1 DESC"
                ),
                {"query": query, "project": api.project_id},
            )
            expected = [(str(id_), rank) for id_, rank in rows]
        assert [(each["message"]["id"], each["rank"]) for each in answer["nodes"]] == expected
        assert answer["totalCount"] == len(expected) > 0


async def test_a_filter_selects_the_messages_that_are_searched(api: Api) -> None:
    first, second = await say(api, "one tea", "two teas, one tea", feedback="positive")
    await say(api, "three tea")
    own = {"sessionId": {"eq": str(first.session_id)}}
    assert await found(api, "tea", filter=own) == ["one tea", "two teas, one tea"]
    assert await found(api, "tea", filter={**own, "sequence": {"gt": 1}}) == ["two teas, one tea"]
    assert await found(api, "tea", filter={"feedback": {"isNull": True}}) == ["three tea"]
    assert await found(api, "tea", filter={"session": {"title": {"eq": "none"}}}) == []
    error = await api.error(MESSAGES, query="tea", filter={"and": []})
    assert error["extensions"]["field"] == "filter.and"
    assert second.sequence == 2


async def test_a_search_finds_nothing_of_another_project(api: Api, other: Api) -> None:
    await say(other, "secret tea")
    await factories.memory(other, content="secret tea")
    assert await found(api, "tea") == []
    assert (await api.ask(MEMORIES, query="tea"))["searchMemories"] == {"totalCount": 0, "nodes": []}


async def test_a_changed_message_is_found_by_its_new_words_only(api: Api) -> None:
    [message] = await say(api, "secret tea")
    await api.run(messages.update, id_=message.id, values={"content": "public coffee"})
    assert (await found(api, "tea"), await found(api, "coffee")) == ([], ["public coffee"])
    await api.run(messages.redact, id_=message.id)
    assert await found(api, "coffee") == []


@pytest.mark.parametrize("order", [None, ("RANK", "ASC"), ("CREATED_AT", "DESC"), ("CREATED_AT", "ASC")])
async def test_pages_in_both_directions_return_each_match_once(
    api: Api, order: tuple[str, str] | None
) -> None:
    # Three contents at two times make many ties.
    await say(api, *["tea", "tea tea", "tea and milk"] * 5, created_at=datetime(2026, 1, 1, tzinfo=UTC))
    await say(api, *["tea", "tea tea", "tea and milk"] * 2)
    asked: dict[str, Any] = {"query": "tea"}
    if order is not None:
        asked["orderBy"] = [{"field": order[0], "direction": order[1]}]
    whole = (await api.ask(MESSAGES, **asked))["searchMessages"]
    keys = [(each["rank"], each["message"]["createdAt"], each["message"]["id"]) for each in whole["nodes"]]
    by, direction = order or ("RANK", "DESC")
    assert whole["totalCount"] == len(set(keys)) == 21
    assert keys == sorted(
        keys, key=lambda key: (key[0] if by == "RANK" else key[1], key[2]), reverse=direction == "DESC"
    )
    for size, cursor, at, more in (
        ("first", "after", "endCursor", "hasNextPage"),
        ("last", "before", "startCursor", "hasPreviousPage"),
    ):
        walked: list[Any] = []
        given: dict[str, Any] = {size: 4}
        while True:
            page = (await api.ask(MESSAGES, **asked, **given))["searchMessages"]
            assert page["totalCount"] == 21
            walked = walked + page["nodes"] if size == "first" else page["nodes"] + walked
            if not page["pageInfo"][more]:
                break
            given[cursor] = page["pageInfo"][at]
        assert walked == whole["nodes"]


async def test_only_the_newest_of_many_matches_are_ranked(api: Api) -> None:
    old = [
        said("tea tea tea", created_at=datetime(2025, 1, 1, 0, 0, second, tzinfo=UTC)) for second in range(9)
    ]
    new = [said("some tea", created_at=datetime(2026, 1, 1, tzinfo=UTC))] * (MAX_RANKED - 4)
    session = await factories.session(api)
    await factories.say(api, session.id, *old, *new)
    answer = (await api.ask(MESSAGES, query="tea", first=5))["searchMessages"]
    assert answer["totalCount"] == MAX_RANKED
    assert [each["message"]["sequence"] for each in answer["nodes"]][:4] == [9, 8, 7, 6]
    assert answer["nodes"][4]["message"]["content"] == "some tea"


async def test_a_query_that_is_slow_to_parse_is_parsed_once(api: Api) -> None:
    await say(api, *["some tea"] * MAX_RANKED)
    # Parsing takes milliseconds: doing so for each row would exceed the statement timeout.
    query = "tea " + '"' * 500 + "-" * (MAX_QUERY - 504)
    # After some executions, PostgreSQL uses a generic plan.
    for _ in range(7):
        assert (await api.ask(MESSAGES, query=query, first=1))["searchMessages"]["totalCount"] == MAX_RANKED


async def test_a_word_that_every_text_has_is_looked_up_in_the_index(api: Api, owner: AsyncEngine) -> None:
    await say(api, *["some tea"] * MAX_RANKED)
    async with owner.begin() as connection:
        await connection.execute(text("ANALYZE messages"))
    request = SEARCH.request({"query": "tea", "first": 5}, Context(api.database, api.principal))
    async with api.database.read(api.project_id) as reads:
        asked = {TENANT: api.project_id, **request.parameters}
        # As for a table so large that PostgreSQL would scan it in parallel.
        await reads.execute(text("SELECT set_config('parallel_setup_cost', '0', true)"), {})
        await reads.execute(text("SELECT set_config('min_parallel_table_scan_size', '0', true)"), {})
        [[[explained]]] = await reads.execute(explain(SEARCH.rows(request.shape, ["rank"])), asked)
    assert "messages_search_idx" in {node.get("Index Name") for node in nodes(explained["Plan"])}


async def test_excerpts_show_the_words_in_context(api: Api) -> None:
    await say(api, "filler " * 100 + "Then the Refund, at last" + " filler" * 100 + " (another refund)")
    shown = await excerpt(api, "refund")
    assert shown.count("<mark>") == 2
    assert "Then the <mark>Refund</mark>, at last" in shown
    assert " … " in shown
    assert len(shown) < 500


async def test_excerpts_are_safe_as_html(api: Api) -> None:
    await say(api, "<script>alert('1 & \"2\"')</script> </mark> &lt; <mark>no</mark> \x02mark\x03 \x1e")
    assert await excerpt(api, "alert mark") == (
        "script&gt;<mark>alert</mark>(&#39;1 &amp; &quot;2&quot;&#39;)&lt;/script&gt;"
        " &lt;/<mark>mark</mark>&gt; &amp;lt; &lt;<mark>mark</mark>&gt;no&lt;/<mark>mark</mark>&gt;"
        " <mark>mark</mark>"
    )


async def test_a_search_finds_memories_by_name_description_and_content(api: Api) -> None:
    by_content = await factories.memory(api, name="Lunch", content="Likes black tea")
    by_description = await factories.memory(api, description="Tea at four", content="Habit")
    by_name = await factories.memory(api, name="Tea", content="Black, without sugar")
    await factories.memory(api, name="Coffee", content="None")
    matches = (await api.ask(MEMORIES, query="tea"))["searchMemories"]["nodes"]
    assert [each["memory"]["id"] for each in matches] == [
        str(each.id) for each in (by_name, by_description, by_content)
    ]
    assert [each["excerpt"] for each in matches] == [
        "<mark>Tea</mark> · Black, without sugar",
        "<mark>Tea</mark> at four · Habit",
        "Lunch · Likes black <mark>tea</mark>",
    ]
    asked = {"query": "black tea", "filter": {"name": {"eq": "Tea"}}}
    [match] = (await api.ask(MEMORIES, **asked))["searchMemories"]["nodes"]
    assert match["memory"]["name"] == "Tea"
    await api.run(memories.update, id_=by_name.id, values={"name": "Leaves"})
    assert (await api.ask(MEMORIES, **asked))["searchMemories"]["totalCount"] == 0


@pytest.mark.parametrize(
    ("query", "why"), [("tea\0", "NUL"), ("\ud83d", "surrogate"), ("x" * (MAX_QUERY + 1), "most")]
)
async def test_an_invalid_query_is_refused(api: Api, query: str, why: str) -> None:
    for document in (MESSAGES, MEMORIES):
        error = await api.error(document, query=query)
        assert error["extensions"] == {"code": "BAD_USER_INPUT", "field": "query"}
        assert why in error["message"]


PIECES = st.sampled_from(
    [
        *("tea", "Tea's", '"', "-", "or", " ", "<", ">", "&", "<mark>", "</mark>", "&lt;", "<!--", "-->"),
        *("a@b.co", "x/y", "1e5x", "http://", "\x02", "\x03", "\x1e", "\n", "“", "…", "é", "ß", "👍", "你好"),
        *("\u200d", "\u200c", "\u0301", "\ufe0f", "\U000e0067", "\ue000", "\\", "'", "%", "\x1f", "\u200b"),
        *("京", "東京都", "ガ", "ｶﾞ", "か\u3099", "กุ", "น้ำ", "ﬁ", "\uff21", "한", "e\u0301", "葛\U000e0100"),
    ]
)
TEXTS = st.one_of(
    st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=60),
    st.lists(PIECES, max_size=12).map("".join),
)
ANY = settings(
    max_examples=60, deadline=None, derandomize=True, database=None, suppress_health_check=[*HealthCheck]
)


@pytest.fixture(scope="module")
async def editable(database: Database, owner: AsyncEngine) -> Any:
    """Provide a project with one message, whose content tests may change."""
    api = await make_api(database, owner)
    [message] = await say(api, "nothing")
    return api, message.id


NOT_SHOWN = re.compile(r"[\s\x02\x03\x1e\x1f\u200b-\u200d\u2060\ufe00-\ufe0f\U000e0100-\U000e01ef]+")
"""Controls that excerpts use, spaces, and what is invisible in scripts without spaces."""


def assert_safe(shown: str, content: str) -> None:
    """Check that an excerpt is escaped text of the content, with no HTML but marks."""
    bare = re.sub("</?mark>", "", shown)
    assert re.fullmatch(r"([^<>&\"']|&(lt|gt|amp|quot|#39);)*", bare), shown
    assert re.fullmatch(r"([^<]*<mark>[^<]+</mark>)*[^<]*", shown), shown
    compact_content = NOT_SHOWN.sub("", content)
    for passage in html.unescape(bare).split(" … "):
        assert NOT_SHOWN.sub("", passage) in compact_content


async def test_any_text_is_found_by_each_of_its_words_with_a_safe_excerpt(editable: tuple[Api, Any]) -> None:
    api, id_ = editable
    loop = asyncio.get_running_loop()

    async def check(content: str) -> None:
        await api.run(messages.update, id_=id_, values={"content": content})
        for word in content.split():
            asked = word.lstrip('-"“”„') if word.lower() != "or" else f'"{word}"'
            if re.search(r"[^\W_]", asked) is None:
                continue
            answer = (await api.ask(MESSAGES, query=asked[:MAX_QUERY]))["searchMessages"]
            [match] = answer["nodes"]
            assert match["message"]["content"] == content
            assert_safe(match["excerpt"], content)

    @ANY
    @given(TEXTS)
    @example("tea or-or coffee")
    def run(content: str) -> None:
        asyncio.run_coroutine_threadsafe(check(content), loop).result()

    await asyncio.to_thread(run)


async def test_any_query_is_answered_with_safe_excerpts(editable: tuple[Api, Any]) -> None:
    api, id_ = editable
    loop = asyncio.get_running_loop()

    async def check(content: str, query: str) -> None:
        await api.run(messages.update, id_=id_, values={"content": content})
        answer = (await api.ask(MESSAGES, query=query))["searchMessages"]
        assert answer["totalCount"] == len(answer["nodes"])
        for match in answer["nodes"]:
            assert_safe(match["excerpt"], content)

    @ANY
    @given(TEXTS, TEXTS)
    @example("x", "𐐀" * MAX_QUERY)
    @example("x", "x -" * (MAX_QUERY // 3))
    @example("x", '"x ' * (MAX_QUERY // 3))
    @example("x", "x or " * (MAX_QUERY // 5))
    def run(content: str, query: str) -> None:
        asyncio.run_coroutine_threadsafe(check(content, query), loop).result()

    await asyncio.to_thread(run)


async def test_the_loose_query_of_the_index_misses_no_match(owner: AsyncEngine) -> None:
    """The index is searched by a loose query, which must find everything that the exact query finds."""
    loop = asyncio.get_running_loop()
    missed = text(
        "SELECT search_document(CAST(:content AS text)) @@ search_query(:query)"
        " AND NOT search_document(CAST(:content AS text)) @@ search_loosely(:query)"
    )
    words = st.lists(
        st.sampled_from(["a", "b", "c", '"', '"', "-", "-", " ", " ", " ", "or", " or ", "1e5x", "“", "x-y"]),
        max_size=14,
    ).map("".join)

    async def check(content: str, query: str) -> None:
        async with owner.connect() as connection:
            assert not await connection.scalar(missed, {"content": content, "query": query})

    @settings(ANY, max_examples=300)
    @given(words, words)
    def run(content: str, query: str) -> None:
        asyncio.run_coroutine_threadsafe(check(content, query), loop).result()

    await asyncio.to_thread(run)


@pytest.mark.parametrize(
    "content",
    [
        " ".join(
            chr(0x10400 + n % 39) + chr(0x10400 + n // 39 % 39) + chr(0x10400 + n // 1521)
            for n in range(13_000)
        ),
        " ".join(f"{n:x}" for n in range(20_000)),
        "-".join(f"a{n}" for n in range(100_000)),
        "<" * 60_000,
        "x" * 1_000_000,
        "a/" * 50_000,
        "snake_case_" * 5_000,
        "".join(chr(0x20000 + n) for n in range(40_000)),
        "กุ้" * 20_000,
        "か\u3099" * 30_000,
        "a東" * 30_000,
        "ก" + "\u0e34" * 60_000,
        "e\u0301" * 30_000,
    ],
    ids=[
        *("four bytes", "numbers", "hyphens", "brackets", "one word", "path", "underscores"),
        *("Chinese", "Thai", "decomposed kana", "borders of scripts", "marks", "decomposed accents"),
    ],
)
async def test_a_very_long_text_is_stored_and_found(api: Api, content: str) -> None:
    await say(api, content)
    await factories.memory(api, description=content[::-1], content=content)
    assert await found(api, content[:20].split(maxsplit=1)[0]) in ([content], [])


async def test_an_excerpt_shows_the_passage_with_most_of_the_words(api: Api) -> None:
    await say(api, "a refund " + "and so on " * 2_000 + "the refund policy" + " and so on" * 2_000)
    assert "the <mark>refund</mark> <mark>policy</mark>" in await excerpt(api, "refund policy")


@contextmanager
def migrated(server: Server) -> Iterator[DatabaseUrls]:
    """Provide a database of its own, whose search language a test may change."""
    with server.fresh_database() as urls:
        asyncio.run(provision.ensure_role(urls.owner, request_url=urls.request))
        asyncio.run(migrations.upgrade(urls.owner))
        yield urls


@pytest.fixture
def languages(database_server: Server) -> Iterator[DatabaseUrls]:
    with migrated(database_server) as urls:
        yield urls


@asynccontextmanager
async def pool_of(urls: DatabaseUrls) -> AsyncIterator[tuple[Database, AsyncEngine]]:
    """Provide the pool of requests and the connections of the owner, on a database of the test."""
    target = parse(urls.owner)
    engine = create_async_engine(target.url, connect_args=target.connect_args)
    database = Database(urls.request)
    yield database, engine
    await database.close()
    await engine.dispose()


async def test_a_search_language_finds_other_forms_of_a_word(languages: DatabaseUrls) -> None:
    async with pool_of(languages) as (database, owner):
        api = await make_api(database, owner)
        contents = [
            "Die Häuser sind bezahlt",
            "The houses were paid",
            "Refunding the payments",
            "привет дома",
        ]
        await say(api, *contents)
        await factories.memory(api, name="Häuser", content="teuer")

        async def finds(**queries: set[int]) -> None:
            for query, expected in queries.items():
                assert set(await found(api, query)) == {contents[number] for number in expected}, query

        assert await administration.search_language(languages.owner) == "simple"
        await finds(haus=set(), Häuser={0}, house=set(), payment=set(), дом=set(), the={1, 2}, die={0})

        await administration.set_search_language(languages.owner, "german")
        assert await administration.search_language(languages.owner) == "german"
        # Stop words are found too, because they may be words of another language.
        await finds(haus={0}, Hauses={0}, häuser={0}, houses={1}, die={0}, the={1, 2}, sind={0})
        assert await excerpt(api, "haus") == "Die <mark>Häuser</mark> sind bezahlt"
        assert (await api.ask(MEMORIES, query="haus"))["searchMemories"]["totalCount"] == 1
        await say(api, "Ein Haus")
        contents.append("Ein Haus")
        await finds(häusern={0, 4})

        await administration.set_search_language(languages.owner, "english")
        await finds(house={1}, refunded={2}, payment={2}, paid={1}, häuser={0}, the={1, 2})
        await finds(haus={4})

        # The Russian configuration stems English words too.
        await administration.set_search_language(languages.owner, "russian")
        await finds(дом={3}, house={1})

        await administration.set_search_language(languages.owner, "simple")
        await finds(haus={4}, house=set(), дом=set(), häuser={0})
        await administration.set_search_language(languages.owner, "german")


async def test_an_unknown_language_is_refused(languages: DatabaseUrls) -> None:
    before = await administration.search_language(languages.owner)
    for language in ("klingon", "", "german; DROP TABLE messages", "German"):
        with pytest.raises(SetupError, match=r"it knows .*english.*simple"):
            await administration.set_search_language(languages.owner, language)
    assert await administration.search_language(languages.owner) == before


async def test_the_language_is_reset_when_the_tables_are_removed(languages: DatabaseUrls) -> None:
    await administration.set_search_language(languages.owner, "russian")
    await migrations.downgrade(languages.owner, "base")
    for done in (
        administration.search_language(languages.owner),
        administration.set_search_language(languages.owner, "german"),
    ):
        with pytest.raises(SetupError, match="agentdata db upgrade"):
            await done
    await migrations.upgrade(languages.owner)
    assert await administration.search_language(languages.owner) == "simple"
    await migrations.check(languages.owner)


def api_that_ranks(api: Api, monkeypatch: pytest.MonkeyPatch, most: int, looked_at: int = 10_000) -> Api:
    """Return an API that ranks few rows and looks at few, compiled anew."""
    monkeypatch.setattr(words, "MAX_RANKED", most)
    monkeypatch.setattr(words, "MAX_SEEN", looked_at)
    return replace(api, executor=Executor(schema, compiler=Compiler(schema)))


NOW = datetime.now(UTC)
AGO = [1, 60, 3_600, 86_400, 10**7, 10**9, 5 * 10**10, -(10**11)]
"""How long ago a text was written at most, in seconds; one may be from the future."""

FROM_NEWEST = """query ($query: String!, $filter: MessageFilter) {
  searchMessages(query: $query, filter: $filter, first: 100) {
    totalCount isComplete nodes { message { id createdAt } }
  }
}"""


async def test_the_newest_matches_are_found_whenever_they_were_written(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    random = Random(28)  # noqa: S311  # test data
    few = api_that_ranks(api, monkeypatch, 7)
    own = [(await factories.session(api)).id for _ in range(3)]
    written: list[tuple[datetime, UUID, str, UUID]] = []
    for session_id in own:
        ago = [random.choice(AGO) * random.random() for _ in range(60)]
        contents = [random.choice(["tea", "tea milk", "milk", "salt"]) for _ in ago]
        said_ = [
            said(content, created_at=NOW - timedelta(seconds=seconds))
            for content, seconds in zip(contents, ago, strict=True)
        ]
        messages = await factories.say(api, session_id, *said_)
        written += [(each.created_at, each.id, each.content or "", session_id) for each in messages]
    written.sort(reverse=True)
    for word in ("tea", "milk", "salt", "tea milk", "cream"):
        for filter_, sessions in (
            (None, own),
            ({"session": {"id": {"eq": str(own[0])}}}, own[:1]),
            ({"sessionId": {"eq": str(own[1])}}, own[1:2]),
        ):
            matches = [
                str(id_)
                for _, id_, content, session_id in written
                if session_id in sessions and set(word.split()) <= set(content.split())
            ]
            answer = (await few.ask(FROM_NEWEST, query=word, filter=filter_))["searchMessages"]
            assert {node["message"]["id"] for node in answer["nodes"]} == set(matches[:7])
            assert answer["totalCount"] == min(len(matches), 7)
            assert answer["isComplete"] == (len(matches) <= 7)


async def test_a_search_gives_up_if_its_filter_leaves_out_nearly_all(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    hasty = api_that_ranks(api, monkeypatch, 5, looked_at=20)
    session = await factories.session(api)
    times = [NOW - timedelta(days=day) for day in range(60)]
    messages = await factories.say(api, session.id, *[said("tea", created_at=at) for at in times])
    user = await factories.user(api)
    of_user = await factories.session(api, user_id=user.id)
    await factories.say(api, of_user.id, said("tea", created_at=times[-1]))
    answer = (await hasty.ask(FROM_NEWEST, query="tea", filter={"sequence": {"gt": 59}}))["searchMessages"]
    assert (answer["nodes"], answer["isComplete"]) == ([], False)
    # Filters by ids, here or of the session, and by time are none of these.
    middle = {"gte": times[40].isoformat(), "lt": times[38].isoformat()}
    for filter_, count in (
        ({"id": {"eq": str(messages[-1].id)}}, 1),
        ({"session": {"userId": {"eq": str(user.id)}}}, 1),
        ({"createdAt": {"lt": (times[-1] + timedelta(hours=1)).isoformat()}}, 2),
        ({"createdAt": middle}, 2),
        ({"createdAt": middle, "role": {"eq": "USER"}}, 2),
        ({"createdAt": {"lt": datetime(1999, 1, 1, tzinfo=UTC).isoformat()}}, 0),
    ):
        answer = (await hasty.ask(FROM_NEWEST, query="tea", filter=filter_))["searchMessages"]
        assert (answer["totalCount"], answer["isComplete"]) == (count, True), filter_


@given(st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 31), timezones=st.just(UTC)))  # noqa: DTZ001  # hypothesis adds it
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_a_time_is_within_its_periods(owner: AsyncEngine, at: datetime) -> None:
    async with owner.connect() as connection:
        spans = text(
            "SELECT array_agg(:at - since ORDER BY place) FROM unnest(search_times(:at))"
            " WITH ORDINALITY AS period (since, place)"
        )
        ages = await connection.scalar(spans, {"at": at})
    assert len(ages) == 6
    for power, age in enumerate(ages):
        assert timedelta(0) <= age < timedelta(minutes=4 * 16**power)
