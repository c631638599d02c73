"""The documentation page of questions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agentdata import demo
from tests.documentation import ROOT, examples
from tests.questions.project import in_one_statement

if TYPE_CHECKING:
    from tests.api import Api


async def test_each_query_of_the_questions_page_is_one_statement(api: Api) -> None:
    await api.run(demo.load)
    for example in examples((ROOT / "docs" / "questions.md").read_text()):
        await in_one_statement(api, example.request["query"], **example.request.get("variables", {}))
