"""Makes a worker of the settings, and runs it until the process is asked to end."""

from __future__ import annotations

import asyncio
import signal
from typing import TYPE_CHECKING

from agentdata.connection import transaction
from agentdata.database import Database
from agentdata.embeddings import embedder_of
from agentdata.setup_error import SetupError
from agentdata.sight.metrics import Metrics
from agentdata.worker.embedding import Embedding
from agentdata.worker.finding import Finder
from agentdata.worker.running import Worker
from agentdata.worker.syncing import Syncing

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

    from agentdata.database_urls import DatabaseUrls
    from agentdata.settings import Settings
    from agentdata.sight.metrics import Worker as Place
    from agentdata.worker.running import Kind

_CONNECTIONS = 3
"""How many connections a job has at a time at most; a sync holds one all the while."""


def check(settings: Settings) -> None:
    """Check that a worker would have anything to do.

    Raises:
        SetupError: The settings give it nothing to do, or name a folder that is none.

    """
    if settings.embeddings_url is None and not settings.knowledge_folders:
        raise SetupError(
            "a worker has nothing to do: set AGENTDATA_EMBEDDINGS_URL to let it make vectors, or"
            " AGENTDATA_KNOWLEDGE_PATHS to let it sync knowledge bases"
        )
    for folder in settings.knowledge_folders:
        if not folder.is_absolute() or not folder.is_dir():
            raise SetupError(
                f"AGENTDATA_KNOWLEDGE_PATHS names {folder}, which is not the absolute path of a folder"
            )


async def work(
    settings: Settings,
    urls: DatabaseUrls,
    *,
    project_id: UUID | None = None,
    place: Place | None = None,
    started: Callable[[list[str], Metrics], None] | None = None,
) -> None:
    """Work until SIGTERM or SIGINT. ``started`` is called with the names of the queues, and the metrics.

    Raises:
        SetupError: The settings contradict each other, or the user of the tables' owner cannot read them.

    """
    check(settings)
    # Whoever may not read the tables is told so at once.
    async with transaction(urls.owner) as connection:
        await connection.exec_driver_sql("SELECT FROM queues, jobs, schedules, projects LIMIT 0")
    database = Database(
        urls.request,
        pool_size=_CONNECTIONS * settings.worker_jobs,
        pool_timeout_s=settings.pool_timeout_s,
        statement_timeout_ms=settings.statement_timeout_ms,
        embedding_model=settings.embeddings_model,
    )
    finder = Finder(urls.owner, project_id)
    embedder = embedder_of(settings)
    kinds: list[Kind] = []
    if embedder is not None:
        kinds.append(Embedding(database, finder, embedder))
    if settings.knowledge_folders:
        kinds.append(Syncing(settings.knowledge_folders))
    worker = Worker(database, finder, kinds, slots=settings.worker_jobs, grace_s=settings.shutdown_timeout_s)
    metrics = Metrics(database, place)
    sharing = asyncio.create_task(metrics.share())
    try:
        for ending in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(ending, worker.stop)
        if started is not None:
            started([kind.queue for kind in kinds], metrics)
        await worker.run()
    finally:
        sharing.cancel()
        if embedder is not None:
            await embedder.close()
        await finder.close()
        await database.close()
