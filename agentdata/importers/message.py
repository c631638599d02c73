"""Reads messages in the chat-completions format, and in ShareGPT's where it differs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from agentdata.importers import paths, values
from models.enums import MessageRole

if TYPE_CHECKING:
    from collections.abc import Callable

_ROLES = {
    "system": MessageRole.SYSTEM,
    "developer": MessageRole.DEVELOPER,
    "user": MessageRole.USER,
    "human": MessageRole.USER,
    "assistant": MessageRole.ASSISTANT,
    "gpt": MessageRole.ASSISTANT,
    "chatgpt": MessageRole.ASSISTANT,
    "bot": MessageRole.ASSISTANT,
    "model": MessageRole.ASSISTANT,
    "ai": MessageRole.ASSISTANT,
    "tool": MessageRole.TOOL,
    "function": MessageRole.TOOL,
    "observation": MessageRole.TOOL,
}
_TEXT_PARTS = {"text", "input_text", "output_text"}

# The value comes from the first key that is present and usable; a dot leads into an object.
_COLUMNS: dict[str, tuple[Callable[[object], Any], tuple[str, ...]]] = {
    "external_id": (values.text, ("id",)),
    "model": (values.text, ("model",)),
    "created_at": (values.time, ("created_at", "createdAt", "timestamp", "created", "create_time")),
    "prompt_tokens": (values.count, ("prompt_tokens", "usage.prompt_tokens", "usage.input_tokens")),
    "completion_tokens": (
        values.count,
        ("completion_tokens", "usage.completion_tokens", "usage.output_tokens"),
    ),
    "token_count": (values.count, ("token_count",)),
    "latency_ms": (values.count, ("latency_ms",)),
}


@dataclass
class Call:
    """A tool call that no message has answered yet."""

    call_id: str
    name: str


@dataclass
class Said:
    """The messages of one conversation, as far as they have been read."""

    messages: list[dict[str, Any]] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    waiting: list[Call] = field(default_factory=list)
    """Calls without an answer; the last one is answered first."""

    def add(self, message: object) -> None:
        """Read a message, as values for ``messages.append``.

        Raises:
            ValueError: The value is not a message; the text says why.

        """
        place = f"messages.{len(self.messages)}"
        try:
            read, unused = _read(message)
            calls = _calls(unused, place) if read["role"] == MessageRole.ASSISTANT else []
        except ValueError as error:
            raise ValueError(f"{place} {error}") from None
        if calls:
            read["tool_calls"] = calls
            self.waiting += [Call(call["call_id"], call["name"]) for call in reversed(calls)]
        if read["role"] == MessageRole.TOOL:
            self._answer(read, unused, place)
        self._columns(read, unused, place)
        read["metadata_"] = paths.spread(unused)
        self.messages.append(read)

    def _columns(self, read: dict[str, Any], unused: dict[str, Any], place: str) -> None:
        """Take the values that have a column of their own."""
        for column, (convert, keys) in _COLUMNS.items():
            for key in keys:
                if (value := paths.peek(unused, key)) is None:
                    continue
                # A number identifies a message within one conversation, but not within a project.
                if column == "external_id" and not isinstance(value, str):
                    continue
                try:
                    read[column] = convert(value)
                except ValueError as error:
                    self.warnings.append(f"{place}.{key} {error}; it is kept in the metadata")
                else:
                    paths.take(unused, key)
                    break

    def _answer(self, read: dict[str, Any], unused: dict[str, Any], place: str) -> None:
        """Link a TOOL message to the call that it answers, by the call's id or else by the tool's name."""
        call_id, name = unused.get("tool_call_id"), unused.get("name")
        for index in reversed(range(len(self.waiting))):
            call = self.waiting[index]
            if call.call_id == str(call_id) if call_id is not None else name in (call.name, None):
                del self.waiting[index]
                read["tool_call_id"] = call.call_id
                unused.pop("tool_call_id", None)
                if name == call.name:
                    del unused["name"]
                return
        asked = f"{str(call_id)[:100]!r}" if call_id is not None else f"of the tool {str(name)[:100]!r}"
        self.warnings.append(
            f"{place} answers the call {asked}, but no earlier message has such a call without an answer; "
            "the message is imported without a link"
        )


def is_message(value: object) -> bool:
    """Tell whether a value looks like a message."""
    return isinstance(value, dict) and ("role" in value or "from" in value)


def _read(message: object) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the role and the content of a message, and its other keys."""
    if not isinstance(message, dict):
        raise ValueError("is not an object")  # noqa: TRY004 the value is wrong, not the program
    unused = dict(message)
    named = unused.pop("role") if "role" in unused else unused.pop("from", None)
    role = _ROLES.get(named.strip().lower()) if isinstance(named, str) else None
    if role is None:
        raise ValueError(f"has an unknown role: {str(named)[:100]!r} is not one of {', '.join(_ROLES)}")
    content = None
    for key in ("content", "value"):
        if key in unused:
            content = unused.pop(key)
            break
    if content is None or isinstance(content, str):
        return {"role": role, "content": content}, unused
    return {"role": role, "content": _text_of(content), "parts": content}, unused


def _text_of(parts: object) -> str | None:
    """Join the texts of the parts, each on a line of its own."""
    texts = []
    for part in parts if isinstance(parts, list) else [parts]:
        if isinstance(part, dict) and part.get("type", "text") in _TEXT_PARTS:
            part = part.get("text")  # noqa: PLW2901 its text stands for it
        if isinstance(part, str):
            texts.append(part)
    return "\n".join(texts) if texts else None


def _calls(unused: dict[str, Any], place: str) -> list[dict[str, Any]]:
    """Take the calls out of an ASSISTANT message, unless they hold more than is read; then they stay too."""
    given = unused.get("tool_calls") or []
    if not isinstance(given, list):
        raise ValueError("has tool_calls that are not a list")  # noqa: TRY004 the value is wrong, not the program
    calls = [_call(call, f"tool_calls.{index}") for index, call in enumerate(given)]
    if all(_is_plain(call) for call in given):
        unused.pop("tool_calls", None)
    if unused.get("function_call"):
        calls.append(_call(unused["function_call"], "function_call"))
        del unused["function_call"]
    # A call without an id gets one, so that its answer can name it.
    return [
        call | {"call_id": call["call_id"] or f"{place}.{position}"} for position, call in enumerate(calls)
    ]


def _is_plain(call: dict[str, Any]) -> bool:
    """Return whether a call has only keys that the import reads."""
    known = set(call) <= {"id", "type", "function", "index"} and call.get("type", "function") == "function"
    return known and set(call.get("function", ())) == {"name", "arguments"}


def _call(call: object, where: str) -> dict[str, Any]:
    inner = call.get("function", call) if isinstance(call, dict) else None
    if not isinstance(call, dict) or not isinstance(inner, dict) or not isinstance(inner.get("name"), str):
        raise ValueError(f"has a call without a function name in {where}")  # noqa: TRY004 the value is wrong, not the program
    arguments = inner.get("arguments", inner.get("args"))
    if isinstance(arguments, str):
        arguments = values.json_or_text(arguments)
    id_ = call.get("id")
    return {
        "call_id": None if id_ is None else str(id_),
        "name": inner["name"],
        "arguments": {} if arguments is None else arguments,
    }
