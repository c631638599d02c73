"""The first and the last message of sessions."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Select, select, true
from sqlalchemy.orm import aliased

from agentdata.engine.sql.links import keys_table
from agentdata.engine.sql.tenancy import owned
from models import Message


def first() -> Select[Any]:
    """Select the first message of each session."""
    return _outermost(Message.sequence.asc())


def last() -> Select[Any]:
    """Select the last message of each session."""
    return _outermost(Message.sequence.desc())


def _outermost(order: Any) -> Select[Any]:
    keys = keys_table()
    outermost = (
        select(Message)
        .where(owned(Message), Message.session_id == keys.c.key)
        .order_by(order)
        .limit(1)
        .lateral()
    )
    return select(keys.c.key, aliased(Message, outermost)).select_from(keys.join(outermost, true()))
