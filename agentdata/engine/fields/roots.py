"""The fields that a query begins with: one row by a key of its own, any row by its id, and the tenant."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import strawberry

from agentdata.checks import check_text
from agentdata.engine.binding.arguments import arguments_of
from agentdata.engine.binding.inputs import as_uuid
from agentdata.engine.context import Info
from agentdata.engine.costs import Cost
from agentdata.engine.fields.declare import argument, declared_field
from agentdata.engine.reference.loading import NodeLoader, load_row
from agentdata.engine.sql.links import Link
from agentdata.engine.sql.pages import MAX_SIZE
from agentdata.errors import AgentDataError, BadUserInputError, NotFoundError, not_found
from agentdata.naming import camel

if TYPE_CHECKING:
    from collections.abc import Awaitable, Mapping
    from uuid import UUID

    from agentdata.engine.context import Context
    from agentdata.engine.sql.nodes import NodeTypes

MAX_IDS = MAX_SIZE
"""How many ids a list of nodes takes."""

_KEYS = {
    "id": "The id.",
    "name": "The name.",
    "external_id": "The id in another system.",
    "email": "The e-mail address, compared without regard to case.",
}


@dataclass(frozen=True)
class RowByKey:
    """A declared row that is found by exactly one of its keys, which the client chooses."""

    model: type[Any]
    links: Mapping[str, Link]

    def key(self, arguments: Mapping[str, Any]) -> tuple[str, Any]:
        """Return the name of the key that the client chose, and its value as the link takes it.

        Raises:
            BadUserInputError: There is no key or more than one, or the value cannot be one.

        """
        name, value = self._chosen(arguments)
        check_text(camel(name), value)
        return name, as_uuid(value, name) if name == "id" else value

    def missing(self, arguments: Mapping[str, Any]) -> NotFoundError:
        """Return the error for a row that does not exist."""
        name, value = self._chosen(arguments)
        return not_found(self.model, value, camel(name))

    def _chosen(self, arguments: Mapping[str, Any]) -> tuple[str, Any]:
        chosen = {name: value for name, value in arguments.items() if value is not None}
        if len(chosen) != 1:
            names = " or ".join(camel(name) for name in self.links)
            raise BadUserInputError(f"give one key: {names}", field=camel(next(iter(self.links))))
        [(name, value)] = chosen.items()
        return name, value


def one(model: type[Any], description: str, *keys: str) -> Any:
    """Declare a field that is the row with one of its keys; the client chooses the key."""
    types = {"id": strawberry.ID}
    declared = RowByKey(model, {key: Link(model, remote=key, fold_case=key == "email") for key in keys})

    # Wrong arguments raise at once and not when the row is awaited: in a plan, too, they precede all reads.
    def resolve(info: Info, **arguments: Any) -> Any:
        name, value = declared.key(arguments)
        row = load_row(info.context.reader, declared.links[name], value)
        return _found(row, declared.missing(arguments))

    return declared_field(
        declared,
        resolve,
        description,
        [argument(key, types.get(key, str), _KEYS[key], required=len(keys) == 1) for key in keys],
    )


async def _found(row: Awaitable[Any], missing: NotFoundError) -> Any:
    found = await row
    if found is None:
        raise missing
    return found


@dataclass(frozen=True)
class TenantRow:
    """A declared row that is the tenant itself."""

    link: Link


def tenant(model: type[Any], description: str) -> Any:
    """Declare a field that is the row of the tenant; ``model`` is the table of tenants."""
    declared = TenantRow(Link(model))

    async def resolve(info: Info) -> Any:
        return await load_row(info.context.reader, declared.link, info.context.tenant_id)

    return declared_field(declared, resolve, description)


class NodeLookup(NamedTuple):
    """An id that a client looks up, None if it is not an id, and the error if nothing has it."""

    id: UUID | None
    missing: AgentDataError


@dataclass(frozen=True)
class NodesById:
    """Declared rows of any type by their ids: one row, or a list of rows."""

    types: NodeTypes
    many: bool

    def lookups(self, arguments: Mapping[str, Any]) -> list[NodeLookup]:
        """Return what a client looks up.

        Raises:
            BadUserInputError: There are no ids, or too many.

        """
        if not self.many:
            return [_lookup(arguments["id"], "id")]
        ids = arguments["ids"]
        if not 1 <= len(ids) <= MAX_IDS:
            raise BadUserInputError(f"ids has {len(ids)} items; it may have from 1 to {MAX_IDS}", field="ids")
        return [_lookup(id_, f"ids.{index}") for index, id_ in enumerate(ids)]


def _lookup(sent: str, field: str) -> NodeLookup:
    try:
        id_ = as_uuid(sent, field)
    except BadUserInputError as error:
        return NodeLookup(None, error)
    return NodeLookup(id_, NotFoundError(f"there is nothing with the id {sent}", field=field))


def node(types: NodeTypes, description: str) -> Any:
    """Declare a field that is a row of any type by its id."""
    declared, loader = NodesById(types, many=False), NodeLoader(types)

    def resolve(info: Info, **_arguments: Any) -> Any:
        [lookup] = declared.lookups(arguments_of(info))
        return _node(info.context, types, loader, lookup)

    id_ = argument("id", strawberry.ID, "The id of the object.", required=True)
    return declared_field(declared, resolve, description, [id_])


def nodes(types: NodeTypes, description: str) -> Any:
    """Declare a field that is rows of any type by their ids; a missing row is null, with an error."""
    declared, loader = NodesById(types, many=True), NodeLoader(types)

    def resolve(info: Info, **_arguments: Any) -> Any:
        found = [
            _node(info.context, types, loader, lookup) for lookup in declared.lookups(arguments_of(info))
        ]
        return asyncio.gather(*found, return_exceptions=True)

    ids = argument("ids", list[strawberry.ID], f"The ids of the objects, from 1 to {MAX_IDS}.", required=True)
    cost = Cost(("ids",), lambda arguments: len(arguments["ids"]))
    return declared_field(declared, resolve, description, [ids], cost)


async def _node(context: Context, types: NodeTypes, loader: NodeLoader, lookup: NodeLookup) -> Any:
    row = None if lookup.id is None else await context.reader.load(types, loader, lookup.id)
    if row is None or not types.visible(type(row), context):
        raise lookup.missing
    return row
