"""Counts the statements that SQLAlchemy runs; those on the driver itself are counted where they run."""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING, Any

from sqlalchemy import event

from agentdata.sight.counts import COUNTS

if TYPE_CHECKING:
    from sqlalchemy import Engine


def count_statements(engine: Engine) -> None:
    """Count every statement of an engine, with its time."""

    def begin(
        _connection: Any, _cursor: Any, _statement: str, _parameters: Any, context: Any, _many: Any
    ) -> None:
        context.agentdata_started = perf_counter()

    def end(
        _connection: Any, _cursor: Any, statement: str, _parameters: Any, context: Any, _many: Any
    ) -> None:
        COUNTS.statement(context.agentdata_started, statement)

    def fail(failure: Any) -> None:
        started = getattr(failure.execution_context, "agentdata_started", None)
        if started is not None:
            COUNTS.statement(started, failure.statement or "")

    event.listen(engine, "before_cursor_execute", begin)
    event.listen(engine, "after_cursor_execute", end)
    event.listen(engine, "handle_error", fail)
