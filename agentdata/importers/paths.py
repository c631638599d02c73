"""Finds values in objects by paths such as `info.task.user_id`, and takes them out."""

from __future__ import annotations

from typing import Any


def peek(holder: dict[str, Any], path: str) -> Any:
    """Return the value at a path of keys with dots between them, or None; a key may itself hold dots."""
    if path in holder:
        return holder[path]
    head, _, rest = path.partition(".")
    inner = holder.get(head)
    return peek(inner, rest) if rest and isinstance(inner, dict) else None


def take(holder: dict[str, Any], path: str) -> None:
    """Remove the value at a path, and every object on the way that becomes empty.

    Objects within ``holder`` are replaced by copies, not changed.
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
    """Return metadata with the keys of its object ``metadata`` moved up, unless a key would come twice."""
    inner = unused.get("metadata")
    if isinstance(inner, dict):
        rest = {key: value for key, value in unused.items() if key != "metadata"}
        if not inner.keys() & rest.keys():
            return rest | inner
    return unused
