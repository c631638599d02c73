"""The creation of an API key, whose secret is shown only once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from agentdata.operations import api_keys
from agentdata.operations.unit_of_work import UnitOfWork
from models import ApiKey


@dataclass(frozen=True)
class CreatedApiKey:
    """A new key and its secret."""

    api_key: ApiKey
    secret: str


async def create(write: UnitOfWork, values: dict[str, Any]) -> CreatedApiKey:
    """Create a key and return it with its secret."""
    return CreatedApiKey(*await api_keys.create(write, **values))
