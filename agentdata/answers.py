"""The size of answers: bounded before they are written as JSON, where one text may occur many times.

Rows arrive once, and the objects of an answer share their texts. Only as JSON is each text repeated.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from agentdata.errors import LimitExceededError

if TYPE_CHECKING:
    from agentdata.engine.costs import Price

_MOST_GROWTH = 8
"""How many bytes of JSON a received byte may become: 6 for a control character, 8 for one in a cursor."""

_SHORT = 100
"""The length of texts that are counted by their characters if they are of printable ASCII."""


def may_exceed(price: Price, received: int, max_bytes: int) -> bool:
    """Return whether an answer of a price may be too large, so that it has to be measured.

    ``received`` is the number of bytes that came from the client and the database.
    """
    by_rows = _MOST_GROWTH * price.repeats * received
    by_columns = price.short_bytes + _MOST_GROWTH * price.long_repeats * received
    return price.key_bytes + min(by_rows, by_columns) > max_bytes


def check_size(content: Any, max_bytes: int) -> None:
    """Check that JSON of at most ``max_bytes`` can hold a content.

    Raises:
        LimitExceededError: It would be larger.

    """
    if _size(content, max_bytes, {}) > max_bytes:
        raise too_large(max_bytes)


def too_large(max_bytes: int) -> LimitExceededError:
    """Return the error for an answer that is too large."""
    return LimitExceededError(
        f"the answer would have more than {max_bytes:,} bytes; select fewer fields or each only once, or ask"
        " for smaller pages by `first`",
        field="query",
    )


def _size(value: Any, most: int, known: dict[int, int]) -> int:
    """Return the number of bytes of a value as JSON, or of its beginning if that is more than ``most``.

    ``known`` holds the sizes of objects by their identity: what occurs many times is measured once.
    """
    if isinstance(value, str) and len(value) <= _SHORT and value.isascii() and value.isprintable():
        return len(value) + 2 + value.count('"') + value.count("\\")
    if value is None or isinstance(value, bool | int | float):
        return len(str(value))
    size = known.get(id(value))
    if size is not None:
        return size
    if isinstance(value, dict | list):
        size = 2
        for key, inner in value.items() if isinstance(value, dict) else (("", inner) for inner in value):
            size += len(key) + 4 + _size(inner, most, known)
            if size > most:
                break
    else:
        try:
            # A long text or stored JSON. Its copy is dropped before the next one is made.
            size = len(orjson.dumps(value, option=orjson.OPT_UTC_Z))
        except TypeError:
            size = 0  # It is reported when the whole answer is written.
    known[id(value)] = size
    return size
