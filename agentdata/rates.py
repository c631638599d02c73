"""Rates: how many points a key may spend, in a bucket that fills with time.

The buckets are in the memory of one process. With several workers each has its share of the rate: the kernel
spreads connections over the workers, and a shared bucket would be a round trip for every request.
"""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING

from agentdata.errors import LimitExceededError, RateLimitedError
from agentdata.token_buckets import TokenBuckets

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable


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
        self._buckets = TokenBuckets(per_s, burst, max_buckets=max_buckets, clock=clock)

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
        left = self._buckets.left(key)
        if left < points:
            wait_s = max(math.ceil((points - left) / self._buckets.per_s), 1)
            raise RateLimitedError(
                f"the operation costs {points:,} points, and the key has {left:,.0f} left; try again in"
                f" {wait_s} s",
                wait_s,
            )
        return math.floor(self._buckets.add(key, -points))
