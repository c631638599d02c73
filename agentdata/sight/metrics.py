"""The metrics of the server in Prometheus's format: the counts of all its processes, added up."""

from __future__ import annotations

import asyncio
import hmac
import os
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector
from starlette.responses import PlainTextResponse, Response

from agentdata import __version__, refusals
from agentdata.sight.counts import BUCKETS_S, COUNTS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from prometheus_client.metrics_core import Metric
    from starlette.requests import Request

    from agentdata.database import Database
    from agentdata.sight.counts import Histogram
    from agentdata.sight.sharing import SharedCounts

_SHARE_INTERVAL_S = 1.0
"""How old the counts of another process may be, in seconds."""

_BOUNDS = [*map(str, BUCKETS_S), "+Inf"]

_COUNTERS = {
    "bytes_in": ("request_bytes", "Bytes of the bodies of requests."),
    "bytes_out": ("response_bytes", "Bytes of the bodies of answers."),
    "cost": ("operation_cost", "What the operations might cost, in points."),
    "reference_runs": ("reference_runs", "Operations that no plan could hold and graphql-core ran."),
    "compilations": ("compilations", "Documents and plans that were compiled, because no cache had them."),
    "compile_s": ("compile_seconds", "Seconds that compiling documents and plans took."),
    "embedding_texts": ("embedding_texts", "Texts that the embeddings endpoint made vectors of."),
    "slow": ("slow_operations", "Operations that took longer than AGENTDATA_SLOW_MS."),
}
_GAUGES = {
    "running": ("requests_in_progress", "Requests that are being answered."),
    "pool_size": ("pool_size", "The most connections to the database."),
    "pool_in_use": ("pool_in_use", "Connections to the database that requests hold."),
    "pool_idle": ("pool_idle", "Open connections to the database that nobody holds."),
    "pool_waiting": ("pool_waiting", "Requests that wait for a connection to the database."),
    "turns_waiting": ("turns_waiting", "Reads and writes that wait for their turn, without a connection."),
}


@dataclass(frozen=True)
class Worker:
    """The place of this process among those of a server."""

    place: int
    shared: SharedCounts


class Metrics(Collector):
    """The metrics of a server: of this process, or of all its processes if there are several."""

    def __init__(self, database: Database, worker: Worker | None = None) -> None:
        self._database = database
        self._worker = worker
        # The counts of a process that was killed go on in the one that replaces it.
        before = worker.shared.read(worker.place) if worker else None
        self._before: dict[str, Any] = before["counts"] if before else {}
        # Each replacement would otherwise add names of its own.
        COUNTS.know(self._before.get("operations", ()))
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(self)

    def text(self) -> bytes:
        """Return all metrics in Prometheus's text format."""
        return generate_latest(self._registry)

    async def share(self) -> None:
        """Show the counts of this process to the others once a second, until it is cancelled."""
        if self._worker is None:
            return
        while True:
            self._worker.shared.write(self._worker.place, self._snapshot())
            await asyncio.sleep(_SHARE_INTERVAL_S)

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics; their numbers never decrease while the server runs."""
        snapshots = self._snapshots()
        counts: dict[str, Any] = {}
        gauges: dict[str, Any] = {}
        for snapshot in snapshots:
            counts, gauges = _sum(counts, snapshot["counts"]), _sum(gauges, snapshot["gauges"])
        info = GaugeMetricFamily("agentdata_info", "The version of the server.", labels=["version"])
        info.add_metric([__version__], 1)
        yield info
        yield _by_label(
            "requests", "HTTP requests, by the status of the answer.", "status", counts["requests"]
        )
        yield _by_label("errors", "Errors in answers, by their code.", "code", counts["errors"])
        yield _by_label(
            "refusals",
            "Requests that a limit of the server refused, by the limit.",
            "kind",
            counts["refusals"],
        )
        operations = HistogramMetricFamily(
            "agentdata_operation_duration_seconds",
            "Seconds from the head of a request to the end of its answer, by operation.",
            labels=["type", "operation"],
        )
        for label, histogram in counts["operations"].items():
            _add(operations, [*label.split(":", 1)], histogram)
        yield operations
        statements = HistogramMetricFamily(
            "agentdata_statement_duration_seconds", "Seconds of statements, until all their rows are here."
        )
        _add(statements, [], counts["statements"])
        yield statements
        yield _by_label(
            "embedding_requests",
            "Requests to the embeddings endpoint, by their outcome.",
            "outcome",
            counts["embedding_requests"],
        )
        embedding = HistogramMetricFamily(
            "agentdata_embedding_duration_seconds",
            "Seconds of requests to the embeddings endpoint, whatever their outcome.",
        )
        _add(embedding, [], counts["embedding_s"])
        yield embedding
        worked = CounterMetricFamily(
            "agentdata_worker_jobs",
            "Jobs that the worker did, by their kind and what came out.",
            labels=["kind", "outcome"],
        )
        for label, number in counts["worked"].items():
            worked.add_metric([*label.split(":", 1)], number)
        yield worked
        for name, (called, description) in _COUNTERS.items():
            yield CounterMetricFamily(f"agentdata_{called}", description, value=counts[name])
        for name, (called, description) in _GAUGES.items():
            yield GaugeMetricFamily(f"agentdata_{called}", description, value=gauges[name])
        yield from _processes([snapshot["pid"] for snapshot in snapshots])

    def _snapshot(self) -> dict[str, Any]:
        """Return the numbers of this process, with those of the processes that it replaces."""
        counts = COUNTS.snapshot() | {"refusals": refusals.counts()}
        pool, turns = self._database.pool, self._database.turns
        gauges = {
            "running": counts.pop("running"),
            "pool_size": pool.size,
            "pool_in_use": pool.in_use,
            "pool_idle": pool.idle,
            "pool_waiting": pool.waiting,
            "turns_waiting": turns.waiting,
        }
        return {"counts": _sum(self._before, counts), "gauges": gauges, "pid": os.getpid()}

    def _snapshots(self) -> list[dict[str, Any]]:
        """Return the numbers of all processes."""
        worker = self._worker
        if worker is None:
            return [self._snapshot()]
        # Whatever is told here is stored first: if this process is killed, no number goes back.
        worker.shared.write(worker.place, self._snapshot())
        found = (worker.shared.read(place) for place in range(worker.shared.places))
        return [snapshot for snapshot in found if snapshot is not None]


class MetricsEndpoint:
    """Answers `GET /metrics`, with a token to those who send it, or to everybody who can reach it."""

    def __init__(self, metrics: Metrics, token: str | None = None) -> None:
        self._metrics = metrics
        self._expected = f"Bearer {token}".encode() if token else None

    async def answer(self, request: Request) -> Response:
        """Answer a request."""
        given = request.headers.get("authorization", "").encode()
        if self._expected is not None and not hmac.compare_digest(given, self._expected):
            return PlainTextResponse(
                "send the token of AGENTDATA_METRICS_TOKEN as `Authorization: Bearer <token>`\n",
                status_code=401,
                headers={"WWW-Authenticate": 'Bearer realm="agentdata metrics"'},
            )
        return Response(self._metrics.text(), headers={"Content-Type": CONTENT_TYPE_LATEST})


def _by_label(name: str, description: str, label: str, numbers: dict[str, int]) -> Metric:
    family = CounterMetricFamily(f"agentdata_{name}", description, labels=[label])
    for value, number in numbers.items():
        family.add_metric([value], number)
    return family


def _add(family: HistogramMetricFamily, labels: list[str], histogram: Histogram) -> None:
    total = 0.0
    buckets = []
    for bound, number in zip(_BOUNDS, histogram[:-1], strict=True):
        total += number
        buckets.append((bound, total))
    family.add_metric(labels, buckets, histogram[-1])


def _sum(one: Any, other: Any) -> Any:
    """Add up the numbers of two snapshots, member by member; what one lacks is what the other has."""
    if isinstance(one, dict):
        return one | {name: _sum(one[name], value) if name in one else value for name, value in other.items()}
    if isinstance(one, list):
        return [a + b for a, b in zip(one, other, strict=True)]
    return one + other


def _processes(pids: Iterable[int]) -> Iterator[Metric]:
    """Yield the standard metrics of processes, such as their memory, with the place of each as a label."""
    families: dict[str, Metric] = {}
    for place, pid in enumerate(pids):
        # A process that has just ended has no metrics.
        with suppress(OSError):
            for metric in ProcessCollector(pid=lambda pid=pid: pid, registry=None).collect():  # type: ignore[misc]  # bound at once
                family = families.setdefault(metric.name, metric)
                samples = [sample._replace(labels={"worker": str(place)}) for sample in metric.samples]
                family.samples = samples if family is metric else family.samples + samples
    yield from families.values()
