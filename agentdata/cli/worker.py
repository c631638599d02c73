"""`agentdata worker`: does jobs of agentdata's own, such as making vectors and syncing knowledge bases."""

import asyncio
import signal
import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING, Annotated

import typer

from agentdata.cli.database import database
from agentdata.cli.serve import listen
from agentdata.cli.settings import load_settings
from agentdata.sight import logs

if TYPE_CHECKING:
    from uuid import UUID

    from agentdata.database_urls import DatabaseUrls
    from agentdata.settings import Settings
    from agentdata.sight.metrics import Metrics


def worker(
    project: Annotated[
        str | None,
        typer.Option(metavar="SLUG|ID", help="The only project to work for, by slug or id; all by default."),
    ] = None,
) -> None:
    """Do the jobs of the queues that begin with `agentdata.`, until Ctrl-C or SIGTERM.

    It makes the vectors that texts lack if AGENTDATA_EMBEDDINGS_URL is set, and syncs knowledge bases with
    the folders of AGENTDATA_KNOWLEDGE_PATHS. Any number of workers share the jobs. One that ends returns the
    jobs that it has not finished.
    """
    from agentdata.worker import starting

    settings = load_settings()
    logs.configure(settings.log_level, settings.log_format)
    starting.check(settings)
    # Until the worker handles the signal itself, it ends through all open blocks.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with database(settings) as urls:
        asyncio.run(_run(settings, urls, project))


async def _run(settings: "Settings", urls: "DatabaseUrls", project: str | None) -> None:
    from agentdata.administration import acting_in
    from agentdata.sight.beside import Beside
    from agentdata.worker import starting

    project_id: UUID | None = None
    if project is not None:
        async with acting_in(urls.owner, project) as write:
            project_id = write.project_id
    with ExitStack() as stack:
        listener = None
        if settings.metrics_port is not None:
            listener = stack.enter_context(
                listen(settings.metrics_host, settings.metrics_port, variables="AGENTDATA_METRICS_")
            )
        beside: Beside | None = None

        def started(queues: list[str], metrics: "Metrics") -> None:
            nonlocal beside
            beside = Beside(settings, metrics, listener, first=False)
            beside.start()
            print(f"The worker does the jobs of {' and '.join(queues)}; Ctrl-C ends it", flush=True)

        try:
            await starting.work(settings, urls, project_id=project_id, started=started)
        finally:
            if beside is not None:
                await beside.stop()
