"""Mutations: each is an operation, the arguments that it takes, and the scope that it needs."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any
from uuid import UUID

import strawberry
from graphql.execution.values import get_argument_values
from strawberry.annotation import StrawberryAnnotation
from strawberry.types.arguments import StrawberryArgument

from agentdata.context import Context, Info
from agentdata.operations.values import camel
from models.enums import ApiKeyScope
from resolvers.fields import DECLARED
from resolvers.inputs import fields_of, read

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from resolvers.inputs import Fields


@dataclass(frozen=True)
class Deleted:
    """The ids of what was deleted."""

    ids: list[UUID]


def given(
    name: str, type_: Any, description: str, *, as_: str | None = None, **default: Any
) -> StrawberryArgument:
    """Declare an argument, required without ``default``; the operation takes it as ``as_`` or by its name."""
    return StrawberryArgument(
        python_name=as_ or name,
        graphql_name=camel(name),
        type_annotation=StrawberryAnnotation(type_),
        description=description,
        **default,
    )


def input_(type_: Any) -> StrawberryArgument:
    """Declare the input object of a mutation."""
    return given("input", type_, "The values to write.", as_="values")


ID = given("id", strawberry.ID, "The id of the object.", as_="id_")

_IDEMPOTENCY_KEY = given(
    "idempotency_key",
    str | None,
    "A key of your choice, of at most 255 characters, that makes it safe to send this mutation again. The"
    " same key with the same input returns the first result and writes nothing; the same key with another"
    " input fails with CONFLICT.",
    default=strawberry.UNSET,
)


@dataclass(frozen=True, eq=False)
class Mutation:
    """A declared mutation: an operation, what it takes and needs, and how its result is given."""

    operation: Callable[..., Awaitable[Any]]
    arguments: tuple[StrawberryArgument, ...]
    scope: ApiKeyScope
    returns: Callable[[Any], Any]

    @cached_property
    def _fields(self) -> Fields:
        return fields_of(self.arguments)

    async def run(self, context: Context, given: dict[str, Any]) -> Any:
        """Run the operation with arguments as graphql-core gives them, and give its result."""
        values = read(self._fields, given)
        key = given.get("idempotencyKey")
        result = await context.write(self.operation, values, scope=self.scope, idempotency_key=key)
        return self.returns(result)


def mutation(
    operation: Callable[..., Awaitable[Any]],
    description: str,
    *arguments: StrawberryArgument,
    scope: ApiKeyScope = ApiKeyScope.WRITE,
    creates: bool = False,
    returns: Callable[[Any], Any] = lambda result: result,
) -> Any:
    """Declare a mutation. One that creates can be repeated without harm under an idempotency key."""
    declared = Mutation(operation, arguments, scope, returns)

    async def resolve(info: Info, **_given: Any) -> Any:
        # Strawberry has made objects of the arguments, which take longer to read than what they are made of.
        raw = info._raw_info  # noqa: SLF001  # Strawberry has no public name for it
        field = raw.parent_type.fields[raw.field_name]
        given = get_argument_values(field, raw.field_nodes[0], raw.variable_values)
        return await declared.run(info.context, given)

    field: Any = strawberry.mutation(
        resolver=resolve,
        description=f"{description} Requires an API key with the scope {scope}.",
        metadata={DECLARED: declared},
    )
    field.arguments = [*arguments, *([_IDEMPOTENCY_KEY] if creates else [])]
    return field
