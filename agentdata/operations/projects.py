"""Write operations of projects."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from agentdata.checks import check
from agentdata.errors import BadUserInputError, ForbiddenError
from models import Project

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agentdata.operations.unit_of_work import UnitOfWork

_SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def is_id(name: str) -> bool:
    """Return whether a command names a project by its id and not by its slug."""
    return _UUID.fullmatch(name) is not None


def check_project(values: Mapping[str, Any]) -> None:
    """Refuse an invalid name or slug.

    Raises:
        BadUserInputError: The name or slug is too long, or the slug is not made of a-z, 0-9 and hyphens, or
            looks like an id, by which commands name projects, too.

    """
    check(Project, values)
    slug = values.get("slug")
    if slug is not None and not _SLUG.fullmatch(slug):
        raise BadUserInputError(
            "slug may contain only lower-case letters a-z, digits, and single hyphens between them",
            field="slug",
        )
    if slug is not None and is_id(slug):
        raise BadUserInputError("slug may not look like the id of a project", field="slug")


async def update(write: UnitOfWork, values: dict[str, Any]) -> Project:
    """Update the project of the unit of work.

    Raises:
        BadUserInputError: The name is too long.
        ForbiddenError: A request gives another slug. Commands name projects by their slugs, so a project that
            took another's slug would receive what was meant for that one.

    """
    check_project(values)
    project = await write.project()
    if write.author is not None and values.get("slug", project.slug) != project.slug:
        raise ForbiddenError(
            "only the operator changes the slug of a project, by `agentdata projects rename`; leave it out",
            field="slug",
        )
    return await write.update(project, values)
