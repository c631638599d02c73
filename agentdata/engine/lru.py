"""An LRU cache that is bounded by the total weight of its values."""

from __future__ import annotations

from collections import OrderedDict
from threading import Lock
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Hashable

Value = TypeVar("Value")

_LARGEST_SHARE = 10
"""One value may weigh at most this fraction (a tenth) of the bound; a heavier one is not cached."""


class WeightedLRU(Generic[Value]):
    """Caches values by key while their weights together stay within a bound; threads may share it."""

    def __init__(self, max_weight: int) -> None:
        self._max_weight = max_weight
        self._weight = 0
        self._lock = Lock()
        self._values: OrderedDict[Hashable, tuple[Value, int]] = OrderedDict()

    def get(self, key: Hashable) -> Value | None:
        """Return the value of a key and mark it as used, or return None if it is not cached."""
        found = self._values.get(key)
        if found is None:
            return None
        try:  # `contextlib.suppress` takes as long as all the rest
            self._values.move_to_end(key)
        except KeyError:
            return found[0]  # another thread has just evicted it
        return found[0]

    def put(self, key: Hashable, value: Value, weight: int) -> None:
        """Cache a value and evict the least recently used ones until all fit; skip a value too heavy."""
        if weight > self._max_weight // _LARGEST_SHARE:
            return
        with self._lock:
            _, before = self._values.get(key, (None, 0))
            self._values[key] = value, weight
            self._weight += weight - before
            while self._weight > self._max_weight:
                _, (_, evicted) = self._values.popitem(last=False)
                self._weight -= evicted
