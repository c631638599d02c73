"""Checks of values before they are written: of single values, and of the values of a model's columns.

The rules for columns are read off the columns: lengths, ranges, null.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any

from sqlalchemy import JSON, String

from agentdata.errors import BadUserInputError
from agentdata.exact_json import read_json
from agentdata.naming import camel

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from models import Base

MAX_JSON_DEPTH = 100
"""How many arrays and objects of a JSON value may nest; PostgreSQL and the JSON writer can hold more."""

JSON_SPACE = " \t\n\r"
"""The white space of JSON. Other spaces, such as U+00A0, are none of it."""

_ENDS_OF_TIME = (datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC))
"""What languages give where no time is set. The driver would write them as -infinity and infinity."""

_KEYS = ("external_id", "email")
"""Texts that may be left out but, where they are given, tell rows apart."""

_JSON_KINDS: dict[Any, tuple[type, str]] = {"{}": (dict, "object"), "[]": (list, "array")}


def check(model: type[Base], values: Mapping[str, Any], path: str = "") -> None:
    """Refuse values that a model's columns cannot hold, by the field's GraphQL name behind ``path``.

    Raises:
        BadUserInputError: A value is null where it must not be, too long, out of its range, or holds a NUL.

    """
    rules = _rules(model)
    for name, value in values.items():
        rule = rules.get(name)
        if rule is not None:
            rule.check(path, value)


def check_items(
    field: str, model: type[Base], items: Sequence[Mapping[str, Any]], most: int | None = None
) -> None:
    """Refuse a list of rows that is empty or too long, or that holds values the model's columns cannot hold.

    Raises:
        BadUserInputError: The list has no items or more than ``most``, or as ``check`` does for one of them.

    """
    if most is not None:
        check_not_empty(field, items, most)
    for index, item in enumerate(items):
        check(model, item, f"{field}.{index}.")


@dataclass(frozen=True)
class _Rule:
    """What one column can hold."""

    field: str
    nullable: bool
    json: tuple[type, str] | None
    """The kind of JSON that it holds nothing but."""
    is_json: bool
    length: int | None
    filled: bool
    """Whether a text in it has to say something."""
    range: tuple[float, float | None] | None

    def check(self, path: str, value: Any) -> None:
        """Refuse what the column cannot hold."""
        if value is None:
            if not self.nullable:
                field = path + self.field
                raise BadUserInputError(
                    f"{field} may not be null; leave it out where there is nothing to say", field=field
                )
        elif self.is_json:
            field = path + self.field
            if self.json is not None and not isinstance(value, self.json[0]):
                raise BadUserInputError(f"{field} must be a JSON {self.json[1]}", field=field)
            check_json(field, value)
        elif isinstance(value, str):
            check_text(path + self.field, value, self.length)
            if self.filled and not value.strip():
                field = path + self.field
                raise BadUserInputError(f"{field} may not be blank", field=field)
        elif self.range is not None:
            check_range(path + self.field, value, *self.range)
        elif isinstance(value, datetime) and value in _ENDS_OF_TIME:
            field = path + self.field
            raise BadUserInputError(
                f"{field} is the end of what can be written, and no time; leave it out where there is none",
                field=field,
            )


@cache
def _rules(model: type[Base]) -> dict[str, _Rule]:
    """Read the rules off a model's columns, by their names in Python."""
    ranges = {
        constraint.info["column"]: (constraint.info["low"], constraint.info["high"])
        for constraint in model.__table__.constraints  # type: ignore[attr-defined]  # a FromClause that is a Table
        if "column" in constraint.info
    }
    rules = {}
    for name, column in model.__mapper__.columns.items():
        # A column that is an empty object, or array, by default holds nothing but objects, or arrays.
        kind = column.info.get("json") or getattr(column.server_default, "arg", None)
        rules[name] = _Rule(
            field=camel(name),
            nullable=bool(column.nullable),
            is_json=isinstance(column.type, JSON),
            json=_JSON_KINDS.get(kind),
            length=column.type.length if isinstance(column.type, String) else None,
            filled=not column.nullable or column.name in _KEYS,
            range=ranges.get(column.name),
        )
    return rules


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


def check_not_empty(field: str, items: Sequence[Any], most: int) -> None:
    """Refuse a list that asks for nothing, or for more than one write does.

    Raises:
        BadUserInputError: It is empty, or has more than ``most`` items.

    """
    if not 1 <= len(items) <= most:
        raise BadUserInputError(f"{field} has {len(items)} items; it may have from 1 to {most}", field=field)
