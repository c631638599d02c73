"""The context of an operation, as far as the engine needs it: whose data it reads and what it may do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import strawberry

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from uuid import UUID

    from agentdata.engine.costs import Price
    from agentdata.engine.preparations import Preparations
    from agentdata.engine.reference.reader import Reader
    from agentdata.engine.sql.cursors import Signer

Result = TypeVar("Result")


class Context(Protocol):
    """One operation of one request."""

    tenant_id: UUID
    """The tenant whose data the operation reads and writes."""

    viewer_id: UUID | None
    """The person whose rows alone the database shows; None sees all rows of the tenant."""

    way: str
    """How it ran: "plan", or "reference" if no plan could hold it."""

    @property
    def signer(self) -> Signer:
        """The signer of the tenant's cursors."""

    @property
    def reader(self) -> Reader:
        """The reader of the reference way; a plan does without."""

    @property
    def preparations(self) -> Preparations:
        """The preparations that the fields of the operation wait for before it reads."""

    def charge(self, price: Price) -> None:
        """Take the price of the operation before anything of it runs.

        Raises:
            LimitExceededError: The price is above all that a key may ever have.
            RateLimitedError: The key has too little left now.

        """

    def fetch(self, statement: str, arguments: Sequence[Any]) -> Awaitable[list[Any]]:
        """Run a plan's statement in one snapshot and return its rows."""

    def may(self, scope: Any) -> bool:
        """Return whether the client has a scope."""

    def require(self, scope: Any) -> None:
        """Refuse a client without a scope.

        Raises:
            AgentDataError: The client does not have the scope.

        """

    def write(
        self,
        operation: Callable[..., Awaitable[Result]],
        arguments: dict[str, Any],
        *,
        scope: Any,
        idempotency_key: str | None = None,
        field: str = "",
    ) -> Awaitable[Result]:
        """Run a write, the mutation ``field``, in a transaction of its own and return its result."""


Info = strawberry.Info[Context, None]
