"""API keys are made, changed, and ended for good; their secrets are told once and kept nowhere."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from agentdata.administration import acting_in
from agentdata.errors import BadUserInputError, NotFoundError
from agentdata.operations import api_keys
from models.enums import ApiKeyScope
from tests.serving import make_key

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from agentdata.database_urls import DatabaseUrls
    from agentdata.operations.unit_of_work import UnitOfWork
    from tests.serving import Key


@pytest.fixture
async def key(database_urls: DatabaseUrls) -> Key:
    """Give a key."""
    return await make_key(database_urls)


@pytest.fixture
async def write(database_urls: DatabaseUrls, key: Key) -> AsyncIterator[UnitOfWork]:
    """Give a transaction in the key's project."""
    async with acting_in(database_urls.owner, key.slug) as write:
        yield write


def test_secrets_have_their_form_and_are_never_the_same() -> None:
    made = {api_keys.new_secret() for _ in range(100)}
    assert len(made) == 100
    assert all(api_keys.is_secret(secret) for secret in made)
    assert len({api_keys.hash_secret(secret) for secret in made}) == 100


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ad_",
        f"ad_{'a' * 8}_{'a' * 42}",
        f"ad_{'a' * 8}_{'a' * 44}",
        f"AD_{'a' * 8}_{'a' * 43}",
        f"ad_{'a' * 8}_{'a' * 43}\n",
        f"ad_{'ä' * 8}_{'a' * 43}",
        f"ad_{'a' * 8}_{'٣' * 43}",
    ],
)
def test_other_texts_are_no_secrets(text: str) -> None:
    assert not api_keys.is_secret(text)


async def test_a_new_key_is_kept_without_its_secret(write: UnitOfWork) -> None:
    end = datetime.now(UTC) + timedelta(days=1)
    key, secret = await api_keys.create(write, "Dashboards", ["WRITE", "READ", "READ"], end)
    assert (key.name, key.scopes, key.expires_at) == ("Dashboards", ["READ", "WRITE"], end)
    assert secret.startswith(f"{key.prefix}_")
    assert key.secret_hash == api_keys.hash_secret(secret)
    assert not any(secret in str(value) for value in vars(key).values())


async def test_keys_are_listed_from_the_oldest_to_the_newest(write: UnitOfWork, key: Key) -> None:
    newer, _ = await api_keys.create(write, "Newer", [ApiKeyScope.READ])
    assert [row.id for row in await api_keys.list_all(write)] == [key.id, newer.id]


async def test_a_change_changes_what_it_names(write: UnitOfWork, key: Key) -> None:
    changed = await api_keys.update(write, key.id, {"scopes": [ApiKeyScope.READ]})
    assert (changed.name, changed.scopes) == ("Test", ["READ"])
    assert (await api_keys.update(write, key.id, {"name": "Other"})).scopes == ["READ"]


async def test_a_key_that_has_ended_stays_as_it_is(write: UnitOfWork, key: Key) -> None:
    first = (await api_keys.revoke(write, key.id)).revoked_at
    assert first is not None
    assert (await api_keys.revoke(write, key.id)).revoked_at == first


@pytest.mark.parametrize(
    ("values", "message", "field"),
    [
        ({"name": " "}, "name may not be blank", "name"),
        ({"name": "a" * 256}, "name has 256 characters; it may have at most 255", "name"),
        ({"name": "a\0"}, "name holds a NUL character", "name"),
        ({"scopes": []}, "scopes may be READ, WRITE, ADMIN; at least one is needed", "scopes"),
        ({"scopes": ["ROOT"]}, "scopes may be READ, WRITE, ADMIN; 'ROOT' is none", "scopes"),
        ({"expires_at": datetime(2020, 1, 1, tzinfo=UTC)}, "expiresAt must be in the future", "expiresAt"),
        ({"expires_at": datetime(2999, 1, 1)}, "expiresAt needs an offset", "expiresAt"),  # noqa: DTZ001 - what it is about
    ],
)
async def test_bad_values_are_named(
    write: UnitOfWork, key: Key, values: dict[str, Any], message: str, field: str
) -> None:
    with pytest.raises(BadUserInputError, match=message) as changing:
        await api_keys.update(write, key.id, values)
    with pytest.raises(BadUserInputError, match=message) as creating:
        await api_keys.create(write, **{"name": "Test", "scopes": [ApiKeyScope.READ]} | values)
    assert changing.value.field == creating.value.field == field


async def test_a_key_of_another_project_is_not_found(write: UnitOfWork, database_urls: DatabaseUrls) -> None:
    other = await make_key(database_urls)
    with pytest.raises(NotFoundError):
        await api_keys.revoke(write, other.id)
