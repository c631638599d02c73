"""Reads single values as other systems write them; raises ValueError with the reason for unusable ones."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any

from agentdata.checks import check_tags, check_text, parse_json
from agentdata.errors import BadUserInputError
from agentdata.operations.sessions import MAX_TAGS
from models.base import MAX_COST_USD

MAX_INT = 2**31 - 1
# Unix times in seconds reach this in the year 5138, and in milliseconds reached it in 1973.
_MILLISECONDS_FROM = 100_000_000_000
# Smaller numbers are more likely seconds since a conversation began than times in 1973 or before.
_SECONDS_FROM = 100_000_000


def text(value: object, length: int | None = 255) -> str:
    """Return a text, or a whole number as a text, of at most ``length`` characters."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise ValueError("is not a text")  # noqa: TRY004 the value is wrong, not the program
    written = str(value).strip()
    if not written:
        raise ValueError("is blank")
    try:
        check_text("it", written, length)
    except BadUserInputError as error:
        raise ValueError(error.message.removeprefix("it ")) from None
    return written


def time(value: object) -> datetime:
    """Return a time from ISO 8601, in UTC if it has no offset, or from Unix seconds or milliseconds."""
    try:
        if isinstance(value, bool):
            raise ValueError  # noqa: TRY004, TRY301 the same error as for any other value
        if isinstance(value, str) and not value.strip().replace(".", "", 1).isdecimal():
            moment = datetime.fromisoformat(value.strip())
            return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
        if isinstance(value, str | int | float) and (number := float(value)) >= _SECONDS_FROM:
            return datetime.fromtimestamp(number / 1000 if number >= _MILLISECONDS_FROM else number, UTC)
    except (ValueError, OverflowError, OSError):
        pass
    raise ValueError("is not a time in ISO 8601, Unix seconds or milliseconds")


def share(value: object) -> float:
    """Return a number from 0 to 1."""
    if isinstance(value, int | float) and math.isfinite(value) and 0 <= value <= 1:
        return float(value)
    raise ValueError("is not a number from 0 to 1")


def amount(value: object) -> float:
    """Return a cost."""
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= MAX_COST_USD:
        return float(value)
    raise ValueError(f"is not a number from 0 to {MAX_COST_USD}")


def count(value: object) -> int:
    """Return a whole number from 0 to 2,147,483,647."""
    if isinstance(value, int | float) and not isinstance(value, bool) and value == value // 1:
        whole = int(value)
        if 0 <= whole <= MAX_INT:
            return whole
    raise ValueError(f"is not a whole number from 0 to {MAX_INT}")


def tags(value: object) -> list[str]:
    """Return tags from a list of texts, or from one text with commas between them."""
    items = value.split(",") if isinstance(value, str) else value
    if not isinstance(items, list):
        raise ValueError("is not a list of texts")  # noqa: TRY004 the value is wrong, not the program
    try:
        read = check_tags("it", [text(item) for item in items])
    except BadUserInputError as error:
        raise ValueError(error.message.removeprefix("it ")) from None
    if len(read) > MAX_TAGS:
        raise ValueError(f"has more than {MAX_TAGS} items")
    return read


AGENT_KEYS = frozenset({"name"})
USER_KEYS = frozenset({"id", "user_id", "email", "name"})


def agent(value: object) -> str:
    """Return an agent's name from a text, or from an object that holds it."""
    return text(value.get("name") if isinstance(value, dict) else value)


def user(value: object) -> dict[str, str]:
    """Return a user from an id, an email, or an object that holds them.

    The result has ``external_id``, ``email`` and ``name``, as far as they are known.
    """
    if not isinstance(value, dict):
        written = text(value)
        return {"email" if "@" in written else "external_id": written}
    given = {
        "external_id": value.get("id", value.get("user_id")),
        "email": value.get("email"),
        "name": value.get("name"),
    }
    found = {key: text(part) for key, part in given.items() if part is not None}
    if found.keys() <= {"name"}:
        raise ValueError("has neither an id nor an email")
    return found


def json_or_text(written: str) -> Any:
    """Return the JSON value of a text, or the text itself if that is not JSON that can be stored."""
    try:
        document = parse_json(written)
    except ValueError:
        return written
    return {} if document is None else document
