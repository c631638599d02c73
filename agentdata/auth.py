"""Whom an API key stands for."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import OrderedDict
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import text

from agentdata.context import Principal
from agentdata.errors import UnauthenticatedError
from agentdata.operations.api_keys import hash_secret, is_secret

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

    from agentdata.database import Database

_log = logging.getLogger(__name__)

_LASTS_S = 0.9
"""For how many seconds an answer of the database holds: a revoked key stops within a second."""

_MOST_LOOKUPS = 2
"""How many connections keys are looked up on at once, so that made-up keys leave the rest to requests."""

_NOTED = timedelta(minutes=1)
"""How exactly the last use of a key is noted."""

_LOOKUP = text(
    "SELECT project_id, id, scopes, expires_at, revoked_at, last_used_at"
    " FROM authenticate_api_key(:secret_hash)"
)

NOTE_USE = """
UPDATE api_keys SET last_used_at = $3 WHERE project_id = $1 AND id = (
  SELECT id FROM api_keys
  WHERE project_id = $1 AND id = $2 AND (last_used_at IS NULL OR last_used_at <= $4)
  FOR NO KEY UPDATE SKIP LOCKED
)"""
"""Notes that a key is used. It waits for no one: whoever holds the key's row changes it, or notes the use."""


class ValidKey(NamedTuple):
    """A key as the database knows it."""

    principal: Principal
    expires_at: datetime | None
    last_used_at: datetime | None

    def use(self) -> tuple[object, ...] | None:
        """Return the arguments of ``NOTE_USE``, or None where a use was noted less than a minute ago."""
        now = datetime.now(UTC)
        if self.last_used_at is not None and now - self.last_used_at < _NOTED:
            return None
        return self.principal.project_id, self.principal.api_key_id, now, now - _NOTED


class _Answer(NamedTuple):
    principal: Principal | None
    refusal: str
    until: float


async def valid_key(connection: AsyncConnection | AsyncSession, hash_: bytes) -> ValidKey:
    """Return the key with this hash.

    Raises:
        UnauthenticatedError: The key is unknown, revoked, or expired.

    """
    row = (await connection.execute(_LOOKUP, {"secret_hash": hash_})).one_or_none()
    now = datetime.now(UTC)
    if row is None:
        raise UnauthenticatedError("the API key is not known; check that it is complete")
    if row.revoked_at is not None:
        raise UnauthenticatedError("the API key was revoked; use another one")
    if row.expires_at is not None and row.expires_at <= now:
        raise UnauthenticatedError("the API key has expired; use another one")
    principal = Principal(row.project_id, row.id, frozenset(row.scopes))
    return ValidKey(principal, row.expires_at, row.last_used_at)


class Authenticator:
    """Tells the principal of an `Authorization` header.

    A key in use costs one statement a second, whatever the number of requests: answers are remembered for
    less than a second, and requests with the same key wait for the same lookup.
    """

    def __init__(self, database: Database, *, remembered: int = 10_000) -> None:
        self._database = database
        self._remembered = remembered
        self._answers: OrderedDict[bytes, _Answer] = OrderedDict()
        self._lookups: dict[bytes, asyncio.Task[_Answer]] = {}
        self._room = asyncio.Semaphore(_MOST_LOOKUPS)

    async def authenticate(self, authorization: str | None) -> Principal:
        """Give the principal of a header.

        Raises:
            UnauthenticatedError: There is no key, or it is unknown, revoked, or expired.
            OverloadedError: No database connection came free in time.

        """
        secret = _bearer(authorization)
        hash_ = hash_secret(secret)
        answer = self._answers.get(hash_)
        if answer is None or answer.until <= time.monotonic():
            # A client that goes away must not take the lookup from the others that wait for it.
            answer = await asyncio.shield(self._look_up(hash_))
        if answer.principal is None:
            raise UnauthenticatedError(answer.refusal)
        return answer.principal

    def _look_up(self, hash_: bytes) -> asyncio.Task[_Answer]:
        task = self._lookups.get(hash_)
        if task is None:
            task = self._lookups[hash_] = asyncio.create_task(self._ask(hash_))
            task.add_done_callback(lambda done: self._finished(hash_, done))
        return task

    def _finished(self, hash_: bytes, task: asyncio.Task[_Answer]) -> None:
        del self._lookups[hash_]
        if not task.cancelled():
            # Where all who waited have gone, nobody else looks at the exception.
            task.exception()

    async def _ask(self, hash_: bytes) -> _Answer:
        async with self._room:
            # The answer's age counts from before the question.
            until = time.monotonic() + _LASTS_S
            async with self._database.connection() as connection:
                try:
                    key = await valid_key(connection, hash_)
                    answer = _Answer(key.principal, "", until)
                except UnauthenticatedError as refusal:
                    key, answer = None, _Answer(None, refusal.message, until)
            if key is not None:
                await self._note_use(key)
        if key is not None and key.expires_at is not None:
            left = (key.expires_at - datetime.now(UTC)).total_seconds()
            answer = answer._replace(until=min(until, time.monotonic() + left))
        self._answers[hash_] = answer
        self._answers.move_to_end(hash_)
        if len(self._answers) > self._remembered:
            self._answers.popitem(last=False)
        return answer

    async def _note_use(self, key: ValidKey) -> None:
        use = key.use()
        if use is None:
            return
        try:
            await self._database.statement(key.principal.project_id, NOTE_USE, use, writes=True)
        except Exception:  # noqa: BLE001 - the key is valid whether or not its use is noted
            _log.warning("the use of a key was not noted", exc_info=True)


def _bearer(authorization: str | None) -> str:
    if not authorization:
        raise UnauthenticatedError("an API key is needed; send it as `Authorization: Bearer <key>`")
    scheme, _, secret = authorization.partition(" ")
    secret = secret.strip()
    if scheme.lower() != "bearer":
        raise UnauthenticatedError("the scheme is not supported; send `Authorization: Bearer <key>`")
    if not is_secret(secret):
        raise UnauthenticatedError(
            "this does not look like an API key, which begins with `ad_`; check that it is complete"
        )
    return secret
