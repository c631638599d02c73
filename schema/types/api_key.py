"""API keys."""

from __future__ import annotations

from datetime import datetime

import strawberry

from agentdata.engine.fields import column
from models import ApiKey as ApiKeyRow
from schema.declarations import object_type
from schema.enums import ApiKeyScope
from schema.types.node import Node


@object_type(model=ApiKeyRow)
class ApiKey(Node):
    """A key that gives clients access to one project. Its secret is shown only once, on creation.

    Reading API keys needs the scope ADMIN.
    """

    name: str = column("The name of the key, such as its purpose.")
    prefix: str = column("The first characters of the secret, by which keys can be told apart.")
    scopes: list[ApiKeyScope] = column("What the key may do.")
    last_used_at: datetime | None = column("When the key was last used, to the minute; null if never.")
    expires_at: datetime | None = column("When the key expires; null if never.")
    revoked_at: datetime | None = column("When the key was revoked; null if it was not.")
    updated_at: datetime = column("When the API key last changed.")


@object_type
class CreatedApiKey:
    """A new API key with its secret."""

    api_key: ApiKey = strawberry.field(description="The key.")
    secret: str = strawberry.field(
        description=(
            "The secret that requests send as `Authorization: Bearer`. It is shown only this once; only its"
            " hash is stored."
        )
    )
