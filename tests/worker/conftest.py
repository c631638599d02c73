"""Workers of one project, and an endpoint for them."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from agentdata.worker.finding import Finder
from agentdata.worker.running import Worker
from tests.embedding import MODEL, endpoint

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Sequence
    from contextlib import AbstractAsyncContextManager

    from agentdata.database_urls import DatabaseUrls
    from agentdata.worker.running import Kind
    from tests.api import Api
    from tests.embedding import Endpoint

    Working = Callable[..., AbstractAsyncContextManager[Worker]]


@pytest.fixture
def served() -> Iterator[Endpoint]:
    """Serve an endpoint."""
    with endpoint() as served:
        yield served


@pytest.fixture
def embedded(api: Api) -> Api:
    """Provide the project of ``api`` on a server with an endpoint, whose writes wake the worker."""
    database = api.database.within(None)
    database.embedding_model = MODEL
    return replace(api, database=database)


@pytest.fixture
async def finder(database_urls: DatabaseUrls, api: Api) -> AsyncIterator[Finder]:
    """Provide what looks for work in the project of ``api``."""
    finder = Finder(database_urls.owner, api.project_id)
    yield finder
    await finder.close()


@pytest.fixture
def working(api: Api, finder: Finder) -> Working:
    """Provide workers, each of which works during a block and ends with it."""

    @asynccontextmanager
    async def working(kinds: Sequence[Kind], **options: Any) -> AsyncIterator[Worker]:
        given: dict[str, Any] = {"interval_s": 0.01, "grace_s": 5, "finder": finder} | options
        worker = Worker(api.database, kinds=kinds, **given)
        task = asyncio.create_task(worker.run())
        try:
            yield worker
        finally:
            worker.stop()
            await task

    return working
