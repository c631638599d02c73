"""The four kinds of field. Each is declared by one line in its type; what is the same for all is here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import strawberry
from strawberry.annotation import StrawberryAnnotation
from strawberry.types.arguments import StrawberryArgument

from agentdata.context import Info
from agentdata.execution.links import Link
from models.enums import ApiKeyScope
from resolvers.paging import Connected, Ordering, Page, Slice

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from agentdata.execution.reader import Reader

DECLARED = "agentdata"
"""Under this key of a field's metadata stands what it was declared as."""


def column(description: str, *, name: str | None = None) -> Any:
    """Declare a field that is a column of its row, by its name."""
    return strawberry.field(description=description, name=name)


def relation(model: type[Any], description: str, *, by: str = "id", remote: str = "id") -> Any:
    """Declare a field that is one row: the one whose ``remote`` column is this row's column ``by``."""
    link = Link(model, local=by, remote=remote)

    def resolve(root: Any, info: Info) -> Any:
        key = getattr(root, by)
        return None if key is None else info.context.reader.load((model, remote), link, key)

    return strawberry.field(resolver=resolve, description=description, metadata={DECLARED: link})


def page(
    model: type[Any],
    description: str,
    *,
    filter_: type[Any],
    order: type[Any],
    by: str | None = None,
    via: Any = None,
    default: Sequence[Ordering] = (Ordering("created_at", descending=True),),
    scope: ApiKeyScope = ApiKeyScope.READ,
) -> Any:
    """Declare a field that is a page of rows: all of the project's, or those whose ``by`` is the row's id."""
    link = None if by is None and via is None else Link(model, remote=by or "id", via=via)
    declared = Page(model, link, tuple(default))

    def resolve(
        root: Any,
        info: Info,
        filter: Any = None,  # the contract's name for it
        order_by: Any = None,
        first: int | None = None,
        after: str | None = None,
        last: int | None = None,
        before: str | None = None,
    ) -> Any:
        info.context.principal.require(scope)
        reader = info.context.reader
        keys = [Ordering(each.field.value, each.direction.value == "DESC") for each in order_by or ()]
        slice_ = Slice(
            declared,
            reader.project_id,
            filter_=filter,
            order=keys,
            first=first,
            after=after,
            last=last,
            before=before,
        )
        # The same place in the document has the same arguments for every parent.
        place = (declared, id(info._raw_info.field_nodes[0]))  # noqa: SLF001  # Strawberry shows no nodes
        return Connected(reader, place, slice_, None if link is None else getattr(root, link.local))

    field: Any = strawberry.field(resolver=resolve, description=description, metadata={DECLARED: declared})
    field.arguments = _page_arguments(filter_, order)
    return field


@dataclass(frozen=True, eq=False)
class _Function:
    """A batch field's function with the arguments of one place in the document."""

    function: Callable[..., Awaitable[Sequence[Any]]]
    arguments: dict[str, Any]

    async def fetch(self, reader: Reader, parents: list[Any]) -> Sequence[Any]:
        return await self.function(reader, parents, **self.arguments)


def batch(
    function: Callable[..., Awaitable[Sequence[Any]]], description: str, *, arguments: Sequence[Any] = ()
) -> Any:
    """Declare a field by a function that takes all parents at once and gives a value for each, in order."""

    def resolve(root: Any, info: Info, **given: Any) -> Any:
        place = (function, id(info._raw_info.field_nodes[0]))  # noqa: SLF001  # Strawberry shows no nodes
        return info.context.reader.load(place, _Function(function, given), root)

    field: Any = strawberry.field(resolver=resolve, description=description, metadata={DECLARED: function})
    field.arguments = list(arguments)
    return field


def argument(name: str, type_: Any, description: str) -> StrawberryArgument:
    """Declare an optional argument, null by default."""
    return StrawberryArgument(
        python_name=name,
        graphql_name=None,
        type_annotation=StrawberryAnnotation(type_ | None),
        default=strawberry.UNSET,
        description=description,
    )


def _page_arguments(filter_: type[Any], order: type[Any]) -> list[StrawberryArgument]:
    return [
        argument("filter", filter_, "Which objects to include; all by default."),
        argument(
            "order_by",
            list[order],  # type: ignore[valid-type]  # a type given as a value
            "The order: by the first key, where that is equal by the next one, and in the end by id.",
        ),
        argument(
            "first", int, "How many objects, from the start or after `after`; 50 by default, at most 500."
        ),
        argument("after", str, "A cursor of this list: only what comes after it. Goes with `first`."),
        argument("last", int, "How many objects, from the end or before `before`; at most 500."),
        argument("before", str, "A cursor of this list: only what comes before it. Goes with `last`."),
    ]
