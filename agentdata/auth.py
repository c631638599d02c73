"""Authentication by API keys and tokens."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import OrderedDict
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import text

from agentdata import refusals
from agentdata.errors import RateLimitedError, UnauthenticatedError
from agentdata.guesses import Guesses
from agentdata.operations.api_keys import hash_secret, is_secret
from agentdata.principal import Principal
from agentdata.sight.failures import describe

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

    from agentdata.database import Database
    from agentdata.tokens import Tokens

_log = logging.getLogger(__name__)

_ANSWER_VALID_S = 0.9
"""How long an answer of the database is reused, in seconds: a revoked key stops working within a second."""

_TOKEN_DOTS = 2
"""A token is three parts with dots between them."""

MAX_LOOKUPS = 2
"""The maximum number of connections for lookups, so that a flood of made-up keys leaves some to requests."""

_USE_INTERVAL = timedelta(minutes=1)
"""The minimum time between two updates of a key's last use."""

_LOOKUP = text(
    "SELECT project_id, id, scopes, expires_at, revoked_at, last_used_at,"
    " has_totals(project_id) AS has_totals FROM authenticate_api_key(:secret_hash)"
)

RECORD_USE = """
UPDATE api_keys SET last_used_at = $3 WHERE project_id = $1 AND id = (
  SELECT id FROM api_keys
  WHERE project_id = $1 AND id = $2 AND (last_used_at IS NULL OR last_used_at <= $4)
  FOR NO KEY UPDATE SKIP LOCKED
)"""
"""Records the use of a key. It skips a locked row: its holder is changing the key or recording a use."""


class ValidKey(NamedTuple):
    """A valid key as stored in the database."""

    principal: Principal
    expires_at: datetime | None
    last_used_at: datetime | None

    def use_arguments(self) -> tuple[object, ...] | None:
        """Return the arguments of ``RECORD_USE``, or None if a use was recorded less than a minute ago."""
        now = datetime.now(UTC)
        if self.last_used_at is not None and now - self.last_used_at < _USE_INTERVAL:
            return None
        return self.principal.project_id, self.principal.api_key_id, now, now - _USE_INTERVAL


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
    principal = Principal(
        row.project_id,
        row.id,
        frozenset(row.scopes),
        expires_at=row.expires_at,
        has_totals=row.has_totals,
    )
    return ValidKey(principal, row.expires_at, row.last_used_at)


class Authenticator:
    """Finds the principal of an `Authorization` header.

    A key or token costs about one statement a second, however many requests use it: answers are cached for
    less than a second, and concurrent requests with the same key share one lookup.
    """

    def __init__(
        self, database: Database, tokens: Tokens | None = None, *, max_answers: int = 10_000
    ) -> None:
        self._database = database
        self._tokens = tokens
        self._max_answers = max_answers
        self._answers: OrderedDict[bytes, _Answer] = OrderedDict()
        self._lookups: dict[bytes, asyncio.Task[_Answer]] = {}
        self._lookup_slots = asyncio.Semaphore(MAX_LOOKUPS)
        self._guesses = Guesses()

    async def authenticate(self, authorization: str | None, host: str = "") -> Principal:
        """Return the principal of a header, which was sent from the address ``host``.

        Raises:
            RateLimitedError: The address had many unknown keys looked up, and this is not known to be valid.
            UnauthenticatedError: The header has no key or token, or it is unknown, revoked, or expired.
            OverloadedError: No database connection became free in time, or the keys of tokens are unknown.

        """
        secret = _bearer(authorization)
        if not is_secret(secret) and (self._tokens is None or secret.count(".") != _TOKEN_DOTS):
            raise UnauthenticatedError(
                "this does not look like an API key, which begins with `ad_`; check that it is complete"
            )
        hash_ = hash_secret(secret)
        answer = self._answers.get(hash_)
        if answer is None or answer.until <= time.monotonic():
            is_guess = not (hash_ in self._lookups or (answer is not None and answer.principal))
            if is_guess:
                self._take_guess(host)
            try:
                # A client that disconnects must not cancel a lookup that other requests wait for.
                answer = await asyncio.shield(self._look_up(hash_, secret))
            except Exception:
                # Nothing was learned about the key. A client that disconnects has spent its guess, though.
                if is_guess:
                    self._guesses.give_back(host)
                raise
            if is_guess and answer.principal is not None:
                self._guesses.give_back(host)
        if answer.principal is None:
            raise UnauthenticatedError(answer.refusal)
        return answer.principal

    def _take_guess(self, host: str) -> None:
        if retry_after_s := self._guesses.take(host):
            refusals.count("unknown_keys", host)
            raise RateLimitedError(
                "too many unknown API keys came from this address; check the key, and try again later",
                retry_after_s,
            )

    def _look_up(self, hash_: bytes, secret: str) -> asyncio.Task[_Answer]:
        task = self._lookups.get(hash_)
        if task is None:
            task = self._lookups[hash_] = asyncio.create_task(self._query(hash_, secret))
            task.add_done_callback(lambda done: self._forget_lookup(hash_, done))
        return task

    def _forget_lookup(self, hash_: bytes, task: asyncio.Task[_Answer]) -> None:
        del self._lookups[hash_]
        if not task.cancelled():
            # If every waiting request was cancelled, nothing else retrieves the exception.
            task.exception()

    async def _query(self, hash_: bytes, secret: str) -> _Answer:
        if not is_secret(secret) and self._tokens is not None:
            return self._keep(hash_, await self._token_answer(self._tokens, secret))
        async with self._lookup_slots:
            # The age of the answer counts from before the query.
            until = time.monotonic() + _ANSWER_VALID_S
            async with self._database.connection() as connection:
                try:
                    key = await valid_key(connection, hash_)
                    answer = _Answer(key.principal, "", until)
                except UnauthenticatedError as refusal:
                    key, answer = None, _Answer(None, refusal.message, until)
            if key is not None:
                await self._record_use(key)
        if key is not None and key.expires_at is not None:
            left = (key.expires_at - datetime.now(UTC)).total_seconds()
            answer = answer._replace(until=min(until, time.monotonic() + left))
        return self._keep(hash_, answer)

    async def _token_answer(self, tokens: Tokens, token: str) -> _Answer:
        until = time.monotonic() + _ANSWER_VALID_S
        try:
            claims = await tokens.claims(token)
            until = min(until, time.monotonic() + claims.expires_at - time.time())
        except UnauthenticatedError as refusal:
            return _Answer(None, refusal.message, until)
        async with self._lookup_slots, self._database.connection() as connection:
            try:
                return _Answer(await tokens.holder(connection, claims), "", until)
            except UnauthenticatedError as refusal:
                return _Answer(None, refusal.message, until)

    def _keep(self, hash_: bytes, answer: _Answer) -> _Answer:
        self._answers[hash_] = answer
        self._answers.move_to_end(hash_)
        if len(self._answers) > self._max_answers:
            self._answers.popitem(last=False)
        return answer

    async def _record_use(self, key: ValidKey) -> None:
        arguments = key.use_arguments()
        if arguments is None:
            return
        try:
            await self._database.statement(key.principal.project_id, RECORD_USE, arguments, writes=True)
        except Exception as error:  # noqa: BLE001 - the key is valid whether or not its use is recorded
            _log.warning("the use of a key was not recorded: %s", describe(error))


def _bearer(authorization: str | None) -> str:
    if not authorization:
        raise UnauthenticatedError("an API key is needed; send it as `Authorization: Bearer <key>`")
    scheme, _, secret = authorization.partition(" ")
    secret = secret.strip()
    if scheme.lower() != "bearer":
        raise UnauthenticatedError("the scheme is not supported; send `Authorization: Bearer <key>`")
    return secret
