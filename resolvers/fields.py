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
from resolvers.arguments import arguments_of
from resolvers.batches import Asked, Batch, Gives
from resolvers.computations import Computation, Given
from resolvers.filtering import filters_on
from resolvers.paging import NOTHING_GIVEN, Connected, Ordering, Page, Slice

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from uuid import UUID

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
    order: type[Any],
    filter_: type[Any] | None = None,
    by: str | None = None,
    via: Any = None,
    default: Sequence[Ordering] = (Ordering("created_at", descending=True),),
    scope: ApiKeyScope = ApiKeyScope.READ,
    computed: Computation | None = None,
    arguments: Sequence[StrawberryArgument] = (),
) -> Any:
    """Declare a field that is a page of rows: all of the project's, or those whose ``by`` is the row's id.

    ``computed`` is a statement that gives the rows, and ``arguments`` are what it is asked.
    """
    link = None if by is None and via is None else Link(model, remote=by or "id", via=via)
    filters = None if filter_ is None else filters_on(model, filter_)
    declared = Page(model, link, tuple(default), filters, scope, computed)

    def resolve(root: Any, info: Info, **_given: Any) -> Any:
        info.context.principal.require(scope)
        reader = info.context.reader
        slice_ = slice_of(declared, reader.project_id, arguments_of(info))
        # The same place in the document has the same arguments for every parent.
        place = (declared, _place(info))
        return Connected(reader, place, slice_, None if link is None else getattr(root, link.local))

    field: Any = strawberry.field(resolver=resolve, description=description, metadata={DECLARED: declared})
    field.arguments = [*arguments, *_page_arguments(declared, filter_, order)]
    return field


def slice_of(declared: Page, project_id: UUID, given: Mapping[str, Any]) -> Slice:
    """Read the arguments of a page."""
    order_by = given.get("order_by") or ()
    return Slice(
        declared,
        project_id,
        given=NOTHING_GIVEN if declared.computation is None else declared.computation.given(given),
        filter_=given.get("filter"),
        order=[Ordering(each["field"].value, each["direction"].value == "DESC") for each in order_by],
        first=given.get("first"),
        after=given.get("after"),
        last=given.get("last"),
        before=given.get("before"),
    )


def batch(
    function: Callable[..., Any],
    description: str,
    gives: Gives,
    *,
    model: type[Any] | None = None,
    arguments: Sequence[StrawberryArgument] = (),
    filters: Mapping[str, type[Any]] | None = None,
    reads: Callable[[Mapping[str, Any]], Given] | None = None,
    inherits: bool = False,
    **bound: Any,
) -> Any:
    """Declare a field by a function that builds one statement for all parents' keys.

    ``filters`` names the arguments that are filters and the models that they ask of; ``reads`` reads the
    others; ``bound`` is what the function is told besides. What ``inherits`` is asked as the batch was that
    gave its parent, and besides.
    """
    declared = Batch(computation(function, arguments, filters, reads, **bound), gives, model, inherits)

    def resolve(root: Any, info: Info, **_given: Any) -> Any:
        parent = root.given if inherits else None
        asked = Asked(declared, declared.given(arguments_of(info), parent))
        # The same place in the document asks the same of every parent, as far as their parents do.
        place = (declared, _place(info), asked.given.shape if inherits else None)
        return info.context.reader.load(place, asked, root.key if inherits else root.id)

    field: Any = strawberry.field(resolver=resolve, description=description, metadata={DECLARED: declared})
    field.arguments = list(arguments)
    return field


def computation(
    function: Callable[..., Any],
    arguments: Sequence[StrawberryArgument] = (),
    filters: Mapping[str, type[Any]] | None = None,
    reads: Callable[[Mapping[str, Any]], Given] | None = None,
    complete: Callable[..., Any] | None = None,
    **bound: Any,
) -> Computation:
    """Declare a statement that a function builds of what a client asks."""
    types = {each.python_name: each.type for each in arguments}
    read = {name: filters_on(model, types[name]) for name, model in (filters or {}).items()}
    return Computation(function, bound, read, reads, complete)


@dataclass(frozen=True)
class Either:
    """Rows of one of several models: the one whose link's local column is not null."""

    links: tuple[Link, ...]


def either(description: str, **models: type[Any]) -> Any:
    """Declare a field that is a row of one of several models, each named after the column with its id."""
    declared = Either(tuple(Link(model, local=by) for by, model in models.items()))

    def resolve(root: Any, info: Info) -> Any:
        for link in declared.links:
            key = getattr(root, link.local)
            if key is not None:
                return info.context.reader.load((link.model, link.remote), link, key)
        return None

    return strawberry.field(resolver=resolve, description=description, metadata={DECLARED: declared})


def _place(info: Info) -> int:
    return id(info._raw_info.field_nodes[0])  # noqa: SLF001  # Strawberry shows no nodes


def argument(name: str, type_: Any, description: str, *, required: bool = False) -> StrawberryArgument:
    """Declare an argument, null by default where it is not required."""
    return StrawberryArgument(
        python_name=name,
        graphql_name=None,
        type_annotation=StrawberryAnnotation(type_ if required else type_ | None),
        description=description,
        **({} if required else {"default": strawberry.UNSET}),
    )


def _page_arguments(declared: Page, filter_: type[Any] | None, order: type[Any]) -> list[StrawberryArgument]:
    which = "Which objects to include; all by default."
    if declared.computation is not None:
        which = "Which rows of the list to give, by what they say; all by default."
    return [
        *([] if filter_ is None else [argument("filter", filter_, which)]),
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
