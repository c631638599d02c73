"""Token buckets: what each key has left of an amount that comes back with time."""

from __future__ import annotations

import time
from collections import OrderedDict
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable


class _Bucket(NamedTuple):
    tokens: float
    at: float
    """When it had so many tokens, by the clock."""


class TokenBuckets:
    """A bucket for each key, which holds at most ``burst`` tokens and gains ``per_s`` in a second.

    At most ``max_buckets`` are remembered. A key without one has a full bucket.
    """

    def __init__(
        self, per_s: float, burst: float, *, max_buckets: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.per_s = per_s
        self.burst = burst
        self._max_buckets = max_buckets
        self._clock = clock
        self._buckets: OrderedDict[Hashable, _Bucket] = OrderedDict()

    def __len__(self) -> int:
        """Return how many buckets are remembered."""
        return len(self._buckets)

    def left(self, key: Hashable) -> float:
        """Return how many tokens a key has."""
        bucket = self._buckets.get(key)
        if bucket is None:
            return self.burst
        return min(bucket.tokens + (self._clock() - bucket.at) * self.per_s, self.burst)

    def add(self, key: Hashable, tokens: float) -> float:
        """Add tokens to a key's bucket, or take them if negative, and return how many it has then."""
        left = min(self.left(key) + tokens, self.burst)
        if left >= self.burst:
            self._buckets.pop(key, None)
            return left
        self._buckets[key] = _Bucket(left, self._clock())
        self._buckets.move_to_end(key)
        if len(self._buckets) > self._max_buckets:
            self._buckets.popitem(last=False)
        return left
