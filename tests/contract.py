"""The types and fields of the contract, for tests of all of them, including those added later."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, cast

from graphql import (
    GraphQLEnumType,
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLList,
    GraphQLObjectType,
    get_named_type,
    get_nullable_type,
    is_leaf_type,
    is_object_type,
    is_required_argument,
)

from agentdata.engine.strawberry_access import core_schema
from schema.root import schema

if TYPE_CHECKING:
    from collections.abc import Iterator

TYPES = core_schema(schema).type_map
QUERY = cast("GraphQLObjectType", TYPES["Query"])


@dataclass(frozen=True)
class ConnectionField:
    """A field that returns a page of rows."""

    parent: str
    name: str
    node: str
    filter: GraphQLInputObjectType
    order_by: str
    """The type of the argument `orderBy`."""
    order_fields: tuple[str, ...]

    def __str__(self) -> str:
        """Return the name of the field with its type, such as `Query.agents`."""
        return f"{self.parent}.{self.name}"

    @property
    def single(self) -> str:
        """The root field that looks up one of the rows."""
        return self.node[0].lower() + self.node[1:]

    @property
    def at_root(self) -> bool:
        """Whether the field lists all rows of the project."""
        return self.parent == "Query"


@cache
def row_types() -> dict[str, GraphQLObjectType]:
    """Return the types of rows, which implement Node."""
    return {
        name: type_
        for name, type_ in TYPES.items()
        if isinstance(type_, GraphQLObjectType) and any(each.name == "Node" for each in type_.interfaces)
    }


def connections() -> Iterator[ConnectionField]:
    """Yield all connections of rows, of the root and of types."""
    nodes = row_types()
    for parent in ("Query", *nodes):
        for name, field in cast("GraphQLObjectType", TYPES[parent]).fields.items():
            if is_connection(field) and node_of(field) in nodes:
                [order] = [get_named_type(field.args["orderBy"].type)]
                enum = get_named_type(cast("GraphQLInputObjectType", order).fields["field"].type)
                yield ConnectionField(
                    parent,
                    name,
                    node_of(field),
                    cast("GraphQLInputObjectType", get_named_type(field.args["filter"].type)),
                    str(field.args["orderBy"].type),
                    tuple(cast("GraphQLEnumType", enum).values),
                )


def roots() -> dict[str, ConnectionField]:
    """Return the root connections of rows, by the type of their rows."""
    return {each.node: each for each in connections() if each.at_root}


def listed() -> dict[str, tuple[str, GraphQLField]]:
    """Return the root connections that need no arguments, even computed ones, by type of row."""
    return {
        node_of(field): (name, field)
        for name, field in QUERY.fields.items()
        if is_connection(field) and not needs_arguments(field)
    }


def needs_arguments(field: GraphQLField) -> bool:
    """Return whether a field needs arguments: those that it requires, or what a search is to find."""
    return "embedding" in field.args or any(map(is_required_argument, field.args.values()))


def is_connection(field: GraphQLField) -> bool:
    """Return whether a field returns a connection."""
    return get_named_type(field.type).name.endswith("Connection")


def node_of(field: GraphQLField) -> str:
    """Return the type of the rows of a connection."""
    connection = cast("GraphQLObjectType", get_named_type(field.type))
    return str(get_named_type(connection.fields["nodes"].type))


def is_list(field: GraphQLField) -> bool:
    """Return whether a field returns a list without pages."""
    return isinstance(get_nullable_type(field.type), GraphQLList)


def selection(type_: GraphQLObjectType, *, first: int = 2) -> str:
    """Return a selection of every field of a type: values, ids of related rows, and whole connections."""
    fields = []
    for name, field in type_.fields.items():
        target = get_named_type(field.type)
        if any(is_required_argument(argument) for argument in field.args.values()):
            continue
        if is_leaf_type(target):
            fields.append(name)
        elif is_connection(field):
            fields.append(
                f"{name}(first: {first}) {{ totalCount nodes {{ id }} edges {{ cursor node {{ id }} }}"
                " pageInfo { hasNextPage hasPreviousPage startCursor endCursor } }"
            )
        elif is_object_type(target) and "id" not in target.fields:
            fields.append(f"{name} {{ {selection(target)} }}")
        else:
            fields.append(f"{name} {{ __typename ... on Node {{ id }} }}")
    return " ".join(fields)


def camel_of(enum_value: str) -> str:
    """Return the field that a sort key names: CREATED_AT is createdAt."""
    head, *tail = enum_value.lower().split("_")
    return head + "".join(part.capitalize() for part in tail)


def value_of(row: Any, name: str) -> Any:
    """Return the value of a field of a row; `rootId` is the id of its `root`."""
    if name not in row and name.endswith("Id"):
        linked = row[name.removesuffix("Id")]
        return linked and linked["id"]
    return row[name]
