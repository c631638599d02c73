"""Reads conversations: the session, its agent, its user and its messages out of one record."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import orjson

from agentdata.errors import BadUserInputError
from agentdata.importers import paths, values
from agentdata.importers.message import Said, is_message
from agentdata.importers.records import Unreadable
from models.enums import MessageRole, SessionStatus

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

MESSAGE_KEYS = (
    "messages",
    "conversation",
    "conversations",
    "traj",
    "trajectory",
    "history",
    "chat",
    "chat_history",
    "turns",
    "dialog",
    "dialogue",
    "transcript",
)
"""The keys under which messages are looked for; the first that holds messages is used."""

LIST_KEYS = (*MESSAGE_KEYS, "data", "records", "sessions", "items")
"""The keys under which the conversations of a whole file are looked for."""


@dataclass(frozen=True)
class Field:
    """How a field of a session is read: from the first key that is present and has a usable value."""

    convert: Callable[[object], Any]
    keys: tuple[str, ...] = ()
    parts: frozenset[str] = frozenset()
    """The keys that are read from an object; an object with other keys is also kept in the metadata."""


FIELDS = {
    "externalId": Field(values.text, ("external_id", "id", "session_id", "conversation_id")),
    "title": Field(lambda value: values.text(value, 1000), ("title", "name", "subject")),
    "agent": Field(values.agent, ("agent", "agent_name", "assistant", "bot"), values.AGENT_KEYS),
    "model": Field(values.text, ("model", "model_name")),
    "user": Field(
        values.user,
        (
            "user",
            "user_id",
            "username",
            "email",
            "user_email",
            "metadata.user_id",
            "info.user_id",
            "info.task.user_id",
        ),
        values.USER_KEYS,
    ),
    "email": Field(values.text, ("email", "user_email")),
    "tags": Field(values.tags, ("tags", "labels")),
    "qualityScore": Field(values.share, ("quality_score", "score", "reward", "rating", "quality")),
    "startedAt": Field(
        values.time,
        ("started_at", "start_time", "created_at", "create_time", "created", "timestamp", "date"),
    ),
    "endedAt": Field(values.time, ("ended_at", "end_time", "finished_at", "completed_at")),
    "lastActivityAt": Field(values.time, ("last_activity_at", "updated_at", "update_time", "updated")),
    "platform": Field(values.text),
    "provider": Field(values.text),
    "purpose": Field(lambda value: values.text(value, None)),
    "source": Field(values.text),
    "userSatisfaction": Field(values.share),
    "costUsd": Field(values.amount),
}
"""The fields that `--map` can name beside `messages`, with the keys that are used without it."""

_COLUMNS = {
    "title": "title",
    "qualityScore": "quality_score",
    "startedAt": "started_at",
    "endedAt": "ended_at",
    "lastActivityAt": "last_activity_at",
    "platform": "platform",
    "provider": "provider",
    "purpose": "purpose",
    "source": "source",
    "userSatisfaction": "user_satisfaction",
    "costUsd": "cost_usd",
}


@dataclass(frozen=True)
class Options:
    """The options of the command.

    ``keys`` maps a field to the key to read it from, instead of the field's usual keys; an empty key means
    that the field is not read.
    """

    agent: str | None = None
    tags: tuple[str, ...] = ()
    keys: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Conversation:
    """A conversation that can be written, and warnings about values that could not be used."""

    place: str
    session: dict[str, Any]
    agent: str
    user: dict[str, str] | None
    messages: list[dict[str, Any]]
    size: int
    """The size of the record as JSON, in bytes."""
    warnings: tuple[str, ...] = ()


def conversations_in(
    place: str, value: object, options: Options
) -> Iterator[tuple[str, dict[str, Any] | Unreadable]]:
    """Yield the conversations in a value: the value itself, the items of a list, or of a list in an object.

    A conversation is a list of messages, or an object that holds one.
    """
    if (found := _conversation(value, options)) is not None:
        yield place, found
        return
    items = value
    if isinstance(value, dict):
        for key in LIST_KEYS:
            if isinstance(value.get(key), list) and _conversation(next(iter(value[key]), None), options):
                place, items = f"{place}.{key}", value[key]
                break
    if not isinstance(items, list) or not items:
        yield place, _no_messages(options)
        return
    for index, item in enumerate(items):
        yield f"{place}[{index}]", _conversation(item, options) or _no_messages(options)


def _conversation(value: object, options: Options) -> dict[str, Any] | None:
    if isinstance(value, list) and value and is_message(value[0]):
        return {"messages": value}
    if isinstance(value, dict) and _messages_key(value, options) is not None:
        return value
    return None


def _no_messages(options: Options) -> Unreadable:
    named = options.keys.get("messages") or ", ".join(MESSAGE_KEYS)
    return Unreadable(
        f"holds no messages: it is not a list of objects with a role, and has no such list under {named}"
    )


def read(place: str, record: dict[str, Any], options: Options, default_agent: str) -> Conversation:
    """Read a conversation.

    Raises:
        ValueError: The record cannot be imported; the text says why.

    """
    written = _canonical(record)
    unused = dict(record)
    key = _messages_key(record, options) or "messages"
    said = Said()
    for message in paths.peek(record, key):
        said.add(message)
    paths.take(unused, key)
    found, warnings = _fields(unused, options)
    session = {column: found[name] for name, column in _COLUMNS.items() if name in found}
    session["external_id"] = found.get("externalId") or f"sha256:{hashlib.sha256(written).hexdigest()}"
    session["tags"] = [*found.get("tags", ()), *options.tags]
    session["status"] = SessionStatus.COMPLETED
    # The version of its agent is unknown; without this the session would get the active version.
    session["agent_version_id"] = None
    session["metadata_"] = paths.spread(unused)
    warnings += _time(session, said.messages)
    if "model" in found:
        for message in said.messages:
            if message["role"] == MessageRole.ASSISTANT:
                message.setdefault("model", found["model"])
    user = found.get("user")
    return Conversation(
        place=place,
        session=session,
        agent=options.agent or found.get("agent") or default_agent,
        user=user and user | ({"email": found["email"]} if "email" in found else {}),
        messages=said.messages,
        size=len(written),
        warnings=tuple(warnings + said.warnings),
    )


def _messages_key(record: dict[str, Any], options: Options) -> str | None:
    keys = (options.keys["messages"],) if options.keys.get("messages") else MESSAGE_KEYS
    lists = {key: value for key in keys if isinstance(value := paths.peek(record, key), list)}
    holding = [key for key, value in lists.items() if value and is_message(value[0])]
    # A conversation without messages is a conversation too.
    return next(iter(holding or (key for key, value in lists.items() if not value)), None)


def _canonical(record: dict[str, Any]) -> bytes:
    try:
        return orjson.dumps(record, option=orjson.OPT_SORT_KEYS)
    except TypeError as error:
        reason = "it holds text that is not UTF-8" if "surrogates" in str(error) else str(error)
        raise ValueError(f"cannot be stored: {reason}") from None


def _fields(unused: dict[str, Any], options: Options) -> tuple[dict[str, Any], list[str]]:
    """Take the fields out of a record; return them, and warnings about values that cannot be used."""
    found: dict[str, Any] = {}
    warnings = []
    spelt = {_plain(key): key for key in reversed(unused)}
    for name, field_ in FIELDS.items():
        mapped = options.keys.get(name)
        if name == "agent" and options.agent:
            continue
        keys = field_.keys if mapped is None else (mapped,) if mapped else ()
        for key in keys:
            path = spelt.get(_plain(key), key) if mapped is None else key
            value = paths.peek(unused, path)
            if value is None:
                continue
            try:
                found[name] = field_.convert(value)
            except ValueError as error:
                warnings.append(f"{path} {error}, so it is not used as {name}; it is kept in the metadata")
            else:
                if not isinstance(value, dict) or value.keys() <= field_.parts:
                    paths.take(unused, path)
                break
    return found, warnings


def _plain(key: str) -> str:
    """Return the common form of `startedAt`, `started_at` and `Started-At`."""
    return key.replace("_", "").replace("-", "").lower()


def _time(session: dict[str, Any], messages: list[dict[str, Any]]) -> list[str]:
    """Set the times of a session and its messages if any time is known, so that old ones do not look new."""
    warnings: list[str] = []
    times = [message["created_at"] for message in messages if "created_at" in message]
    started = session.get("started_at") or min(
        (*times, *(session[key] for key in ("ended_at", "last_activity_at") if key in session)), default=None
    )
    if started is None:
        return warnings
    session["started_at"] = started
    if "ended_at" in session and session["ended_at"] < started:
        ended = session.pop("ended_at").isoformat()
        session["metadata_"] = session["metadata_"] | {"ended_at": ended}
        warnings.append(
            f"the session ended ({ended}) before it began ({started.isoformat()});"
            " the end is kept in the metadata"
        )
    last = max((*times, started))
    session.setdefault("ended_at", max(last, session.get("last_activity_at", last)))
    session.setdefault("last_activity_at", max(last, session["ended_at"]))
    latest = started
    for message in messages:
        latest = message.setdefault("created_at", latest)
    return warnings


def read_options(agent: str | None, tags: list[str], pairs: list[str]) -> Options:
    """Read the options of the command line; ``pairs`` are texts such as ``user=info.customer``.

    Raises:
        BadUserInputError: An option names an unknown field, or has a value that cannot be used.

    """
    names = {_plain(name): name for name in ("messages", *FIELDS)}
    names |= {"id": "externalId", "score": "qualityScore"}
    keys = {}
    for pair in pairs:
        name, equals, key = pair.partition("=")
        field_ = names.get(_plain(name.strip()))
        if not equals or field_ is None:
            raise BadUserInputError(
                f"--map takes FIELD=KEY, not {pair!r}; the fields are messages, {', '.join(FIELDS)}"
            )
        keys[field_] = key.strip()
    try:
        return Options(
            agent=None if agent is None else values.text(agent),
            tags=tuple(values.tags(tags)),
            keys=keys,
        )
    except ValueError as error:
        raise BadUserInputError(f"--agent or --tag {error}") from None
