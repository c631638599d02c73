"""Pages of rows, by the Relay specification, with ``nodes`` beside ``edges``."""

from __future__ import annotations

from typing import Generic, TypeVar

import strawberry

from resolvers import connections
from schema.declarations import object_type

Row = TypeVar("Row")


@object_type
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


@object_type
class Edge(Generic[Row]):
    """An object in a list, with its cursor."""

    cursor: str = strawberry.field(
        description="The position of the object in this order of the list, for `after` and `before`."
    )
    node: Row = strawberry.field(description="The object.")


@object_type
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
