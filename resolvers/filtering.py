"""Filters: a filter input becomes conditions on the rows that it speaks of."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any

import strawberry
from sqlalchemy import ARRAY, Text, Uuid, and_, cast, func, literal, not_, or_, select
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import aliased
from strawberry.types.base import get_object_definition

from agentdata.errors import BadUserInputError
from agentdata.execution.links import among
from agentdata.operations.values import camel, check_json
from resolvers.values import as_uuid
from schema.inputs.filters import ToMany

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

    from sqlalchemy import ColumnElement

    from agentdata.execution.links import Link

    Condition = ColumnElement[bool]

MAX_VALUES = 1_000
"""How many values a filter lists at the most."""


def conditions(target: Any, filter_: object, project_id: UUID, path: str = "filter") -> list[Condition]:
    """Give what a row of ``target`` must meet; all of them together.

    Raises:
        BadUserInputError: Something in the filter is null, empty, or too long a list.

    """
    met: list[Condition] = []
    for name, value, link in _given(filter_, path):
        field = f"{path}.{camel(name)}"
        match name:
            case "and_":
                met += [and_(*conditions(target, each, project_id, field)) for each in _some(value, field)]
            case "or_":
                met.append(or_(*[_all(target, each, project_id, field) for each in _some(value, field)]))
            case "not_":
                # What is unknown, because something is null, is not so.
                met.append(not_(func.coalesce(_all(target, value, project_id, field), literal(value=False))))
            case _ if link is not None:
                met.append(_linked(target, value, link, project_id, field))
            case _:
                met += [
                    _OPERATORS[op](
                        column := getattr(target, name), _operand(column, operand, f"{field}.{camel(op)}")
                    )
                    for op, operand, _ in _given(value, field)
                ]
    return met


def _all(target: Any, filter_: object, project_id: UUID, path: str) -> Condition:
    return and_(literal(value=True), *conditions(target, filter_, project_id, path))


def _given(filter_: object, path: str) -> list[tuple[str, Any, Link | None]]:
    """Give what was said in an input object: names, values, and the links behind them."""
    given = []
    for field in get_object_definition(filter_, strict=True).fields:
        value = getattr(filter_, field.python_name)
        if value is None:
            name = f"{path}.{camel(field.python_name)}"
            raise BadUserInputError(f"{name} may not be null; leave it out, or use isNull", field=name)
        if value is not strawberry.UNSET:
            given.append((field.python_name, value, field.metadata.get("link")))
    return given


def _linked(target: Any, value: object, link: Link, project_id: UUID, path: str) -> Condition:
    """Ask of the rows behind a link; all that is asked must hold for one and the same row."""

    def exists(filter_: object, field: str) -> Condition:
        other = aliased(link.model)
        return (
            select(1)
            .where(
                other.project_id == project_id,  # type: ignore[attr-defined]  # every linked table has it
                link.holds(other, getattr(target, link.local), project_id),
                *conditions(other, filter_, project_id, field),
            )
            .exists()
        )

    if not isinstance(value, ToMany):
        return exists(value, path)
    asked = [(name, exists(filter_, f"{path}.{name}")) for name, filter_, _ in _given(value, path)]
    return and_(literal(value=True), *[not_(there) if name == "none" else there for name, there in asked])


def _some(values: list[Any], field: str) -> list[Any]:
    if not values or len(values) > MAX_VALUES:
        raise BadUserInputError(
            f"{field} lists {len(values)} values; it may list from 1 to {MAX_VALUES}, or be left out",
            field=field,
        )
    return values


def _operand(column: ColumnElement[Any], value: Any, field: str) -> Any:
    """Give a value as the column's type takes it."""
    if isinstance(value, list):
        return [_operand(column, each, field) for each in _some(value, field)]
    if isinstance(column.type, Uuid) and isinstance(value, str):
        return as_uuid(value, field)
    check_json(field, value)
    return value


def _any_of(column: ColumnElement[Any], values: list[Any]) -> Condition:
    return among(column, values)


def _starts_with(column: ColumnElement[Any], prefix: str) -> Condition:
    return column.startswith(prefix, autoescape=True)


def _is_empty(column: ColumnElement[Any], empty: bool) -> Condition:  # noqa: FBT001  # an operand, as the others
    nothing: ColumnElement[Any] = (
        func.cardinality(column) == 0
        if isinstance(column.type, ARRAY)
        else column.in_([literal({}, JSONB), literal([], JSONB)])
    )
    return nothing if empty else not_(nothing)


_OPERATORS: dict[str, Callable[[ColumnElement[Any], Any], Condition]] = {
    "eq": operator.eq,
    "ne": lambda column, value: column.is_distinct_from(value),
    "in_": _any_of,
    "not_in": lambda column, values: or_(column.is_(None), not_(_any_of(column, values))),
    "gt": operator.gt,
    "gte": operator.ge,
    "lt": operator.lt,
    "lte": operator.le,
    "is_null": lambda column, null: column.is_(None) if null else column.is_not(None),
    "starts_with": _starts_with,
    "contains": lambda column, value: column.contains(value),
    "has_key": lambda column, key: column.has_key(key),
    "contains_all": lambda column, values: column.contains(cast(values, ARRAY(Text))),
    "contains_any": lambda column, values: column.overlap(cast(values, ARRAY(Text))),
    "is_empty": _is_empty,
}
