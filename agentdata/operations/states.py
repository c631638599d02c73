"""States as JSON: one way to write each, and what changed from one to another."""

from __future__ import annotations

import hashlib
from decimal import Decimal
from json.encoder import encode_basestring
from typing import Any

from orjson import Fragment, dumps

_PLAIN = (-7, 21)
"""Between these powers of ten RFC 8785 writes a number without an exponent."""

_WHOLE = (-(2**63), 2**64)
"""Whole numbers that are kept in full. Others are written as doubles are; no client can send them."""


def state_hash(state: object) -> str:
    """Give the SHA-256 of the canonical JSON of a state, as 64 hexadecimal digits."""
    return hashlib.sha256(canonical(state).encode()).hexdigest()


def canonical(value: object) -> str:
    """Write JSON as RFC 8785 (JCS) does, so that equal values are equal texts.

    Keys are sorted by their UTF-16 code units, nothing stands between tokens, and numbers are written as
    ECMAScript does: `1`, `1.0` and `10e-1` are all `1`. One rule is our own: a whole number beyond 2^53 keeps
    all of its digits, where RFC 8785 would round it to a double, and ids of 64 bits would be confused.
    """
    match value:
        case str():
            return encode_basestring(value)
        # A fragment is a number that another program stored, and that Python cannot hold exactly.
        case bool() | None | Fragment():
            return dumps(value).decode()
        case int() if _WHOLE[0] <= value < _WHOLE[1]:
            return str(value)
        case int() | float():
            return _number(float(value))
        case dict():
            keys = sorted(value, key=_utf_16)
            return "{" + ",".join(f"{encode_basestring(key)}:{canonical(value[key])}" for key in keys) + "}"
        case list():
            return "[" + ",".join(map(canonical, value)) + "]"
    raise TypeError(f"{type(value).__name__} is not JSON")


def changes(before: dict[str, Any], after: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Give what differs between two JSON objects, as it was and as it is: (previous values, new values).

    Objects in objects are gone into, so that only the keys that differ are named; a list, or an empty object,
    is one value. A key that is new stands in the new values alone, one that is gone in the previous ones.
    """
    was: dict[str, Any] = {}
    is_: dict[str, Any] = {}
    for key in before.keys() | after.keys():
        if key not in after:
            was[key] = before[key]
        elif key not in before:
            is_[key] = after[key]
        elif _goes_into(before[key]) and _goes_into(after[key]):
            inner_was, inner_is = changes(before[key], after[key])
            was |= {key: inner_was} if inner_was else {}
            is_ |= {key: inner_is} if inner_is else {}
        elif canonical(before[key]) != canonical(after[key]):
            was[key], is_[key] = before[key], after[key]
    return was, is_


def _goes_into(value: object) -> bool:
    return isinstance(value, dict) and bool(value)


def _utf_16(key: str) -> bytes:
    return key.encode("utf-16-be")


def _number(value: float) -> str:
    """Write a number as ECMAScript does: with the fewest digits that tell it from all others."""
    sign, digits, exponent = Decimal(repr(value)).normalize().as_tuple()
    assert isinstance(exponent, int)  # noqa: S101  # JSON has no infinity
    told = "".join(map(str, digits))
    if told == "0":
        return "0"
    point = len(told) + exponent
    lowest, highest = _PLAIN
    if not lowest < point - 1 < highest:
        fraction = f".{told[1:]}" if told[1:] else ""
        told = f"{told[0]}{fraction}e{point - 1:+d}"
    elif exponent >= 0:
        told += "0" * exponent
    elif point > 0:
        told = f"{told[:point]}.{told[point:]}"
    else:
        told = f"0.{'0' * -point}{told}"
    return f"-{told}" if sign else told
