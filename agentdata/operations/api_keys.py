"""Write operations of API keys. A key's secret is returned once, on creation; the database holds its hash."""

from __future__ import annotations

import hashlib
import re
import secrets
import string
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from agentdata.checks import check
from agentdata.errors import BadUserInputError, ConflictError, ForbiddenError
from models import ApiKey
from models.enums import ApiKeyScope, included_scopes

if TYPE_CHECKING:
    from collections.abc import Iterable
    from uuid import UUID

    from agentdata.operations.unit_of_work import UnitOfWork

_ALPHABET = string.ascii_letters + string.digits
_PREFIX_LENGTH, _SECRET_LENGTH = 8, 43
_FORM = re.compile(rf"ad_[A-Za-z0-9]{{{_PREFIX_LENGTH}}}_[A-Za-z0-9]{{{_SECRET_LENGTH}}}")

DEFAULT_OVERLAP_S = 86_400
"""How long a rotated key stays valid beside its successor, in seconds."""

MAX_OVERLAP_S = 30 * 86_400


def new_secret() -> str:
    """Return a new random secret, `ad_<prefix>_<secret>`, with 256 bits of entropy."""
    prefix, secret = (
        "".join(secrets.choice(_ALPHABET) for _ in range(length))
        for length in (_PREFIX_LENGTH, _SECRET_LENGTH)
    )
    return f"ad_{prefix}_{secret}"


def hash_secret(secret: str) -> bytes:
    """Return the SHA-256 of a secret; a slow hash is not needed for a secret that cannot be guessed."""
    return hashlib.sha256(secret.encode()).digest()


def is_secret(text: str) -> bool:
    """Return whether a text has the form of a secret, which saves a query for one that has not."""
    return _FORM.fullmatch(text) is not None


async def create(
    write: UnitOfWork, name: str, scopes: Iterable[str], expires_at: datetime | None = None
) -> tuple[ApiKey, str]:
    """Create a key of the project, and return it with its secret, which cannot be read again.

    Raises:
        BadUserInputError: The name, the scopes or the expiry are invalid.
        ForbiddenError: The key would be stronger than the one that makes it.

    """
    values = {"name": name, "scopes": _scopes(scopes), "expires_at": expires_at}
    _check(values)
    _check_not_stronger(write, values)
    secret = new_secret()
    prefix = secret[: secret.rindex("_")]
    [key] = await write.insert(ApiKey, [values | {"prefix": prefix, "secret_hash": hash_secret(secret)}])
    return key, secret


async def update(write: UnitOfWork, id_: UUID, values: dict[str, Any]) -> ApiKey:
    """Update the name, scopes, or expiry of a key. It takes effect within a second.

    Raises:
        BadUserInputError: The name, the scopes or the expiry are invalid.
        ForbiddenError: The key would become stronger than the one that changes it.

    """
    if values.get("scopes") is not None:
        values = values | {"scopes": _scopes(values["scopes"])}
    _check(values)
    _check_not_stronger(write, values)
    return await write.update(await write.get(ApiKey, id_, lock=True), values)


async def rotate(
    write: UnitOfWork, id_: UUID, overlap_s: int = DEFAULT_OVERLAP_S, **expiry: datetime | None
) -> tuple[ApiKey, str]:
    """Create a successor of a key, let the key expire after an overlap, and return the successor and secret.

    The successor has the name and the scopes of the key, and also its expiry unless ``expires_at`` is given.

    Raises:
        BadUserInputError: The overlap or the expiry are invalid.
        ConflictError: The key is revoked or has expired.
        ForbiddenError: The successor would be stronger than the key that makes it.

    """
    if not 0 <= overlap_s <= MAX_OVERLAP_S:
        raise BadUserInputError(
            f"overlapS must be from 0 to {MAX_OVERLAP_S}, not {overlap_s}", field="overlapS"
        )
    key = await write.get(ApiKey, id_, lock=True)
    now = datetime.now(UTC)
    if key.revoked_at is not None or (key.expires_at is not None and key.expires_at <= now):
        state = "is revoked" if key.revoked_at is not None else "has expired"
        raise ConflictError(f"the key {state}; create a new one instead", field="id")
    made = await create(write, key.name, key.scopes, expiry.get("expires_at", key.expires_at))
    end = now + timedelta(seconds=overlap_s)
    if key.expires_at is None or key.expires_at > end:
        await write.update(key, {"expires_at": end})
    return made


async def revoke(write: UnitOfWork, id_: UUID) -> ApiKey:
    """Revoke a key permanently; do nothing if it is revoked. Requests with it fail within a second."""
    key = await write.get(ApiKey, id_, lock=True)
    if key.revoked_at is not None:
        return key
    return await write.update(key, {"revoked_at": datetime.now(UTC)})


async def list_all(write: UnitOfWork) -> list[ApiKey]:
    """Return all keys of the project, the oldest first."""
    statement = select(ApiKey).where(*write.in_project(ApiKey)).order_by(ApiKey.created_at, ApiKey.id)
    return list(await write.scalars(statement))


def _scopes(scopes: Iterable[str]) -> list[str]:
    wanted = set(scopes)
    unknown = wanted.difference(ApiKeyScope)
    if unknown or not wanted:
        reason = f"{min(unknown)[:100]!r} is not a scope" if unknown else "at least one is required"
        raise BadUserInputError(f"scopes may be {', '.join(ApiKeyScope)}; {reason}", field="scopes")
    return [str(scope) for scope in ApiKeyScope if scope in wanted]


def _check_not_stronger(write: UnitOfWork, values: dict[str, Any]) -> None:
    """Refuse to give a key a scope or a life that its maker does not have; an operator may give any."""
    maker = write.author
    if maker is None:
        return
    for scope in values.get("scopes") or ():
        if scope not in included_scopes(maker.scopes):
            raise ForbiddenError(
                f"your key does not have the scope {scope}, so it cannot give it", field="scopes"
            )
    if maker.expires_at is None or "expires_at" not in values:
        return
    if values["expires_at"] is None or values["expires_at"] > maker.expires_at:
        raise ForbiddenError(
            f"your key or token expires at {maker.expires_at:%Y-%m-%dT%H:%M:%SZ}, so it cannot give a later"
            " expiresAt; give an earlier one, or use a key that does not expire",
            field="expiresAt",
        )


def _check(values: dict[str, Any]) -> None:
    check(ApiKey, values)
    name, expires_at = values.get("name"), values.get("expires_at")
    if name is not None and not name.strip():
        raise BadUserInputError("name may not be blank", field="name")
    if expires_at is not None and expires_at.tzinfo is None:
        raise BadUserInputError("expiresAt needs a UTC offset, such as Z at its end", field="expiresAt")
    if expires_at is not None and expires_at <= datetime.now(UTC):
        raise BadUserInputError("expiresAt must be in the future", field="expiresAt")
