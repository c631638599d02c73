"""Questions about the documentation find the page that answers them by their words alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.knowledge.relevance import QUESTIONS, any_word, first_pages, sync_docs

if TYPE_CHECKING:
    from tests.api import Api


async def test_words_alone_find_the_page_of_most_questions_among_the_first_three(api: Api) -> None:
    base = await sync_docs(api)
    missed = [
        question
        for question, page in QUESTIONS
        if page not in await first_pages(api, base, any_word(question))
    ]
    assert len(QUESTIONS) == 20
    assert len(missed) <= 2, missed
