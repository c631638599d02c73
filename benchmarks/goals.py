"""The performance goals of this server, and the check whether a run reaches them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from benchmarks.database import CACHE
from benchmarks.shapes import READS

if TYPE_CHECKING:
    from collections.abc import Iterator

OF_POSTGRAPHILE = {
    "transcript": 2.0,
    "tree": 2.0,
    "overview": 2.0,
    "wide": 2.0,
    "inbox": 1.5,
    "point": 1.0,
    "page": 1.0,
    "append1": 1.0,
    "memories": 2.0,
}
"""The goals relative to PostGraphile's requests per second, when it sets role and project per transaction."""

OF_FLOOR = {shape.name: 0.6 for shape in READS} | {"append100": 0.5}
OF_STRAWBERRY = {"wide": 8.0, "transcript": 8.0, "overview": 8.0, "memories": 8.0}
LARGE_TO_SMALL = 1.3
"""How many times longer the median request may take on the large data than on the small data."""

GROWING = {shape.name for shape in READS if shape.grows}
"""The shapes that read more of the large data, so that this goal is not theirs."""

PEAK_MB = 200.0
COLD_FACTOR, COLD_EXTRA_MS = 3.0, 10.0
"""The first request of a document may take so many times as long as a warm one, plus the extra time."""


def missed_goals(results: dict[str, Any]) -> list[str]:
    """Return the goals that the results of a run do not reach; goals that it did not measure pass."""
    return [*_rates(results["shapes"]), *_others(results)]


def _rates(shapes: dict[str, Any]) -> Iterator[str]:
    for other, goals in (
        ("postgraphile", OF_POSTGRAPHILE),
        ("floor", OF_FLOOR),
        ("strawberry", OF_STRAWBERRY),
    ):
        for shape, goal in goals.items():
            for clients, figures in shapes.get(shape, {}).items():
                if {"agentdata", other} <= figures.keys():
                    ours, theirs = (figures[name]["requests_per_s"] for name in ("agentdata", other))
                    if ours < goal * theirs:
                        yield f"{shape} at {clients}: {ours / theirs:.2f} x {other}, goal {goal} x"


def _others(results: dict[str, Any]) -> Iterator[str]:
    small = _small() if results["size"] == "large" else {}
    for shape, by_clients in results["shapes"].items():
        for clients, figures in by_clients.items():
            if "agentdata" not in figures:
                continue
            ours = figures["agentdata"]
            if shape == "wide" and clients == "16" and ours["peak_mb"] >= PEAK_MB:
                yield f"{shape} at {clients}: {ours['peak_mb']:.0f} MB, goal under {PEAK_MB:.0f} MB"
            before = small.get(shape, {}).get(clients, {}).get("agentdata")
            if before and shape not in GROWING and ours["p50_ms"] > LARGE_TO_SMALL * before["p50_ms"]:
                times = ours["p50_ms"] / before["p50_ms"]
                yield f"{shape} at {clients}: p50 {times:.2f} x that of small, goal {LARGE_TO_SMALL} x"
        cold = results["cold_ms"].get(shape, {}).get("agentdata")
        if cold and "1" in by_clients:
            goal = COLD_FACTOR * by_clients["1"]["agentdata"]["p50_ms"] + COLD_EXTRA_MS
            if cold > goal:
                yield f"{shape}: {cold:.1f} ms for a new document, goal {goal:.1f} ms"


def _small() -> dict[str, Any]:
    path = CACHE / "results-small.json"
    shapes: dict[str, Any] = orjson.loads(path.read_bytes())["shapes"] if path.exists() else {}
    return shapes
