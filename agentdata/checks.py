"""Checks of single values, whatever column or argument they are for."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from agentdata.errors import BadUserInputError
from agentdata.exact_json import read_json

if TYPE_CHECKING:
    from collections.abc import Iterable

MAX_JSON_DEPTH = 100
"""How many arrays and objects of a JSON value may nest; PostgreSQL and the JSON writer can hold more."""

JSON_SPACE = " \t\n\r"
"""The white space of JSON. Other spaces, such as U+00A0, are none of it."""


def check_text(field: str, value: str, length: int | None = None) -> None:
    """Refuse text that PostgreSQL cannot hold or that is longer than it may be.

    Raises:
        BadUserInputError: It holds a NUL character, half a surrogate pair, or too many characters.

    """
    if "\0" in value:
        raise BadUserInputError(
            f"{field} holds a NUL character (U+0000), which cannot be stored", field=field
        )
    if length is not None and len(value) > length:
        raise BadUserInputError(
            f"{field} has {len(value)} characters; it may have at most {length}", field=field
        )
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            raise BadUserInputError(
                f"{field} holds half of a surrogate pair, which is no character", field=field
            ) from None


def check_range(field: str, value: float, low: float, high: float | None) -> None:
    """Refuse a number beyond its range.

    Raises:
        BadUserInputError: It is not a finite number from ``low`` to ``high``.

    """
    if not math.isfinite(value) or value < low or (high is not None and value > high):
        allowed = f"at least {low}" if high is None else f"from {low} to {high}"
        raise BadUserInputError(f"{field} must be {allowed}, not {value}", field=field)


def check_json(field: str, value: object) -> None:
    """Refuse JSON that cannot be stored as it is.

    Raises:
        BadUserInputError: A text in it holds a NUL character, a number is not finite or too large, or it is
            too deep.
        TypeError: Something in it is not JSON, which no client can send.

    """
    level: list[object] = [value]
    # What is outside of all arrays and objects is level 0, so what is in the deepest ones is level 100.
    for _ in range(MAX_JSON_DEPTH + 1):
        deeper: list[object] = []
        nests = False
        for item in level:
            if isinstance(item, str):
                check_text(field, item)
            elif isinstance(item, dict):
                nests = True
                deeper.extend(item)
                deeper.extend(item.values())
            elif isinstance(item, list):
                nests = True
                deeper.extend(item)
            elif item is not None:
                _check_plain(field, item)
        if not nests:
            return
        level = deeper
    raise BadUserInputError(f"{field} nests deeper than {MAX_JSON_DEPTH} levels", field=field)


def _check_plain(field: str, value: object) -> None:
    """Refuse a value that is not a boolean or a number that JSON can hold."""
    if isinstance(value, int):
        if not -(2**63) <= value < 2**64:
            raise BadUserInputError(f"{field} holds a whole number of more than 64 bits", field=field)
    elif isinstance(value, float):
        if not math.isfinite(value):
            raise BadUserInputError(f"{field} holds a number that is not finite or too large", field=field)
    else:
        raise TypeError(f"{field} holds a {type(value).__name__}, which is not JSON")


def parse_json(text: str) -> object:
    """Return the JSON value that a text is, with or without white space around it.

    Raises:
        ValueError: The text is not strictly JSON, or is JSON that cannot be stored as it is.

    """
    value = read_json(text)
    try:
        check_json("it", value)
    except BadUserInputError as error:
        raise ValueError(error.message) from error
    return value


def check_tags(field: str, tags: Iterable[str]) -> list[str]:
    """Give tags without repetition, in the order in which they were given.

    Raises:
        BadUserInputError: There is none, or one is blank or longer than 255 characters.

    """
    unique = list(dict.fromkeys(tags))
    for tag in unique:
        check_text(field, tag, 255)
        if not tag.strip():
            raise BadUserInputError(f"{field} holds a blank text", field=field)
    return unique


def check_not_empty(field: str, items: list[Any], most: int) -> None:
    """Refuse a list that asks for nothing, or for more than one write does.

    Raises:
        BadUserInputError: It is empty, or has more than ``most`` items.

    """
    if not 1 <= len(items) <= most:
        raise BadUserInputError(f"{field} has {len(items)} items; it may have from 1 to {most}", field=field)
