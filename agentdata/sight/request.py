"""The record of one request: what its line in the log and the metrics say of it."""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

    from agentdata.sight.tracing import RequestSpan


class RequestRecord:
    """The facts about a request, which each part of the server adds as it learns them.

    The defaults belong to the class, so that a new record costs little.
    """

    status: int = 0
    """The HTTP status of the answer; 0 while there is none."""
    operation: str = ""
    """The type and name of its operation, such as `query:Sessions`; empty before it is known."""
    key: UUID | None = None
    project: UUID | None = None
    cost: int = 0
    """The estimated cost of the operation, in points."""
    statements: int = 0
    statement_s: float = 0.0
    """How long its statements took together, in seconds."""
    bytes_in: int = 0
    bytes_out: int = 0
    codes: tuple[str, ...] = ()
    """The codes of the errors in the answer, each once."""
    outline: Callable[[], list[dict[str, Any]]] | None = None
    """Returns the tree of its reads, without arguments; None if it has no plan."""
    reference_runs: int | None = None
    """If no plan could hold it: how many operations before and with it ran so."""
    span: RequestSpan | None = None
    """Its span, if it is traced."""

    def __init__(self, id_: str) -> None:
        self.id = id_
        """Its id, which the client chose or the server made up; empty outside of requests."""


_OUTSIDE = RequestRecord("")
"""Takes what happens outside of requests, such as in commands; nothing reads it."""

current: ContextVar[RequestRecord] = ContextVar("current_request", default=_OUTSIDE)
"""The record of the request that runs."""
