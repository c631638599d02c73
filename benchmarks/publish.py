"""Writes the results of the last runs into the documentation: `python -m benchmarks.publish`."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from benchmarks import goals
from benchmarks.database import CACHE
from benchmarks.report import NONE

if TYPE_CHECKING:
    from collections.abc import Iterator

DOCS = Path(__file__).parents[1] / "docs"
OTHERS = ("postgraphile", "postgraphile-open", "floor", "strawberry")


def main() -> None:
    """Copy results and plots into docs/performance, and write the tables into its page."""
    (DOCS / "performance").mkdir(exist_ok=True)
    parts = []
    for size in ("small", "large"):
        path = CACHE / f"results-{size}.json"
        if not path.exists():
            raise SystemExit(f"there are no results of the size {size}: run `make bench SIZE={size}` first")
        for file in (path, path.with_suffix(".svg")):
            shutil.copy(file, DOCS / "performance" / file.name.removeprefix("results-"))
        parts.append("\n".join(_section(size, orjson.loads(path.read_bytes()))))
    page = DOCS / "performance.md"
    begin, end = "<!-- results -->\n", "<!-- end of results -->"
    text = re.sub(f"{begin}.*?{end}", "", page.read_text(), flags=re.DOTALL)
    page.write_text(f"{text.rstrip()}\n\n{begin}{chr(10).join(parts)}{end}\n")


def _section(size: str, results: dict[str, Any]) -> Iterator[str]:
    machine = results["machine"]
    yield f"## Results: {size}\n"
    yield (
        f"`{results['command']}`, {results['date'][:10]}, {machine['cpus']} processors,"
        f" {machine['memory_gb']} GB, Python {machine['python']}. All figures are in"
        f" [performance/{size}.json](performance/{size}.json).\n"
    )
    yield f"![Requests per second with 16 clients, {size}](performance/{size}.svg)\n"
    yield (
        "| shape | clients | requests/s | p50 ms | p99 ms | CPU ms | peak MB | "
        + " | ".join(f"x {name}" for name in OTHERS)
        + " |"
    )
    yield "| --- |" + " ---: |" * (6 + len(OTHERS))
    for shape, by_clients in results["shapes"].items():
        for clients, figures in by_clients.items():
            ours = figures["agentdata"]
            ratios = [
                f"{ours['requests_per_s'] / figures[name]['requests_per_s']:.2f}" if name in figures else NONE
                for name in OTHERS
            ]
            cells = [
                shape, clients, f"{ours['requests_per_s']:,.0f}", f"{ours['p50_ms']:.2f}",
                f"{ours['p99_ms']:.2f}", f"{ours['cpu_ms_per_request']:.2f}", f"{ours['peak_mb']:.0f}",
                *ratios,
            ]  # fmt: skip
            yield f"| {' | '.join(cells)} |"
    cold = ", ".join(f"{shape} {of['agentdata']:.1f}" for shape, of in results["cold_ms"].items())
    yield f"\nThe first request of a new document, median ms: {cold}.\n"
    missed_goals = goals.missed_goals(results)
    yield (
        "All goals that `benchmarks/goals.py` sets were reached.\n"
        if not missed_goals
        else "Goals that were not reached: " + "; ".join(missed_goals) + ".\n"
    )


if __name__ == "__main__":
    main()
