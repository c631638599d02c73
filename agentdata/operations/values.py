"""What a value must be before it is written. The rules are read off the columns: lengths, ranges, null."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any

from sqlalchemy import JSON, String

from agentdata.checks import check_json, check_range, check_text
from agentdata.errors import BadUserInputError
from agentdata.naming import camel

if TYPE_CHECKING:
    from collections.abc import Mapping

    from models import Base

_ENDS_OF_TIME = (datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC))
"""What languages give where no time is set. The driver would write them as -infinity and infinity."""

_KEYS = ("external_id", "email")
"""Texts that may be left out but, where they are given, tell rows apart."""

_JSON_KINDS: dict[Any, tuple[type, str]] = {"{}": (dict, "object"), "[]": (list, "array")}


def check(model: type[Base], values: Mapping[str, Any], path: str = "") -> None:
    """Refuse values that a model's columns cannot hold, by the field's GraphQL name behind ``path``.

    Raises:
        BadUserInputError: A value is null where it must not be, too long, out of its range, or holds a NUL.

    """
    rules = _rules(model)
    for name, value in values.items():
        rule = rules.get(name)
        if rule is not None:
            rule.check(path, value)


@dataclass(frozen=True)
class _Rule:
    """What one column can hold."""

    field: str
    nullable: bool
    json: tuple[type, str] | None
    """The kind of JSON that it holds nothing but."""
    is_json: bool
    length: int | None
    filled: bool
    """Whether a text in it has to say something."""
    range: tuple[float, float | None] | None

    def check(self, path: str, value: Any) -> None:
        """Refuse what the column cannot hold."""
        if value is None:
            if not self.nullable:
                field = path + self.field
                raise BadUserInputError(
                    f"{field} may not be null; leave it out where there is nothing to say", field=field
                )
        elif self.is_json:
            field = path + self.field
            if self.json is not None and not isinstance(value, self.json[0]):
                raise BadUserInputError(f"{field} must be a JSON {self.json[1]}", field=field)
            check_json(field, value)
        elif isinstance(value, str):
            check_text(path + self.field, value, self.length)
            if self.filled and not value.strip():
                field = path + self.field
                raise BadUserInputError(f"{field} may not be blank", field=field)
        elif self.range is not None:
            check_range(path + self.field, value, *self.range)
        elif isinstance(value, datetime) and value in _ENDS_OF_TIME:
            field = path + self.field
            raise BadUserInputError(
                f"{field} is the end of what can be written, and no time; leave it out where there is none",
                field=field,
            )


@cache
def _rules(model: type[Base]) -> dict[str, _Rule]:
    """Read the rules off a model's columns, by their names in Python."""
    ranges = {
        constraint.info["column"]: (constraint.info["low"], constraint.info["high"])
        for constraint in model.__table__.constraints  # type: ignore[attr-defined]  # a FromClause that is a Table
        if "column" in constraint.info
    }
    rules = {}
    for name, column in model.__mapper__.columns.items():
        # A column that is an empty object, or array, by default holds nothing but objects, or arrays.
        kind = column.info.get("json") or getattr(column.server_default, "arg", None)
        rules[name] = _Rule(
            field=camel(name),
            nullable=bool(column.nullable),
            is_json=isinstance(column.type, JSON),
            json=_JSON_KINDS.get(kind),
            length=column.type.length if isinstance(column.type, String) else None,
            filled=not column.nullable or column.name in _KEYS,
            range=ranges.get(column.name),
        )
    return rules
