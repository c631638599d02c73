"""Searches find words of all scripts: within sentences without spaces, in any form, without accents."""

# ruff: noqa: RUF001  # the texts are of many scripts

from __future__ import annotations

import asyncio
import re
import unicodedata
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from agentdata import administration, migrations
from agentdata.operations import messages
from tests.api import make_api
from tests.resolvers.test_search import (
    ANY,
    MESSAGES,
    assert_safe,
    editable,
    excerpt,
    found,
    languages,
    migrated,
    pool_of,
    say,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy.ext.asyncio import AsyncEngine

    from agentdata.database_urls import DatabaseUrls
    from tests.api import Api
    from tests.databases import Server

__all__ = ["editable", "languages"]

SIMPLIFIED = "我们在东京和北京的办公室已经重新开放，客户要求在星期一之前退款。"
TRADITIONAL = "臺灣的客戶要求在星期一之前退款，東京的倉庫已經找到發票。"
JAPANESE = "私は東京都に住んでいます。GPT-4を使うと、カスタマーサービスが便利です。"
THAI = "กรุงเทพมหานครเป็นเมืองหลวงของประเทศไทย น้ำท่วมในปี๒๕๖๗"
LAO = "ນະຄອນຫຼວງວຽງຈັນເປັນເມືອງຫຼວງຂອງປະເທດລາວ"
KHMER = "ភ្នំពេញ\u200bជា\u200bរាជធានី\u200bនៃ\u200bប្រទេស\u200bកម្ពុជា"
BURMESE = "နေပြည်တော်သည်မြန်မာနိုင်ငံ၏မြို့တော်ဖြစ်သည်"


@pytest.mark.parametrize(
    ("content", "queries", "others"),
    [
        (
            SIMPLIFIED,
            ["东京", "北京的办公室", "退款", "客户 东京", '"客户要求"', "京", "款", "我", "东京 or 上海"],
            ["京东", "上海", '"东京退款"', "退款 -东京", '退款 -"东京和"', "東京", "我京"],
        ),
        (TRADITIONAL, ["臺灣", "東京的倉庫", "發票", "票", "客戶 -北京"], ["東京倉庫", "发票", "客戶 -發票"]),
        (
            JAPANESE,
            [
                "東京",
                "京都",
                "東京都に住んで",
                "カスタマー",
                "サービス",
                "GPT-4を使う",
                "GPT",
                "gpt 便利",
                "都に",
            ],
            ["東都", "大阪", "GPT-5を使う", '"GPT 使う"', "gpt -便利"],
        ),
        (THAI, ["เมืองหลวง", "ประเทศไทย", "น้ำ", "น้ำท่วม", "๒๕๖๗", "ปี๒๕๖๗", "ก"], ["เมืองไทย", "กล", "๒๕๖๘"]),
        (LAO, ["ວຽງຈັນ", "ເມືອງຫຼວງ", "ປະເທດລາວ"], ["ເມືອງລາວ"]),
        (KHMER, ["ភ្នំពេញ", "រាជធានី", "ប្រទេសកម្ពុជា", "ប្រទេស\u200bកម្ពុជា"], ["រាជកម្ពុជា"]),
        (BURMESE, ["မြန်မာ", "မြန်မာနိုင်ငံ", "မြို့တော်"], ["မြန်မြို့"]),
        (
            "iPhone用のケース、2024年第3章",
            ["iphone", "iPhone用", "用", "2024年", "2024", "第3章", "ケース"],
            ["用途", "3年"],
        ),
        (
            "使用 ABC 和 中文",
            ['"使用 ABC"', '"ABC 和"', '"abc 和 中文"', '"用 abc"'],
            ['"使用 和"', '"使 abc"'],
        ),
        ("한국어는 띄어 씁니다", ["한국어는", "띄어"], ["한국", "국어"]),
        # A bracket between the minus and the words changes nothing; a space takes the minus its meaning.
        ("cat dog", ["cat -「東京都」", "cat -（東京都）", "cat -東京都"], ["cat -「dog」", 'cat - "a b"']),
    ],
    ids=[
        "simplified",
        "traditional",
        "Japanese",
        "Thai",
        "Lao",
        "Khmer",
        "Burmese",
        "mixed",
        "phrases",
        "Korean",
        "excluded",
    ],
)
async def test_words_are_found_within_sentences_without_spaces(
    api: Api, content: str, queries: list[str], others: list[str]
) -> None:
    await say(api, content, "nothing of it")
    for query in queries:
        assert await found(api, query) == [content], query
    for query in others:
        assert await found(api, query) == [], query


@pytest.mark.parametrize(
    ("content", "query", "shown"),
    [
        (
            JAPANESE,
            "東京",
            "私は<mark>東京</mark>都に住んでいます。GPT-4を使うと、カスタマーサービスが便利です。",
        ),
        ("東京都と京都", "東京都", "<mark>東京都</mark>と京都"),
        ("東京都と京都", "京", "東<mark>京</mark>都と<mark>京</mark>都"),
        ("iPhone用のケース", "iPhone用", "<mark>iPhone</mark><mark>用</mark>のケース"),
        ("น้ำท่วมเมืองหลวงของไทย", "เมืองหลวง", "น้ำท่วม<mark>เมืองหลวง</mark>ของไทย"),
        ("ＡＢＣ１２３のｶﾞｲﾄﾞ", "abc123 ガイド", "<mark>ＡＢＣ１２３</mark>の<mark>ｶﾞｲﾄﾞ</mark>"),
        ("Le cafe\u0301 est ﬁni", "café fini", "Le <mark>cafe\u0301</mark> est <mark>ﬁni</mark>"),
        ("<東京>&東京", "東京", "<mark>東京</mark>&gt;&amp;<mark>東京</mark>"),
        ("葛\U000e0100城の東\u200b京", "葛城 東京", "<mark>葛城</mark>の<mark>東京</mark>"),
    ],
)
async def test_excerpts_mark_what_was_found_in_the_text_as_it_was_written(
    api: Api, content: str, query: str, shown: str
) -> None:
    await say(api, content)
    assert await excerpt(api, query) == shown


async def test_an_excerpt_of_a_long_text_shows_the_passage_with_the_words(api: Api) -> None:
    await say(api, "这里没有什么。" * 1_000 + "他们住在东京的时候" + "，这里也没有什么" * 500)
    assert "住在<mark>东京</mark>的时候" in await excerpt(api, "东京")


@pytest.mark.parametrize(
    "content",
    [
        "L’élève a trouvé ça en décembre à la crèche",
        "Die Bäcker üben größere Brötchen",
        "El niño pidió más acción en la compañía",
        "Thành phố Hồ Chí Minh và Đà Nẵng đều ở Việt Nam",
        "서울은 대한민국의 수도이다",
        "ガイドブックでパンを調べる",
        "เมืองหลวงของประเทศไทยน้ำท่วม",
        "हिन्दी में क़लम और ज़रूर",
    ],
)
async def test_composed_and_decomposed_texts_find_each_other(api: Api, content: str) -> None:
    forms = [unicodedata.normalize(form, content) for form in ("NFC", "NFD")]
    await say(api, *forms)
    for form in forms:
        assert set(await found(api, form)) == set(forms)
        for word in form.split():
            assert set(await found(api, word)) == set(forms)


@pytest.mark.parametrize(
    ("content", "query"),
    [
        ("ＡＢＣ１２３", "abc123"),
        ("ｶﾀｶﾅのﾊﾟﾝ", "カタカナのパン"),
        ("ﬁnance eﬀort", "finance effort"),
        ("ﺳﻼﻡ", "سلام"),
        ("第Ⅳ章", "第IV章"),
        ("⽇本の⾦", "日本の金"),
        ("m²", "m2"),
    ],
    ids=[
        "full width",
        "half width",
        "ligatures",
        "presentation forms",
        "numerals",
        "radicals",
        "superscript",
    ],
)
async def test_forms_of_a_letter_find_each_other(api: Api, content: str, query: str) -> None:
    await say(api, content, query)
    assert set(await found(api, query)) == set(await found(api, content)) == {content, query}


async def test_symbols_part_words_in_every_form(api: Api) -> None:
    await say(api, "Agentdata™ costs ½ of it…")
    assert len(await found(api, "agentdata costs it")) == 1
    assert await found(api, "agentdatatm") == []


async def test_each_character_is_the_same_in_all_of_its_forms(owner: AsyncEngine) -> None:
    """The texts that are read without making their normal form are those in it."""
    differ = text(
        "SELECT a || ' ' || b FROM unnest(CAST(:given AS text[]), CAST(:normal AS text[])) AS forms (a, b)"
        " WHERE search_document(a) <> '' AND search_document(a) <> search_document(b)"
    )
    pairs = [
        (form, normal)
        for code in (*range(0x80, 0xD800), *range(0xE000, 0x30000))
        for form in {chr(code), unicodedata.normalize("NFD", chr(code))}
        if form != (normal := unicodedata.normalize("NFKC", chr(code)))
    ]
    assert len(pairs) > 15_000
    async with owner.connect() as connection:
        asked = {"given": [form for form, _ in pairs], "normal": [form for _, form in pairs]}
        rows = await connection.scalars(differ, asked)
    assert list(rows) == []


# Every seventh character is in each block of more than six.
@pytest.mark.parametrize("step", [7, pytest.param(1, marks=pytest.mark.slow)])
async def test_no_character_is_an_error(owner: AsyncEngine, step: int) -> None:
    every = [code for code in range(1, 0x110000, step) if not 0xD800 <= code < 0xE000]
    texts = ["".join(map(chr, every[begin : begin + 900])) for begin in range(0, len(every), 900)]
    read = text(
        "SELECT count(search_excerpt(body, search_query(body), tsvector_to_array(search_document(body))))"
        " FROM unnest(CAST(:texts AS text[])) AS texts (body) WHERE search_loosely(body) IS NOT NULL"
    )
    async with owner.connect() as connection:
        assert await connection.scalar(read, {"texts": texts}) == len(texts)


LETTERS = st.sampled_from("東京都大阪人日本的の를カー")
CHINESE = st.text(st.one_of(LETTERS, st.sampled_from("aé1。 -")), min_size=2, max_size=30)


async def test_every_two_neighbours_find_a_text(editable: tuple[Api, Any]) -> None:
    api, id_ = editable
    loop = asyncio.get_running_loop()

    async def check(content: str) -> None:
        await api.run(messages.update, id_=id_, values={"content": content})
        runs = re.findall(r"[東京都大阪人日本的のカー]+", content)
        parts = {
            run[begin : begin + size] for run in runs for size in (1, 2, 3, 9) for begin in range(len(run))
        }
        for part in parts:
            answer = (await api.ask(MESSAGES, query=part))["searchMessages"]
            [match] = answer["nodes"]
            assert_safe(match["excerpt"], content)
            marked = re.findall("<mark>(.+?)</mark>", match["excerpt"])
            assert any(part in each for each in marked) or len(part) == 1, match["excerpt"]
        pairs = {run[begin : begin + 2] for run in runs for begin in range(len(run) - 1)}
        for pair in {"東京", "京東", "日本", "本人"} - pairs:
            assert await found(api, pair) == []

    @settings(ANY, max_examples=40)
    @given(CHINESE)
    def run(content: str) -> None:
        asyncio.run_coroutine_threadsafe(check(content), loop).result()

    await asyncio.to_thread(run)


async def test_the_loose_query_misses_no_text_without_spaces(owner: AsyncEngine) -> None:
    loop = asyncio.get_running_loop()
    missed = text(
        "SELECT search_document(CAST(:content AS text)) @@ search_query(:query)"
        " AND NOT search_document(CAST(:content AS text)) @@ search_loosely(:query)"
    )
    words = st.lists(
        st.sampled_from(
            ["東", "京", "都", "東京", "a", "กุ", '"', '"', "-", "-「", "」", " ", " ", " or ", "1", ","]
        ),
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


@pytest.mark.parametrize("letter", ["東", "กุ้", "か\u3099", "a東", "é", "e\u0301"])
async def test_the_longest_text_is_read_within_a_second(owner: AsyncEngine, letter: str) -> None:
    async with owner.begin() as connection:
        await connection.execute(text("SET LOCAL statement_timeout = '1s'"))
        await connection.execute(text("SELECT search_document(:body)"), {"body": letter * 50_000})


FOLDED = {
    "english": [
        "naïve naive",
        "café cafe",
        "Łódź lodz",
        "Đà da",
        "Nẵng nang",
        "Straße strasse",
        "Ǿrsted orsted",
        "ǽthel aethel",
    ],
    "french": ["décembre decembre", "élèves eleve", "cœur coeur", "garçon garcon", "où ou", "Noël noel"],
    "spanish": ["acción accion", "pingüino pinguino", "más mas"],
    "portuguese": ["não nao", "coração coracao", "você voce"],
    "romanian": ["știință stiinta", "ştiinţă știință"],
    "swedish": ["idé ide", "à a"],
    "german": ["Café cafe"],
    "danish": ["Malmö malmo"],
    "turkish": ["kâr kar"],
}
KEPT = {
    "english": ["й и", "が か"],
    "spanish": ["año ano"],
    "swedish": ["är ar", "på pa", "öl ol"],
    "danish": ["på pa", "rød rod", "læse laese"],
    "turkish": ["ışık isik", "ölü olu"],
    "finnish": ["säde sade"],
    "hungarian": ["kór kor"],
    "russian": ["café cafe"],
    "simple": ["café cafe", "décembre decembre", "schön schon"],
}


@pytest.fixture(scope="module")
def polyglot(database_server: Server) -> Iterator[DatabaseUrls]:
    """Provide a database without rows that each test gives its own language."""
    with migrated(database_server) as urls:
        yield urls


@pytest.mark.parametrize("language", sorted({*FOLDED, *KEPT}))
async def test_a_language_says_which_accents_are_folded(polyglot: DatabaseUrls, language: str) -> None:
    await administration.set_search_language(polyglot.owner, language)
    equal = text("SELECT search_document(:a) @@ search_query(:b) AND search_document(:b) @@ search_query(:a)")
    async with pool_of(polyglot) as (_, owner), owner.connect() as connection:
        for words, are_equal in ((FOLDED.get(language, []), True), (KEPT.get(language, []), False)):
            for a, b in (each.split() for each in words):
                for form in ("NFC", "NFD"):
                    asked = {"a": unicodedata.normalize(form, a), "b": b}
                    assert await connection.scalar(equal, asked) is are_equal, asked


async def test_excerpts_show_accents_that_were_folded(languages: DatabaseUrls) -> None:
    await administration.set_search_language(languages.owner, "french")
    async with pool_of(languages) as (database, owner):
        api = await make_api(database, owner)
        await say(api, "L'été, la maîtresse de l’E\u0301lève égaré a trouvé un œuf en DÉCEMBRE")
        assert await excerpt(api, "ete eleves oeuf decembre") == (
            "L&#39;<mark>été</mark>, la maîtresse de l’<mark>E\u0301lève</mark> égaré a trouvé un"
            " <mark>œuf</mark> en <mark>DÉCEMBRE</mark>"
        )


async def test_open_connections_index_as_a_new_language_says(languages: DatabaseUrls) -> None:
    """A connection keeps the expression of an index that it has used."""
    indexed = text(
        "SELECT content FROM messages WHERE search_document(content) @@ search_loosely('decembre')"
    )
    async with pool_of(languages) as (database, owner):
        api = await make_api(database, owner)
        await say(api, "au début de décembre")
        for language in ("french", "simple", "english"):
            await administration.set_search_language(languages.owner, language)
            await say(api, "en décembre")
            async with owner.begin() as connection:
                await connection.execute(text("SET LOCAL enable_seqscan = off"))
                contents = set(await connection.scalars(indexed))
            assert contents == (set() if language == "simple" else {"au début de décembre", "en décembre"})
            assert set(await found(api, "decembre")) == contents


async def test_a_language_is_kept_by_an_upgrade(languages: DatabaseUrls) -> None:
    await administration.set_search_language(languages.owner, "german")
    await migrations.downgrade(languages.owner, "0030")
    await migrations.upgrade(languages.owner)
    assert await administration.search_language(languages.owner) == "german"
    async with pool_of(languages) as (database, owner):
        api = await make_api(database, owner)
        await say(api, "Die Häuser in 東京都")
        assert await found(api, "haus 東京") == ["Die Häuser in 東京都"]
