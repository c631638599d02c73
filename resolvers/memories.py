"""How useful memories were."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Float, Select, cast, func, select

from agentdata.execution.links import keys_table, owned
from models import MemoryAccess


def usefulness() -> Select[Any]:
    """Give the mean usefulness of the accesses to each memory that say how useful it was."""
    keys = keys_table()
    mean = select(cast(func.avg(MemoryAccess.usefulness), Float)).where(
        owned(MemoryAccess), MemoryAccess.memory_id == keys.c.key
    )
    return select(keys.c.key, mean.scalar_subquery().label("value"))
