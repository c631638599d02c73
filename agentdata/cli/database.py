"""The database that a command works on."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from agentdata.database_urls import DatabaseUrls, database_urls
from agentdata.settings import Settings


@contextmanager
def database(settings: Settings) -> Iterator[DatabaseUrls]:
    """Provide the database with its tables, whether a server runs or not.

    The embedded one is made where it is missing. The one of DATABASE_URL is taken as it is, because a command
    that only reads has no business to change it.
    """
    from agentdata.administration import prepare

    with database_urls(settings) as urls:
        if not settings.database_url:
            asyncio.run(prepare(settings, urls))
        yield urls
