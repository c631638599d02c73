"""How useful memories were."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Float, Numeric, Select, cast, func, select

from agentdata.engine.sql.links import keys_table
from agentdata.engine.sql.tenancy import owned
from models import MemoryAccess


def usefulness() -> Select[Any]:
    """Give the mean usefulness of the accesses to each memory that say how useful it was."""
    keys = keys_table()
    mean = select(mean_usefulness()).where(owned(MemoryAccess), MemoryAccess.memory_id == keys.c.key)
    return select(keys.c.key, mean.scalar_subquery().label("value"))


def mean_usefulness() -> Any:
    """Give the mean over accesses, which is the same in whatever order they are read."""
    return cast(func.avg(cast(MemoryAccess.usefulness, Numeric)), Float)
