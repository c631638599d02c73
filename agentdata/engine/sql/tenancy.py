"""Tenancy: every table that a statement names is restricted to the tenant of the request.

Models say which column that is: its ``info`` holds ``TENANT_COLUMN``. A statement is built once for all
tenants; the tenant is a parameter, which each execution gives.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from sqlalchemy import Uuid, bindparam, inspect
from sqlalchemy.orm import Mapper
from sqlalchemy.orm.util import AliasedInsp

from models.base import TENANT_COLUMN

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement

TENANT = "tenant"
"""The parameter that holds the tenant's id."""


def owned(target: Any) -> ColumnElement[bool]:
    """Restrict a table to the tenant. ``target`` is a model, an alias of one, or an alias of its table."""
    inspected = inspect(target)
    if isinstance(inspected, Mapper | AliasedInsp):
        column = getattr(target, _tenant_attribute(inspected.mapper))
    else:
        column = target.c[_tenant_column(getattr(target, "element", target))]
    return column == bindparam(TENANT, type_=Uuid)  # type: ignore[no-any-return]  # an attribute found by its name


@cache
def _tenant_attribute(mapper: Mapper[Any]) -> str:
    [key] = [key for key, column in mapper.columns.items() if TENANT_COLUMN in column.info]
    return key


@cache
def _tenant_column(table: Any) -> str:
    [key] = [column.key for column in table.columns if TENANT_COLUMN in column.info]
    return str(key)
