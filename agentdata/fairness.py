"""Fairness: what one operation, one API key and one project may take while others want something, too."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from graphql import ExecutionResult, OperationType
from graphql.error import located_error

from agentdata.allowance import Allowance
from agentdata.answers import check_size, may_exceed
from agentdata.auth import MAX_LOOKUPS
from agentdata.deadlines import Deadlines
from agentdata.engine.aside import ANSWERING
from agentdata.engine.requests.documents import invalid
from agentdata.errors import LimitExceededError, OverloadedError
from agentdata.rates import Rates

if TYPE_CHECKING:
    from agentdata.context import Context
    from agentdata.database import Database
    from agentdata.engine.costs import Price
    from agentdata.engine.requests.documents import Operation
    from agentdata.principal import Principal
    from agentdata.settings import Settings

_LOOKUP_PERCENT = 10
"""The percentage of the connections that is left to lookups of keys, if they can use as many."""

_CHARACTERS_A_POINT = 20
"""How many characters of a new document cost a point: reading and validating them takes some 0.1 ms."""

_BURST_S = 10
"""How many seconds of its rate a key may spend at once, unless the settings say it in points."""


@dataclass(frozen=True)
class Fairness:
    """The limits that operations, keys and projects have beside each other, in one process."""

    operation_timeout_s: float
    max_answer_bytes: int
    project_places: int
    """How many connections the operations of one project use at a time; the others wait."""
    key_places: int
    """The same for one API key."""
    all_places: int
    """The same for all operations: what they leave finds out whose keys the requests have."""
    rates: Rates | None
    """The points that each key may spend; None if there is no limit."""
    deadlines: Deadlines = field(default_factory=Deadlines)
    """Watches the time limits of operations."""

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
            size - min(size * _LOOKUP_PERCENT // 100, MAX_LOOKUPS),
            Rates(per_s, max(burst, 1)) if per_s else None,
        )

    def charge_reading(self, principal: Principal, document: str) -> None:
        """Charge a key for a document that has to be parsed and validated, whether or not it is valid.

        Raises:
            InvalidRequestError: The key may not spend so many points at once.
            RateLimitedError: The key has not so many points left.

        """
        if self.rates is not None:
            try:
                self.rates.take(principal.holder_id, math.ceil(len(document) / _CHARACTERS_A_POINT))
            except LimitExceededError as error:
                raise invalid(error) from None

    def allowance(self, principal: Principal) -> Allowance:
        """Return the allowance of a new operation."""
        places = (
            (("key", principal.holder_id), self.key_places),
            (("project", principal.project_id), self.project_places),
            ("all", self.all_places),
        )
        return Allowance(
            seconds=self.operation_timeout_s,
            max_bytes=self.max_answer_bytes,
            deadlines=self.deadlines,
            places=places,
        )

    def may_exceed(self, price: Price | None, received: int) -> bool:
        """Return whether an answer may be too large, so that ``bounded`` has to measure it.

        ``received`` is the number of bytes that it was made of.
        """
        return price is not None and may_exceed(price, received, self.max_answer_bytes)

    async def bounded(self, result: ExecutionResult, operation: Operation) -> ExecutionResult:
        """Return a result, or an error in its place if its answer would be too large."""
        try:
            try:
                await ANSWERING.run(check_size, result.data, self.max_answer_bytes)
            except OverloadedError:  # the answer is there, so it is not dropped because others wait
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
