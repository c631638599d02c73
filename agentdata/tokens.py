"""JSON Web Tokens of the operator's identity provider, which name a project, scopes, and an end user."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.error import URLError
from urllib.request import HTTPRedirectHandler, Request, build_opener
from uuid import UUID

import jwt
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from sqlalchemy import text

from agentdata.errors import OverloadedError, UnauthenticatedError
from agentdata.principal import Principal
from agentdata.setup_error import SetupError
from models.enums import ApiKeyScope, scope_name

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sqlalchemy.ext.asyncio import AsyncConnection

    from agentdata.settings import Settings

_log = logging.getLogger(__name__)

LONGEST_TOKEN = 8192
"""How many characters a token may have; a header of 16 kB holds two of them."""

LEEWAY_S = 10
"""How far the clocks of the issuer and of this server may differ, in seconds."""

_MAX_AGE_S = 300
"""How old keys may be before they are read again in the background, in seconds."""

_PAUSE_S = 30
"""The least time between two readings, in seconds: tokens with made-up key ids cause no more of them."""

_READ_TIMEOUT_S = 10
_MAX_SUBJECT = 255
"""How many characters of the claim `sub` are recorded."""

_LATEST = datetime.max.replace(tzinfo=UTC, microsecond=0).timestamp()
"""The last second that Python and PostgreSQL both know as a date; a token may be valid for longer."""

_MAX_SET_BYTES = 1024 * 1024
_MAX_KEYS = 100
_SMALLEST_RSA_BITS = 2048
_CHUNK_BYTES = 64 * 1024

_NOT_SIGNED = "the token is not signed with a key that this server knows; get a new one from its issuer"

_IDENTIFY = text(
    "SELECT project_id, user_id, has_totals(project_id) AS has_totals"
    " FROM identify_token_holder(:project, :project_slug, :user, :user_external_id)"
)


class Claims(NamedTuple):
    """The claims of a verified token."""

    project: str
    scopes: frozenset[str]
    user: str | None
    expires_at: float
    """The time until which the token is accepted, in seconds since 1970."""
    subject: str | None = None
    """The claim `sub`, for access records."""


@dataclass(frozen=True)
class _Names:
    """The names of the claims."""

    project: str
    scopes: str
    user: str


class Tokens:
    """Verifies tokens. The type of a key decides its algorithm: a token cannot choose another one."""

    def __init__(self, settings: Settings) -> None:
        """Take the settings, and read the keys if they are in a file.

        Raises:
            SetupError: The keys cannot be read, or the settings are contradictory.

        """
        self._secret = settings.jwt_secret.get_secret_value() if settings.jwt_secret else None
        self._keys = KeySet(settings.jwt_jwks) if settings.jwt_jwks else None
        self._issuer = settings.jwt_issuer
        self._audience = settings.jwt_audience
        self._names = _Names(settings.jwt_project_claim, settings.jwt_scopes_claim, settings.jwt_user_claim)
        self._required = [
            "exp",
            *["iss"] * (self._issuer is not None),
            *["aud"] * (self._audience is not None),
        ]

    async def start(self) -> None:
        """Read the keys that are not there yet; a failure is logged, and a later token tries again."""
        if self._keys is not None and not self._keys.known:
            await self._keys.refresh()

    async def claims(self, token: str) -> Claims:
        """Verify a token and return its claims.

        Raises:
            UnauthenticatedError: The token is not valid.
            OverloadedError: The keys cannot be read at the moment.

        """
        if len(token) > LONGEST_TOKEN:
            raise UnauthenticatedError(f"the token is longer than {LONGEST_TOKEN} characters")
        try:
            header = jwt.get_unverified_header(token)
            key, algorithm = await self._key(header)
            claims = jwt.decode(
                token,
                key,
                algorithms=[algorithm],
                audience=self._audience,
                issuer=self._issuer,
                leeway=LEEWAY_S,
                options={"require": self._required},
            )
            return self._read(claims)
        except jwt.ExpiredSignatureError:
            raise UnauthenticatedError("the token has expired; get a new one") from None
        except jwt.ImmatureSignatureError:
            raise UnauthenticatedError("the token is not valid yet; check the clocks") from None
        except (jwt.InvalidAudienceError, jwt.InvalidIssuerError):
            raise UnauthenticatedError("the token is for another audience, or from another issuer") from None
        except jwt.MissingRequiredClaimError as error:
            raise UnauthenticatedError(f"the token has no claim {error.claim}") from None
        except (jwt.PyJWTError, ValueError, TypeError, ArithmeticError, RecursionError):
            raise UnauthenticatedError(_NOT_SIGNED) from None

    @staticmethod
    async def holder(connection: AsyncConnection, claims: Claims) -> Principal:
        """Return the principal that verified claims name.

        Raises:
            UnauthenticatedError: There is no such project, or no such user in it.

        """
        project_id = id_of(claims.project)
        row = (
            await connection.execute(
                _IDENTIFY,
                {
                    "project": project_id,
                    "project_slug": claims.project if project_id is None else None,
                    "user": None if claims.user is None else id_of(claims.user),
                    "user_external_id": claims.user,
                },
            )
        ).one_or_none()
        if row is None:
            raise UnauthenticatedError("the token names a project that does not exist")
        if claims.user is not None and row.user_id is None:
            raise UnauthenticatedError(
                "the token names a user that does not exist in its project; create it with this externalId"
            )
        user_id = None if claims.user is None else row.user_id
        expires_at = datetime.fromtimestamp(min(claims.expires_at, _LATEST), UTC)
        # An end user sees no totals.
        has_totals = user_id is None and row.has_totals
        return Principal(row.project_id, None, claims.scopes, user_id, expires_at, claims.subject, has_totals)

    async def _key(self, header: Mapping[str, Any]) -> tuple[Any, str]:
        """Return the key that must have signed a token, and the algorithm of this key."""
        algorithm, key_id = header.get("alg"), header.get("kid")
        if algorithm == "HS256" and self._secret is not None:
            return self._secret, algorithm
        if algorithm in _ALGORITHMS and self._keys is not None:
            return await self._keys.find(key_id, algorithm), algorithm
        raise UnauthenticatedError(_NOT_SIGNED)

    def _read(self, claims: Mapping[str, Any]) -> Claims:
        project = claims.get(self._names.project)
        if not isinstance(project, str) or not project:
            raise _bad_claim(self._names.project, "must be the id or the slug of a project")
        # A claim that is there but empty must not open the whole project.
        has_user = self._names.user in claims
        user = claims.get(self._names.user)
        if has_user and (not isinstance(user, str) or not user):
            raise _bad_claim(self._names.user, "must be the id or the externalId of a user")
        scopes = self._scopes(claims, default=frozenset({ApiKeyScope.READ.value}) if has_user else None)
        subject = claims.get("sub")
        named = subject[:_MAX_SUBJECT] if isinstance(subject, str) and subject.isprintable() else None
        return Claims(project, scopes, user, int(claims["exp"]) + LEEWAY_S, named)

    def _scopes(self, claims: Mapping[str, Any], default: frozenset[str] | None) -> frozenset[str]:
        name = self._names.scopes
        given = claims.get(name, default)
        if isinstance(given, str):
            given = given.split()
        known = {scope.value for scope in ApiKeyScope}
        if isinstance(given, list | frozenset) and all(isinstance(each, str) for each in given):
            given = [scope_name(each) for each in given]
        if not isinstance(given, list) or not given or not known.issuperset(given):
            raise _bad_claim(name, f"must list some of {', '.join(sorted(known))}")
        scopes = frozenset(given)
        if default is not None and scopes != default:
            raise _bad_claim(name, "must be READ in a token of a user, which can only read")
        return scopes


class KeySet:
    """The public keys of a JWKS document, in a file or at an https URL, read again from time to time."""

    def __init__(self, source: str) -> None:
        """Read a file; a URL is read by `refresh` or at the first token.

        Raises:
            SetupError: The file has no usable keys, or the URL is not an https one.

        """
        self.known = False
        self._keys: list[tuple[str | None, str, jwt.PyJWK]] = []
        self._source = source
        self._tried_at = self._read_at = float("-inf")
        self._reading: asyncio.Task[None] | None = None
        if "://" not in source:
            self._read: Callable[[], bytes] = Path(source).read_bytes
            try:
                self._take(self._read())
            except (OSError, ValueError) as error:
                raise SetupError(f"AGENTDATA_JWT_JWKS: {source}: {_reason(error)}") from None
        elif source.startswith("https://"):
            self._read = self._download
        else:
            raise SetupError(
                "AGENTDATA_JWT_JWKS must be the path of a file, or a URL that begins with https://"
            )

    async def find(self, key_id: object, algorithm: str) -> jwt.PyJWK:
        """Return a key by its id. A token without one gets the only key of its algorithm.

        Raises:
            UnauthenticatedError: There is no such key.
            OverloadedError: The keys cannot be read at the moment.

        """
        now = time.monotonic()
        may_read = now - self._tried_at >= _PAUSE_S
        key = self._find(key_id, algorithm)
        if key is None and (may_read or self._reading is not None):
            # The issuer may have a new key. A client that disconnects must not cancel this for the others.
            await asyncio.shield(self.refresh())
            key = self._find(key_id, algorithm)
        elif may_read and now - self._read_at >= _MAX_AGE_S:
            self.refresh()
        if not self.known:
            raise OverloadedError(
                "the keys that verify tokens cannot be read at the moment; try again shortly"
            )
        if key is None:
            raise UnauthenticatedError(_NOT_SIGNED)
        return key

    def refresh(self) -> asyncio.Task[None]:
        """Read the keys again, once for all who wait; if that fails, keep those of before, and log why."""
        if self._reading is None:
            self._reading = asyncio.create_task(self._refresh())
            self._reading.add_done_callback(self._forget_reading)
        return self._reading

    def _forget_reading(self, _task: asyncio.Task[None]) -> None:
        self._reading = None

    async def _refresh(self) -> None:
        self._tried_at = time.monotonic()
        try:
            async with asyncio.timeout(_READ_TIMEOUT_S):
                self._take(await asyncio.to_thread(self._read))
        except (OSError, ValueError) as error:
            _log.warning("the keys of AGENTDATA_JWT_JWKS were not read: %s", _reason(error))

    def _find(self, key_id: object, algorithm: str) -> jwt.PyJWK | None:
        found = [
            key for id_, name, key in self._keys if name == algorithm and (key_id is None or id_ == key_id)
        ]
        return found[0] if len(found) == 1 else None

    def _take(self, document: bytes) -> None:
        """Replace the keys by those of a document.

        Raises:
            ValueError: It has no usable keys.

        """
        self._keys = _usable_keys(document)
        self._read_at = time.monotonic()
        self.known = True

    def _download(self) -> bytes:
        deadline = time.monotonic() + _READ_TIMEOUT_S
        request = Request(self._source, headers={"Accept": "application/json"})  # noqa: S310  # https: checked above
        data = b""
        # It does not follow redirects, which could lead to another scheme or host.
        with build_opener(_NoRedirects).open(request, timeout=_READ_TIMEOUT_S / 2) as response:
            while chunk := response.read1(_CHUNK_BYTES):
                data += chunk
                if len(data) > _MAX_SET_BYTES or time.monotonic() > deadline:
                    raise ValueError("the document is too large or too slow")
        return data


class _NoRedirects(HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        """Follow no redirect; the opener then raises an HTTPError."""


def _usable_keys(document: bytes) -> list[tuple[str | None, str, jwt.PyJWK]]:
    if len(document) > _MAX_SET_BYTES:
        raise ValueError("the document is too large")
    try:
        entries = json.loads(document)["keys"]
    except (KeyError, TypeError, RecursionError):
        entries = None
    if not isinstance(entries, list):
        raise ValueError("it is not a JWKS document, an object with a list `keys`")  # noqa: TRY004  # a bad document
    keys = []
    for entry in entries[:_MAX_KEYS]:
        key = _usable_key(entry)
        if key is not None:
            keys.append((entry.get("kid"), key.algorithm_name, key))
    if not keys:
        raise ValueError("it has no public key of RSA with 2048 bits or more (RS256), or of P-256 (ES256)")
    return keys


def _usable_key(entry: Any) -> jwt.PyJWK | None:
    """Return the key of an entry; None if it is for another use or algorithm, or if it is private."""
    if not isinstance(entry, dict) or entry.get("use", "sig") != "sig" or "d" in entry:
        return None
    algorithm = {"RSA": "RS256", "EC": "ES256"}.get(str(entry.get("kty")))
    if algorithm is None or entry.get("alg", algorithm) != algorithm:
        return None
    try:
        key = jwt.PyJWK(entry, algorithm)
    except (jwt.PyJWTError, ValueError, TypeError):
        return None
    return key if _ALGORITHMS[algorithm](key.key) else None


_ALGORITHMS: dict[str, Callable[[Any], bool]] = {
    "RS256": lambda key: isinstance(key, RSAPublicKey) and key.key_size >= _SMALLEST_RSA_BITS,
    "ES256": lambda key: isinstance(key, EllipticCurvePublicKey) and key.curve.name == "secp256r1",
}
"""The algorithms of public keys, and whether a key is good enough for one."""


def id_of(name: str) -> UUID | None:
    """Return the id that a name is, in the usual form of ids; None if it is a slug or an externalId."""
    try:
        id_ = UUID(name)
    except ValueError:
        return None
    return id_ if str(id_) == name.lower() else None


def _bad_claim(name: str, wanted: str) -> UnauthenticatedError:
    return UnauthenticatedError(f"the token's claim {name} {wanted}")


def _reason(error: Exception) -> str:
    if isinstance(error, URLError):
        return str(error.reason)
    if isinstance(error, json.JSONDecodeError):
        return "it is not JSON"
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
