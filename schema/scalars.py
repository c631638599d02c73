"""The scalars beside GraphQL's own."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import TYPE_CHECKING, Any, NewType

import strawberry
from graphql import GraphQLError, ListValueNode, ObjectValueNode, VariableNode, value_from_ast_untyped

if TYPE_CHECKING:
    from collections.abc import Mapping

    from graphql import ValueNode
    from strawberry.types.scalar import ScalarDefinition

BigInt = NewType("BigInt", int)
JSON = NewType("JSON", object)


_RFC_3339 = re.compile(
    r"\d{4}-\d\d-\d\d[Tt ](?:[01]\d|2[0-3]):[0-5]\d:(?:[0-5]\d|(60))(?:\.\d+)?"
    r"(?:[Zz]|[+-](?:[01]\d|2[0-3]):[0-5]\d)",
    re.ASCII,
)


def _write_time(value: datetime) -> str:
    return value.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _read_time(value: object) -> datetime:
    found = _RFC_3339.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise GraphQLError(
            "a DateTime is a string of RFC 3339 with its seconds and its offset from UTC,"
            " such as 2026-01-31T12:00:00Z"
        )
    try:
        if found[1]:
            return _after_leap_second(found)
        # Python reads digits up to the microsecond, and leaves out the rest.
        return datetime.fromisoformat(found[0].upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        raise GraphQLError(
            "this is no date and time of the years 1 to 9999, such as 2026-01-31T12:00:00Z"
        ) from None


def _after_leap_second(found: re.Match[str]) -> datetime:
    """Return the time a second after second 59, as Unix time has it.

    Raises:
        GraphQLError: It is not the last second of a month in UTC, which alone may be a leap second.

    """
    before = f"{found[0][: found.start(1)]}59{found[0][found.end(1) :]}"
    time = datetime.fromisoformat(before.upper()).astimezone(UTC) + timedelta(seconds=1)
    if (time.day, time.hour, time.minute) != (1, 0, 0):
        raise GraphQLError("a second 60 is only at the end of a month in UTC, such as 2016-12-31T23:59:60Z")
    return time


def _read_big_int(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not -(2**63) <= value < 2**63:
        raise GraphQLError("a BigInt is a whole number of at most 64 bits")
    return value


def _read_json(node: ValueNode, variables: Mapping[str, Any] | None = None) -> Any:
    """Return the JSON that a literal and the variables in it stand for.

    A variable that is not given is handled as in input objects and lists: an object has no such key, and in
    an array it is null.
    """
    given = variables or {}
    match node:
        case VariableNode():
            return _written(given.get(node.name.value))
        case ObjectValueNode():
            return {
                field.name.value: _read_json(field.value, given)
                for field in node.fields
                if not isinstance(field.value, VariableNode) or field.value.name.value in given
            }
        case ListValueNode():
            return [_read_json(each, given) for each in node.values]
    return value_from_ast_untyped(node)


def _written(value: Any) -> Any:
    """Return the value of a variable of any type as responses write it."""
    match value:
        case dict():
            return {key: _written(each) for key, each in value.items()}
        case list():
            return [_written(each) for each in value]
        case datetime():
            return _write_time(value)
        case Enum():
            return value.name
    return value


def _scalar(name: str, description: str, **how: Any) -> ScalarDefinition:
    return strawberry.scalar(name=name, description=description, **how)  # type: ignore[no-any-return]  # it is one


SCALARS: dict[object, ScalarDefinition] = {
    datetime: _scalar(
        "DateTime",
        "A moment as RFC 3339 writes it, such as `2026-01-31T12:00:00Z`. Answers are in UTC, to the"
        " microsecond. Inputs need an offset from UTC, which may be any; a space may stand for the `T`."
        " Digits beyond the microsecond are left out, and a leap second is read as the second after it.",
        specified_by_url="https://scalars.graphql.org/andimarek/date-time",
        serialize=_write_time,
        parse_value=_read_time,
    ),
    BigInt: _scalar(
        "BigInt",
        "A whole number of at most 64 bits, written as a JSON number. Beyond 2^53 JavaScript needs a JSON"
        " parser that keeps it whole.",
        parse_value=_read_big_int,
    ),
    JSON: _scalar(
        "JSON",
        "Any JSON value: an object, an array, a string, a number, true, false or null. It may not hold the"
        " character U+0000, and its arrays and objects may nest at most 100 levels deep. A whole number may"
        " have at most 64 bits; other numbers are held as 64-bit floats. Where a variable stands inside of a"
        " literal, it is written as in responses; if it is not given, an object has no such key, and an array"
        " has null.",
        specified_by_url="https://ecma-international.org/publications-and-standards/standards/ecma-404/",
        parse_value=lambda value: value,
        parse_literal=_read_json,
    ),
}
