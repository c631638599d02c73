"""Writes of tool calls that come by themselves, beside those that messages bring along."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import func, select

from agentdata.errors import BadUserInputError, ConflictError, LimitExceededError
from agentdata.operations.messages import MAX_TOOL_CALLS, check_call, settled
from models import Message, ToolCall
from models.enums import MessageRole, ToolCallStatus

if TYPE_CHECKING:
    from uuid import UUID

    from agentdata.operations.unit_of_work import UnitOfWork


async def create(write: UnitOfWork, message_id: UUID, values: dict[str, Any]) -> ToolCall:
    """Add a call to an ASSISTANT message, behind those that it has."""
    check_call(values)
    message = await write.get(Message, message_id, field="messageId", lock=True)
    if message.role != MessageRole.ASSISTANT:
        raise BadUserInputError("only a message with the role ASSISTANT makes tool calls", field="messageId")
    places = select(func.coalesce(func.max(ToolCall.position) + 1, 0)).where(
        *write.owns(ToolCall), ToolCall.message_id == message_id
    )
    position = (await write.scalars(places)).one()
    if position >= MAX_TOOL_CALLS:
        raise LimitExceededError(f"a message makes at most {MAX_TOOL_CALLS} tool calls", field="messageId")
    placed = {"message_id": message_id, "session_id": message.session_id, "position": position}
    [call] = await write.insert(ToolCall, [settled(values) | placed])
    return call


async def record_result(write: UnitOfWork, id_: UUID, values: dict[str, Any]) -> ToolCall:
    """Settle a pending call, once: it has succeeded with a result, or failed with an error.

    Raises:
        ConflictError: It is settled already.

    """
    check_call(values)
    if "result" not in values and values.get("error") is None:
        raise BadUserInputError("give the result or the error of the call", field="result")
    call = await write.get(ToolCall, id_, lock=True)
    if call.status != ToolCallStatus.PENDING:
        raise ConflictError(
            f"the tool call has {call.status} already; change it with updateToolCall", field="id"
        )
    return await write.update(call, settled(values))


async def update(write: UnitOfWork, id_: UUID, values: dict[str, Any]) -> ToolCall:
    """Change a call; a new result or error replaces what it had."""
    call = await write.get(ToolCall, id_, lock=True)
    if values.get("error") is not None:
        values = {"result": None} | values | {"status": ToolCallStatus.FAILED}
    elif "result" in values:
        values = values | {"error": None, "status": ToolCallStatus.SUCCEEDED}
    elif "error" in values and call.status == ToolCallStatus.FAILED:
        raise BadUserInputError("a call that has FAILED has an error; give its result instead", field="error")
    check_call(values)
    return await write.update(call, values)


async def delete(write: UnitOfWork, id_: UUID) -> list[UUID]:
    """Delete a call."""
    return await write.delete(ToolCall, id_)
