"""The scalars that GraphQL does not define itself."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import TYPE_CHECKING, Any, NewType

import strawberry
from graphql import GraphQLError, ListValueNode, ObjectValueNode, VariableNode, value_from_ast_untyped

from agentdata.vectors import Vector, read_vector

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
    match_ = _RFC_3339.fullmatch(value) if isinstance(value, str) else None
    if match_ is None:
        raise GraphQLError(
            "a DateTime must be an RFC 3339 string with seconds and an offset from UTC,"
            " such as 2026-01-31T12:00:00Z"
        )
    try:
        if match_[1]:
            return _after_leap_second(match_)
        # Python ignores digits beyond the microsecond.
        return datetime.fromisoformat(match_[0].upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        raise GraphQLError(
            "a DateTime must be a valid time in the years 1 to 9999, such as 2026-01-31T12:00:00Z"
        ) from None


def _after_leap_second(match_: re.Match[str]) -> datetime:
    """Return the time one second after second 59, as Unix time counts a leap second.

    Raises:
        GraphQLError: The time is not the last second of a month in UTC; only that may be a leap second.

    """
    before = f"{match_[0][: match_.start(1)]}59{match_[0][match_.end(1) :]}"
    time = datetime.fromisoformat(before.upper()).astimezone(UTC) + timedelta(seconds=1)
    if (time.day, time.hour, time.minute) != (1, 0, 0):
        raise GraphQLError(
            "the second 60 is only allowed at the end of a month in UTC, such as 2016-12-31T23:59:60Z"
        )
    return time


def _read_big_int(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not -(2**63) <= value < 2**63:
        raise GraphQLError("a BigInt must be a whole number of at most 64 bits")
    return value


def _read_json(node: ValueNode, variables: Mapping[str, Any] | None = None) -> Any:
    """Return the JSON value of a literal and of the variables in it.

    A missing variable is handled as in input objects and lists: an object lacks the key, an array has null.
    """
    bound = variables or {}
    match node:
        case VariableNode():
            return _as_json(bound.get(node.name.value))
        case ObjectValueNode():
            return {
                field.name.value: _read_json(field.value, bound)
                for field in node.fields
                if not isinstance(field.value, VariableNode) or field.value.name.value in bound
            }
        case ListValueNode():
            return [_read_json(each, bound) for each in node.values]
    return value_from_ast_untyped(node)


def _read_vector(value: object) -> Vector:
    try:
        return read_vector(value)
    except ValueError as error:
        raise GraphQLError(f"a Vector must be numbers, or their bytes in base64: {error}") from None


def _read_vector_literal(node: ValueNode, variables: Mapping[str, Any] | None = None) -> Vector:
    return _read_vector(_read_json(node, variables))


def _as_json(value: Any) -> Any:
    """Return the value of a variable of any type in the form that responses have."""
    match value:
        case dict():
            return {key: _as_json(each) for key, each in value.items()}
        case list():
            return [_as_json(each) for each in value]
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
    Vector: _scalar(
        "Vector",
        "A vector that a model made of a text, as a list of 1 to 4,000 numbers, or as a text: the base64 of"
        " the same numbers as little-endian floats of 32 bits, which is half as long and faster to read. It"
        " is stored in single precision. Each number must be from -65504 to 65504, and not all may be zero.",
        parse_value=_read_vector,
        parse_literal=_read_vector_literal,
    ),
}
