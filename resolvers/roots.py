"""The fields that a query begins with: one row by a key of its own, and anything by its id."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Annotated, Any

import strawberry
from sqlalchemy import CompoundSelect, literal_column, select, union_all

from agentdata.context import Info
from agentdata.errors import BadUserInputError, NotFoundError
from agentdata.execution.links import KEYS, Link, among_keys, owned
from agentdata.execution.reader import Reader
from agentdata.operations.values import camel, check_text
from agentdata.operations.write import not_found
from models import Agent, AgentVersion, ApiKey, Message, Project, Session, Team, ToolCall, User
from models.enums import ApiKeyScope
from resolvers.fields import DECLARED, argument
from resolvers.values import as_uuid

NODES: tuple[Any, ...] = (Agent, AgentVersion, ApiKey, Message, Project, Session, Team, ToolCall, User)
"""The models whose rows ``node`` finds."""

MAX_IDS = 500
"""How many ids ``nodes`` takes."""

_KEYS = {
    "id": "Its id.",
    "name": "Its name.",
    "external_id": "Its id in another system.",
    "email": "The e-mail address, without regard to case.",
}


def one(model: type[Any], description: str, *keys: str) -> Any:
    """Declare a field that is the row with one of its keys; which of them, the client says."""
    types = {"id": strawberry.ID}
    links = {key: Link(model, remote=key, fold_case=key == "email") for key in keys}

    async def resolve(info: Info, **given: Any) -> Any:
        chosen = {key: value for key, value in given.items() if value is not None}
        names = " or ".join(camel(key) for key in keys)
        if len(chosen) != 1:
            raise BadUserInputError(f"give one key: {names}", field=camel(keys[0]))
        [(key, value)] = chosen.items()
        check_text(camel(key), value)
        sought = as_uuid(value, "id") if key == "id" else value.lower() if key == "email" else value
        row = await info.context.reader.load((model, key), links[key], sought)
        if row is None:
            raise not_found(model, value, camel(key))
        return row

    field: Any = strawberry.field(resolver=resolve, description=description, metadata={DECLARED: links})
    field.arguments = [argument(key, types.get(key, str), _KEYS[key]) for key in keys]
    return field


async def project(info: Info) -> Any:
    """Give the project of the API key."""
    link = Link(Project)
    return await info.context.reader.load((Project, "id"), link, info.context.principal.project_id)


def types_of_nodes() -> CompoundSelect[Any]:
    """Give which of the models has a row with each id, by their places in ``NODES``, as (id, place)."""
    return union_all(
        *[
            select(model.id, literal_column(str(place))).where(owned(model), among_keys(model.id))
            for place, model in enumerate(NODES)
        ]
    )


class _AnyNode:
    """Finds rows of whatever type by their ids: one statement for their types, one for each type there is."""

    async def fetch(self, reader: Reader, ids: list[Any]) -> Sequence[Any]:
        places = await reader.pairs(types_of_nodes(), {KEYS: ids})
        return await asyncio.gather(*[self._row(reader, places.get(id_), id_) for id_ in ids])

    async def _row(self, reader: Reader, place: int | None, id_: Any) -> Any:
        if place is None:
            return None
        model = NODES[place]
        return await reader.load((model, "id"), Link(model), id_)


_ANY_NODE = _AnyNode()


async def _node(info: Info, id_: strawberry.ID, field: str) -> Any:
    row = await info.context.reader.load("node", _ANY_NODE, as_uuid(id_, field))
    if row is None or (isinstance(row, ApiKey) and not info.context.principal.may(ApiKeyScope.ADMIN)):
        raise NotFoundError(f"there is nothing with the id {id_}", field=field)
    return row


async def node(
    info: Info,
    id: Annotated[strawberry.ID, strawberry.argument(description="The id of the object.")],
) -> Any:
    """Give the row with an id, of whatever type."""
    return await _node(info, id, "id")


async def nodes(
    info: Info,
    ids: Annotated[
        list[strawberry.ID], strawberry.argument(description="The ids of the objects, from 1 to 500.")
    ],
) -> Any:
    """Give the rows with ids, in their order; for each that is not found there is null, and an error."""
    if not 1 <= len(ids) <= MAX_IDS:
        raise BadUserInputError(f"ids has {len(ids)} items; it may have from 1 to {MAX_IDS}", field="ids")
    return await asyncio.gather(
        *[_node(info, id_, f"ids.{index}") for index, id_ in enumerate(ids)], return_exceptions=True
    )
