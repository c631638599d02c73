"""Write operations of single tool calls. Appending messages stores the calls of the messages too."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import func, select

from agentdata.errors import BadUserInputError, ConflictError, LimitExceededError
from agentdata.operations import totals
from agentdata.operations.messages import MAX_TOOL_CALLS, check_call, with_status
from models import Message, Session, ToolCall
from models.enums import MessageRole, ToolCallStatus

if TYPE_CHECKING:
    from uuid import UUID

    from agentdata.operations.unit_of_work import UnitOfWork

_LOCK_SESSION = """
SELECT FROM sessions WHERE project_id = $1 AND id = (
  SELECT session_id FROM tool_calls WHERE project_id = $1 AND id = $2
) FOR NO KEY UPDATE"""


async def create(write: UnitOfWork, message_id: UUID, values: dict[str, Any]) -> ToolCall:
    """Add a call to an ASSISTANT message, after its other calls."""
    check_call(values)
    message = await write.get(Message, message_id, field="messageId")
    await write.get(Session, message.session_id, lock=True)
    message = await write.get(Message, message_id, field="messageId", lock=True)
    if message.role != MessageRole.ASSISTANT:
        raise BadUserInputError(
            "only a message with the role ASSISTANT can make tool calls", field="messageId"
        )
    next_position = select(func.coalesce(func.max(ToolCall.position) + 1, 0)).where(
        *write.in_project(ToolCall), ToolCall.message_id == message_id
    )
    position = (await write.scalars(next_position)).one()
    if position >= MAX_TOOL_CALLS:
        raise LimitExceededError(f"a message may make at most {MAX_TOOL_CALLS} tool calls", field="messageId")
    location = {"message_id": message_id, "session_id": message.session_id, "position": position}
    [call] = await write.insert(ToolCall, [with_status(values) | location])
    await totals.add(write, call.session_id, {"error_count": int(call.error is not None)})
    return call


async def record_result(write: UnitOfWork, id_: UUID, values: dict[str, Any]) -> ToolCall:
    """Settle a pending call, once: it succeeds with a result, or fails with an error.

    Raises:
        ConflictError: The call is already settled.

    """
    check_call(values)
    if "result" not in values and values.get("error") is None:
        raise BadUserInputError("either the result or the error of the call is required", field="result")
    call = await _get(write, id_)
    if call.status != ToolCallStatus.PENDING:
        raise ConflictError(
            f"the tool call has already {call.status}; use updateToolCall to change it", field="id"
        )
    return await _update(write, call, with_status(values))


async def update(write: UnitOfWork, id_: UUID, values: dict[str, Any]) -> ToolCall:
    """Update a call; a new result or error replaces the previous outcome."""
    call = await _get(write, id_)
    if values.get("error") is not None:
        values = {"result": None} | values | {"status": ToolCallStatus.FAILED}
    elif "result" in values:
        values = values | {"error": None, "status": ToolCallStatus.SUCCEEDED}
    elif "error" in values and call.status == ToolCallStatus.FAILED:
        raise BadUserInputError(
            "a call that has FAILED must have an error; set its result instead", field="error"
        )
    check_call(values)
    return await _update(write, call, values)


async def delete(write: UnitOfWork, id_: UUID) -> list[UUID]:
    """Delete a call."""
    call = await _get(write, id_)
    ids = await write.delete(ToolCall, id_)
    await totals.add(write, call.session_id, {"error_count": -(call.error is not None)})
    return ids


async def _get(write: UnitOfWork, id_: UUID) -> ToolCall:
    """Return a call, locked; its session is locked first, as by every writer of its calls."""
    await write.fetch(_LOCK_SESSION, write.project_id, id_)
    return await write.get(ToolCall, id_, lock=True)


async def _update(write: UnitOfWork, call: ToolCall, values: dict[str, Any]) -> ToolCall:
    """Update a call, and count its error, or no longer."""
    before = call.error
    after = await write.update(call, values)
    await totals.add(
        write, after.session_id, {"error_count": (after.error is not None) - (before is not None)}
    )
    return after
