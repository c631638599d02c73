"""Filters: what a client sent is parsed into a term, and terms become SQL conditions.

A term says which columns are compared and how; the values are parameters beside it. So a statement is built
once for all filters of one form.
"""

from __future__ import annotations

import math
import operator
from dataclasses import dataclass
from decimal import Decimal, localcontext
from functools import cached_property, partial
from math import inf, nextafter
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import (
    ARRAY,
    Float,
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

from agentdata.checks import check_json
from agentdata.engine.binding.inputs import as_uuid
from agentdata.engine.sql.attributes import types_of
from agentdata.engine.sql.links import Link
from agentdata.errors import BadUserInputError, LimitExceededError
from agentdata.naming import camel

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sqlalchemy import ColumnElement
    from strawberry.types.field import StrawberryField

    Condition = ColumnElement[bool]

    InputObject = Mapping[str, Any]
    """An input object as graphql-core coerced it, by the contract's names."""

    Parse = Callable[[Any, str, "_Parameters"], list["Term"]]
    """Parses the value of a filter's field; the second argument is the field's path for errors."""

    Parsers = Mapping[str, tuple[int, Parse]]
    """The parser of each field by its name in the contract, with the field's position in the declaration."""

    Operand = Callable[[Any, str], Any]
    """Converts a value of the contract for the comparison with a column; the second argument is its path."""

MAX_DEPTH = 20
"""How deep a filter may nest."""

MAX_VALUES = 1_000
"""How many values one operator, or how many filters one `and` or `or`, may list."""


# Dataclasses and not tuples: tuples of two kinds with the same parts are equal, and statements are cached by
# term.
@dataclass(frozen=True)
class AllOf:
    """All of the terms hold."""

    terms: tuple[Term, ...]


@dataclass(frozen=True)
class AnyOf:
    """At least one of the terms holds."""

    terms: tuple[Term, ...]


@dataclass(frozen=True)
class Not:
    """The term is not true. An unknown term (a comparison with null) is not true."""

    term: Term


@dataclass(frozen=True)
class Linked:
    """One row behind the link meets the whole term, or, with ``none``, no row does."""

    link: Link
    none: bool
    term: Term


@dataclass(frozen=True)
class Comparison:
    """A column is compared with a parameter, or with a value that is part of the term."""

    column: str
    operator: str
    parameter: str | None
    value: bool | None


Term = AllOf | AnyOf | Not | Linked | Comparison


def is_by_key(term: Term) -> bool:
    """Return whether a term compares only ids, for equality: an index finds its rows, whatever the values."""
    if isinstance(term, AllOf):
        return all(map(is_by_key, term.terms))
    if not isinstance(term, Comparison) or term.operator not in {"eq", "in_"}:
        return False
    return term.column == "id" or term.column.endswith("_id")


def is_within_key(term: Term) -> bool:
    """Return whether indexes find the rows by ids, of which the rest of the term may leave out some.

    The ids may be those of a related row: the messages of a user's sessions.
    """
    match term:
        case AllOf(terms):
            return any(map(is_within_key, terms))
        case Linked(_, none=False, term=each):
            return is_within_key(each)
    return is_by_key(term)


def comparisons(term: Term | None, column: str) -> list[Comparison]:
    """Return the comparisons of a column that hold for every row that the term selects."""
    match term:
        case AllOf(terms):
            return [found for each in terms for found in comparisons(each, column)]
        case Comparison(column=name) if name == column:
            return [term]
    return []


_DIGITS = 40
"""The precision of decimals between two doubles; a double has 17 digits."""


class ToMany:
    """The base of input types with conditions on the rows of a relation to many: `some` and `none`."""


class ParsedFilter(NamedTuple):
    """A parsed filter: its term and the values of the term's parameters."""

    term: Term
    values: dict[str, Any]


class Filters:
    """Parses filters of one input type, which select rows of ``model``.

    The parser of each field is made when the first filter comes, because input types may contain themselves.
    """

    def __init__(self, model: type[Any], type_: Any) -> None:
        self.model = model
        self._type = type_

    def parse(self, filter_: InputObject, path: str = "filter") -> ParsedFilter:
        """Parse a filter; its parameters are named after ``path``.

        Raises:
            BadUserInputError: A value is null, a list is empty or too long, or a value cannot be stored.
            LimitExceededError: The filter nests too deep.

        """
        parameters = _Parameters(path)
        return ParsedFilter(self.term(filter_, path, parameters), parameters.values)

    def term(self, filter_: InputObject, path: str, parameters: _Parameters) -> Term:
        """Parse a filter, or a filter inside of it, into a term."""
        if path.count(".") > MAX_DEPTH:
            raise LimitExceededError(
                f"the filter nests deeper than {MAX_DEPTH} levels", field=parameters.prefix
            )
        return AllOf(tuple(_terms(self._parsers, filter_, path, parameters)))

    @cached_property
    def _parsers(self) -> Parsers:
        return _by_name({each: self._parser(each) for each in _fields_of(_class_of(self._type))})

    def _parser(self, field: StrawberryField) -> Parse:
        name, type_, link = field.python_name, _class_of(field.type), field.metadata.get("link")
        match name:
            case "and_":
                return partial(_all_of, self)
            case "or_":
                return partial(_any_of, self)
            case "not_":
                return partial(_not, self)
        if link is None:
            return partial(_terms, _operators(types_of(self.model)[name], name, type_))
        if not issubclass(type_, ToMany):
            return partial(_linked, link, False, filters_for(link.model, type_))  # noqa: FBT003  # some row
        # All conditions must hold for one and the same row, so they stay together in one term.
        return partial(
            _terms,
            _by_name(
                {
                    how: partial(
                        _linked, link, how.python_name == "none", filters_for(link.model, _class_of(how.type))
                    )
                    for how in _fields_of(type_)
                }
            ),
        )


_FILTERS: dict[tuple[Any, Any], Filters] = {}


def filters_for(model: type[Any], type_: Any) -> Filters:
    """Return the parser of filters of an input type on rows of ``model``: one object for each such pair."""
    return _FILTERS.setdefault((model, type_), Filters(model, type_))


class _Parameters:
    """Collects the values that a filter compares with, and names the parameters for them."""

    def __init__(self, prefix: str) -> None:
        self.prefix = prefix
        self.values: dict[str, Any] = {}

    def add(self, value: Any) -> str:
        """Add a value and return the name of its parameter."""
        name = f"{self.prefix}_{len(self.values)}"
        self.values[name] = value
        return name


def _by_name(parsers: Mapping[StrawberryField, Parse]) -> Parsers:
    return {
        field.graphql_name or camel(field.python_name): (position, parse)
        for position, (field, parse) in enumerate(parsers.items())
    }


def _terms(parsers: Parsers, given: InputObject, path: str, parameters: _Parameters) -> list[Term]:
    """Parse the fields of an input object in the order of their declaration, not in the order they were sent.

    So two filters that differ only in order share one term, and one statement.
    """
    terms: list[Term] = []
    for name in sorted(given, key=parsers.__getitem__) if len(given) > 1 else given:
        value, field = given[name], f"{path}.{name}"
        if value is None:
            raise BadUserInputError(f"{field} may not be null; leave it out to not filter by it", field=field)
        terms += parsers[name][1](value, field, parameters)
    return terms


def _all_of(filters: Filters, given: list[InputObject], field: str, parameters: _Parameters) -> list[Term]:
    return [filters.term(each, field, parameters) for each in _bounded(given, field)]


def _any_of(filters: Filters, given: list[InputObject], field: str, parameters: _Parameters) -> list[Term]:
    return [AnyOf(tuple(_all_of(filters, given, field, parameters)))]


def _not(filters: Filters, given: InputObject, field: str, parameters: _Parameters) -> list[Term]:
    return [Not(filters.term(given, field, parameters))]


def _linked(
    link: Link,
    none: bool,  # noqa: FBT001  # as the term has it
    filters: Filters,
    given: InputObject,
    field: str,
    parameters: _Parameters,
) -> list[Term]:
    return [Linked(link, none, filters.term(given, field, parameters))]


def _operators(column_type: Any, name: str, type_: Any) -> Parsers:
    """Return the parser of each operator that a column of a type has."""
    parsers: dict[StrawberryField, Parse] = {}
    for field in _fields_of(type_):
        operator_ = field.python_name
        if operator_ in _CONSTANT_OPERATORS:
            parsers[field] = partial(_constant_comparison, name, operator_)
        elif isinstance(column_type, Numeric):
            parsers[field] = partial(_decimal_comparison, name, operator_)
        else:
            parsers[field] = partial(_comparison, name, operator_, _operand(column_type, operator_))
    return _by_name(parsers)


def _constant_comparison(
    column: str,
    operator_: str,
    value: bool,  # noqa: FBT001  # a value
    _field: str,
    _parameters: _Parameters,
) -> list[Term]:
    return [Comparison(column, operator_, None, value)]


def _comparison(
    column: str, operator_: str, operand: Operand, value: Any, field: str, parameters: _Parameters
) -> list[Term]:
    return [Comparison(column, operator_, parameters.add(operand(value, field)), None)]


def _decimal_comparison(
    column: str, operator_: str, value: Any, field: str, parameters: _Parameters
) -> list[Term]:
    """Compare a decimal as the double that answers show for it: one double stands for several decimals."""

    def compared(operator_: str, bound: Decimal) -> Term:
        return Comparison(column, operator_, parameters.add(bound), None)

    def equal(value: float) -> Term:
        least, most = _shown_as(_finite(value, field))
        return AllOf((compared("gte", least), compared("lte", most)))

    match operator_:
        case "eq":
            return [equal(value)]
        case "ne":
            return [Not(equal(value))]
        case "in_":
            return [AnyOf(tuple(map(equal, _bounded(value, field))))]
    least, most = _shown_as(_finite(value, field))
    return [compared(operator_, least if operator_ in {"gte", "lt"} else most)]


def _shown_as(value: float) -> tuple[Decimal, Decimal]:
    """Return the least and the greatest decimal for which a double is the nearest one."""
    with localcontext(prec=_DIGITS):
        least, most = ((Decimal(value) + Decimal(nextafter(value, end))) / 2 for end in (-inf, inf))
    return least, most


def _operand(type_: Any, operator_: str) -> Operand:
    """Return the function that converts a client's value for the comparison with a column of a type."""
    each = next((operand for types, operand in _OPERANDS if isinstance(type_, types)), _unchanged)
    return partial(_list, each) if operator_ in _LISTS else each


def _list(each: Operand, values: list[Any], field: str) -> list[Any]:
    return [each(value, field) for value in _bounded(values, field)]


def _bounded(values: list[Any], field: str) -> list[Any]:
    if not values or len(values) > MAX_VALUES:
        raise BadUserInputError(
            f"{field} lists {len(values)} values; it may list from 1 to {MAX_VALUES}, or be left out",
            field=field,
        )
    return values


def _unchanged(value: Any, _field: str) -> Any:
    return value


def _storable(value: Any, field: str) -> Any:
    check_json(field, value)
    return value


def _finite(value: float, field: str) -> float:
    # GraphQL makes infinity of a literal that is too large, and refuses such a variable.
    if not math.isfinite(value):
        raise BadUserInputError(f"{field} is too large for a number of 64 bits", field=field)
    return value


_OPERANDS: tuple[tuple[tuple[Any, ...], Operand], ...] = (
    ((Uuid,), as_uuid),
    ((String, ARRAY, JSONB), _storable),
    ((Float,), _finite),
)
"""The conversion of values by the type of the column; values for other types are taken as they are."""


def _fields_of(type_: Any) -> list[StrawberryField]:
    return get_object_definition(type_, strict=True).fields


def _class_of(type_: Any) -> Any:
    """Return the class of an input type, which may be optional, a list, or a lazy reference."""
    while isinstance(type_, StrawberryContainer):
        type_ = type_.of_type
    return type_.resolve_type() if isinstance(type_, LazyType) else type_


def condition(target: Any, term: Term) -> Condition:
    """Build the SQL condition of a term on rows of ``target`` (a model or an alias of it)."""
    match term:
        case AllOf(terms):
            return and_(true(), *[condition(target, each) for each in terms])
        case AnyOf(terms):
            return or_(*[condition(target, each) for each in terms])
        case Not(each):
            return not_(func.coalesce(condition(target, each), literal(value=False)))
        case Linked(link, none, each):
            other = aliased(link.model)
            there = link.matching(other, getattr(target, link.local)).where(condition(other, each))
            return not_(there.exists()) if none else there.exists()
        case Comparison(name, operator_, None, value):
            return _CONSTANT_OPERATORS[operator_](getattr(target, name), value)
        case Comparison(name, operator_, parameter, _):
            column = getattr(target, name)
            type_ = _PARAMETER_TYPES.get(operator_, _same)(_comparable(column.type))
            operand: Any = bindparam(parameter, type_=type_)
            return _OPERATORS[operator_](column, operand)


def _comparable(type_: Any) -> Any:
    """Return the type of the values that a column is compared with, which may exceed what it can hold."""
    # A parameter of the column's own type would be cut to fit, or be an error where it cannot be cut.
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


_CONSTANT_OPERATORS: dict[str, Callable[[Any, Any], Condition]] = {
    "is_null": lambda column, null: column.is_(None) if null else column.is_not(None),
    "is_empty": _is_empty,
}
"""Operators whose value is part of the SQL rather than a parameter."""

_OPERATORS: dict[str, Callable[[Any, Any], Condition]] = {
    "eq": operator.eq,
    "ne": lambda column, value: column.is_distinct_from(value),
    "in_": lambda column, values: column == any_(values),
    "not_in": lambda column, values: or_(column.is_(None), not_(column == any_(values))),
    "gt": operator.gt,
    "gte": operator.ge,
    "lt": operator.lt,
    "lte": operator.le,
    # PostgreSQL turns ^@ into an index range in bytewise order, also under row-level security.
    "starts_with": lambda column, prefix: column.bool_op("^@")(prefix),
    "contains": lambda column, value: column.contains(value),
    "has_key": lambda column, key: column.has_key(key),
    "contains_all": lambda column, values: column.contains(values),
    "contains_any": lambda column, values: column.overlap(values),
}

_LISTS = {"in_", "not_in", "contains_all", "contains_any"}

_PARAMETER_TYPES: dict[str, Callable[[Any], Any]] = {
    "in_": ARRAY,
    "not_in": ARRAY,
    "has_key": lambda _: Text(),
    "contains_all": lambda _: ARRAY(Text),
    "contains_any": lambda _: ARRAY(Text),
}
"""The parameter's type, for operators that do not compare with a value of the column's type."""
