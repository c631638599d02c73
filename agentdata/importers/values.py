"""Reading of single values as other systems write them. What cannot be used is a ValueError that says why."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime
from typing import Any

import orjson

from agentdata.errors import BadUserInputError
from agentdata.operations.sessions import MAX_TAGS
from agentdata.operations.values import check_json, check_tags, check_text
from models.base import MAX_COST_USD

MAX_INT = 2**31 - 1
# Unix times in seconds reach this in the year 5138, and in milliseconds reached it in 1973.
_MILLISECONDS_FROM = 100_000_000_000
# Smaller numbers are rather seconds since a conversation began than moments of the year 1973 or before.
_SECONDS_FROM = 100_000_000


def text(value: object, length: int | None = 255) -> str:
    """Read a text or a whole number as a text of at most ``length`` characters."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise ValueError("is no text")  # noqa: TRY004 the value is wrong, not the program
    written = str(value).strip()
    if not written:
        raise ValueError("is blank")
    try:
        check_text("it", written, length)
    except BadUserInputError as error:
        raise ValueError(error.message.removeprefix("it ")) from None
    return written


def time(value: object) -> datetime:
    """Read ISO 8601, in UTC where no offset is named, or Unix seconds or milliseconds."""
    try:
        if isinstance(value, bool):
            raise ValueError  # noqa: TRY004, TRY301 the one answer for all that is no time
        if isinstance(value, str) and not value.strip().replace(".", "", 1).isdecimal():
            moment = datetime.fromisoformat(value.strip())
            return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
        if isinstance(value, str | int | float) and (number := float(value)) >= _SECONDS_FROM:
            return datetime.fromtimestamp(number / 1000 if number >= _MILLISECONDS_FROM else number, UTC)
    except (ValueError, OverflowError, OSError):
        pass
    raise ValueError("is no time in ISO 8601, Unix seconds or milliseconds")


def share(value: object) -> float:
    """Read a number from 0 to 1."""
    if isinstance(value, int | float) and math.isfinite(value) and 0 <= value <= 1:
        return float(value)
    raise ValueError("is no number from 0 to 1")


def amount(value: object) -> float:
    """Read a cost."""
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= MAX_COST_USD:
        return float(value)
    raise ValueError(f"is no number from 0 to {MAX_COST_USD}")


def count(value: object) -> int:
    """Read a whole number from 0 to 2,147,483,647."""
    if isinstance(value, int | float) and not isinstance(value, bool) and value == value // 1:
        whole = int(value)
        if 0 <= whole <= MAX_INT:
            return whole
    raise ValueError(f"is no whole number from 0 to {MAX_INT}")


def tags(value: object) -> list[str]:
    """Read a list of texts, or texts with commas between them."""
    items = value.split(",") if isinstance(value, str) else value
    if not isinstance(items, list):
        raise ValueError("is no list of texts")  # noqa: TRY004 the value is wrong, not the program
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
    """Read an agent's name, or an object that holds it."""
    return text(value.get("name") if isinstance(value, dict) else value)


def user(value: object) -> dict[str, str]:
    """Read a user by an id or an email, or an object that holds them.

    Gives ``external_id``, ``email`` and ``name``, as far as they are known.
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
    """Read JSON, or give the text itself where it is none that can be stored."""
    try:
        document = json.loads(written)
        check_json("it", document)
        # It writes no whole numbers beyond 64 bits; reading with it would round them.
        orjson.dumps(document)
    except (ValueError, RecursionError, TypeError, BadUserInputError):
        return written
    return {} if document is None else document
