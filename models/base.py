"""What every table shares: naming of constraints, the composite key led by the project, and times."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, ClassVar
from uuid import UUID

from sqlalchemy import (
    CheckConstraint,
    DateTime,
    ForeignKeyConstraint,
    Index,
    MetaData,
    Text,
    Uuid,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSON, JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from uuid_utils.compat import uuid7

REQUEST_ROLE = "agentdata_app"
"""The database role that requests run as: it owns nothing and is subject to row-level security."""

PROJECT_SETTING = "app.project_id"
"""The setting by which row-level security knows the project that a session, or a transaction, acts in."""

TENANT_COLUMN = "tenant"
"""Marks, in a column's ``info``, the column that holds the project that a row belongs to."""

ProjectId = Annotated[UUID, mapped_column(primary_key=True, info={TENANT_COLUMN: True})]
"""The column of every table that leads its key: the project of the row."""
MAX_DURATION_MS = 10**12
"""The longest duration of a tool call or an event: almost 32 years."""

MAX_COST_USD = 999_999_999
"""The highest cost of a session or a use. Costs are NUMERIC without a scale: no digit of them is rounded."""

INDEXED_FUNCTIONS = (
    "pg_catalog.arraycontains(anyarray, anyarray)",
    "pg_catalog.arrayoverlap(anyarray, anyarray)",
    "pg_catalog.jsonb_contains(jsonb, jsonb)",
    "pg_catalog.jsonb_exists(jsonb, text)",
    "pg_catalog.lower(text)",
    "pg_catalog.numeric_eq(numeric, numeric)",
    "pg_catalog.numeric_gt(numeric, numeric)",
    "pg_catalog.numeric_ge(numeric, numeric)",
    "pg_catalog.numeric_lt(numeric, numeric)",
    "pg_catalog.numeric_le(numeric, numeric)",
    'pg_catalog."left"(text, integer)',
    "pg_catalog.regexp_replace(text, text, text, text)",
    'pg_catalog.setweight(tsvector, "char")',
    "pg_catalog.to_tsvector(regconfig, text)",
    "pg_catalog.ts_match_vq(tsvector, tsquery)",
    "pg_catalog.tsvector_concat(tsvector, tsvector)",
)
"""What PostgreSQL has to be told is LEAKPROOF, or it uses no index for it on a table with row-level security.

By default it makes sure of a row's project first and asks such a function afterwards, so that no error that
the function raises could tell of other projects; it looks at every row of the project then. None of these
raises an error of what may be stored here: JSON is at most 100 levels deep, and of a text that is searched so
much is read as makes no document that is too large. Only a superuser can say so, for one database at a time.
"""


VERBATIM = JSON(none_as_null=True)
"""JSON from elsewhere, given back as it came: PostgreSQL keeps its text, with the keys in their order.

All other JSON is JSONB, which sorts keys, and which filters and indexes can read. Nothing filters by these.
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
            # The last column says what is referred to; the first is always project_id.
            "referring": lambda constraint, _table: constraint.column_keys[-1],
        }
    )
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        datetime: DateTime(timezone=True),
        str: Text,
        # None is no value, as in every other column; otherwise it would be the JSON value null.
        dict[str, Any]: JSONB(none_as_null=True),
        list[Any]: JSONB(none_as_null=True),
        list[str]: ARRAY(Text),
        list[UUID]: ARRAY(Uuid),
    }


class Owned:
    """A row of one project. The key leads with the project, as do all unique constraints and references."""

    project_id: Mapped[ProjectId]
    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class Changing(Owned):
    """A row that may change after it was made."""

    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())


def belongs_to_project() -> ForeignKeyConstraint:
    """Refer to the project itself; tables further down refer to a row that does."""
    return ForeignKeyConstraint(["project_id"], ["projects.id"], ondelete="CASCADE")


def owned_by(column: str, table: str) -> ForeignKeyConstraint:
    """Refer to the row of the same project that owns this one, and go with it."""
    return ForeignKeyConstraint(
        ["project_id", column], [f"{table}.project_id", f"{table}.id"], ondelete="CASCADE"
    )


def refers_to(column: str, table: str) -> ForeignKeyConstraint:
    """Refer to another row of the same project; only this reference is cleared when that row goes."""
    return ForeignKeyConstraint(
        ["project_id", column],
        [f"{table}.project_id", f"{table}.id"],
        # Without the column named, PostgreSQL would clear project_id as well.
        ondelete=f"SET NULL ({column})",
    )


def one_of(column: str, values: type[Any]) -> CheckConstraint:
    """Hold a column to a closed set."""
    listed = ", ".join(f"'{value.value}'" for value in values)
    return CheckConstraint(f"{column} IN ({listed})", name=column)


def within(column: str, low: float, high: float | None = None) -> CheckConstraint:
    """Hold a number to a range, both ends included; operations refuse anything else by this declaration."""
    condition = f"{column} >= {low}" if high is None else f"{column} BETWEEN {low} AND {high}"
    return CheckConstraint(condition, name=column, info={"column": column, "low": low, "high": high})


def json_index(table: str, column: str) -> Index:
    """Serve ``contains`` and ``hasKey`` filters on a JSON column."""
    return Index(f"{table}_{column}_idx", column, postgresql_using="gin")


def search_index(table: str, *columns: str) -> Index:
    """Serve searches by text, of rows whose document has certain words and that are of one project.

    The project stands in the index as well, so that a search in a small one does not go through what all
    others say. PostgreSQL has no such index of an id, but of arrays, so there it is an array of one.
    """
    document = text(f"search_document({', '.join(columns)})")
    return Index(f"{table}_search_idx", document, text("(ARRAY[project_id])"), postgresql_using="gin")


def present_index(*columns: str) -> Index:
    """Serve filters on the first column; rows where it is null cost nothing, and nobody looks for them."""
    return Index(None, "project_id", *columns, postgresql_where=text(f"{columns[0]} IS NOT NULL"))


def order_index(table: str, column: str) -> Index:
    """Serve an order by a column that may be null, where null is less than every value, and its reverse."""
    return Index(f"{table}_{column}_idx", "project_id", text(f"{column} NULLS FIRST"), "id")
