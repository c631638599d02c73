"""The fields of a connection in the reference way. Rows and total are read only if they are selected."""

from dataclasses import dataclass
from typing import Any

from agentdata.engine.reference.loading import LazyConnection


@dataclass(frozen=True)
class Edge:
    """A row and its cursor."""

    cursor: str
    node: Any


@dataclass(frozen=True)
class PageInfo:
    """The position of a page in its list."""

    has_next_page: bool
    has_previous_page: bool
    start_cursor: str | None
    end_cursor: str | None


async def edges(root: LazyConnection):  # type: ignore[no-untyped-def]  # noqa: ANN201  # the contract types it
    """Return the rows with their cursors."""
    return [Edge(root.cursor_of(row), row) for row in (await root.rows()).rows]


async def nodes(root: LazyConnection):  # type: ignore[no-untyped-def]  # noqa: ANN201  # the contract types it
    """Return the rows."""
    return (await root.rows()).rows


async def page_info(root: LazyConnection):  # type: ignore[no-untyped-def]  # noqa: ANN201  # the contract types it
    """Return the position of the page. The row of the request's cursor lies on the side it came from."""
    page = await root.rows()
    came_from = root.request.cursor is not None
    return PageInfo(
        has_next_page=came_from if root.request.backward else page.more,
        has_previous_page=page.more if root.request.backward else came_from,
        start_cursor=root.cursor_of(page.rows[0]) if page.rows else None,
        end_cursor=root.cursor_of(page.rows[-1]) if page.rows else None,
    )


def total_count(root: LazyConnection):  # type: ignore[no-untyped-def]  # noqa: ANN201  # the contract types it
    """Count the rows of all pages."""
    return root.total()


def is_complete(root: LazyConnection):  # type: ignore[no-untyped-def]  # noqa: ANN201  # the contract types it
    """Return whether the list has all rows."""
    return root.is_complete()


def mode(root: LazyConnection):  # type: ignore[no-untyped-def]  # noqa: ANN201  # the contract types it
    """Return the name of the way in which the rows are found."""
    return root.mode()
