"""Cursors: a row's position in one order, opaque to clients and bound to that order and the tenant.

A cursor is signed with a secret of the server, so that only positions that a server gave out come back.
"""

from __future__ import annotations

import base64
import hashlib
from datetime import datetime
from decimal import Decimal
from hmac import compare_digest
from typing import TYPE_CHECKING, Any
from uuid import UUID

import orjson

from agentdata.errors import BadUserInputError

if TYPE_CHECKING:
    from collections.abc import Sequence

_SIGNATURE_BYTES = 12
"""The length of a signature: one in 2^96 guesses is right, and each guess takes a request."""


class Signer:
    """Signs the cursors of one tenant. Servers that share a secret accept each other's cursors."""

    __slots__ = ("_keyed",)

    def __init__(self, secret: bytes, tenant_id: UUID) -> None:
        # A copy of a hash that has read its key costs half of a new one.
        self._keyed = hashlib.blake2b(tenant_id.bytes, digest_size=_SIGNATURE_BYTES, key=secret)

    def sign(self, payload: bytes, order: str) -> bytes:
        """Return the signature of a payload in an order."""
        hash_ = self._keyed.copy()
        # No order has a zero byte, so the two cannot be divided in another way.
        hash_.update(order.encode() + b"\0" + payload)
        return hash_.digest()


def encode(values: Sequence[Any], order: str, signer: Signer) -> str:
    """Return the cursor of a row by its values of the sort keys."""
    payload = orjson.dumps(values, default=str)
    return _as_text(signer.sign(payload, order) + payload)


def decode(cursor: str, order: str, signer: Signer, types: Sequence[type], field: str) -> list[Any]:
    """Return the values that a cursor holds.

    Raises:
        BadUserInputError: The cursor was changed, was not made by a server with this secret, or was made for
            another list, order, or tenant.

    """
    try:
        data = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        payload = data[_SIGNATURE_BYTES:]
        if not compare_digest(data[:_SIGNATURE_BYTES], signer.sign(payload, order)):
            raise _foreign(field)
        # The decoder skips characters that are not base64, and unused bits at the end.
        if _as_text(data) != cursor:
            raise _foreign(field)
        values = orjson.loads(payload)
        return [_parse(value, type_) for value, type_ in zip(values, types, strict=True)]
    except (ValueError, TypeError, ArithmeticError):
        # Signed, but by another version of this list, whose keys had other types.
        raise _foreign(field) from None


def _as_text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _parse(value: Any, type_: type) -> Any:
    if value is None:
        return None
    if type_ is datetime:
        return datetime.fromisoformat(value)
    if type_ is UUID:
        return UUID(value)
    if type_ is Decimal and type(value) is str:
        return Decimal(value)
    if type(value) is not type_ and not (type_ is float and type(value) is int):
        raise TypeError(value)
    return value


def _foreign(field: str) -> BadUserInputError:
    return BadUserInputError(
        f"{field} is not a cursor of this list in this order; use one from its pageInfo or edges, or leave it"
        " out to start from the first page, as after an upgrade of the server",
        field=field,
    )
