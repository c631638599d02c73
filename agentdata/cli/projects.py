"""`agentdata projects`: creates and lists projects, which are the tenants."""

import asyncio
from typing import Annotated

import typer

from agentdata.cli.database import database
from agentdata.cli.printing import print_row
from agentdata.cli.settings import load_settings

app = typer.Typer(help="Create, rename and list projects, which share no data.", no_args_is_help=True)


@app.command()
def create(
    slug: Annotated[str, typer.Argument(help="Its short name: a-z, 0-9 and hyphens.")],
    name: Annotated[str | None, typer.Option(help="Its display name; by default the slug.")] = None,
) -> None:
    """Create a project and print its id."""
    from agentdata import administration

    with database(load_settings()) as urls:
        print(asyncio.run(administration.create_project(urls.owner, name or slug, slug)).id)


@app.command()
def rename(
    project: Annotated[str, typer.Argument(help="The project, by its slug or id.")],
    slug: Annotated[str, typer.Argument(help="Its new short name: a-z, 0-9 and hyphens.")],
) -> None:
    """Change the slug of a project; no request can. Its id and keys stay."""
    from agentdata import administration

    with database(load_settings()) as urls:
        print(asyncio.run(administration.rename_project(urls.owner, project, slug)).id)


@app.command("list")
def list_() -> None:
    """Print all projects: slug, id and name, with tabs between them."""
    from agentdata import administration

    with database(load_settings()) as urls:
        for project in asyncio.run(administration.projects(urls.owner)):
            print_row(project.slug, project.id, project.name)
