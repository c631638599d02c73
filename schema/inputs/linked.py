"""Filters on related rows."""

from __future__ import annotations

from typing import Any

import strawberry

from agentdata.execution.links import Link, Via


def linked(
    model: type[Any], description: str, *, local: str = "id", remote: str = "id", via: Via | None = None
) -> Any:
    """Declare a filter on the rows of ``model`` that are linked with a row, as for a relation or page."""
    link = Link(model, local=local, remote=remote, via=via)
    return strawberry.field(default=strawberry.UNSET, description=description, metadata={"link": link})
