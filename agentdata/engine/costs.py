"""Costs: how many rows a field stands for, where that depends on its arguments or is not one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

COST = "agentdata.cost"
"""The key in a field's metadata under which its declared cost stands."""


def _one(_: Mapping[str, Any]) -> int:
    return 1


@dataclass(frozen=True)
class Cost:
    """The cost of a field beside its page, as its declaration states it; the limits add up all costs.

    ``objects`` returns how many objects the field may give each parent; it reads the ``arguments`` that it
    names, by their names in Python. An argument that was not sent is missing; a wrong one makes the field
    cost nothing, because the field answers with an error. ``rows`` is what it reads beside them, whatever its
    arguments are.
    """

    arguments: tuple[str, ...] = ()
    objects: Callable[[Mapping[str, Any]], int] = _one
    rows: int = 0
