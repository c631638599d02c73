"""`agentdata db`: creates the role that requests run as, and runs the migrations."""

import asyncio
from typing import Annotated

import typer

from agentdata.cli.settings import load_settings

app = typer.Typer(help="Set up the database and migrate it.", no_args_is_help=True)

Revision = Annotated[
    str, typer.Argument(help="A revision's name, `head`, `base`, or steps from here such as +1 or -1.")
]

# -1 is a revision and no option.
_STEPS = {"ignore_unknown_options": True}


@app.command()
def init() -> None:
    """Create the role that requests run as, and check that row-level security applies to it."""
    from agentdata import provision
    from agentdata.database_urls import database_urls
    from models.base import REQUEST_ROLE

    settings = load_settings()
    with database_urls(settings) as urls:
        if settings.database_url:
            asyncio.run(provision.ensure_role(urls.owner, request_url=urls.request))
        asyncio.run(provision.check(urls.request))
        _print_vectors(urls.owner)
    print(f"The role {REQUEST_ROLE} is ready.")


@app.command(context_settings=_STEPS)
def upgrade(revision: Revision = "head") -> None:
    """Upgrade the tables to a revision; `head` is the newest."""
    from agentdata import migrations
    from agentdata.database_urls import database_urls

    with database_urls(load_settings()) as urls:
        asyncio.run(migrations.upgrade(urls.owner, revision))
        _print_vectors(urls.owner)
        _print_current(urls.owner)


@app.command(context_settings=_STEPS)
def downgrade(revision: Revision) -> None:
    """Downgrade the tables to a revision, losing data; `base` removes all tables."""
    from agentdata import migrations
    from agentdata.database_urls import database_urls

    with database_urls(load_settings()) as urls:
        asyncio.run(migrations.downgrade(urls.owner, revision))
        _print_current(urls.owner)


@app.command()
def new_secret() -> None:
    """Replace the secret that signs cursors: after a restart, servers refuse all cursors given out before."""
    from agentdata.administration import server_secret
    from agentdata.database_urls import database_urls

    with database_urls(load_settings()) as urls:
        asyncio.run(server_secret(urls.owner, new=True))
    print("The new secret signs cursors from the next start of each server on.")


@app.command()
def rebuild_totals(
    project: Annotated[
        str | None,
        typer.Option(metavar="SLUG|ID", help="The only project to count, by slug or id; all by default."),
    ] = None,
) -> None:
    """Count the contents of agents, sessions, memories and projects anew, and correct their totals."""
    from agentdata import recounting
    from agentdata.cli.database import database

    with database(load_settings()) as urls:
        for table, rows, corrected in asyncio.run(recounting.recount(urls.owner, project)):
            print(f"{table}: {corrected:,} of {rows:,} corrected")


@app.command()
def current() -> None:
    """Print the revision of the tables."""
    from agentdata.database_urls import database_urls

    with database_urls(load_settings()) as urls:
        _print_current(urls.owner)


def _print_vectors(url: str) -> None:
    from agentdata import provision
    from agentdata.vectors import NO_VECTORS

    if not asyncio.run(provision.ensure_vectors(url)):
        print(f"Note: {NO_VECTORS}.")


def _print_current(url: str) -> None:
    from agentdata import revisions

    at, newest = asyncio.run(revisions.current(url)), revisions.head()
    print(f"{at or 'base'}{' (head)' if at == newest else ''}")
