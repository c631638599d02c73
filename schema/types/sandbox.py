"""The server that a session tries things on."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import strawberry

from agentdata.engine.fields import column, relation
from models import Sandbox as SandboxRow
from models import Session as SessionRow
from models import User as UserRow
from schema.declarations import object_type
from schema.enums import SandboxStatus
from schema.scalars import JSON
from schema.types.node import Node

if TYPE_CHECKING:
    from schema.types.session import Session
    from schema.types.user import User


@object_type(model=SandboxRow)
class Sandbox(Node):
    """The server that a session tries things on, such as a mock game server. A session has at most one."""

    session: Annotated["Session", strawberry.lazy("schema.types.session")] = relation(
        SessionRow, "The session of the sandbox; the sandbox is deleted with it.", local="session_id"
    )
    user: Annotated["User", strawberry.lazy("schema.types.user")] | None = relation(
        UserRow, "The user whom the sandbox runs for.", local="user_id"
    )
    kind: str | None = column("The kind of server, such as `mock_game_server`.")
    external_server_id: str | None = column("The id of the server that the sandbox runs on.")
    status: SandboxStatus = column("Whether the sandbox is running.")
    selection: JSON = column("What is selected in the sandbox: a JSON object.")
    updated_at: datetime = column("When the sandbox last changed.")
