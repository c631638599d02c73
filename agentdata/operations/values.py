"""What a value must be before it is written. The rules are read off the columns: lengths, ranges, null."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import String
from sqlalchemy.dialects.postgresql import JSONB

from agentdata.errors import BadUserInputError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from models import Base

MAX_JSON_DEPTH = 100
"""How deep a JSON value may nest; well below what PostgreSQL and the JSON writer can hold."""

_ENDS_OF_TIME = (datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC))
"""What languages give where no time is set. The driver would write them as -infinity and infinity."""

_KEYS = ("external_id", "email")
"""Texts that may be left out but, where they are given, tell rows apart."""

_JSON_KINDS: dict[Any, tuple[type, str]] = {"{}": (dict, "object"), "[]": (list, "array")}


def camel(name: str) -> str:
    """Give the GraphQL name of a column."""
    head, *tail = name.strip("_").split("_")
    return head + "".join(part.capitalize() for part in tail)


def noun(table: str) -> str:
    """Give the word for one row of a table."""
    return table.removesuffix("s").replace("_", " ")


def check(model: type[Base], values: Mapping[str, Any], path: str = "") -> None:
    """Refuse values that a model's columns cannot hold, by the field's GraphQL name behind ``path``.

    Raises:
        BadUserInputError: A value is null where it must not be, too long, out of its range, or holds a NUL.

    """
    columns = model.__mapper__.columns
    for name, value in values.items():
        if name in columns:
            _check_value(columns[name], path + camel(name), value)
    for constraint in model.__table__.constraints:  # type: ignore[attr-defined]  # a FromClause that is a Table
        rule = constraint.info
        value = values.get(rule.get("column", ""))
        if value is not None:
            check_range(path + camel(rule["column"]), value, rule["low"], rule["high"])


def _check_value(column: Any, field: str, value: object) -> None:
    if value is None:
        if not column.nullable:
            raise BadUserInputError(f"{field} may not be null; leave it out to keep it as it is", field=field)
    elif isinstance(column.type, JSONB):
        kind = column.info.get("json") or getattr(column.server_default, "arg", None)
        # A column that is an empty object, or array, by default holds nothing but objects, or arrays.
        if kind in _JSON_KINDS and not isinstance(value, _JSON_KINDS[kind][0]):
            raise BadUserInputError(f"{field} must be a JSON {_JSON_KINDS[kind][1]}", field=field)
        check_json(field, value)
    elif isinstance(value, datetime) and value in _ENDS_OF_TIME:
        raise BadUserInputError(
            f"{field} is the end of what can be written, and no time; leave it out where there is none",
            field=field,
        )
    elif isinstance(value, str):
        check_text(field, value, column.type.length if isinstance(column.type, String) else None)
        if not value.strip() and (not column.nullable or column.name in _KEYS):
            raise BadUserInputError(f"{field} may not be blank", field=field)


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

    """
    level: list[object] = [value]
    for _ in range(MAX_JSON_DEPTH):
        if not level:
            return
        deeper: list[object] = []
        for item in level:
            if isinstance(item, str):
                check_text(field, item)
            elif isinstance(item, dict):
                deeper.extend(item.keys())
                deeper.extend(item.values())
            elif isinstance(item, list):
                deeper.extend(item)
            elif isinstance(item, float) and not math.isfinite(item):
                raise BadUserInputError(f"{field} holds a number that is not finite", field=field)
            elif isinstance(item, int) and not -(2**63) <= item < 2**64:
                raise BadUserInputError(f"{field} holds a whole number of more than 64 bits", field=field)
        level = deeper
    raise BadUserInputError(f"{field} nests deeper than {MAX_JSON_DEPTH} levels", field=field)


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
