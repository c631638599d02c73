"""Counts of one server process since it started: plain numbers, because each request changes many of them.

An update of prometheus-client's objects costs a microsecond and more, and several times that if processes
share them. So requests update these numbers, and `metrics` makes them into metrics when they are asked for.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from time import perf_counter
from typing import TYPE_CHECKING, Any

from agentdata.sight.request import current

if TYPE_CHECKING:
    from collections.abc import Iterable

    from agentdata.sight.request import RequestRecord

BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
"""The upper bounds of the buckets of histograms, in seconds; the last bucket has none."""

_MOST_OPERATIONS = 100
"""How many names of operations have a histogram of their own, because clients choose the names."""

OTHER = "other"
"""The name of all operations beyond these."""

Histogram = list[float]
"""The number of observations in each bucket, and at the end their sum."""


def _histogram() -> Histogram:
    return [0] * (len(BUCKETS_S) + 1) + [0.0]


class Counts:
    """The numbers of one process, each growing from its start."""

    def __init__(self) -> None:
        self.requests: defaultdict[int, int] = defaultdict(int)
        """Requests by the status of their answer; 0 if the client left before it."""
        self.errors: defaultdict[str, int] = defaultdict(int)
        """Errors in answers, by their code."""
        self.operations: dict[str, Histogram] = {}
        """The time of requests by operation, such as `query:Sessions`."""
        self.statements = _histogram()
        self.running = 0
        """How many requests are being answered."""
        self.bytes_in = 0
        self.bytes_out = 0
        self.cost = 0
        self.reference_runs = 0
        self.compilations = 0
        self.compile_s = 0.0
        """The time in seconds that documents and plans took that were not cached."""
        self.embedding_requests: defaultdict[str, int] = defaultdict(int)
        """Requests to the embeddings endpoint by their outcome."""
        self.embedding_texts = 0
        """Texts that the endpoint made vectors of."""
        self.embedding_s = _histogram()
        self.worked: defaultdict[str, int] = defaultdict(int)
        """Jobs that the worker did, by their kind and what came out, such as `embed:completed`."""
        self.slow = 0
        """Operations that took longer than the setting."""

    def know(self, operations: Iterable[str]) -> None:
        """Add an empty histogram for each of these operations, so that they count towards the bound."""
        for operation in operations:
            self.operations.setdefault(operation, _histogram())

    def observe(self, operation: str, seconds: float) -> None:
        """Add the time of a request to the histogram of its operation."""
        histogram = self.operations.get(operation)
        if histogram is None:
            if len(self.operations) >= _MOST_OPERATIONS:
                operation = operation.partition(":")[0] + ":" + OTHER
            histogram = self.operations.setdefault(operation, _histogram())
        histogram[bisect_left(BUCKETS_S, seconds)] += 1
        histogram[-1] += seconds

    def finish(self, request: RequestRecord, seconds: float) -> None:
        """Count a request that was answered."""
        self.running -= 1
        self.requests[request.status] += 1
        self.bytes_in += request.bytes_in
        self.bytes_out += request.bytes_out
        if request.operation:
            self.cost += request.cost
            self.observe(request.operation, seconds)

    def statement(self, started: float, text: str) -> None:
        """Count a statement of the current request that has ended, by the time when it started."""
        seconds = perf_counter() - started
        statements = self.statements
        statements[bisect_left(BUCKETS_S, seconds)] += 1
        statements[-1] += seconds
        request = current.get()
        request.statements += 1
        request.statement_s += seconds
        if request.span is not None:
            request.span.statement(text, seconds)

    def compiled(self, started: float) -> None:
        """Count the compilation of a document or a plan, by the time when it started."""
        self.compilations += 1
        self.compile_s += perf_counter() - started

    def embedded(self, outcome: str, texts: int, seconds: float) -> None:
        """Count a request to the embeddings endpoint; ``outcome`` is a name from our code."""
        self.embedding_requests[outcome] += 1
        if outcome == "ok":
            self.embedding_texts += texts
        self.embedding_s[bisect_left(BUCKETS_S, seconds)] += 1
        self.embedding_s[-1] += seconds

    def error(self, code: str) -> None:
        """Count an error in an answer to the current request."""
        self.errors[code] += 1
        request = current.get()
        if code not in request.codes:
            request.codes = (*request.codes, code)

    def snapshot(self) -> dict[str, Any]:
        """Return all numbers, as JSON can hold them."""
        numbers: dict[str, Any] = {**vars(self)}
        return numbers | {"requests": {str(status): number for status, number in self.requests.items()}}


COUNTS = Counts()
"""The counts of this process."""
