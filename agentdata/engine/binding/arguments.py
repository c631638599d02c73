"""Coerces the arguments of fields as graphql-core does.

Literals in a document are coerced once; a request only fills in its variables. If anything is wrong,
graphql-core coerces the arguments again and says what it is.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from graphql import (
    GraphQLInputObjectType,
    GraphQLList,
    GraphQLNonNull,
    ListValueNode,
    Node,
    ObjectValueNode,
    Undefined,
    VariableNode,
)
from graphql.execution.values import get_argument_values
from graphql.language.ast import QUERY_DOCUMENT_KEYS
from graphql.utilities import coerce_input_literal
from graphql.utilities.coerce_input_value import coerce_default_value

from agentdata.engine.strawberry_access import core_info, strawberry_field
from agentdata.naming import camel

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    import strawberry
    from graphql import FieldNode, GraphQLArgument, GraphQLField, GraphQLInputField, ValueNode
    from graphql.execution.values import VariableValues

    Value = Callable[[VariableValues], Any]
    """Returns a value for a request's variables, or Undefined if there is none."""


class _WrongError(Exception):
    """A value is missing, or cannot be what it is."""


def arguments_of(info: strawberry.Info[Any, Any]) -> dict[str, Any]:
    """Return the arguments of the field that is being resolved, under Python's names.

    Strawberry passes objects to resolvers instead, which take longer to make and to read.
    """
    core = core_info(info)
    definition = core.parent_type.fields[core.field_name]
    given = get_argument_values(definition, core.field_nodes[0], core.variable_values)
    return _renamed(_names(definition), given)


def binding(definition: GraphQLField, node: FieldNode) -> Callable[[VariableValues], dict[str, Any]]:
    """Return the function that coerces the arguments of a field in a document, under Python's names.

    It raises a GraphQLError if a value is missing or wrong.
    """
    names, coerce = _names(definition), coercing(definition, node)
    return lambda variables: _renamed(names, coerce(variables))


def coercing(definition: GraphQLField, node: FieldNode) -> Callable[[VariableValues], dict[str, Any]]:
    """Return a function that coerces as graphql-core's ``get_argument_values``, for a field in a document."""
    given = {argument.name.value: argument.value for argument in node.arguments or ()}
    try:
        fields = _fields(definition.args, given)
    except _WrongError:
        return partial(get_argument_values, definition, node)

    def coerce(variables: VariableValues) -> dict[str, Any]:
        try:
            return _filled(fields, variables)
        except _WrongError:
            return get_argument_values(definition, node, variables)

    return coerce


def argument_value(definition: GraphQLArgument, node: ValueNode | None, variables: VariableValues) -> Any:
    """Return the value of an argument in a document, or Undefined if it has none or a wrong one."""
    value = coerce_default_value(definition)
    if isinstance(node, VariableNode):
        value = variables.coerced.get(node.name.value, value)
    elif node is not None:
        value = coerce_input_literal(node, definition.type, variables)
    return value


def variables_in(nodes: Iterable[Node] | None) -> Iterator[VariableNode]:
    """Yield the variables in some nodes."""
    for node in nodes or ():
        if isinstance(node, VariableNode):
            yield node
        yield from variables_in(below(node))


def below(node: Node) -> Iterator[Node]:
    """Yield the nodes directly below a node."""
    for key in QUERY_DOCUMENT_KEYS.get(node.kind, ()):
        found = getattr(node, key)
        if isinstance(found, Node):
            yield found
        elif found is not None:
            yield from found


def _names(definition: GraphQLField) -> dict[str, str]:
    declared = strawberry_field(definition).arguments
    return {each.graphql_name or camel(each.python_name): each.python_name for each in declared}


def _renamed(names: Mapping[str, str], values: Mapping[str, Any]) -> dict[str, Any]:
    return {names[name]: value for name, value in values.items()}


def _fields(
    declared: Mapping[str, GraphQLArgument] | Mapping[str, GraphQLInputField], given: Mapping[str, ValueNode]
) -> dict[str, Value]:
    """Return the values of arguments, or of an input object's fields, as functions of the variables."""
    fields = {}
    for name, each in declared.items():
        node, default = given.get(name), coerce_default_value(each)
        required = isinstance(each.type, GraphQLNonNull) and default is Undefined
        if node is None:
            if required:
                raise _WrongError
            if default is not Undefined:
                fields[name] = _always(default)
        elif isinstance(node, VariableNode):
            fields[name] = partial(_variable, node.name.value, each.type, Undefined if required else default)
        else:
            fields[name] = _value(node, each.type)
    return fields


def _filled(fields: Mapping[str, Value], variables: VariableValues) -> dict[str, Any]:
    return {name: value for name, get in fields.items() if (value := get(variables)) is not Undefined}


def _value(node: ValueNode, type_: Any) -> Value:
    """Return the value of a literal as a function of the variables in it."""
    if not any(variables_in([node])):
        value = coerce_input_literal(node, type_)
        if value is Undefined:
            raise _WrongError
        return _always(value)
    if isinstance(type_, GraphQLNonNull):
        type_ = type_.of_type
    if isinstance(type_, GraphQLList):
        # A single value stands for a list of it.
        items = node.values if isinstance(node, ListValueNode) else [node]
        return partial(_list, [_item(each, type_.of_type) for each in items])
    if isinstance(type_, GraphQLInputObjectType) and isinstance(node, ObjectValueNode):
        given = {field.name.value: field.value for field in node.fields}
        if not type_.is_one_of and given.keys() <= type_.fields.keys():
            return partial(_filled, _fields(type_.fields, given))
        raise _WrongError
    return partial(_literal, node, type_)


def _item(node: ValueNode, type_: Any) -> Value:
    # A missing variable in a list is null.
    return (
        partial(_variable, node.name.value, type_, None)
        if isinstance(node, VariableNode)
        else _value(node, type_)
    )


def _always(value: Any) -> Value:
    return lambda _: value


def _variable(name: str, type_: Any, default: Any, variables: VariableValues) -> Any:
    value = variables.coerced.get(name, default)
    if (value is None or value is Undefined) and isinstance(type_, GraphQLNonNull):
        raise _WrongError
    return value


def _list(items: list[Value], variables: VariableValues) -> list[Any]:
    return [get(variables) for get in items]


def _literal(node: ValueNode, type_: Any, variables: VariableValues) -> Any:
    value = coerce_input_literal(node, type_, variables)
    if value is Undefined:
        raise _WrongError
    return value
