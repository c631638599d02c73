"""`agentdata demo`: serves a small data set that shows every feature, from a data folder of its own."""

from pathlib import Path
from typing import Annotated

import typer

from agentdata.cli.serve import run
from agentdata.cli.settings import load_settings


def demo(
    data_dir: Annotated[
        Path, typer.Option(help="Folder of the embedded database and of its API key.")
    ] = Path(".agentdata-demo"),
) -> None:
    """Serve a small data set that shows every feature, apart from all other data.

    The database is an embedded one in a folder of its own: DATABASE_URL and AGENTDATA_DATA_DIR are ignored.
    The other settings are those of `agentdata serve`.
    """
    embedded = {"data_dir": data_dir, "database_url": None, "migration_database_url": None}
    run(load_settings().model_copy(update=embedded), _fill)


async def _fill(url: str) -> None:
    from agentdata.administration import DEFAULT_PROJECT, acting_in
    from agentdata.demo import load

    async with acting_in(url, DEFAULT_PROJECT) as write:
        loaded = await load(write)
    print("The demo data is loaded" if loaded else "The demo data was loaded before", flush=True)
