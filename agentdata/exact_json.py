"""Reads JSON without rounding its numbers: orjson turns whole numbers of more than 64 bits into floats."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any, NoReturn

import orjson

_LONG_RUN = b"0" * 19
"""Whole numbers of more than 64 bits have at least this many digits."""

_POINT = ord(".")
_DIGITS_AS_ZEROS = bytes.maketrans(b"123456789", b"0" * 9)

_TOO_LARGE = "number is infinity"
"""A part of orjson's error for a number that exceeds a 64-bit float."""


def read_json(text: bytes | bytearray | str) -> Any:
    """Parse a JSON text, with whole numbers of any size; numbers too large for a float become inf.

    Raises:
        json.JSONDecodeError: The text is not JSON, or nests too deep.

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
        value = json.loads(written, parse_int=_parse_integer, parse_constant=_refuse_constant)
        # Python decodes an unpaired surrogate but cannot encode it.
        json.dumps(value, ensure_ascii=False).encode()
    except RecursionError:
        raise json.JSONDecodeError("depth limit exceeded", "", 0) from None
    except UnicodeError:
        raise json.JSONDecodeError("str is not valid UTF-8", "", 0) from None
    return value


def read_stored_json(text: str) -> Any:
    """Parse JSON from the database, which other programs may have written.

    A number that Python would round, or that orjson could not encode, is kept as its text.
    """
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        # The database holds only valid JSON, so the error is about a number that exceeds a 64-bit float.
        pass
    else:
        if len(text) < len(_LONG_RUN) or _LONG_RUN not in text.encode().translate(_DIGITS_AS_ZEROS):
            return value
    return json.loads(text, parse_int=_parse_stored_integer, parse_float=_parse_stored_fraction)


def _may_have_large_numbers(written: bytes | bytearray) -> bool:
    """Return whether a long run of digits does not follow a decimal point, as it does in most floats."""
    # Searching for a run of one byte is much faster than searching for a run of any digits.
    zeros = written.translate(_DIGITS_AS_ZEROS)
    at = zeros.find(_LONG_RUN)
    while at > 0 and zeros[at - 1] == _POINT:
        at = zeros.find(_LONG_RUN, at + len(_LONG_RUN))
    return at >= 0


def _parse_integer(digits: str) -> int | float:
    try:
        return int(digits)
    except ValueError:
        # Python refuses to parse an int of thousands of digits.
        return float(digits)


def _refuse_constant(constant: str) -> NoReturn:
    raise json.JSONDecodeError(f"{constant} is not JSON", "", 0)


def _parse_stored_integer(digits: str) -> int | orjson.Fragment:
    # The length is checked first, because Python refuses to parse an int of thousands of digits.
    if len(digits) <= len(str(-(2**63))) and -(2**63) <= (number := int(digits)) < 2**64:
        return number
    return orjson.Fragment(digits)


def _parse_stored_fraction(digits: str) -> float | orjson.Fragment:
    number = float(digits)
    return number if Decimal(repr(number)) == Decimal(digits) else orjson.Fragment(digits)
