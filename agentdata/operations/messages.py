"""Write operations of messages: their sequences, session totals, and the tool calls they make and answer."""

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

from agentdata.checks import JSON_SPACE, check, check_count, check_items, check_text, parse_json
from agentdata.errors import BadUserInputError, ConflictError, not_found
from agentdata.operations import activity, deletion, embeddings, totals
from agentdata.operations.access_records import mark
from agentdata.operations.unit_of_work import json_columns, plain_row_class, rows_as_json
from models import Message, Session, ToolCall
from models.base import VERBATIM
from models.enums import MessageRole, ToolCallStatus

if TYPE_CHECKING:
    from uuid import UUID

    from asyncpg import Record

    from agentdata.operations.unit_of_work import UnitOfWork
    from agentdata.vectors import Vector
    from models import Base

    Answer = tuple[str, dict[str, Any], str]
    """The ``call_id`` of the answered call, the call's new values, and the field with the ``call_id``."""

MAX_MESSAGES = 10_000
"""How many messages one write may append."""

MAX_TOOL_CALLS = 1_000
"""How many tool calls one message may make."""

_SUMMED = ("prompt_tokens", "completion_tokens")


async def append(write: UnitOfWork, session_id: UUID, messages: list[dict[str, Any]]) -> list[Message]:
    """Append messages to a session in order, with the tool calls that they make and answer.

    A message's values are those of its columns, and ``tool_calls`` (values of calls),
    ``tool_call_id`` (the ``call_id`` that a TOOL message answers), ``tool_error`` (why the call failed),
    ``embedding`` and ``embedding_model``.
    Sequences are assigned under the session's lock, so they have no duplicates and no gaps.

    Raises:
        NotFoundError: There is no such session.
        BadUserInputError: A message is invalid, or answers a call that the session does not have.

    """
    check_items("messages", Message, messages, MAX_MESSAGES)
    messages, made = _split(messages)
    appended = _SessionMessages(session_id, messages)
    [session] = await _store(write, [appended], alone=not (appended.answers or made))
    if made:
        new = [(appended.messages[place]["id"], vector, model) for place, vector, model in made]
        await embeddings.store_new(write, embeddings.MESSAGES, new, field=f"messages.{made[0][0]}.embedding")
    if appended.answers:
        await _settle_earlier_calls(write, appended)
    return appended.rows(session)


async def append_all(write: UnitOfWork, messages: dict[UUID, list[dict[str, Any]]]) -> None:
    """Append messages to several sessions, as ``append`` does to one, in few statements.

    Importers use it. It has no limit on the number of messages, so callers must bound their transactions.

    Raises:
        NotFoundError: There is no such session.
        BadUserInputError: A message is invalid, or answers a call that its session does not have.

    """
    for list_ in messages.values():
        check_items("messages", Message, list_)
    appended = [_SessionMessages(session_id, list_) for session_id, list_ in messages.items() if list_]
    if not appended:
        return
    # Locked in the order of their keys, so that two writers cannot deadlock.
    await write.get_all(Session, [each.session_id for each in appended], field="sessionId", lock=True)
    await _store(write, appended)
    for each in appended:
        if each.answers:
            await _settle_earlier_calls(write, each)


async def update(write: UnitOfWork, id_: UUID, values: dict[str, Any]) -> Message:
    """Update a message and its session's totals. If its content changes, its vectors are deleted."""
    check(Message, values)
    session_id = (await write.get(Message, id_)).session_id
    # The session is locked first, as by every writer of its messages.
    await write.get(Session, session_id, lock=True)
    before = await write.get(Message, id_, lock=True)
    if before.redacted_at is not None and "redacted_at" not in values and _REDACTED.keys() & values.keys():
        raise ConflictError("the message is redacted permanently; its content cannot be restored", field="id")
    increments = {
        name: (values.get(name, getattr(before, name)) or 0) - (getattr(before, name) or 0)
        for name in _SUMMED
    }
    after = await write.update(before, values)
    if values.get("content", before.content) != before.content or "redacted_at" in values:
        await embeddings.forget(write, embeddings.MESSAGES, id_)
    await totals.add(write, session_id, increments)
    return after


async def redact(write: UnitOfWork, id_: UUID) -> Message:
    """Remove the content of a message permanently, with the data of the calls that it makes and answers.

    The message's time, role and author stay; so do the calls' tool names and statuses.
    """
    message = await update(write, id_, _REDACTED | {"redacted_at": func.clock_timestamp()})
    affected = or_(ToolCall.message_id == id_, ToolCall.answer_id == id_)
    failed = ToolCall.status == ToolCallStatus.FAILED
    await write.execute(
        update_rows(ToolCall)
        .where(*write.in_project(ToolCall), affected)
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
    """Delete a message with its tool calls. The sequences of other messages do not change."""
    await deletion.clear(write, Message, [id_])
    session_id = (await write.get(Message, id_)).session_id
    session = await write.get(Session, session_id, lock=True)
    message = await write.get(Message, id_, lock=True)
    failed = select(func.count()).where(
        *write.in_project(ToolCall), ToolCall.message_id == id_, ToolCall.error.is_not(None)
    )
    errors = (await write.scalars(failed)).one()
    await write.execute(delete_from(Message).where(*write.in_project(Message), Message.id == id_))
    decrements = {
        "message_count": -1,
        "interaction_count": -(message.role == MessageRole.USER),
        "error_count": -errors,
    }
    await totals.add(
        write, session_id, decrements | {name: -(getattr(message, name) or 0) for name in _SUMMED}
    )
    await activity.lower(write, session, message.created_at)
    return [id_]


class _SessionMessages:
    """Messages for one session: the values to insert, and the rows that result from them."""

    def __init__(self, session_id: UUID, messages: list[dict[str, Any]]) -> None:
        self.session_id = session_id
        self.messages: list[dict[str, Any]] = []
        for index, message in enumerate(messages):
            _check(message, f"messages.{index}.")
            row = {"id": uuid7(), **message, "session_id": session_id, "place": index}
            # Ids order rows of the same time, so the ids of calls are made before those of later messages.
            row["tool_calls"] = [{"id": uuid7(), **call} for call in message.get("tool_calls") or ()]
            speaker = _SPEAKERS.get(message["role"])
            row["of_session"] = speaker is not None and speaker not in message
            self.messages.append(row)
        self.calls, self.answers = _match_answers(session_id, self.messages)
        for row in self.messages:
            for name in _NOT_COLUMNS & row.keys():
                del row[name]

    def session_changes(self) -> dict[str, Any]:
        """Return the increments of the session's totals, and the time of the latest message."""
        times = [row["created_at"] for row in self.messages if row.get("created_at")]
        return {
            "id": self.session_id,
            "messages": len(self.messages),
            "interactions": sum(row["role"] == MessageRole.USER for row in self.messages),
            "errors": sum(call.get("error") is not None for call in self.calls),
            "latest": max(times, default=None),
            "has_untimed": len(times) < len(self.messages),
        } | {name: sum(row.get(name) or 0 for row in self.messages) for name in _SUMMED}

    def rows(self, session: Record) -> list[Message]:
        """Return the stored rows, given the row that the statement returned for their session."""
        shared = _DEFAULTS | {name: session[name] for name in ("project_id", "created_at", "updated_at")}
        first = session["first"]
        rows = []
        for row in self.messages:
            values = shared | row
            values["sequence"] = first + row["place"]
            if row["of_session"]:
                speaker = _SPEAKERS[row["role"]]
                values[speaker] = session[speaker]
            rows.append(_PlainMessage(values))
        return rows


async def _store(write: UnitOfWork, appended: list[_SessionMessages], *, alone: bool = False) -> list[Record]:
    """Insert messages with their calls in one statement, and return its record for each session.

    Raises:
        NotFoundError: One of the sessions does not exist.

    """
    calls = [call for each in appended for call in each.calls]
    rows = [row for each in appended for row in each.messages]
    changes: Any = [each.session_changes() for each in appended]
    parameters = [changes[0] if len(changes) == 1 else changes, rows, *([calls] if calls else [])]
    text = _append_statement(one=len(changes) == 1, calls=bool(calls))
    documents = [rows_as_json(parameter) for parameter in parameters]
    ids = [row["id"] for row in rows]
    records = await write.fetch(text, write.project_id, *documents, alone=alone, ids=ids)
    sessions = {record["id"]: record for record in records}
    for each in appended:
        if each.session_id not in sessions:
            raise not_found(Session, each.session_id, "sessionId")
    return [sessions[each.session_id] for each in appended]


def _split(
    messages: list[dict[str, Any]],
) -> tuple[list[dict[str, Any]], list[tuple[int, Vector, str | None]]]:
    """Return the other values of messages, and the places of those with a vector, the vectors and models.

    Raises:
        BadUserInputError: There is a vector without a model, or there are too many vectors.

    """
    names = {embeddings.EMBEDDING, embeddings.EMBEDDING_MODEL}
    if all(names.isdisjoint(message) for message in messages):
        return messages, []
    parts = [embeddings.split(message, f"messages.{place}.") for place, message in enumerate(messages)]
    made = [(place, vector, model) for place, (_, vector, model) in enumerate(parts) if vector is not None]
    if len(made) > embeddings.MAX_EMBEDDINGS:
        raise BadUserInputError(
            f"messages has {len(made):,} items with an embedding; it may have at most"
            f" {embeddings.MAX_EMBEDDINGS:,}: send the others with another appendMessages",
            field="messages",
        )
    return [values for values, *_ in parts], made


def _check(message: dict[str, Any], path: str) -> None:
    """Refuse a message with contradictory values; ``check_items`` has checked each value."""
    role = message["role"]
    answers = message.get("tool_call_id") is not None
    if answers:
        check_text(f"{path}toolCallId", message["tool_call_id"], 255)
    if message.get("tool_error") is not None:
        check_text(f"{path}toolError", message["tool_error"])
    if role != MessageRole.TOOL and (answers or message.get("tool_error") is not None):
        raise BadUserInputError(
            "only a message with the role TOOL can answer a tool call", field=f"{path}toolCallId"
        )
    if message.get("tool_error") is not None and not answers:
        raise BadUserInputError(
            "toolError needs the toolCallId of the call that failed", field=f"{path}toolError"
        )
    calls = message.get("tool_calls") or []
    if calls and role != MessageRole.ASSISTANT:
        raise BadUserInputError(
            "only a message with the role ASSISTANT can make tool calls", field=f"{path}toolCalls"
        )
    if len(calls) > MAX_TOOL_CALLS:
        check_count(f"{path}toolCalls", calls, MAX_TOOL_CALLS)
    for index, call in enumerate(calls):
        check_call(call, f"{path}toolCalls.{index}.")


def check_call(call: dict[str, Any], path: str = "") -> None:
    """Refuse a tool call with both a result and an error.

    Raises:
        BadUserInputError: The call has a result and an error, or a value that cannot be stored.

    """
    check(ToolCall, call, path)
    if call.get("error") is not None and call.get("result") is not None:
        raise BadUserInputError("a tool call may have a result or an error, not both", field=f"{path}error")


def with_status(call: dict[str, Any]) -> dict[str, Any]:
    """Return a call's values with the status that follows from its result or error."""
    status = ToolCallStatus.PENDING
    if call.get("error") is not None:
        status = ToolCallStatus.FAILED
    elif "result" in call:
        status = ToolCallStatus.SUCCEEDED
    return {"status": status} | call


def _match_answers(
    session_id: UUID, messages: list[dict[str, Any]]
) -> tuple[list[dict[str, Any]], list[Answer]]:
    """Return the calls that messages make, answered by these messages if possible, and the other answers.

    A ``call_id`` may be repeated in a session: an answer belongs to the latest message that made a call with
    that id, and within it to the first unanswered one.
    """
    calls: list[dict[str, Any]] = []
    waiting: dict[str, list[dict[str, Any]]] = {}
    answers: list[Answer] = []
    for index, message in enumerate(messages):
        new = [
            {"arguments": {}}
            | with_status(call)
            | {"message_id": message["id"], "session_id": session_id, "position": position}
            | {"created_at": message.get("created_at")}
            for position, call in enumerate(message["tool_calls"])
        ]
        calls += new
        for call in reversed(new):
            if call.get("call_id") is not None:
                waiting.setdefault(call["call_id"], []).append(call)
        call_id = message.get("tool_call_id")
        if call_id is not None:
            answer = _outcome(message)
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
"""The column of a message's speaker, by role; the session's value is the default."""

_DEFAULTS: dict[str, Any] = dict.fromkeys(
    column.key for column in Message.__mapper__.columns if column.nullable
) | {"flagged": False, "metadata_": {}}
"""The values of a message's columns that are not set."""

_PlainMessage = plain_row_class(Message)


def _json_columns_except(model: type[Base], *others: str) -> tuple[str, str, str]:
    """Return the SQL of ``json_columns`` for all columns of a model except some."""
    return json_columns(model, (name for name in model.__mapper__.columns.keys() if name not in others))  # noqa: SIM118 - SQLAlchemy's collection


@cache
def _append_statement(*, one: bool, calls: bool) -> str:
    """Return the statement that updates one session or several, and inserts messages with their calls.

    Its parameters are the project, and JSON of the changes of sessions, of messages, and of calls. JSON is
    faster to build, send and parse than arrays, and unset columns cost nothing. The update locks the
    sessions, so that sequences are right with concurrent writers.
    """
    # PostgreSQL expects a hundred rows from a set, for which it may scan all sessions of a project.
    expand = "json_to_record" if one else "json_to_recordset"
    names, values, types = _json_columns_except(
        Message, "project_id", "sequence", "created_at", "updated_at", *_SPEAKERS.values()
    )
    speakers = ", ".join(
        f"CASE WHEN given.of_session AND given.role = '{role}' THEN session.{name} ELSE given.{name} END"
        for role, name in _SPEAKERS.items()
    )
    # Only names of the models are interpolated.
    statement = f"""
        WITH session AS (
          UPDATE sessions SET
            last_sequence = last_sequence + given.messages,
            message_count = message_count + given.messages,
            interaction_count = interaction_count + given.interactions,
            error_count = error_count + given.errors,
            prompt_tokens = sessions.prompt_tokens + given.prompt_tokens,
            completion_tokens = sessions.completion_tokens + given.completion_tokens,
            last_activity_at = least(clock_timestamp(), greatest(
              last_activity_at, given.latest, CASE WHEN given.has_untimed THEN clock_timestamp() END
            )),
            updated_at = clock_timestamp()
          FROM {expand}($2::json) AS given (
            id uuid, messages int, interactions int, errors int, prompt_tokens bigint,
            completion_tokens bigint, latest timestamptz, has_untimed boolean
          )
          WHERE sessions.project_id = $1 AND sessions.id = given.id
          RETURNING sessions.project_id, sessions.id, user_id, agent_id, updated_at,
            -- The clock may have advanced between the two: no message is later than the last activity.
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
        names, values, types = _json_columns_except(ToolCall, "project_id", "created_at", "updated_at")
        statement += f""", call AS (
          INSERT INTO tool_calls (project_id, created_at, updated_at, {names})
          SELECT $1, coalesce(given.created_at, session.created_at), session.updated_at, {values}
          FROM session JOIN json_to_recordset($4::json) AS given (created_at timestamptz, {types})
            ON given.session_id = session.id
        )"""  # noqa: S608 - see above
    return f"{statement} {mark('session')} SELECT * FROM session"  # noqa: S608 - as above


def _outcome(message: dict[str, Any]) -> dict[str, Any]:
    if message.get("tool_error") is not None:
        return {"status": ToolCallStatus.FAILED, "error": message["tool_error"]}
    result = result_of(message.get("content"), message.get("parts"))
    return {"status": ToolCallStatus.SUCCEEDED, "result": result}


def _as_text(result: object) -> str | None:
    return None if result is None else orjson.dumps(result).decode()


def result_of(content: str | None, parts: object = None) -> object:
    """Return the result in a tool's answer: its parts, its text as a JSON object or array, or its text."""
    if content is None:
        return parts
    # A cheap test first: most answers are prose. Only JSON's whitespace may come before the bracket.
    if content.lstrip(JSON_SPACE)[:1] in {"{", "["}:
        try:
            return parse_json(content)
        except ValueError:
            return content
    return content


async def _settle_earlier_calls(write: UnitOfWork, appended: _SessionMessages) -> None:
    """Settle calls from earlier writes, with one query and one update."""
    call_ids = {call_id for call_id, _, _ in appended.answers}
    unanswered = (
        select(ToolCall.id, ToolCall.call_id, ToolCall.status)
        .join(Message, (Message.id == ToolCall.message_id) & write.in_project(Message)[0])
        .where(
            *write.in_project(ToolCall),
            ToolCall.session_id == appended.session_id,
            ToolCall.call_id.in_(call_ids),
            ToolCall.answer_id.is_(None),
            Message.id.not_in([message["id"] for message in appended.messages]),
        )
        .order_by(Message.sequence, ToolCall.position.desc())
        # The lock keeps others from deleting or settling the calls until they are updated below.
        .with_for_update(key_share=True, of=ToolCall)
    )
    waiting: dict[str, list[Any]] = {}
    for row in await write.execute(unanswered):
        waiting.setdefault(row.call_id, []).append(row)
    outcomes, errors = [], 0
    for call_id, answer, field in appended.answers:
        if not waiting.get(call_id):
            raise BadUserInputError(
                f"the session has no unanswered tool call with the callId {call_id!r}; append the message"
                " that makes the call first, or omit toolCallId",
                field=field,
            )
        call = waiting[call_id].pop()
        outcomes.append({"id": call.id} | answer)
        errors += call.status == ToolCallStatus.PENDING and answer["status"] == ToolCallStatus.FAILED
    given = (
        func.unnest(
            literal([call["id"] for call in outcomes], ARRAY(Uuid)),
            literal([call["answer_id"] for call in outcomes], ARRAY(Uuid)),
            literal([call["status"] for call in outcomes], ARRAY(Text)),
            # As text: a list among the results would be read as a dimension of the array.
            literal([_as_text(call.get("result")) for call in outcomes], ARRAY(Text)),
            literal([call.get("error") for call in outcomes], ARRAY(Text)),
        )
        .table_valued("id", "answer_id", "status", "result", "error")
        .render_derived()
    )
    pending = ToolCall.status == ToolCallStatus.PENDING
    await write.execute(
        update_rows(ToolCall)
        .where(*write.in_project(ToolCall), ToolCall.id == given.c.id)
        .values(
            answer_id=given.c.answer_id,
            # An outcome that was recorded before the answer stays.
            status=case((pending, given.c.status), else_=ToolCall.status),
            result=case((pending, given.c.result.cast(VERBATIM)), else_=ToolCall.result),
            error=case((pending, given.c.error), else_=ToolCall.error),
            updated_at=func.clock_timestamp(),
        )
        .execution_options(synchronize_session=False)
    )
    if errors:
        await totals.add(write, appended.session_id, {"error_count": errors})
