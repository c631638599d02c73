"""Sweeps over many cases: `make test` runs some of them, and `make test-slow` the others."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterable


def sweep(every: int, *values: Iterable[Any]) -> list[Any]:
    """Return a case for each combination of the values, of which all but each ``every``-th are slow.

    For several lists, choose a number that shares no divisor with the length of the last one, so that the
    fast cases have all of its values.
    """
    return [
        pytest.param(*case, marks=[pytest.mark.slow] if number % every else [])
        for number, case in enumerate(product(*values))
    ]
