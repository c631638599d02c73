"""A key to one project. Its secret is shown once, when it is made."""

from __future__ import annotations

from datetime import datetime

import strawberry

from resolvers.fields import column
from schema.enums import ApiKeyScope
from schema.types.node import Node


@strawberry.type(description="A key to one project. Its secret is shown once, when it is made.")
class ApiKey(Node):
    """A key to one project. Its secret is shown once, when it is made."""

    name: str = column("What it is for.")
    prefix: str = column("What its secret begins with, to tell keys apart.")
    scopes: list[ApiKeyScope] = column("What it may do.")
    last_used_at: datetime | None = column(
        "When it was last used, to the minute; null before the first time."
    )
    expires_at: datetime | None = column("When it stops to be valid; null: never.")
    revoked_at: datetime | None = column("When it was revoked; null while it is not.")
    updated_at: datetime = column("When it last changed.")


@strawberry.type(description="A new API key with its secret.")
class CreatedApiKey:
    """A new API key with its secret."""

    api_key: ApiKey = strawberry.field(description="The key.")
    secret: str = strawberry.field(
        description=(
            "What requests carry as `Authorization: Bearer`. It is shown this once; only its hash is kept."
        )
    )
