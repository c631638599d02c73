"""What is kept of what was made before, within a bound: the longest unused goes first."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Hashable

Value = TypeVar("Value")


class Kept(Generic[Value]):
    """Values under keys, as many as their weights together stay within a bound."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._weight = 0
        self._values: OrderedDict[Hashable, tuple[Value, int]] = OrderedDict()

    def get(self, key: Hashable) -> Value | None:
        """Give the value of a key, None where it is not kept."""
        found = self._values.get(key)
        if found is None:
            return None
        self._values.move_to_end(key)
        return found[0]

    def put(self, key: Hashable, value: Value, weight: int) -> None:
        """Keep a value, and drop others for it; what weighs a tenth of the bound is not kept itself."""
        if weight > self._most // 10:
            return
        _, before = self._values.get(key, (None, 0))
        self._values[key] = value, weight
        self._weight += weight - before
        while self._weight > self._most:
            _, (_, dropped) = self._values.popitem(last=False)
            self._weight -= dropped
