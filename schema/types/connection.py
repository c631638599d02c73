"""Pages of rows, by the Relay specification, with ``nodes`` beside ``edges``."""

from __future__ import annotations

from typing import Generic, TypeVar

import strawberry

from resolvers import connections

Row = TypeVar("Row")


@strawberry.type(description="Where a page stands in its list.")
class PageInfo:
    """Where a page stands in its list."""

    has_next_page: bool = strawberry.field(description="Whether there are rows behind this page.")
    has_previous_page: bool = strawberry.field(description="Whether there are rows ahead of this page.")
    start_cursor: str | None = strawberry.field(
        description="The first row's cursor; null where there is no row."
    )
    end_cursor: str | None = strawberry.field(
        description="The last row's cursor; null where there is no row."
    )


@strawberry.type(description="A row and its place in the list.")
class Edge(Generic[Row]):
    """A row and its place in the list."""

    cursor: str = strawberry.field(description="The place of the row, for `after` and `before`.")
    node: Row = strawberry.field(description="The row.")


@strawberry.type(description="A page of a list.")
class Connection(Generic[Row]):
    """A page of a list."""

    edges: list[Edge[Row]] = strawberry.field(
        resolver=connections.edges, description="The rows of the page with their cursors, in order."
    )
    nodes: list[Row] = strawberry.field(
        resolver=connections.nodes, description="The rows of the page, in order."
    )
    page_info: PageInfo = strawberry.field(
        resolver=connections.page_info, description="Where the page stands in the list."
    )
    total_count: int = strawberry.field(
        resolver=connections.total_count, description="How many rows the list has on all pages."
    )
