"""What many rows are summed up as, the same in statistics, rankings and series."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import BigInteger, Float, cast, func, literal_column

if TYPE_CHECKING:
    from collections.abc import Iterator

_PERCENTILES = {"p50": "0.5", "p95": "0.95", "p99": "0.99"}
"""The percentiles that are told, each as the share of the values that are at most that."""

PERCENTILES = tuple(_PERCENTILES)


def total(of: Any, type_: Any = BigInteger) -> Any:
    """Give the sum; 0 of nothing."""
    return cast(func.coalesce(func.sum(of), 0), type_)


def share(good: Any, bad: Any) -> Any:
    """Give the share of the good among both, from 0 to 1; null if there are none."""
    return cast(good, Float) / func.nullif(good + bad, 0)


def percentiles(value: Any) -> Iterator[tuple[str, Any]]:
    """Give the percentiles of what is not null, by name; PostgreSQL sorts it once for all of them."""
    for name, part in _PERCENTILES.items():
        found = func.percentile_cont(literal_column(part, Float)).within_group(value)
        yield name, cast(found, Float)
