"""Writes of messages: their order, their session's totals, the tool calls that they make and answer."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import orjson
from sqlalchemy import (
    ARRAY,
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
from uuid_utils.compat import uuid7

from agentdata.checks import JSON_SPACE, check, check_items, check_not_empty, check_text, parse_json
from agentdata.errors import BadUserInputError, ConflictError, not_found
from agentdata.operations import activity, deletion
from agentdata.operations.unit_of_work import document, from_document, plain_rows
from models import Message, Session, ToolCall
from models.base import VERBATIM
from models.enums import MessageRole, ToolCallStatus

if TYPE_CHECKING:
    from uuid import UUID

    from asyncpg import Record

    from agentdata.operations.unit_of_work import UnitOfWork
    from models import Base

    Answer = tuple[str, dict[str, Any], str]
    """The call id that is answered, what the call becomes, and the field that says so."""

MAX_MESSAGES = 10_000
"""How many messages one write appends."""

MAX_TOOL_CALLS = 1_000
"""How many tool calls one message makes."""

_SUMMED = ("prompt_tokens", "completion_tokens")


async def append(write: UnitOfWork, session_id: UUID, messages: list[dict[str, Any]]) -> list[Message]:
    """Append messages to a session, in order, with the calls that they make and the answers that they give.

    A message's values are those of its columns, and ``tool_calls`` (values of calls),
    ``tool_call_id`` (the ``call_id`` that a TOOL message answers) and ``tool_error`` (why the call failed).
    Sequences are given under the session's lock, so that none is given twice and none is left out.

    Raises:
        NotFoundError: There is no such session.
        BadUserInputError: A message is wrong in itself, or answers a call that the session does not have.

    """
    check_items("messages", Message, messages, MAX_MESSAGES)
    appended = _Appended(session_id, messages)
    [session] = await _store(write, [appended], alone=not appended.answers)
    if appended.answers:
        await _settle_earlier(write, appended)
    return appended.rows(session)


async def append_all(write: UnitOfWork, messages: dict[UUID, list[dict[str, Any]]]) -> None:
    """Append messages to many sessions, as ``append`` does to one, in as few statements as that takes.

    It is for importing, and holds no limit: how much one transaction writes is the caller's to bound.

    Raises:
        NotFoundError: There is no such session.
        BadUserInputError: A message is wrong in itself, or answers a call that its session does not have.

    """
    for list_ in messages.values():
        check_items("messages", Message, list_)
    appended = [_Appended(session_id, list_) for session_id, list_ in messages.items() if list_]
    if not appended:
        return
    # Locked in the order of their keys, so that two writers cannot wait for each other.
    await write.get_all(Session, [each.session_id for each in appended], field="sessionId", lock=True)
    await _store(write, appended)
    for each in appended:
        if each.answers:
            await _settle_earlier(write, each)


async def update(write: UnitOfWork, id_: UUID, values: dict[str, Any]) -> Message:
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


async def redact(write: UnitOfWork, id_: UUID) -> Message:
    """Take all that was said out of a message, for good, and what its calls and the call it answers carried.

    That there was a message, when and whose stays; so do the names of the tools and what became of the calls.
    """
    message = await update(write, id_, _REDACTED | {"redacted_at": func.clock_timestamp()})
    carried = or_(ToolCall.message_id == id_, ToolCall.answer_id == id_)
    failed = ToolCall.status == ToolCallStatus.FAILED
    await write.execute(
        update_rows(ToolCall)
        .where(*write.owns(ToolCall), carried)
        .values(
            arguments=case((ToolCall.message_id == id_, literal({}, VERBATIM)), else_=ToolCall.arguments),
            result=null(),
            error=case((failed, "redacted"), else_=null()),
            updated_at=func.clock_timestamp(),
        )
        .execution_options(synchronize_session=False)
    )
    return message


async def delete(write: UnitOfWork, id_: UUID) -> list[UUID]:
    """Delete a message with its tool calls. The sequences of the others stay as they are."""
    await deletion.clear(write, Message, [id_])
    session_id = (await write.get(Message, id_)).session_id
    session = await write.get(Session, session_id, lock=True)
    message = await write.get(Message, id_, lock=True)
    await write.execute(delete_from(Message).where(*write.owns(Message), Message.id == id_))
    gone = {"message_count": -1, "interaction_count": -(message.role == MessageRole.USER)}
    await _grow(write, session_id, gone | {name: -(getattr(message, name) or 0) for name in _SUMMED})
    await activity.lower(write, session, message.created_at)
    return [id_]


class _Appended:
    """Messages for one session: what is sent of them to be stored, and what they are once they are."""

    def __init__(self, session_id: UUID, messages: list[dict[str, Any]]) -> None:
        self.session_id = session_id
        self.messages: list[dict[str, Any]] = []
        for place, message in enumerate(messages):
            _check(message, f"messages.{place}.")
            row = {"id": uuid7(), **message, "session_id": session_id, "place": place}
            # What is made at the same time is told in order by its ids: calls before the messages after them.
            row["tool_calls"] = [{"id": uuid7(), **call} for call in message.get("tool_calls") or ()]
            speaker = _SPEAKERS.get(message["role"])
            row["of_session"] = speaker is not None and speaker not in message
            self.messages.append(row)
        self.calls, self.answers = _linked(session_id, self.messages)
        for row in self.messages:
            for name in _NOT_COLUMNS & row.keys():
                del row[name]

    def growth(self) -> dict[str, Any]:
        """Tell by how much the messages raise the totals of their session, and when the last was said."""
        said = [row["created_at"] for row in self.messages if row.get("created_at")]
        return {
            "id": self.session_id,
            "messages": len(self.messages),
            "interactions": sum(row["role"] == MessageRole.USER for row in self.messages),
            "last_said": max(said, default=None),
            "said_now": len(said) < len(self.messages),
        } | {name: sum(row.get(name) or 0 for row in self.messages) for name in _SUMMED}

    def rows(self, session: Record) -> list[Message]:
        """Give the rows that the statement made of the messages, for what it tells of their session."""
        both = _NOTHING_SAID | {name: session[name] for name in ("project_id", "created_at", "updated_at")}
        first, of_session = session["first"], {name: session[name] for name in _SPEAKERS.values()}
        rows = []
        for row in self.messages:
            values = both | row
            values["sequence"] = first + row["place"]
            if row["of_session"]:
                speaker = _SPEAKERS[row["role"]]
                values[speaker] = of_session[speaker]
            rows.append(_stored(values))
        return rows


async def _store(write: UnitOfWork, appended: list[_Appended], *, alone: bool = False) -> list[Record]:
    """Store messages and the calls that they make in one statement, and give what it tells of each session.

    Raises:
        NotFoundError: One of the sessions is not there.

    """
    calls = [call for each in appended for call in each.calls]
    rows = [row for each in appended for row in each.messages]
    growths: Any = [each.growth() for each in appended]
    sent = [growths[0] if len(growths) == 1 else growths, rows, *([calls] if calls else [])]
    text = _append_statement(one=len(growths) == 1, calls=bool(calls))
    documents = [document(given) for given in sent]
    sessions = {
        record["id"]: record for record in await write.fetch(text, write.project_id, *documents, alone=alone)
    }
    for each in appended:
        if each.session_id not in sessions:
            raise not_found(Session, each.session_id, "sessionId")
    return [sessions[each.session_id] for each in appended]


async def _grow(write: UnitOfWork, session_id: UUID, growth: dict[str, int]) -> None:
    changes = {name: getattr(Session, name) + by for name, by in growth.items() if by}
    if changes:
        changed = update_rows(Session).where(*write.owns(Session), Session.id == session_id)
        await write.execute(changed.values(changes | {"updated_at": func.clock_timestamp()}))


def _check(message: dict[str, Any], path: str) -> None:
    """Refuse a message whose values do not go together; ``check_items`` has checked each of them."""
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


def _linked(session_id: UUID, messages: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], list[Answer]]:
    """Give the calls that messages make, with the answers among them, and the answers to earlier calls.

    A call id may come again in a session: an answer goes to the latest message that called by that id, and
    within it to the first call that has no answer yet.
    """
    calls: list[dict[str, Any]] = []
    waiting: dict[str, list[dict[str, Any]]] = {}
    answers: list[Answer] = []
    for index, message in enumerate(messages):
        made = [
            {"arguments": {}}
            | settled(call)
            | {"message_id": message["id"], "session_id": session_id, "position": position}
            | {"created_at": message.get("created_at")}
            for position, call in enumerate(message["tool_calls"])
        ]
        calls += made
        for call in reversed(made):
            if call.get("call_id") is not None:
                waiting.setdefault(call["call_id"], []).append(call)
        call_id = message.get("tool_call_id")
        if call_id is not None:
            answer = _answer(message)
            if waiting.get(call_id):
                call = waiting[call_id].pop()
                call |= {"answer_id": message["id"]} | (
                    answer if call["status"] == ToolCallStatus.PENDING else {}
                )
            else:
                answers.append(
                    (call_id, {"answer_id": message["id"]} | answer, f"messages.{index}.toolCallId")
                )
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
_NOT_COLUMNS = {"tool_calls", "tool_call_id", "tool_error"}
_SPEAKERS: dict[str, str] = {MessageRole.USER: "user_id", MessageRole.ASSISTANT: "agent_id"}
"""Who speaks in a message of the session's own, by its role, where the message names nobody."""

_NOTHING_SAID: dict[str, Any] = dict.fromkeys(
    column.key for column in Message.__mapper__.columns if column.nullable
) | {"flagged": False, "metadata_": {}}
"""A message's columns where nothing is given."""

_stored = plain_rows(Message)


def _given(model: type[Base], *others: str) -> tuple[str, str, str]:
    """Tell of all columns of a model but some, as ``from_document`` does."""
    return from_document(model, (name for name in model.__mapper__.columns.keys() if name not in others))  # noqa: SIM118 - SQLAlchemy's collection


@cache
def _append_statement(*, one: bool, calls: bool) -> str:
    """Write the statement that counts messages into one session or several, and stores them with their calls.

    Its parameters are the project, and documents of what each session grows by, of messages, and of calls:
    JSON is made, sent and read faster than arrays are, and a column that nothing gives costs nothing. The
    update holds the sessions' locks, so that what follows from it is right whoever else writes.
    """
    # PostgreSQL takes a set for a hundred rows, for which it may read all of a project's sessions.
    growths = "json_to_record" if one else "json_to_recordset"
    names, values, types = _given(
        Message, "project_id", "sequence", "created_at", "updated_at", *_SPEAKERS.values()
    )
    speakers = ", ".join(
        f"CASE WHEN given.of_session AND given.role = '{role}' THEN session.{name} ELSE given.{name} END"
        for role, name in _SPEAKERS.items()
    )
    # All that is written into the text are names of the models.
    statement = f"""
        WITH session AS (
          UPDATE sessions SET
            last_sequence = last_sequence + given.messages,
            message_count = message_count + given.messages,
            interaction_count = interaction_count + given.interactions,
            prompt_tokens = sessions.prompt_tokens + given.prompt_tokens,
            completion_tokens = sessions.completion_tokens + given.completion_tokens,
            last_activity_at = least(clock_timestamp(), greatest(
              last_activity_at, given.last_said, CASE WHEN given.said_now THEN clock_timestamp() END
            )),
            updated_at = clock_timestamp()
          FROM {growths}($2::json) AS given (
            id uuid, messages int, interactions int, prompt_tokens bigint, completion_tokens bigint,
            last_said timestamptz, said_now boolean
          )
          WHERE sessions.project_id = $1 AND sessions.id = given.id
          RETURNING sessions.project_id, sessions.id, user_id, agent_id, updated_at,
            -- The two times were taken one after the other; nothing is said after the last activity.
            least(updated_at, last_activity_at) AS created_at,
            last_sequence - given.messages + 1 AS first
        ), message AS (
          INSERT INTO messages (project_id, sequence, created_at, updated_at, user_id, agent_id, {names})
          SELECT $1, session.first + given.place, coalesce(given.created_at, session.created_at),
            session.updated_at, {speakers}, {values}
          FROM session JOIN json_to_recordset($3::json) AS given (
            place int, created_at timestamptz, of_session boolean, user_id uuid, agent_id uuid, {types}
          ) ON given.session_id = session.id
        )"""  # noqa: S608 - see above
    if calls:
        names, values, types = _given(ToolCall, "project_id", "created_at", "updated_at")
        statement += f""", call AS (
          INSERT INTO tool_calls (project_id, created_at, updated_at, {names})
          SELECT $1, coalesce(given.created_at, session.created_at), session.updated_at, {values}
          FROM session JOIN json_to_recordset($4::json) AS given (created_at timestamptz, {types})
            ON given.session_id = session.id
        )"""  # noqa: S608 - see above
    return f"{statement} SELECT * FROM session"  # noqa: S608 - as above


def _answer(message: dict[str, Any]) -> dict[str, Any]:
    if message.get("tool_error") is not None:
        return {"status": ToolCallStatus.FAILED, "error": message["tool_error"]}
    result = result_of(message.get("content"), message.get("parts"))
    return {"status": ToolCallStatus.SUCCEEDED, "result": result}


def _as_text(result: object) -> str | None:
    return None if result is None else orjson.dumps(result).decode()


def result_of(content: str | None, parts: object = None) -> object:
    """Read a tool's answer: its parts, the JSON object or array that its text is, or the text itself."""
    if content is None:
        return parts
    # Only JSON's white space may stand around it. Most answers are prose, which this tells at once.
    if content.lstrip(JSON_SPACE)[:1] in {"{", "["}:
        try:
            return parse_json(content)
        except ValueError:
            return content
    return content


async def _settle_earlier(write: UnitOfWork, appended: _Appended) -> None:
    """Settle calls that earlier writes made, in one statement to find them and one to write them."""
    call_ids = {call_id for call_id, _, _ in appended.answers}
    unanswered = (
        select(ToolCall.id, ToolCall.call_id)
        .join(Message, (Message.id == ToolCall.message_id) & write.owns(Message)[0])
        .where(
            *write.owns(ToolCall),
            ToolCall.session_id == appended.session_id,
            ToolCall.call_id.in_(call_ids),
            ToolCall.answer_id.is_(None),
            Message.id.not_in([message["id"] for message in appended.messages]),
        )
        .order_by(Message.sequence, ToolCall.position.desc())
        # Until they are settled below, they are neither deleted nor settled by others.
        .with_for_update(key_share=True, of=ToolCall)
    )
    waiting: dict[str, list[UUID]] = {}
    for row in await write.execute(unanswered):
        waiting.setdefault(row.call_id, []).append(row.id)
    settled_calls = []
    for call_id, answer, field in appended.answers:
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
    await write.execute(
        update_rows(ToolCall)
        .where(*write.owns(ToolCall), ToolCall.id == given.c.id)
        .values(
            answer_id=given.c.answer_id,
            # What was recorded before the answer came stays.
            status=case((pending, given.c.status), else_=ToolCall.status),
            result=case((pending, given.c.result.cast(VERBATIM)), else_=ToolCall.result),
            error=case((pending, given.c.error), else_=ToolCall.error),
            updated_at=func.clock_timestamp(),
        )
        .execution_options(synchronize_session=False)
    )
