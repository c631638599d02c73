"""A record of an access."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import strawberry

from agentdata.engine.fields import column, relation
from models import AccessRecord as AccessRecordRow
from models import ApiKey as ApiKeyRow
from models import User as UserRow
from schema.declarations import object_type
from schema.enums import AccessKind
from schema.types.node import Node

if TYPE_CHECKING:
    from schema.types.api_key import ApiKey
    from schema.types.user import User


@object_type(model=AccessRecordRow)
class AccessRecord(Node):
    """A record of an access: who wrote or read, when, by which fields, and from where.

    It holds no contents, and no request can change or delete it. Reading it needs the scope ADMIN.
    """

    kind: AccessKind = column("Whether the request wrote or read.")
    fields: list[str] = column("The names of the mutation, or of the root fields that were read.")
    operation_name: str | None = column("The name of the operation in its document; null if it has none.")
    document_hash: str | None = column(
        "The SHA-256 of the document that read, in hexadecimal; null for writes."
    )
    object_ids: list[strawberry.ID] = column(
        "The ids of the objects that were written or deleted, at most the first 100; empty for reads."
    )
    object_count: int = column("How many objects were written or deleted; 0 for reads.")
    api_key: Annotated["ApiKey", strawberry.lazy("schema.types.api_key")] | None = relation(
        ApiKeyRow, "The API key of the request; null if it had a token.", local="api_key_id"
    )
    user: Annotated["User", strawberry.lazy("schema.types.user")] | None = relation(
        UserRow, "The end user of the request's token; null if there is none.", local="user_id"
    )
    subject: str | None = column(
        "The holder of the request's token, as its issuer names it; null for API keys."
    )
    address: str | None = column("The network address that the request came from; null if unknown.")
    request_id: str | None = column("The id of the request; null if it has none.")
