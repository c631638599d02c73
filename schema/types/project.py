"""The project, which is the tenant."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import strawberry

from agentdata.engine.fields import Gives, batch, column
from models import ModuleState as ModuleStateRow
from models import Project as ProjectRow
from resolvers import module_states, series, statistics
from schema.declarations import object_type
from schema.types.node import Node

if TYPE_CHECKING:
    from schema.types.module_state import ModuleState
    from schema.types.series_bucket import SeriesBucket
    from schema.types.statistics import Statistics


@object_type(model=ProjectRow)
class Project(Node):
    """A tenant: no object is ever visible or linkable from another project."""

    name: str = column("The name of the project.")
    slug: str = column("The name of the project in commands and addresses, unique among all projects.")
    updated_at: datetime = column("When the project last changed.")
    current_module_states: list[Annotated["ModuleState", strawberry.lazy("schema.types.module_state")]] = (
        batch(
            module_states.current_outside,
            "The current states of modules outside of sessions, latest first; at most"
            f" {module_states.MAX_CURRENT}. Expired states"
            " are not current.",
            Gives.ROWS,
            model=ModuleStateRow,
            arguments=[module_states.FILTER],
        )
    )
    series: list[Annotated["SeriesBucket", strawberry.lazy("schema.types.series_bucket")]] = series.field(
        "Measurements of the agents and sessions of the project over time.", by="project_id"
    )
    statistics: Annotated["Statistics", strawberry.lazy("schema.types.statistics")] = statistics.field(
        "Totals and means over the sessions of the project.", by="project_id"
    )
