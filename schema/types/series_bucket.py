"""What was measured in one stretch of time."""

from __future__ import annotations

from datetime import datetime

import strawberry

from resolvers.fields import column
from schema.scalars import BigInt


@strawberry.type(description="What was measured in one stretch of time.")
class SeriesBucket:
    """What was measured in one stretch of time."""

    start: datetime = column("When it begins; it ends where the next one begins.")
    count_: BigInt = column("How many measurements there are.", name="count")
    sum: float = column("Their sum; 0 if there are none.")
    mean: float | None = column("Their mean; null if there are none.")
    min: float | None = column("The least of them; null if there are none.")
    max: float | None = column("The greatest of them; null if there are none.")
    p50: float | None = column("The median: half of them are at most this; null if there are none.")
    p95: float | None = column("The 95th percentile: 95 of 100 are at most this; null if there are none.")
    p99: float | None = column("The 99th percentile: 99 of 100 are at most this; null if there are none.")
