"""The columns that all metrics share."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Owned

MAX_VALUE = 1e100
"""The largest absolute value of a metric; sums of any number of values, and of their squares, stay finite."""


class Metric(Owned):
    """A measurement at one time. It never changes."""

    metric_type: Mapped[str] = mapped_column(String(255, "C"))
    metric_value: Mapped[float]
    timestamp: Mapped[datetime]
    # The class attribute `metadata` is SQLAlchemy's own; the column keeps the domain's name.
    metadata_: Mapped[dict[str, Any]] = mapped_column("metadata", server_default="{}")
