"""Variables that are made up, to compile a known document before anybody sends it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLList,
    GraphQLNonNull,
    is_required_input_field,
    type_from_ast,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from graphql import GraphQLInputType, GraphQLSchema, VariableDefinitionNode

_VALUES: dict[str, Any] = {"Boolean": True, "Float": 1.0, "ID": str(UUID(int=0)), "Int": 1, "BigInt": 1}


def made_up(schema: GraphQLSchema, definitions: Iterable[VariableDefinitionNode]) -> dict[str, Any]:
    """Return the variables that an operation must be given; those that it may do without are left out."""
    variables = {}
    for place, definition in enumerate(definitions):
        type_ = type_from_ast(schema, definition.type)
        if isinstance(type_, GraphQLNonNull) and definition.default_value is None:
            # Times follow each other in the order of the variables: what begins also ends.
            time = f"2000-01-01T00:{place % 60:02}:00Z"
            variables[definition.variable.name.value] = _value(type_, time)
    return variables


def _value(type_: GraphQLInputType, time: str) -> Any:
    match type_:
        case GraphQLNonNull(of_type=of):
            return _value(of, time)
        case GraphQLList(of_type=of):
            return [_value(of, time)]
        case GraphQLInputObjectType(fields=fields):
            return {
                name: _value(each.type, time)
                for name, each in fields.items()
                if is_required_input_field(each)
            }
        case GraphQLEnumType(values=values):
            return next(iter(values))
    # A time is a text, too.
    return _VALUES.get(type_.name, time)
