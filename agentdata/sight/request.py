"""The record of one request: what its line in the log and the metrics say of it."""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID


class RequestRecord:
    """What is known of a request; whoever finds something out adds it."""

    __slots__ = (
        "bytes_in",
        "bytes_out",
        "codes",
        "cost",
        "id",
        "key",
        "operation",
        "outline",
        "project",
        "reference_runs",
        "span",
        "statement_s",
        "statements",
        "status",
    )

    def __init__(self, id_: str) -> None:
        self.id = id_
        """Its id, which the client chose or the server made up; empty outside of requests."""
        self.status = 0
        """The HTTP status of the answer; 0 while there is none."""
        self.operation = ""
        """The type and name of its operation, such as `query:Sessions`; empty before it is known."""
        self.key: UUID | None = None
        self.project: UUID | None = None
        self.cost = 0
        """What the operation may cost, by the measure of the limits."""
        self.statements = 0
        self.statement_s = 0.0
        """How long its statements took together, in seconds."""
        self.bytes_in = 0
        self.bytes_out = 0
        self.codes: dict[str, int] = {}
        """How many errors of each code the answer has."""
        self.outline: Callable[[], list[Any]] | None = None
        """Returns the tree of its reads, without arguments; None if it has no plan."""
        self.reference_runs: int | None = None
        """If no plan could hold it: how many operations before and with it ran so."""
        self.span: Any = None
        """Its span, if it is traced."""


_OUTSIDE = RequestRecord("")
"""Takes what happens outside of requests, such as in commands; nothing reads it."""

current: ContextVar[RequestRecord] = ContextVar("current_request", default=_OUTSIDE)
"""The record of the request that runs."""
