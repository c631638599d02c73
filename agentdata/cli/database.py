"""Provides the database to commands."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from agentdata.cli.importing import importing
from agentdata.database_urls import database_urls
from agentdata.setup_error import SetupError

if TYPE_CHECKING:
    from agentdata.database_urls import DatabaseUrls
    from agentdata.settings import Settings


@contextmanager
def database(settings: "Settings") -> Iterator["DatabaseUrls"]:
    """Provide the database for the time of the block, whether a server runs or not.

    A missing embedded database is created. The database of DATABASE_URL is used as it is, because a command
    that only reads must not migrate it.
    """
    with importing():
        from agentdata.administration import prepare

    with database_urls(settings) as urls:
        if not settings.database_url:
            asyncio.run(prepare(settings, urls))
        yield urls


@contextmanager
def resumable(work: str) -> Iterator[None]:
    """Raise SetupError if the database is lost during work that the same command completes later."""
    from sqlalchemy.exc import DBAPIError

    try:
        yield
    except (DBAPIError, OSError) as error:
        cause = str(getattr(error, "orig", error)).partition("\n")[0]
        raise SetupError(
            f"the {work} stopped: {cause}; run the same command again to {work} the rest"
        ) from None
