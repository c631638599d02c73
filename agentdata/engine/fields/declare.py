"""The kinds of field: one declaration in a type says what a field is, and everything else stands here.

A declaration carries both ways to answer it: its metadata holds what the compiler of plans reads, and its
resolver is the reference way.
"""

from __future__ import annotations

from dataclasses import dataclass
from inspect import get_annotations
from typing import TYPE_CHECKING, Any

import strawberry
from graphql import GraphQLNonNull
from strawberry.annotation import StrawberryAnnotation
from strawberry.types.arguments import StrawberryArgument

from agentdata.engine.binding.arguments import arguments_of
from agentdata.engine.context import Info
from agentdata.engine.costs import COST, Cost
from agentdata.engine.reference.loading import BatchLoader, LazyConnection, load_row
from agentdata.engine.sql.batches import Batch, Gives
from agentdata.engine.sql.computations import Bindings, Computation
from agentdata.engine.sql.filters import filters_for
from agentdata.engine.sql.links import Link, Via
from agentdata.engine.sql.pages import DEFAULT_SIZE, MAX_SIZE, Ordering, Page
from agentdata.engine.strawberry_access import DECLARED, core_info
from agentdata.errors import ForbiddenError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from agentdata.engine.preparations import Prepare

_FILTERED_MODEL = "filters"
"""The key in an argument's metadata under which the model stands whose rows the argument filters."""


def column(description: str, *, name: str | None = None) -> Any:
    """Declare a field that is a column of its row, by its name."""
    return strawberry.field(description=description, name=name)


def relation(model: type[Any], description: str, *, local: str = "id", remote: str = "id") -> Any:
    """Declare a field that is one row: the one whose ``remote`` column equals this row's ``local`` column."""
    link = Link(model, local=local, remote=remote)

    def resolve(root: Any, info: Info) -> Any:
        key = getattr(root, local)
        if key is None:
            return None
        row = load_row(info.context.reader, link, key)
        if info.context.viewer_id is None or not isinstance(core_info(info).return_type, GraphQLNonNull):
            return row
        return _visible(row)

    return declared_field(link, resolve, description)


async def _visible(loading: Awaitable[Any]) -> Any:
    """Return a row that always exists, or refuse a viewer to whom the database does not show it."""
    row = await loading
    if row is None:
        raise ForbiddenError("this object is hidden from the user of the token; leave the field out")
    return row


@dataclass(frozen=True)
class Either:
    """A row of one of several models: the one whose link has a local column that is not null."""

    links: tuple[Link, ...]
    shared: bool
    """Whether many rows may have the same one."""


def either(description: str, *, shared: bool = True, **models: type[Any]) -> Any:
    """Declare a field that is a row of one of several models, each named by the column with its id."""
    declared = Either(tuple(Link(model, local=by) for by, model in models.items()), shared)

    def resolve(root: Any, info: Info) -> Any:
        for link in declared.links:
            key = getattr(root, link.local)
            if key is not None:
                return load_row(info.context.reader, link, key)
        return None

    return declared_field(declared, resolve, description)


def page(
    model: type[Any],
    description: str,
    *,
    order: type[Any],
    filter_: type[Any] | None = None,
    remote: str | None = None,
    via: Via | None = None,
    default: Sequence[Ordering] = (Ordering("created_at", descending=True),),
    scope: Any = None,
    computed: Computation | None = None,
    cost: Cost | None = None,
) -> Any:
    """Declare a field that is a page of rows: all rows of the tenant, or those that belong to this row.

    A row belongs to this one if its ``remote`` column is, or contains, this row's id, or if the table of
    pairs ``via`` says so. ``computed`` is a computation that gives the rows; its
    arguments precede those of the page. ``scope`` is what a client needs to read the page, if anything.

    Raises:
        TypeError: The computation prepares its arguments, but the page belongs to rows. Those are read first,
            so the operation would hold a connection while it prepares.

    """
    link = None if remote is None and via is None else Link(model, remote=remote or "id", via=via)
    filters = None if filter_ is None else filters_for(model, filter_)
    declared = Page(model, link, tuple(default), filters, scope, computed)
    prepare = declared.prepare
    if prepare is not None and link is not None:
        raise TypeError("only a page of the tenant can prepare its arguments")

    def resolve(root: Any, info: Info, **_arguments: Any) -> Any:
        arguments = arguments_of(info)
        if prepare is not None:
            # All fields that an operation begins with are resolved before the first of them reads.
            key = str(core_info(info).path.key)
            info.context.preparations.begin(key, prepare, arguments, info.context)
            return prepared(info, key)
        return connection(root, info, arguments)

    async def prepared(info: Info, key: str) -> LazyConnection:
        return connection(None, info, await info.context.preparations.arguments(key))

    def connection(root: Any, info: Info, arguments: Mapping[str, Any]) -> LazyConnection:
        request = declared.request(arguments, info.context)
        # One place in a document has the same arguments for every parent.
        place = (declared, _place(info))
        parent = None if link is None else getattr(root, link.local)
        return LazyConnection(info.context.reader, place, request, parent)

    arguments = () if computed is None else computed.arguments
    return declared_field(
        declared, resolve, description, [*arguments, *_page_arguments(declared, filter_, order)], cost
    )


def batch(
    function: Callable[..., Any],
    description: str,
    gives: Gives,
    *,
    model: type[Any] | None = None,
    arguments: Sequence[StrawberryArgument] = (),
    bind: Callable[..., Bindings] | None = None,
    situation: Callable[[Any], Mapping[str, Any]] | None = None,
    inherits: bool = False,
    cost: Cost | None = None,
    **constants: Any,
) -> Any:
    """Declare a field whose values one statement computes for all parents; ``function`` builds the statement.

    ``arguments``, ``bind``, ``situation`` and ``constants`` are those of ``computation``. ``inherits``: the
    parent object came from another batch; this statement uses the parent's arguments plus its own.
    """
    declared = Batch(
        computation(function, *arguments, bind=bind, situation=situation, **constants), gives, model, inherits
    )

    def resolve(root: Any, info: Info, **_arguments: Any) -> Any:
        bindings = declared.bind(arguments_of(info), info.context, root.bindings if inherits else None)
        # One place in a document has the same arguments for every parent, as far as inherited ones are equal.
        place = (declared, _place(info), bindings.shape if inherits else None)
        loader = BatchLoader(declared, bindings)
        return info.context.reader.load(place, loader, root.key if inherits else root.id)

    return declared_field(declared, resolve, description, arguments, cost)


def computation(
    function: Callable[..., Any],
    *arguments: StrawberryArgument,
    bind: Callable[..., Bindings] | None = None,
    is_complete: Callable[..., Any] | None = None,
    mode: Callable[..., str] | None = None,
    prepare: Prepare | None = None,
    situation: Callable[[Any], Mapping[str, Any]] | None = None,
    takes_first: bool = False,
    **constants: Any,
) -> Computation:
    """Declare a statement that a function builds from the arguments of a field.

    An argument that is a filter reaches the function under its own name. ``bind`` turns the other arguments
    into what the function takes; ``constants`` are fixed values, which both ``bind`` and the function take.
    ``prepare`` is awaited before ``bind``, which takes the arguments that it returns: while it waits, the
    operation holds no connection, and its other preparations run. It bounds its own time. ``situation``
    returns further arguments of the function for the operation's context. With ``takes_first``, the function
    takes ``first``: how many rows a page needs that begins where the list does.
    """
    filters = {
        each.python_name: filters_for(each.metadata[_FILTERED_MODEL], each.type)
        for each in arguments
        if _FILTERED_MODEL in each.metadata
    }
    return Computation(
        function, constants, filters, bind, arguments, is_complete, mode, prepare, situation, takes_first
    )


def argument(
    name: str, type_: Any, description: str, *, required: bool = False, filters: type[Any] | None = None
) -> StrawberryArgument:
    """Declare an argument; one that is not required is null by default.

    ``filters`` is the model whose rows the argument filters, if it is a filter of a computation.
    """
    return StrawberryArgument(
        python_name=name,
        graphql_name=None,
        type_annotation=StrawberryAnnotation(type_ if required else type_ | None),
        description=description,
        metadata={} if filters is None else {_FILTERED_MODEL: filters},
        **({} if required else {"default": strawberry.UNSET}),
    )


def filter_on(
    model: type[Any], description: str, *, local: str = "id", remote: str = "id", via: Via | None = None
) -> Any:
    """Declare a field of a filter: conditions on the rows of ``model`` that a link leads to."""
    link = Link(model, local=local, remote=remote, via=via)
    return strawberry.field(default=strawberry.UNSET, description=description, metadata={"link": link})


def declared_field(
    declared: Any,
    resolver: Callable[..., Any],
    description: str,
    arguments: Sequence[StrawberryArgument] | None = None,
    cost: Cost | None = None,
) -> Any:
    """Make a field of a declaration, the resolver of its reference way, and its arguments."""
    # Strawberry would parse and evaluate the text of each annotation of each resolver.
    resolver.__annotations__ = get_annotations(resolver, eval_str=True)
    metadata = {DECLARED: declared} | ({} if cost is None else {COST: cost})
    field: Any = strawberry.field(resolver=resolver, description=description, metadata=metadata)
    if arguments is not None:
        field.arguments = list(arguments)
    return field


def _place(info: Info) -> int:
    return id(core_info(info).field_nodes[0])


def _page_arguments(declared: Page, filter_: type[Any] | None, order: type[Any]) -> list[StrawberryArgument]:
    which = "Which objects to include; all by default."
    if declared.computation is not None:
        which = "Which rows of the list to include; all by default."
    return [
        *([] if filter_ is None else [argument("filter", filter_, which)]),
        argument(
            "order_by",
            list[order],  # type: ignore[valid-type]  # a type given as a value
            "The sort keys, most significant first; ties are broken by id.",
        ),
        argument(
            "first",
            int,
            f"How many objects to return, from the start or after `after`; {DEFAULT_SIZE} by default,"
            f" at most {MAX_SIZE}.",
        ),
        argument("after", str, "A cursor of this list, to return only what follows it. Use it with `first`."),
        argument(
            "last", int, f"How many objects to return, from the end or before `before`; at most {MAX_SIZE}."
        ),
        argument(
            "before", str, "A cursor of this list, to return only what precedes it. Use it with `last`."
        ),
    ]
