"""Provides the database of the settings, by the URLs of its two roles."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from agentdata.settings import Settings


@dataclass(frozen=True)
class DatabaseUrls:
    """The URL of the tables' owner, for migrations, and the URL for everything else."""

    owner: str
    request: str


@contextmanager
def database_urls(settings: "Settings", *, to_serve: bool = False) -> Iterator[DatabaseUrls]:
    """Provide the database for the time of the block: that of DATABASE_URL, or the embedded one.

    The embedded database is shared with a server that runs on the data folder; with `to_serve`, such a server
    is an error. Raises SetupError.
    """
    if settings.database_url:
        request = settings.database_url.get_secret_value()
        owner = settings.migration_database_url
        yield DatabaseUrls(owner.get_secret_value() if owner else request, request)
        return
    # This import fails on systems without the embedded server.
    from agentdata.embedded import connect_or_start, running  # noqa: PLC0415

    with (running if to_serve else connect_or_start)(settings.data_dir) as server:
        yield DatabaseUrls(server.owner_url, server.request_url)
