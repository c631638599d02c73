"""Finding of values in objects by paths such as `info.task.user_id`, and taking them out."""

from __future__ import annotations

from typing import Any


def peek(holder: dict[str, Any], path: str) -> Any:
    """Give the value at a path whose keys have dots between them, or None; a key may itself hold dots."""
    if path in holder:
        return holder[path]
    head, _, rest = path.partition(".")
    inner = holder.get(head)
    return peek(inner, rest) if rest and isinstance(inner, dict) else None


def take(holder: dict[str, Any], path: str) -> None:
    """Take the value at a path out, and with it an object that held nothing else.

    Objects within ``holder`` are replaced, not changed.
    """
    if path in holder:
        del holder[path]
        return
    head, _, rest = path.partition(".")
    holder[head] = dict(holder[head])
    take(holder[head], rest)
    if not holder[head]:
        del holder[head]


def spread(unused: dict[str, Any]) -> dict[str, Any]:
    """Give metadata whose own object ``metadata`` stands on its level, where no key comes twice."""
    inner = unused.get("metadata")
    if isinstance(inner, dict):
        rest = {key: value for key, value in unused.items() if key != "metadata"}
        if not inner.keys() & rest.keys():
            return rest | inner
    return unused
