"""Conditions: the comparisons in the filters and orders of an operation, counted before any is parsed.

A comparison with a list of values is one condition, but with a list of floats one for each: they are compared
as ranges. Each object in a list counts as one at least, so the count bounds the work of parsing, too.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

from graphql import (
    GraphQLFloat,
    GraphQLInputObjectType,
    ListValueNode,
    ObjectValueNode,
    VariableNode,
    get_named_type,
    get_nullable_type,
    is_list_type,
)

from agentdata.engine.sql.filters import MAX_DEPTH, ToMany
from agentdata.engine.strawberry_access import metadata, origin_of
from agentdata.errors import LimitExceededError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from graphql import ValueNode

_MAX_OBJECTS = 2 * MAX_DEPTH
"""How many input objects may stand inside of each other: between two filters there may be a ToMany."""


class Conditions(NamedTuple):
    """The conditions of an input object, or of several together."""

    number: int = 0
    relations: int = 0
    """How many steps to related rows there are: each is a subquery."""
    steps: int = 0
    """The most such steps inside of each other."""

    def beside(self, other: Conditions) -> Conditions:
        """Put the conditions of two objects together."""
        return Conditions(
            self.number + other.number, self.relations + other.relations, max(self.steps, other.steps)
        )

    def below(self, step: int) -> Conditions:
        """Put the conditions behind a step to related rows, or behind none."""
        return Conditions(max(self.number, 1), self.relations + step, self.steps + step)


NONE = Conditions()
_ONE = Conditions(1)


def of_value(value: Any, type_: GraphQLInputObjectType, depth: int = 0) -> Conditions:
    """Count the conditions of a coerced value: an input object, a list of them, or null.

    Raises:
        LimitExceededError: The objects nest too deep.

    """
    if isinstance(value, dict):
        _check_depth(depth)
        fields, found = _fields(type_), NONE
        for name, each in value.items():
            field = fields[name]
            if field.objects is not None:
                found = found.beside(of_value(each, field.objects, depth + 1).below(field.step))
            else:
                found = found.beside(
                    Conditions(len(each)) if field.floats and isinstance(each, list) else _ONE
                )
        return found
    if isinstance(value, list):
        return _together(value, lambda each: of_value(each, type_, depth))
    return NONE


def of_literal(
    node: ValueNode,
    type_: GraphQLInputObjectType,
    variable: Callable[[VariableNode, GraphQLInputObjectType], Conditions],
    depth: int = 0,
) -> Conditions:
    """Count the conditions of a literal in a document; ``variable`` counts those of a variable in it.

    Raises:
        LimitExceededError: The objects nest too deep.

    """
    match node:
        case VariableNode():
            return variable(node, type_)
        case ObjectValueNode():
            _check_depth(depth)
            fields, found = _fields(type_), NONE
            for each in node.fields:
                field = fields[each.name.value]
                if field.objects is not None:
                    below = of_literal(each.value, field.objects, variable, depth + 1)
                    found = found.beside(below.below(field.step))
                else:
                    values = len(each.value.values) if isinstance(each.value, ListValueNode) else 1
                    found = found.beside(Conditions(values) if field.floats else _ONE)
            return found
        case ListValueNode():
            return _together(node.values, lambda each: of_literal(each, type_, variable, depth))
    return NONE


def _together(values: Iterable[Any], count: Callable[[Any], Conditions]) -> Conditions:
    found = NONE
    for each in values:
        found = found.beside(count(each).below(0))
    return found


def _check_depth(depth: int) -> None:
    if depth > _MAX_OBJECTS:
        raise LimitExceededError(f"the filter nests deeper than {MAX_DEPTH} levels", field="filter")


class _Field(NamedTuple):
    """A field of an input object."""

    objects: GraphQLInputObjectType | None
    """The type of the objects in it, or None for values."""
    step: int = 0
    """1 if its objects are about related rows."""
    floats: bool = False
    """Whether it is a list of floats."""


@cache
def _fields(type_: GraphQLInputObjectType) -> Mapping[str, _Field]:
    choices = _is_choice(type_)
    fields = {}
    for name, field in type_.fields.items():
        inner = get_named_type(field.type)
        if isinstance(inner, GraphQLInputObjectType):
            # The fields `some` and `none` of a relation to many are a step each.
            step = choices or ("link" in metadata(field) and not _is_choice(inner))
            fields[name] = _Field(inner, int(step))
        else:
            fields[name] = _Field(
                None, floats=inner is GraphQLFloat and is_list_type(get_nullable_type(field.type))
            )
    return fields


def _is_choice(type_: GraphQLInputObjectType) -> bool:
    origin = origin_of(type_)
    return isinstance(origin, type) and issubclass(origin, ToMany)
