"""Pages of rows, as the Relay specification defines them, with ``nodes`` beside ``edges``."""

from __future__ import annotations

from typing import Generic, TypeVar

import strawberry

from agentdata.engine.costs import COST, Cost
from agentdata.engine.reference import connections
from resolvers.meaning import MAX_COMPARED, MAX_NEAREST
from resolvers.words import MAX_RANKED, MAX_SEEN
from schema.declarations import object_type
from schema.inputs.match import SearchMode

Row = TypeVar("Row")

_SCAN = {COST: Cost(points=1, scans=1)}
"""It reads every row of the list that the filter leaves."""


@object_type
class PageInfo:
    """The position of a page in its list."""

    has_next_page: bool = strawberry.field(description="Whether more objects follow this page.")
    has_previous_page: bool = strawberry.field(description="Whether more objects precede this page.")
    start_cursor: str | None = strawberry.field(
        description="The cursor of the first object of the page; null if the page is empty."
    )
    end_cursor: str | None = strawberry.field(
        description="The cursor of the last object of the page; null if the page is empty."
    )


@object_type
class Edge(Generic[Row]):
    """An object in a list, with its cursor."""

    cursor: str = strawberry.field(
        description="The position of the object in the list under this order, for `after` and `before`."
    )
    node: Row = strawberry.field(description="The object.")


@object_type
class Connection(Generic[Row]):
    """One page of a list, with cursors, as the Relay specification defines it."""

    edges: list[Edge[Row]] = strawberry.field(
        resolver=connections.edges, description="The objects of the page with their cursors, in order."
    )
    nodes: list[Row] = strawberry.field(
        resolver=connections.nodes, description="The objects of the page, in order."
    )
    page_info: PageInfo = strawberry.field(
        resolver=connections.page_info, description="The position of the page in the list."
    )
    total_count: int = strawberry.field(
        resolver=connections.total_count,
        description="The number of objects on all pages of the list, under the same filter.",
        metadata=_SCAN,
    )


@object_type(name="Connection")
class SearchConnection(Connection[Row], Generic[Row]):
    """One page of a list, with cursors, as the Relay specification defines it."""

    is_complete: bool = strawberry.field(
        resolver=connections.is_complete,
        description=(
            "Whether nothing is missing from the list. False if more than"
            f" {MAX_RANKED:,} objects have the words: only the newest {MAX_RANKED:,} of them were ranked, and"
            " the others are missing from the list and from `totalCount`. False, too, if the filter left out"
            f" nearly all of {MAX_SEEN:,} objects with the words, after which a search gives up. By meaning,"
            f" false if more than {MAX_COMPARED:,} objects were to be compared, so that an index chose the"
            f" nearest, or if more than {MAX_NEAREST} were near enough: only the nearest {MAX_NEAREST} are"
            " listed and counted."
        ),
        metadata=_SCAN,
    )
    mode: SearchMode = strawberry.field(
        resolver=connections.mode,
        description=(
            "How the search was made. It is WORDS, though HYBRID was asked for or is the default, if this"
            " server could make no vector of the query."
        ),
    )
