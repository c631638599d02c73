"""Rates: how many points a key may spend, in a bucket that fills with time.

The buckets are in the memory of one process. With several workers each has its share of the rate: the kernel
spreads connections over the workers, and a shared bucket would be a round trip for every request.
"""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from typing import TYPE_CHECKING, NamedTuple

from agentdata.errors import LimitExceededError, RateLimitedError

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable


class _Bucket(NamedTuple):
    points: float
    at: float
    """When it had so many points, by the clock."""


class Rates:
    """The buckets of all keys: each holds at most ``burst`` points and gains ``per_s`` in a second."""

    def __init__(
        self,
        per_s: float,
        burst: float,
        *,
        clock: Callable[[], float] = time.monotonic,
        max_buckets: int = 10_000,
    ) -> None:
        self.burst = burst
        self._per_s = per_s
        self._clock = clock
        self._max_buckets = max_buckets
        self._buckets: OrderedDict[Hashable, _Bucket] = OrderedDict()

    def take(self, key: Hashable, points: float) -> int:
        """Take points from a key's bucket, and return how many whole points are left in it.

        Raises:
            LimitExceededError: A full bucket has fewer points.
            RateLimitedError: The bucket has fewer points now.

        """
        if points > self.burst:
            raise LimitExceededError(
                f"the operation costs {points:,} points, more than the {self.burst:,.0f} that a key may spend"
                " at once; ask for smaller pages by `first`, or split it",
                field="query",
            )
        now = self._clock()
        bucket = self._buckets.pop(key, None)
        left = self.burst
        if bucket is not None:
            left = min(bucket.points + (now - bucket.at) * self._per_s, self.burst)
        enough = left >= points
        # The bucket that was used last is at the end. One that is forgotten begins full again.
        self._buckets[key] = _Bucket(left - points if enough else left, now)
        if len(self._buckets) > self._max_buckets:
            self._buckets.popitem(last=False)
        if not enough:
            wait_s = max(math.ceil((points - left) / self._per_s), 1)
            raise RateLimitedError(
                f"the operation costs {points:,} points, and the key has {left:,.0f} left; try again in"
                f" {wait_s} s",
                wait_s,
            )
        return math.floor(left - points)
