"""Pages of rows, by the Relay specification, with ``nodes`` beside ``edges``."""

from __future__ import annotations

from typing import Generic, TypeVar

import strawberry

from resolvers import connections
from resolvers.search import MAX_RANKED

Row = TypeVar("Row")


@strawberry.type(description="The position of a page in its list.")
class PageInfo:
    """The position of a page in its list."""

    has_next_page: bool = strawberry.field(description="Whether more objects come after this page.")
    has_previous_page: bool = strawberry.field(description="Whether more objects come before this page.")
    start_cursor: str | None = strawberry.field(
        description="The cursor of the first object; null if the page is empty."
    )
    end_cursor: str | None = strawberry.field(
        description="The cursor of the last object; null if the page is empty."
    )


@strawberry.type(description="An object in a list, with its cursor.")
class Edge(Generic[Row]):
    """An object in a list, with its cursor."""

    cursor: str = strawberry.field(
        description="The position of the object in this order of the list, for `after` and `before`."
    )
    node: Row = strawberry.field(description="The object.")


@strawberry.type(description="One page of a list, with cursors, as the Relay specification has it.")
class Connection(Generic[Row]):
    """One page of a list, with cursors, as the Relay specification has it."""

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
        description="How many objects the list has on all pages together, under the same filter.",
    )


@strawberry.type(
    name="Connection", description="One page of a list, with cursors, as the Relay specification has it."
)
class SearchConnection(Connection[Row], Generic[Row]):
    """One page of a list of matches, of which only so many are ranked."""

    is_complete: bool = strawberry.field(
        resolver=connections.is_complete,
        description=(
            "Whether all objects that have the words were ranked and counted. If false, more than"
            f" {MAX_RANKED:,} have them: only the newest {MAX_RANKED:,} were ranked, so that matches among"
            " the older ones are missing from the list and from `totalCount`."
        ),
    )
