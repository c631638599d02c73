"""Authentication by API keys: which keys are valid, and how many lookups they cost."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import event
from sqlalchemy.exc import DBAPIError
from uuid_utils.compat import uuid7

from agentdata.administration import acting_in
from agentdata.auth import Authenticator
from agentdata.database import Database
from agentdata.endpoint import _check_operation
from agentdata.errors import UnauthenticatedError
from agentdata.operations import api_keys
from agentdata.principal import Principal
from agentdata.protocol import GraphQLRequest, RefusalError
from models.enums import ApiKeyScope
from tests.api import EXECUTOR
from tests.serving import make_key

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from agentdata.database_urls import DatabaseUrls
    from tests.serving import Key


@pytest.fixture(params=["", "pgbouncer=true"])
async def database(database_url: str, request: pytest.FixtureRequest) -> AsyncIterator[Database]:
    """Provide a pool of three connections, with sessions of its own or shared sessions of a pooler."""
    separator = "&" if "?" in database_url else "?"
    database = Database(f"{database_url}{separator}{request.param}", pool_size=3)
    yield database
    await database.close()


@pytest.fixture
def lookups(database: Database) -> list[str]:
    """Return a list to which every statement is added."""
    statements: list[str] = []

    def record(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        statements.append(statement)

    event.listen(database.pool.engine.sync_engine, "before_cursor_execute", record)
    return statements


@pytest.fixture
async def key(database_urls: DatabaseUrls) -> Key:
    """Return a key with the scope READ."""
    return await make_key(database_urls, ApiKeyScope.READ)


def bearer(secret: str) -> str:
    """Return the Authorization header of a key."""
    return f"Bearer {secret}"


async def wait_for_refusal(authenticator: Authenticator, secret: str) -> str:
    """Wait until a key is refused, for at most two seconds, and return the message."""
    async with asyncio.timeout(2):
        while True:
            try:
                await authenticator.authenticate(bearer(secret))
            except UnauthenticatedError as error:
                return error.message
            await asyncio.sleep(0.01)


async def test_a_key_authenticates_for_its_project_with_its_scopes(database: Database, key: Key) -> None:
    principal = await Authenticator(database).authenticate(bearer(key.secret))
    assert principal.project_id == key.project_id
    assert principal.api_key_id == key.id
    assert principal.scopes == {"READ"}


async def test_the_authorization_scheme_is_case_insensitive(database: Database, key: Key) -> None:
    principal = await Authenticator(database).authenticate(f"bEARER  {key.secret} ")
    assert principal.api_key_id == key.id


async def test_a_key_with_one_wrong_letter_is_unknown(database: Database, key: Key) -> None:
    wrong = key.secret[:-1] + ("a" if key.secret[-1] != "a" else "b")
    with pytest.raises(UnauthenticatedError, match="the API key is not known"):
        await Authenticator(database).authenticate(bearer(wrong))


async def test_concurrent_requests_with_one_key_share_one_lookup(
    database: Database, key: Key, lookups: list[str]
) -> None:
    authenticator = Authenticator(database)
    principals = await asyncio.gather(*(authenticator.authenticate(bearer(key.secret)) for _ in range(200)))
    assert {principal.api_key_id for principal in principals} == {key.id}
    assert len(lookups) == 1


async def test_concurrent_requests_with_an_unknown_key_share_one_lookup(
    database: Database, lookups: list[str]
) -> None:
    authenticator, unknown = Authenticator(database), api_keys.new_secret()
    answers: list[Principal | BaseException] = await asyncio.gather(
        *(authenticator.authenticate(bearer(unknown)) for _ in range(200)), return_exceptions=True
    )
    assert all(isinstance(answer, UnauthenticatedError) for answer in answers)
    assert len(lookups) == 1


async def test_malformed_keys_are_refused_without_a_lookup(database: Database, lookups: list[str]) -> None:
    authenticator = Authenticator(database)
    for header in (None, "", "Bearer", "Bearer x", f"Basic {api_keys.new_secret()}", "Bearer ad_\0"):
        with pytest.raises(UnauthenticatedError):
            await authenticator.authenticate(header)
    assert not lookups


async def test_the_number_of_cached_answers_is_limited(
    database: Database, key: Key, lookups: list[str]
) -> None:
    authenticator = Authenticator(database, max_answers=2)
    await authenticator.authenticate(bearer(key.secret))
    for _ in range(2):
        with pytest.raises(UnauthenticatedError):
            await authenticator.authenticate(bearer(api_keys.new_secret()))
    await authenticator.authenticate(bearer(key.secret))
    assert len(lookups) == 4


async def test_a_disconnecting_client_does_not_cancel_a_shared_lookup(database: Database, key: Key) -> None:
    authenticator = Authenticator(database)
    first, second = (asyncio.create_task(authenticator.authenticate(bearer(key.secret))) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    assert (await second).api_key_id == key.id


async def test_a_flood_of_made_up_keys_leaves_connections_for_requests(database: Database, key: Key) -> None:
    authenticator = Authenticator(database)
    lookups_of_made_up_keys = [
        asyncio.create_task(authenticator.authenticate(bearer(api_keys.new_secret()), f"10.0.0.{address}"))
        for address in range(200)
    ]
    await asyncio.sleep(0)
    async with database.read(key.project_id):
        assert not all(task.done() for task in lookups_of_made_up_keys)
    answers = await asyncio.gather(*lookups_of_made_up_keys, return_exceptions=True)
    assert all(isinstance(answer, UnauthenticatedError) for answer in answers)


async def test_a_revoked_key_stops_working_within_a_second(
    database: Database, database_urls: DatabaseUrls, key: Key
) -> None:
    authenticator = Authenticator(database)
    await authenticator.authenticate(bearer(key.secret))
    async with acting_in(database_urls.owner, key.slug) as write:
        await api_keys.revoke(write, key.id)
    began = time.monotonic()
    assert await wait_for_refusal(authenticator, key.secret) == "the API key was revoked; use another one"
    assert time.monotonic() - began < 1


async def test_a_key_stops_working_as_soon_as_it_expires(
    database: Database, database_urls: DatabaseUrls, key: Key
) -> None:
    end = datetime.now(UTC) + timedelta(seconds=0.3)
    async with acting_in(database_urls.owner, key.slug) as write:
        await api_keys.update(write, key.id, {"expires_at": end})
    authenticator = Authenticator(database)
    await authenticator.authenticate(bearer(key.secret))
    assert await wait_for_refusal(authenticator, key.secret) == "the API key has expired; use another one"
    assert timedelta(0) <= datetime.now(UTC) - end < timedelta(seconds=0.3)


async def read_last_use(urls: DatabaseUrls, key: Key) -> datetime | None:
    """Return the time of a key's last use."""
    async with acting_in(urls.owner, key.slug) as write:
        [row] = await api_keys.list_all(write)
    return row.last_used_at


async def set_last_use(urls: DatabaseUrls, key: Key, ago: timedelta) -> datetime:
    """Set the last use of a key to some time ago, and return that time."""
    at = datetime.now(UTC) - ago
    async with acting_in(urls.owner, key.slug) as write:
        await api_keys.update(write, key.id, {"last_used_at": at})
    return at


async def test_authentication_records_the_last_use_of_a_key(
    database: Database, database_urls: DatabaseUrls, key: Key
) -> None:
    assert await read_last_use(database_urls, key) is None
    for ago in (timedelta(days=3), timedelta(seconds=61)):
        await Authenticator(database).authenticate(bearer(key.secret))
        last_use = await read_last_use(database_urls, key)
        assert last_use is not None
        assert timedelta(0) <= datetime.now(UTC) - last_use < timedelta(seconds=10)
        await set_last_use(database_urls, key, ago)
    await Authenticator(database).authenticate(bearer(key.secret))
    last_use = await read_last_use(database_urls, key)
    assert last_use is not None
    assert last_use > datetime.now(UTC) - timedelta(seconds=10)


async def test_the_use_of_a_key_is_recorded_at_most_once_a_minute(
    database: Database, database_urls: DatabaseUrls, key: Key
) -> None:
    last_use = await set_last_use(database_urls, key, timedelta(seconds=30))
    await Authenticator(database).authenticate(bearer(key.secret))
    assert await read_last_use(database_urls, key) == last_use


async def test_a_key_works_while_a_transaction_changes_it(
    database: Database, database_urls: DatabaseUrls, key: Key
) -> None:
    async with acting_in(database_urls.owner, key.slug) as write, asyncio.timeout(5):
        await api_keys.update(write, key.id, {"name": "Changed"})
        assert (await Authenticator(database).authenticate(bearer(key.secret))).api_key_id == key.id
    assert await read_last_use(database_urls, key) is None


async def test_a_key_works_on_a_read_only_database(
    database_url: str, database_urls: DatabaseUrls, key: Key, caplog: pytest.LogCaptureFixture
) -> None:
    separator = "&" if "?" in database_url else "?"
    read_only = f"{database_url}{separator}options=-c%20default_transaction_read_only%3Don"
    database = Database(read_only, pool_size=1)
    principal = await Authenticator(database).authenticate(bearer(key.secret))
    await database.close()
    assert principal.api_key_id == key.id
    assert await read_last_use(database_urls, key) is None
    assert "the use of a key was not recorded" in caplog.text


def test_the_holder_of_no_scope_runs_no_operation() -> None:
    operation = EXECUTOR.operation("{ __typename }", None)
    request = GraphQLRequest("{ __typename }", None, {})
    nobody = Principal(uuid7(), uuid7(), frozenset())
    with pytest.raises(RefusalError, match="the scope READ") as refusal:
        _check_operation(operation, request, nobody, get=False)
    assert (refusal.value.status, refusal.value.error.code) == (403, "FORBIDDEN")
    _check_operation(operation, request, replace(nobody, scopes=frozenset({"TEAMS_WRITE"})), get=False)


async def test_a_lookup_that_the_database_does_not_answer_is_no_guess() -> None:
    database = Database("postgresql://agentdata@127.0.0.1:1/agentdata")
    authenticator = Authenticator(database)
    # More than an address may guess at once.
    for _ in range(150):
        with pytest.raises((OSError, DBAPIError)):
            await authenticator.authenticate(f"Bearer {api_keys.new_secret()}", "192.0.2.1")
    await database.close()
