"""The context of a request: its principal, the snapshot that it reads from, and its writes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import strawberry

from agentdata.engine.reference.reader import Reader
from agentdata.errors import ForbiddenError
from agentdata.operations.unit_of_work import run
from models.enums import ApiKeyScope

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Sequence
    from uuid import UUID

    from agentdata.database import Database
    from agentdata.engine.costs import Price
    from agentdata.rates import Rates

Result = TypeVar("Result")

_RANKS: dict[str, int] = {scope: rank for rank, scope in enumerate(ApiKeyScope)}


@dataclass(frozen=True)
class Principal:
    """The holder of a valid API key: its project and its scopes there."""

    project_id: UUID
    api_key_id: UUID
    scopes: frozenset[str]

    def may(self, scope: ApiKeyScope) -> bool:
        """Return whether the key includes a scope; each scope includes those declared before it."""
        return any(_RANKS[held] >= _RANKS[scope] for held in self.scopes)

    def require(self, scope: ApiKeyScope) -> None:
        """Check that the key includes a scope.

        Raises:
            ForbiddenError: The key does not include the scope.

        """
        if not self.may(scope):
            raise ForbiddenError(f"this needs an API key with the scope {scope}")


class Context:
    """The context of one operation. It reads from one snapshot; after each write it takes a new one."""

    def __init__(self, database: Database, principal: Principal, rates: Rates | None = None) -> None:
        self.principal = principal
        self.tenant_id = principal.project_id
        """The id of the project; the engine calls it the tenant."""
        self.way = "plan"
        self.price: Price | None = None
        """The price of the operation, once it is known."""
        self.points_left: int | None = None
        """How many points the key has left; None without a rate limit."""
        self._rates = rates
        self._database = database
        self._reader: Reader | None = None
        self._closed = False

    def charge(self, price: Price) -> None:
        """Take the price of the operation from what the key may spend.

        Raises:
            LimitExceededError: The price is above all that a key may spend at once.
            RateLimitedError: The key has too little left now.

        """
        self.price = price
        if self._rates is not None:
            self.points_left = self._rates.take(self.principal.api_key_id, price.points)

    def fetch(self, statement: str, arguments: Sequence[Any]) -> Awaitable[list[Any]]:
        """Run a plan's statement, which sees one moment of the data, and return its rows."""
        return self._database.statement(self.tenant_id, statement, arguments)

    def may(self, scope: ApiKeyScope) -> bool:
        """Return whether the key includes a scope."""
        return self.principal.may(scope)

    def require(self, scope: ApiKeyScope) -> None:
        """Check that the key includes a scope.

        Raises:
            ForbiddenError: The key does not include the scope.

        """
        self.principal.require(scope)

    @property
    def reader(self) -> Reader:
        """The reader of the reference way; plans do not use it."""
        if self._reader is None:
            self._reader = Reader(self._database, self.tenant_id, ended=self._closed)
        return self._reader

    def write(
        self,
        operation: Callable[..., Awaitable[Result]],
        arguments: dict[str, Any],
        *,
        scope: ApiKeyScope = ApiKeyScope.WRITE,
        idempotency_key: str | None = None,
    ) -> Awaitable[Result]:
        """Run an operation in a transaction of its own; later reads take a new snapshot with its writes."""
        self.principal.require(scope)
        writing = run(self._database, self.principal.project_id, operation, arguments, idempotency_key)
        return writing if self._reader is None else _write_after(self._reader.close(), writing)

    async def close(self) -> None:
        """End the operation and give its connection back; tasks of it that still run can no longer read."""
        self._closed = True
        if self._reader is not None:
            await self._reader.end()


async def _write_after(release: Awaitable[None], writing: Coroutine[Any, Any, Result]) -> Result:
    """Write after the reader has returned its connection: a request never holds two."""
    try:
        await release
    except BaseException:
        writing.close()
        raise
    return await writing


Info = strawberry.Info[Context, None]
