"""The tables of totals, which sums over many sessions read in place of the sessions' rows."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKeyConstraint, Integer, Numeric, String, Text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column
from uuid_utils.compat import uuid7

from models.base import Base, ProjectId, one_of
from models.enums import Grain

ORIGIN = "timestamptz '2000-01-01 00:00:00+00'"
"""The SQL of a time at which an hour and a day begin."""

GRAINS = {Grain.HOUR: "1 hour", Grain.DAY: "1 day"}
"""The length of the time of each grain."""

_STEPS = ", ".join(f"('{grain}', interval '{length}')" for grain, length in GRAINS.items())

BY_GRAIN = f"""
SELECT grain, m AS measure, date_bin(step, started_at, {ORIGIN}) AS started_at,
  n COLLATE "C" AS name, b AS bucket, sum(v) AS value
FROM shares CROSS JOIN LATERAL jsonb_to_recordset(share) AS measures (m text, n text, b integer, v numeric)
CROSS JOIN (VALUES {_STEPS}) AS grains (grain, step) GROUP BY 1, 2, 3, 4, 5"""  # noqa: S608 - texts of this module
"""The SQL that adds up the rows of a query ``shares``, by hours and days."""


class FoldedUntil(Base):
    """How far the sessions of a project are folded.

    Each session that was last updated before ``until`` has a share that counts it as it is. ``has_many``
    tells whether there are so many shares that sums read totals.
    """

    __tablename__ = "folded_until"
    __table_args__ = (ForeignKeyConstraint(["project_id"], ["projects.id"], ondelete="CASCADE"),)

    project_id: Mapped[ProjectId]
    until: Mapped[datetime]
    has_many: Mapped[bool]


class SessionShare(Base):
    """The measures that a session adds to the totals of its project; deleting the session subtracts them.

    ``share`` lists the measures: ``m`` the measure, ``n`` the tool or model, ``b`` the bucket of a histogram,
    ``v`` the value. It counts the session as it is while both have the same ``updated_at``.
    """

    __tablename__ = "session_shares"
    __table_args__ = (ForeignKeyConstraint(["project_id"], ["projects.id"], ondelete="CASCADE"),)

    project_id: Mapped[ProjectId]
    session_id: Mapped[UUID] = mapped_column(primary_key=True)
    started_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    share: Mapped[Any] = mapped_column(JSONB)


class SessionTotal(Base):
    """The sum of one measure over the shares of the sessions that started in one hour or day.

    Several rows may belong together: their values add up.
    """

    __tablename__ = "session_totals"
    __table_args__ = (
        ForeignKeyConstraint(["project_id"], ["projects.id"], ondelete="CASCADE"),
        one_of("grain", Grain),
    )

    project_id: Mapped[ProjectId]
    grain: Mapped[str] = mapped_column(String(8, "C"), primary_key=True)
    measure: Mapped[str] = mapped_column(String(32, "C"), primary_key=True)
    started_at: Mapped[datetime] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    name: Mapped[str | None] = mapped_column(Text(collation="C"))
    bucket: Mapped[int | None] = mapped_column(Integer)
    value: Mapped[Decimal] = mapped_column(Numeric)
