"""Fairness: what one operation, one API key and one project may take while others want something, too."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from graphql import ExecutionResult, OperationType
from graphql.error import located_error

from agentdata.allowance import Allowance
from agentdata.answers import check_size, may_exceed
from agentdata.errors import LimitExceededError
from agentdata.rates import Rates
from agentdata.turns import Turns

if TYPE_CHECKING:
    from agentdata.context import Context, Principal
    from agentdata.database import Database
    from agentdata.engine.costs import Price
    from agentdata.engine.requests.documents import Operation
    from agentdata.settings import Settings
    from agentdata.turns import Limits

_BURST_S = 10
"""How many seconds of its rate a key may spend at once, unless the settings say it in points."""


@dataclass(frozen=True)
class Fairness:
    """The limits that operations, keys and projects have beside each other, in one process."""

    operation_timeout_s: float
    max_answer_bytes: int
    project_places: int
    """How many operations of one project run at a time; the others wait."""
    key_places: int
    """The same for one API key."""
    rates: Rates | None
    """What each key may spend; None if there is no limit."""
    _turns: Turns

    @classmethod
    def of(cls, settings: Settings, database: Database) -> Fairness:
        """Return the limits of the settings for the connections of a database."""
        per_s = settings.rate_points_per_s / settings.workers
        burst = settings.rate_burst_points / settings.workers or per_s * _BURST_S
        size = database.pool.size
        return cls(
            settings.operation_timeout_s,
            settings.max_answer_bytes,
            max(size * settings.project_percent // 100, 1),
            max(size * settings.key_percent // 100, 1),
            Rates(per_s, max(burst, 1)) if per_s else None,
            Turns(
                database.pool.timeout_s,
                max_waiting=settings.queue_length,
                busy="too many operations of this key or project run and wait already; try again shortly",
            ),
        )

    def allowance(self) -> Allowance:
        """Return the allowance of a new operation."""
        return Allowance(seconds=self.operation_timeout_s, max_bytes=self.max_answer_bytes)

    async def turns(self, principal: Principal) -> Limits:
        """Wait until an operation of the key and of the project may run, and return what it gives back.

        Raises:
            OverloadedError: Too many wait already, or it waited as long as a request may.

        """
        limits = (
            (("key", principal.api_key_id), self.key_places),
            (principal.project_id, self.project_places),
        )
        if not self._turns.take_now(limits):
            await self._turns.wait(limits)
        return limits

    def give_back(self, turns: Limits) -> None:
        """Let the next operation run."""
        self._turns.give_back(turns)

    def bounded(
        self, result: ExecutionResult, operation: Operation, price: Price | None, received: int
    ) -> ExecutionResult:
        """Return a result, or an error in its place if its answer would be too large.

        ``received`` is the number of bytes that the result was made of.
        """
        if price is None or not may_exceed(price, received, self.max_answer_bytes):
            return result
        try:
            check_size(result.data, self.max_answer_bytes)
        except LimitExceededError as error:
            if operation.node.operation is OperationType.MUTATION:
                failed = "those that failed say so in errors of their own" if result.errors else "all of them"
                error.message = f"the writes were done ({failed}), but {error.message}"
            return ExecutionResult(None, [*(result.errors or ()), located_error(error, [operation.node])])
        return result

    def cost(self, context: Context) -> dict[str, Any]:
        """Return what an operation costs, the most that its key may spend at once, and what it has left."""
        return {
            "points": context.price.points if context.price else None,
            "budget": None if self.rates is None else int(self.rates.burst),
            "left": context.points_left,
        }
