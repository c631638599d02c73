"""Counts what the server refuses, by kind, for its metrics."""

from __future__ import annotations

from collections import Counter

_COUNTS: Counter[str] = Counter()


def count(kind: str) -> None:
    """Count a refusal; kinds are few, written in the code, and never taken from a request."""
    _COUNTS[kind] += 1


def counts() -> dict[str, int]:
    """Return how many refusals of each kind this process has counted."""
    return dict(_COUNTS)
