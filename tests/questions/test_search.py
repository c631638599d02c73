"""Questions about the words of messages and memories."""

from __future__ import annotations

from html import unescape
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.questions.project import Project


@pytest.mark.parametrize(
    ("query", "condition"),
    [
        ("tea", r"content ~* '\ytea\y'"),
        ("please tea", r"content ~* '\ytea\y' AND content ~* '\yplease\y'"),
        ('"tea please"', r"content ~* '\ytea\W+please\y'"),
        ('"please tea"', "false"),
        ("hello or CARD", r"content ~* '\y(hello|card)\y'"),
        ("tea -please", r"content ~* '\ytea\y' AND content !~* '\yplease\y'"),
        ("<tea> & (:*", r"content ~* '\ytea\y'"),
        ("coffee", "false"),
    ],
)
async def test_messages_with_certain_words_are_found_best_first(
    shop: Project, query: str, condition: str
) -> None:
    data = await shop.query(
        """query($query: String!) { searchMessages(query: $query) {
            totalCount nodes { rank excerpt message { id content } }
        } }""",
        query=query,
    )
    rows = await shop.sql(
        f"""
        SELECT jsonb_build_object('id', id, 'content', content) AS message,
            ts_rank_cd(to_tsvector('simple', regexp_replace(content, '\\W+', ' ', 'g')),
                websearch_to_tsquery('simple', :words), 1 | 32) AS rank
        FROM messages WHERE project_id = :project AND {condition} ORDER BY rank DESC, id DESC
        """,  # noqa: S608  # texts of this test
        words=query.translate(str.maketrans("<>&(:*", "      ")),
    )
    found = data["searchMessages"]
    excerpts = [node.pop("excerpt") for node in found["nodes"]]
    assert found == {"totalCount": len(rows), "nodes": rows}
    for excerpt, row in zip(excerpts, rows, strict=True):
        assert "<mark>" in excerpt
        # Without its marks, the excerpt is escaped text of the message.
        plain = unescape(excerpt.replace("<mark>", "").replace("</mark>", ""))
        assert plain in row["message"]["content"]
        assert "<b>" not in excerpt


async def test_memories_with_certain_words_are_found(shop: Project) -> None:
    data = await shop.query("""{
        all: searchMemories(query: "tea") { totalCount nodes { memory { content } excerpt } }
        some: searchMemories(query: "tea", filter: {memoryType: {eq: "fact"}}) {
            nodes { memory { content } }
        }
    }""")
    rows = await shop.sql(r"""
        SELECT content, memory_type FROM memories WHERE project_id = :project
            AND concat_ws(' ', name, description, content) ~* '\ytea\y'
    """)
    assert data["all"]["totalCount"] == len(rows) == 2
    assert all("<mark>tea</mark>" in node["excerpt"] for node in data["all"]["nodes"])
    contents = sorted(node["memory"]["content"] for node in data["all"]["nodes"])
    assert contents == sorted(row["content"] for row in rows)
    facts = [{"memory": {"content": row["content"]}} for row in rows if row["memory_type"] == "fact"]
    assert data["some"]["nodes"] == facts
