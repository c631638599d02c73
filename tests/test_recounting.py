"""Totals that something else than the server made wrong are counted anew, while others write."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING
from uuid import UUID

from sqlalchemy import text

from agentdata.recounting import recount
from models.enums import MessageRole
from tests import factories
from tests.factories import called, happened, said, used
from tests.writes import some_of_each, untrue

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

    from agentdata.database_urls import DatabaseUrls
    from tests.api import Api

WRONG = (
    "UPDATE agents SET total_sessions = total_sessions + 1, failed_sessions = 7",
    "UPDATE sessions SET message_count = message_count + 3, error_count = 17, completion_tokens = 5000",
    "UPDATE sessions SET interaction_count = 90, prompt_tokens = prompt_tokens + 1",
    "UPDATE memories SET access_count = access_count + 1, rated_count = 9, usefulness_total = 1",
    "UPDATE knowledge_documents SET chunk_count = chunk_count + 1",
    "UPDATE knowledge_versions SET chunk_count = 99, document_count = 9",
    "UPDATE session_totals SET value = value + 1",
)


async def spoil(owner: AsyncEngine, api: Api) -> None:
    """Make the totals of all rows of a project wrong."""
    async with owner.begin() as connection:
        for statement in WRONG:
            await connection.execute(
                text(f"{statement} WHERE project_id = :project"), {"project": api.principal.project_id}
            )


async def test_all_totals_are_counted_anew_and_only_wrong_ones_are_changed(
    api: Api, other: Api, owner: AsyncEngine, database_urls: DatabaseUrls
) -> None:
    await some_of_each(other)
    things = await some_of_each(api)
    failing = said(role=MessageRole.ASSISTANT, prompt_tokens=5, tool_calls=[called(error="no")])
    session = await factories.session(api)
    await factories.say(api, session.id, said(), failing)
    await factories.events(api, session.id, happened("error"))
    await factories.usage(api, used(session.id, prompt_tokens=3, completion_tokens=4))
    for usefulness in (0.1, None, 0.2):
        await factories.memory_access(api, UUID(things["memory"]), usefulness=usefulness)
    project = str(api.principal.project_id)
    right = await recount(database_urls.owner, project)
    assert all(each.corrected == 0 < each.rows for each in right), right
    await spoil(owner, api)
    await spoil(owner, other)
    assert await untrue(owner, api) != []
    corrected = await recount(database_urls.owner, project)
    assert [each.corrected for each in corrected] == [each.rows for each in right]
    assert await untrue(owner, api) == []
    assert await untrue(owner, other) != []


async def test_totals_are_right_if_others_write_while_they_are_counted(
    api: Api, owner: AsyncEngine, database_urls: DatabaseUrls
) -> None:
    session = await factories.session(api)
    failing = said(role=MessageRole.ASSISTANT, tool_calls=[called(error="no")])
    await factories.say(api, session.id, failing)
    await spoil(owner, api)
    counting = [recount(database_urls.owner, str(api.principal.project_id)) for _ in range(3)]
    await asyncio.gather(*counting, *[factories.say(api, session.id, said(), failing) for _ in range(40)])
    assert await untrue(owner, api) == []
