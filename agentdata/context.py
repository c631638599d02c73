"""The context of a request: its principal, the snapshot that it reads from, and its writes."""

from __future__ import annotations

import asyncio
import hashlib
from typing import TYPE_CHECKING, Any, TypeVar

import strawberry

from agentdata.engine.preparations import Preparations
from agentdata.engine.reference.reader import Reader
from agentdata.engine.sql.cursors import Signer
from agentdata.errors import EmbeddingsUnavailableError, ForbiddenError
from agentdata.operations import access_records
from agentdata.operations.access_records import Origin
from agentdata.operations.unit_of_work import run
from models.enums import AccessKind, ApiKeyScope

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Sequence

    from agentdata.database import Database
    from agentdata.embeddings import SearchVectors
    from agentdata.engine.costs import Price
    from agentdata.principal import Principal
    from agentdata.rates import Rates
    from agentdata.vectors import Vector

Result = TypeVar("Result")


_UNKNOWN_ORIGIN = Origin()

_BELIEVED_S, _MOST_BELIEVED, _LONGEST_KEY = 60.0, 10_000, 1_000
"""How many seconds a size of vectors is believed to exist, how many are, and of how long parameters."""


class Context:
    """The context of one operation. It reads from one snapshot; after each write it takes a new one."""

    def __init__(
        self,
        database: Database,
        principal: Principal,
        origin: Origin = _UNKNOWN_ORIGIN,
        rates: Rates | None = None,
        vectors: SearchVectors | None = None,
    ) -> None:
        self.principal = principal
        self._origin = origin
        self.tenant_id = principal.project_id
        """The id of the project; the engine calls it the tenant."""
        self.viewer_id = principal.user_id
        """The end user whose rows alone the operation sees; the engine calls such a person the viewer."""
        self.has_totals = principal.has_totals
        self.way = "plan"
        self.price: Price | None = None
        """The price of the operation, once it is known."""
        self.points_left: int | None = None
        """How many points the key has left; None without a rate limit."""
        self._rates = rates
        self._vectors = vectors
        self._preparations: Preparations | None = None
        self._database = database
        self._reader: Reader | None = None
        self._signer: Signer | None = None
        self._closed = False

    def charge(self, price: Price) -> None:
        """Take the price of the operation from what the key may spend.

        Raises:
            LimitExceededError: The price is above all that a key may spend at once.
            RateLimitedError: The key has too little left now.

        """
        self.price = price
        if self._rates is not None:
            self.points_left = self._rates.take(self.principal.holder_id, price.points)

    def fetch(self, statement: str, arguments: Sequence[Any]) -> Awaitable[list[Any]]:
        """Run a plan's statement, which sees one moment of the data, and return its rows."""
        return self._database.statement(self.tenant_id, statement, arguments, user_id=self.viewer_id)

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
    def signer(self) -> Signer:
        """The signer of the operation's cursors."""
        if self._signer is None:
            self._signer = Signer(self._database.secret, self.tenant_id)
        return self._signer

    @property
    def preparations(self) -> Preparations:
        """The preparations that the fields of the operation wait for before it reads."""
        if self._preparations is None:
            self._preparations = Preparations()
        return self._preparations

    @property
    def embedding_model(self) -> str | None:
        """The model of the vectors that this server makes of texts; None if it makes none."""
        return None if self._vectors is None else self._vectors.model

    async def finds_vectors(self, statement: str) -> bool:
        """Return whether a statement finds vectors of the model to compare with, as lately as a minute ago.

        Its parameters are the project and the model.
        """
        if self._vectors is None:
            return False

        async def look() -> bool:
            [[found]] = await self.fetch(statement, (self.tenant_id, self.embedding_model))
            return bool(found)

        return await self._vectors.in_use((self.tenant_id, self.viewer_id, statement), look)

    async def sizes_beside(self, size: int, statement: str, parameters: tuple[Any, ...]) -> list[int]:
        """Return the sizes of the vectors that a statement finds, or none if they include this size.

        Its parameters are the project and those given. That it finds this size is believed for a minute.
        """
        now, believed = asyncio.get_running_loop().time(), self._database.sizes_in_use
        # A list of many ids would take much memory, for little: its search takes far longer than the look.
        key = (self.tenant_id, size, statement, str(parameters)[:_LONGEST_KEY])
        is_short = len(key[-1]) < _LONGEST_KEY
        if is_short and now < believed.get(key, 0.0):
            return []
        found = [row["dimensions"] for row in await self.fetch(statement, (self.tenant_id, *parameters))]
        if size not in found:
            return found
        if is_short:
            if len(believed) >= _MOST_BELIEVED:
                believed.clear()
            believed[key] = now + _BELIEVED_S
        return []

    async def vector_of(self, text: str) -> Vector:
        """Return the vector of a text, made by the model; to be awaited in a preparation.

        Raises:
            BadUserInputError: The endpoint does not take the text.
            EmbeddingsUnavailableError: There is no endpoint, or it does not answer as it should.
            TimedOutError: The operation has reached its time limit.

        """
        if self._vectors is None:
            raise EmbeddingsUnavailableError(
                "this server makes no vectors of texts: send a vector, or search by words; or its operator"
                " sets AGENTDATA_EMBEDDINGS_URL"
            )
        return await self._vectors.of(self.tenant_id, text, within_s=self._database.left_s())

    @property
    def reader(self) -> Reader:
        """The reader of the reference way; plans do not use it."""
        if self._reader is None:
            self._reader = Reader(
                self._database,
                self.tenant_id,
                viewer_id=self.viewer_id,
                signer=self.signer,
                preparations=self.preparations,
                ended=self._closed,
            )
        return self._reader

    def write(
        self,
        operation: Callable[..., Awaitable[Result]],
        arguments: dict[str, Any],
        *,
        scope: ApiKeyScope = ApiKeyScope.WRITE,
        idempotency_key: str | None = None,
        field: str = "",
    ) -> Awaitable[Result]:
        """Run an operation in a transaction of its own; later reads take a new snapshot with its writes.

        ``field`` is the mutation, as the access record of the write names it.
        """
        self.principal.require(scope)
        if self.viewer_id is not None:
            # Row-level security has no rules for what end users may write.
            raise ForbiddenError("a token of a user can only read")
        writing = run(
            self._database,
            self.principal.project_id,
            operation,
            arguments,
            idempotency_key,
            self.principal.author(self._origin),
            field,
        )
        return writing if self._reader is None else _write_after(self._reader.close(), writing)

    async def record_read(self, fields: Sequence[str], document: str) -> None:
        """Insert an access record of the operation, in a transaction of its own."""
        values = access_records.values(
            self.principal.author(self._origin),
            AccessKind.READ,
            fields,
            document_hash=hashlib.sha256(document.encode()).hexdigest(),
        )
        # An operation that used up its allowance is recorded, too.
        database = self._database.within(None)
        async with database.turn_to_write(self.tenant_id, ()):
            await database.statement(
                self.tenant_id, access_records.RECORD, (self.tenant_id, *values), writes=True
            )

    async def close(self) -> None:
        """End the operation and give its connection back; tasks of it that still run can no longer read."""
        self._closed = True
        if self._preparations is not None:
            self._preparations.cancel()
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
