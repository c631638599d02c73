"""The canonical JSON of states, and the differences between two states."""

from __future__ import annotations

import hashlib
from decimal import Decimal
from json.encoder import encode_basestring
from typing import Any

from orjson import Fragment, dumps

_PLAIN = (-7, 21)
"""RFC 8785 writes numbers between these powers of ten without an exponent."""

_WHOLE = (-(2**63), 2**64)
"""The range of whole numbers that keep all digits; no client can send others."""


def state_hash(state: object) -> str:
    """Return the SHA-256 of the canonical JSON of a state, as 64 hexadecimal digits."""
    return hashlib.sha256(canonical(state).encode()).hexdigest()


def canonical(value: object) -> str:
    """Return the canonical JSON of RFC 8785 (JCS), in which equal values are equal texts.

    Keys are sorted by their UTF-16 code units, there is no whitespace, and numbers are written as in
    ECMAScript: `1`, `1.0` and `10e-1` are all `1`. Unlike RFC 8785, which rounds whole numbers beyond 2^53
    to doubles, this keeps all their digits, so that different 64-bit ids stay different.
    """
    match value:
        case str():
            return encode_basestring(value)
        # A fragment is a number that another program stored and that Python cannot represent exactly.
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
    """Return the differences between two JSON objects as (previous values, new values).

    Nested objects are compared by key, so that only the keys that differ are included; a list or an empty
    object is one value. An added key is only in the new values, a removed one only in the previous values.
    """
    was: dict[str, Any] = {}
    is_: dict[str, Any] = {}
    for key in before.keys() | after.keys():
        if key not in after:
            was[key] = before[key]
        elif key not in before:
            is_[key] = after[key]
        elif _is_nested(before[key]) and _is_nested(after[key]):
            inner_was, inner_is = changes(before[key], after[key])
            was |= {key: inner_was} if inner_was else {}
            is_ |= {key: inner_is} if inner_is else {}
        elif canonical(before[key]) != canonical(after[key]):
            was[key], is_[key] = before[key], after[key]
    return was, is_


def _is_nested(value: object) -> bool:
    return isinstance(value, dict) and bool(value)


def _utf_16(key: str) -> bytes:
    return key.encode("utf-16-be")


def _number(value: float) -> str:
    """Return a number as in ECMAScript: with the fewest digits that identify it among all doubles."""
    sign, digits, exponent = Decimal(repr(value)).normalize().as_tuple()
    assert isinstance(exponent, int)  # noqa: S101  # JSON has no infinity
    digits_text = "".join(map(str, digits))
    if digits_text == "0":
        return "0"
    point = len(digits_text) + exponent
    lowest, highest = _PLAIN
    if not lowest < point - 1 < highest:
        fraction = f".{digits_text[1:]}" if digits_text[1:] else ""
        digits_text = f"{digits_text[0]}{fraction}e{point - 1:+d}"
    elif exponent >= 0:
        digits_text += "0" * exponent
    elif point > 0:
        digits_text = f"{digits_text[:point]}.{digits_text[point:]}"
    else:
        digits_text = f"0.{'0' * -point}{digits_text}"
    return f"-{digits_text}" if sign else digits_text
