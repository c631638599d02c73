"""Arguments are coerced as graphql-core coerces them."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from graphql import FieldNode, GraphQLError, OperationDefinitionNode, build_schema, parse
from graphql.execution.values import get_argument_values, get_variable_values

from agentdata.engine.binding.arguments import coercing

if TYPE_CHECKING:
    from collections.abc import Callable

    from graphql.execution.values import VariableValues

SCHEMA = build_schema(
    """
    enum Colour { RED GREEN }
    scalar Anything
    input Leaf { id: ID!, colour: Colour = RED, anything: Anything }
    input Tree {
      leaf: Leaf, leaves: [Leaf!] = [{id: "1"}], size: Int! = 3, weight: Float, below: [Tree], on: Boolean
    }
    input Only @oneOf { a: Int, b: String }
    type Query {
      f(tree: Tree, only: Only, ids: [[ID]!], text: String = "none", size: Int! = 1, any: Anything): Int
      g(leaf: Leaf!): Int
    }
    """
)
VARIABLES = (
    "$tree: Tree, $leaf: Leaf, $leaves: [Leaf!], $id: ID, $sure: ID!, $ids: [ID], $text: String, $size: Int,"
    " $number: Int = 5, $colour: Colour = GREEN, $any: Anything, $weight: Float, $on: Boolean, $b: String!"
)


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"id": "9", "text": "said", "size": 7, "any": {"x": [1]}, "weight": 1, "on": False},
        {"ids": ["1", None], "leaves": [{"id": "2"}], "leaf": {"id": "3", "colour": None}, "colour": "RED"},
        {"tree": {"below": [{"size": 1}, None]}, "ids": "1", "number": 6},
        {"id": None, "text": None, "ids": None, "leaf": None, "leaves": None, "tree": None, "any": None},
        {"colour": None, "size": None, "number": None, "weight": None, "on": None},
    ],
)
@pytest.mark.parametrize(
    "field",
    [
        "f",
        "f(text: null, size: 2)",
        "f(text: $text, size: $number)",
        "f(text: $text, size: $size)",
        "f(tree: $tree, any: $any)",
        "f(tree: {leaf: {id: 1, colour: GREEN, anything: {a: [1, null]}}, weight: 1, below: {on: true}})",
        "f(tree: {size: $number, weight: $weight, on: $on})",
        "f(tree: {size: $size, leaves: $leaves})",
        "f(tree: {leaf: $leaf, leaves: [{id: $sure}, {id: $sure, colour: $colour, anything: $any}]})",
        "f(tree: {leaf: {id: $id}})",
        "f(tree: {leaves: {id: $id, colour: null}})",
        "f(tree: {leaf: {id: 1, anything: {a: $any, b: [$text]}}, below: [$tree, null, {below: [$tree]}]})",
        "f(ids: [$ids])",
        "f(ids: [[$id], [$id, null, 2, $sure]])",
        "f(ids: $sure)",
        "f(any: [1, {a: $any}, $text])",
        "f(only: {a: 1})",
        "f(only: {b: $b})",
        "g(leaf: $leaf)",
        "g(leaf: {id: $sure, colour: $colour})",
        # Validation refuses these, so no document of a request has them.
        "g",
        "g(leaf: null)",
        "g(leaf: {colour: RED})",
        "g(leaf: {id: 1, other: $id})",
        "f(size: null)",
        'f(size: "1")',
        "f(tree: {leaves: [null]})",
        "f(tree: [$tree])",
    ],
)
def test_arguments_are_coerced_as_graphql_core_coerces_them(field: str, given: dict[str, Any]) -> None:
    document = parse(f"query ({VARIABLES}) {{ {field} }}")
    [operation] = document.definitions
    assert isinstance(operation, OperationDefinitionNode)
    [node] = operation.selection_set.selections
    assert isinstance(node, FieldNode)
    variables = get_variable_values(
        SCHEMA, operation.variable_definitions or (), {"sure": "8", "b": "b", **given}
    )
    assert not isinstance(variables, list)
    assert SCHEMA.query_type
    definition = SCHEMA.query_type.fields[node.name.value]
    expected = outcome(partial(get_argument_values, definition, node), variables)
    assert outcome(coercing(definition, node), variables) == expected


def outcome(coerce: Callable[[VariableValues], dict[str, Any]], variables: VariableValues) -> object:
    """Return the coerced arguments, in order, or the message of the error."""
    try:
        return list(coerce(variables).items())
    except GraphQLError as error:
        return error.message
