"""The meaning of filters, written again in Python, over rows as the API returns them and without SQL."""

from __future__ import annotations

import operator
from datetime import datetime
from typing import TYPE_CHECKING, Any

from graphql import GraphQLInputObjectType

from tests.contract import value_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    from tests.world import Rows

ABSENT: dict[str, Any] = {
    "IDFilter": "01900000-0000-7000-8000-000000000000",
    "StringFilter": "no such text",
    "IntFilter": -7,
    "BigIntFilter": 2**62,
    "FloatFilter": -0.75,
    "DateTimeFilter": "2031-01-01T00:00:00+14:00",
    "ListFilter": "no such tag",
}
"""For each filter of values, a value that no row has."""


def is_of_values(type_: Any) -> bool:
    """Return whether a filter tests one value, instead of rows."""
    return isinstance(type_, GraphQLInputObjectType) and not {"and", "some"} & set(type_.fields)


def meets(
    row: dict[str, Any], filter_: dict[str, Any], type_: GraphQLInputObjectType, rows: dict[str, Rows]
) -> bool:
    """Return whether a row meets a filter; a comparison with null is false."""
    return all(_holds(row, name, asked, type_, rows) for name, asked in filter_.items())


def _holds(
    row: dict[str, Any], name: str, asked: Any, type_: GraphQLInputObjectType, rows: dict[str, Rows]
) -> bool:
    match name:
        case "and":
            return all(meets(row, each, type_, rows) for each in asked)
        case "or":
            return any(meets(row, each, type_, rows) for each in asked)
        case "not":
            return not meets(row, asked, type_, rows)
    inner: Any = type_.fields[name].type
    if is_of_values(inner):
        return all(_OPERATORS[op](_comparable(value_of(row, name)), operand) for op, operand in asked.items())
    if "some" not in inner.fields:
        noun = inner.name.removesuffix("Filter")
        return row[name] is not None and meets(rows[noun][row[name]["id"]], asked, inner, rows)
    rows_filter: Any = inner.fields["some"].type
    noun = rows_filter.name.removesuffix("Filter")
    others = [rows[noun][other["id"]] for other in row[name]]
    return all(
        any(meets(other, each, rows_filter, rows) for other in others) is (quantifier == "some")
        for quantifier, each in asked.items()
    )


def _comparable(value: Any) -> Any:
    if isinstance(value, str) and value[4:5] == "-" and value[10:11] == "T":
        return datetime.fromisoformat(value)
    return value


def _compared(compare: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    return lambda value, operand: value is not None and compare(value, _comparable(operand))


def _one_of(value: Any, operands: list[Any]) -> bool:
    return value is not None and value in [_comparable(operand) for operand in operands]


def contains(value: Any, part: Any) -> bool:
    """Return whether JSON contains other JSON, by the rules of `@>` in PostgreSQL."""
    if isinstance(value, dict):
        return isinstance(part, dict) and all(
            key in value and contains(value[key], inner) for key, inner in part.items()
        )
    if isinstance(value, list):
        if not isinstance(part, list):
            return not isinstance(part, dict) and part in value
        return all(any(_same_kind(each, inner) and contains(each, inner) for each in value) for inner in part)
    return bool(value == part) and isinstance(value, bool) == isinstance(part, bool)


def _same_kind(value: Any, part: Any) -> bool:
    # Only at the top level may an array contain a scalar; below it, arrays match arrays.
    return isinstance(value, list) == isinstance(part, list)


_OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "eq": _compared(operator.eq),
    "ne": lambda value, operand: bool(value != _comparable(operand)),
    "in": _one_of,
    "notIn": lambda value, operands: not _one_of(value, operands),
    "gt": _compared(operator.gt),
    "gte": _compared(operator.ge),
    "lt": _compared(operator.lt),
    "lte": _compared(operator.le),
    "isNull": lambda value, null: (value is None) is null,
    "startsWith": lambda value, prefix: value is not None and value.startswith(prefix),
    "contains": lambda value, part: value is not None and contains(value, part),
    "hasKey": lambda value, key: isinstance(value, dict | list) and key in value,
    "containsAll": lambda values, operands: set(operands) <= set(values),
    "containsAny": lambda values, operands: bool(set(operands) & set(values)),
    "isEmpty": lambda value, empty: value is not None and (value in ({}, [])) is empty,
}


_ALWAYS: dict[str, list[Any]] = {
    "isNull": [True, False],
    "isEmpty": [True, False],
    "hasKey": ["a", "b", "key with space", "no such key", "", "'"],
}


def operands(kind: str, op: str, values: list[Any]) -> list[Any]:
    """Return operands for an operator of a filter of values: some that rows have, and some that none has."""
    present = list({repr(value): value for value in values if value is not None}.values())
    absent = [ABSENT[kind]] if kind in ABSENT else []
    match op:
        case _ if op in _ALWAYS:
            return _ALWAYS[op]
        case "startsWith":
            return [
                *{value[:length] for value in present[:4] for length in (0, 3, 99)},
                *absent,
                "5_",
                "%",
                "_",
                "\\",
            ]
        case "contains":
            return [
                {},
                *present,
                {"a": 1},
                {"nested": {"tags": ["y"]}},
                {"b": [{"c": None}]},
                [],
                1,
                {"a": True},
            ]
        case "containsAll" | "containsAny":
            items = sorted({item for value in present for item in value})
            return [*[[item] for item in items], items[:2], [*items[:1], *absent], absent, items[:1] * 2]
        case "in" | "notIn":
            some = present[:3]
            return [each for each in (some, some[:1], some[:1] * 2, absent, some[:1] + absent) if each]
        case _:
            return [*present[:2], *absent]


def random_filter(
    random: Random, type_: GraphQLInputObjectType, values: Callable[[str, str], list[Any]], depth: int
) -> dict[str, Any]:
    """Generate a filter; `values` returns the values of a field of the rows of a type."""
    noun = type_.name.removesuffix("Filter")
    filter_: dict[str, Any] = {}
    # Vectors are no objects of the API, so no rows of theirs are there to compare with.
    names = sorted(type_.fields.keys() - {"embeddings"})
    for name in random.sample(names, random.randrange(1, 4)):
        inner: Any = type_.fields[name].type
        if name in {"and", "or"}:
            if depth:
                several = range(random.randrange(1, 4))
                filter_[name] = [random_filter(random, type_, values, depth - 1) for _ in several]
        elif is_of_values(inner):
            op = random.choice(sorted(inner.fields))
            filter_[name] = {op: random.choice(operands(inner.name, op, values(noun, name)))}
        elif depth and "some" in inner.fields:
            quantifiers = random.choice([["some"], ["none"], ["some", "none"]])
            filter_[name] = {
                each: random_filter(random, inner.fields[each].type, values, depth - 1)
                for each in quantifiers
            }
        elif depth:
            filter_[name] = random_filter(random, inner, values, depth - 1)
    return filter_
