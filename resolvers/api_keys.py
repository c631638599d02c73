"""A new API key and its secret, which is shown this once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from agentdata.operations import api_keys
from agentdata.operations.unit_of_work import UnitOfWork
from models import ApiKey


@dataclass(frozen=True)
class Created:
    """A new key and its secret."""

    api_key: ApiKey
    secret: str


async def create(write: UnitOfWork, values: dict[str, Any]) -> Created:
    """Make a key."""
    return Created(*await api_keys.create(write, **values))
