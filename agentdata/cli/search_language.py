"""`agentdata search-language`: prints or changes the language of searches by text."""

import asyncio
from typing import Annotated

import typer

from agentdata.cli.database import database
from agentdata.cli.settings import load_settings


def search_language(
    language: Annotated[
        str | None,
        typer.Argument(help="Such as `english`, or `simple` to find words only as they are written."),
    ] = None,
) -> None:
    """Print the language whose word forms searches know, or change it and rebuild the search indexes."""
    from agentdata import administration

    with database(load_settings()) as urls:
        if language is not None:
            asyncio.run(administration.set_search_language(urls.owner, language))
        print(asyncio.run(administration.search_language(urls.owner)))
