"""The server that a session tries things on."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import strawberry

from models import Sandbox as SandboxRow
from models import Session as SessionRow
from models import User as UserRow
from resolvers.fields import column, relation
from schema.declarations import object_type
from schema.enums import SandboxStatus
from schema.scalars import JSON
from schema.types.node import Node

if TYPE_CHECKING:
    from schema.types.session import Session
    from schema.types.user import User


@object_type(model=SandboxRow)
class Sandbox(Node):
    """The server that a session tries things on, such as a mock game server. A session has one at most."""

    session: Annotated["Session", strawberry.lazy("schema.types.session")] = relation(
        SessionRow, "The session that it belongs to, and goes with.", by="session_id"
    )
    user: Annotated["User", strawberry.lazy("schema.types.user")] | None = relation(
        UserRow, "The user whom it runs for.", by="user_id"
    )
    kind: str | None = column("What kind of server it is, such as `mock_game_server`.")
    external_server_id: str | None = column("The id of the server where it runs.")
    status: SandboxStatus = column("Whether it is running.")
    selection: JSON = column("What is selected in it: a JSON object.")
    updated_at: datetime = column("When it last changed.")
