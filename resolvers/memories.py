"""The usefulness of memories."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Select, select

from agentdata.engine.sql.links import keys_table
from agentdata.engine.sql.tenancy import owned
from models import MemoryAccess
from resolvers.sums import mean


def usefulness() -> Select[Any]:
    """Select the mean usefulness of each memory, over its accesses that have a usefulness."""
    keys = keys_table()
    useful = select(mean(MemoryAccess.usefulness)).where(
        owned(MemoryAccess), MemoryAccess.memory_id == keys.c.key
    )
    return select(keys.c.key, useful.scalar_subquery().label("value"))
