"""The results as a table, as JSON, and as a plot."""

from __future__ import annotations

import os
import platform
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import orjson
from rich.table import Table

from benchmarks.database import CACHE

if TYPE_CHECKING:
    from pathlib import Path

    from benchmarks.load import Sample

COLOURS = {
    "agentdata": "#2563eb",
    "floor": "#9ca3af",
    "postgraphile": "#d97706",
    "postgraphile-open": "#fbbf24",
    "strawberry": "#dc2626",
}

NONE = "\N{EN DASH}"
"""Stands for the figures of a server that cannot answer a shape in one request."""


def table(
    shape: str, about: str, results: dict[int, dict[str, Sample]], *, names: list[str], messages: int = 0
) -> Table:
    """Build the table of one shape; ratios compare this server's requests per second with the other's.

    A server of ``names`` without results, because its schema lacks the fields of the shape, has dashes.
    """
    kilobytes = max(sample.size for samples in results.values() for sample in samples.values()) / 1000
    table_ = Table(title=f"{shape}: {about} ({kilobytes:,.1f} kB)", title_justify="left")
    for heading in (
        "clients", "server", "requests/s", "p50 ms", "p99 ms", "agentdata is", "CPU ms", "peak MB",
    ):  # fmt: skip
        table_.add_column(heading, justify="left" if heading == "server" else "right")
    if messages > 1:
        table_.add_column("rows/s", justify="right")
    for clients, samples in results.items():
        ours = samples.get("agentdata")
        for name in names:
            sample = samples.get(name)
            if sample is None:
                table_.add_row(str(clients), name, *[NONE] * (len(table_.columns) - 2))
                continue
            digits = 0 if sample.rate >= 100 else 1  # noqa: PLR2004 - three digits are enough
            cells = [
                str(clients), name, f"{sample.rate:,.{digits}f}",
                f"{sample.percentile(0.5):,.2f}", f"{sample.percentile(0.99):,.2f}",
                f"{ours.rate / sample.rate:.2f} x" if ours else "",
                f"{sample.cpu_ms:,.2f}", f"{sample.peak_mb:,.0f}",
            ]  # fmt: skip
            table_.add_row(*cells, *([f"{sample.rate * messages:,.0f}"] if messages > 1 else []))
        table_.add_section()
    return table_


def write(
    size: str,
    results: dict[str, dict[int, dict[str, Sample]]],
    cold: dict[str, dict[str, float]],
    command: str,
) -> Path:
    """Write the results as JSON and as a plot, and return the path of the JSON file."""
    CACHE.mkdir(exist_ok=True)
    path = CACHE / f"results-{size}.json"
    document = {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": command,
        "machine": {
            "cpus": os.cpu_count(),
            "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9),
            "python": platform.python_version(),
        },
        "size": size,
        "shapes": {
            shape: {
                str(clients): {name: _figures(sample) for name, sample in samples.items()}
                for clients, samples in by_clients.items()
            }
            for shape, by_clients in results.items()
        },
        "cold_ms": cold,
    }
    path.write_bytes(orjson.dumps(document, option=orjson.OPT_INDENT_2))
    path.with_suffix(".svg").write_text(plot(results))
    return path


def _figures(sample: Sample) -> dict[str, Any]:
    return {
        "requests": len(sample.latencies),
        "requests_per_s": round(sample.rate, 2),
        "p50_ms": round(sample.percentile(0.5), 3),
        "p99_ms": round(sample.percentile(0.99), 3),
        "cpu_ms_per_request": round(sample.cpu_ms, 3),
        "peak_mb": round(sample.peak_mb, 1),
        "answer_bytes": sample.size,
    }


def plot(results: dict[str, dict[int, dict[str, Sample]]]) -> str:
    """Draw requests per second at the highest concurrency, each shape relative to its fastest server."""
    bar, gap, left, width, head = 14, 18, 130, 560, 40
    parts: list[str] = []
    y = head
    names: dict[str, None] = {}
    for shape, by_clients in results.items():
        samples = by_clients[max(by_clients)]
        names |= dict.fromkeys(samples)
        best = max(sample.rate for sample in samples.values())
        middle = y + len(samples) * bar / 2 + 4
        parts.append(f'<text x="{left - 10}" y="{middle}" text-anchor="end">{shape}</text>')
        for name, sample in samples.items():
            length = sample.rate / best * (width - 90)
            parts.append(
                f'<rect x="{left}" y="{y}" width="{length:.1f}" height="{bar - 2}" fill="{COLOURS[name]}"/>'
                f'<text x="{left + length + 5:.1f}" y="{y + 10}" class="rate">{sample.rate:,.0f}</text>'
            )
            y += bar
        y += gap
    legend = "".join(
        f'<rect x="{left + place * 125}" y="12" width="10" height="10" fill="{COLOURS[name]}"/>'
        f'<text x="{left + place * 125 + 15}" y="21">{name}</text>'
        for place, name in enumerate(names)
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{left + 5 * 125 + 20}" height="{y}"'
        ' font-family="sans-serif" font-size="12"><title>Requests per second</title>'
        '<style>text{fill:#374151}.rate{font-size:10px}</style><rect width="100%" height="100%" fill="#fff"/>'
        f"{legend}{''.join(parts)}</svg>\n"
    )
