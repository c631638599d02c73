"""A key that opens one project to clients. Its secret is shown only once, when it is created."""

from __future__ import annotations

from datetime import datetime

import strawberry

from models import ApiKey as ApiKeyRow
from resolvers.fields import column
from schema.declarations import object_type
from schema.enums import ApiKeyScope
from schema.types.node import Node


@object_type(model=ApiKeyRow)
class ApiKey(Node):
    """A key that opens one project to clients. Its secret is shown only once, when it is created."""

    name: str = column("What it is for.")
    prefix: str = column("The beginning of its secret, by which keys can be told apart.")
    scopes: list[ApiKeyScope] = column("What it may do.")
    last_used_at: datetime | None = column("When it was last used, to the minute; null if it never was.")
    expires_at: datetime | None = column("When it expires; null if it never does.")
    revoked_at: datetime | None = column("When it was revoked; null if it was not.")
    updated_at: datetime = column("When it last changed.")


@object_type
class CreatedApiKey:
    """A new API key with its secret."""

    api_key: ApiKey = strawberry.field(description="The key.")
    secret: str = strawberry.field(
        description=(
            "What requests carry as `Authorization: Bearer`. It is shown this once; only its hash is kept."
        )
    )
