"""Writes of messages: their order, their session's totals, the tool calls that they make and answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    DateTime,
    Text,
    Uuid,
    case,
    func,
    literal,
    null,
    or_,
    select,
)
from sqlalchemy import delete as delete_from
from sqlalchemy import update as update_rows
from sqlalchemy.dialects.postgresql import JSONB
from uuid_utils.compat import uuid7

from agentdata.errors import AgentDataError, BadUserInputError, ConflictError
from agentdata.operations.values import check, check_json, check_not_empty, check_text
from agentdata.operations.write import FRESH, not_found
from models import Message, Session, ToolCall
from models.enums import MessageRole, ToolCallStatus

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from agentdata.operations.write import Write

    Pair = tuple[dict[str, Any], dict[str, Any]]
    """The row of a message, and the message as it was given."""

    Answer = tuple[str, dict[str, Any], str]
    """The call id that is answered, what the call becomes, and the field that says so."""

MAX_MESSAGES = 10_000
"""How many messages one write appends."""

MAX_TOOL_CALLS = 1_000
"""How many tool calls one message makes."""

_SUMMED = ("prompt_tokens", "completion_tokens")


async def append(write: Write, session_id: UUID, messages: list[dict[str, Any]]) -> list[Message]:
    """Append messages to a session, in order, with the calls that they make and the answers that they give.

    A message's values are those of its columns, and ``tool_calls`` (values of calls),
    ``tool_call_id`` (the ``call_id`` that a TOOL message answers) and ``tool_error`` (why the call failed).
    Sequences are given under the session's lock, so that none is given twice and none is left out.

    Raises:
        NotFoundError: There is no such session.
        BadUserInputError: A message is wrong in itself, or answers a call that the session does not have.

    """
    check_not_empty("messages", messages, MAX_MESSAGES)
    for index, message in enumerate(messages):
        _check(message, f"messages.{index}.")
    rows = _rows(await _advance(write, session_id, messages), messages)
    written = await write.insert(Message, rows)
    await _link_calls(write, {session_id: list(zip(rows, messages, strict=True))})
    return written


async def append_all(write: Write, messages: dict[UUID, list[dict[str, Any]]]) -> None:
    """Append messages to many sessions, as ``append`` does to one, in as few statements as that takes.

    It is for importing, and holds no limit: how much one transaction writes is the caller's to bound.

    Raises:
        NotFoundError: There is no such session.
        BadUserInputError: A message is wrong in itself, or answers a call that its session does not have.

    """
    appended = {session_id: list_ for session_id, list_ in messages.items() if list_}
    for list_ in appended.values():
        for index, message in enumerate(list_):
            _check(message, f"messages.{index}.")
    if not appended:
        return
    pairs = {
        session.id: list(zip(_rows(session, appended[session.id]), appended[session.id], strict=True))
        for session in await _advance_all(write, appended)
    }
    await write.insert(Message, [row for list_ in pairs.values() for row, _ in list_])
    await _link_calls(write, pairs)


async def update(write: Write, id_: UUID, values: dict[str, Any]) -> Message:
    """Change a message; its session's totals follow."""
    check(Message, values)
    session_id = (await write.get(Message, id_)).session_id
    # The session comes first, as for every writer of its messages.
    await write.get(Session, session_id, lock=True)
    before = await write.get(Message, id_, lock=True)
    if before.redacted_at is not None and "redacted_at" not in values and _REDACTED.keys() & values.keys():
        raise ConflictError("the message is redacted, for good; what was said cannot be put back", field="id")
    grown = {
        name: (values.get(name, getattr(before, name)) or 0) - (getattr(before, name) or 0)
        for name in _SUMMED
    }
    after = await write.update(before, values)
    await _grow(write, session_id, grown)
    return after


async def redact(write: Write, id_: UUID) -> Message:
    """Take all that was said out of a message, for good, and what its calls and the call it answers carried.

    That there was a message, when and whose stays; so do the names of the tools and what became of the calls.
    """
    message = await update(write, id_, _REDACTED | {"redacted_at": func.clock_timestamp()})
    carried = or_(ToolCall.message_id == id_, ToolCall.answer_id == id_)
    failed = ToolCall.status == ToolCallStatus.FAILED
    await write.session.execute(
        update_rows(ToolCall)
        .where(*write.owns(ToolCall), carried)
        .values(
            arguments=case((ToolCall.message_id == id_, literal({}, JSONB)), else_=ToolCall.arguments),
            result=null(),
            error=case((failed, "redacted"), else_=null()),
            updated_at=func.clock_timestamp(),
        )
        .execution_options(synchronize_session=False)
    )
    return message


async def delete(write: Write, id_: UUID) -> list[UUID]:
    """Delete a message with its tool calls. The sequences of the others stay as they are."""
    session_id = (await write.get(Message, id_)).session_id
    await write.get(Session, session_id, lock=True)
    message = await write.get(Message, id_, lock=True)
    await write.session.execute(delete_from(Message).where(*write.owns(Message), Message.id == id_))
    gone = {"message_count": -1, "interaction_count": -(message.role == MessageRole.USER)}
    await _grow(write, session_id, gone | {name: -(getattr(message, name) or 0) for name in _SUMMED})
    return [id_]


def _rows(session: Session, messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Give the rows of messages that the session has counted in already."""
    speakers = {
        MessageRole.ASSISTANT: {"agent_id": session.agent_id},
        MessageRole.USER: {"user_id": session.user_id},
    }
    # The session's two times were taken one after the other; nothing is said after its last activity.
    now = min(session.updated_at, session.last_activity_at)
    return [
        _DEFAULTS
        | {"id": uuid7(), "created_at": now, "updated_at": session.updated_at}
        | speakers.get(message["role"], {})
        | {name: value for name, value in message.items() if name not in _NOT_COLUMNS}
        | {"session_id": session.id, "sequence": sequence}
        for sequence, message in enumerate(messages, session.last_sequence - len(messages) + 1)
    ]


def _growth(messages: list[dict[str, Any]]) -> dict[str, int]:
    """Tell by how much messages raise the totals of their session."""
    return {
        "last_sequence": len(messages),
        "message_count": len(messages),
        "interaction_count": sum(message["role"] == MessageRole.USER for message in messages),
    } | {name: sum(message.get(name) or 0 for message in messages) for name in _SUMMED}


def _last_said(messages: list[dict[str, Any]]) -> tuple[datetime | None, bool]:
    """Tell when the last of messages was said, of those that say when, and whether one is said now."""
    given = [message["created_at"] for message in messages if message.get("created_at")]
    return max(given, default=None), len(given) < len(messages)


async def _advance(write: Write, session_id: UUID, messages: list[dict[str, Any]]) -> Session:
    """Count messages in, under the session's lock, and note when it was taken."""
    last_said, said_now = _last_said(messages)
    moments = [*([last_said] if last_said else []), *([func.clock_timestamp()] if said_now else [])]
    advance = (
        update_rows(Session)
        .where(*write.owns(Session), Session.id == session_id)
        .values({name: getattr(Session, name) + growth for name, growth in _growth(messages).items()})
        .values(
            last_activity_at=func.greatest(Session.last_activity_at, *moments),
            updated_at=func.clock_timestamp(),
        )
        .returning(Session)
    )
    session = (await write.session.scalars(advance)).one_or_none()
    if session is None:
        raise not_found(Session, session_id, "sessionId")
    return session


async def _advance_all(write: Write, messages: dict[UUID, list[dict[str, Any]]]) -> list[Session]:
    """Count the messages of many sessions in, under the locks of all, as ``_advance`` does for one."""
    await write.get_all(Session, [*messages], field="sessionId", lock=True)
    growths = [_growth(list_) for list_ in messages.values()]
    said = [_last_said(list_) for list_ in messages.values()]
    given = (
        func.unnest(
            literal([*messages], ARRAY(Uuid)),
            literal([last_said for last_said, _ in said], ARRAY(DateTime(timezone=True))),
            literal([said_now for _, said_now in said], ARRAY(Boolean)),
            *(literal([growth[name] for growth in growths], ARRAY(BigInteger)) for name in growths[0]),
        )
        .table_valued("id", "last_said", "said_now", *growths[0])
        .render_derived()
    )
    now = case((given.c.said_now, func.clock_timestamp()))
    advance = (
        update_rows(Session)
        .where(*write.owns(Session), Session.id == given.c.id)
        .values({name: getattr(Session, name) + given.c[name] for name in growths[0]})
        .values(
            last_activity_at=func.greatest(Session.last_activity_at, given.c.last_said, now),
            updated_at=func.clock_timestamp(),
        )
        .returning(Session)
        .execution_options(synchronize_session=False, **FRESH)
    )
    return list(await write.session.scalars(advance))


async def _grow(write: Write, session_id: UUID, growth: dict[str, int]) -> None:
    changes = {name: getattr(Session, name) + by for name, by in growth.items() if by}
    if changes:
        changed = update_rows(Session).where(*write.owns(Session), Session.id == session_id)
        await write.session.execute(changed.values(changes | {"updated_at": func.clock_timestamp()}))


def _check(message: dict[str, Any], path: str) -> None:
    check(Message, message, path)
    role = message["role"]
    answers = message.get("tool_call_id") is not None
    if answers:
        check_text(f"{path}toolCallId", message["tool_call_id"], 255)
    if message.get("tool_error") is not None:
        check_text(f"{path}toolError", message["tool_error"])
    if role != MessageRole.TOOL and (answers or message.get("tool_error") is not None):
        raise BadUserInputError(
            "only a message with the role TOOL answers a tool call", field=f"{path}toolCallId"
        )
    if message.get("tool_error") is not None and not answers:
        raise BadUserInputError(
            "toolError needs the toolCallId of the call that failed", field=f"{path}toolError"
        )
    calls = message.get("tool_calls") or []
    if calls and role != MessageRole.ASSISTANT:
        raise BadUserInputError(
            "only a message with the role ASSISTANT makes tool calls", field=f"{path}toolCalls"
        )
    if len(calls) > MAX_TOOL_CALLS:
        check_not_empty(f"{path}toolCalls", calls, MAX_TOOL_CALLS)
    for index, call in enumerate(calls):
        check_call(call, f"{path}toolCalls.{index}.")


def check_call(call: dict[str, Any], path: str = "") -> None:
    """Refuse a tool call that is both right and wrong.

    Raises:
        BadUserInputError: It has a result and an error, or a value that cannot be stored.

    """
    check(ToolCall, call, path)
    if call.get("error") is not None and call.get("result") is not None:
        raise BadUserInputError("a tool call has a result or an error, not both", field=f"{path}error")


def settled(call: dict[str, Any]) -> dict[str, Any]:
    """Give a call's columns, with the status that follows from its result or error."""
    status = ToolCallStatus.PENDING
    if call.get("error") is not None:
        status = ToolCallStatus.FAILED
    elif "result" in call:
        status = ToolCallStatus.SUCCEEDED
    return {"status": status} | call


async def _link_calls(write: Write, written: dict[UUID, list[Pair]]) -> None:
    """Write the calls that the messages of sessions make, and settle those that messages answer."""
    linked = {session_id: _linked(session_id, pairs) for session_id, pairs in written.items()}
    await write.insert(ToolCall, [call for calls, _ in linked.values() for call in calls])
    for session_id, (_, answers) in linked.items():
        if answers:
            await _settle_earlier(write, session_id, answers, {row["id"] for row, _ in written[session_id]})


def _linked(session_id: UUID, written: list[Pair]) -> tuple[list[dict[str, Any]], list[Answer]]:
    """Give the calls that messages make, with the answers among them, and the answers to earlier calls.

    A call id may come again in a session: an answer goes to the latest message that called by that id, and
    within it to the first call that has no answer yet.
    """
    calls: list[dict[str, Any]] = []
    waiting: dict[str, list[dict[str, Any]]] = {}
    answers: list[Answer] = []
    for index, (row, message) in enumerate(written):
        made = [
            _NO_CALL
            | settled(call)
            | {"id": uuid7(), "message_id": row["id"], "session_id": session_id, "position": position}
            | {"created_at": row["created_at"]}
            for position, call in enumerate(message.get("tool_calls") or [])
        ]
        calls += made
        for call in reversed(made):
            if call.get("call_id") is not None:
                waiting.setdefault(call["call_id"], []).append(call)
        call_id = message.get("tool_call_id")
        if call_id is not None:
            answer = _answer(row, message)
            if waiting.get(call_id):
                call = waiting[call_id].pop()
                call |= {"answer_id": row["id"]} | (
                    answer if call["status"] == ToolCallStatus.PENDING else {}
                )
            else:
                answers.append((call_id, {"answer_id": row["id"]} | answer, f"messages.{index}.toolCallId"))
    return calls, answers


_REDACTED: dict[str, Any] = {
    "content": None,
    "parts": None,
    "media_url": None,
    "media_type": None,
    "feedback": None,
    "raw_payload": None,
    "metadata_": {},
}
_DEFAULTS: dict[str, Any] = dict.fromkeys(
    column.key for column in Message.__mapper__.columns if column.nullable
) | {"flagged": False, "metadata_": {}}
_NOT_COLUMNS = {"tool_calls", "tool_call_id", "tool_error"}
_NO_CALL: dict[str, Any] = dict.fromkeys(
    column.key for column in ToolCall.__mapper__.columns if column.nullable
) | {"arguments": {}}


def _answer(row: dict[str, Any], message: dict[str, Any]) -> dict[str, Any]:
    if message.get("tool_error") is not None:
        return {"status": ToolCallStatus.FAILED, "error": message["tool_error"]}
    return {"status": ToolCallStatus.SUCCEEDED, "result": result_of(row["content"], row["parts"])}


def _as_text(result: object) -> str | None:
    return None if result is None else orjson.dumps(result).decode()


def result_of(content: str | None, parts: object = None) -> object:
    """Read a tool's answer: its parts, the JSON object or array that its text is, or the text itself."""
    if content is None:
        return parts
    if content[:1] in "{[" and content[-1:] in "}]":
        try:
            document = orjson.loads(content)
            check_json("content", document)
        except (orjson.JSONDecodeError, AgentDataError):
            return content
        return document
    return content


async def _settle_earlier(write: Write, session_id: UUID, answers: list[Answer], new_ids: set[UUID]) -> None:
    """Settle calls that earlier writes made, in one statement to find them and one to write them."""
    call_ids = {call_id for call_id, _, _ in answers}
    unanswered = (
        select(ToolCall.id, ToolCall.call_id)
        .join(Message, (Message.id == ToolCall.message_id) & write.owns(Message)[0])
        .where(
            *write.owns(ToolCall),
            ToolCall.session_id == session_id,
            ToolCall.call_id.in_(call_ids),
            ToolCall.answer_id.is_(None),
            Message.id.not_in(new_ids),
        )
        .order_by(Message.sequence, ToolCall.position.desc())
        # Until they are settled below, they are neither deleted nor settled by others.
        .with_for_update(key_share=True, of=ToolCall)
    )
    waiting: dict[str, list[UUID]] = {}
    for row in await write.session.execute(unanswered):
        waiting.setdefault(row.call_id, []).append(row.id)
    settled_calls = []
    for call_id, answer, field in answers:
        if not waiting.get(call_id):
            raise BadUserInputError(
                f"the session has no unanswered tool call with the callId {call_id!r}; append the message"
                " that makes the call first, or leave toolCallId out",
                field=field,
            )
        settled_calls.append({"id": waiting[call_id].pop()} | answer)
    given = (
        func.unnest(
            literal([call["id"] for call in settled_calls], ARRAY(Uuid)),
            literal([call["answer_id"] for call in settled_calls], ARRAY(Uuid)),
            literal([call["status"] for call in settled_calls], ARRAY(Text)),
            # As text: a list among the results would be taken for a dimension of the array.
            literal([_as_text(call.get("result")) for call in settled_calls], ARRAY(Text)),
            literal([call.get("error") for call in settled_calls], ARRAY(Text)),
        )
        .table_valued("id", "answer_id", "status", "result", "error")
        .render_derived()
    )
    pending = ToolCall.status == ToolCallStatus.PENDING
    await write.session.execute(
        update_rows(ToolCall)
        .where(*write.owns(ToolCall), ToolCall.id == given.c.id)
        .values(
            answer_id=given.c.answer_id,
            # What was recorded before the answer came stays.
            status=case((pending, given.c.status), else_=ToolCall.status),
            result=case((pending, given.c.result.cast(JSONB)), else_=ToolCall.result),
            error=case((pending, given.c.error), else_=ToolCall.error),
            updated_at=func.clock_timestamp(),
        )
        .execution_options(synchronize_session=False)
    )
