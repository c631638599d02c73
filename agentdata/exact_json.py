"""Reads JSON with its numbers as they are: orjson makes floats of whole numbers beyond 64 bits."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any, NoReturn

import orjson

_LONG = b"0" * 19
"""No whole number beyond 64 bits has fewer digits."""

_POINT = ord(".")
_DIGITS_AS_ZEROS = bytes.maketrans(b"123456789", b"0" * 9)

_TOO_LARGE = "number is infinity"
"""What orjson says of a number beyond those of 64-bit floats."""


def read_json(text: bytes | bytearray | str) -> Any:
    """Return the value of a JSON text, with whole numbers of any size; numbers too large for floats are inf.

    Raises:
        json.JSONDecodeError: It is not JSON, or nests too deep.

    """
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        if _TOO_LARGE not in error.msg:
            raise
    else:
        if not _may_have_large_numbers(text.encode() if isinstance(text, str) else text):
            return value
    try:
        written = text if isinstance(text, str) else text.decode()
        value = json.loads(written, parse_int=_any_whole, parse_constant=_refuse)
        # Half a surrogate pair can be read, but not written.
        json.dumps(value, ensure_ascii=False).encode()
    except RecursionError:
        raise json.JSONDecodeError("depth limit exceeded", "", 0) from None
    except UnicodeError:
        raise json.JSONDecodeError("str is not valid UTF-8", "", 0) from None
    return value


def read_stored_json(text: str) -> Any:
    """Return the value of JSON that the database holds, which other programs may have written.

    A number that Python would round, or orjson could not write, stays the text that it is.
    """
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        # The database holds nothing but JSON, so a number is beyond those of 64-bit floats.
        pass
    else:
        if len(text) < len(_LONG) or _LONG not in text.encode().translate(_DIGITS_AS_ZEROS):
            return value
    return json.loads(text, parse_int=_whole, parse_float=_fraction)


def _may_have_large_numbers(written: bytes | bytearray) -> bool:
    """Tell whether many digits stand together, but for those behind a point, which most floats have."""
    # Searching for a run of one byte is much faster than searching for a run of any digits.
    zeros = written.translate(_DIGITS_AS_ZEROS)
    at = zeros.find(_LONG)
    while at > 0 and zeros[at - 1] == _POINT:
        at = zeros.find(_LONG, at + len(_LONG))
    return at >= 0


def _any_whole(digits: str) -> int | float:
    try:
        return int(digits)
    except ValueError:
        # Python reads no whole number of thousands of digits.
        return float(digits)


def _refuse(constant: str) -> NoReturn:
    raise json.JSONDecodeError(f"{constant} is not JSON", "", 0)


def _whole(digits: str) -> int | orjson.Fragment:
    # A whole number of 64 bits is not longer, and Python reads none of thousands of digits.
    if len(digits) <= len(str(-(2**63))) and -(2**63) <= (number := int(digits)) < 2**64:
        return number
    return orjson.Fragment(digits)


def _fraction(digits: str) -> float | orjson.Fragment:
    number = float(digits)
    return number if Decimal(repr(number)) == Decimal(digits) else orjson.Fragment(digits)
