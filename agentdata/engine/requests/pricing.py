"""Prices operations: what one may take, before it runs. Pricing visits each selection and fragment once."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from graphql import (
    FieldNode,
    FragmentSpreadNode,
    GraphQLEnumType,
    InlineFragmentNode,
    OperationType,
    TypeNameMetaFieldDef,
    get_named_type,
    get_nullable_type,
    is_composite_type,
    is_list_type,
)

from agentdata.engine.costs import (
    BASE_POINTS,
    COST,
    FILTERED_SCAN_POINTS,
    ITEM_POINTS,
    OWN_SCAN_POINTS,
    PARENT_POINTS,
    READ_POINTS,
    ROW_POINTS,
    UNFILTERED_SCAN_POINTS,
    VALUE_POINTS,
    WRITE_POINTS,
    Cost,
    Price,
)
from agentdata.engine.fields.declare import Either
from agentdata.engine.fields.roots import NodesById
from agentdata.engine.sql.batches import Batch
from agentdata.engine.sql.links import Link, is_list_of_keys
from agentdata.engine.sql.pages import MAX_SIZE, Page
from agentdata.engine.strawberry_access import declaration, metadata, model_of, strawberry_field

if TYPE_CHECKING:
    from collections.abc import Mapping

    from graphql import GraphQLField, GraphQLNamedType, OperationDefinitionNode, SelectionSetNode, ValueNode

    from agentdata.engine.requests.limits import Measure

_VALUE_BYTES = 80
"""The most bytes around a value: quotes, commas and brackets, and a type name if it is one."""

_CURSOR_BYTES = 200
"""The most bytes of a cursor beside the sort keys in it."""

_FIXED_BYTES = 64
"""The most bytes of a value of the types in ``_FIXED``, and of an enum."""

_FIXED = frozenset({"BigInt", "Boolean", "DateTime", "Float", "ID", "Int"})

_CHARACTER_BYTES = 6
"""The most bytes of a character in JSON."""

_INTROSPECTION_BYTES = 4 * 1024 * 1024
"""The bytes that `__schema` or `__type` counts as; its answer is not made of rows."""

_INTROSPECTION_POINTS = 500
_MOST = 10**15
"""Prices stop here: beyond it, it does not matter how high they are."""


class _Part(NamedTuple):
    """The cost of a selection: ``fixed`` counts once, everything else once for each selected object."""

    fixed: float = 0.0
    points: float = 0.0
    key_bytes: float = 0.0
    spots: float = 0
    """How often the answer may repeat what was read of one object of the selection."""
    linked: float = 0.0
    """The same for rows that many of the objects may share."""
    scans: float = 0.0
    """How often the rows are scanned that the field of the selection stands for."""
    short_bytes: float = 0.0
    """The most bytes of the values whose columns bound their length."""
    long_spots: float = 0
    """As ``spots``, of the other values alone."""
    long_linked: float = 0.0
    """As ``linked``, of the other values alone."""
    below: float = 0.0
    """The part of ``spots`` in rows that are read below those of the selection."""
    long_below: float = 0.0
    """As ``below``, of the other values alone."""

    def beside(self, other: _Part) -> _Part:
        """Put two parts of one selection together."""
        return _Part(*[min(one + two, _MOST) for one, two in zip(self, other, strict=True)])


@dataclass
class Pricing:
    """Prices a valid operation, whose sizes are known from the measure of the limits."""

    measure: Measure
    _spread: dict[str, _Part] = field(default_factory=dict, init=False)

    def operation(self, operation: OperationDefinitionNode) -> Price:
        """Return the price of the operation."""
        root = self.measure.schema.get_root_type(operation.operation)
        part = self._selection(operation.selection_set, root)
        points = part.fixed + part.points
        if operation.operation is OperationType.MUTATION:
            points += WRITE_POINTS * len(operation.selection_set.selections)
        return Price(
            math.ceil(BASE_POINTS + points),
            math.ceil(part.key_bytes),
            math.ceil(max(part.spots + part.linked, 1)),
            math.ceil(part.short_bytes),
            math.ceil(part.long_spots + part.long_linked),
        )

    def _selection(self, selection_set: SelectionSetNode, parent: GraphQLNamedType | None) -> _Part:
        part = _Part()
        columns: Counter[str] = Counter()
        long: Counter[str] = Counter()
        for node in selection_set.selections:
            if isinstance(node, FieldNode):
                of_field = self._field(node, parent)
                part = part.beside(of_field)
                if node.selection_set is None:
                    columns[node.name.value] += 1
                    long[node.name.value] += not of_field.short_bytes
            elif isinstance(node, FragmentSpreadNode):
                part = part.beside(self._fragment(node.name.value))
            elif isinstance(node, InlineFragmentNode):
                condition = node.type_condition
                on = self.measure.schema.get_type(condition.name.value) if condition else parent
                part = part.beside(self._selection(node.selection_set, on))
        return part._replace(
            spots=part.spots + max(columns.values(), default=0),
            long_spots=part.long_spots + max(long.values(), default=0),
        )

    def _fragment(self, name: str) -> _Part:
        if name not in self._spread:
            fragment = self.measure.fragments[name]
            on = self.measure.schema.get_type(fragment.type_condition.name.value)
            self._spread[name] = self._selection(fragment.selection_set, on)
        return self._spread[name]

    def _field(self, node: FieldNode, parent: GraphQLNamedType | None) -> _Part:
        name = node.name.value
        key = len(node.alias.value if node.alias else name) + _VALUE_BYTES
        if name in {"__schema", "__type"}:
            return _Part(fixed=_INTROSPECTION_POINTS, key_bytes=_INTROSPECTION_BYTES)
        declared: GraphQLField | None = parent and self.measure.schema.get_field(parent, name)  # type: ignore[arg-type, assignment]  # a valid document selects from composite types only
        if declared is None or node.selection_set is None:
            cost = _cost(declared)
            reads = _reads(declared)
            return _Part(
                cost.points + READ_POINTS * reads,
                VALUE_POINTS + cost.parent_points + PARENT_POINTS * reads,
                key + (_CURSOR_BYTES if name.lower().endswith("cursor") else 0),
                scans=cost.scans,
                short_bytes=_most_bytes(declared, parent) or 0,
            )
        inner_type = get_named_type(declared.type)
        inner = self._selection(node.selection_set, inner_type)
        given = {argument.name.value: argument.value for argument in node.arguments or ()}
        own, objects = self.measure.objects(given, declared, parent, leads_on=bool(inner.fixed))
        if not own:
            return inner._replace(key_bytes=inner.key_bytes + key)
        cost = _cost(declared)
        scan_points = _scan_points(cost, declared, given)
        each = ROW_POINTS + cost.object_points + inner.points
        most = self._most(given, declared, parent, objects)
        shared, long_shared = _shared(inner, declaration(declared))
        spots, long_spots = inner.spots - shared, inner.long_spots - long_shared
        return _Part(
            min(READ_POINTS + cost.points + inner.fixed, _MOST),
            min(PARENT_POINTS + cost.parent_points + inner.scans * scan_points + objects * each, _MOST),
            min(key + most * (inner.key_bytes + 2), _MOST),
            spots,
            min(most * (inner.linked + shared), _MOST),
            cost.scans,
            min(most * inner.short_bytes, _MOST),
            long_spots,
            min(most * (inner.long_linked + long_shared), _MOST),
            spots,
            long_spots,
        )

    def _most(
        self,
        given: Mapping[str, ValueNode],
        declared: GraphQLField,
        parent: GraphQLNamedType | None,
        objects: int,
    ) -> int:
        """Return the most objects that a field may have; ``objects`` is what is likely."""
        if isinstance(declaration(declared), Page):
            # Even an empty page has a connection, with totals and cursors.
            return max(self.measure.objects(given, declared, parent, leads_on=True)[1], 1)
        is_list = objects != 1 and not _cost(declared).arguments
        return MAX_SIZE if is_list else objects


def with_items(price: Price, variables: Mapping[str, Any]) -> Price:
    """Return the price of a mutation with the items of the lists that it was sent.

    It returns as many objects as it was sent items. The lists in a document are not counted: a document is
    too short for twice the objects of a page.
    """
    items = sum(len(value) for value in variables.values() if isinstance(value, list))
    pages = max(math.ceil(items / MAX_SIZE), 2)
    return Price(
        price.points + math.ceil(ITEM_POINTS * items),
        price.key_bytes * pages,
        price.repeats * pages,
        price.short_bytes * pages,
        price.long_repeats * pages,
    )


def _shared(inner: _Part, how: Any) -> tuple[float, float]:
    """Return which of the spots below a field many parents may share: of all values, and of long ones."""
    if how.shared if isinstance(how, Either) else isinstance(how, Link | NodesById):
        return inner.spots, inner.long_spots
    link = how.link if isinstance(how, Page) else None
    # Such a page, or batch, has a record for each pair of a parent and a row, but reads below the row once.
    many = link is not None and (link.via is not None or is_list_of_keys(link))
    return (inner.below, inner.long_below) if many or isinstance(how, Batch) else (0, 0)


_NO_COST = Cost()


def _cost(declared: GraphQLField | None) -> Cost:
    return _NO_COST if declared is None else metadata(declared).get(COST) or _NO_COST


def _reads(declared: GraphQLField | None) -> bool:
    """Return whether a field without a selection reads a value of its own, rather than a column."""
    return declared is not None and declaration(declared) is not None and not is_composite_type(declared.type)


def _most_bytes(declared: GraphQLField | None, parent: GraphQLNamedType | None) -> int | None:
    """Return the most bytes of a value of a field without a selection, or None if it may be of any length."""
    if declared is None or declared is TypeNameMetaFieldDef:
        return _FIXED_BYTES
    if is_list_type(get_nullable_type(declared.type)):
        return None
    type_ = get_named_type(declared.type)
    if type_.name in _FIXED or isinstance(type_, GraphQLEnumType):
        return _FIXED_BYTES
    model = model_of(parent)
    columns = {} if model is None else model.__mapper__.columns
    column = columns.get(strawberry_field(declared).python_name)
    length = None if column is None else getattr(column.type, "length", None)
    return None if length is None else length * _CHARACTER_BYTES


def _scan_points(cost: Cost, declared: GraphQLField, given: Mapping[str, ValueNode]) -> float:
    """Return what it takes to scan all rows that a field stands for, of one parent."""
    if cost.scan_points is not None:
        return cost.scan_points
    page = declaration(declared)
    if not isinstance(page, Page) or page.link is not None:
        return OWN_SCAN_POINTS
    return FILTERED_SCAN_POINTS if "filter" in given else UNFILTERED_SCAN_POINTS
