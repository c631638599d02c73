"""Write operations of projects."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from agentdata.checks import check
from agentdata.errors import BadUserInputError
from models import Project

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agentdata.operations.unit_of_work import UnitOfWork

_SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


def check_project(values: Mapping[str, Any]) -> None:
    """Refuse an invalid name or slug.

    Raises:
        BadUserInputError: The name or slug is too long, or the slug is not made of a-z, 0-9 and hyphens.

    """
    check(Project, values)
    slug = values.get("slug")
    if slug is not None and not _SLUG.fullmatch(slug):
        raise BadUserInputError(
            "slug may contain only lower-case letters a-z, digits, and single hyphens between them",
            field="slug",
        )


async def update(write: UnitOfWork, values: dict[str, Any]) -> Project:
    """Update the project of the unit of work."""
    check_project(values)
    return await write.update(await write.project(), values)
