"""Mutations: each is a write operation, the arguments that it takes, and the scope that it needs."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any
from uuid import UUID

import strawberry
from graphql.execution.values import get_argument_values
from strawberry.annotation import StrawberryAnnotation
from strawberry.types.arguments import StrawberryArgument

from agentdata.engine.binding.inputs import fields_of, values_of
from agentdata.engine.context import Context, Info
from agentdata.engine.fields.declare import declared_field
from agentdata.engine.strawberry_access import core_info
from agentdata.naming import camel

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from agentdata.engine.binding.inputs import Fields
    from agentdata.engine.costs import Cost


@dataclass(frozen=True)
class Deleted:
    """The ids of the rows that were deleted."""

    ids: list[UUID]


def parameter(
    name: str, type_: Any, description: str, *, as_: str | None = None, **default: Any
) -> StrawberryArgument:
    """Declare an argument of a mutation, required without ``default``; the operation takes it as ``as_``."""
    return StrawberryArgument(
        python_name=as_ or name,
        graphql_name=camel(name),
        type_annotation=StrawberryAnnotation(type_),
        description=description,
        **default,
    )


def input_(type_: Any) -> StrawberryArgument:
    """Declare the input object of a mutation."""
    return parameter("input", type_, "The values to write.", as_="values")


ID = parameter("id", strawberry.ID, "The id of the object.", as_="id_")

_IDEMPOTENCY_KEY = parameter(
    "idempotency_key",
    str | None,
    "A key of your choice, of at most 255 characters, that makes it safe to send this mutation again. The"
    " same key with the same input returns the first result and writes nothing; the same key with another"
    " input fails with CONFLICT.",
    default=strawberry.UNSET,
)


@dataclass(frozen=True, eq=False)
class WriteField:
    """A declared mutation: the operation, its arguments and scope, and how its result is shown."""

    operation: Callable[..., Awaitable[Any]]
    arguments: tuple[StrawberryArgument, ...]
    scope: Any
    returns: Callable[[Any], Any]

    @cached_property
    def _fields(self) -> Fields:
        return fields_of(self.arguments)

    def run(self, context: Context, name: str, arguments: dict[str, Any]) -> Awaitable[Any]:
        """Run the operation with coerced arguments; ``returns`` turns its result into the field's value.

        ``name`` is the name of the field.
        """
        values = values_of(self._fields, arguments)
        key = arguments.get("idempotencyKey")
        return context.write(self.operation, values, scope=self.scope, idempotency_key=key, field=name)


def mutation(
    operation: Callable[..., Awaitable[Any]],
    description: str,
    *arguments: StrawberryArgument,
    scope: Any,
    creates: bool = False,
    returns: Callable[[Any], Any] = lambda result: result,
    cost: Cost | None = None,
) -> Any:
    """Declare a mutation. One that creates rows takes an idempotency key, with which it can be sent again.

    State the ``cost`` of a mutation that may return many more rows than the client has sent.
    """
    declared = WriteField(operation, arguments, scope, returns)

    async def resolve(info: Info, **_arguments: Any) -> Any:
        # Strawberry makes objects of the arguments; reading those takes longer than reading what they are
        # made of.
        core = core_info(info)
        field = core.parent_type.fields[core.field_name]
        arguments = get_argument_values(field, core.field_nodes[0], core.variable_values)
        return returns(await declared.run(info.context, core.field_name, arguments))

    return declared_field(
        declared,
        resolve,
        f"{description} Needs the scope {scope}.",
        [*arguments, *([_IDEMPOTENCY_KEY] if creates else [])],
        cost,
    )
