"""`agentdata search-language`: how searches by text read words."""

import asyncio
from typing import Annotated

import typer

from agentdata.cli.database import database
from agentdata.settings import load_settings


def search_language(
    language: Annotated[
        str | None, typer.Argument(help="Such as `english`, or `simple` for words as they are written.")
    ] = None,
) -> None:
    """Print the language that searches know the forms of words of, or change it and index all texts anew."""
    from agentdata import administration

    with database(load_settings()) as urls:
        if language is not None:
            asyncio.run(administration.set_search_language(urls.owner, language))
        print(asyncio.run(administration.search_language(urls.owner)))
