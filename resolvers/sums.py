"""The aggregates of statistics, rankings and series."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import BigInteger, Float, Numeric, case, cast, func, literal_column

if TYPE_CHECKING:
    from collections.abc import Iterator

PERCENTILE_PARTS = {"p50": "0.5", "p95": "0.95", "p99": "0.99"}
"""Each percentile by name, as the share of the values that are at most as large."""

PERCENTILES = tuple(PERCENTILE_PARTS)

_MIN_DOUBLE = literal_column("2.5e-324", Numeric)
"""A number closer to zero is zero as a double; PostgreSQL raises an error in place of rounding to zero."""

_MEAN_DIGITS = literal_column("30", BigInteger)
"""The minimum number of decimal places of a mean, which is more than a double can distinguish."""


def exact(value: Any) -> Any:
    """Convert a number to the decimal that it is written as, so that sums have no rounding errors.

    PostgreSQL's own cast keeps 15 digits of a double and takes twice as long; a cast through text takes a
    fifth longer than the functions behind it.
    """
    if not isinstance(value.type, Float):
        return value
    return func.numeric_in(func.float8out(value), literal_column("0"), literal_column("-1"), type_=Numeric)


def total(value: Any, type_: Any = BigInteger) -> Any:
    """Return the exact sum, which is 0 without values."""
    return cast(func.coalesce(func.sum(exact(value)), 0), type_)


def mean(value: Any) -> Any:
    """Return the exact mean of values that are not null, rounded once to a double; null if there are none."""
    return mean_of(func.sum(exact(value), type_=Numeric), func.count(value))


def mean_of(sum_: Any, number: Any) -> Any:
    """Return an exact sum, divided by the number of its values, as ``mean`` does."""
    number = func.nullif(cast(number, Numeric), 0)
    result: Any = sum_ / func.round(number, _MEAN_DIGITS)
    return case((func.abs(result) < _MIN_DOUBLE, literal_column("0.0", Float)), else_=cast(result, Float))


def share(good: Any, bad: Any) -> Any:
    """Return the share of the good among both, from 0 to 1; null if there are none."""
    return cast(good, Float) / func.nullif(good + bad, 0)


def percentiles(value: Any) -> Iterator[tuple[str, Any]]:
    """Yield the percentiles of values that are not null, by name; PostgreSQL sorts once for all of them."""
    for name, part in PERCENTILE_PARTS.items():
        result = func.percentile_cont(literal_column(part, Float)).within_group(value)
        yield name, cast(result, Float)
