"""Access to the schema as graphql-core holds it: the one file that uses private names of Strawberry.

Strawberry has no public names for its core schema, for graphql-core's view of a resolver's field, and for the
declaration behind a field of the core schema. All three are read here and nowhere else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    import strawberry
    from graphql import GraphQLField, GraphQLInputField, GraphQLNamedType, GraphQLResolveInfo, GraphQLSchema
    from strawberry.types.field import StrawberryField

DECLARED = "agentdata"
"""The key in a field's metadata under which its declaration stands."""


def core_schema(schema: strawberry.Schema) -> GraphQLSchema:
    """Return graphql-core's schema."""
    return schema._schema  # noqa: SLF001 - Strawberry has no public name for it


def core_info(info: Any) -> GraphQLResolveInfo[Any]:
    """Return graphql-core's view of the field that is being resolved."""
    return info._raw_info  # type: ignore[no-any-return]  # noqa: SLF001 - no public name for it


def strawberry_field(field: GraphQLField) -> StrawberryField:
    """Return the Strawberry field behind a field of the core schema."""
    return field.extensions["strawberry-definition"]  # type: ignore[no-any-return]  # extensions are untyped


def metadata(field: GraphQLField | GraphQLInputField) -> Mapping[Any, Any]:
    """Return the metadata that a field was declared with."""
    definition = field.extensions.get("strawberry-definition")
    return {} if definition is None else definition.metadata


def declaration(field: GraphQLField) -> Any:
    """Return how a field was declared (a Link, Page, Batch, WriteField …), or None for a plain column."""
    return metadata(field).get(DECLARED)


def origin_of(type_: GraphQLNamedType) -> Any:
    """Return the class that a type was declared by, or None."""
    definition = type_.extensions.get("strawberry-definition")
    return getattr(definition, "origin", None)


def model_of(type_: Any) -> Any:
    """Return the model whose rows a type shows, or None for a type that shows no rows."""
    definition = type_.extensions.get("strawberry-definition")
    return getattr(definition.origin, "__model__", None) if definition is not None else None
