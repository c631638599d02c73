"""`agentdata keys`: creates, lists, rotates and revokes the API keys of a project."""

import asyncio
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer

from agentdata.cli.database import database
from agentdata.cli.printing import print_row
from agentdata.cli.project import ProjectOption, project_of
from agentdata.cli.settings import load_settings

if TYPE_CHECKING:
    from models import ApiKey

app = typer.Typer(help="Create, list, rotate and revoke API keys.", no_args_is_help=True)


@app.command()
def create(
    *,
    name: Annotated[str, typer.Argument(help="What the key is for.")] = "Made on the command line",
    project: ProjectOption = None,
    scope: Annotated[
        list[str] | None,
        typer.Option(help="READ, WRITE, ADMIN, or such as messages:write; may be repeated; all by default."),
    ] = None,
    save: Annotated[
        bool, typer.Option("--save", help="Write it to the file `api-key` of the data folder.")
    ] = False,
) -> None:
    """Create a key and print its secret, which is shown only once."""
    from agentdata import administration
    from agentdata.operations import api_keys
    from models.enums import FULL_ACCESS, ApiKeyScope, scope_name

    settings = load_settings()

    async def run(url: str) -> str:
        place = await project_of(settings, url, project, ApiKeyScope.ADMIN)
        async with administration.acting_in(url, place) as write:
            scopes = [scope_name(each) for each in scope or FULL_ACCESS]
            _, secret = await api_keys.create(write, name, scopes)
            if save:
                administration.keep_key(settings, secret)
            return secret

    with database(settings) as urls:
        secret = asyncio.run(run(urls.owner))
    if save:
        print(f"The key is in {administration.key_file(settings)}", file=sys.stderr)
    else:
        print(secret)


@app.command("list")
def list_(project: ProjectOption = None) -> None:
    """Print a project's keys: id, prefix, scopes, state and name, with tabs between them."""
    from agentdata import administration
    from agentdata.operations import api_keys
    from models.enums import ApiKeyScope

    settings = load_settings()

    async def run(url: str) -> "list[ApiKey]":
        place = await project_of(settings, url, project, ApiKeyScope.ADMIN)
        async with administration.acting_in(url, place) as write:
            return await api_keys.list_all(write)

    with database(settings) as urls:
        for key in asyncio.run(run(urls.owner)):
            print_row(key.id, key.prefix, ",".join(key.scopes), _state(key), key.name)


@app.command()
def rotate(
    id_: Annotated[UUID, typer.Argument(metavar="ID", help="The key's id, as `keys list` prints it.")],
    overlap: Annotated[int, typer.Option(help="Seconds for which the key stays valid.")] = 86_400,
    project: ProjectOption = None,
) -> None:
    """Create a successor of a key, print its secret, and let the key expire after an overlap."""
    from agentdata import administration
    from agentdata.operations import api_keys
    from models.enums import ApiKeyScope

    settings = load_settings()

    async def run(url: str) -> str:
        place = await project_of(settings, url, project, ApiKeyScope.ADMIN)
        async with administration.acting_in(url, place) as write:
            _, secret = await api_keys.rotate(write, id_, overlap)
            return secret

    with database(settings) as urls:
        print(asyncio.run(run(urls.owner)))


@app.command()
def revoke(
    id_: Annotated[UUID, typer.Argument(metavar="ID", help="The key's id, as `keys list` prints it.")],
    project: ProjectOption = None,
) -> None:
    """Revoke a key for good; a running server refuses it within a second."""
    from agentdata import administration
    from agentdata.operations import api_keys
    from models.enums import ApiKeyScope

    settings = load_settings()

    async def run(url: str) -> "ApiKey":
        place = await project_of(settings, url, project, ApiKeyScope.ADMIN)
        async with administration.acting_in(url, place) as write:
            return await api_keys.revoke(write, id_)

    with database(settings) as urls:
        print(f"{asyncio.run(run(urls.owner)).prefix} is revoked.")


def _state(key: "ApiKey") -> str:
    if key.revoked_at:
        return "revoked"
    return "expired" if key.expires_at and key.expires_at <= datetime.now(UTC) else "valid"
