"""A key stands for its project while it is valid, and costs next to nothing."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import event

from agentdata.administration import acting_in
from agentdata.auth import Authenticator
from agentdata.database import Database
from agentdata.errors import UnauthenticatedError
from agentdata.operations import api_keys
from models.enums import ApiKeyScope
from tests.serving import make_key

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from agentdata.context import Principal
    from agentdata.database_urls import DatabaseUrls
    from tests.serving import Key


@pytest.fixture(params=["", "pgbouncer=true"])
async def database(database_url: str, request: pytest.FixtureRequest) -> AsyncIterator[Database]:
    """Provide a pool of three connections, to sessions of its own or to those of a pooler."""
    separator = "&" if "?" in database_url else "?"
    database = Database(f"{database_url}{separator}{request.param}", pool_size=3)
    yield database
    await database.close()


@pytest.fixture
def lookups(database: Database) -> list[str]:
    """Give the statements that were run so far."""
    statements: list[str] = []

    def see(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        statements.append(statement)

    event.listen(database.pool.engine.sync_engine, "before_cursor_execute", see)
    return statements


@pytest.fixture
async def key(database_urls: DatabaseUrls) -> Key:
    """Give a key that may read."""
    return await make_key(database_urls, ApiKeyScope.READ)


def bearer(secret: str) -> str:
    """Give the header of a key."""
    return f"Bearer {secret}"


async def refusal(authenticator: Authenticator, secret: str) -> str:
    """Wait until a key is refused, for two seconds at most, and give the reason."""
    async with asyncio.timeout(2):
        while True:
            try:
                await authenticator.authenticate(bearer(secret))
            except UnauthenticatedError as error:
                return error.message
            await asyncio.sleep(0.01)


async def test_a_key_opens_its_project_with_its_scopes(database: Database, key: Key) -> None:
    principal = await Authenticator(database).authenticate(bearer(key.secret))
    assert principal.project_id == key.project_id
    assert principal.api_key_id == key.id
    assert principal.scopes == {"READ"}


async def test_the_scheme_may_be_written_in_any_case(database: Database, key: Key) -> None:
    principal = await Authenticator(database).authenticate(f"bEARER  {key.secret} ")
    assert principal.api_key_id == key.id


async def test_a_key_that_is_wrong_in_one_letter_opens_nothing(database: Database, key: Key) -> None:
    wrong = key.secret[:-1] + ("a" if key.secret[-1] != "a" else "b")
    with pytest.raises(UnauthenticatedError, match="the API key is not known"):
        await Authenticator(database).authenticate(bearer(wrong))


async def test_many_requests_cost_one_statement(database: Database, key: Key, lookups: list[str]) -> None:
    authenticator = Authenticator(database)
    principals = await asyncio.gather(*(authenticator.authenticate(bearer(key.secret)) for _ in range(200)))
    assert {principal.api_key_id for principal in principals} == {key.id}
    assert len(lookups) == 1


async def test_many_requests_with_an_unknown_key_cost_one_statement(
    database: Database, lookups: list[str]
) -> None:
    authenticator, unknown = Authenticator(database), api_keys.new_secret()
    answers: list[Principal | BaseException] = await asyncio.gather(
        *(authenticator.authenticate(bearer(unknown)) for _ in range(200)), return_exceptions=True
    )
    assert all(isinstance(answer, UnauthenticatedError) for answer in answers)
    assert len(lookups) == 1


async def test_what_does_not_look_like_a_key_costs_none(database: Database, lookups: list[str]) -> None:
    authenticator = Authenticator(database)
    for header in (None, "", "Bearer", "Bearer x", f"Basic {api_keys.new_secret()}", "Bearer ad_\0"):
        with pytest.raises(UnauthenticatedError):
            await authenticator.authenticate(header)
    assert not lookups


async def test_the_number_of_remembered_keys_is_bounded(
    database: Database, key: Key, lookups: list[str]
) -> None:
    authenticator = Authenticator(database, max_answers=2)
    await authenticator.authenticate(bearer(key.secret))
    for _ in range(2):
        with pytest.raises(UnauthenticatedError):
            await authenticator.authenticate(bearer(api_keys.new_secret()))
    await authenticator.authenticate(bearer(key.secret))
    assert len(lookups) == 4


async def test_a_client_that_goes_away_leaves_the_others_their_lookup(database: Database, key: Key) -> None:
    authenticator = Authenticator(database)
    first, second = (asyncio.create_task(authenticator.authenticate(bearer(key.secret))) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    assert (await second).api_key_id == key.id


async def test_made_up_keys_leave_connections_to_requests(database: Database, key: Key) -> None:
    authenticator = Authenticator(database)
    flood = [
        asyncio.create_task(authenticator.authenticate(bearer(api_keys.new_secret()))) for _ in range(200)
    ]
    await asyncio.sleep(0)
    async with database.read(key.project_id):
        assert not all(task.done() for task in flood)
    answers = await asyncio.gather(*flood, return_exceptions=True)
    assert all(isinstance(answer, UnauthenticatedError) for answer in answers)


async def test_a_revoked_key_stops_within_a_second(
    database: Database, database_urls: DatabaseUrls, key: Key
) -> None:
    authenticator = Authenticator(database)
    await authenticator.authenticate(bearer(key.secret))
    async with acting_in(database_urls.owner, key.slug) as write:
        await api_keys.revoke(write, key.id)
    began = time.monotonic()
    assert await refusal(authenticator, key.secret) == "the API key was revoked; use another one"
    assert time.monotonic() - began < 1


async def test_an_expired_key_stops_at_once(
    database: Database, database_urls: DatabaseUrls, key: Key
) -> None:
    end = datetime.now(UTC) + timedelta(seconds=0.3)
    async with acting_in(database_urls.owner, key.slug) as write:
        await api_keys.update(write, key.id, {"expires_at": end})
    authenticator = Authenticator(database)
    await authenticator.authenticate(bearer(key.secret))
    assert await refusal(authenticator, key.secret) == "the API key has expired; use another one"
    assert timedelta(0) <= datetime.now(UTC) - end < timedelta(seconds=0.3)


async def last_use(urls: DatabaseUrls, key: Key) -> datetime | None:
    """Read when a key was last used."""
    async with acting_in(urls.owner, key.slug) as write:
        [row] = await api_keys.list_all(write)
    return row.last_used_at


async def used(urls: DatabaseUrls, key: Key, ago: timedelta) -> datetime:
    """Pretend that a key was last used so long ago."""
    then = datetime.now(UTC) - ago
    async with acting_in(urls.owner, key.slug) as write:
        await api_keys.update(write, key.id, {"last_used_at": then})
    return then


async def test_a_key_tells_when_it_was_last_used(
    database: Database, database_urls: DatabaseUrls, key: Key
) -> None:
    assert await last_use(database_urls, key) is None
    for ago in (timedelta(days=3), timedelta(seconds=61)):
        await Authenticator(database).authenticate(bearer(key.secret))
        noted = await last_use(database_urls, key)
        assert noted is not None
        assert timedelta(0) <= datetime.now(UTC) - noted < timedelta(seconds=10)
        await used(database_urls, key, ago)
    await Authenticator(database).authenticate(bearer(key.secret))
    assert await last_use(database_urls, key) > datetime.now(UTC) - timedelta(seconds=10)  # type: ignore[operator]  # it is there


async def test_the_use_of_a_key_is_noted_once_a_minute(
    database: Database, database_urls: DatabaseUrls, key: Key
) -> None:
    then = await used(database_urls, key, timedelta(seconds=30))
    await Authenticator(database).authenticate(bearer(key.secret))
    assert await last_use(database_urls, key) == then


async def test_a_key_that_is_being_changed_opens_its_project_meanwhile(
    database: Database, database_urls: DatabaseUrls, key: Key
) -> None:
    async with acting_in(database_urls.owner, key.slug) as write, asyncio.timeout(5):
        await api_keys.update(write, key.id, {"name": "Changed"})
        assert (await Authenticator(database).authenticate(bearer(key.secret))).api_key_id == key.id
    assert await last_use(database_urls, key) is None


async def test_a_key_opens_its_project_where_nothing_may_be_written(
    database_url: str, database_urls: DatabaseUrls, key: Key, caplog: pytest.LogCaptureFixture
) -> None:
    separator = "&" if "?" in database_url else "?"
    read_only = f"{database_url}{separator}options=-c%20default_transaction_read_only%3Don"
    database = Database(read_only, pool_size=1)
    principal = await Authenticator(database).authenticate(bearer(key.secret))
    await database.close()
    assert principal.api_key_id == key.id
    assert await last_use(database_urls, key) is None
    assert "the use of a key was not noted" in caplog.text
