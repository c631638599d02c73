"""Cursors: a row's position in one order, opaque to clients and bound to that order and the tenant."""

from __future__ import annotations

import base64
import binascii
import hashlib
import sys
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from uuid import UUID

import orjson

from agentdata.errors import BadUserInputError

if TYPE_CHECKING:
    from collections.abc import Sequence

_DIGEST_BYTES = 6
_MOST_DIGITS = 400
"""How many digits a decimal may have before or after its point; a double has 324."""


def encode(values: Sequence[Any], order: str, tenant_id: UUID) -> str:
    """Return the cursor of a row by its values of the sort keys."""
    payload = orjson.dumps(values, default=str)
    return base64.urlsafe_b64encode(_digest(payload, order, tenant_id) + payload).decode().rstrip("=")


def decode(cursor: str, order: str, tenant_id: UUID, types: Sequence[type], field: str) -> list[Any]:
    """Return the values that a cursor holds.

    Raises:
        BadUserInputError: The cursor was not made here, or was made for another list, order, or tenant.

    """
    try:
        data = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        payload = data[_DIGEST_BYTES:]
        if data[:_DIGEST_BYTES] != _digest(payload, order, tenant_id):
            raise _foreign(field)
        values = orjson.loads(payload)
        return [_parse(value, type_) for value, type_ in zip(values, types, strict=True)]
    except (binascii.Error, ValueError, TypeError, ArithmeticError):
        raise _foreign(field) from None


def _digest(payload: bytes, order: str, tenant_id: UUID) -> bytes:
    # The digest finds mistakes; forging a cursor gains nothing, because it only says where to begin.
    key = hashlib.blake2b(payload, digest_size=_DIGEST_BYTES, key=tenant_id.bytes)
    key.update(order.encode())
    return key.digest()


def _parse(value: Any, type_: type) -> Any:
    if value is None:
        return None
    if type_ is datetime:
        return datetime.fromisoformat(value)
    if type_ is UUID:
        return UUID(value)
    if type_ is Decimal:
        return _decimal(value)
    if type(value) is not type_ and not (type_ is float and type(value) is int):
        raise TypeError(value)
    return value


def _decimal(value: Any) -> Decimal:
    if isinstance(value, float):
        # Until migration 0018 cursors held doubles; one with few enough digits still identifies the decimal.
        number = Decimal(repr(value))
        if len(number.as_tuple().digits) > sys.float_info.dig:
            raise ValueError(value)
        return number
    if not isinstance(value, str):
        raise TypeError(value)
    number = Decimal(value)
    if not number.is_finite() or abs(number.adjusted()) > _MOST_DIGITS:
        raise ValueError(value)
    return number


def _foreign(field: str) -> BadUserInputError:
    return BadUserInputError(
        f"{field} is not a cursor of this list in this order; use one from its pageInfo or edges", field=field
    )
