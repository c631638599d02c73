"""What a resolver knows of the request: who asks, the view that it reads from, and how it writes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import strawberry

from agentdata.engine.reference.reader import Reader
from agentdata.errors import ForbiddenError
from agentdata.operations.unit_of_work import run
from models.enums import ApiKeyScope

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from uuid import UUID

    from agentdata.database import Database

Result = TypeVar("Result")

_RANKS: dict[str, int] = {scope: rank for rank, scope in enumerate(ApiKeyScope)}


@dataclass(frozen=True)
class Principal:
    """Whom a valid API key stands for: the project that it opens and what it may do there."""

    project_id: UUID
    api_key_id: UUID
    scopes: frozenset[str]

    def may(self, scope: ApiKeyScope) -> bool:
        """Tell whether the key goes as far as a scope; each scope includes those declared before it."""
        return any(_RANKS[held] >= _RANKS[scope] for held in self.scopes)

    def require(self, scope: ApiKeyScope) -> None:
        """Refuse what the key's scopes do not include.

        Raises:
            ForbiddenError: No scope of the key goes as far.

        """
        if not self.may(scope):
            raise ForbiddenError(f"this needs an API key with the scope {scope}")


class Context:
    """One operation of one request. It reads from one snapshot; each write is followed by a fresh one."""

    def __init__(self, database: Database, principal: Principal) -> None:
        self.principal = principal
        self.tenant_id = principal.project_id
        """The project, which is what the engine calls the tenant."""
        self.way = "plan"
        self._database = database
        self._reader: Reader | None = None
        self._closed = False

    def fetch(self, statement: str, arguments: Sequence[Any]) -> Awaitable[list[Any]]:
        """Run a plan's statement, which sees one moment of the data, and return its rows."""
        return self._database.statement(self.tenant_id, statement, arguments)

    def may(self, scope: ApiKeyScope) -> bool:
        """Return whether the key has a scope."""
        return self.principal.may(scope)

    def require(self, scope: ApiKeyScope) -> None:
        """Refuse a key without a scope.

        Raises:
            ForbiddenError: The key does not have the scope.

        """
        self.principal.require(scope)

    @property
    def reader(self) -> Reader:
        """The reader of the reference way; a plan does without."""
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
        """Run an operation in a transaction of its own; what it wrote is read in a snapshot taken later."""
        self.principal.require(scope)
        writing = run(self._database, self.principal.project_id, operation, arguments, idempotency_key)
        return writing if self._reader is None else _after(self._reader.close(), writing)

    async def close(self) -> None:
        """Give the connection back; the operation is over, and what still runs of it reads no more."""
        self._closed = True
        if self._reader is not None:
            await self._reader.end()


async def _after(release: Awaitable[None], writing: Awaitable[Result]) -> Result:
    """Write once the reader has returned its connection: a request never holds two."""
    await release
    return await writing


Info = strawberry.Info[Context, None]
