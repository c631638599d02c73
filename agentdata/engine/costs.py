"""Costs: how many rows a field stands for, and how much work it is for the server and the database.

Work is measured in points. A point is about 0.1 ms of one core, of the server and of the database together,
on the machine on which `benchmarks/costs.py` was run last. Points are fixed before an operation runs, out of
its document and the sizes that its arguments ask for; so they are an estimate.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

COST = "agentdata.cost"
"""The key in a field's metadata under which its declared cost stands."""

BASE_POINTS = 6.0
"""A request: reading, checking and answering it."""
READ_POINTS = 1.0
"""A field that leads to other rows: a part of the statement."""
PARENT_POINTS = 0.03
"""The same for each object that the field is selected of: an index is searched for its rows."""
ROW_POINTS = 0.03
"""An object of the answer."""
VALUE_POINTS = 0.004
"""A value of an object."""
WRITE_POINTS = 15.0
"""A write: its transaction, which is flushed to the disk."""

ITEM_POINTS = 0.5
"""An item of a list that a write is sent, such as an appended message."""

UNFILTERED_SCAN_POINTS = 200.0
"""A scan of a list at the root that no filter restricts: of all rows of a table, such as 300,000 messages."""
FILTERED_SCAN_POINTS = 20.0
"""A scan of the rows that a filter leaves of a list at the root; usually an index finds them."""
OWN_SCAN_POINTS = 0.3
"""A scan of the rows that belong to one object, such as the messages of a session."""


def _one(_: Mapping[str, Any]) -> int:
    return 1


@dataclass(frozen=True)
class Cost:
    """The cost of a field beside its page, as its declaration states it; the limits add up all costs.

    ``objects`` returns how many objects the field may give each parent; it reads the ``arguments`` that it
    names, by their names in Python. An argument that was not sent is missing; a wrong one makes the field
    cost nothing, because the field answers with an error. ``rows`` is what it reads beside them, whatever its
    arguments are.

    ``points``, ``parent_points`` and ``object_points`` are what it takes beside the points of every field:
    once, for each parent, and for each of its objects. A field with ``scans`` reads all rows that the field
    above it stands for, so often: a total, or a part of statistics. The field above says by ``scan_points``
    what that takes; a page need not, because what it takes follows from its place and its filter.
    """

    arguments: tuple[str, ...] = ()
    objects: Callable[[Mapping[str, Any]], int] = _one
    rows: int = 0
    points: float = 0.0
    parent_points: float = 0.0
    object_points: float = 0.0
    scans: float = 0.0
    scan_points: float | None = None


class Price(NamedTuple):
    """The estimated cost of an operation, with the page sizes that its arguments ask for."""

    points: int
    """At least 1."""
    key_bytes: int
    """The most bytes of the answer that are not values out of rows: keys, type names, cursors, brackets."""
    repeats: int
    """How often the answer may repeat what was read once: by aliases, or as the same row of many parents."""
    short_bytes: int
    """The most bytes of all values in the answer whose columns bound their length."""
    long_repeats: int
    """As ``repeats``, of the other values alone, such as contents."""
