"""API keys are created, updated and revoked; a secret is returned once and never stored."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from agentdata.administration import acting_in
from agentdata.auth import Authenticator
from agentdata.errors import BadUserInputError, ConflictError, ForbiddenError, NotFoundError
from agentdata.operations import api_keys
from agentdata.operations.access_records import Author, Origin
from models.enums import ApiKeyScope
from tests.serving import make_key

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from agentdata.database import Database
    from agentdata.database_urls import DatabaseUrls
    from agentdata.operations.unit_of_work import UnitOfWork
    from tests.api import Api
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
        ({"scopes": []}, "scopes may be READ, WRITE, ADMIN, .*; at least one is required", "scopes"),
        ({"scopes": ["ROOT"]}, "scopes may be READ, WRITE, ADMIN, .*; 'ROOT' is not a scope", "scopes"),
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


def as_maker(write: UnitOfWork, *scopes: str, expires_at: datetime | None = None) -> UnitOfWork:
    """Return the unit of work as a request with a key has it."""
    author = Author(frozenset(scopes), expires_at, None, None, None, Origin())
    return replace(write, author=author)


@pytest.mark.parametrize("scope", ["ADMIN", "WRITE", "MEMORIES_WRITE"])
async def test_a_key_gives_no_scope_that_it_does_not_have(write: UnitOfWork, key: Key, scope: str) -> None:
    maker = as_maker(write, "MESSAGES_WRITE")
    for making in (
        api_keys.create(maker, "Stronger", ["READ", scope]),
        api_keys.update(maker, key.id, {"scopes": [scope]}),
        api_keys.rotate(maker, key.id),
    ):
        with pytest.raises(ForbiddenError, match="does not have the scope") as refused:
            await making
        assert refused.value.field == "scopes"
    assert [row.id for row in await api_keys.list_all(write)] == [key.id]
    made, _ = await api_keys.create(maker, "Equal", ["READ", "MESSAGES_WRITE"])
    assert made.scopes == ["READ", "MESSAGES_WRITE"]


async def test_a_key_that_expires_makes_none_that_outlives_it(write: UnitOfWork, key: Key) -> None:
    end = datetime.now(UTC) + timedelta(days=1)
    maker = as_maker(write, "ADMIN", expires_at=end)
    later = end + timedelta(seconds=1)
    for making in (
        api_keys.create(maker, "For ever", ["READ"]),
        api_keys.create(maker, "Longer", ["READ"], later),
        api_keys.update(maker, key.id, {"expires_at": None}),
        api_keys.update(maker, key.id, {"expires_at": later}),
        api_keys.rotate(maker, key.id),
    ):
        with pytest.raises(ForbiddenError, match="your key or token expires at") as refused:
            await making
        assert refused.value.field == "expiresAt"
    made, _ = await api_keys.create(maker, "As long", ["READ"], end)
    assert made.expires_at == end
    assert (await api_keys.update(maker, key.id, {"name": "Renamed"})).expires_at is None


async def test_a_rotated_key_and_its_successor_are_valid_together_until_the_overlap_ends(
    write: UnitOfWork, key: Key
) -> None:
    before = datetime.now(UTC)
    successor, secret = await api_keys.rotate(write, key.id, 3_600)
    old, new = await api_keys.list_all(write)
    assert (old.id, new.id, new.secret_hash) == (key.id, successor.id, api_keys.hash_secret(secret))
    assert (new.name, new.scopes, new.expires_at, new.last_used_at) == (old.name, old.scopes, None, None)
    assert old.expires_at is not None
    assert before <= old.expires_at - timedelta(hours=1) <= datetime.now(UTC)


async def test_a_rotation_never_prolongs_a_key(write: UnitOfWork) -> None:
    soon, later = (datetime.now(UTC) + timedelta(minutes=minutes) for minutes in (1, 9))
    short, _ = await api_keys.create(write, "Short", ["READ"], soon)
    same, _ = await api_keys.rotate(write, short.id)
    longer, _ = await api_keys.rotate(write, short.id, 0, expires_at=later)
    kept = {row.id: row for row in await api_keys.list_all(write)}
    assert (same.expires_at, longer.expires_at) == (soon, later)
    assert kept[short.id].expires_at <= datetime.now(UTC)  # type: ignore[operator]  # it expires
    with pytest.raises(ConflictError, match="has expired"):
        await api_keys.rotate(write, short.id)
    await api_keys.revoke(write, longer.id)
    with pytest.raises(ConflictError, match="is revoked"):
        await api_keys.rotate(write, longer.id)


@pytest.mark.parametrize("overlap", [-1, api_keys.MAX_OVERLAP_S + 1])
async def test_an_overlap_out_of_range_is_refused(write: UnitOfWork, key: Key, overlap: int) -> None:
    with pytest.raises(BadUserInputError, match="overlapS must be from 0 to") as refused:
        await api_keys.rotate(write, key.id, overlap)
    assert refused.value.field == "overlapS"


async def test_each_key_of_a_rotation_has_its_own_last_use(
    database: Database, database_urls: DatabaseUrls, key: Key
) -> None:
    async with acting_in(database_urls.owner, key.slug) as write:
        _, secret = await api_keys.rotate(write, key.id)
    principal = await Authenticator(database).authenticate(f"Bearer {secret}")
    assert principal.may(ApiKeyScope.ADMIN)
    async with acting_in(database_urls.owner, key.slug) as write:
        old, new = await api_keys.list_all(write)
    assert (old.last_used_at, new.id) == (None, principal.api_key_id)
    assert new.last_used_at is not None
    await Authenticator(database).authenticate(f"Bearer {key.secret}")
    async with acting_in(database_urls.owner, key.slug) as write:
        assert (await api_keys.list_all(write))[0].last_used_at is not None


async def test_a_key_is_rotated_by_the_api(api: Api) -> None:
    made = await api.ask(
        'mutation { createApiKey(input: {name: "Bot", scopes: [MESSAGES_WRITE]}) { apiKey { id } } }'
    )
    rotated = await api.ask(
        "mutation($id: ID!) { rotateApiKey(id: $id, overlapS: 60)"
        " { secret apiKey { id name scopes expiresAt } } }",
        id=made["createApiKey"]["apiKey"]["id"],
    )
    new = rotated["rotateApiKey"]
    assert api_keys.is_secret(new["secret"])
    assert new["apiKey"]["id"] != made["createApiKey"]["apiKey"]["id"]
    assert (new["apiKey"]["name"], new["apiKey"]["scopes"]) == ("Bot", ["MESSAGES_WRITE"])
    for way in (api, api.by_reference()):
        found = await way.ask(
            '{ apiKeys(filter: {scopes: {containsAll: ["MESSAGES_WRITE"]}}) { nodes { name scopes } } }'
        )
        assert found["apiKeys"]["nodes"] == [{"name": "Bot", "scopes": ["MESSAGES_WRITE"]}] * 2
