"""API keys are created, updated and revoked; a secret is returned once and never stored."""

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
    """Provide a key."""
    return await make_key(database_urls)


@pytest.fixture
async def write(database_urls: DatabaseUrls, key: Key) -> AsyncIterator[UnitOfWork]:
    """Provide a unit of work in the key's project."""
    async with acting_in(database_urls.owner, key.slug) as write:
        yield write


def test_new_secrets_have_the_right_form_and_are_unique() -> None:
    secrets = {api_keys.new_secret() for _ in range(100)}
    assert len(secrets) == 100
    assert all(api_keys.is_secret(secret) for secret in secrets)
    assert len({api_keys.hash_secret(secret) for secret in secrets}) == 100


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
def test_texts_of_another_form_are_not_secrets(text: str) -> None:
    assert not api_keys.is_secret(text)


async def test_a_new_key_is_stored_without_its_secret(write: UnitOfWork) -> None:
    end = datetime.now(UTC) + timedelta(days=1)
    key, secret = await api_keys.create(write, "Dashboards", ["WRITE", "READ", "READ"], end)
    assert (key.name, key.scopes, key.expires_at) == ("Dashboards", ["READ", "WRITE"], end)
    assert secret.startswith(f"{key.prefix}_")
    assert key.secret_hash == api_keys.hash_secret(secret)
    assert not any(secret in str(value) for value in vars(key).values())


async def test_keys_are_listed_oldest_first(write: UnitOfWork, key: Key) -> None:
    newer, _ = await api_keys.create(write, "Newer", [ApiKeyScope.READ])
    assert [row.id for row in await api_keys.list_all(write)] == [key.id, newer.id]


async def test_an_update_changes_only_the_given_fields(write: UnitOfWork, key: Key) -> None:
    changed = await api_keys.update(write, key.id, {"scopes": [ApiKeyScope.READ]})
    assert (changed.name, changed.scopes) == ("Test", ["READ"])
    assert (await api_keys.update(write, key.id, {"name": "Other"})).scopes == ["READ"]


async def test_revoking_a_revoked_key_changes_nothing(write: UnitOfWork, key: Key) -> None:
    first = (await api_keys.revoke(write, key.id)).revoked_at
    assert first is not None
    assert (await api_keys.revoke(write, key.id)).revoked_at == first


@pytest.mark.parametrize(
    ("values", "message", "field"),
    [
        ({"name": " "}, "name may not be blank", "name"),
        ({"name": "a" * 256}, "name has 256 characters; it may have at most 255", "name"),
        ({"name": "a\0"}, "name contains a NUL character", "name"),
        ({"scopes": []}, "scopes may be READ, WRITE, ADMIN; at least one is required", "scopes"),
        ({"scopes": ["ROOT"]}, "scopes may be READ, WRITE, ADMIN; 'ROOT' is not a scope", "scopes"),
        ({"expires_at": datetime(2020, 1, 1, tzinfo=UTC)}, "expiresAt must be in the future", "expiresAt"),
        ({"expires_at": datetime(2999, 1, 1)}, "expiresAt needs a UTC offset", "expiresAt"),  # noqa: DTZ001 - deliberately without an offset
    ],
)
async def test_errors_name_the_invalid_field(
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
