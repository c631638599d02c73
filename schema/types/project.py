"""The tenant: nothing is ever visible or linkable from one project to another."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import strawberry

from models import Session as SessionRow
from resolvers import statistics
from resolvers.batches import Gives
from resolvers.fields import batch, column
from schema.types.node import Node

if TYPE_CHECKING:
    from schema.types.statistics import Statistics


@strawberry.type(description="The tenant: nothing is ever visible or linkable from one project to another.")
class Project(Node):
    """The tenant: nothing is ever visible or linkable from one project to another."""

    name: str = column("What it is called.")
    slug: str = column("Its name in commands and addresses, unique over all projects.")
    updated_at: datetime = column("When it last changed.")
    statistics: Annotated["Statistics", strawberry.lazy("schema.types.statistics")] = batch(
        statistics.totals,
        "What its sessions add up to.",
        Gives.VALUES,
        arguments=[statistics.SESSIONS],
        filters={"sessions": SessionRow},
        column="project_id",
    )
