"""Filters. What a client sent is read into a term, which says what is asked, and the values that it asks for.

The term alone makes the conditions, with parameters where the values go: so that a statement is built once
for all filters of the same form.
"""

from __future__ import annotations

import operator
from dataclasses import dataclass
from decimal import Decimal, localcontext
from functools import cached_property, partial
from math import inf, nextafter
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import (
    ARRAY,
    Integer,
    Numeric,
    SmallInteger,
    String,
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
from strawberry.types.base import StrawberryContainer, get_object_definition
from strawberry.types.lazy_type import LazyType

from agentdata.errors import BadUserInputError, LimitExceededError
from agentdata.execution.links import Link
from agentdata.operations.values import camel, check_json
from resolvers.inputs import as_uuid
from schema.inputs.filters import ToMany

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sqlalchemy import ColumnElement
    from strawberry.types.field import StrawberryField

    Condition = ColumnElement[bool]

    Given = Mapping[str, Any]
    """An input object as graphql-core coerced it, by the contract's names."""

    Read = Callable[[Any, str, "_Asking"], list["Term"]]
    """Reads what was given to a field, whose path it is told."""

    Fields = Mapping[str, tuple[int, Read]]
    """By the contract's names: the place in the declaration, which no two share, and how it is read."""

    Operand = Callable[[Any, str], Any]

MAX_DEPTH = 20
"""How deep a filter nests at the most."""

MAX_VALUES = 1_000
"""How many values a filter lists at the most."""

_DIGITS = 40
"""How exact the decimals between two doubles are; a double has 17 digits."""


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


class Filters:
    """Reads filters of one input type, which ask of rows of ``model``, from what graphql-core coerced.

    How each field is read is worked out once, when the first filter comes: types may hold themselves.
    """

    def __init__(self, model: type[Any], type_: Any) -> None:
        self.model = model
        self._type = type_

    def read(self, given: Given, path: str = "filter") -> Filter:
        """Read a filter; its parameters are named after ``path``.

        Raises:
            BadUserInputError: Something in the filter is null, empty, too long a list, or cannot be stored.

        """
        asking = _Asking(path)
        return Filter(self.term(given, path, asking), asking.values)

    def term(self, given: Given, path: str, asking: _Asking) -> Term:
        """Read what a row must meet."""
        if path.count(".") > MAX_DEPTH:
            raise LimitExceededError(f"the filter nests deeper than {MAX_DEPTH} levels", field=asking.prefix)
        return All(tuple(_terms(self._fields, given, path, asking)))

    @cached_property
    def _fields(self) -> Fields:
        return _fields({each: self._reading(each) for each in _declared(_class_of(self._type))})

    def _reading(self, field: StrawberryField) -> Read:
        name, type_, link = field.python_name, _class_of(field.type), field.metadata.get("link")
        match name:
            case "and_":
                return partial(_each, self)
            case "or_":
                return partial(_any, self)
            case "not_":
                return partial(_not, self)
        if link is None:
            return partial(_terms, _of_column(self.model.__mapper__.columns[name], name, type_))
        if not issubclass(type_, ToMany):
            return partial(_linked, link, False, filters_on(link.model, type_))  # noqa: FBT003  # some row
        # All that is asked must hold for one and the same row.
        return partial(
            _terms,
            _fields(
                {
                    how: partial(
                        _linked, link, how.python_name == "none", filters_on(link.model, _class_of(how.type))
                    )
                    for how in _declared(type_)
                }
            ),
        )


_FILTERS: dict[tuple[Any, Any], Filters] = {}


def filters_on(model: type[Any], type_: Any) -> Filters:
    """Give what reads filters of an input type, which ask of rows of ``model``: the same for the same."""
    return _FILTERS.setdefault((model, type_), Filters(model, type_))


class _Asking:
    """The values that a filter asks for, as parameters."""

    def __init__(self, prefix: str) -> None:
        self.prefix = prefix
        self.values: dict[str, Any] = {}

    def parameter(self, value: Any) -> str:
        """Name a value."""
        name = f"{self.prefix}_{len(self.values)}"
        self.values[name] = value
        return name


def _fields(readings: Mapping[StrawberryField, Read]) -> Fields:
    return {
        field.graphql_name or camel(field.python_name): (place, read)
        for place, (field, read) in enumerate(readings.items())
    }


def _terms(fields: Fields, given: Given, path: str, asking: _Asking) -> list[Term]:
    """Read what was said in an input object. In whatever order that was, the terms are the same."""
    terms: list[Term] = []
    for name in sorted(given, key=fields.__getitem__) if len(given) > 1 else given:
        value, field = given[name], f"{path}.{name}"
        if value is None:
            raise BadUserInputError(
                f"{field} may not be null; leave it out to ask nothing of it", field=field
            )
        terms += fields[name][1](value, field, asking)
    return terms


def _each(filters: Filters, given: list[Given], field: str, asking: _Asking) -> list[Term]:
    return [filters.term(each, field, asking) for each in _some(given, field)]


def _any(filters: Filters, given: list[Given], field: str, asking: _Asking) -> list[Term]:
    return [Any_(tuple(_each(filters, given, field, asking)))]


def _not(filters: Filters, given: Given, field: str, asking: _Asking) -> list[Term]:
    return [Not(filters.term(given, field, asking))]


def _linked(
    link: Link,
    none: bool,  # noqa: FBT001  # as the term has it
    filters: Filters,
    given: Given,
    field: str,
    asking: _Asking,
) -> list[Term]:
    return [Linked(link, none, filters.term(given, field, asking))]


def _of_column(column: Any, name: str, type_: Any) -> Fields:
    """Tell how the operators of a column are read."""
    readings: dict[StrawberryField, Read] = {}
    for field in _declared(type_):
        asked = field.python_name
        if asked in _OF_TERM:
            readings[field] = partial(_asked_by_term, name, asked)
        elif isinstance(column.type, Numeric):
            readings[field] = partial(_asked_of_decimal, name, asked)
        else:
            readings[field] = partial(_asked, name, asked, _operand(column.type, asked))
    return _fields(readings)


def _asked_by_term(column: str, asked: str, value: bool, _field: str, _asking: _Asking) -> list[Term]:  # noqa: FBT001  # a value
    return [Asked(column, asked, None, value)]


def _asked(column: str, asked: str, operand: Operand, value: Any, field: str, asking: _Asking) -> list[Term]:
    return [Asked(column, asked, asking.parameter(operand(value, field)), None)]


def _asked_of_decimal(column: str, asked: str, value: Any, field: str, asking: _Asking) -> list[Term]:
    """Compare a decimal as the double that it is shown as: several decimals may be shown as one."""

    def compared(operator_: str, bound: Decimal) -> Term:
        return Asked(column, operator_, asking.parameter(bound), None)

    def equal(value: float) -> Term:
        least, most = _shown_as(value)
        return All((compared("gte", least), compared("lte", most)))

    match asked:
        case "eq":
            return [equal(value)]
        case "ne":
            return [Not(equal(value))]
        case "in_":
            return [Any_(tuple(map(equal, _some(value, field))))]
    least, most = _shown_as(value)
    return [compared(asked, least if asked in {"gte", "lt"} else most)]


def _shown_as(value: float) -> tuple[Decimal, Decimal]:
    """Return the least and the greatest decimal for which a double is the nearest one."""
    with localcontext(prec=_DIGITS):
        least, most = ((Decimal(value) + Decimal(nextafter(value, end))) / 2 for end in (-inf, inf))
    return least, most


def _operand(type_: Any, asked: str) -> Operand:
    """Give what makes a value of the contract into one that a column of the type is compared with."""
    each = next((operand for types, operand in _OPERANDS if isinstance(type_, types)), _as_it_is)
    return partial(_list, each) if asked in _LISTS else each


def _list(each: Operand, values: list[Any], field: str) -> list[Any]:
    return [each(value, field) for value in _some(values, field)]


def _some(values: list[Any], field: str) -> list[Any]:
    if not values or len(values) > MAX_VALUES:
        raise BadUserInputError(
            f"{field} lists {len(values)} values; it may list from 1 to {MAX_VALUES}, or be left out",
            field=field,
        )
    return values


def _as_it_is(value: Any, _field: str) -> Any:
    return value


def _storable(value: Any, field: str) -> Any:
    check_json(field, value)
    return value


_OPERANDS: tuple[tuple[tuple[Any, ...], Operand], ...] = (
    ((Uuid,), as_uuid),
    ((String, ARRAY, JSONB), _storable),
)
"""How values are read by the types of columns; others are taken as they are."""


def _declared(type_: Any) -> list[StrawberryField]:
    return get_object_definition(type_, strict=True).fields


def _class_of(type_: Any) -> Any:
    """Give the class of an input type, which may be optional, a list, or said to be elsewhere."""
    while isinstance(type_, StrawberryContainer):
        type_ = type_.of_type
    return type_.resolve_type() if isinstance(type_, LazyType) else type_


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
    """Give the type of what a column is compared with, which may be more than the column can hold."""
    # A parameter of the column's own type would be cut, or be an error where that cannot be.
    match type_:
        case SmallInteger():
            return Integer()
        case String():
            return Text()
        case Numeric():
            return Numeric()
    return type_


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
    # PostgreSQL makes a range of it, also under row-level security, for an index of bytewise order.
    "starts_with": lambda column, prefix: column.bool_op("^@")(prefix),
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
