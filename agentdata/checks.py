"""Checks of values before they are written: single values, and the values of a model's columns.

The rules for columns (lengths, ranges, null) are derived from the model.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from functools import cache
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from sqlalchemy import JSON, String

from agentdata.errors import BadUserInputError
from agentdata.exact_json import read_json
from agentdata.naming import camel

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from models import Base

MAX_JSON_DEPTH = 100
"""How deeply arrays and objects of a JSON value may nest; PostgreSQL and the JSON encoder allow more."""

JSON_SPACE = " \t\n\r"
"""The whitespace of JSON. Other spaces, such as U+00A0, do not count."""

_UTC = "UTC"

_ENDS_OF_TIME = (datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC))
"""Zero values of many languages for an unset time. The driver would write them as -infinity and infinity."""

_KEYS = ("external_id", "email")
"""Optional texts that identify a row if they are set, so they may not be blank."""

_JSON_KINDS: dict[Any, tuple[type, str]] = {"{}": (dict, "object"), "[]": (list, "array")}


def check(model: type[Base], values: Mapping[str, Any], path: str = "") -> None:
    """Refuse values that a model's columns cannot hold; ``path`` goes before the field's GraphQL name.

    Raises:
        BadUserInputError: A value is null, too long or out of its range, or contains a NUL character.

    """
    rules = _rules(model)
    for name, value in values.items():
        rule = rules.get(name)
        if rule is not None:
            rule.check(path, value)


def check_items(
    field: str, model: type[Base], items: Sequence[Mapping[str, Any]], most: int | None = None
) -> None:
    """Refuse a list of rows that is empty or too long, or has values that the model's columns cannot hold.

    Raises:
        BadUserInputError: The list has no items or more than ``most``, or ``check`` refuses one of them.

    """
    if most is not None:
        check_count(field, items, most)
    for index, item in enumerate(items):
        check(model, item, f"{field}.{index}.")


@dataclass(frozen=True)
class _ColumnRule:
    """The values that one column can hold."""

    field: str
    nullable: bool
    json: tuple[type, str] | None
    """The only kind of JSON that the column may hold, if it is restricted to one."""
    is_json: bool
    length: int | None
    not_blank: bool
    """Whether a text may not be blank."""
    range: tuple[float, float | None] | None

    def check(self, path: str, value: Any) -> None:
        """Refuse a value that the column cannot hold."""
        if value is None:
            if not self.nullable:
                field = path + self.field
                raise BadUserInputError(f"{field} may not be null; omit it instead", field=field)
        elif self.is_json:
            field = path + self.field
            if self.json is not None and not isinstance(value, self.json[0]):
                raise BadUserInputError(f"{field} must be a JSON {self.json[1]}", field=field)
            check_json(field, value)
        elif isinstance(value, str):
            check_text(path + self.field, value, self.length)
            if self.not_blank and not value.strip():
                field = path + self.field
                raise BadUserInputError(f"{field} may not be blank", field=field)
        elif self.range is not None:
            check_range(path + self.field, value, *self.range)
        elif isinstance(value, datetime) and value in _ENDS_OF_TIME:
            field = path + self.field
            raise BadUserInputError(f"{field} is out of range; omit it to leave it unset", field=field)


@cache
def _rules(model: type[Base]) -> dict[str, _ColumnRule]:
    """Return the rules for a model's columns, by their names in Python."""
    ranges = {
        constraint.info["column"]: (constraint.info["low"], constraint.info["high"])
        for constraint in model.__table__.constraints  # type: ignore[attr-defined]  # a FromClause that is a Table
        if "column" in constraint.info
    }
    rules = {}
    for name, column in model.__mapper__.columns.items():
        # A column whose default is an empty object (or array) may hold only objects (or arrays).
        kind = column.info.get("json") or getattr(column.server_default, "arg", None)
        rules[name] = _ColumnRule(
            field=camel(name),
            nullable=bool(column.nullable),
            is_json=isinstance(column.type, JSON),
            json=_JSON_KINDS.get(kind),
            length=column.type.length if isinstance(column.type, String) else None,
            not_blank=not column.nullable or column.name in _KEYS,
            range=ranges.get(column.name),
        )
    return rules


def check_text(field: str, value: str, length: int | None = None) -> None:
    """Refuse text that PostgreSQL cannot hold or that is longer than it may be.

    Raises:
        BadUserInputError: It contains a NUL character, an unpaired surrogate, or too many characters.

    """
    if "\0" in value:
        raise BadUserInputError(
            f"{field} contains a NUL character (U+0000), which cannot be stored", field=field
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
                f"{field} contains an unpaired surrogate, which is not a character", field=field
            ) from None


def check_range(field: str, value: float, low: float, high: float | None) -> None:
    """Refuse a number outside its range.

    Raises:
        BadUserInputError: It is not a finite number from ``low`` to ``high``.

    """
    if not math.isfinite(value) or value < low or (high is not None and value > high):
        allowed = f"at least {low}" if high is None else f"from {low} to {high}"
        raise BadUserInputError(f"{field} must be {allowed}, not {value}", field=field)


def check_json(field: str, value: object) -> None:
    """Refuse JSON that cannot be stored unchanged.

    Raises:
        BadUserInputError: A text contains a NUL character, a number is too large or not finite, or the value
            nests too deep.
        TypeError: The value contains an object that is not JSON; no client can send one.

    """
    level: list[object] = [value]
    # The value itself is level 0, so the items of the deepest arrays and objects are level 100.
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
                _check_scalar(field, item)
        if not nests:
            return
        level = deeper
    raise BadUserInputError(f"{field} nests deeper than {MAX_JSON_DEPTH} levels", field=field)


def _check_scalar(field: str, value: object) -> None:
    """Refuse a scalar that is neither a boolean nor a number that can be stored."""
    if isinstance(value, int):
        if not -(2**63) <= value < 2**64:
            raise BadUserInputError(f"{field} contains a whole number of more than 64 bits", field=field)
    elif isinstance(value, float):
        if not math.isfinite(value):
            raise BadUserInputError(f"{field} contains a number that is too large or not finite", field=field)
    else:
        raise TypeError(f"{field} contains a {type(value).__name__}, which is not JSON")


def parse_json(text: str) -> object:
    """Parse a text as one JSON value; it may have whitespace around it.

    Raises:
        ValueError: The text is not valid JSON, or cannot be stored unchanged.

    """
    value = read_json(text)
    try:
        check_json("it", value)
    except BadUserInputError as error:
        raise ValueError(error.message) from error
    return value


def check_tags(field: str, tags: Iterable[str]) -> list[str]:
    """Return tags without duplicates, in their order.

    Raises:
        BadUserInputError: A tag is blank or longer than 255 characters.

    """
    unique = list(dict.fromkeys(tags))
    for tag in unique:
        check_text(field, tag, 255)
        if not tag.strip():
            raise BadUserInputError(f"{field} contains a blank text", field=field)
    return unique


@cache
def _time_zones() -> frozenset[str]:
    """Return the names of the zones of the IANA database."""
    # Python includes the machine's own zone.
    return frozenset({_UTC, *available_timezones()} - {"localtime"})


def time_zone(name: str | None, field: str = "timeZone") -> tzinfo:
    """Return a time zone of the IANA database by its name; UTC without a name.

    Raises:
        BadUserInputError: The database has no zone of this name.

    """
    if name in (None, _UTC):
        return UTC
    try:
        # Python also opens names that are none of the database, such as a folder's.
        if name in _time_zones():
            return ZoneInfo(name)
    except (ZoneInfoNotFoundError, OSError, ValueError):
        # An upgrade of the machine's files may remove an old name while the server runs.
        pass
    raise BadUserInputError(
        f"{field} must be the name of an IANA time zone, such as Europe/Berlin", field=field
    )


def check_count(field: str, items: Sequence[Any], most: int) -> None:
    """Refuse a list that is empty or longer than one write may take.

    Raises:
        BadUserInputError: It is empty, or has more than ``most`` items.

    """
    if not 1 <= len(items) <= most:
        raise BadUserInputError(f"{field} has {len(items)} items; it may have from 1 to {most}", field=field)
