"""The reader of the reference way: one connection, one snapshot, and every load batched."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, suppress
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

import asyncpg
from strawberry.dataloader import DataLoader

from agentdata.engine.sql.tenancy import TENANT

if TYPE_CHECKING:
    from collections.abc import Awaitable, Hashable, Mapping, Sequence
    from uuid import UUID

    from sqlalchemy.sql import Executable

    from agentdata.database import Database, ReadSession
    from agentdata.engine.preparations import Preparations
    from agentdata.engine.sql.cursors import Signer


class Loader(Protocol):
    """Loads the value of one field for many parents, by as many statements as for one."""

    async def fetch(self, reader: Reader, parents: list[Any]) -> Sequence[Any]:
        """Return the value of each parent, in the parents' order."""


class _EndedError(Exception):
    """The operation has its answer; nobody waits for this load."""


class Reader:
    """Runs the loads of one operation in one transaction, which begins with the first of them."""

    def __init__(
        self,
        database: Database,
        tenant_id: UUID,
        *,
        viewer_id: UUID | None,
        signer: Signer,
        preparations: Preparations,
        ended: bool = False,
    ) -> None:
        self.tenant_id = tenant_id
        self.signer = signer
        self._preparations = preparations
        # The person whose rows alone the database shows; None shows all of the tenant.
        self._viewer_id = viewer_id
        self._database = database
        self._transaction = AsyncExitStack()
        self._session: ReadSession | None = None
        # Sibling fields run concurrently; a connection runs one statement at a time.
        self._turn = asyncio.Lock()
        self._loaders: dict[Hashable, DataLoader[Any, Any]] = {}
        self._ended = ended

    def load(self, key: Hashable, loader: Loader, parent: Any) -> Awaitable[Any]:
        """Load a parent's value, together with all others that are loaded under the same key."""
        batched = self._loaders.get(key)
        if batched is None:
            batched = self._loaders[key] = DataLoader(load_fn=partial(loader.fetch, self))
        return batched.load(parent)

    async def execute(self, statement: Executable, values: Mapping[str, Any] | None = None) -> Sequence[Any]:
        """Run a statement in the operation's snapshot, for its tenant, and return all of its rows."""
        async with self._turn:
            if self._session is None:
                await self._preparations.end()
            if self._ended:
                raise _EndedError
            if self._session is None:
                self._session = await self._transaction.enter_async_context(
                    self._database.read(self.tenant_id, self._viewer_id)
                )
            return await self._session.read(statement, {TENANT: self.tenant_id, **(values or {})})

    async def pairs(self, statement: Executable, values: Mapping[str, Any]) -> dict[Any, Any]:
        """Run a statement of two columns and return the second by the first."""
        return dict(map(tuple, await self.execute(statement, values)))

    async def end(self) -> None:
        """Return the connection for good: loads that still run once the operation failed take no other."""
        self._ended = True
        await self.close()

    async def close(self) -> None:
        """End the transaction and return the connection."""
        self._session = None
        self._loaders.clear()
        # A field that was cancelled may have broken the connection; the values that were read stay right.
        async with self._turn:
            with suppress(asyncpg.InterfaceError):
                await self._transaction.aclose()
