"""Finds the project that a command acts in."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from agentdata.setup_error import SetupError

if TYPE_CHECKING:
    from agentdata.settings import Settings
    from models.enums import ApiKeyScope

ProjectOption = Annotated[
    str | None,
    typer.Option(
        "--project",
        metavar="SLUG|ID",
        help="The project to act in, by slug or id; by default that of the API key, else `default`.",
    ),
]


async def project_of(settings: "Settings", url: str, given: str | None, scope: "ApiKeyScope") -> str:
    """Return the slug or id of the project to act in: the given one, the key's, or the default project.

    A key in the environment must be valid. A key in the data folder may be older than the database, which is
    not the user's choice: an invalid one is ignored with a note. Raises SetupError if a key is refused.
    """
    from agentdata.administration import DEFAULT_PROJECT, key_file, project_of_key
    from agentdata.errors import ForbiddenError, UnauthenticatedError

    if given is not None:
        return given
    if settings.api_key:
        place, secret = "AGENTDATA_API_KEY", settings.api_key.get_secret_value()
    else:
        file = key_file(settings)
        try:
            place, secret = str(file), file.read_text(errors="replace")
        except FileNotFoundError:
            return DEFAULT_PROJECT
        except OSError as error:
            raise SetupError(f"cannot read the API key in {file}: {error.strerror}") from None
    try:
        return await project_of_key(url, secret.strip(), scope)
    except ForbiddenError as refusal:
        raise SetupError(f"{place}: {refusal.message}; use another one, or give --project SLUG") from None
    except UnauthenticatedError as refusal:
        if settings.api_key:
            raise SetupError(f"{place}: {refusal.message}, or give --project SLUG") from None
        print(
            f"agentdata: {place}: {refusal.message}; using the project {DEFAULT_PROJECT!r} instead",
            file=sys.stderr,
        )
        return DEFAULT_PROJECT
