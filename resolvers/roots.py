"""The fields that a query begins with: one row by a key of its own, and anything by its id."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, NamedTuple
from uuid import UUID

import strawberry
from sqlalchemy import CompoundSelect, literal_column, select, union_all

from agentdata.context import Info
from agentdata.errors import AgentDataError, BadUserInputError, NotFoundError
from agentdata.execution.links import KEYS, Link, among_keys, owned
from agentdata.execution.reader import Reader
from agentdata.operations.values import camel, check_text
from agentdata.operations.write import not_found
from models import (
    Agent,
    AgentMetric,
    AgentVersion,
    ApiKey,
    Memory,
    MemoryAccess,
    MemoryAnnotation,
    MemoryRevision,
    Message,
    ModuleState,
    Project,
    Sandbox,
    Session,
    SessionEvent,
    SessionMetric,
    StateTransition,
    Team,
    ToolCall,
    UsageRecord,
    User,
)
from models.enums import ApiKeyScope
from resolvers.fields import DECLARED, argument
from resolvers.inputs import as_uuid

NODES: tuple[Any, ...] = (
    Agent,
    AgentMetric,
    AgentVersion,
    ApiKey,
    Memory,
    MemoryAccess,
    MemoryAnnotation,
    MemoryRevision,
    Message,
    ModuleState,
    Project,
    Sandbox,
    Session,
    SessionEvent,
    SessionMetric,
    StateTransition,
    Team,
    ToolCall,
    UsageRecord,
    User,
)
"""The models whose rows ``node`` finds."""

MAX_IDS = 500
"""How many ids ``nodes`` takes."""

_KEYS = {
    "id": "The id.",
    "name": "The name.",
    "external_id": "The id in another system.",
    "email": "The e-mail address, compared without regard to case.",
}


@dataclass(frozen=True)
class One:
    """A declared row with one of its keys; which of them, the client says."""

    model: type[Any]
    links: Mapping[str, Link]

    def sought(self, given: Mapping[str, Any]) -> tuple[str, Any]:
        """Give the key that the client says, and its value as the link takes it.

        Raises:
            BadUserInputError: There is no key or more than one, or it cannot be one.

        """
        chosen = {key: value for key, value in given.items() if value is not None}
        if len(chosen) != 1:
            names = " or ".join(camel(key) for key in self.links)
            raise BadUserInputError(f"give one key: {names}", field=camel(next(iter(self.links))))
        [(key, value)] = chosen.items()
        check_text(camel(key), value)
        return key, as_uuid(value, key) if key == "id" else value

    def missing(self, given: Mapping[str, Any]) -> NotFoundError:
        """Say that there is no such row."""
        [(key, value)] = [(key, value) for key, value in given.items() if value is not None]
        return not_found(self.model, value, camel(key))


def one(model: type[Any], description: str, *keys: str) -> Any:
    """Declare a field that is the row with one of its keys; which of them, the client says."""
    types = {"id": strawberry.ID}
    declared = One(model, {key: Link(model, remote=key, fold_case=key == "email") for key in keys})

    async def resolve(info: Info, **given: Any) -> Any:
        key, value = declared.sought(given)
        row = await info.context.reader.load((model, key), declared.links[key], value)
        if row is None:
            raise declared.missing(given)
        return row

    field: Any = strawberry.field(resolver=resolve, description=description, metadata={DECLARED: declared})
    field.arguments = [
        argument(key, types.get(key, str), _KEYS[key], required=len(keys) == 1) for key in keys
    ]
    return field


async def project(info: Info) -> Any:
    """Give the project of the API key."""
    link = Link(Project)
    return await info.context.reader.load((Project, "id"), link, info.context.principal.project_id)


class TheProject:
    """Declares the field that is the project of the API key."""


class Sought(NamedTuple):
    """An id that a client asks for, None where it is not one, and what to say if nothing has it."""

    id: UUID | None
    missing: AgentDataError


@dataclass(frozen=True)
class AnyNode:
    """Declares a field that is rows of whatever type by their ids: one, or a list of them."""

    many: bool

    def sought(self, given: Mapping[str, Any]) -> list[Sought]:
        """Give what a client asks for.

        Raises:
            BadUserInputError: There are no ids, or too many.

        """
        if not self.many:
            return [_sought(given["id"], "id")]
        ids = given["ids"]
        if not 1 <= len(ids) <= MAX_IDS:
            raise BadUserInputError(f"ids has {len(ids)} items; it may have from 1 to {MAX_IDS}", field="ids")
        return [_sought(id_, f"ids.{index}") for index, id_ in enumerate(ids)]


def _sought(sent: str, field: str) -> Sought:
    try:
        id_ = as_uuid(sent, field)
    except BadUserInputError as error:
        return Sought(None, error)
    return Sought(id_, NotFoundError(f"there is nothing with the id {sent}", field=field))


def types_of_nodes() -> CompoundSelect[Any]:
    """Give which of the models has a row with each id, by their places in ``NODES``, as (id, place)."""
    return union_all(
        *[
            select(model.id, literal_column(str(place))).where(owned(model), among_keys(model.id))
            for place, model in enumerate(NODES)
        ]
    )


class _Nodes:
    """Finds rows of whatever type by their ids: one statement for their types, one for each type there is."""

    async def fetch(self, reader: Reader, ids: list[Any]) -> Sequence[Any]:
        places = await reader.pairs(types_of_nodes(), {KEYS: ids})
        return await asyncio.gather(*[self._row(reader, places.get(id_), id_) for id_ in ids])

    async def _row(self, reader: Reader, place: int | None, id_: Any) -> Any:
        if place is None:
            return None
        model = NODES[place]
        return await reader.load((model, "id"), Link(model), id_)


_NODES = _Nodes()
NODE, SEVERAL_NODES = AnyNode(many=False), AnyNode(many=True)


async def _node(info: Info, sought: Sought) -> Any:
    row = None if sought.id is None else await info.context.reader.load("node", _NODES, sought.id)
    if row is None or (isinstance(row, ApiKey) and not info.context.principal.may(ApiKeyScope.ADMIN)):
        raise sought.missing
    return row


async def node(
    info: Info,
    id: Annotated[strawberry.ID, strawberry.argument(description="The id of the object.")],
) -> Any:
    """Give the row with an id, of whatever type."""
    [sought] = NODE.sought({"id": id})
    return await _node(info, sought)


async def nodes(
    info: Info,
    ids: Annotated[
        list[strawberry.ID], strawberry.argument(description="The ids of the objects, from 1 to 500.")
    ],
) -> Any:
    """Give the rows with ids, in their order; for each that is not found there is null, and an error."""
    found = [_node(info, sought) for sought in SEVERAL_NODES.sought({"ids": ids})]
    return await asyncio.gather(*found, return_exceptions=True)
