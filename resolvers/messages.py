"""The messages that sessions begin and end with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import select, true
from sqlalchemy.orm import aliased

from agentdata.execution.links import keys_of
from agentdata.execution.reader import Reader
from models import Message, Session


async def first(reader: Reader, sessions: list[Session]) -> Sequence[Message | None]:
    """Give the first message of each session."""
    return await _outermost(reader, sessions, Message.sequence.asc())


async def last(reader: Reader, sessions: list[Session]) -> Sequence[Message | None]:
    """Give the last message of each session."""
    return await _outermost(reader, sessions, Message.sequence.desc())


async def _outermost(reader: Reader, sessions: list[Session], order: Any) -> Sequence[Message | None]:
    keys = keys_of([session.id for session in sessions])
    one = (
        select(Message)
        .where(Message.project_id == reader.project_id, Message.session_id == keys.c.key)
        .order_by(order)
        .limit(1)
        .lateral()
    )
    statement = select(aliased(Message, one)).select_from(keys.join(one, true()))
    found = {message.session_id: message for (message,) in await reader.execute(statement)}
    return [found.get(session.id) for session in sessions]
