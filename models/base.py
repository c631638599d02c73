"""Shared by all tables: the naming of constraints, keys that begin with the project, and times."""

from __future__ import annotations

from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, ClassVar
from uuid import UUID

from sqlalchemy import (
    CheckConstraint,
    DateTime,
    ForeignKeyConstraint,
    Index,
    MetaData,
    Text,
    Uuid,
    collate,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSON, JSONB
from sqlalchemy.ext.hybrid import HybridExtensionType
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from uuid_utils.compat import uuid7

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, SQLColumnExpression

REQUEST_ROLE = "agentdata_app"
"""The database role of requests: it owns nothing and is subject to row-level security."""

PROJECT_SETTING = "app.project_id"
"""The setting from which row-level security takes the project of a database session or transaction."""

END_USER_ROLE = "agentdata_end_user"
"""The database role of requests for an end user: row-level security shows it only that user's rows."""

USER_SETTING = "app.user_id"
"""The setting from which row-level security takes the end user of a database session or transaction."""

TENANT_COLUMN = "tenant"
"""The key in a column's ``info`` that marks the column with the project of a row."""

ProjectId = Annotated[UUID, mapped_column(primary_key=True, info={TENANT_COLUMN: True})]
"""The project of a row, the first column of every table's key."""

MAX_DURATION_MS = 10**12
"""The longest duration of a tool call or an event: almost 32 years."""

MAX_COST_USD = 999_999_999
"""The highest cost of a session or a usage record. Costs are NUMERIC without a scale, so none is rounded."""

INDEXED_FUNCTIONS = (
    "pg_catalog.arraycontains(anyarray, anyarray)",
    "pg_catalog.arrayoverlap(anyarray, anyarray)",
    "pg_catalog.date_bin(interval, timestamptz, timestamptz)",
    "pg_catalog.jsonb_contains(jsonb, jsonb)",
    "pg_catalog.jsonb_exists(jsonb, text)",
    "pg_catalog.lower(text)",
    "pg_catalog.numeric_eq(numeric, numeric)",
    "pg_catalog.numeric_gt(numeric, numeric)",
    "pg_catalog.numeric_ge(numeric, numeric)",
    "pg_catalog.numeric_lt(numeric, numeric)",
    "pg_catalog.numeric_le(numeric, numeric)",
    'pg_catalog."left"(text, integer)',
    "pg_catalog.length(text)",
    'pg_catalog."normalize"(text, text)',
    "pg_catalog.octet_length(text)",
    "pg_catalog.regexp_replace(text, text, text, text)",
    "pg_catalog.replace(text, text, text)",
    'pg_catalog.setweight(tsvector, "char")',
    "pg_catalog.textregexeq(text, text)",
    "pg_catalog.to_tsvector(regconfig, text)",
    "pg_catalog.ts_match_vq(tsvector, tsquery)",
    "pg_catalog.tsvector_concat(tsvector, tsvector)",
)
"""Functions to mark as LEAKPROOF; otherwise PostgreSQL uses no index for them under row-level security.

By default PostgreSQL checks a row's project before it calls such a function, so that an error of the function
cannot leak data of other projects; it then scans every row of the project. These functions raise no errors
for values that can be stored here: JSON is at most 100 levels deep, and searches index only as much of a text
as fits into a document. Only a superuser can mark functions, in one database at a time.
"""


VERBATIM = JSON(none_as_null=True)
"""JSON that is returned unchanged: PostgreSQL stores its text, which keeps the order of the keys.

All other JSON is JSONB, which sorts keys, and which filters and indexes can read. No filter reads these.
"""


class Base(DeclarativeBase):
    """The declarative base; constraints are named by rule, so that migrations and errors can name them."""

    metadata = MetaData(
        naming_convention={
            "ix": "%(table_name)s_%(column_0_N_name)s_idx",
            "uq": "%(table_name)s_%(column_0_N_name)s_key",
            "ck": "%(table_name)s_%(constraint_name)s_check",
            "fk": "%(table_name)s_%(referring)s_fkey",
            "pk": "%(table_name)s_pkey",
            # Named after the last column; the first is always project_id.
            "referring": lambda constraint, _table: constraint.column_keys[-1],
        }
    )
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        datetime: DateTime(timezone=True),
        str: Text,
        # None is SQL NULL, as in every other column; the default would be the JSON value null.
        dict[str, Any]: JSONB(none_as_null=True),
        list[Any]: JSONB(none_as_null=True),
        list[str]: ARRAY(Text),
        list[UUID]: ARRAY(Uuid),
    }


class Owned:
    """A row of one project. Its key, unique constraints and foreign keys begin with the project."""

    project_id: Mapped[ProjectId]
    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class Changing(Owned):
    """A row that may be updated."""

    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())


@cache
def hybrids_of(model: Any) -> dict[str, Any]:
    """Return the hybrids of a model by name: attributes that SQL and Python compute from columns."""
    descriptors = model.__mapper__.all_orm_descriptors
    return {
        name: descriptor
        for name, descriptor in descriptors.items()
        if descriptor.extension_type is HybridExtensionType.HYBRID_PROPERTY
    }


def folded(column: SQLColumnExpression[Any]) -> ColumnElement[str]:
    """Return a text in lower case by the locale of the database: the collation C folds only ASCII."""
    return func.lower(collate(column, "default"), type_=Text())


def belongs_to_project() -> ForeignKeyConstraint:
    """Return a foreign key to the project; tables with an owner in the project refer to that instead."""
    return ForeignKeyConstraint(["project_id"], ["projects.id"], ondelete="CASCADE")


def owned_by(column: str, table: str) -> ForeignKeyConstraint:
    """Return a foreign key to the owner in the same project; a row is deleted with its owner."""
    return ForeignKeyConstraint(
        ["project_id", column], [f"{table}.project_id", f"{table}.id"], ondelete="CASCADE"
    )


def refers_to(column: str, table: str) -> ForeignKeyConstraint:
    """Return a foreign key to another row of the project; deleting that row sets the column to null."""
    return ForeignKeyConstraint(
        ["project_id", column],
        [f"{table}.project_id", f"{table}.id"],
        # Without the column's name, PostgreSQL would also set project_id to null.
        ondelete=f"SET NULL ({column})",
    )


def one_of(column: str, values: type[Any]) -> CheckConstraint:
    """Return a constraint that restricts a column to a closed set."""
    listed = ", ".join(f"'{value.value}'" for value in values)
    return CheckConstraint(f"{column} IN ({listed})", name=column)


def in_range(column: str, low: float, high: float | None = None) -> CheckConstraint:
    """Return a constraint that restricts a number to a closed range; ``checks`` reads it from ``info``."""
    condition = f"{column} >= {low}" if high is None else f"{column} BETWEEN {low} AND {high}"
    return CheckConstraint(condition, name=column, info={"column": column, "low": low, "high": high})


def json_index(table: str, column: str) -> Index:
    """Return an index for ``contains`` and ``hasKey`` filters on a JSON column."""
    return Index(f"{table}_{column}_idx", column, postgresql_using="gin")


def search_index(table: str, *columns: str) -> Index:
    """Return an index for full-text searches in one project.

    The index includes the project, so that a search in a small project does not scan the matches of all
    others. A GIN index cannot hold a UUID but can hold arrays, so the project is an array of one. It includes
    the periods of the time of creation, so that a search can begin with the newest.
    """
    document, times = text(f"search_document({', '.join(columns)})"), text("search_times(created_at)")
    return Index(f"{table}_search_idx", document, text("(ARRAY[project_id])"), times, postgresql_using="gin")


def present_index(*columns: str) -> Index:
    """Return an index for filters on the first column, without rows where it is null, which cost nothing."""
    return Index(None, "project_id", *columns, postgresql_where=text(f"{columns[0]} IS NOT NULL"))


def order_index(table: str, column: str) -> Index:
    """Return an index for both orders by a nullable column; null is less than every value."""
    return Index(f"{table}_{column}_idx", "project_id", text(f"{column} NULLS FIRST"), "id")
