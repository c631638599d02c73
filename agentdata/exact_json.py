"""Reads JSON without rounding its numbers: orjson turns whole numbers of more than 64 bits into floats."""

from __future__ import annotations

import json
from decimal import Decimal
from json.decoder import JSONArray, JSONObject  # type: ignore[attr-defined]  # typeshed lacks them
from json.scanner import py_make_scanner  # type: ignore[attr-defined]  # typeshed lacks it
from typing import Any, NoReturn

import orjson

_MOST_VALUES = 1_000_000
"""How many values a large JSON text may have; Python needs a second for them."""

_SLOW_SEPARATORS, _SLOW_BYTES = 100_000, 256_000
"""In a larger text with more separators, C would hold up other threads for more than some 20 ms."""

_MANY_VALUES = 2_000
"""More values than this take more than some 10 ms to check against a contract."""

_PIECE_BYTES = 1_000_000
"""As much of a text is searched at a time; C does not let other threads run meanwhile, for some 2 ms."""

_LONG_RUN = b"0" * 19
"""Whole numbers of more than 64 bits have at least this many digits."""

_POINT = ord(".")
_DIGITS_AS_ZEROS = bytes.maketrans(b"123456789", b"0" * 9)

_TOO_LARGE = "number is infinity"
"""A part of orjson's error for a number that exceeds a 64-bit float."""


class TooManyValuesError(ValueError):
    """A JSON text has more values than are read."""


def read_json(text: bytes | bytearray | str) -> Any:
    """Parse a JSON text, with whole numbers of any size; numbers too large for a float become inf.

    Raises:
        json.JSONDecodeError: The text is not JSON, or nests too deep.
        TooManyValuesError: The text is large and has more than a million values.

    """
    if len(text) > _SLOW_BYTES and _is_slow(text if isinstance(text, bytes | bytearray) else text.encode()):
        return _read_slowly(text)
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


def has_many_values(text: bytes | bytearray) -> bool:
    """Return whether a JSON text may have so many values that they take many milliseconds to check."""
    return _has_more_separators(text, _MANY_VALUES)


def _is_slow(text: bytes | bytearray) -> bool:
    return _has_more_separators(text, _SLOW_SEPARATORS) or _may_have_large_numbers(text)


def _read_slowly(text: bytes | bytearray | str) -> Any:
    """Parse a JSON text in Python: ten times slower than in C, but other threads run meanwhile."""
    try:
        value = _CountingDecoder().decode(text if isinstance(text, str) else text.decode())
        # Python decodes an unpaired surrogate but cannot encode it.
        for part in json.JSONEncoder(ensure_ascii=False).iterencode(value):
            part.encode()
    except RecursionError:
        raise json.JSONDecodeError("depth limit exceeded", "", 0) from None
    except UnicodeError:
        raise json.JSONDecodeError("str is not valid UTF-8", "", 0) from None
    return value


class _CountingDecoder(json.JSONDecoder):
    """A decoder that is written in Python and counts the values of lists and objects."""

    def __init__(self) -> None:
        super().__init__(parse_int=_parse_integer, parse_constant=_refuse_constant)
        self._values = 0
        self.parse_array = self._array
        self.parse_object = self._object
        self.scan_once = self._scan = py_make_scanner(self)

    def _array(self, at: tuple[str, int], _scan: Any, *more: Any) -> Any:
        return JSONArray(at, self._counted, *more)

    def _object(self, at: tuple[str, int], strict: bool, _scan: Any, *more: Any) -> Any:  # noqa: FBT001  # as it is called
        return JSONObject(at, strict, self._counted, *more)

    def _counted(self, text: str, at: int) -> Any:
        self._values += 1
        if self._values > _MOST_VALUES:
            raise TooManyValuesError
        return self._scan(text, at)


def _has_more_separators(text: bytes | bytearray, limit: int) -> bool:
    """Count the characters of which each value needs one; those inside of texts count as well."""
    found = 0
    for start in range(0, len(text), _PIECE_BYTES):
        end = start + _PIECE_BYTES
        found += text.count(b",", start, end) + text.count(b"[", start, end) + text.count(b"{", start, end)
        if found > limit:
            return True
    return False


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
    overlap = len(_LONG_RUN)  # a run and the character before it
    for start in range(0, len(written), _PIECE_BYTES):
        zeros = written[max(start - overlap, 0) : start + _PIECE_BYTES].translate(_DIGITS_AS_ZEROS)
        at = zeros.find(_LONG_RUN)
        while at > 0 and zeros[at - 1] == _POINT:
            at = zeros.find(_LONG_RUN, at + len(_LONG_RUN))
        if at >= 0:
            return True
    return False


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
