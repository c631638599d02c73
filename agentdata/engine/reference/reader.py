"""One operation's view of the data: one connection, one snapshot, and every read batched."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, suppress
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

import asyncpg
from strawberry.dataloader import DataLoader

from agentdata.engine.sql.links import PROJECT

if TYPE_CHECKING:
    from collections.abc import Awaitable, Hashable, Mapping, Sequence
    from uuid import UUID

    from sqlalchemy.sql import Executable

    from agentdata.database import Database, ReadSession


class Batch(Protocol):
    """What answers one field for many parents at once, by as many statements as for one."""

    async def fetch(self, reader: Reader, parents: list[Any]) -> Sequence[Any]:
        """Give the value of each parent, in the parents' order."""


class _EndedError(Exception):
    """The operation has its answer; nobody waits for what is read now."""


class Reader:
    """Runs the reads of one operation in one transaction that begins with the first of them."""

    def __init__(self, database: Database, project_id: UUID, *, ended: bool = False) -> None:
        self.project_id = project_id
        self._database = database
        self._transaction = AsyncExitStack()
        self._session: ReadSession | None = None
        # Fields that stand side by side run at the same time; a connection runs one statement at a time.
        self._turn = asyncio.Lock()
        self._loaders: dict[Hashable, DataLoader[Any, Any]] = {}
        self._ended = ended

    def load(self, key: Hashable, batch: Batch, parent: Any) -> Awaitable[Any]:
        """Give a parent's value, read together with all others that are asked for under the same key."""
        loader = self._loaders.get(key)
        if loader is None:
            loader = self._loaders[key] = DataLoader(load_fn=partial(batch.fetch, self))
        return loader.load(parent)

    async def execute(self, statement: Executable, values: Mapping[str, Any] | None = None) -> Sequence[Any]:
        """Run a statement in the operation's snapshot, for its project, and give all of its rows."""
        async with self._turn:
            if self._ended:
                raise _EndedError
            if self._session is None:
                self._session = await self._transaction.enter_async_context(
                    self._database.read(self.project_id)
                )
            return (
                await self._session.execute(statement, {PROJECT: self.project_id, **(values or {})})
            ).all()

    async def pairs(self, statement: Executable, values: Mapping[str, Any]) -> dict[Any, Any]:
        """Run a statement of two columns and give the second by the first."""
        return dict(map(tuple, await self.execute(statement, values)))

    async def end(self) -> None:
        """Give the connection back for good: what still runs once the operation failed takes no other."""
        self._ended = True
        await self.close()

    async def close(self) -> None:
        """End the transaction and give the connection back."""
        self._session = None
        self._loaders.clear()
        # A field that was stopped half way may have lost the connection; what was read is right all the same.
        async with self._turn:
            with suppress(asyncpg.InterfaceError):
                await self._transaction.aclose()
