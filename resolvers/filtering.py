"""Filters. What a client sent is read into a term, which says what is asked, and the values that it asks for.

The term alone makes the conditions, with parameters where the values go: so that a statement is built once
for all filters of the same form.
"""

from __future__ import annotations

import operator
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import strawberry
from sqlalchemy import (
    ARRAY,
    Double,
    Integer,
    Numeric,
    SmallInteger,
    Text,
    Uuid,
    and_,
    any_,
    bindparam,
    func,
    literal,
    not_,
    or_,
    true,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import aliased
from strawberry.types.base import get_object_definition

from agentdata.errors import BadUserInputError, LimitExceededError
from agentdata.execution.links import Link
from agentdata.operations.values import camel, check_json
from resolvers.inputs import as_uuid
from schema.inputs.filters import ToMany

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import ColumnElement

    Condition = ColumnElement[bool]

MAX_DEPTH = 20
"""How deep a filter nests at the most."""

MAX_VALUES = 1_000
"""How many values a filter lists at the most."""


# Not tuples: those of one kind equal those of another with the same parts, and statements are kept by terms.
@dataclass(frozen=True)
class All:
    """All of the terms hold."""

    terms: tuple[Term, ...]


@dataclass(frozen=True)
class Any_:  # noqa: N801  # beside All; Any is a name of typing
    """At least one of the terms holds."""

    terms: tuple[Term, ...]


@dataclass(frozen=True)
class Not:
    """The term does not hold; what is unknown, because something is null, does not hold either."""

    term: Term


@dataclass(frozen=True)
class Linked:
    """Some row behind the link, or none, meets the whole term."""

    link: Link
    none: bool
    term: Term


@dataclass(frozen=True)
class Asked:
    """A column is asked for a value: the one of the parameter, or of the term itself."""

    column: str
    operator: str
    parameter: str | None
    value: bool | None


Term = All | Any_ | Not | Linked | Asked


class Filter(NamedTuple):
    """A filter as it was read."""

    term: Term
    values: dict[str, Any]


def read(model: type[Any], filter_: object, path: str = "filter") -> Filter:
    """Read a filter on rows of ``model``; its parameters are named after ``path``.

    Raises:
        BadUserInputError: Something in the filter is null, empty, too long a list, or cannot be stored.

    """
    values: dict[str, Any] = {}
    return Filter(_read(model, filter_, path, values, path), values)


def _read(model: type[Any], filter_: object, path: str, values: dict[str, Any], prefix: str) -> Term:
    if path.count(".") > MAX_DEPTH:
        raise LimitExceededError(f"the filter nests deeper than {MAX_DEPTH} levels", field=prefix)
    terms: list[Term] = []
    for name, value, link in _given(filter_, path):
        field = f"{path}.{camel(name)}"
        match name:
            case "and_":
                terms += [_read(model, each, field, values, prefix) for each in _some(value, field)]
            case "or_":
                terms.append(
                    Any_(tuple(_read(model, each, field, values, prefix) for each in _some(value, field)))
                )
            case "not_":
                terms.append(Not(_read(model, value, field, values, prefix)))
            case _ if link is not None and isinstance(value, ToMany):
                # All that is asked must hold for one and the same row.
                terms += [
                    Linked(link, how == "none", _read(link.model, each, f"{field}.{how}", values, prefix))
                    for how, each, _ in _given(value, field)
                ]
            case _ if link is not None:
                terms.append(Linked(link, False, _read(link.model, value, field, values, prefix)))  # noqa: FBT003  # some row
            case _:
                for asked, operand, _ in _given(value, field):
                    if asked in _OF_TERM:
                        terms.append(Asked(name, asked, None, operand))
                    else:
                        parameter = f"{prefix}_{len(values)}"
                        column = model.__mapper__.columns[name]
                        values[parameter] = _operand(column, asked, operand, f"{field}.{camel(asked)}")
                        terms.append(Asked(name, asked, parameter, None))
    return All(tuple(terms))


def _given(filter_: object, path: str) -> list[tuple[str, Any, Link | None]]:
    """Give what was said in an input object: names, values, and the links behind them."""
    given = []
    for field in get_object_definition(filter_, strict=True).fields:
        value = getattr(filter_, field.python_name)
        if value is None:
            name = f"{path}.{camel(field.python_name)}"
            raise BadUserInputError(f"{name} may not be null; leave it out to ask nothing of it", field=name)
        if value is not strawberry.UNSET:
            given.append((field.python_name, value, field.metadata.get("link")))
    return given


def _some(values: list[Any], field: str) -> list[Any]:
    if not values or len(values) > MAX_VALUES:
        raise BadUserInputError(
            f"{field} lists {len(values)} values; it may list from 1 to {MAX_VALUES}, or be left out",
            field=field,
        )
    return values


def _operand(column: Any, asked: str, value: Any, field: str) -> Any:
    """Give a value as the column's type takes it."""
    if isinstance(value, list) and asked in _LISTS:
        return [_operand(column, asked, each, field) for each in _some(value, field)]
    if isinstance(column.type, Uuid):
        return as_uuid(value, field)
    check_json(field, value)
    return re.sub(r"([\\%_])", r"\\\1", value) + "%" if asked == "starts_with" else value


def condition(target: Any, term: Term) -> Condition:
    """Give what a row of ``target`` (a model or an alias of it) must meet."""
    match term:
        case All(terms):
            return and_(true(), *[condition(target, each) for each in terms])
        case Any_(terms):
            return or_(*[condition(target, each) for each in terms])
        case Not(each):
            return not_(func.coalesce(condition(target, each), literal(value=False)))
        case Linked(link, none, each):
            other = aliased(link.model)
            there = link.some(other, getattr(target, link.local)).where(condition(other, each))
            return not_(there.exists()) if none else there.exists()
        case Asked(name, asked, None, value):
            return _OF_TERM[asked](getattr(target, name), value)
        case Asked(name, asked, parameter, _):
            column = getattr(target, name)
            operand: Any = bindparam(parameter, type_=_TYPES.get(asked, _same)(_comparable(column.type)))
            return _OPERATORS[asked](column, operand)


def _comparable(type_: Any) -> Any:
    # A NUMERIC parameter is cut to the column's digits, and one that has more before the point is an error.
    if type(type_) is Numeric:
        return Double()
    # What GraphQL calls an Int may be more than a small column holds; to compare with it is all right.
    return Integer() if isinstance(type_, SmallInteger) else type_


def _same(type_: Any) -> Any:
    return type_


def _is_empty(column: Any, empty: Any) -> Condition:
    nothing: Condition = (
        func.cardinality(column) == 0
        if isinstance(column.type, ARRAY)
        else or_(column == literal({}, JSONB), column == literal([], JSONB))
    )
    return nothing if empty else not_(nothing)


_OF_TERM: dict[str, Callable[[Any, Any], Condition]] = {
    "is_null": lambda column, null: column.is_(None) if null else column.is_not(None),
    "is_empty": _is_empty,
}
"""Operators whose value is part of the statement."""

_OPERATORS: dict[str, Callable[[Any, Any], Condition]] = {
    "eq": operator.eq,
    "ne": lambda column, value: column.is_distinct_from(value),
    "in_": lambda column, values: column == any_(values),
    "not_in": lambda column, values: or_(column.is_(None), not_(column == any_(values))),
    "gt": operator.gt,
    "gte": operator.ge,
    "lt": operator.lt,
    "lte": operator.le,
    "starts_with": lambda column, pattern: column.like(pattern),
    "contains": lambda column, value: column.contains(value),
    "has_key": lambda column, key: column.has_key(key),
    "contains_all": lambda column, values: column.contains(values),
    "contains_any": lambda column, values: column.overlap(values),
}

_LISTS = {"in_", "not_in", "contains_all", "contains_any"}

_TYPES: dict[str, Callable[[Any], Any]] = {
    "in_": ARRAY,
    "not_in": ARRAY,
    "has_key": lambda _: Text(),
    "contains_all": lambda _: ARRAY(Text),
    "contains_any": lambda _: ARRAY(Text),
}
"""The types of parameters that are not of the column's type."""
