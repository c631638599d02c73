"""Variables are coerced like graphql-core does, or left to it."""

from __future__ import annotations

import gc
import math
from typing import TYPE_CHECKING, Any

import pytest
from graphql import OperationDefinitionNode, build_schema, parse
from graphql.execution.values import VariableValues, get_variable_values
from hypothesis import given, settings
from hypothesis import strategies as st

from agentdata.engine.binding.variables import Variables
from agentdata.engine.strawberry_access import core_schema
from schema.root import schema

if TYPE_CHECKING:
    from graphql import GraphQLSchema

SCHEMA = build_schema(
    """
    enum Colour { RED GREEN }
    scalar Anything
    input Leaf { id: ID!, colour: Colour = RED, anything: Anything }
    input Tree {
      leaf: Leaf, leaves: [Leaf!] = [{id: "1"}], size: Int! = 3, weight: Float, below: [Tree], on: Boolean
    }
    input Only @oneOf { a: Int, b: String }
    type Query { f(tree: Tree, leaf: Leaf, only: Only, ids: [[ID]!], text: String!, size: Int): Int }
    """
)
DECLARED = [
    "$a: Tree",
    "$a: Tree!",
    "$a: [Tree!]",
    "$a: Leaf! $b: [[ID]!]",
    '$a: Leaf = {id: "2"} $b: Int = 5',
    "$a: String! $b: Int",
    "$a: Float $b: Boolean! = true",
    "$a: Only",
    "$a: Only $b: Leaf",
    "$a: [Colour!]! $b: Anything",
]

LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 3),
    st.sampled_from(
        [2**31, -(2**31), 2**31 - 1, 2**70, 1.0, 1.5, math.nan, math.inf, "RED", "GREEN", "1", ""]
    ),
)
NAMES = st.sampled_from(
    ["id", "colour", "anything", "leaf", "leaves", "size", "weight", "below", "on", "a", "b", "other"]
)
VALUES = st.recursive(
    LEAVES,
    lambda below: st.lists(below, max_size=3) | st.dictionaries(NAMES, below, max_size=5),
    max_leaves=12,
)

RIGHT_LEAF = st.fixed_dictionaries(
    {"id": st.sampled_from(["x", 5])},
    optional={"colour": st.sampled_from(["RED", "GREEN", None]), "anything": VALUES},
)
RIGHT_TREE = st.recursive(
    st.fixed_dictionaries(
        {},
        optional={
            "leaf": RIGHT_LEAF,
            "leaves": st.lists(RIGHT_LEAF, max_size=2),
            "weight": st.sampled_from([1, 0.5]),
        },
    ),
    lambda below: st.fixed_dictionaries(
        {"below": st.lists(below, max_size=2)}, optional={"size": st.integers(0, 9), "on": st.booleans()}
    ),
    max_leaves=4,
)
GIVEN = st.dictionaries(
    st.sampled_from(["a", "b", "c"]), VALUES | RIGHT_LEAF | RIGHT_TREE | st.lists(RIGHT_TREE, max_size=2)
)


def operation(declared: str) -> OperationDefinitionNode:
    """Return an operation with these variable definitions."""
    [node] = parse(f"query({declared}) {{ f }}").definitions
    assert isinstance(node, OperationDefinitionNode)
    return node


def both(
    of: GraphQLSchema, node: OperationDefinitionNode, values: dict[str, Any]
) -> tuple[VariableValues | None, VariableValues | list[Any]]:
    """Coerce values by our code and by graphql-core."""
    definitions = node.variable_definitions or ()
    return Variables(of, definitions).coerce_usual(values), get_variable_values(of, definitions, values)


def written(values: dict[str, Any]) -> str:
    """Return a text of values with sorted keys: it tells apart 1, 1.0 and True, which compare as equal."""
    return repr(_in_order(values))


def _in_order(value: Any) -> Any:
    if isinstance(value, dict):
        return sorted((name, _in_order(each)) for name, each in value.items())
    return [_in_order(each) for each in value] if isinstance(value, list) else value


@settings(max_examples=500, deadline=None)
@given(st.sampled_from(DECLARED), GIVEN)
def test_variables_are_coerced_like_graphql_core_or_left_to_it(declared: str, values: dict[str, Any]) -> None:
    ours, theirs = both(SCHEMA, operation(declared), values)
    if ours is not None:
        assert isinstance(theirs, VariableValues)
        assert written(ours.coerced) == written(theirs.coerced)
        assert ours.sources.keys() == theirs.sources.keys()
        for name, source in theirs.sources.items():
            assert ours.sources[name].value is source.value
            assert str(ours.sources[name].signature.type) == str(source.signature.type)


@settings(max_examples=200, deadline=None)
@given(RIGHT_TREE)
def test_valid_variables_are_not_left_to_graphql_core(tree: dict[str, Any]) -> None:
    ours, theirs = both(SCHEMA, operation("$a: Tree! $b: Int"), {"a": tree})
    assert ours is not None
    assert isinstance(theirs, VariableValues)
    assert written(ours.coerced) == written(theirs.coerced)


@pytest.mark.parametrize(("levels", "deep"), [(90, False), (101, True), (5000, True)])
def test_variables_that_nest_too_deeply_are_left_to_graphql_core(levels: int, deep: bool) -> None:  # noqa: FBT001 - a parameter
    tree: dict[str, Any] = {}
    for _ in range(levels):
        tree = {"below": [tree]}
    ours, theirs = both(SCHEMA, operation("$a: Tree"), {"a": tree})
    assert (ours is None) == isinstance(theirs, list) == deep


def test_inputs_of_the_contract_are_not_left_to_graphql_core() -> None:
    [node] = parse(
        "query($filter: MessageFilter, $order: [SessionOrder!], $messages: [AppendMessageInput!]!)"
        " { __typename }"
    ).definitions
    assert isinstance(node, OperationDefinitionNode)
    ours, theirs = both(
        core_schema(schema),
        node,
        {
            "filter": {
                "and": [{"role": {"eq": "USER"}}, {"createdAt": {"gte": "2026-01-31T12:00:00+01:00"}}]
            },
            "order": [{"field": "CREATED_AT", "direction": "DESC"}],
            "messages": [{"role": "USER", "metadata": {"a": [None]}, "promptTokens": 3}],
        },
    )
    assert ours is not None
    assert isinstance(theirs, VariableValues)
    assert written(ours.coerced) == written(theirs.coerced)


def test_operations_share_the_coercions_of_their_types_and_leave_no_garbage() -> None:
    document = "query($messages: MessageFilter, $sessions: SessionFilter) { __typename }"
    definitions = [parse(document).definitions[0] for _ in range(20)]
    variables = [_declared(each) for each in definitions]
    assert all(each.coerce_usual({"messages": {"not": {}}}) is not None for each in variables)
    gc.collect()
    del variables
    # Those of one operation alone would be thousands of objects.
    assert gc.collect() < 100


@pytest.mark.parametrize("order", [("Holder", "Held"), ("Held", "Holder")])
def test_an_unusual_type_leaves_no_incomplete_one_behind(order: tuple[str, str]) -> None:
    unusual = build_schema(
        """
        input Only @oneOf { a: Int, b: String }
        input Holder { held: Held, only: Only!, name: String! }
        input Held { holder: Holder, size: Int }
        input Plain { size: Int! = 3 }
        type Query { f(holder: Holder, held: Held, plain: Plain): Int }
        """
    )
    for type_ in (*order, *order):
        [definition] = parse(f"query($a: {type_}) {{ f }}").definitions
        assert isinstance(definition, OperationDefinitionNode)
        variables = Variables(unusual, definition.variable_definitions or ())
        assert variables.coerce_usual({"a": {}}) is None
        assert isinstance(variables.coerce({"a": {"name": "a"}}), list)
    [definition] = parse("query($a: Plain) { f }").definitions
    assert isinstance(definition, OperationDefinitionNode)
    plain = Variables(unusual, definition.variable_definitions or ()).coerce_usual({"a": {}})
    assert plain is not None
    assert plain.coerced == {"a": {"size": 3}}


def _declared(definition: Any) -> Variables:
    assert isinstance(definition, OperationDefinitionNode)
    return Variables(core_schema(schema), definition.variable_definitions or ())
