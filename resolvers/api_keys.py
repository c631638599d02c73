"""The creation and rotation of API keys, whose secrets are shown only once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from agentdata.operations import api_keys
from agentdata.operations.unit_of_work import UnitOfWork
from models import ApiKey


@dataclass(frozen=True)
class CreatedApiKey:
    """A new key and its secret."""

    api_key: ApiKey
    secret: str

    @property
    def id(self) -> UUID:
        """The id of the key, which the access record names."""
        return self.api_key.id


async def create(write: UnitOfWork, values: dict[str, Any]) -> CreatedApiKey:
    """Create a key and return it with its secret."""
    return CreatedApiKey(*await api_keys.create(write, **values))


async def rotate(write: UnitOfWork, id_: UUID, **values: Any) -> CreatedApiKey:
    """Create a successor of a key and return it with its secret."""
    return CreatedApiKey(*await api_keys.rotate(write, id_, **values))
