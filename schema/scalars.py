"""The scalars beside GraphQL's own."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NewType

import strawberry
from graphql import GraphQLError

if TYPE_CHECKING:
    from strawberry.types.scalar import ScalarDefinition

BigInt = NewType("BigInt", int)
JSON = NewType("JSON", object)


def _write_time(value: datetime) -> str:
    return value.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _read_time(value: object) -> datetime:
    example = "such as 2026-01-31T12:00:00Z"
    # Python reads no further than a NUL character.
    if not isinstance(value, str) or not value.isprintable():
        raise GraphQLError(f"a DateTime is a string of RFC 3339, {example}")
    try:
        time = datetime.fromisoformat(value)
        if time.tzinfo is None:
            raise GraphQLError(f"a DateTime names its offset from UTC, {example}")
        return time.astimezone(UTC)
    except (ValueError, OverflowError):
        raise GraphQLError(
            f"this is no time of the years 1 to 9999 as RFC 3339 writes it, {example}"
        ) from None


def _read_big_int(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not -(2**63) <= value < 2**63:
        raise GraphQLError("a BigInt is a whole number of at most 64 bits")
    return value


def _scalar(name: str, description: str, **how: Any) -> ScalarDefinition:
    return strawberry.scalar(name=name, description=description, **how)  # type: ignore[no-any-return]  # it is one


SCALARS: dict[object, ScalarDefinition] = {
    datetime: _scalar(
        "DateTime",
        "A moment as RFC 3339 writes it, such as `2026-01-31T12:00:00Z`. Answers are in UTC, to the"
        " microsecond; inputs may have any offset from UTC, but must have one.",
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
        " character U+0000, and its arrays and objects may nest at most 100 levels deep.",
        specified_by_url="https://ecma-international.org/publications-and-standards/standards/ecma-404/",
    ),
}
