"""The fields of a connection. Rows and total are read only where they are selected."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from resolvers.paging import Connected


@dataclass(frozen=True)
class Edge:
    """A row and its cursor."""

    cursor: str
    node: Any


@dataclass(frozen=True)
class PageInfo:
    """Where a page stands in its list."""

    has_next_page: bool
    has_previous_page: bool
    start_cursor: str | None
    end_cursor: str | None


async def edges(root: Connected):  # type: ignore[no-untyped-def]  # noqa: ANN201  # the contract types it
    """Give the rows with their cursors."""
    return [Edge(root.cursor_of(row), row) for row in (await root.rows()).rows]


async def nodes(root: Connected):  # type: ignore[no-untyped-def]  # noqa: ANN201  # the contract types it
    """Give the rows."""
    return (await root.rows()).rows


async def page_info(root: Connected):  # type: ignore[no-untyped-def]  # noqa: ANN201  # the contract types it
    """Tell where the page stands. On the side that it was reached from there is the row of the cursor."""
    page = await root.rows()
    came_from = root.slice.cursor is not None
    return PageInfo(
        has_next_page=came_from if root.slice.backward else page.more,
        has_previous_page=page.more if root.slice.backward else came_from,
        start_cursor=root.cursor_of(page.rows[0]) if page.rows else None,
        end_cursor=root.cursor_of(page.rows[-1]) if page.rows else None,
    )


def total_count(root: Connected):  # type: ignore[no-untyped-def]  # noqa: ANN201  # the contract types it
    """Give how many rows there are on all pages."""
    return root.total()


def is_complete(root: Connected):  # type: ignore[no-untyped-def]  # noqa: ANN201  # the contract types it
    """Tell whether the list has all rows."""
    return root.complete()
